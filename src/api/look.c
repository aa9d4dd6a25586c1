/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A look at what another server has under a URL: a byte of it is asked for, its head says the rest.
 * Life of a look: asked -> head -> handed on | refused. Threads: the request's loop. */
#include <string.h>
#include <strings.h>

#include "api/inside.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "http/query.h"
#include "store/links.h"

enum { LOOK_MS = 20000 };

struct look {
    struct api *api;
    struct request *request; /* NULL once answered or gone */
    struct fetch_transfer *transfer;
    char *url;
    api_looked_fn *then;
};

/* Where the path of a URL begins; *host_length: of what stands before it. */
static const char *path_of(const char *url, const char **host, size_t *host_length)
{
    const char *slashes = strstr(url, "://");
    *host = slashes != NULL ? slashes + 3 : url;
    *host_length = strcspn(*host, "/?#");
    return *host + *host_length;
}

char *look_name(const char *url)
{
    const char *host = NULL;
    size_t host_length = 0;
    const char *path = path_of(url, &host, &host_length);
    size_t end = strcspn(path, "?#");
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    if (begin == end)
        return mem_strndup(host, host_length);
    char *name = mem_zalloc(end - begin + 1);
    size_t length = 0;
    const struct slice raw = {path + begin, end - begin};
    if (percent_decode(raw, name, &length) != OK) {
        memcpy(name, raw.at, raw.length);
        length = raw.length;
    }
    name[length] = '\0';
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '/' || (unsigned char) *at < ' ' ? '_' : *at;
    return name;
}

static void on_gone(void *ctx)
{
    struct look *look = ctx;
    fetch_end(&look->transfer);
    mem_free(look->url);
    mem_free(look);
}

static struct request *take_request(struct look *look)
{
    struct request *request = look->request;
    fetch_end(&look->transfer);
    look->request = NULL;
    return request;
}

static bool is_torrent(const struct look *look, const struct fetch_head *head)
{
    CLEANUP(mem_free_at) char *name = look_name(look->url);
    size_t length = strlen(name);
    return strncasecmp(head->type, "application/x-bittorrent", 24) == 0 ||
           (length > 8 && strcasecmp(name + length - 8, ".torrent") == 0);
}

/* BAD_MEDIA: it is no film, or none that can be played from there. */
static enum err judge(const struct look *look, const struct fetch_head *head,
                      struct store_remote *out, struct why *why)
{
    bool is_ranged = head->status == 206 && head->first == 0;
    uint64_t size = is_ranged ? head->total : head->length;
    if (head->status != 200 && !is_ranged)
        return why_set(why, ERR_IO, "url", "its server answered with status %d", head->status);
    if (!remote_is_media_type(head->type))
        return why_set(why, ERR_BAD_MEDIA, "url", "it is no video: its server calls it %.100s",
                       head->type);
    if (size == FETCH_UNKNOWN || size > INT64_MAX)
        return why_set(why, ERR_BAD_MEDIA, "url",
                       "its server does not say how long it is, which must be known to seek in it");
    if (size == 0)
        return why_set(why, ERR_BAD_MEDIA, "url", "it is empty");
    *out = (struct store_remote){.url = mem_strdup(look->url),
                                 .type = mem_strdup(head->type),
                                 .etag = mem_strdup(head->etag),
                                 .modified = mem_strdup(head->modified),
                                 .size = size,
                                 .is_ranged = is_ranged};
    return OK;
}

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct look *look = ctx;
    struct store_remote remote = {0};
    struct why why;
    if (look->request == NULL)
        return;
    bool is_there = head->status == 200 || head->status == 206;
    if (is_there && is_torrent(look, head)) {
        look->then(look->api, take_request(look), look->url, NULL);
        return;
    }
    enum err kind = judge(look, head, &remote, &why);
    if (kind == OK)
        look->then(look->api, take_request(look), look->url, &remote);
    else
        reply_problem(take_request(look),
                      kind == ERR_BAD_MEDIA ? STATUS_UNPROCESSABLE : STATUS_BAD_GATEWAY, kind,
                      &why);
}

static void on_done(void *ctx, enum err kind, const struct why *why)
{
    struct look *look = ctx;
    if (look->request != NULL)
        reply_problem(take_request(look), remote_failure_status(kind), kind, why);
}

static const struct fetch_events events = {.head = on_head, .done = on_done};

void api_look(struct api *api, struct request *request, const char *url, api_looked_fn *then)
{
    if (remote_asks_itself(api, request))
        return;
    struct look *look = mem_new(struct look);
    look->api = api;
    look->request = request;
    look->url = mem_strdup(url);
    look->then = then;
    const struct fetch_order order = {.url = look->url,
                                      .range = "0-0",
                                      .total_ms = LOOK_MS,
                                      .events = &events,
                                      .ctx = look,
                                      .mailbox = request_mailbox(request)};
    look->transfer = fetch_begin(api->fetch, &order);
    request_on_gone(request, on_gone, look);
}
