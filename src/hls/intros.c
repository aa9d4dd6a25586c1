/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which episode is listened to next, and the process that does it. A file that is wanted brings its
 * season: its episodes are listened to one after the other, and then compared.
 * Threads: the hub's loop, but what is marked as pool work. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/intros_keep.h"
#include "hls/open.h"
#include "hls/wants.h"

enum {
    MOST_WAITING = 4000, /* files, by their ids; where there are more, all are asked for again */
    JUDGE_MS = 300,      /* a GONE that no death followed */
};

typedef char file_id[FILM_ID_SIZE];

struct files {
    file_id *items;
    size_t count, room;
};

struct intros {
    struct hls *hls;
    struct files waiting; /* oldest first */
    bool has_swept;       /* all that the library had were wanted */
    /* the file whose season is under way; "": none */
    file_id now;
    int64_t since_ms;
    struct files tried; /* of the season, kept or in vain: not once more */
    /* the episode that is listened to */
    struct film *film; /* NULL: none */
    struct hls_episode episode;
    unsigned deaths; /* of processes that had it in hand */
    struct media *media;
    int out;
    uint64_t size;   /* of what was made */
    bool is_none;    /* nothing can be made */
    bool is_working; /* the pool has something of ours */
    int64_t gone_ms; /* it failed with GONE, and no death was told yet; 0: it did not */
    bool is_stopping;
};

struct intros *intros_new(struct hls *hls)
{
    struct intros *intros = mem_new(struct intros);
    intros->hls = hls;
    intros->out = -1;
    return intros;
}

/* What it had in hand is told to have failed inside. */
static void close_media(struct intros *intros)
{
    struct media *gone = intros->media;
    intros->media = NULL;
    if (gone == NULL)
        return;
    media_close(&gone);
    atomic_fetch_sub(&intros->hls->counters.processes, 1);
}

static void drop_film(struct intros *intros)
{
    film_unref(&intros->film);
    fd_close(&intros->out);
    intros->gone_ms = 0;
}

void intros_stop(struct intros *intros)
{
    if (intros == NULL)
        return;
    intros->is_stopping = true;
    close_media(intros);
    if (!intros->is_working)
        drop_film(intros);
}

void intros_free(struct intros **intros)
{
    struct intros *gone = *intros;
    *intros = NULL;
    if (gone == NULL)
        return;
    MUST(gone->media == NULL && !gone->is_working);
    drop_film(gone);
    mem_free(gone->waiting.items);
    mem_free(gone->tried.items);
    mem_free(gone);
}

/* --- files --- */

static bool has(const struct files *files, const char *id)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i], id) == 0)
            return true;
    return false;
}

static void add(struct files *files, const char *id)
{
    if (strlen(id) >= FILM_ID_SIZE)
        return;
    mem_grow(files->items, files->count, files->room);
    memcpy(files->items[files->count++], id, strlen(id) + 1);
}

static void take_out(struct files *files, const char *id)
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i], id) != 0)
            memmove(files->items[kept++], files->items[i], sizeof files->items[i]);
    files->count = kept;
}

void intros_want(struct hls *hls, const char *id)
{
    struct intros *intros = hls->intros;
    if (intros == NULL || intros->is_stopping || has(&intros->waiting, id))
        return;
    if (intros->waiting.count < MOST_WAITING)
        add(&intros->waiting, id);
    else
        intros->has_swept = false;
}

/* --- a look at the season; pool work but for `looked` --- */

struct looking {
    struct intros *intros;
    file_id now;
    struct files tried; /* a copy */
    struct hls_season season;
    bool is_over;
    struct film *film; /* to be listened to; NULL: none */
    struct hls_episode episode;
    struct files marked; /* with other markers than before */
};

static bool is_season(const struct hls_season *season)
{
    for (size_t i = 1; i < season->count; i++)
        if (season->episodes[i].number != season->episodes[0].number)
            return true;
    return false;
}

static bool is_heard(const struct hls *hls, const struct hls_episode *episode)
{
    struct cache_key key;
    intros_fingerprint_key(episode, &key);
    return cache_has(hls->fingerprints, &key);
}

/* With the bytes that the library saw, and all there. */
static bool is_as_told(const struct film *film, const struct hls_episode *episode)
{
    const struct source_identity *identity = source_identity(film->source);
    return identity->size == episode->size && !film->plan->wants_scan &&
           memcmp(identity->hash, episode->hash, sizeof identity->hash) == 0 &&
           source_has(film->source, 0, source_size(film->source));
}

static void look(void *arg)
{
    struct looking *looking = arg;
    struct hls *hls = looking->intros->hls;
    struct hls_season *season = &looking->season;
    looking->is_over = !hls->library.season(hls->library.ctx, looking->now, season) ||
                       !is_season(season) || intros_are_settled(hls->fingerprints, season);
    for (size_t i = 0; i < season->count && !looking->is_over && looking->film == NULL; i++) {
        const struct hls_episode *episode = &season->episodes[i];
        if (is_heard(hls, episode) || has(&looking->tried, episode->id))
            continue;
        looking->episode = *episode;
        looking->film = open_film(hls, episode->id);
        if (looking->film != NULL && !is_as_told(looking->film, episode))
            film_unref(&looking->film);
        if (looking->film == NULL)
            add(&looking->tried, episode->id);
    }
}

static void note_file(void *ctx, const char *id)
{
    add(ctx, id);
}

/* All were listened to that can be. */
static void look_and_settle(void *arg)
{
    struct looking *looking = arg;
    struct hls *hls = looking->intros->hls;
    look(looking);
    if (looking->is_over || looking->film != NULL)
        return;
    intros_settle(hls->fingerprints, &looking->season, note_file, &looking->marked);
    for (size_t i = 0; i < looking->marked.count; i++)
        hls->library.marked(hls->library.ctx, looking->marked.items[i]);
}

static void end_season(struct intros *intros, const struct hls_season *season)
{
    for (size_t i = 0; i < season->count; i++)
        take_out(&intros->waiting, season->episodes[i].id);
    intros->now[0] = '\0';
    intros->tried.count = 0;
}

static void begin(struct intros *intros);

static void looked(void *arg)
{
    struct looking *looking = arg;
    struct intros *intros = looking->intros;
    struct files tried = intros->tried;
    intros->is_working = false;
    intros->tried = looking->tried;
    looking->tried = tried;
    if (looking->marked.count > 0)
        log_info("intros.found", log_str("file", looking->now),
                 log_int("episodes", (int64_t) looking->marked.count));
    if (looking->film == NULL) {
        end_season(intros, &looking->season);
    } else if (!intros->is_stopping) {
        intros->film = looking->film;
        intros->episode = looking->episode;
        intros->deaths = 0;
        looking->film = NULL;
        begin(intros);
    }
    film_unref(&looking->film);
    mem_free(looking->season.episodes);
    mem_free(looking->tried.items);
    mem_free(looking->marked.items);
    mem_free(looking);
}

static void start_look(struct intros *intros)
{
    struct looking *looking = mem_new(struct looking);
    looking->intros = intros;
    memcpy(looking->now, intros->now, sizeof looking->now);
    for (size_t i = 0; i < intros->tried.count; i++)
        add(&looking->tried, intros->tried.items[i]);
    intros->is_working = true;
    if (pool_run(intros->hls->pool, look_and_settle, looked, looking, intros->hls->mailbox) == OK)
        return;
    intros->is_working = false; /* the next tick tries again */
    mem_free(looking->tried.items);
    mem_free(looking);
}

/* --- the end of one episode --- */

struct storing {
    struct intros *intros;
    enum err kind;
};

static enum err read_made(const struct intros *intros, struct fingerprint *out)
{
    if (intros->is_none)
        return OK;
    if (intros->size > FINGERPRINT_BYTES)
        return ERR_LIMIT;
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) intros->size + 1);
    size_t got = 0;
    enum err kind = fd_read_at(intros->out, bytes, (size_t) intros->size, 0, &got);
    return kind == OK ? fingerprint_read(bytes, got, out, NULL) : kind;
}

/* Pool work: the film, `out` and what was said of it are ours meanwhile. */
static void store(void *arg)
{
    struct storing *storing = arg;
    const struct intros *intros = storing->intros;
    struct fingerprint made = {0};
    storing->kind = read_made(intros, &made);
    if (storing->kind == OK)
        storing->kind = intros_store(intros->hls->fingerprints, &intros->episode, &made);
    fingerprint_fini(&made);
}

static void stored(void *arg)
{
    struct storing *storing = arg;
    struct intros *intros = storing->intros;
    intros->is_working = false;
    /* once a season: a small cache may have dropped it again when its last episode is heard */
    add(&intros->tried, intros->episode.id);
    if (storing->kind == OK) {
        atomic_fetch_add(&intros->hls->counters.fingerprints, 1);
    } else {
        log_warning("intros.store", log_str("file", intros->episode.id), log_err(storing->kind));
    }
    drop_film(intros);
    mem_free(storing);
}

static void start_storing(struct intros *intros)
{
    struct storing *storing = mem_new(struct storing);
    storing->intros = intros;
    intros->is_working = true;
    if (pool_run(intros->hls->pool, store, stored, storing, intros->hls->mailbox) == OK)
        return;
    storing->kind = ERR_BUSY;
    mailbox_post(intros->hls->mailbox, stored, storing);
}

/* An empty one is kept, so that it is not tried again. */
static void store_none(struct intros *intros, const struct why *why)
{
    log_info("intros.none", log_str("file", intros->episode.id), log_str("why", why->text));
    intros->is_none = true;
    start_storing(intros);
}

static void give_up(struct intros *intros)
{
    close_media(intros);
    add(&intros->tried, intros->episode.id);
    drop_film(intros);
}

/* --- what its process says --- */

/* Media calls us, and lets itself be closed here. */
static void on_done(void *ctx, uint64_t size)
{
    struct intros *intros = ctx;
    close_media(intros);
    intros->size = size;
    start_storing(intros);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct intros *intros = ctx;
    if (intros->film == NULL) /* closed by us */
        return;
    if (kind == ERR_GONE) {
        intros->gone_ms = clock_mono_ms(); /* its death is told next, or the film was cut */
        return;
    }
    close_media(intros);
    if (kind == ERR_BAD_MEDIA || kind == ERR_LIMIT)
        store_none(intros, why);
    else
        give_up(intros);
}

static const struct media_job_events job_events = {.done = on_done, .failed = on_failed};

static void on_died(void *ctx, const struct why *why)
{
    struct intros *intros = ctx;
    intros->media = NULL;
    atomic_fetch_sub(&intros->hls->counters.processes, 1);
    atomic_fetch_add(&intros->hls->counters.deaths, 1);
    intros->gone_ms = 0;
    if (intros->film == NULL || intros->is_working || intros->is_stopping)
        return;
    if (++intros->deaths >= 2)
        store_none(intros, why);
}

static const struct media_events events = {.died = on_died};

/* --- the begin of one --- */

/* Where no process is free the next tick tries again. */
static void begin(struct intros *intros)
{
    struct hls *hls = intros->hls;
    const struct film *film = intros->film;
    unsigned how = MEDIA_IDLE | (intros->deaths > 0 ? (unsigned) MEDIA_FRESH : 0);
    intros->is_none = false;
    fd_close(&intros->out);
    enum err kind = fd_memory("matinee-fingerprint", &intros->out);
    if (kind == OK)
        kind = media_open(hls->host, source_fd(film->source), source_map_fd(film->source),
                          source_size(film->source), film->plan_bytes, film->plan_size, film->id,
                          how, &events, intros, &intros->media);
    if (kind != OK)
        return;
    atomic_fetch_add(&hls->counters.processes, 1);
    media_on_want(intros->media, &wants_none, intros->media);
    media_fingerprint(intros->media, intros->out, &job_events, intros);
}

struct sweeping {
    struct hls *hls;
    struct files files;
};

static void sweep(void *arg)
{
    struct sweeping *sweeping = arg;
    const struct hls_library *library = &sweeping->hls->library;
    library->seasons(library->ctx, note_file, &sweeping->files);
}

static void swept(void *arg)
{
    struct sweeping *sweeping = arg;
    for (size_t i = 0; i < sweeping->files.count; i++)
        add(&sweeping->hls->intros->waiting, sweeping->files.items[i]);
    mem_free(sweeping->files.items);
    mem_free(sweeping);
}

/* What the last run left undone, or what were too many to be remembered. */
static void start_sweep(struct intros *intros)
{
    struct sweeping *sweeping = mem_new(struct sweeping);
    sweeping->hls = intros->hls;
    intros->has_swept =
        pool_run(intros->hls->pool, sweep, swept, sweeping, intros->hls->mailbox) == OK;
    if (!intros->has_swept)
        mem_free(sweeping);
}

static bool is_time(struct intros *intros, int64_t now_ms)
{
    return !storyboards_are_due(intros->hls) &&
           storyboards_is_time(intros->hls, intros->since_ms, now_ms);
}

void intros_tick(struct hls *hls, int64_t now_ms)
{
    struct intros *intros = hls->intros;
    if (intros == NULL || intros->is_stopping || intros->is_working)
        return;
    if (!intros->has_swept && intros->waiting.count == 0)
        start_sweep(intros);
    if (intros->gone_ms != 0 && now_ms - intros->gone_ms >= JUDGE_MS)
        give_up(intros);
    if (intros->media != NULL)
        return;
    if (intros->now[0] == '\0' && intros->waiting.count > 0) {
        memcpy(intros->now, intros->waiting.items[0], sizeof intros->now);
        take_out(&intros->waiting, intros->now);
        intros->since_ms = now_ms;
    }
    if (intros->now[0] == '\0' || !is_time(intros, now_ms))
        return;
    if (intros->film == NULL)
        start_look(intros);
    else if (source_is_unchanged(intros->film->source))
        begin(intros);
    else
        give_up(intros);
}

bool intros_end_one(struct hls *hls)
{
    struct intros *intros = hls->intros;
    if (intros == NULL || intros->media == NULL)
        return false;
    log_info("intros.gives_way", log_str("file", intros->episode.id));
    intros->since_ms = clock_mono_ms();
    struct film *film = intros->film;
    intros->film = NULL; /* so that what is told inside the close concerns nobody */
    close_media(intros);
    intros->film = film;
    intros->gone_ms = 0;
    return true;
}
