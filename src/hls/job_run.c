/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which segments of a room are made next, and by which process. Threads: the hub's loop. */
#include "base/clock.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/job.h"
#include "hls/send.h"

enum {
    VIDEO_RUNS = 2,    /* video transcodes at once; more of one segment share a decoder */
    OTHER_RUNS = 4,    /* copies and audio: milliseconds each */
    SLEEPING_RUNS = 8, /* the same, where they may sleep for bytes that are still to come */
};

/* --- ahead --- */

/* The last segment that is made ahead of a viewer (not included): a copy needs but the next, an
 * encoder keeps `ahead_s` of a head start. */
static uint32_t ahead_end(const struct room *room, const struct viewer *viewer)
{
    const struct plan *plan = room->film->plan;
    const struct plan_rendition *rendition = &plan->renditions[viewer->rendition];
    uint32_t count = plan_segment_count(plan, viewer->rendition);
    if (rendition->kind == PLAN_IFRAMES) /* who leafs through a film goes anywhere */
        return viewer->n + 1;
    if (rendition->is_copy || plan_is_subtitle(rendition->kind))
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
    if (entry->state == ENTRY_DONE || entry->is_stored || job_bad(entry) != NULL ||
        entry->deaths > 0)
        return true;
    entry->is_stored = job_is_stored(entry);
    return entry->is_stored;
}

/* The next one ahead of a viewer, when none is under way for them. */
static void go_ahead(struct room *room, const struct viewer *viewer)
{
    uint32_t end = ahead_end(room, viewer);
    if (room->is_robbed)
        return;
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

static bool is_picture_viewer(const struct room *room, const struct viewer *viewer, int64_t now_ms)
{
    const struct plan_rendition *rendition = &room->film->plan->renditions[viewer->rendition];
    return rendition->kind == PLAN_VIDEO && !rendition->is_copy &&
           now_ms - viewer->seen_ms < JOB_VIEWER_MS;
}

/* How much film lies ready behind what the viewer asked for last. */
static int64_t head_start_ms(struct room *room, const struct viewer *viewer)
{
    const struct plan *plan = room->film->plan;
    uint32_t end = ahead_end(room, viewer), n = viewer->n + 1;
    while (n < end && is_ready(job_entry(room, viewer->rendition, n)))
        n++;
    int64_t ticks = plan_segment_start(plan, viewer->rendition, n) -
                    plan_segment_start(plan, viewer->rendition, viewer->n);
    /* All that is made ahead is there: nobody is worse off for him. */
    return n == end ? INT64_MAX
                    : ticks * 1000 / (int64_t) plan->renditions[viewer->rendition].timescale;
}

/* Of a room's viewers of converted pictures: of who has the least. */
static int64_t least_of_room_ms(struct room *room, int64_t now_ms)
{
    int64_t least = INT64_MAX;
    bool is_awaited = is_video_awaited(room);
    for (size_t i = 0; room->state == ROOM_READY && i < room->viewer_count; i++) {
        if (!is_picture_viewer(room, &room->viewers[i], now_ms))
            continue;
        int64_t own = is_awaited ? 0 : head_start_ms(room, &room->viewers[i]);
        least = own < least ? own : least;
    }
    return least;
}

/* The same, whatever they watch. */
static int64_t least_head_start_ms(struct hls *hls, int64_t now_ms)
{
    int64_t least = INT64_MAX;
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    {
        int64_t own = least_of_room_ms(room, now_ms);
        least = own < least ? own : least;
    }
    return least;
}

/* Who has a good head start leaves the cores to those who have none. `least_ms`: see above. */
static bool may_go_ahead(struct room *room, const struct viewer *viewer, int64_t least_ms)
{
    enum { EVEN_MS = 8000 };
    return head_start_ms(room, viewer) - EVEN_MS <= least_ms;
}

static void go_ahead_of_all(struct room *room, int64_t now_ms)
{
    bool is_awaited = is_video_awaited(room);
    int64_t least_ms = -1; /* not asked for yet: it takes a look at every viewer */
    for (size_t i = 0; i < room->viewer_count; i++) {
        const struct viewer *viewer = &room->viewers[i];
        bool is_picture = is_picture_viewer(room, viewer, now_ms);
        if (now_ms - viewer->seen_ms >= JOB_VIEWER_MS || (is_picture && is_awaited))
            continue;
        if (is_picture && least_ms < 0)
            least_ms = least_head_start_ms(room->hls, now_ms);
        if (!is_picture || may_go_ahead(room, viewer, least_ms))
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

/* Whether a viewer of another rendition is about to need the same segment: his last one is still being
 * made. Together they are decoded once, so what is made ahead waits for it; he who waits does not wait
 * for more than the sealing. */
static bool has_company_soon(const struct room *room, const struct entry *entry, int64_t now_ms)
{
    const struct entry *other;
    TAILQ_FOREACH(other, &room->active, link)
    {
        bool is_near =
            other->state == ENTRY_SEALING || (other->state == ENTRY_RUNNING && entry->askers == 0);
        if (!is_near || other->n + 1 != entry->n || other->rendition == entry->rendition ||
            !job_is_video_run(other))
            continue;
        const struct entry next = {.rendition = other->rendition, .n = entry->n};
        if (job_is_watched(room, &next, now_ms))
            return true;
    }
    return false;
}

/* Who waits comes before what is made ahead; among them the newest wish, since a seek is one. */
static struct entry *best_queued(const struct room *room, bool is_video)
{
    struct entry *best = NULL;
    struct entry *entry;
    int64_t now_ms = clock_mono_ms();
    TAILQ_FOREACH(entry, &room->active, link)
    {
        if (entry->state != ENTRY_QUEUED || job_is_video_run(entry) != is_video ||
            entry->deaths > 0)
            continue;
        if (best != NULL && entry->wish <= best->wish)
            continue;
        if (!is_video || !has_company_soon(room, entry, now_ms))
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

/* What a segment is, in the units of admission.h. */
static double work_of(const struct entry *entry, bool decodes)
{
    const struct plan *plan = entry->room->film->plan;
    const struct plan_rendition *rendition = job_rendition(entry);
    if (job_is_init(entry))
        return 0;
    int64_t ticks = plan_segment_start(plan, entry->rendition, entry->n + 1) -
                    plan_segment_start(plan, entry->rendition, entry->n);
    double units = admission_encode_units(plan, entry->rendition);
    if (decodes)
        units += admission_decode_units(plan, rendition->track);
    return units * (double) ticks / rendition->timescale;
}

/* --- what a copy is made of, ahead of those who read it --- */

struct reading {
    struct source *source;
    struct span span;
};

static void read_ahead(void *arg)
{
    const struct reading *reading = arg;
    source_read_ahead(reading->source, &reading->span);
}

static void drop_reading(void *arg)
{
    struct reading *reading = arg;
    source_unref(&reading->source);
    mem_free(reading);
}

void job_read_ahead(const struct entry *entry, struct span span)
{
    enum { MOST = 32 << 20 };
    struct hls *hls = entry->room->hls;
    struct reading *reading = mem_new(struct reading);
    span.end = span.end - span.begin > MOST ? span.begin + MOST : span.end;
    reading->source = source_ref(entry->room->film->source);
    reading->span = span;
    if (source_pools_run(hls->sources, source_device(reading->source), read_ahead, drop_reading,
                         reading, hls->mailbox) != OK)
        drop_reading(reading);
}

/* Of Matroska the plan tells where a copy's segments lie; of MP4 it is told with the first part. */
static void read_copy_ahead(const struct entry *entry)
{
    enum { PAST_KEY = 64 << 10 }; /* decision 15 */
    const struct film *film = entry->room->film;
    const struct plan *plan = film->plan;
    const struct plan_rendition *rendition = job_rendition(entry);
    if (!rendition->is_copy || rendition->kind != PLAN_VIDEO || entry->n >= plan->copy_count ||
        plan->container != CONTAINER_MKV)
        return;
    bool is_last = entry->n + 1 == plan->copy_count;
    uint64_t end = is_last ? source_size(film->source) : plan->copy_pos[entry->n + 1] + PAST_KEY;
    job_read_ahead(entry, (struct span){plan->copy_pos[entry->n], end});
}

/* `decodes`: not beside another of the same time, which does. */
static void run(struct entry *entry, struct worker *worker, bool decodes)
{
    entry->units = job_is_video_run(entry) ? work_of(entry, decodes) : 0;
    read_copy_ahead(entry);
    entry->worker = worker;
    if (job_is_on_device(entry))
        job_give_device(entry, worker);
    entry->job = media_segment(worker->media, entry->rendition, entry->n,
                               segment_fd(entry->segment), &job_media_events, entry);
    worker->running++;
    worker->used_ms = clock_mono_ms();
    job_move(entry, ENTRY_RUNNING);
}

/* Renditions of one segment that are waited for together are decoded once (engine_segment), and so are
 * those made ahead; who waits is not slowed down by what nobody waits for. */
static void run_same_time(const struct room *room, const struct entry *first, struct worker *worker)
{
    struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->state == ENTRY_QUEUED && (entry->askers > 0 || first->askers == 0) &&
        job_is_video_run(entry) && entry->deaths == 0 && entry->n == first->n &&
        plan_burnt(job_rendition(entry)) == plan_burnt(job_rendition(first)))
        run(entry, worker, false);
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

static unsigned most_runs(const struct room *room, bool is_video)
{
    const struct source *source = room->film->source;
    if (is_video)
        return VIDEO_RUNS;
    return source_has(source, 0, source_size(source)) ? OTHER_RUNS : SLEEPING_RUNS;
}

/* Starts one entry of a lane. False: there is none, or no place for it. */
static bool run_one(struct room *room, bool is_video)
{
    struct why why = {0};
    struct worker *worker = NULL;
    struct entry *entry = best_queued(room, is_video);
    if (entry == NULL)
        return false;
    if (count_runs(room, is_video) >= most_runs(room, is_video)) {
        struct entry *unwanted = entry->askers > 0 ? unwanted_run(room, is_video) : NULL;
        if (unwanted == NULL)
            return false;
        job_cancel(unwanted);
    }
    enum err kind = worker_get(room, false, entry->askers > 0, &worker, &why);
    if (kind != OK && entry->askers == 0) {
        room->is_robbed = true; /* all processes are somebody's: it is made when one waits for it */
        job_cancel(entry);
        return false;
    }
    if (kind != OK) {
        fail_queued(room, kind, &why);
        return false;
    }
    run(entry, worker, true);
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
    enum err kind = worker_get(room, true, entry->askers > 0, &worker, &why);
    if (kind == OK)
        run(entry, worker, true);
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
    job_drop_left(room);
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
