/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which film gets its storyboard next, and the process that makes it. Threads: the hub's loop, but what
 * is marked as pool work. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/wants.h"

enum {
    MOST_WAITING = 16,   /* each holds its film open; the oldest goes */
    JUDGE_MS = 300,      /* a GONE that no death followed */
    QUIET_MS = 3000,     /* nobody asked for anything so long */
    PATIENCE_MS = 60000, /* many viewers are never quiet: after this, when none of them waits */
};

struct waiting {
    struct film *film;
    int64_t since_ms;
    unsigned deaths; /* of processes that had it in hand */
};

struct storyboards {
    struct hls *hls;
    struct waiting waiting[MOST_WAITING]; /* oldest first */
    unsigned count;
    struct waiting now; /* `film` NULL: none is made */
    struct media *media;
    int out;
    struct storyboard *board;
    bool is_storing; /* the pool has it */
    int64_t gone_ms; /* it failed with GONE, and no death was told yet; 0: it did not */
    bool is_stopping;
};

struct storyboards *storyboards_new(struct hls *hls)
{
    struct storyboards *boards = mem_new(struct storyboards);
    boards->hls = hls;
    boards->out = -1;
    boards->board = mem_new(struct storyboard);
    return boards;
}

/* What it had in hand is told to have failed inside. */
static void close_media(struct storyboards *boards)
{
    struct media *gone = boards->media;
    boards->media = NULL;
    if (gone == NULL)
        return;
    media_close(&gone);
    atomic_fetch_sub(&boards->hls->counters.processes, 1);
}

static void drop_now(struct storyboards *boards)
{
    film_unref(&boards->now.film);
    fd_close(&boards->out);
    boards->now = (struct waiting){0};
    boards->gone_ms = 0;
}

void storyboards_stop(struct storyboards *boards)
{
    if (boards == NULL)
        return;
    boards->is_stopping = true;
    while (boards->count > 0)
        film_unref(&boards->waiting[--boards->count].film);
    close_media(boards);
    if (!boards->is_storing)
        drop_now(boards);
}

void storyboards_free(struct storyboards **boards)
{
    struct storyboards *gone = *boards;
    *boards = NULL;
    if (gone == NULL)
        return;
    MUST(gone->media == NULL && gone->count == 0);
    drop_now(gone);
    mem_free(gone->board);
    mem_free(gone);
}

/* --- what is wanted --- */

/* Of two files of the same bytes each has its own: they are had by the file's id. */
static bool is_same(const struct film *a, const struct film *b)
{
    return a != NULL && strcmp(a->id, b->id) == 0 &&
           memcmp(&a->keys[0], &b->keys[0], sizeof a->keys[0]) == 0;
}

static bool is_known(const struct storyboards *boards, const struct film *film)
{
    struct cache_key key;
    for (unsigned i = 0; i < boards->count; i++)
        if (is_same(boards->waiting[i].film, film))
            return true;
    if (is_same(boards->now.film, film))
        return true;
    storyboard_key(film, &key);
    return cache_has(boards->hls->pictures, &key);
}

static bool can_have_one(const struct film *film)
{
    if (film->plan->wants_scan || !source_has(film->source, 0, source_size(film->source)))
        return false;
    for (uint32_t i = 0; i < film->plan->rendition_count; i++)
        if (film->plan->renditions[i].kind == PLAN_VIDEO)
            return true;
    return false;
}

static void drop_first(struct storyboards *boards)
{
    film_unref(&boards->waiting[0].film);
    memmove(boards->waiting, boards->waiting + 1, --boards->count * sizeof *boards->waiting);
}

static void enqueue(struct storyboards *boards, struct waiting waiting)
{
    if (boards->count == MOST_WAITING)
        drop_first(boards);
    boards->waiting[boards->count++] = waiting;
}

void storyboards_want(struct hls *hls, struct film *film)
{
    struct storyboards *boards = hls->storyboards;
    if (boards == NULL || boards->is_stopping || !can_have_one(film) || is_known(boards, film))
        return;
    enqueue(boards, (struct waiting){.film = film_ref(film), .since_ms = clock_mono_ms()});
}

/* --- the end of one --- */

struct storing {
    struct storyboards *boards;
    struct film *film;
    enum err kind;
};

static void store(void *arg)
{
    struct storing *storing = arg;
    struct storyboards *boards = storing->boards; /* its `out` and `board` are ours meanwhile */
    storing->kind =
        storyboard_store(boards->hls->pictures, storing->film, boards->out, boards->board);
}

static void stored(void *arg)
{
    struct storing *storing = arg;
    struct storyboards *boards = storing->boards;
    if (storing->kind == OK) {
        atomic_fetch_add(&boards->hls->counters.storyboards, 1);
        log_info("storyboard.made", log_str("file", storing->film->id),
                 log_int("pictures", boards->board->count));
    } else {
        log_warning("storyboard.store", log_str("file", storing->film->id), log_err(storing->kind));
    }
    boards->is_storing = false;
    drop_now(boards);
    film_unref(&storing->film);
    mem_free(storing);
}

/* Of a film that has none to be had, an empty one is kept: so it is not tried again. */
static void start_storing(struct storyboards *boards)
{
    struct storing *storing = mem_new(struct storing);
    storing->boards = boards;
    storing->film = film_ref(boards->now.film);
    boards->is_storing = true;
    if (pool_run(boards->hls->pool, store, stored, storing, boards->hls->mailbox) == OK)
        return;
    storing->kind = ERR_BUSY;
    mailbox_post(boards->hls->mailbox, stored, storing);
}

static void store_none(struct storyboards *boards, const struct why *why)
{
    log_info("storyboard.none", log_str("file", boards->now.film->id), log_str("why", why->text));
    *boards->board = (struct storyboard){0};
    start_storing(boards);
}

/* --- what its process says --- */

static void on_picture(void *ctx, int64_t at_ms, uint32_t width, uint32_t height)
{
    const struct storyboards *boards = ctx;
    struct storyboard *board = boards->board;
    MUST(board->count < STORYBOARD_MOST);
    board->width = width;
    board->height = height;
    board->at_ms[board->count] = board->count == 0 ? 0 : at_ms;
    board->count++;
    board->sheets[board->sheet_count].count++;
}

static void on_sheet(void *ctx, uint64_t offset, uint64_t length)
{
    const struct storyboards *boards = ctx;
    struct storyboard *board = boards->board;
    struct storyboard_sheet *sheet = &board->sheets[board->sheet_count++];
    MUST(board->sheet_count < sizeof board->sheets / sizeof *board->sheets);
    sheet->offset = offset;
    sheet->length = length;
}

/* Media calls us, and lets itself be closed here. */
static void on_done(void *ctx, uint64_t size UNUSED)
{
    struct storyboards *boards = ctx;
    close_media(boards);
    start_storing(boards);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct storyboards *boards = ctx;
    if (kind == ERR_GONE) {
        boards->gone_ms = clock_mono_ms(); /* its death is told next, or the film was cut */
        return;
    }
    close_media(boards);
    if (kind == ERR_BAD_MEDIA || kind == ERR_LIMIT)
        store_none(boards, why);
    else
        drop_now(boards); /* wanted again by who looks at the film again */
}

static const struct media_job_events job_events = {
    .picture = on_picture, .sheet = on_sheet, .done = on_done, .failed = on_failed};

static void on_died(void *ctx, const struct why *why)
{
    struct storyboards *boards = ctx;
    struct waiting again = boards->now;
    boards->media = NULL;
    atomic_fetch_sub(&boards->hls->counters.processes, 1);
    atomic_fetch_add(&boards->hls->counters.deaths, 1);
    if (again.film == NULL || boards->is_storing || boards->is_stopping)
        return;
    if (++again.deaths >= 2) {
        store_none(boards, why);
        return;
    }
    boards->now.film = NULL;
    drop_now(boards);
    enqueue(boards, again);
}

static const struct media_events events = {.died = on_died};

/* --- the begin of one --- */

static bool is_awaited(const struct hls *hls)
{
    const struct room *room;
    const struct entry *entry;
    TAILQ_FOREACH(room, &hls->rooms, link)
    {
        if (room->state == ROOM_OPENING && room->ask_count > 0)
            return true;
        TAILQ_FOREACH(entry, &room->active, link)
        if (entry->askers > 0)
            return true;
    }
    return false;
}

bool storyboards_is_time(const struct hls *hls, int64_t since_ms, int64_t now_ms)
{
    bool is_quiet = now_ms - hls->asked_ms >= QUIET_MS && now_ms - since_ms >= QUIET_MS;
    return !is_awaited(hls) && (is_quiet || now_ms - since_ms >= PATIENCE_MS);
}

bool storyboards_are_due(const struct hls *hls)
{
    const struct storyboards *boards = hls->storyboards;
    return boards != NULL && (boards->count > 0 || boards->now.film != NULL);
}

static enum err begin(struct storyboards *boards)
{
    struct hls *hls = boards->hls;
    const struct film *film = boards->now.film;
    unsigned how = MEDIA_IDLE | (boards->now.deaths > 0 ? (unsigned) MEDIA_FRESH : 0);
    enum err kind = fd_memory("matinee-storyboard", &boards->out);
    if (kind == OK)
        kind = media_open(hls->host, source_fd(film->source), source_map_fd(film->source),
                          source_size(film->source), film->plan_bytes, film->plan_size, film->id,
                          how, &events, boards, &boards->media);
    if (kind != OK)
        return kind;
    atomic_fetch_add(&hls->counters.processes, 1);
    *boards->board = (struct storyboard){0};
    boards->board->end_ms = film->plan->end * 1000 / film->plan->timescale;
    media_on_want(boards->media, &wants_none, boards->media);
    media_storyboard(boards->media, boards->out, &job_events, boards);
    return OK;
}

static void let_go_of_cut(struct storyboards *boards, int64_t now_ms)
{
    if (boards->gone_ms == 0 || now_ms - boards->gone_ms < JUDGE_MS)
        return;
    close_media(boards);
    drop_now(boards);
}

void storyboards_tick(struct hls *hls, int64_t now_ms)
{
    struct storyboards *boards = hls->storyboards;
    if (boards == NULL || boards->is_stopping)
        return;
    let_go_of_cut(boards, now_ms);
    if (boards->now.film != NULL || boards->count == 0)
        return;
    if (!storyboards_is_time(hls, boards->waiting[0].since_ms, now_ms))
        return;
    boards->now = boards->waiting[0];
    boards->waiting[0].film = NULL;
    drop_first(boards);
    if (source_is_unchanged(boards->now.film->source) && begin(boards) == OK)
        return;
    /* No process is free, say: later. */
    struct waiting again = boards->now;
    boards->now.film = NULL;
    drop_now(boards);
    again.since_ms = now_ms;
    if (source_is_unchanged(again.film->source))
        enqueue(boards, again);
    else
        film_unref(&again.film);
}

bool storyboards_end_one(struct hls *hls)
{
    struct storyboards *boards = hls->storyboards;
    if (boards == NULL || boards->media == NULL)
        return false;
    struct waiting again = boards->now;
    log_info("storyboard.gives_way", log_str("file", again.film->id));
    again.since_ms = clock_mono_ms();
    boards->now.film = NULL; /* so that what is told inside the close concerns nobody */
    close_media(boards);
    drop_now(boards);
    enqueue(boards, again);
    return true;
}
