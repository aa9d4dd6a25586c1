/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The media processes of rooms. Life of a worker: worker_get -> jobs -> worker_let_go | died.
 * Threads: the hub's loop. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/wants.h"

/* The first that it was making. */
static struct entry *entry_of(const struct room *room, const struct worker *worker)
{
    struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->worker == worker && (entry->state == ENTRY_LOST || entry->state == ENTRY_RUNNING))
        return entry;
    return NULL;
}

static void on_died(void *ctx, const struct why *why)
{
    struct worker *worker = ctx;
    struct room *room = worker->room;
    struct hls *hls = worker->hls;
    worker->media = NULL;
    wants_free(&worker->wants);
    atomic_fetch_sub(&hls->counters.processes, 1);
    atomic_fetch_add(&hls->counters.deaths, 1);
    if (room == NULL)
        return; /* let go: the posted end frees it */
    room->deaths++;
    if (worker->is_solo)
        room->solo = NULL;
    else
        room->worker = NULL;
    for (struct entry *entry; (entry = entry_of(room, worker)) != NULL;)
        job_lost(entry, why);
    mem_free(worker);
    job_schedule(room);
}

static const struct media_events events = {.died = on_died};

static bool is_awaited(void *ctx, uint64_t job)
{
    const struct worker *worker = ctx;
    return worker->room != NULL && job_is_awaited(worker, job);
}

static enum err open_media(struct worker *worker, struct why *why)
{
    enum { DEATHS_BEFORE_EXEC = 2 }; /* decision 19 */
    const struct film *film = worker->room->film;
    enum err kind =
        media_open(worker->hls->host, source_fd(film->source), source_map_fd(film->source),
                   source_size(film->source), film->plan_bytes, film->plan_size, film->id,
                   worker->room->deaths >= DEATHS_BEFORE_EXEC, &events, worker, &worker->media);
    if (kind == OK) {
        atomic_fetch_add(&worker->hls->counters.processes, 1);
        worker->wants = wants_new(film->source, worker->media, worker->hls->mailbox);
        wants_ask(worker->wants, is_awaited, worker);
    } else if (kind == ERR_BUSY) {
        why_set(why, kind, NULL,
                media_host_is_alive(worker->hls->host)
                    ? "as many films are being prepared as this server allows"
                    : "the media process is being started again");
    } else {
        why_set(why, kind, NULL, "no media process can be started");
    }
    return kind;
}

enum err worker_get(struct room *room, bool is_solo, bool is_awaited, struct worker **out,
                    struct why *why)
{
    struct worker **slot = is_solo ? &room->solo : &room->worker;
    if (*slot != NULL) {
        *out = *slot;
        return OK;
    }
    struct worker *worker = mem_new(struct worker);
    worker->room = room;
    worker->hls = room->hls;
    worker->is_solo = is_solo;
    worker->used_ms = clock_mono_ms();
    enum err kind = open_media(worker, why);
    if (kind == ERR_BUSY && worker_end_one(room->hls, room, is_awaited))
        kind = open_media(worker, why);
    if (kind != OK) {
        mem_free(worker);
        return kind == ERR_BUSY ? ERR_BUSY : ERR_IO;
    }
    *out = *slot = worker;
    return OK;
}

static void end(void *arg)
{
    struct worker *worker = arg;
    if (worker->media != NULL) {
        wants_free(&worker->wants);
        media_close(&worker->media);
        atomic_fetch_sub(&worker->hls->counters.processes, 1);
    }
    mem_free(worker);
}

/* Posted, since it may be called from inside a callback of the process. */
void worker_let_go(struct worker **worker)
{
    struct worker *gone = *worker;
    *worker = NULL;
    if (gone == NULL)
        return;
    gone->room = NULL;
    mailbox_post(gone->hls->mailbox, end, gone);
}

static bool end_idlest(struct hls *hls, const struct room *but)
{
    struct room *room;
    struct room *idlest = NULL;
    TAILQ_FOREACH(room, &hls->rooms, link)
    {
        bool is_idle = room != but && room->worker != NULL && room->worker->running == 0;
        if (is_idle && (idlest == NULL || room->worker->used_ms < idlest->worker->used_ms))
            idlest = room;
    }
    if (idlest == NULL)
        return false;
    /* Nothing of it runs, so this is no call from inside one of its callbacks. */
    log_info("media.idle_ended", log_str("file", idlest->id));
    struct worker *worker = idlest->worker;
    idlest->worker = NULL;
    worker->room = NULL;
    end(worker);
    return true;
}

/* Somebody waits for what it makes. */
static bool is_room_awaited(const struct room *room)
{
    const struct entry *entry;
    TAILQ_FOREACH(entry, &room->active, link)
    if (entry->askers > 0)
        return true;
    return false;
}

/* What is made ahead of its viewer is made later. */
static bool end_unawaited(struct hls *hls, const struct room *but)
{
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (room != but && room->worker != NULL && !is_room_awaited(room))
        break;
    if (room == NULL)
        return false;
    job_cancel_all(room);
    room->is_robbed = true;
    MUST(room->worker->running == 0);
    return end_idlest(hls, but);
}

bool worker_end_one(struct hls *hls, const struct room *but, bool is_awaited)
{
    return intros_end_one(hls) || storyboards_end_one(hls) || probe_end_scan(hls) ||
           end_idlest(hls, but) || room_end_sleeper(hls) || (is_awaited && end_unawaited(hls, but));
}
