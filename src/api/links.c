/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/links: films of other servers, opened by their URL. What a server says of one is asked for
 * when its link is made, and kept; its bytes come when they are read. Threads: http loops, then the api's
 * pool. */
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/remotes.h"
#include "store/links.h"

/* --- in the words of the API --- */

static json_t *link_json(struct api *api, const struct store_link *link)
{
    const struct store_remote *remote = &link->remote;
    CLEANUP(mem_free_at) char *name = look_name(remote->url);
    struct remote_state state;
    remotes_look(atomic_load(&api->remotes), remote->file, &state);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:I, s:s, s:b, s:I, s:I, s:o}", "id", link->id,
                  "file", remote->file, "url", json_text(remote->url), "name", json_text(name),
                  "valid", 1, "content_type",
                  remote->type[0] != '\0' ? json_text(remote->type) : json_null(), "content_length",
                  (json_int_t) remote->size, "accept_ranges", remote->is_ranged ? "bytes" : "none",
                  "supports_range", remote->is_ranged, "here", (json_int_t) state.here, "rate",
                  (json_int_t) state.rate, "added", json_date(link->added_ms));
    if (state.reason[0] != '\0')
        json_object_set_new(object, "reason", json_text(state.reason));
    return object;
}

/* --- POST: a look, then a row --- */

static void forget_dropped(struct api *api, struct store_dropped *dropped)
{
    for (size_t i = 0; i < dropped->count; i++)
        remotes_forget(atomic_load(&api->remotes), dropped->files[i]);
    mem_free(dropped->files);
}

static void link_fini(void *input)
{
    store_link_fini(input);
}

static void keep_link(struct answer *answer)
{
    struct store_link *link = answer->input;
    struct store_dropped dropped = {0};
    bool is_new = false;
    memcpy(link->user, answer->user.id, sizeof link->user);
    link->added_ms = clock_wall_ms();
    enum err kind = store_link_put(answer->api->store, link, &is_new, &dropped);
    forget_dropped(answer->api, &dropped);
    if (kind != OK) {
        why_set(&answer->why, kind, NULL, "the link cannot be kept: %s", err_text(kind));
        answer_fail(answer, kind, 0);
        return;
    }
    log_info("link.opened", log_str("file", link->remote.file),
             log_int("bytes", (int64_t) link->remote.size));
    answer->status = is_new ? 201 : 200;
    answer->body = link_json(answer->api, link);
}

/* `url` is that of a .torrent where `remote` is NULL. */
static void on_looked(struct api *api, struct request *request, const char *url UNUSED,
                      struct store_remote *remote)
{
    struct store_link link = {0};
    struct why why;
    enum err kind = OK;
    if (remote == NULL) {
        kind = why_set(&why, ERR_BAD_INPUT, "url",
                       "it is a .torrent, which is a download (POST /api/v1/downloads)");
    } else {
        const struct remote_facts facts = api_remote_facts(remote);
        link.remote = *remote;
        kind = remotes_judge(atomic_load(&api->remotes), &facts, &why);
    }
    if (kind == OK) {
        answer_later(
            api, request,
            &(struct answer_plan){
                .work = keep_link, .input = &link, .size = sizeof link, .fini = link_fini});
        return;
    }
    store_link_fini(&link);
    reply_problem(request, STATUS_UNPROCESSABLE, kind, &why);
}

/* The text of the body's `name`, lent; NULL: refused. */
static const char *read_url(struct request *request, struct why *why)
{
    json_t *body = NULL;
    if (request_json(request, &body, why) != OK)
        return NULL;
    const json_t *url = json_object_get(body, "url");
    const char *text = json_string_value(url);
    if (text != NULL && text[0] != '\0' && strlen(text) == json_string_length(url))
        return text;
    why_set(why, ERR_BAD_INPUT, "url", "url is missing: the URL of a film");
    return NULL;
}

void links_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct why why = {0};
    const char *url = read_url(request, &why);
    if (url == NULL) {
        reply_problem(request, 0, ERR_BAD_INPUT, &why);
        return;
    }
    api_look(api, request, url, on_looked);
}

/* --- GET, DELETE --- */

struct listing {
    struct api *api;
    json_t *items;
};

static void list_one(void *ctx, const struct store_link *link)
{
    const struct listing *listing = ctx;
    json_array_append_new(listing->items, link_json(listing->api, link));
}

static void list(struct answer *answer)
{
    struct listing listing = {answer->api, json_array()};
    enum err kind = store_links_each(answer->api->store, answer->user.id, list_one, &listing);
    if (kind == OK) {
        answer->body = json_pack("{s:o, s:n}", "items", listing.items, "next");
        return;
    }
    json_decref(listing.items);
    answer_fail(answer, kind, 0);
}

void links_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void leave(struct answer *answer)
{
    struct store_dropped dropped = {0};
    enum err kind = store_link_remove(answer->api->store, answer->input, answer->user.id, &dropped);
    forget_dropped(answer->api, &dropped);
    answer->status = 204;
    if (kind == OK)
        return;
    why_set(&answer->why, kind, NULL, "there is no such link");
    answer_fail(answer, kind, 0);
}

void link_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, leave);
}

/* --- their files --- */

enum err links_open_file(struct api *api, const char *id, struct source **out, char **name,
                         struct why *why)
{
    struct store_remote remote;
    struct remotes *remotes = atomic_load(&api->remotes);
    enum err kind = remotes != NULL ? store_remote_find(api->store, id, &remote) : ERR_NOT_FOUND;
    if (kind != OK)
        return kind;
    const struct remote_facts facts = api_remote_facts(&remote);
    kind = remotes_open(remotes, &facts, out, why);
    if (kind == OK)
        *name = look_name(remote.url);
    store_remote_fini(&remote);
    return kind;
}

static void tell(void *arg)
{
    struct news *news = arg;
    downloads_tell_fetched(news->api, news->id);
    /* Found, not opened: one that failed is begun anew by who presses play, not by its news. */
    struct source *source = NULL;
    if (playbacks_play(news->api->playbacks, news->id))
        source = remotes_find(atomic_load(&news->api->remotes), news->id);
    if (source != NULL)
        playbacks_available(news->api, news->id, availability_json(source));
    source_unref(&source);
    api_leave(news->api);
    mem_free(news);
}

void api_remote_changed(void *ctx, const char *id)
{
    struct api *api = ctx;
    api_spread(api, id, api->pool, tell);
}

void api_set_remotes(struct api *api, struct remotes *remotes)
{
    atomic_store(&api->remotes, remotes);
    fetched_open_all(api);
    downloads_remember_all(api);
}
