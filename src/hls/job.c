/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments of a room, from the first wish to being forgotten. A segment is made once however many
 * ask. Threads: the hub's loop. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/job.h"
#include "hls/wants.h"

#define ENTRY_NAME(name, text) text,
static const char *const state_names[] = {ENTRY_STATES(ENTRY_NAME)};
#undef ENTRY_NAME

enum {
    LEFT_MS = 10000,      /* a client that left may come back (player.md 4) */
    JUDGE_MS = 300,       /* a GONE that no death followed is the plan's (decision 12) */
    HELD_BYTES = 48 << 20 /* finished segments in memory: recipes, and what has no cache */
};

const struct plan_rendition *job_rendition(const struct entry *entry)
{
    return &entry->room->film->plan->renditions[entry->rendition];
}

bool job_is_cached(const struct entry *entry)
{
    const struct plan_rendition *rendition = job_rendition(entry);
    return !rendition->is_copy && !plan_is_subtitle(rendition->kind);
}

bool job_is_video_run(const struct entry *entry)
{
    return job_is_cached(entry) && job_rendition(entry)->kind == PLAN_VIDEO;
}

struct entry *job_entry(struct room *room, uint32_t rendition, uint32_t n)
{
    uint32_t count = plan_segment_count(room->film->plan, rendition) +
                     plan_is_on_device(&room->film->plan->renditions[rendition]);
    MUST(n < count);
    if (room->slots[rendition] == NULL)
        room->slots[rendition] = mem_new_array(struct entry *, count);
    struct entry **slot = &room->slots[rendition][n];
    if (*slot == NULL) {
        *slot = mem_new(struct entry);
        (*slot)->room = room;
        (*slot)->rendition = rendition;
        (*slot)->n = n;
    }
    return *slot;
}

/* --- states --- */

bool job_is_active(enum entry_state state)
{
    return state != ENTRY_IDLE && state != ENTRY_DONE;
}

void job_move(struct entry *entry, enum entry_state to)
{
    struct room *room = entry->room;
    log_debug("entry", log_str("file", room->id), log_str("rendition", job_rendition(entry)->name),
              log_int("n", entry->n), log_str("from", state_names[entry->state]),
              log_str("to", state_names[to]));
    if (job_is_active(entry->state) && !job_is_active(to))
        TAILQ_REMOVE(&room->active, entry, link);
    if (entry->state == ENTRY_DONE) {
        TAILQ_REMOVE(&room->hls->held, entry, link);
        room->hls->held_bytes -= entry->held_bytes;
    }
    if (!job_is_active(entry->state) && job_is_active(to))
        TAILQ_INSERT_TAIL(&room->active, entry, link);
    if (to == ENTRY_DONE)
        TAILQ_INSERT_TAIL(&room->hls->held, entry, link);
    entry->state = to;
}

static void become_idle(struct entry *entry)
{
    job_move(entry, ENTRY_IDLE);
    segment_unref(&entry->segment);
    entry->worker = NULL;
    entry->wish = 0;
}

void job_hold(struct entry *entry, struct segment **segment)
{
    enum { OPEN_FILE_COST = 64 << 10 }; /* an fd counts as much, so that they stay few */
    struct hls *hls = entry->room->hls;
    struct segment *held = *segment;
    *segment = NULL;
    if (entry->state == ENTRY_DONE)
        become_idle(entry);
    segment_unref(&entry->segment);
    entry->segment = held;
    entry->held_bytes =
        segment_memory(held) + (segment_fd(held) >= 0 ? (uint64_t) OPEN_FILE_COST : 0);
    entry->worker = NULL;
    job_move(entry, ENTRY_DONE);
    hls->held_bytes += entry->held_bytes;
    while (hls->held_bytes > HELD_BYTES && TAILQ_FIRST(&hls->held) != entry)
        become_idle(TAILQ_FIRST(&hls->held));
}

void job_fail(struct entry *entry, enum err kind, const struct why *why)
{
    atomic_fetch_add(&entry->room->hls->counters.failed, 1);
    log_warning("segment.failed", log_str("file", entry->room->id),
                log_str("rendition", job_rendition(entry)->name), log_int("n", entry->n),
                log_err(kind), log_str("why", why->text));
    if (entry->segment != NULL)
        segment_fail(entry->segment, kind, why);
    become_idle(entry);
    room_answer_entry(entry->room, entry, kind, why);
}

/* --- bad marks --- */

static bool is_same_place(const struct bad *bad, const struct entry *entry)
{
    const struct film_key *key = &entry->room->film->keys[entry->rendition];
    return bad->n == entry->n && memcmp(&bad->key, key, sizeof bad->key) == 0;
}

const struct bad *job_bad(const struct entry *entry)
{
    const struct hls *hls = entry->room->hls;
    for (size_t i = 0; i < hls->bad_count; i++)
        if (is_same_place(&hls->bads[i], entry))
            return &hls->bads[i];
    return NULL;
}

void job_mark_bad(struct entry *entry, const struct why *why)
{
    enum { MOST_BADS = 4096 }; /* then the oldest is tried again */
    struct hls *hls = entry->room->hls;
    if (hls->bad_count == MOST_BADS)
        hls->bads[0] = hls->bads[--hls->bad_count];
    mem_grow(hls->bads, hls->bad_count, hls->bad_room);
    struct bad *bad = &hls->bads[hls->bad_count++];
    *bad =
        (struct bad){.key = entry->room->film->keys[entry->rendition], .n = entry->n, .why = *why};
    job_fail(entry, ERR_BAD_MEDIA, why);
}

/* --- wanting --- */

void job_queue(struct entry *entry)
{
    struct why why;
    CLEANUP(fd_close) int out = -1;
    if (fd_memory("matinee-segment", &out) != OK) {
        why_set(&why, ERR_BUSY, NULL, "too many files are open");
        job_fail(entry, ERR_BUSY, &why);
        return;
    }
    segment_unref(&entry->segment);
    entry->segment = segment_new(&out);
    job_move(entry, ENTRY_QUEUED);
    room_answer_entry(entry->room, entry, OK, NULL);
    job_schedule(entry->room);
}

void job_key(const struct entry *entry, struct cache_key *out)
{
    *out = (struct cache_key){0};
    job_hash_key(&entry->room->film->keys[entry->rendition], entry->n, out);
}

void job_looked(struct room *room, uint32_t rendition, uint32_t n, struct segment **found)
{
    struct entry *entry = job_entry(room, rendition, n);
    if (entry->state != ENTRY_LOOKING)
        return;
    if (*found != NULL) {
        atomic_fetch_add(&room->hls->counters.cache_hits, 1);
        job_hold(entry, found);
        room_answer_entry(room, entry, OK, NULL);
    } else if (entry->askers > 0) {
        job_queue(entry);
    } else {
        become_idle(entry);
        room_answer_entry(room, entry, OK, NULL);
    }
}

static bool look_up(struct entry *entry)
{
    struct cache_key key;
    if (!job_is_cached(entry))
        return false;
    job_key(entry, &key);
    if (!cache_has(entry->room->hls->cache, &key) || !job_start_lookup(entry, &key))
        return false;
    job_move(entry, ENTRY_LOOKING);
    return true;
}

/* Whether somebody waits for it has changed. */
static void tell_wants(const struct entry *entry)
{
    if (entry->state == ENTRY_RUNNING && entry->worker != NULL)
        wants_asked_again(entry->worker->wants, entry->job);
}

static void use_again(struct entry *entry)
{
    TAILQ_REMOVE(&entry->room->hls->held, entry, link);
    TAILQ_INSERT_TAIL(&entry->room->hls->held, entry, link);
}

void job_want(struct entry *entry, bool is_ahead)
{
    if (is_ahead) {
        entry->left_ms = clock_mono_ms();
    } else {
        entry->wish = ++entry->room->hls->wishes;
        entry->room->is_robbed = false;
    }
    switch (entry->state) {
    case ENTRY_IDLE:
        if (!look_up(entry))
            job_queue(entry);
        return;
    case ENTRY_DONE:
        use_again(entry);
        break;
    case ENTRY_LOOKING:
    case ENTRY_QUEUED:
    case ENTRY_RUNNING:
    case ENTRY_LOST:
    case ENTRY_SEALING:
        atomic_fetch_add(&entry->room->hls->counters.joined, 1);
        tell_wants(entry);
        break;
    }
    job_schedule(entry->room);
}

bool job_is_stored(const struct entry *entry)
{
    struct cache_key key;
    if (!job_is_cached(entry))
        return false;
    job_key(entry, &key);
    return cache_has(entry->room->hls->cache, &key);
}

bool job_is_there(const struct entry *entry)
{
    return entry->state != ENTRY_IDLE || job_is_stored(entry);
}

bool job_peek(struct entry *entry)
{
    if (entry->state == ENTRY_IDLE)
        return look_up(entry);
    return entry->state == ENTRY_DONE || entry->state == ENTRY_LOOKING;
}

void job_left(struct entry *entry)
{
    entry->left_ms = clock_mono_ms();
    entry->wish = 0;
    tell_wants(entry);
    job_schedule(entry->room);
}

bool job_is_awaited(const struct worker *worker, uint64_t job)
{
    const struct entry *entry;
    TAILQ_FOREACH(entry, &worker->room->active, link)
    if (entry->state == ENTRY_RUNNING && entry->worker == worker && entry->job == job &&
        entry->askers > 0)
        return true;
    job_schedule(worker->room); /* it may be for nobody at all */
    return false;
}

/* --- ends and time --- */

void job_stop(struct entry *entry, enum err kind, const struct why *why)
{
    if (entry->state == ENTRY_RUNNING && entry->worker != NULL && entry->worker->media != NULL) {
        media_cancel(entry->worker->media, entry->job);
        entry->worker->running--;
        entry->worker->is_spoiled = true;
    }
    if (entry->segment != NULL)
        segment_fail(entry->segment, kind, why);
    become_idle(entry);
}

void job_cancel(struct entry *entry)
{
    struct why why;
    job_stop(entry, why_set(&why, ERR_CANCELLED, NULL, "nobody waits for it"), &why);
}

void job_cancel_all(struct room *room)
{
    struct entry *entry;
    struct entry *next;
    for (entry = TAILQ_FIRST(&room->active); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry->state == ENTRY_RUNNING || entry->state == ENTRY_QUEUED)
            job_cancel(entry);
    }
}

/* It cannot go on before bytes come; what is not begun yet would have to be brought for nobody. */
static bool is_asleep(const struct entry *entry)
{
    const struct source *source = entry->room->film->source;
    if (entry->state == ENTRY_QUEUED)
        return !source_has(source, 0, source_size(source));
    return entry->state == ENTRY_RUNNING && entry->worker != NULL &&
           wants_sleeps(entry->worker->wants, entry->job);
}

void job_drop_left(struct room *room)
{
    struct entry *entry;
    struct entry *next;
    int64_t now_ms = clock_mono_ms();
    for (entry = TAILQ_FIRST(&room->active); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry->askers == 0 && is_asleep(entry) && !job_is_watched(room, entry, now_ms))
            job_cancel(entry);
    }
}

static bool tick_entry(struct entry *entry, int64_t now_ms)
{
    if (entry->state == ENTRY_LOST && now_ms - entry->lost_ms > JUDGE_MS)
        return job_give_up_copy(entry);
    bool is_left = (entry->state == ENTRY_RUNNING || entry->state == ENTRY_QUEUED) &&
                   entry->askers == 0 && now_ms - entry->left_ms > LEFT_MS;
    if (is_left && !job_is_watched(entry->room, entry, now_ms))
        job_cancel(entry);
    return true;
}

static void drop_viewers(struct room *room, int64_t now_ms)
{
    for (size_t i = 0; i < room->viewer_count;) {
        if (now_ms - room->viewers[i].seen_ms >= JOB_VIEWER_MS)
            room->viewers[i] = room->viewers[--room->viewer_count];
        else
            i++;
    }
}

void job_tick(struct room *room, int64_t now_ms)
{
    struct entry *entry;
    struct entry *next;
    drop_viewers(room, now_ms);
    job_drop_left(room);
    if (room->viewer_count > 0)
        job_schedule(room);
    for (entry = TAILQ_FIRST(&room->active); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (!tick_entry(entry, now_ms))
            return;
    }
    if (room->worker != NULL && room->worker->running == 0 &&
        now_ms - room->worker->used_ms > room->hls->options.idle_ms)
        worker_let_go(&room->worker);
}

void job_forget_all(struct room *room, enum err kind, const struct why *why)
{
    if (room->slots == NULL)
        return;
    for (uint32_t r = 0; r < room->film->plan->rendition_count; r++) {
        uint32_t count = plan_segment_count(room->film->plan, r) +
                         plan_is_on_device(&room->film->plan->renditions[r]);
        for (uint32_t n = 0; room->slots[r] != NULL && n < count; n++) {
            struct entry *entry = room->slots[r][n];
            if (entry == NULL)
                continue;
            if (job_is_active(entry->state))
                job_stop(entry, kind, why);
            else
                become_idle(entry);
            mem_free(entry);
        }
        mem_free(room->slots[r]);
    }
    mem_free(room->slots);
    room->slots = NULL;
}
