/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Storyboards and their sheets, out of the cache, which is read on the pool. A film that has none yet is
 * put on the list of those to make one of, and answers with a text that has no cue yet, and Retry-After:
 * whoever looks for a picture has lost nothing, and is told no failure. One that never will have any
 * answers 404, or a text without a cue where that was found out by trying. */
#include <string.h>

#include "base/mem.h"
#include "hls/routes.h"

enum { MOST_BYTES = 8 << 20 }; /* a sheet is at most 4 MiB, the text a few KB */

/* Life: looked up on the pool -> answered; freed when that is over and the request is gone. */
struct look {
    struct hls *hls;
    struct request *request; /* NULL once answered or gone */
    struct film *film;       /* of a text; NULL: a sheet */
    struct cache_key key;
    uint8_t *bytes;
    size_t size;
    enum err kind;
    unsigned holders;
};

static void let_go(struct look *look)
{
    if (--look->holders > 0)
        return;
    film_unref(&look->film);
    mem_free(look->bytes);
    mem_free(look);
}

static void on_gone(void *ctx)
{
    struct look *look = ctx;
    look->request = NULL;
    let_go(look);
}

static enum err read_all(struct look *look, struct segment *segment)
{
    struct segment_view view;
    segment_look(segment, &view);
    if (view.bytes == 0 || view.bytes > MOST_BYTES)
        return ERR_NOT_FOUND;
    look->bytes = mem_zalloc((size_t) view.bytes);
    while (look->size < view.bytes) {
        size_t got = 0;
        enum err kind = segment_read(segment, look->bytes + look->size,
                                     (size_t) view.bytes - look->size, look->size, &got);
        if (kind != OK)
            return kind;
        look->size += got;
    }
    return OK;
}

/* On the pool. */
static void find(void *arg)
{
    struct look *look = arg;
    CLEANUP(segment_unref) struct segment *segment = NULL;
    look->kind = cache_find(look->hls->pictures, &look->key, &segment);
    if (look->kind == OK)
        look->kind = read_all(look, segment);
    if (look->kind != OK || look->film == NULL)
        return;
    struct slice text = {(const char *) look->bytes, look->size};
    if (!storyboard_is_whole(look->hls->pictures, look->film->id, text))
        look->kind = ERR_NOT_FOUND;
}

/* --- answers --- */

struct wish {
    struct hls *hls;
    struct film *film;
};

static void want(void *arg)
{
    struct wish *wish = arg;
    storyboards_want(wish->hls, wish->film);
    film_unref(&wish->film);
    mem_free(wish);
}

static void reply_none(struct request *request, struct hls *hls, struct film *film)
{
    static const char text[] = "WEBVTT\n";
    static const struct reply_bytes_options options = {.content_type = "text/vtt; charset=utf-8",
                                                       .cache_control = "no-store"};
    struct wish *wish = mem_new(struct wish);
    *wish = (struct wish){hls, film_ref(film)};
    mailbox_post(hls->mailbox, want, wish);
    reply_retry_after(request, 5);
    reply_bytes(request, 200, &options, text, sizeof text - 1);
}

static void reply_found(struct request *request, const struct look *look)
{
    const struct reply_bytes_options text = {.content_type = "text/vtt; charset=utf-8",
                                             .cache_control = "private, no-cache",
                                             .compressible = true,
                                             .etag = true};
    const struct reply_bytes_options sheet = {.content_type = "image/jpeg",
                                              .cache_control =
                                                  "private, max-age=31536000, immutable",
                                              .etag = true,
                                              .ranges = true};
    /* They were made of bytes that we did not write (architecture, "Never"). */
    reply_header(request, "content-security-policy", "sandbox; default-src 'none'");
    reply_bytes(request, 200, look->film != NULL ? &text : &sheet, look->bytes, look->size);
}

static void found(void *arg)
{
    struct look *look = arg;
    struct request *request = look->request;
    struct why why;
    look->request = NULL;
    if (request == NULL)
        ;
    else if (look->kind == OK)
        reply_found(request, look);
    else if (look->film != NULL)
        reply_none(request, look->hls, look->film);
    else
        routes_reply_failure(
            request, why_set(&why, ERR_NOT_FOUND, NULL, "the film has no such pictures"), &why);
    let_go(look);
}

static void start(struct request *request, struct hls *hls, struct film *film,
                  const struct cache_key *key)
{
    struct look *look = mem_new(struct look);
    struct why why;
    *look = (struct look){.hls = hls, .request = request, .film = film, .key = *key, .holders = 2};
    request_on_gone(request, on_gone, look);
    if (pool_run(hls->pool, find, found, look, request_mailbox(request)) == OK)
        return;
    look->request = NULL;
    routes_reply_failure(request, why_set(&why, ERR_BUSY, NULL, "the disk is busy"), &why);
    let_go(look);
}

static bool has_picture(const struct film *film)
{
    for (uint32_t i = 0; i < film->plan->rendition_count; i++)
        if (film->plan->renditions[i].kind == PLAN_VIDEO)
            return true;
    return false;
}

void routes_serve_storyboard(struct request *request, struct hls *hls, struct film *film)
{
    struct cache_key key;
    struct why why;
    if (hls->pictures == NULL || !has_picture(film)) {
        routes_reply_failure(
            request, why_set(&why, ERR_NOT_FOUND, NULL, "there are no pictures of this film"),
            &why);
        return;
    }
    storyboard_key(film, &key);
    start(request, hls, film_ref(film), &key);
}

void routes_serve_sheet(struct request *request, struct hls *hls, struct slice name)
{
    static const char suffix[] = ".jpg";
    const size_t hex = STORYBOARD_NAME_SIZE - 1;
    struct slice file = request_param(request, 0);
    char id[FILM_ID_SIZE];
    struct cache_key key;
    struct why why;
    bool is_name = name.length == hex + sizeof suffix - 1 && file.length < sizeof id &&
                   memcmp(name.at + hex, suffix, sizeof suffix - 1) == 0;
    if (hls->pictures == NULL || !is_name) {
        routes_reply_failure(
            request, why_set(&why, ERR_NOT_FOUND, NULL, "the film has no such pictures"), &why);
        return;
    }
    memcpy(id, file.at, file.length);
    id[file.length] = '\0';
    storyboard_sheet_key(id, (struct slice){name.at, hex}, &key);
    start(request, hls, NULL, &key);
}
