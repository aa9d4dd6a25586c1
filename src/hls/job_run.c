/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which segments of a room are made next, and by which process. Threads: the hub's loop. */
#include "base/clock.h"
#include "base/mem.h"
#include "hls/job.h"

enum {
    VIDEO_RUNS = 2, /* video transcodes at once; more of one segment share a decoder */
    OTHER_RUNS = 4, /* copies and audio: milliseconds each */
};

/* --- ahead --- */

/* The last segment that is made ahead of a viewer (not included): a copy needs but the next, an
 * encoder keeps `ahead_s` of a head start. */
static uint32_t ahead_end(const struct room *room, const struct viewer *viewer)
{
    const struct plan *plan = room->film->plan;
    const struct plan_rendition *rendition = &plan->renditions[viewer->rendition];
    uint32_t count = plan_segment_count(plan, viewer->rendition);
    if (rendition->is_copy || rendition->kind == PLAN_SUBTITLE)
        return count - viewer->n > 2 ? viewer->n + 2 : count;
    int64_t limit = plan_segment_start(plan, viewer->rendition, viewer->n) +
                    (int64_t) room->hls->options.ahead_s * rendition->timescale;
    uint32_t n = viewer->n + 1;
    while (n < count && plan_segment_start(plan, viewer->rendition, n) < limit)
        n++;
    return n;
}

bool job_is_watched(const struct room *room, const struct entry *entry, int64_t now_ms)
{
    for (size_t i = 0; i < room->viewer_count; i++) {
        const struct viewer *viewer = &room->viewers[i];
        if (viewer->rendition == entry->rendition && now_ms - viewer->seen_ms < JOB_VIEWER_MS &&
            entry->n >= viewer->n && entry->n < ahead_end(room, viewer))
            return true;
    }
    return false;
}

static bool is_ready(struct entry *entry)
{
    struct cache_key key;
    if (entry->state == ENTRY_DONE || entry->is_stored || job_bad(entry) != NULL ||
        entry->deaths > 0)
        return true;
    if (!job_is_cached(entry))
        return false;
    job_key(entry, &key);
    entry->is_stored = cache_has(entry->room->hls->cache, &key);
    return entry->is_stored;
}

/* The next one ahead of a viewer, when none is under way for them. */
static void go_ahead(struct room *room, const struct viewer *viewer)
{
    uint32_t end = ahead_end(room, viewer);
    for (uint32_t n = viewer->n + 1; n < end; n++) {
        struct entry *entry = job_entry(room, viewer->rendition, n);
        if (job_is_active(entry->state))
            return;
        if (is_ready(entry))
            continue;
        entry->left_ms = clock_mono_ms();
        job_queue(entry);
        return;
    }
}

/* Encoders serve those who wait before they run ahead for anybody. */
static bool is_video_awaited(const struct room *room)
{
    const struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->askers > 0 && job_is_video_run(entry))
        return true;
    return false;
}

static void go_ahead_of_all(struct room *room, int64_t now_ms)
{
    bool is_awaited = is_video_awaited(room);
    for (size_t i = 0; i < room->viewer_count; i++) {
        const struct viewer *viewer = &room->viewers[i];
        const struct plan_rendition *rendition = &room->film->plan->renditions[viewer->rendition];
        if (now_ms - viewer->seen_ms >= JOB_VIEWER_MS)
            continue;
        if (is_awaited && rendition->kind == PLAN_VIDEO && !rendition->is_copy)
            continue;
        go_ahead(room, viewer);
    }
}

/* --- running --- */

static unsigned count_runs(const struct room *room, bool is_video)
{
    unsigned count = 0;
    const struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    count += entry->state == ENTRY_RUNNING && job_is_video_run(entry) == is_video ? 1 : 0;
    return count;
}

/* Who waits comes before what is made ahead; among them the newest wish, since a seek is one. */
static struct entry *best_queued(const struct room *room, bool is_video)
{
    struct entry *best = NULL;
    struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    {
        if (entry->state != ENTRY_QUEUED || job_is_video_run(entry) != is_video ||
            entry->deaths > 0)
            continue;
        if (best == NULL || entry->wish > best->wish)
            best = entry;
    }
    return best;
}

static struct entry *unwanted_run(const struct room *room, bool is_video)
{
    struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->state == ENTRY_RUNNING && entry->askers == 0 &&
        job_is_video_run(entry) == is_video && !entry->worker->is_solo)
        return entry;
    return NULL;
}

static void run(struct entry *entry, struct worker *worker)
{
    entry->worker = worker;
    entry->job = media_segment(worker->media, entry->rendition, entry->n,
                               segment_fd(entry->segment), &job_media_events, entry);
    worker->running++;
    worker->used_ms = clock_mono_ms();
    job_move(entry, ENTRY_RUNNING);
}

/* Renditions of one segment that are waited for together are decoded once (engine_segment). */
static void run_same_time(const struct room *room, const struct entry *first, struct worker *worker)
{
    struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->state == ENTRY_QUEUED && entry->askers > 0 && job_is_video_run(entry) &&
        entry->deaths == 0 && entry->n == first->n)
        run(entry, worker);
}

static void fail_queued(struct room *room, enum err kind, const struct why *why)
{
    struct entry *entry;
    struct entry *next;
    for (entry = TAILQ_FIRST(&room->active); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry->state == ENTRY_QUEUED)
            job_fail(entry, kind, why);
    }
}

/* Starts one entry of a lane. False: there is none, or no place for it. */
static bool run_one(struct room *room, bool is_video)
{
    struct why why = {0};
    struct worker *worker = NULL;
    struct entry *entry = best_queued(room, is_video);
    if (entry == NULL)
        return false;
    if (count_runs(room, is_video) >= (is_video ? VIDEO_RUNS : OTHER_RUNS)) {
        struct entry *unwanted = entry->askers > 0 ? unwanted_run(room, is_video) : NULL;
        if (unwanted == NULL)
            return false;
        job_cancel(unwanted);
    }
    enum err kind = worker_get(room, false, &worker, &why);
    if (kind != OK) {
        fail_queued(room, kind, &why);
        return false;
    }
    run(entry, worker);
    if (is_video)
        run_same_time(room, entry, worker);
    return true;
}

/* What a process died of is tried once more, alone (decision 20). */
static void run_solo(struct room *room)
{
    struct why why = {0};
    struct worker *worker = NULL;
    struct entry *entry;
    if (room->solo != NULL && room->solo->running > 0)
        return;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->state == ENTRY_QUEUED && entry->deaths > 0)
        break;
    if (entry == NULL) {
        worker_let_go(&room->solo);
        return;
    }
    enum err kind = worker_get(room, true, &worker, &why);
    if (kind == OK)
        run(entry, worker);
    else
        job_fail(entry, kind, &why);
}

struct scheduling {
    struct hls *hls;
    uint64_t room;
};

static void schedule(void *arg)
{
    struct scheduling *scheduling = arg;
    struct room *room = room_by_serial(scheduling->hls, scheduling->room);
    mem_free(scheduling);
    if (room == NULL)
        return;
    go_ahead_of_all(room, clock_mono_ms());
    room->is_scheduled = false;
    run_solo(room);
    while (run_one(room, true))
        ;
    while (run_one(room, false))
        ;
}

void job_schedule(struct room *room)
{
    if (room->is_scheduled)
        return;
    room->is_scheduled = true;
    struct scheduling *scheduling = mem_new(struct scheduling);
    *scheduling = (struct scheduling){room->hls, room->serial};
    mailbox_post(room->hls->mailbox, schedule, scheduling);
}
