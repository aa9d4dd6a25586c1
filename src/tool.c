/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "hls/admission.h"
#include "hls/hls.h"
#include "http/http.h"
#include "segments/plan.h"
#include "source/source.h"

/* One film in one media process, and what its jobs answered. The loop's thread works; main waits
 * at `done`. */
struct tool {
    const struct media_options *options;
    struct loop *loop;
    struct media_host *host;
    struct source *source;
    struct media *media;
    struct plan *plan;
    int out; /* the job's memory file */
    sem_t done;
    /* loop's thread, until done */
    struct media_piece *pieces;
    size_t count, room;
    uint32_t rendition, n;
    int64_t cpu_ms; /* of the process, when its job was done */
    enum err result;
    struct why why;
};

static void end(struct tool *tool, enum err result, const struct why *why)
{
    tool->result = result;
    if (why != NULL)
        tool->why = *why;
    sem_post(&tool->done);
}

static void on_pieces(void *ctx, const struct media_piece *pieces, size_t count, bool part_end)
{
    (void) part_end;
    struct tool *tool = ctx;
    for (size_t i = 0; i < count; i++) {
        mem_grow(tool->pieces, tool->count, tool->room);
        tool->pieces[tool->count++] = pieces[i];
    }
}

static void on_done(void *ctx, uint64_t size)
{
    (void) size;
    struct tool *tool = ctx;
    tool->cpu_ms = media_cpu_ms(tool->media);
    end(tool, OK, NULL);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    end(ctx, kind, why);
}

/* A process that dies with a job in hand has told the job already. */
static void on_died(void *ctx, const struct why *why)
{
    (void) why;
    struct tool *tool = ctx;
    tool->media = NULL;
}

static const struct media_events media_events = {on_died};
static const struct media_job_events job_events = {
    .pieces = on_pieces, .done = on_done, .failed = on_failed};

static void attach(void *arg)
{
    struct tool *tool = arg;
    media_host_attach(tool->host, loop_uv(tool->loop));
}

static enum err open_media(struct tool *tool, const uint8_t *plan, size_t plan_size)
{
    return media_open(tool->host, source_fd(tool->source), source_map_fd(tool->source),
                      source_size(tool->source), plan, plan_size, "tool", false, &media_events,
                      tool, &tool->media);
}

static void start_plan(void *arg)
{
    struct tool *tool = arg;
    enum err err = open_media(tool, NULL, 0);
    if (err == OK)
        media_plan(tool->media, true, tool->out, &job_events, tool);
    else
        end(tool, err, NULL);
}

static void start_segment(void *arg)
{
    struct tool *tool = arg;
    media_close(&tool->media);
    uint8_t *bytes = NULL;
    size_t size = 0;
    plan_write(tool->plan, &bytes, &size);
    enum err err = open_media(tool, bytes, size);
    mem_free(bytes);
    if (err == OK)
        media_segment(tool->media, tool->rendition, tool->n, tool->out, &job_events, tool);
    else
        end(tool, err, NULL);
}

static void detach(void *arg)
{
    struct tool *tool = arg;
    media_close(&tool->media);
    media_host_stop(&tool->host);
}

static enum err run_job(struct tool *tool, task_fn *start)
{
    fd_close(&tool->out);
    enum err err = fd_memory("matinee-tool", &tool->out);
    if (err != OK)
        return err;
    mailbox_post(loop_mailbox(tool->loop), start, tool);
    while (sem_wait(&tool->done) != 0)
        ;
    return tool->result;
}

static enum err make_plan(struct tool *tool, struct why *why)
{
    enum err err = run_job(tool, start_plan);
    if (err != OK) {
        *why = tool->why;
        return err;
    }
    off_t size = lseek(tool->out, 0, SEEK_END);
    if (size <= 0)
        return ERR_IO;
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) size);
    size_t got = 0;
    err = fd_read_at(tool->out, bytes, (size_t) size, 0, &got);
    return err != OK ? err : plan_read(bytes, got, &tool->plan, why);
}

static enum err open_source(struct tool *tool, const char *path, struct why *why)
{
    struct why reason = {0};
    enum err err = source_open_local(path, &tool->source, &reason);
    return err == OK ? OK : why_set(why, err, NULL, "%s: %s", path, reason.text);
}

static enum err open_tool(struct tool *tool, const struct media_options *options, const char *path,
                          struct why *why)
{
    *tool = (struct tool){.options = options, .out = -1};
    sem_init(&tool->done, 0, 0);
    enum err err = media_host_start(options, &tool->host, why);
    if (err == OK)
        err = open_source(tool, path, why);
    if (err == OK)
        err = loop_start("tool", &tool->loop);
    if (err != OK)
        return err;
    loop_call(tool->loop, attach, tool);
    return make_plan(tool, why);
}

static void close_tool(struct tool *tool)
{
    if (tool->loop != NULL)
        loop_call(tool->loop, detach, tool);
    else
        media_host_stop(&tool->host);
    loop_stop(&tool->loop);
    source_unref(&tool->source);
    plan_free(&tool->plan);
    fd_close(&tool->out);
    mem_free(tool->pieces);
    sem_destroy(&tool->done);
}

/* --- inspect --- */

/* The smallest of the film's transcodes: asked soonest. -1: none. */
static int smallest_transcode(const struct plan *plan)
{
    int least = -1;
    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        const struct plan_rendition *r = &plan->renditions[i];
        if (r->kind == PLAN_VIDEO && !r->is_copy &&
            (least < 0 || r->height < plan->renditions[least].height))
            least = (int) i;
    }
    return least;
}

/* What of the film so many cores, with nothing else to do, convert as fast as it plays: a segment of it
 * is converted, and admission control asked as the server asks it. */
static enum err judge_machine(struct tool *tool, unsigned cores, struct admission_offer *out)
{
    static const struct admission_viewer alone = {.film = "film", .position_ms = -1};
    const struct plan *plan = tool->plan;
    struct admission_viewer viewer = alone;
    enum err err = run_job(tool, start_segment);
    if (err != OK)
        return err;
    int64_t ticks = plan_segment_start(plan, tool->rendition, tool->n + 1) -
                    plan_segment_start(plan, tool->rendition, tool->n);
    double units = admission_decode_units(plan, plan->renditions[tool->rendition].track) +
                   admission_encode_units(plan, tool->rendition);
    struct admission *admission = admission_new(cores);
    viewer.plan = plan;
    admission_measured(admission, alone.film,
                       units * (double) ticks / plan->renditions[tool->rendition].timescale,
                       (double) tool->cpu_ms / 1000);
    admission_offer(admission, &viewer, 0, out);
    admission_free(&admission);
    return OK;
}

/* Each transcode of the picture says whether it is made in time, and why not. */
static void describe_machine(struct tool *tool, unsigned cores, json_t *about)
{
    struct admission_offer offer;
    int least = smallest_transcode(tool->plan);
    json_t *renditions = json_object_get(about, "renditions");
    if (least < 0)
        return;
    tool->rendition = (uint32_t) least;
    tool->n = 0;
    enum err err = judge_machine(tool, cores, &offer);
    for (uint32_t i = 0; i < tool->plan->rendition_count; i++) {
        const struct plan_rendition *r = &tool->plan->renditions[i];
        if (r->kind != PLAN_VIDEO || r->is_copy)
            continue;
        json_t *object = json_array_get(renditions, i);
        bool fits = err == OK && (uint64_t) r->width * r->height <= offer.most_pixels;
        json_object_set_new(object, "fits", json_boolean(fits));
        if (!fits)
            json_object_set_new(object, "why",
                                json_string(err == OK ? offer.why.text : tool->why.text));
    }
}

enum err tool_inspect(const struct media_options *media, unsigned cores, const char *path,
                      struct why *why)
{
    struct tool tool;
    enum err err = open_tool(&tool, media, path, why);
    if (err == OK) {
        json_t *about = hls_describe(tool.plan);
        describe_machine(&tool, cores, about);
        if (json_dumpf(about, stdout, JSON_INDENT(2) | JSON_DIGITS) != 0 || putchar('\n') == EOF ||
            fflush(stdout) != 0)
            err = why_set(why, ERR_IO, NULL, "stdout cannot be written");
        json_decref(about);
    }
    close_tool(&tool);
    return err;
}

/* --- segment --- */

static enum err write_all(int fd, const void *bytes, size_t size, struct why *why)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t step = write(fd, at, size);
        if (step < 0 && errno == EINTR)
            continue;
        if (step <= 0)
            return why_set(why, ERR_IO, "-o", "cannot write: %s", strerror(errno));
        at += step;
        size -= (size_t) step;
    }
    return OK;
}

static enum err read_piece(struct tool *tool, const struct media_piece *piece, uint64_t done,
                           void *into, size_t size, size_t *got)
{
    if (piece->is_source)
        return source_read(tool->source, into, size, piece->offset + done, got);
    return fd_read_at(tool->out, into, size, piece->offset + done, got);
}

static enum err write_pieces(struct tool *tool, int fd, struct why *why)
{
    enum { STEP = 256 * 1024 };
    CLEANUP(mem_free_at) char *buffer = mem_zalloc(STEP);
    for (size_t i = 0; i < tool->count; i++) {
        const struct media_piece *piece = &tool->pieces[i];
        for (uint64_t done = 0; done < piece->length;) {
            uint64_t left = piece->length - done;
            size_t got = 0;
            enum err err = read_piece(tool, piece, done, buffer, left < STEP ? left : STEP, &got);
            if (err == OK && got == 0)
                err = why_set(why, ERR_GONE, NULL, "the file is shorter than it was");
            if (err == OK)
                err = write_all(fd, buffer, got, why);
            if (err != OK)
                return err;
            done += got;
        }
    }
    return OK;
}

static enum err write_wanted(struct tool *tool, const struct tool_segment *what, int fd,
                             struct why *why)
{
    uint32_t owner = plan_unburnt(tool->plan, (uint32_t) tool->rendition);
    const struct plan_rendition *rendition = &tool->plan->renditions[owner];
    if (what->init)
        return write_all(fd, rendition->init, rendition->init_size, why);
    return write_pieces(tool, fd, why);
}

static enum err not_written(const char *path, struct why *why)
{
    return why_set(why, err_from_errno(errno), "-o", "%s: %s", path, strerror(errno));
}

/* A pipe or a device is written to as it is: a file that took its name would take its place. */
static bool is_special(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static enum err write_special(struct tool *tool, const struct tool_segment *what, struct why *why)
{
    CLEANUP(fd_close) int fd = open(what->out, O_WRONLY | O_CLOEXEC);
    return fd >= 0 ? write_wanted(tool, what, fd, why) : not_written(what->out, why);
}

/* Under a temporary name that becomes the final one at the end. */
static enum err write_file(struct tool *tool, const struct tool_segment *what, struct why *why)
{
    struct str temporary = {0};
    str_printf(&temporary, "%s.part", what->out);
    CLEANUP(fd_close)
    int fd = open(str_text(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    enum err err = OK;
    if (fd < 0)
        err = not_written(str_text(&temporary), why);
    else
        err = write_wanted(tool, what, fd, why);
    if (err == OK && rename(str_text(&temporary), what->out) != 0)
        err = not_written(what->out, why);
    if (err != OK && fd >= 0)
        unlink(str_text(&temporary));
    str_fini(&temporary);
    return err;
}

static enum err write_out(struct tool *tool, const struct tool_segment *what, struct why *why)
{
    if (what->out == NULL)
        return write_wanted(tool, what, STDOUT_FILENO, why);
    return is_special(what->out) ? write_special(tool, what, why) : write_file(tool, what, why);
}

static enum err choose(struct tool *tool, const struct tool_segment *what, struct why *why)
{
    int found = plan_find(tool->plan, what->rendition);
    if (found < 0) {
        struct str names = {0};
        for (uint32_t i = 0; i < tool->plan->rendition_count; i++)
            str_printf(&names, " %s", tool->plan->renditions[i].name);
        enum err err =
            why_set(why, ERR_NOT_FOUND, "--rendition", "this film has no rendition %s; it has%s",
                    what->rendition, str_text(&names));
        str_fini(&names);
        return err;
    }
    uint32_t count = plan_segment_count(tool->plan, (uint32_t) found);
    if (!what->init && what->index >= count)
        return why_set(why, ERR_NOT_FOUND, "--index", "%s has the segments 0 to %u",
                       what->rendition, count - 1);
    tool->rendition = (uint32_t) found;
    tool->n = (uint32_t) what->index;
    return OK;
}

enum err tool_write_segment(const struct media_options *media, const struct tool_segment *what,
                            struct why *why)
{
    struct tool tool;
    enum err err = open_tool(&tool, media, what->path, why);
    if (err == OK)
        err = choose(&tool, what, why);
    if (err == OK && !what->init) {
        err = run_job(&tool, start_segment);
        if (err != OK)
            *why = tool.why;
    }
    if (err == OK)
        err = write_out(&tool, what, why);
    close_tool(&tool);
    return err;
}
