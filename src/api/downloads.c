/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/downloads: torrents, added by hand. What was last told of each is kept, for those who begin to
 * listen. Threads: handlers on http loops, the rest on the api's pool. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/links.h"
#include "torrent/torrents.h"

enum { JSON_BYTES_MOST = 65536, CHOICES_MOST = 20000 };

struct downloads {
    pthread_mutex_t lock;
    /* under lock */
    json_t *told; /* by id */
};

struct downloads *downloads_new(void)
{
    struct downloads *downloads = mem_new(struct downloads);
    pthread_mutex_init(&downloads->lock, NULL);
    downloads->told = json_object();
    return downloads;
}

void downloads_free(struct downloads **downloads)
{
    struct downloads *gone = *downloads;
    *downloads = NULL;
    if (gone == NULL)
        return;
    json_decref(gone->told);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* --- in the words of the API --- */

static double part(uint64_t here, uint64_t size)
{
    return size > 0 ? (double) here / (double) size : 1;
}

static json_t *files_json(const struct torrent_view *view)
{
    json_t *files = json_array();
    for (size_t i = 0; i < view->file_count; i++) {
        const struct torrent_view_file *file = &view->files[i];
        json_array_append_new(
            files, json_pack("{s:o, s:I, s:f, s:b, s:s}", "name", json_text(file->path), "size",
                             (json_int_t) file->size, "progress", part(file->here, file->size),
                             "wanted", file->is_wanted, "file", file->id));
    }
    return files;
}

/* null where it is as the settings say for all. */
static json_t *limits_json(const struct torrent_limits *limits)
{
    json_t *object = json_object();
#define PUT(name)                                                                                  \
    json_object_set_new(object, #name,                                                             \
                        limits->name >= 0 ? json_integer(limits->name) : json_null());
    TORRENT_LIMITS(PUT)
#undef PUT
    return object;
}

static json_t *download_json(struct api *api, const struct torrent_view *view)
{
    bool is_known = view->file_count > 0;
    json_t *object =
        json_pack("{s:s, s:o, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:i, s:s, s:o, s:o, s:o, s:o}",
                  "id", view->id, "name", json_text(view->name != NULL ? view->name : ""), "hash",
                  view->hash, "state", torrent_state_name(view->state), "progress",
                  is_known ? part(view->here, view->size) : 0.0, "size", (json_int_t) view->size,
                  "rate", (json_int_t) view->rate, "upload_rate", (json_int_t) view->up_rate,
                  "uploaded", (json_int_t) view->uploaded, "peers", view->peers, "priority",
                  torrent_priority_name(view->priority), "limits", limits_json(&view->limits),
                  "eta", view->eta_s >= 0 ? json_integer(view->eta_s) : json_null(), "added",
                  json_date(view->added_ms), "files", files_json(view));
    json_t *reason = view->reason[0] != '\0'           ? json_text(view->reason)
                     : view->state == TORRENT_COMPLETE ? filing_reason(api, view->id)
                                                       : NULL;
    if (reason != NULL)
        json_object_set_new(object, "reason", reason);
    return object;
}

bool downloads_find(struct api *api, const char *id, struct torrent_view *out)
{
    struct torrents *torrents = atomic_load(&api->torrents);
    return (torrents != NULL && torrents_find(torrents, id, out) == OK) ||
           fetched_find(api, id, out);
}

/* NULL: there is none. */
static json_t *find_json(struct api *api, const char *id)
{
    struct torrent_view view;
    if (!downloads_find(api, id, &view))
        return NULL;
    json_t *object = download_json(api, &view);
    torrent_view_fini(&view);
    return object;
}

/* --- news --- */

static json_t *payload_of(const char *id, json_t *download)
{
    json_t *payload =
        json_pack("{s:s, s:s}", "type", download != NULL ? "download" : "download-gone", "id", id);
    if (download != NULL)
        json_object_set(payload, "download", download);
    return payload;
}

/* `download` NULL: it is gone. */
static void remember(struct downloads *downloads, const char *id, json_t *download)
{
    pthread_mutex_lock(&downloads->lock);
    if (download != NULL)
        json_object_set(downloads->told, id, download);
    else
        json_object_del(downloads->told, id);
    pthread_mutex_unlock(&downloads->lock);
}

static bool is_older(const struct torrent_view *view, const json_t *than)
{
    char text[CLOCK_ISO_SIZE];
    clock_iso(view->added_ms, text);
    return strcmp(text, json_string_value(json_object_get(than, "added"))) <= 0;
}

struct list {
    struct api *api;
    json_t *items;
};

static void append_json(void *ctx, const struct torrent_view *view)
{
    struct list *list = ctx;
    json_array_append_new(list->items, download_json(list->api, view));
}

/* The oldest first. */
static json_t *list_all(struct api *api)
{
    size_t count = 0, index;
    struct torrents *torrents = atomic_load(&api->torrents);
    struct torrent_view *views = torrents != NULL ? torrents_list(torrents, &count) : NULL;
    json_t *one;
    struct list fetched = {api, json_array()}, all = {api, json_array()};
    fetched_each(api, append_json, &fetched);
    size_t at = 0;
    json_array_foreach(fetched.items, index, one)
    {
        for (; at < count && is_older(&views[at], one); at++)
            append_json(&all, &views[at]);
        json_array_append(all.items, one);
    }
    for (; at < count; at++)
        append_json(&all, &views[at]);
    json_decref(fetched.items);
    if (views != NULL)
        torrent_views_free(views, count);
    return all.items;
}

void downloads_remember_all(struct api *api)
{
    size_t index;
    json_t *download, *all = list_all(api);
    json_array_foreach(all, index, download)
        remember(api->downloads, json_string_value(json_object_get(download, "id")), download);
    json_decref(all);
}

/* Those who play one of its files hear what of it is there. */
static void tell_players(struct api *api, const json_t *download)
{
    size_t index;
    const json_t *file;
    json_array_foreach(json_object_get(download, "files"), index, file)
    {
        const char *id = json_string_value(json_object_get(file, "file"));
        struct library_file found = {0};
        struct source *source = NULL;
        if (!playbacks_play(api->playbacks, id))
            continue;
        if (api_find_file(api, id, &found, &source, NULL) == OK && source != NULL)
            playbacks_available(api, id, availability_json(source));
        source_unref(&source);
        library_file_fini(&found);
    }
}

/* `download` NULL: it is gone. */
static void publish(struct api *api, const char *id, json_t *download)
{
    remember(api->downloads, id, download);
    events_publish(api->events, "downloads", payload_of(id, download));
    json_decref(download);
}

void downloads_tell(struct api *api, const char *id)
{
    publish(api, id, find_json(api, id));
}

void downloads_tell_fetched(struct api *api, const char *file)
{
    struct torrent_view view;
    if (!fetched_find(api, file, &view))
        return;
    publish(api, view.id, download_json(api, &view));
    filing_soon(api, &view);
    torrent_view_fini(&view);
}

static void tell(void *arg)
{
    struct news *news = arg;
    struct api *api = news->api;
    struct torrent_view view;
    bool is_there = downloads_find(api, news->id, &view);
    json_t *download = is_there ? download_json(api, &view) : NULL;
    publish(api, news->id, json_incref(download));
    tell_players(api, download);
    json_decref(download);
    if (is_there) { /* what that tells comes after what was told just now */
        filing_soon(api, &view);
        torrent_view_fini(&view);
    }
    api_leave(api);
    mem_free(news);
}

void api_download_changed(void *ctx, const char *id)
{
    struct api *api = ctx;
    api_spread(api, id, api->pool, tell);
}

void downloads_each(struct downloads *downloads, void (*each)(void *ctx, json_t *payload),
                    void *ctx)
{
    const char *id;
    json_t *download;
    pthread_mutex_lock(&downloads->lock);
    json_object_foreach(downloads->told, id, download) each(ctx, payload_of(id, download));
    pthread_mutex_unlock(&downloads->lock);
}

/* --- GET --- */

static bool is_here(struct answer *answer)
{
    if (atomic_load(&answer->api->torrents) != NULL)
        return true;
    why_set(&answer->why, ERR_NOT_FOUND, NULL, "downloads are turned off (torrent.enabled)");
    answer_fail(answer, ERR_NOT_FOUND, 0);
    return false;
}

static void none(struct answer *answer)
{
    why_set(&answer->why, ERR_NOT_FOUND, NULL, "there is no such download");
    answer_fail(answer, ERR_NOT_FOUND, 0);
}

static void list(struct answer *answer)
{
    answer->body = json_pack("{s:o, s:n}", "items", list_all(answer->api), "next");
}

void downloads_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void get_one(struct answer *answer)
{
    answer->body = find_json(answer->api, answer->input);
    if (answer->body == NULL)
        none(answer);
}

void download_get(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, get_one);
}

/* --- POST --- */

struct wish {
    char *magnet, *url; /* one of them, or a torrent */
    bool is_any;        /* the URL came as `url` */
    void *torrent;
    size_t size;
};

static void wish_fini(void *input)
{
    struct wish *wish = input;
    mem_free(wish->magnet);
    mem_free(wish->url);
    mem_free(wish->torrent);
}

static void answer_with(struct answer *answer, const char *id)
{
    answer->body = find_json(answer->api, id);
    if (answer->body != NULL)
        remember(answer->api->downloads, id, answer->body);
    else
        none(answer);
}

static void add(struct answer *answer)
{
    const struct wish *wish = answer->input;
    const struct torrents_wish said = {
        .magnet = wish->magnet, .torrent = wish->torrent, .torrent_size = wish->size};
    char id[STORE_ID_SIZE] = "";
    bool is_new = false;
    if (!is_here(answer))
        return;
    enum err kind =
        torrents_add(atomic_load(&answer->api->torrents), &said, id, &is_new, &answer->why);
    if (kind != OK) {
        bool is_bad = kind == ERR_BAD_INPUT || kind == ERR_LIMIT;
        answer_fail(answer, kind, is_bad ? 422 : 0);
        return;
    }
    answer->status = is_new ? 201 : 200;
    answer_with(answer, id);
}

/* mem_free. NULL: no such text. */
static char *text_of(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    const char *text = json_string_value(value);
    bool is_whole = text != NULL && text[0] != '\0' && strlen(text) == json_string_length(value);
    return is_whole ? mem_strdup(text) : NULL;
}

static enum err read_wish(struct request *request, struct wish *wish, struct why *why)
{
    struct slice body = request_body(request);
    json_t *json = NULL;
    if (body.length > 0 && body.at[0] == 'd') { /* a bencoded dictionary: no JSON begins so */
        wish->torrent = mem_dup(body.at, body.length);
        wish->size = body.length;
        return OK;
    }
    if (body.length > JSON_BYTES_MOST)
        return why_set(why, ERR_BAD_INPUT, NULL, "it is neither a torrent nor JSON");
    enum err kind = request_json(request, &json, why);
    if (kind != OK)
        return kind;
    wish->magnet = text_of(json, "magnet");
    wish->url = text_of(json, "torrent_url");
    wish->is_any = wish->url == NULL;
    if (wish->is_any)
        wish->url = text_of(json, "url");
    if ((wish->magnet != NULL) == (wish->url != NULL))
        return why_set(why, ERR_BAD_INPUT, "magnet",
                       "magnet is missing: a magnet URI; or torrent_url, the URL of a .torrent");
    return OK;
}

static void add_later(struct api *api, struct request *request, const struct wish *wish)
{
    answer_later(
        api, request,
        &(struct answer_plan){.work = add, .input = wish, .size = sizeof *wish, .fini = wish_fini});
}

static void remote_fini(void *input)
{
    store_remote_fini(input);
}

static void add_film(struct answer *answer)
{
    struct store_remote *remote = answer->input;
    char id[STORE_ID_SIZE] = "";
    enum err kind = fetched_add(answer->api, remote, id, &answer->why);
    if (kind != OK && kind != ERR_BUSY) {
        answer_fail(answer, kind, 0);
        return;
    }
    answer->status = kind == OK ? 201 : 200;
    answer_with(answer, id);
}

static void add_fetched(struct api *api, struct request *request, char *bytes, size_t size)
{
    add_later(api, request, &(struct wish){.torrent = bytes, .size = size});
}

static void add_looked(struct api *api, struct request *request, const char *url,
                       struct store_remote *remote)
{
    if (remote == NULL)
        api_fetch_torrent(api, request, "url", url, add_fetched);
    else
        answer_later(
            api, request,
            &(struct answer_plan){
                .work = add_film, .input = remote, .size = sizeof *remote, .fini = remote_fini});
}

void downloads_post(struct request *request, void *ctx)
{
    struct wish wish = {0};
    struct why why = {0};
    enum err kind = read_wish(request, &wish, &why);
    if (kind == OK && wish.url == NULL) {
        add_later(ctx, request, &wish);
        return;
    }
    if (kind == OK && wish.is_any)
        api_look(ctx, request, wish.url, add_looked);
    else if (kind == OK)
        api_fetch_torrent(ctx, request, "torrent_url", wish.url, add_fetched);
    else
        reply_problem(request, 0, kind, &why);
    wish_fini(&wish);
}

/* --- PATCH, DELETE --- */

struct patch {
    char id[STORE_ID_SIZE];
    struct torrents_change change;
    struct torrents_choice *choices;
};

static void patch_fini(void *input)
{
    struct patch *patch = input;
    mem_free(patch->choices);
}

static enum err read_state(const json_t *value, struct torrents_change *change, struct why *why)
{
    const char *text = json_string_value(value);
    if (value == NULL)
        return OK;
    if (text == NULL || (strcmp(text, "paused") != 0 && strcmp(text, "running") != 0))
        return why_set(why, ERR_BAD_INPUT, "state", "state is paused or running");
    change->sets_paused = true;
    change->is_paused = strcmp(text, "paused") == 0;
    return OK;
}

static enum err read_priority(const json_t *value, struct torrents_change *change, struct why *why)
{
    if (value == NULL)
        return OK;
    const char *text = json_string_value(value);
    if (text == NULL || !torrent_priority_read(text, &change->priority))
        return why_set(why, ERR_BAD_INPUT, "priority", "priority is low, normal or high");
    change->sets_priority = true;
    return OK;
}

/* null: as the settings say for all. */
static enum err read_limit(const json_t *value, const char *name, int64_t *out, struct why *why)
{
    if (value == NULL)
        return OK;
    *out = json_is_integer(value) ? json_integer_value(value) : LIMIT_USUAL;
    if (json_is_null(value) || (json_is_integer(value) && *out >= 0 && *out <= LIMIT_MOST))
        return OK;
    return why_set(why, ERR_BAD_INPUT, "limits", "limits.%s is a number of at least 0, or null",
                   name);
}

static enum err read_limits(const json_t *object, struct torrent_limits *out, struct why *why)
{
    size_t known = 0;
    enum err kind = OK;
    *out = LIMITS_ALL(LIMIT_SAME);
    if (object == NULL)
        return OK;
#define READ(name)                                                                                 \
    if (kind == OK)                                                                                \
        kind = read_limit(json_object_get(object, #name), #name, &out->name, why);                 \
    known += json_object_get(object, #name) != NULL;
    TORRENT_LIMITS(READ)
#undef READ
    if (kind == OK && (!json_is_object(object) || known < json_object_size(object)))
        kind = why_set(why, ERR_BAD_INPUT, "limits",
                       "limits has download_rate, upload_rate, ratio_percent, seed_s");
    return kind;
}

static enum err read_choices(const json_t *list, struct patch *patch, struct why *why)
{
    size_t index;
    const json_t *value;
    if (list == NULL)
        return OK;
    if (!json_is_array(list) || json_array_size(list) > CHOICES_MOST)
        return why_set(why, ERR_BAD_INPUT, "files", "files is a list of {file, wanted}");
    patch->choices = mem_new_array(struct torrents_choice, json_array_size(list) + 1);
    json_array_foreach(list, index, value)
    {
        struct torrents_choice *choice = &patch->choices[index];
        const json_t *file = json_object_get(value, "file");
        const json_t *wanted = json_object_get(value, "wanted");
        if (!json_is_string(file) || !json_is_boolean(wanted))
            return why_set(why, ERR_BAD_INPUT, "files", "files is a list of {file, wanted}");
        copy_slice((struct slice){json_string_value(file), json_string_length(file)}, choice->file,
                   sizeof choice->file);
        choice->is_wanted = json_is_true(wanted);
        patch->change.choice_count++;
    }
    return OK;
}

/* It has one file, which is wanted. */
static enum err change_fetched(struct answer *answer, const struct patch *patch)
{
    struct api *api = answer->api;
    struct torrent_view view;
    if (!fetched_find(api, patch->id, &view))
        return ERR_NOT_FOUND;
    torrent_view_fini(&view);
    const struct torrents_change *change = &patch->change;
    const struct torrent_limits same = LIMITS_ALL(LIMIT_SAME);
    if (change->choice_count > 0)
        return why_set(&answer->why, ERR_BAD_INPUT, "files", "it has one file, which is wanted");
    if (change->sets_priority || memcmp(&change->limits, &same, sizeof same) != 0)
        return why_set(&answer->why, ERR_BAD_INPUT, change->sets_priority ? "priority" : "limits",
                       "what is fetched by its URL has neither priority nor limits");
    if (!change->sets_paused)
        return OK;
    return fetched_pause(api, patch->id, change->is_paused, &answer->why);
}

static void change(struct answer *answer)
{
    struct patch *patch = answer->input;
    patch->change.choices = patch->choices;
    struct torrents *torrents = atomic_load(&answer->api->torrents);
    enum err kind = ERR_NOT_FOUND;
    if (torrents != NULL)
        kind = torrents_change(torrents, patch->id, &patch->change, &answer->why);
    if (kind == ERR_NOT_FOUND)
        kind = change_fetched(answer, patch);
    if (kind == ERR_NOT_FOUND)
        none(answer);
    else if (kind != OK)
        answer_fail(answer, kind, kind == ERR_AGAIN ? 409 : 0);
    else
        answer->body = find_json(answer->api, patch->id);
}

void download_patch(struct request *request, void *ctx)
{
    struct patch patch = {0};
    struct why why = {0};
    json_t *body = NULL;
    copy_slice(request_param(request, 0), patch.id, sizeof patch.id);
    enum err kind = request_json(request, &body, &why);
    if (kind == OK)
        kind = read_state(json_object_get(body, "state"), &patch.change, &why);
    if (kind == OK)
        kind = read_priority(json_object_get(body, "priority"), &patch.change, &why);
    if (kind == OK)
        kind = read_limits(json_object_get(body, "limits"), &patch.change.limits, &why);
    if (kind == OK)
        kind = read_choices(json_object_get(body, "files"), &patch, &why);
    if (kind == OK) {
        answer_later(
            ctx, request,
            &(struct answer_plan){
                .work = change, .input = &patch, .size = sizeof patch, .fini = patch_fini});
        return;
    }
    patch_fini(&patch);
    reply_problem(request, 0, kind, &why);
}

/* What the library has of it. OK also where that is nothing. */
static enum err discard_files(struct answer *answer, const char *id)
{
    struct torrent_view view;
    enum err kind = OK;
    if (!downloads_find(answer->api, id, &view))
        return ERR_NOT_FOUND;
    if (filing_is_under_way(answer->api, &view))
        kind = why_set(&answer->why, ERR_AGAIN, "files",
                       "its files are just being put into the library: ask again in a moment");
    for (size_t i = 0; i < view.file_count && kind == OK; i++) {
        kind = library_discard(answer->api->library, view.files[i].id, &answer->why);
        if (kind == ERR_NOT_FOUND)
            kind = OK;
    }
    torrent_view_fini(&view);
    return kind;
}

static enum err leave(struct answer *answer, const char *id)
{
    struct torrents *torrents = atomic_load(&answer->api->torrents);
    enum err kind = torrents != NULL ? torrents_remove(torrents, id) : ERR_NOT_FOUND;
    if (kind != ERR_NOT_FOUND)
        return kind;
    kind = fetched_remove(answer->api, id);
    if (kind == OK)
        publish(answer->api, id, NULL);
    return kind;
}

struct leaving {
    char id[STORE_ID_SIZE];
    bool takes_files; /* out of the library too */
};

/* The files first: nothing is fetched again for want of them, as the rest goes at once. */
static void remove_one(struct answer *answer)
{
    const struct leaving *leaving = answer->input;
    enum err kind = leaving->takes_files ? discard_files(answer, leaving->id) : OK;
    if (kind == OK)
        kind = leave(answer, leaving->id);
    if (kind == ERR_NOT_FOUND)
        none(answer);
    else if (kind != OK)
        answer_fail(answer, kind, kind == ERR_AGAIN ? 409 : 0);
    else
        answer->status = 204;
}

void download_delete(struct request *request, void *ctx)
{
    struct slice files = request_query(request, "files");
    struct leaving leaving = {.takes_files = slice_is(files, "true")};
    struct why why = {0};
    copy_slice(request_param(request, 0), leaving.id, sizeof leaving.id);
    if (files.at != NULL && !leaving.takes_files && !slice_is(files, "false"))
        reply_problem(request, 0, why_set(&why, ERR_BAD_INPUT, "files", "files is true or false"),
                      &why);
    else
        answer_later(
            ctx, request,
            &(struct answer_plan){.work = remove_one, .input = &leaving, .size = sizeof leaving});
}
