/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A .torrent that is named by its URL: fetched as everything from outside is, never by libtorrent.
 * Life: asked -> head -> bytes -> handed on | refused. Threads: the request's loop. */
#include <stdio.h>

#include "api/inside.h"
#include "base/mem.h"
#include "fetch/fetch.h"

enum {
    TORRENT_BYTES = 10 * 1024 * 1024,
    TOTAL_MS = 60000,
};

struct torrent_fetch {
    struct api *api;
    struct request *request; /* NULL once answered or gone */
    struct fetch_transfer *transfer;
    api_torrent_fn *then;
    const char *field;
    struct str bytes;
};

static void on_gone(void *ctx)
{
    struct torrent_fetch *fetch = ctx;
    fetch_end(&fetch->transfer);
    str_fini(&fetch->bytes);
    mem_free(fetch);
}

static struct request *take_request(struct torrent_fetch *fetch)
{
    struct request *request = fetch->request;
    fetch_end(&fetch->transfer);
    fetch->request = NULL;
    return request;
}

static void refuse(struct torrent_fetch *fetch, int status, enum err kind, const struct why *why)
{
    reply_problem(take_request(fetch), status, kind, why);
}

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct torrent_fetch *fetch = ctx;
    struct why why;
    if (fetch->request == NULL || head->status == 200)
        return;
    enum err kind =
        why_set(&why, ERR_IO, fetch->field, "the server answered with status %d", head->status);
    refuse(fetch, STATUS_BAD_GATEWAY, kind, &why);
}

/* A bencoded dictionary begins with "d": what does not is not read to its end. */
static bool on_data(void *ctx, const uint8_t *bytes, size_t size)
{
    struct torrent_fetch *fetch = ctx;
    struct why why;
    if (fetch->request == NULL)
        return false;
    str_append(&fetch->bytes, bytes, size);
    if (fetch->bytes.at[0] == 'd')
        return true;
    enum err kind = why_set(&why, ERR_BAD_INPUT, fetch->field, "what is there is no .torrent");
    refuse(fetch, STATUS_UNPROCESSABLE, kind, &why);
    return false;
}

static void on_done(void *ctx, enum err kind, const struct why *said)
{
    struct torrent_fetch *fetch = ctx;
    struct why why = *said;
    if (fetch->request == NULL)
        return;
    if (kind == OK && fetch->bytes.length == 0)
        kind = why_set(&why, ERR_BAD_INPUT, NULL, "what is there is empty");
    snprintf(why.field, sizeof why.field, "%s", fetch->field);
    if (kind != OK) {
        refuse(fetch, kind == ERR_LIMIT ? STATUS_UNPROCESSABLE : remote_failure_status(kind), kind,
               &why);
        return;
    }
    size_t size = fetch->bytes.length;
    char *bytes = str_take(&fetch->bytes);
    fetch->then(fetch->api, take_request(fetch), bytes, size);
}

static const struct fetch_events events = {on_head, on_data, on_done};

void api_fetch_torrent(struct api *api, struct request *request, const char *field, const char *url,
                       api_torrent_fn *then)
{
    if (remote_asks_itself(api, request))
        return;
    struct torrent_fetch *fetch = mem_new(struct torrent_fetch);
    fetch->api = api;
    fetch->request = request;
    fetch->then = then;
    fetch->field = field;
    const struct fetch_order order = {.url = url,
                                      .limit_bytes = TORRENT_BYTES,
                                      .total_ms = TOTAL_MS,
                                      .events = &events,
                                      .ctx = fetch,
                                      .mailbox = request_mailbox(request)};
    fetch->transfer = fetch_begin(api->fetch, &order);
    request_on_gone(request, on_gone, fetch);
}
