/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
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
    end(ctx, OK, NULL);
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

enum err tool_inspect(const struct media_options *media, const char *path, struct why *why)
{
    struct tool tool;
    enum err err = open_tool(&tool, media, path, why);
    if (err == OK) {
        json_t *about = hls_describe(tool.plan);
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
    const struct plan_rendition *rendition = &tool->plan->renditions[tool->rendition];
    if (what->init)
        return write_all(fd, rendition->init, rendition->init_size, why);
    return write_pieces(tool, fd, why);
}

/* To stdout, or under a temporary name that becomes the final one at the end. */
static enum err write_out(struct tool *tool, const struct tool_segment *what, struct why *why)
{
    if (what->out == NULL)
        return write_wanted(tool, what, STDOUT_FILENO, why);
    struct str temporary = {0};
    str_printf(&temporary, "%s.part", what->out);
    CLEANUP(fd_close)
    int fd = open(str_text(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    enum err err = OK;
    if (fd < 0)
        err = why_set(why, err_from_errno(errno), "-o", "%s: %s", str_text(&temporary),
                      strerror(errno));
    else
        err = write_wanted(tool, what, fd, why);
    if (err == OK && rename(str_text(&temporary), what->out) != 0)
        err = why_set(why, ERR_IO, "-o", "%s: %s", what->out, strerror(errno));
    if (err != OK && fd >= 0)
        unlink(str_text(&temporary));
    str_fini(&temporary);
    return err;
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
