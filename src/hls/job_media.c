/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a media process says of a segment's job. Threads: the hub's loop. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/hardware.h"
#include "hls/job.h"
#include "hls/open.h"

enum { RECIPE_BYTES = 1 << 20 }; /* of its own bytes; more stays in its memory file */

/* From the first extent to the last: the pieces of a copy follow each other in the film. */
static void read_pieces_ahead(const struct entry *entry, const struct media_piece *pieces,
                              size_t count)
{
    struct span span = {UINT64_MAX, 0};
    for (size_t i = 0; i < count; i++) {
        uint64_t end = pieces[i].offset + pieces[i].length;
        if (!pieces[i].is_source)
            continue;
        span.begin = pieces[i].offset < span.begin ? pieces[i].offset : span.begin;
        span.end = end > span.end ? end : span.end;
    }
    if (span.begin < span.end)
        job_read_ahead(entry, span);
}

static void on_pieces(void *ctx, const struct media_piece *pieces, size_t count, bool part_end)
{
    struct entry *entry = ctx;
    if (entry->room->film->plan->container == CONTAINER_MP4)
        read_pieces_ahead(entry, pieces, count);
    segment_append(entry->segment, pieces, count, part_end);
}

static void leave_worker(struct entry *entry)
{
    entry->worker->running--;
    entry->worker->used_ms = clock_mono_ms();
    entry->worker = NULL;
}

/* What the room's pictures cost this machine, every few segments: what others do in the process
 * meanwhile, sound and copies, is little. */
static void measure(struct entry *entry)
{
    enum { ENOUGH = 4 };
    struct worker *worker = entry->worker;
    if (!job_is_video_run(entry))
        return;
    worker->units += entry->units;
    if (++worker->done < ENOUGH)
        return;
    int64_t now_ms = media_cpu_ms(worker->media);
    if (!worker->is_spoiled && worker->cpu_ms > 0)
        admission_measured(worker->hls->admission, entry->room->id, worker->units,
                           (double) (now_ms - worker->cpu_ms) / 1000);
    worker->cpu_ms = now_ms;
    worker->units = 0;
    worker->done = 0;
    worker->is_spoiled = false;
}

/* Copies are the same bytes whoever makes them; an encoder's may differ from make to make, so each
 * make has a tag of its own. */
static void make_tag(const struct entry *entry, char tag[SEGMENT_TAG_SIZE])
{
    const struct film *film = entry->room->film;
    if (job_rendition(entry)->is_copy)
        snprintf(tag, SEGMENT_TAG_SIZE, "\"%s-%u\"", film->versions[entry->rendition], entry->n);
    else
        snprintf(tag, SEGMENT_TAG_SIZE, "\"%s-%u-%08x%08x\"", film->versions[entry->rendition],
                 entry->n, randombytes_random(), randombytes_random());
}

/* A recipe is a few kilobytes: they move to the heap, where its process does not reach them, and the
 * memory file goes with its last reader. NULL: it is kept as that file. */
static struct segment *to_recipe(struct entry *entry, uint64_t size, const char *tag)
{
    size_t got = 0;
    if (job_is_cached(entry) || size > RECIPE_BYTES)
        return NULL;
    uint8_t *bytes = mem_zalloc((size_t) size);
    if (fd_read_at(segment_fd(entry->segment), bytes, (size_t) size, 0, &got) != OK || got < size) {
        mem_free(bytes);
        return NULL;
    }
    segment_finish(entry->segment, tag);
    return segment_new_recipe(entry->segment, &bytes, (size_t) size);
}

/* True when the segment is its out file, from the first byte to the last: only that is stored. */
static bool is_plain(struct segment *segment, uint64_t size)
{
    struct media_piece piece;
    uint64_t at = 0;
    for (size_t i = 0; segment_pieces(segment, i, &piece, 1) == 1; i++) {
        if (piece.is_source || piece.offset != at)
            return false;
        at += piece.length;
    }
    return at == size;
}

static void count_made(struct entry *entry)
{
    struct room *room;
    atomic_fetch_add(&entry->room->hls->counters.made, 1);
    /* Others may have waited for this one. */
    TAILQ_FOREACH(room, &entry->room->hls->rooms, link)
    if (room->state == ROOM_READY && (room == entry->room || job_is_video_run(entry)))
        job_schedule(room);
}

void job_sealed(struct entry *entry, uint64_t size)
{
    char tag[SEGMENT_TAG_SIZE];
    make_tag(entry, tag);
    segment_finish(entry->segment, tag);
    struct segment *kept = segment_ref(entry->segment);
    job_hold(entry, &kept);
    if (job_is_cached(entry) && is_plain(entry->segment, size))
        job_store(entry);
    count_made(entry);
}

static void on_done(void *ctx, uint64_t size)
{
    struct entry *entry = ctx;
    char tag[SEGMENT_TAG_SIZE];
    measure(entry);
    leave_worker(entry);
    if (job_is_on_device(entry))
        hardware_worked(entry->room->hls->hardware);
    make_tag(entry, tag);
    struct segment *recipe = to_recipe(entry, size, tag);
    if (recipe == NULL) {
        job_seal(entry, size);
        return;
    }
    job_hold(entry, &recipe);
    count_made(entry);
}

static bool has_other(const struct plan *plan, uint32_t rendition)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (i != rendition && plan->renditions[i].kind == plan->renditions[rendition].kind &&
            (plan->renditions[i].kind == PLAN_VIDEO ||
             plan->renditions[i].track == plan->renditions[rendition].track))
            return true;
    return false;
}

static void take_out(struct plan *plan, uint32_t rendition)
{
    struct plan_rendition gone = plan->renditions[rendition];
    memmove(&plan->renditions[rendition], &plan->renditions[rendition + 1],
            (plan->rendition_count - rendition - 1) * sizeof gone);
    plan->renditions[--plan->rendition_count] = (struct plan_rendition){0};
    mem_free(gone.init);
}

/* The film's plan without a rendition; NULL when it does not hold then. */
static struct plan *plan_without(const struct film *film, uint32_t rendition,
                                 const struct why *reason)
{
    struct plan *plan = NULL;
    struct why why;
    if (!has_other(film->plan, rendition) ||
        plan_read(film->plan_bytes, film->plan_size, &plan, &why) != OK)
        return NULL;
    plan_drop_device(plan); /* it stands behind all others, and is not stored */
    struct plan_track *track = &plan->tracks[plan->renditions[rendition].track];
    snprintf(track->copy_refused, sizeof track->copy_refused, "%.190s", reason->text);
    bool is_picture = plan->renditions[rendition].kind == PLAN_VIDEO;
    take_out(plan, rendition);
    int keys = plan_find(plan, "iframes-video-copy"); /* they are of what turned out to be wrong */
    if (is_picture && keys >= 0)
        take_out(plan, (uint32_t) keys);
    uint8_t *bytes = NULL;
    size_t size = 0;
    plan_write(plan, &bytes, &size);
    plan_free(&plan);
    if (plan_read(bytes, size, &plan, &why) != OK)
        log_error("room.replan", log_str("file", film->id), log_str("why", why.text));
    mem_free(bytes);
    return plan;
}

/* Decision 12: what is played goes on, and who opens the film later finds no copy. Told once: each
 * segment that is made may say the same. */
static void on_verdict(void *ctx, const struct why *why)
{
    struct entry *entry = ctx;
    struct room *room = entry->room;
    if (room->is_old || !job_rendition(entry)->is_copy)
        return;
    struct plan *plan = plan_without(room->film, entry->rendition, why);
    if (plan == NULL)
        return;
    log_warning("room.copy_judged", log_str("file", room->id), log_int("n", entry->n),
                log_str("why", why->text));
    room_succeed(room, &plan);
}

bool job_give_up_copy(struct entry *entry)
{
    struct room *room = entry->room;
    struct why why = entry->lost_why;
    /* One picture to scrub by that is missing ends nothing: what is played from there may still be
     * right, and says so itself where it is not. */
    bool is_judged = job_rendition(entry)->is_copy && job_rendition(entry)->kind != PLAN_IFRAMES;
    struct plan *plan = is_judged ? plan_without(room->film, entry->rendition, &why) : NULL;
    if (plan == NULL) {
        job_mark_bad(entry, &why);
        return true;
    }
    log_warning("room.copy_given_up", log_str("file", room->id), log_int("n", entry->n),
                log_str("why", why.text));
    segment_fail(entry->segment, ERR_GONE, &why);
    segment_unref(&entry->segment);
    room_replan(room, &plan, &why);
    return false;
}

void job_make_again(struct entry *entry, const struct why *why)
{
    bool is_wanted = entry->askers > 0;
    struct segment *dead = entry->segment;
    entry->segment = NULL;
    job_move(entry, ENTRY_IDLE);
    /* Readers that sent nothing yet ask again; others have to break. */
    segment_fail(dead, ERR_AGAIN, why);
    segment_unref(&dead);
    if (is_wanted)
        job_want(entry, false);
}

void job_lost(struct entry *entry, const struct why *why)
{
    struct why said;
    entry->worker = NULL;
    if (++entry->deaths >= 2) {
        why_set(&said, ERR_BAD_MEDIA, NULL, "two media processes died of this segment: %s",
                why->text);
        if (job_is_on_device(entry)) /* perhaps it is not the film */
            job_device_off(entry->room, &said);
        else
            job_mark_bad(entry, &said);
        return;
    }
    job_make_again(entry, why);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct entry *entry = ctx;
    struct room *room = entry->room;
    struct worker *worker = entry->worker;
    worker->is_spoiled = true;
    leave_worker(entry);
    entry->lost_why = *why;
    if (kind == ERR_REFUSED && job_is_on_device(entry)) {
        job_device_failed(entry, worker, why);
        return;
    }
    switch (kind) {
    case ERR_GONE:
        /* The process died, or the source's parameters changed: its death would be told next. */
        entry->worker = worker;
        entry->lost_ms = clock_mono_ms();
        job_move(entry, ENTRY_LOST);
        break;
    case ERR_BAD_MEDIA:
        if (!job_give_up_copy(entry))
            return;
        break;
    case ERR_LIMIT:
        job_mark_bad(entry, why);
        break;
    case OK:
    case ERR_AGAIN:
    case ERR_NOT_FOUND:
    case ERR_BAD_INPUT:
    case ERR_REFUSED:
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
    case ERR_IO:
    case ERR_COUNT:
        job_fail(entry, kind == ERR_IO ? ERR_IO : ERR_BUSY, why);
        break;
    }
    job_schedule(room);
}

const struct media_job_events job_media_events = {
    .pieces = on_pieces, .verdict = on_verdict, .done = on_done, .failed = on_failed};
