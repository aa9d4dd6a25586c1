/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans, each made in a process of its own. Life: waiting for a process -> planning -> ended.
 * Threads: the hub's loop. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/open.h"
#include "hls/wants.h"

enum {
    RETRY_MS = 250,        /* looks for a free process */
    JUDGE_MS = 300,        /* a GONE that no death followed */
    PATIENCE_MS = 20000,   /* as long as a playlist is held */
    PLAN_BYTES = 64 << 20, /* more is no plan */
};

struct planner {
    struct hls *hls;
    struct source *source;
    char label[FILM_ID_SIZE];
    struct planner_job job;
    struct media *media; /* NULL: none, or dead */
    struct wants *wants; /* with media */
    int out;
    unsigned deaths;
    int64_t begun_ms;
    uv_timer_t retry;
    bool is_stopped;
    /* the result, on its way out of a callback */
    bool is_over;
    enum err kind;
    struct why why;
    struct plan *plan;
    uint8_t *bytes;
    size_t size;
};

static void on_retry(uv_timer_t *timer);

static void close_media(struct planner *planner)
{
    if (planner->media == NULL)
        return;
    wants_free(&planner->wants);
    media_close(&planner->media);
    atomic_fetch_sub(&planner->hls->counters.processes, 1);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct planner *planner = handle->data;
    source_unref(&planner->source);
    plan_free(&planner->plan);
    mem_free(planner->bytes);
    fd_close(&planner->out);
    mem_free(planner);
}

/* Posted: nothing of it is on the stack, and nobody will call it again. */
static void destroy(void *arg)
{
    struct planner *planner = arg;
    close_media(planner);
    uv_close((uv_handle_t *) &planner->retry, on_timer_closed);
}

void planner_stop(struct planner **planner)
{
    struct planner *gone = *planner;
    *planner = NULL;
    if (gone == NULL)
        return;
    gone->is_stopped = true;
    uv_timer_stop(&gone->retry);
    mailbox_post(gone->hls->mailbox, destroy, gone);
}

bool planner_sleeps(const struct planner *planner)
{
    return wants_any(planner->wants);
}

void planner_end(struct planner **planner)
{
    close_media(*planner);
    planner_stop(planner);
}

struct source *open_take_source(const struct planner *planner)
{
    return source_ref(planner->source);
}

static void tell(void *arg)
{
    struct planner *planner = arg;
    if (!planner->is_stopped)
        planner->job.done(planner->job.ctx, planner->kind, &planner->why, &planner->plan,
                          &planner->bytes, planner->size);
}

/* `tell` is posted before any `destroy`, so the planner still is when it runs. */
static void finish(struct planner *planner, enum err kind, const struct why *why)
{
    if (planner->is_over)
        return;
    planner->is_over = true;
    planner->kind = kind;
    if (why != NULL)
        planner->why = *why;
    mailbox_post(planner->hls->mailbox, tell, planner);
}

static void on_done(void *ctx, uint64_t size)
{
    struct planner *planner = ctx;
    struct why why = {0};
    size_t got = 0;
    if (planner->is_stopped)
        return;
    if (size > PLAN_BYTES) {
        finish(planner, why_set(&why, ERR_BAD_MEDIA, NULL, "the plan is too large"), &why);
        return;
    }
    planner->bytes = mem_zalloc((size_t) size);
    enum err kind = fd_read_at(planner->out, planner->bytes, (size_t) size, 0, &got);
    if (kind == OK && got < size)
        kind = ERR_IO;
    planner->size = got;
    if (kind == OK && plan_read(planner->bytes, got, &planner->plan, &why) != OK)
        kind = ERR_BAD_MEDIA;
    if (kind == OK && planner->plan->source_size != source_size(planner->source))
        kind = why_set(&why, ERR_GONE, NULL, "the file changed while it was read");
    finish(planner, kind, &why);
}

/* Signs of life come with 0: only films without an index are read through. */
static void on_progress(void *ctx, double fraction)
{
    struct planner *planner = ctx;
    if (!planner->is_stopped && !planner->is_over && planner->job.progress != NULL && fraction > 0)
        planner->job.progress(planner->job.ctx, fraction);
}

static void on_judge(uv_timer_t *timer)
{
    struct planner *planner = timer->data;
    finish(planner, ERR_GONE, &planner->why);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct planner *planner = ctx;
    if (planner->is_stopped)
        return;
    planner->why = *why;
    if (kind != ERR_GONE)
        finish(planner, kind, why);
    else /* A death is told next, or the file was cut. */
        uv_timer_start(&planner->retry, on_judge, JUDGE_MS, 0);
}

static void on_died(void *ctx, const struct why *why)
{
    struct planner *planner = ctx;
    struct why said = {0};
    planner->media = NULL;
    wants_free(&planner->wants);
    atomic_fetch_sub(&planner->hls->counters.processes, 1);
    atomic_fetch_add(&planner->hls->counters.deaths, 1);
    if (planner->is_stopped || planner->is_over)
        return;
    if (++planner->deaths >= 2) {
        why_set(&said, ERR_BAD_MEDIA, NULL, "two media processes died while they read it: %s",
                why->text);
        finish(planner, ERR_BAD_MEDIA, &said);
        return;
    }
    uv_timer_start(&planner->retry, on_retry, 0, 0);
}

static const struct media_events events = {.died = on_died};
static const struct media_job_events job_events = {
    .progress = on_progress, .done = on_done, .failed = on_failed};

static enum err begin(struct planner *planner, struct why *why)
{
    struct source *source = planner->source;
    fd_close(&planner->out);
    enum err kind = fd_memory("matinee-plan", &planner->out);
    if (kind != OK)
        return why_set(why, kind, NULL, "too many files are open");
    kind = media_open(planner->hls->host, source_fd(source), source_map_fd(source),
                      source_size(source), NULL, 0, planner->label, planner->deaths > 0, &events,
                      planner, &planner->media);
    if (kind != OK)
        return why_set(why, kind, NULL, "no media process is free");
    atomic_fetch_add(&planner->hls->counters.processes, 1);
    planner->wants = wants_new(source, planner->media, planner->hls->mailbox);
    media_plan(planner->media, planner->job.scan, planner->out, &job_events, planner);
    return OK;
}

static void on_retry(uv_timer_t *timer)
{
    struct planner *planner = timer->data;
    struct why why = {0};
    enum err kind = begin(planner, &why);
    if (kind == ERR_BUSY && !planner->job.scan && worker_end_one(planner->hls, NULL, true))
        kind = begin(planner, &why);
    if (kind == OK)
        return;
    if (kind == ERR_BUSY && clock_mono_ms() - planner->begun_ms < PATIENCE_MS)
        uv_timer_start(timer, on_retry, RETRY_MS, 0);
    else
        finish(planner, kind, &why);
}

struct planner *planner_start(struct hls *hls, struct source *source, const char *label,
                              const struct planner_job *job)
{
    struct planner *planner = mem_new(struct planner);
    planner->hls = hls;
    planner->source = source_ref(source);
    strncpy(planner->label, label, sizeof planner->label - 1);
    planner->job = *job;
    planner->out = -1;
    planner->begun_ms = clock_mono_ms();
    MUST(uv_timer_init(loop_uv(hls->loop), &planner->retry) == 0);
    planner->retry.data = planner;
    uv_timer_start(&planner->retry, on_retry, 0, 0);
    return planner;
}
