/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media_stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

static void on_died(void *ctx, const struct why *why)
{
    struct stage *stage = ctx;
    stage->is_dead = true;
    stage->death = *why;
    stage->media = NULL;
}

static void on_want(void *ctx, uint64_t job UNUSED, uint64_t offset, uint64_t length)
{
    struct stage *stage = ctx;
    stage->wants++;
    stage->want_at = offset;
    stage->want_length = length;
}

static void on_pieces(void *ctx, const struct media_piece *pieces, size_t count, bool part_end)
{
    struct heard *heard = ctx;
    heard->calls++;
    heard->part_ends += part_end;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(mem_free_at) char *bytes = mem_zalloc((size_t) pieces[i].length);
        size_t got;
        int fd = pieces[i].is_source ? heard->stage->film : heard->out;
        assert_int_equal(fd_read_at(fd, bytes, (size_t) pieces[i].length, pieces[i].offset, &got),
                         OK);
        assert_int_equal(got, pieces[i].length);
        str_append(&heard->text, bytes, got);
    }
    if (heard->close_in_pieces)
        media_close(&heard->stage->media);
}

static void on_progress(void *ctx, double fraction)
{
    struct heard *heard = ctx;
    assert_true(fraction >= 0 && fraction <= 1);
    heard->progress++;
}

static void on_verdict(void *ctx, const struct why *why)
{
    struct heard *heard = ctx;
    assert_false(heard->is_done || heard->is_failed);
    heard->verdict = *why;
}

static void on_picture(void *ctx, int64_t at_ms, uint32_t width, uint32_t height)
{
    struct heard *heard = ctx;
    str_printf(&heard->text, "%lld:%ux%u ", (long long) at_ms, width, height);
}

static void on_sheet(void *ctx, uint64_t offset, uint64_t length)
{
    struct heard *heard = ctx;
    str_printf(&heard->text, "[%llu+%llu] ", (unsigned long long) offset,
               (unsigned long long) length);
}

static void on_done(void *ctx, uint64_t size)
{
    struct heard *heard = ctx;
    assert_false(heard->is_done || heard->is_failed);
    heard->is_done = true;
    heard->size = size;
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct heard *heard = ctx;
    assert_false(heard->is_done || heard->is_failed);
    heard->is_failed = true;
    heard->kind = kind;
    heard->why = *why;
}

static void on_unwant(void *ctx, uint64_t job UNUSED)
{
    struct stage *stage = ctx;
    stage->unwants++;
}

const struct media_events stage_media_events = {on_died};
const struct media_want_events stage_want_events = {on_want, on_unwant};
const struct media_job_events stage_job_events = {on_pieces, on_progress, on_verdict, on_picture,
                                                  on_sheet,  on_done,     on_failed};

void heard_init(struct heard *heard, struct stage *stage)
{
    *heard = (struct heard){.stage = stage};
    assert_int_equal(fd_memory("out", &heard->out), OK);
}

void heard_fini(struct heard *heard)
{
    fd_close(&heard->out);
    str_fini(&heard->text);
}

static void on_timer(uv_timer_t *timer UNUSED)
{
}

bool has_ended(const struct heard *heard)
{
    return heard->is_done || heard->is_failed;
}

void run_until(struct stage *stage, const bool *flag)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (!*flag) {
        uv_run(&stage->loop, UV_RUN_ONCE);
        if (clock_mono_ms() > deadline)
            fail_msg("nothing happened");
    }
}

void run_until_end(struct stage *stage, const struct heard *heard)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (!has_ended(heard)) {
        uv_run(&stage->loop, UV_RUN_ONCE);
        if (clock_mono_ms() > deadline)
            fail_msg("the job does not end");
    }
}

void run_for(struct stage *stage, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    while (clock_mono_ms() < end)
        uv_run(&stage->loop, UV_RUN_ONCE);
}

void stage_init(struct stage *stage, const char *program, const struct media_options *changes)
{
    *stage = (struct stage){.film = -1, .map = -1};
    struct media_options options = *changes;
    options.program = program;
    if (options.runs == 0)
        options.runs = 2;
    struct why why = {0};
    if (media_host_start(&options, &stage->host, &why) != OK)
        fail_msg("%s", why.text);
    uv_loop_init(&stage->loop);
    uv_timer_init(&stage->loop, &stage->timer);
    uv_timer_start(&stage->timer, on_timer, 5, 5);
    media_host_attach(stage->host, &stage->loop);
}

void stage_fini(struct stage *stage)
{
    media_close(&stage->media);
    media_host_stop(&stage->host);
    uv_close((uv_handle_t *) &stage->timer, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    fd_close(&stage->film);
    fd_close(&stage->map);
}

void ask(struct stage *stage, struct heard *heard, uint32_t rendition, uint32_t n)
{
    heard_init(heard, stage);
    heard->id = media_segment(stage->media, rendition, n, heard->out, &stage_job_events, heard);
    assert_false(has_ended(heard));
}

/* 0: it is no more. */
static pid_t read_parent(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got;
    if (fd < 0 || fd_read_at(fd, text, sizeof text - 1, 0, &got) != OK || got == 0)
        return 0;
    text[got] = '\0';
    const char *after_name = strrchr(text, ')');
    return after_name == NULL ? 0 : (pid_t) strtol(after_name + 3, NULL, 10);
}

pid_t parent_of(uint32_t pid)
{
    pid_t parent = read_parent((pid_t) pid);
    assert_int_not_equal(parent, 0);
    return parent;
}

pid_t child_of(pid_t parent, const char *file, const char *text, size_t length)
{
    pid_t found = 0;
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    for (struct dirent *item; (item = readdir(folder)) != NULL;) {
        char path[300], begins[64];
        pid_t pid = (pid_t) strtol(item->d_name, NULL, 10);
        if (pid <= 0 || read_parent(pid) != parent)
            continue;
        snprintf(path, sizeof path, "/proc/%d/%s", (int) pid, file);
        CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t got = 0;
        if (fd >= 0 && fd_read_at(fd, begins, length, 0, &got) == OK && got == length &&
            memcmp(begins, text, length) == 0)
            found = pid;
    }
    closedir(folder);
    return found;
}
