/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rooms: films that are open, and the asks that look at them. Threads: the hub's loop, but what is
 * marked as pool work. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/ask_private.h"
#include "hls/hardware.h"
#include "hls/hub.h"
#include "hls/open.h"

/* The room of those who open the film now. */
static struct room *find_room(struct hls *hls, const char *id)
{
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (strcmp(room->id, id) == 0 && !room->is_old)
        return room;
    return NULL;
}

/* Whether it is this room's plan whose version the ask holds. */
static bool is_holder(const struct room *room, const struct ask *ask)
{
    if (room->state != ROOM_READY || strcmp(room->id, ask->file) != 0)
        return false;
    int rendition = film_find(room->film, slice_of(ask->rendition));
    return rendition >= 0 &&
           film_is_version(room->film, (uint32_t) rendition, slice_of(ask->version));
}

/* The room that has the same plan of the same film open. */
static struct room *find_room_of(struct hls *hls, const struct film *film)
{
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (room->state == ROOM_READY && strcmp(room->id, film->id) == 0 &&
        strcmp(room->film->versions[0], film->versions[0]) == 0)
        return room;
    return NULL;
}

/* NULL: the room of those who open it now is the one to ask, perhaps in vain. */
static struct room *find_old_room(struct hls *hls, const struct ask *ask)
{
    struct room *room;
    if (!ask->has_rendition || !ask->has_version)
        return NULL;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (room->is_old && is_holder(room, ask))
        return room;
    return NULL;
}

struct room *room_by_serial(struct hls *hls, uint64_t serial)
{
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (room->serial == serial)
        return room;
    return NULL;
}

static struct room *room_new(struct hls *hls, const char *id)
{
    struct room *room = mem_new(struct room);
    room->hls = hls;
    room->serial = ++hls->serial;
    memcpy(room->id, id, strlen(id) + 1);
    room->used_ms = clock_mono_ms();
    TAILQ_INIT(&room->active);
    TAILQ_INSERT_TAIL(&hls->rooms, room, link);
    atomic_fetch_add(&hls->counters.rooms, 1);
    return room;
}

void room_end(struct room *room, enum err kind, const struct why *why)
{
    struct hls *hls = room->hls;
    log_info("room.end", log_str("file", room->id), log_err(kind),
             log_str("why", why != NULL ? why->text : ""));
    TAILQ_REMOVE(&hls->rooms, room, link);
    atomic_fetch_sub(&hls->counters.rooms, 1);
    for (size_t i = 0; i < room->ask_count; i++) {
        struct ask *ask = room->asks[i];
        if (!ask->is_answered)
            ask_reply_failure(ask, kind, why);
        ask->room = NULL;
        ask->entry = NULL;
    }
    job_forget_all(room, kind != OK ? kind : ERR_CANCELLED, why);
    worker_let_go(&room->worker);
    worker_let_go(&room->solo);
    planner_stop(&room->planner);
    beside_unref(&room->beside);
    if (room->film != NULL)
        shelf_remove(hls->shelf, room->film);
    film_unref(&room->film);
    mem_free(room->asks);
    mem_free(room->viewers);
    mem_free(room);
}

/* --- asks of a film that is ready --- */

static void reply_film(struct ask *ask, int rendition)
{
    ask->is_held = false;
    ask_reply(ask,
              &(struct ask_answer){.kind = OK, .film = ask->room->film, .rendition = rendition});
}

static void reply_segment(struct ask *ask)
{
    ask_reply(ask, &(struct ask_answer){.kind = OK,
                                        .film = ask->room->film,
                                        .rendition = (int) ask->entry->rendition,
                                        .segment = ask->entry->segment});
}

static enum plan_kind kind_of(const struct ask *ask)
{
    return ask->room->film->plan->renditions[ask->entry->rendition].kind;
}

/* It waits for nothing any more. */
static void give_up_entry(struct ask *ask)
{
    struct entry *entry = ask->entry;
    ask->entry = NULL;
    MUST(entry->askers > 0);
    if (--entry->askers == 0)
        job_left(entry);
}

/* Whether its kind takes one of a playback's two places (decision 41). */
static bool takes_a_place(const struct ask *ask)
{
    return !plan_is_subtitle(kind_of(ask)) && kind_of(ask) != PLAN_IFRAMES;
}

static void displace(struct ask *ask)
{
    struct why why;
    ask->is_held = false;
    ask_reply_failure(
        ask, why_set(&why, ERR_BUSY, NULL, "a newer request of this playback took the place"),
        &why);
    give_up_entry(ask); /* now, and not when its client has heard of it */
}

/* Whether who asks for `to` has left `from`: in one rendition, he reads neither it nor what follows. */
static bool is_elsewhere(const struct entry *from, const struct entry *to)
{
    const uint32_t together = 2; /* some players fetch the next one beside it */
    return from->rendition == to->rendition && (to->n < from->n || to->n > from->n + together);
}

/* Whether it is of those that a newer one of its playback moves out of the way. */
static bool gives_way(const struct ask *ask)
{
    return ask->kind == ASK_SEGMENT && ask->entry != NULL && ask->playback[0] != '\0' &&
           !job_is_init(ask->entry);
}

/* Whether the newer one moves it out of the way: out of a place that is but one, or out of one that their
 * playback has left. */
static bool is_displaced_by(const struct ask *ask, const struct ask *newer)
{
    if (!gives_way(ask) || ask->turn >= newer->turn || strcmp(ask->playback, newer->playback) != 0)
        return false;
    return ask->is_held ? takes_a_place(ask) && kind_of(ask) == kind_of(newer)
                        : is_elsewhere(ask->entry, newer->entry);
}

/* Decision 41: of each playback one of video and one of audio is held; the newest wins. And what is still
 * being sent from where it was before a seek: its client may take seconds to be known to have left, and
 * what sleeps for it would bring bytes for nobody. Of two that came in one moment nobody knows which one
 * its client made first, each on a connection of its own: a seek leaves one of them, and that is known
 * soon. settle_places looks again. */
static void displace_older(struct room *room, const struct ask *newest, int64_t now_ms)
{
    const int64_t moment_ms = 300;
    for (size_t i = 0; i < room->ask_count && gives_way(newest); i++) {
        struct ask *ask = room->asks[i];
        if (!is_displaced_by(ask, newest))
            continue;
        if (now_ms - ask->heard_ms < moment_ms)
            room->is_unsettled = true;
        else if (ask->is_held)
            displace(ask);
        else
            give_up_entry(ask);
    }
}

static void settle_places(struct room *room, int64_t now_ms)
{
    const int64_t recent_ms = 2000; /* more than from one look to the next, and a moment */
    if (!room->is_unsettled)
        return;
    room->is_unsettled = false;
    for (size_t i = 0; i < room->ask_count; i++)
        if (now_ms - room->asks[i]->heard_ms < recent_ms)
            displace_older(room, room->asks[i], now_ms);
}

/* Anonymous viewers of a rendition share one place. */
static void note_viewer(struct room *room, const struct ask *ask)
{
    enum plan_kind kind = kind_of(ask);
    struct viewer *at = NULL;
    for (size_t i = 0; i < room->viewer_count && at == NULL; i++) {
        struct viewer *viewer = &room->viewers[i];
        bool is_same = ask->playback[0] != '\0' || viewer->rendition == ask->entry->rendition;
        if (viewer->kind == kind && is_same && strcmp(viewer->playback, ask->playback) == 0)
            at = viewer;
    }
    if (at == NULL) {
        mem_grow(room->viewers, room->viewer_count, room->viewer_room);
        at = &room->viewers[room->viewer_count++];
        *at = (struct viewer){.kind = kind};
        memcpy(at->playback, ask->playback, sizeof at->playback);
    }
    at->rendition = ask->entry->rendition;
    at->n = ask->entry->n;
    at->seen_ms = clock_mono_ms();
}

/* Whether the machine can make this and what follows for him, beside all that it has promised. What is
 * there already, or under way for somebody else, is his for the asking. */
static enum err admit(const struct room *room, const struct ask *ask, struct why *why)
{
    const struct entry *entry = ask->entry;
    const struct plan *plan = room->film->plan;
    const struct plan_rendition *rendition = &plan->renditions[entry->rendition];
    if (!job_is_video_run(entry) || job_is_init(entry))
        return OK;
    const struct admission_viewer viewer = {
        .playback = ask->playback,
        .film = room->id,
        .plan = plan,
        .is_device_off = !film_has_device(room->film) || plan_burnt(rendition) > 0 ||
                         plan_device_twin(plan, entry->rendition) >= 0,
        .device_speed = room->film->device.plan.speed,
        .position_ms = plan_segment_start(plan, entry->rendition, entry->n) * 1000 /
                       (int64_t) rendition->timescale};
    return admission_enter(room->hls->admission, &viewer, entry->rendition, clock_mono_ms(), why);
}

static void hear_segment(struct room *room, struct ask *ask)
{
    struct why why;
    if (ask->kind == ASK_PEEK) {
        if (!job_peek(ask->entry) || ask->entry->segment != NULL)
            reply_segment(ask);
        return;
    }
    enum err admitted = admit(room, ask, &why);
    if (admitted != OK && !job_is_there(ask->entry)) {
        ask->entry = NULL;
        ask_reply_failure(ask, admitted, &why);
        return;
    }
    ask->entry->askers++;
    ask->is_held = true;
    displace_older(room, ask, clock_mono_ms());
    if (admitted == OK && !job_is_init(ask->entry))
        note_viewer(room, ask);
    atomic_fetch_add(&room->hls->counters.asks, 1);
    room->hls->asked_ms = clock_mono_ms();
    job_want(ask->entry, false);
    if (ask->entry != NULL && ask->entry->segment != NULL && !ask->is_answered)
        reply_segment(ask);
}

static void leave(struct room *room, const struct ask *ask)
{
    for (size_t i = 0; i < room->ask_count; i++) {
        if (room->asks[i] != ask)
            continue;
        room->asks[i] = room->asks[--room->ask_count];
        return;
    }
}

static void enter(struct room *room, struct ask *ask)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(room->asks, room->ask_count, room->ask_room);
    room->asks[room->ask_count++] = ask;
    ask->room = room;
}

static bool hear(struct room *room, struct ask *ask);

/* It came while the film was being opened, and holds the plan before. */
static bool goes_elsewhere(struct room *room, struct ask *ask)
{
    struct room *old = find_old_room(room->hls, ask);
    if (old == NULL || old == room)
        return false;
    leave(room, ask);
    enter(old, ask);
    (void) hear(old, ask);
    return true;
}

/* Decision 2: a version that is not there any more is gone, its rendition perhaps with it. */
static void hear_rendition(struct room *room, struct ask *ask)
{
    struct why why = {0};
    if (goes_elsewhere(room, ask))
        return;
    int rendition = film_find(room->film, slice_of(ask->rendition));
    if (rendition < 0 && !ask->has_version) {
        why_set(&why, ERR_NOT_FOUND, NULL, "the film has no such rendition");
        ask_reply_failure(ask, ERR_NOT_FOUND, &why);
        return;
    }
    struct slice version = ask->has_version ? slice_of(ask->version) : (struct slice){0};
    if (rendition < 0 || !film_is_version(room->film, (uint32_t) rendition, version)) {
        why_set(&why, ERR_GONE, "v", "the film has another version now: load it again");
        ask_reply_failure(ask, ERR_GONE, &why);
        return;
    }
    if (ask->kind == ASK_FILM) {
        reply_film(ask, rendition);
        return;
    }
    uint32_t count = plan_segment_count(room->film->plan, (uint32_t) rendition);
    bool is_init =
        ask->n == ASK_INIT && plan_is_on_device(&room->film->plan->renditions[rendition]);
    if (ask->n >= count && !is_init) {
        why_set(&why, ERR_NOT_FOUND, NULL, "the rendition has no such segment");
        ask_reply_failure(ask, ERR_NOT_FOUND, &why);
        return;
    }
    struct entry *entry = job_entry(room, (uint32_t) rendition, is_init ? count : ask->n);
    const struct bad *bad = job_bad(entry);
    if (bad != NULL) {
        ask_reply_failure(ask, ERR_BAD_MEDIA, &bad->why);
        return;
    }
    ask->entry = entry;
    hear_segment(room, ask);
}

/* False: the room is no more. */
static bool hear(struct room *room, struct ask *ask)
{
    struct why why;
    room->used_ms = clock_mono_ms();
    if (room->state != ROOM_READY)
        return true;
    if (!source_is_unchanged(room->film->source)) {
        enum err kind = why_set(&why, ERR_GONE, NULL, "the file changed while it was open");
        room_end(room, kind, &why);
        return false;
    }
    if (ask->has_rendition)
        hear_rendition(room, ask);
    else
        reply_film(ask, ASK_NO_RENDITION);
    return true;
}

void room_answer_entry(struct room *room, struct entry *entry, enum err kind, const struct why *why)
{
    for (size_t i = 0; i < room->ask_count; i++) {
        struct ask *ask = room->asks[i];
        if (ask->entry != entry || ask->is_answered)
            continue;
        if (kind == OK)
            reply_segment(ask);
        else
            ask_reply_failure(ask, kind, why);
    }
}

/* --- opening --- */

static void warm_now(struct room *room);

static void become_ready(struct room *room, struct film *film)
{
    if (room->beside != NULL)
        film_set_beside(film, &room->beside);
    room->film = film;
    room->state = ROOM_READY;
    room->slots = mem_new_array(struct entry **, film->plan->rendition_count);
    shelf_put(room->hls->shelf, film, room->is_old);
    if (!room->is_old) {
        storyboards_want(room->hls, film);
        intros_want(room->hls, film->id);
    }
    for (size_t i = 0; i < room->ask_count;) {
        struct ask *ask = room->asks[i];
        if (!ask->is_answered && !hear(room, ask))
            return;
        i += i < room->ask_count && room->asks[i] == ask ? 1 : 0; /* it may have gone elsewhere */
    }
    if (room->is_warm)
        warm_now(room);
}

/* True: a plan was stored while this one was read or made, and is better than none or this. */
static bool opens_again(struct room *room, const struct plan *plan)
{
    if (!room->is_replanned || (plan != NULL && !plan->wants_scan))
        return false;
    room->is_replanned = false;
    open_start(room);
    return true;
}

static void say_failed(const struct room *room, enum err kind, const struct why *why)
{
    const struct hls_library *library = &room->hls->library;
    bool may_pass = kind == ERR_BUSY || kind == ERR_CANCELLED || kind == ERR_AGAIN;
    if (!may_pass && library->failed != NULL)
        library->failed(library->ctx, room->id, why);
}

/* With what a device of this machine makes of it. */
static struct film *new_film(const struct room *room, struct source **source, struct plan **plan,
                             uint8_t **bytes, size_t size)
{
    struct film_device device;
    struct film *film =
        film_new(room->id, source, plan, bytes, size, media_host_engine(room->hls->host));
    if (hardware_for(room->hls->hardware, room->id, &device))
        film_add_device(film, &device);
    return film;
}

static void on_planned(void *ctx, enum err kind, const struct why *why, struct plan **plan,
                       uint8_t **bytes, size_t size)
{
    struct room *room = ctx;
    CLEANUP(source_unref) struct source *source = open_take_source(room->planner);
    planner_stop(&room->planner);
    if (opens_again(room, kind == OK ? *plan : NULL))
        return;
    if (kind != OK) {
        say_failed(room, kind, why);
        room_end(room, kind, why);
        return;
    }
    open_keep_plan(room->hls, room->id, source_identity(source), *bytes, size);
    become_ready(room, new_film(room, &source, plan, bytes, size));
}

static void on_plan_progress(void *ctx, double fraction)
{
    const struct room *room = ctx;
    const struct hls_library *library = &room->hls->library;
    if (library->progress != NULL)
        library->progress(library->ctx, room->id, fraction);
}

/* A HEAD starts nothing, a plan least of all. */
static bool has_only_peeks(const struct room *room)
{
    for (size_t i = 0; i < room->ask_count; i++)
        if (room->asks[i]->kind != ASK_PEEK)
            return false;
    return !room->is_warm && room->ask_count > 0;
}

static struct film *film_of(const struct room *room, struct source **source,
                            struct stored_plan *stored)
{
    return new_film(room, source, &stored->plan, &stored->bytes, stored->size);
}

/* For those who still hold the plan before (decision 11). */
static void open_old_room(const struct room *room, struct opening *opening)
{
    struct hls *hls = room->hls;
    struct source *source = source_ref(opening->source);
    struct film *film = film_of(room, &source, &opening->first);
    struct room *old = find_room_of(hls, film);
    if (old != NULL) {
        film_unref(&film);
        return;
    }
    old = room_new(hls, room->id);
    old->is_old = true;
    old->beside = room->beside != NULL ? beside_ref(room->beside) : NULL;
    become_ready(old, film);
}

void room_opened(struct room *room, struct opening *opening)
{
    struct why why;
    if (opening->kind != OK) {
        room_end(room, opening->kind, &opening->why);
        return;
    }
    if (opens_again(room, opening->plan.plan))
        return;
    beside_unref(&room->beside); /* from an opening before */
    room->beside = opening->beside;
    opening->beside = NULL;
    if (opening->first.plan != NULL)
        open_old_room(room, opening);
    if (opening->plan.plan != NULL) {
        become_ready(room, film_of(room, &opening->source, &opening->plan));
        return;
    }
    if (has_only_peeks(room)) {
        enum err kind = why_set(&why, ERR_BUSY, NULL, "the film was not looked at yet");
        room_end(room, kind, &why);
        return;
    }
    /* At once: that a film is read through for its index is the library's to ask for. */
    const struct planner_job job = {.done = on_planned, .progress = on_plan_progress, .ctx = room};
    room->planner = planner_start(room->hls, opening->source, room->id, &job);
}

static struct room *get_room(struct hls *hls, const char *id)
{
    struct room *room = find_room(hls, id);
    if (room != NULL)
        return room;
    room = room_new(hls, id);
    open_start(room);
    return room;
}

void room_ask(struct ask *ask)
{
    struct hls *hls = ask->hls;
    struct why why;
    if (ask->is_wrong) {
        why_set(&why, ERR_NOT_FOUND, NULL, "there is no such file or rendition");
        ask_reply_failure(ask, ERR_NOT_FOUND, &why);
        return;
    }
    if (hls->is_stopping) {
        why_set(&why, ERR_BUSY, NULL, "the server is stopping");
        ask_reply_failure(ask, ERR_BUSY, &why);
        return;
    }
    if (ask->kind == ASK_SOURCE) {
        open_for_ask(ask);
        return;
    }
    struct room *room = find_old_room(hls, ask);
    if (room == NULL)
        room = get_room(hls, ask->file);
    enter(room, ask);
    ask->turn = ++hls->serial;
    ask->heard_ms = clock_mono_ms();
    hear(room, ask);
}

void room_ask_closed(struct ask *ask)
{
    struct room *room = ask->room;
    if (room == NULL)
        return;
    leave(room, ask);
    room->used_ms = clock_mono_ms();
    if (ask->entry == NULL || ask->kind == ASK_PEEK)
        return;
    give_up_entry(ask);
}

/* --- what the rest of the hub does to rooms --- */

/* A film with another plan, which is stored. */
static struct film *film_again(struct room *room, struct plan **plan)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    plan_write(*plan, &bytes, &size);
    struct source *source = source_ref(room->film->source);
    struct beside *beside = film_beside(room->film);
    open_keep_plan(room->hls, room->id, source_identity(source), bytes, size);
    struct film *film = new_film(room, &source, plan, &bytes, size);
    film_set_beside(film, &beside);
    return film;
}

void room_replan(struct room *room, struct plan **plan, const struct why *why)
{
    struct hls *hls = room->hls;
    if (room->is_old) { /* the plan that is stored is a better one */
        plan_free(plan);
        room_end(room, ERR_GONE, why);
        return;
    }
    struct film *film = film_again(room, plan);
    room_end(room, ERR_GONE, why);
    become_ready(room_new(hls, film->id), film);
}

static void retire(struct room *room)
{
    log_info("room.old", log_str("file", room->id));
    room->is_old = true;
    shelf_retire(room->hls->shelf, room->film);
}

void room_succeed(struct room *room, struct plan **plan)
{
    struct film *film = film_again(room, plan);
    retire(room);
    become_ready(room_new(room->hls, film->id), film);
}

void room_plan_stored(struct hls *hls, const char *id)
{
    struct room *room = find_room(hls, id);
    if (room == NULL)
        return;
    if (room->state == ROOM_OPENING)
        room->is_replanned = true;
    else if (room->film->plan->wants_scan)
        retire(room); /* who asks next opens it anew */
}

/* Who is offered what a device makes is not offered the same of x264. Not everybody plays HEVC. */
static bool is_offered(const struct film *film, uint32_t rendition)
{
    const struct plan_rendition *r = &film->plan->renditions[rendition];
    if (plan_is_subtitle(r->kind) || r->kind == PLAN_IFRAMES || plan_burnt(r) > 0 ||
        plan_coded(r) == CODEC_HEVC)
        return false;
    return film_has_device(film) ? plan_device_twin(film->plan, rendition) < 0
                                 : !plan_is_on_device(r);
}

/* What a player asks first: the copy where every browser plays it, else the first transcode; and
 * the first sound. */
static void warm_now(struct room *room)
{
    const struct plan *plan = room->film->plan;
    int chosen[2] = {-1, -1};
    room->is_warm = false;
    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        const struct plan_rendition *rendition = &plan->renditions[i];
        enum plan_codec codec = plan->tracks[rendition->track].codec;
        if (!is_offered(room->film, i))
            continue;
        int *slot = &chosen[rendition->kind == PLAN_VIDEO ? 0 : 1];
        bool is_safe = !rendition->is_copy || codec == CODEC_H264 ||
                       (codec == CODEC_AAC && rendition->channels <= 2);
        bool is_copy_first = rendition->is_copy && *slot >= 0 && !plan->renditions[*slot].is_copy &&
                             plan->renditions[*slot].track == rendition->track;
        if (is_safe && (*slot < 0 || is_copy_first))
            *slot = (int) i;
    }
    for (int i = 0; i < 2; i++) {
        if (chosen[i] < 0)
            continue;
        uint32_t n = plan_segment_at(plan, (uint32_t) chosen[i], room->warm_ms);
        struct entry *entry = job_entry(room, (uint32_t) chosen[i], n);
        if (job_bad(entry) == NULL)
            job_want(entry, true);
    }
}

void room_warm(struct hls *hls, const char *id, int64_t position_ms, bool native)
{
    if (hls->is_stopping || strlen(id) >= FILM_ID_SIZE)
        return;
    struct room *room = get_room(hls, id);
    room->used_ms = clock_mono_ms();
    room->is_warm = true;
    room->is_warm_native = native;
    room->warm_ms = position_ms;
    if (room->state == ROOM_READY)
        warm_now(room);
}

void room_forget(struct hls *hls, const char *id)
{
    struct why why;
    struct room *room;
    struct room *next;
    enum err kind = why_set(&why, ERR_GONE, NULL, "the file was replaced or taken away");
    for (room = TAILQ_FIRST(&hls->rooms); room != NULL; room = next) {
        next = TAILQ_NEXT(room, link);
        if (strcmp(room->id, id) == 0)
            room_end(room, kind, &why);
    }
}

void room_leave(struct hls *hls, const char *playback)
{
    struct room *room;
    TAILQ_FOREACH(room, &hls->rooms, link)
    for (size_t i = 0; i < room->viewer_count;) {
        if (strcmp(room->viewers[i].playback, playback) == 0)
            room->viewers[i] = room->viewers[--room->viewer_count];
        else
            i++;
    }
}

static int64_t idle_since_ms(const struct room *room)
{
    int64_t read_ms = atomic_load_explicit(&room->film->used_ms, memory_order_relaxed);
    return read_ms > room->used_ms ? read_ms : room->used_ms;
}

bool room_end_sleeper(struct hls *hls)
{
    struct room *room;
    struct why why;
    TAILQ_FOREACH(room, &hls->rooms, link)
    if (room->ask_count == 0 && room->planner != NULL && planner_sleeps(room->planner))
        break;
    if (room == NULL)
        return false;
    planner_end(&room->planner);
    room_end(room, why_set(&why, ERR_BUSY, NULL, "its process was needed for another film"), &why);
    return true;
}

/* A first plan is kept as long as the one after it is open: the library would lend it again only with
 * that. */
static bool is_over(const struct room *room, int64_t now_ms)
{
    bool is_idle =
        room->ask_count == 0 && now_ms - idle_since_ms(room) > room->hls->options.idle_ms;
    bool is_lent = room->is_old && room->film->plan->wants_scan;
    return is_idle && !(is_lent && find_room(room->hls, room->id) != NULL);
}

void room_tick(struct hls *hls, int64_t now_ms)
{
    struct room *room;
    struct room *next;
    for (room = TAILQ_FIRST(&hls->rooms); room != NULL; room = next) {
        next = TAILQ_NEXT(room, link);
        if (room->state != ROOM_READY)
            continue;
        if (is_over(room, now_ms)) {
            room_end(room, OK, NULL);
            continue;
        }
        settle_places(room, now_ms);
        job_tick(room, now_ms);
    }
}
