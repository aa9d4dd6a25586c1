/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What came whole goes to the library, one after the other. What the library does not take stays where it
 * is, with the reason, and is offered again after a walk: at once where finding that out costs nothing
 * (there was no room), else later and later. Threads: any; files are moved on the pool `filing`, which has
 * one. */
#include <string.h>
#include <sys/queue.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "library/names.h"
#include "torrent/torrents.h"

#define SHORT_PAUSE_MS 1000
#define FIRST_PAUSE_MS (60 * 1000)
#define LAST_PAUSE_MS  (6 * 60 * 60 * 1000)

/* A download whose files the library has not, or not all of. */
struct filing {
    LIST_ENTRY(filing) link;
    char id[STORE_ID_SIZE];
    char *reason; /* NULL: it was not refused */
    bool is_queued, is_running;
    int64_t due_ms, pause_ms; /* refused: not before that, monotonic; doubled each time */
    /* the pool's: files that are there, though their rows may wait for a walk, or be gone by now */
    char (*placed)[STORE_ID_SIZE];
    size_t placed_count;
};

struct filings {
    pthread_mutex_t lock;
    /* under lock */
    LIST_HEAD(, filing) list;
};

struct filings *filings_new(void)
{
    struct filings *filings = mem_new(struct filings);
    pthread_mutex_init(&filings->lock, NULL);
    LIST_INIT(&filings->list);
    return filings;
}

static void forget(struct filing *filing)
{
    LIST_REMOVE(filing, link);
    mem_free(filing->reason);
    mem_free(filing->placed);
    mem_free(filing);
}

void filings_free(struct filings **filings)
{
    struct filings *gone = *filings;
    *filings = NULL;
    if (gone == NULL)
        return;
    while (!LIST_EMPTY(&gone->list))
        forget(LIST_FIRST(&gone->list));
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* NULL: there is none. Under the lock. */
static struct filing *find(struct filings *filings, const char *id)
{
    struct filing *filing;
    LIST_FOREACH(filing, &filings->list, link)
    if (strcmp(filing->id, id) == 0)
        return filing;
    return NULL;
}

/* --- the work --- */

static bool is_placed(const struct filing *filing, const char *file)
{
    for (size_t i = 0; i < filing->placed_count; i++)
        if (strcmp(filing->placed[i], file) == 0)
            return true;
    return false;
}

static enum err adopt_file(struct api *api, struct filing *filing,
                           const struct torrent_view_file *file, struct why *why)
{
    const char *slash = strrchr(file->path, '/');
    const struct library_adoption adoption = {
        .id = file->id, .from = file->place, .name = slash != NULL ? slash + 1 : file->path};
    if (!file->is_wanted || !names_is_media(adoption.name) || is_placed(filing, file->id))
        return OK;
    enum err kind = library_adopt(api->library, &adoption, why);
    if (kind == OK) {
        filing->placed =
            mem_realloc_array(filing->placed, filing->placed_count + 1, sizeof *filing->placed);
        memcpy(filing->placed[filing->placed_count++], file->id, strlen(file->id) + 1);
    }
    return kind;
}

/* It took time and bytes to find that out: not again at once. */
static bool was_tried(enum err kind)
{
    return kind != OK && kind != ERR_LIMIT && kind != ERR_BUSY && kind != ERR_REFUSED;
}

/* All that can be adopted is; the first failure is told, before others one that was tried. */
static enum err adopt_all(struct api *api, struct filing *filing, const struct torrent_view *view,
                          struct why *why)
{
    enum err told = OK;
    for (size_t i = 0; i < view->file_count && told != ERR_CANCELLED; i++) {
        struct why said = {0};
        enum err kind = adopt_file(api, filing, &view->files[i], &said);
        if ((told == OK && kind != OK) || (!was_tried(told) && was_tried(kind))) {
            told = kind;
            *why = said;
        }
    }
    return told;
}

/* AGAIN: more is wanted of it by now. */
static enum err set_filed(struct api *api, const char *id)
{
    struct torrents *torrents = atomic_load(&api->torrents);
    enum err kind = torrents != NULL ? torrents_set_filed(torrents, id) : ERR_NOT_FOUND;
    if (kind == ERR_NOT_FOUND)
        kind = fetched_set_filed(api, id);
    if (kind != OK && kind != ERR_AGAIN)
        log_warning("download.filed", log_str("id", id), log_err(kind));
    return kind == ERR_AGAIN ? ERR_AGAIN : OK;
}

/* Another file of it may have been chosen while these were copied. */
static bool is_wanted_alike(const struct torrent_view *a, const struct torrent_view *b)
{
    if (a->file_count != b->file_count || a->state != b->state)
        return false;
    for (size_t i = 0; i < a->file_count; i++)
        if (a->files[i].is_wanted != b->files[i].is_wanted)
            return false;
    return true;
}

/* AGAIN: more is wanted of it by now. */
static enum err file_all(struct api *api, struct filing *filing, struct why *why)
{
    struct torrent_view view, now;
    enum err kind = OK;
    if (!downloads_find(api, filing->id, &view))
        return OK;
    if (view.state == TORRENT_COMPLETE && !view.is_filed) {
        kind = adopt_all(api, filing, &view, why);
        if (kind == OK && downloads_find(api, filing->id, &now)) {
            kind = is_wanted_alike(&view, &now) ? set_filed(api, filing->id) : ERR_AGAIN;
            torrent_view_fini(&now);
        }
    }
    torrent_view_fini(&view);
    return kind;
}

/* False: that was known. Under the lock. */
static bool put_off(struct filing *filing, enum err kind, const struct why *why)
{
    bool is_news = filing->reason == NULL || strcmp(filing->reason, why->text) != 0;
    int64_t pause_ms = SHORT_PAUSE_MS;
    if (was_tried(kind)) {
        pause_ms = filing->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * filing->pause_ms;
        pause_ms = filing->pause_ms = pause_ms < LAST_PAUSE_MS ? pause_ms : LAST_PAUSE_MS;
    }
    mem_free(filing->reason);
    filing->reason = mem_strdup(why->text);
    filing->due_ms = clock_mono_ms() + pause_ms;
    if (is_news)
        log_warning("download.not_filed", log_str("id", filing->id), log_str("why", why->text));
    return is_news;
}

static struct filing *begin_work(struct filings *filings, const char *id)
{
    pthread_mutex_lock(&filings->lock);
    struct filing *filing = find(filings, id);
    if (filing != NULL)
        filing->is_running = true;
    pthread_mutex_unlock(&filings->lock);
    return filing; /* only its own work removes it */
}

/* False: nothing has changed. */
static bool end_work(struct filings *filings, struct filing *filing, enum err kind,
                     const struct why *why)
{
    bool is_news = true;
    pthread_mutex_lock(&filings->lock);
    filing->is_running = filing->is_queued = false;
    if (kind == ERR_AGAIN) {
        mem_free(filing->reason);
        filing->reason = NULL;
    } else if (kind != OK) {
        is_news = put_off(filing, kind, why);
    } else {
        forget(filing);
    }
    pthread_mutex_unlock(&filings->lock);
    return is_news;
}

static void file_away(void *arg)
{
    struct news *news = arg;
    struct api *api = news->api;
    struct filing *filing = begin_work(api->filings, news->id);
    struct torrent_view view;
    struct why why = {0};
    if (filing != NULL) {
        enum err kind = file_all(api, filing, &why);
        if (end_work(api->filings, filing, kind, &why))
            downloads_tell(api, news->id);
        if (kind == ERR_AGAIN && downloads_find(api, news->id, &view)) {
            filing_soon(api, &view);
            torrent_view_fini(&view);
        }
    }
    api_leave(api);
    mem_free(news);
}

/* --- what is asked for --- */

/* False: the queue is full; the filing is as it was. */
static bool queue(struct api *api, const char *id)
{
    struct filings *filings = api->filings;
    if (api_spread(api, id, api->filing, file_away))
        return true;
    pthread_mutex_lock(&filings->lock);
    struct filing *filing = find(filings, id);
    if (filing != NULL)
        filing->is_queued = false; /* the next change, or the next walk, brings it here again */
    pthread_mutex_unlock(&filings->lock);
    return false;
}

void filing_soon(struct api *api, const struct torrent_view *view)
{
    struct filings *filings = api->filings;
    if (view->state != TORRENT_COMPLETE || view->is_filed || !api->files_downloads)
        return;
    pthread_mutex_lock(&filings->lock);
    struct filing *filing = find(filings, view->id);
    if (filing == NULL) {
        filing = mem_new(struct filing);
        memcpy(filing->id, view->id, strlen(view->id) + 1);
        LIST_INSERT_HEAD(&filings->list, filing, link);
    }
    bool is_due =
        !filing->is_queued && filing->reason == NULL; /* what was refused waits for a walk */
    filing->is_queued |= is_due;
    pthread_mutex_unlock(&filings->lock);
    if (is_due)
        (void) queue(api, view->id);
}

/* Marks one that is due as queued. */
static bool take_due(struct filings *filings, char id[STORE_ID_SIZE])
{
    int64_t now_ms = clock_mono_ms();
    struct filing *filing;
    pthread_mutex_lock(&filings->lock);
    LIST_FOREACH(filing, &filings->list, link)
    if (!filing->is_queued && filing->due_ms <= now_ms)
        break;
    if (filing != NULL) {
        filing->is_queued = true;
        memcpy(id, filing->id, STORE_ID_SIZE);
    }
    pthread_mutex_unlock(&filings->lock);
    return filing != NULL;
}

static bool is_walking(const struct api *api)
{
    struct library_scan scan;
    library_scan_state(api->library, &scan);
    bool is_running = scan.is_running;
    library_scan_fini(&scan);
    return is_running;
}

static bool is_empty(struct filings *filings)
{
    pthread_mutex_lock(&filings->lock);
    bool is_empty = LIST_EMPTY(&filings->list);
    pthread_mutex_unlock(&filings->lock);
    return is_empty;
}

void filing_again(struct api *api)
{
    char id[STORE_ID_SIZE];
    if (is_empty(api->filings) || is_walking(api))
        return;
    while (take_due(api->filings, id) && queue(api, id))
        continue;
}

json_t *filing_reason(struct api *api, const char *id)
{
    json_t *reason = NULL;
    pthread_mutex_lock(&api->filings->lock);
    const struct filing *filing = find(api->filings, id);
    if (filing != NULL && filing->reason != NULL)
        reason = json_sprintf("it is not in the library: %s", filing->reason);
    pthread_mutex_unlock(&api->filings->lock);
    return reason;
}

bool filing_is_under_way(struct api *api, const struct torrent_view *view)
{
    pthread_mutex_lock(&api->filings->lock);
    const struct filing *filing = find(api->filings, view->id);
    bool is_waiting = filing != NULL && filing->reason != NULL && !filing->is_running;
    pthread_mutex_unlock(&api->filings->lock);
    bool is_awaited = api->files_downloads && !view->is_filed && !is_waiting;
    return view->state == TORRENT_COMPLETE && (is_awaited || is_walking(api));
}
