/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /stream?url= and /api/validate?url=: a video of another server, passed through in ranges, and what
 * there is to know of it. Nothing is kept: what the client does not take is not asked for.
 * Life of a stream: asked -> head -> data, as the client takes it -> done | broken -> gone.
 * Threads: the request's loop. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"
#include "fetch/fetch.h"

enum { LONGEST_MS = 12 * 3600 * 1000, STATUS_LOOP = 508 };

struct remote {
    struct request *request; /* NULL once answered or gone */
    struct fetch_transfer *transfer;
    bool has_stream;       /* it is the stream's from then on, and goes with it */
    struct stream *stream; /* NULL until it pulls for the first time */
    struct str waiting, sending;
    uint64_t left; /* of the body, where its length was announced */
    uint64_t
        asked_first; /* byte of the part that was asked for; FETCH_UNKNOWN: so many from the end */
    bool is_ranged, can_write, is_held, is_done, is_failed;
};

/* --- what may be said of bytes that we did not write (architecture.md, Never) --- */

/* Without "+": a browser runs what ends with +xml. */
static bool is_token(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

/* The type as it may be said, or NULL. */
static const char *safe_type(const char *said, char out[80])
{
    static const char *const whole[] = {"image/jpeg", "image/png", "image/webp", "text/vtt",
                                        "text/plain"};
    static const char *const kinds[] = {"video/", "audio/", "font/"};
    size_t length = strcspn(said, "; \t");
    if (length == 0 || length >= 80)
        return NULL;
    for (size_t i = 0; i < length; i++)
        out[i] = char_lower(said[i]);
    out[length] = '\0';
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcmp(out, whole[i]) == 0)
            return whole[i];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(out, kinds[i], strlen(kinds[i])) == 0 && is_token(out + strlen(kinds[i])))
            return out;
    return NULL;
}

/* --- asking --- */

static bool is_range(struct slice text)
{
    static const char unit[] = "bytes=";
    size_t digits = 0, dashes = 0;
    if (!slice_starts(text, unit) || text.length > 60)
        return false;
    for (size_t i = strlen(unit); i < text.length; i++) {
        digits += text.at[i] >= '0' && text.at[i] <= '9' ? 1 : 0;
        dashes += text.at[i] == '-' ? 1 : 0;
    }
    return dashes == 1 && digits > 0 && digits + dashes + strlen(unit) == text.length;
}

static void remote_free(struct remote *remote)
{
    fetch_end(&remote->transfer);
    str_fini(&remote->waiting);
    str_fini(&remote->sending);
    mem_free(remote);
}

static void on_gone(void *ctx)
{
    struct remote *remote = ctx;
    remote->request = NULL;
    if (!remote->has_stream)
        remote_free(remote);
}

bool remote_asks_itself(const struct api *api, struct request *request)
{
    struct why why;
    if (!fetch_is_ours(api->fetch, request_header(request, "via")))
        return false;
    why_set(&why, ERR_REFUSED, "url", "the URL leads back to this server");
    reply_problem(request, STATUS_LOOP, ERR_REFUSED, &why);
    return true;
}

/* False: it was refused. */
static bool ask(struct request *request, struct api *api, const struct fetch_events *events,
                const char *range, struct remote *remote)
{
    struct why why;
    struct slice url = request_query(request, "url");
    if (url.length == 0 || memchr(url.at, '\0', url.length) != NULL) {
        reply_problem(request, 0, why_set(&why, ERR_BAD_INPUT, "url", "url is missing"), &why);
        return false;
    }
    if (remote_asks_itself(api, request))
        return false;
    CLEANUP(mem_free_at) char *text = mem_strndup(url.at, url.length);
    const struct fetch_order order = {.url = text,
                                      .is_head = request_is_head(request),
                                      .range = range,
                                      .total_ms = LONGEST_MS,
                                      .events = events,
                                      .ctx = remote,
                                      .mailbox = request_mailbox(request)};
    remote->request = request;
    remote->transfer = fetch_begin(api->fetch, &order);
    request_on_gone(request, on_gone, remote);
    return true;
}

static struct request *take_request(struct remote *remote)
{
    struct request *request = remote->request;
    remote->request = NULL;
    return request;
}

/* --- /stream --- */

int remote_failure_status(enum err kind)
{
    bool is_upstream = kind == ERR_IO || kind == ERR_TIMEOUT || kind == ERR_NOT_FOUND;
    return is_upstream ? STATUS_BAD_GATEWAY : 0;
}

static void refuse(struct remote *remote, enum err kind, const struct why *why)
{
    fetch_end(&remote->transfer);
    reply_problem(take_request(remote), remote_failure_status(kind), kind, why);
}

static void flush(struct remote *remote)
{
    struct str empty = remote->sending;
    if (!remote->can_write || remote->waiting.length == 0)
        return;
    str_clear(&empty);
    remote->sending = remote->waiting;
    remote->waiting = empty;
    remote->can_write = false;
    stream_write(remote->stream, remote->sending.at, remote->sending.length, false);
}

static void go_on(struct remote *remote)
{
    flush(remote);
    if (remote->waiting.length > 0)
        return;
    if (remote->is_done && remote->can_write) {
        remote->can_write = false;
        stream_write(remote->stream, "", 0, true);
    } else if (remote->is_held && remote->can_write) {
        remote->is_held = false;
        fetch_more(remote->transfer);
    }
}

static void on_pull(void *ctx, struct stream *stream)
{
    struct remote *remote = ctx;
    remote->stream = stream;
    remote->can_write = true;
    if (remote->is_failed)
        stream_break(stream);
    else
        go_on(remote);
}

static void on_stream_gone(void *ctx)
{
    remote_free(ctx);
}

static const struct stream_source stream_events = {.pull = on_pull, .gone = on_stream_gone};

static void put_headers(struct request *request, const struct fetch_head *head, const char *type)
{
    char text[80];
    reply_header(request, "cache-control", "private, no-store");
    reply_header(request, "content-security-policy", "sandbox; default-src 'none'");
    reply_header(request, "cross-origin-resource-policy", "same-origin");
    reply_header(request, "accept-ranges",
                 head->accepts_ranges || head->status == 206 ? "bytes" : "none");
    if (type == NULL)
        reply_header(request, "content-disposition", "attachment");
    if (head->status != 206 || head->length == FETCH_UNKNOWN)
        return;
    int written = snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/", head->first,
                           head->first + head->length - 1);
    if (head->total != FETCH_UNKNOWN)
        snprintf(text + written, sizeof text - (size_t) written, "%" PRIu64, head->total);
    else
        snprintf(text + written, sizeof text - (size_t) written, "*");
    reply_header(request, "content-range", text);
}

/* The part that was asked for; it may end early (RFC 9110 15.3.7). */
static bool is_part(const struct remote *remote, const struct fetch_head *head)
{
    bool is_from_end = remote->asked_first == FETCH_UNKNOWN;
    return head->status == 206 && remote->is_ranged && head->first != FETCH_UNKNOWN &&
           (is_from_end || head->first == remote->asked_first) && head->length != FETCH_UNKNOWN &&
           head->length > 0;
}

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct remote *remote = ctx;
    struct why why;
    char lower[80];
    if (remote->request == NULL)
        return;
    if (head->status == 416) {
        why_set(&why, ERR_BAD_INPUT, NULL, "the range lies outside of the file");
        fetch_end(&remote->transfer);
        reply_problem(take_request(remote), 416, ERR_BAD_INPUT, &why);
        return;
    }
    if (head->status != 200 && !is_part(remote, head)) {
        refuse(remote,
               why_set(&why, ERR_IO, "url", "the server answered with status %d%s", head->status,
                       head->status == 206 ? ", and not with what it was asked for" : ""),
               &why);
        return;
    }
    const char *type = safe_type(head->type, lower);
    struct request *request = take_request(remote);
    put_headers(request, head, type);
    remote->left = head->length;
    remote->has_stream = true; /* which may be over before this returns */
    (void) stream_start(request, head->status, type != NULL ? type : "application/octet-stream",
                        head->length == FETCH_UNKNOWN ? -1 : (int64_t) head->length, &stream_events,
                        remote);
}

static void on_done(void *ctx, enum err kind, const struct why *why);

static bool on_data(void *ctx, const uint8_t *bytes, size_t size)
{
    struct remote *remote = ctx;
    if (remote->left != FETCH_UNKNOWN && size > remote->left) {
        on_done(remote, ERR_IO, NULL);
        return false;
    }
    remote->left -= remote->left != FETCH_UNKNOWN ? size : 0;
    str_append(&remote->waiting, bytes, size);
    flush(remote);
    remote->is_held = remote->waiting.length > 0;
    return !remote->is_held;
}

static void on_done(void *ctx, enum err kind, const struct why *why)
{
    struct remote *remote = ctx;
    if (remote->request != NULL) {
        refuse(remote, kind != OK ? kind : ERR_IO, why);
        return;
    }
    remote->is_done = kind == OK;
    remote->is_failed = kind != OK;
    if (kind == OK)
        go_on(remote);
    else if (remote->stream != NULL)
        stream_break(remote->stream);
}

static const struct fetch_events remote_events = {on_head, on_data, on_done};

void stream_get(struct request *request, void *api)
{
    struct remote *remote = mem_new(struct remote);
    struct slice range = request_header(request, "range");
    CLEANUP(mem_free_at) char *text = NULL;
    remote->is_ranged = is_range(range);
    if (remote->is_ranged) {
        text = mem_strndup(range.at + strlen("bytes="), range.length - strlen("bytes="));
        remote->asked_first = text[0] != '-' ? strtoull(text, NULL, 10) : FETCH_UNKNOWN;
    }
    if (!ask(request, api, &remote_events, text, remote))
        mem_free(remote);
}

/* --- /api/validate --- */

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_text(text) : json_null();
}

bool remote_is_media_type(const char *type)
{
    static const char *const others[] = {"text/", "application/json", "application/xml",
                                         "application/xhtml", "image/"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_is_nocase((struct slice){type, strnlen(type, strlen(others[i]))}, others[i]))
            return false;
    return true;
}

static void tell(struct remote *remote, json_t *body)
{
    fetch_end(&remote->transfer);
    reply_json(take_request(remote), 200, body);
}

static void on_validate_head(void *ctx, const struct fetch_head *head)
{
    struct remote *remote = ctx;
    bool is_ranged = head->status == 206 && head->first == 0;
    uint64_t length = is_ranged ? head->total : head->length;
    bool is_there = head->status == 200 || is_ranged;
    if (remote->request == NULL)
        return;
    json_t *body = json_pack(
        "{s:b, s:o, s:o, s:s, s:b}", "valid", is_there && remote_is_media_type(head->type),
        "content_type", text_or_null(head->type), "content_length",
        length != FETCH_UNKNOWN ? json_integer((json_int_t) length) : json_null(), "accept_ranges",
        is_ranged || head->accepts_ranges ? "bytes" : "none", "supports_range", is_ranged);
    char text[80];
    snprintf(text, sizeof text, "the server answered with status %d", head->status);
    if (!is_there)
        json_object_set_new(body, "reason", json_string(text));
    else if (!remote_is_media_type(head->type))
        json_object_set_new(body, "reason", json_string("it is no video"));
    tell(remote, body);
}

static void on_validate_done(void *ctx, enum err kind UNUSED, const struct why *why)
{
    struct remote *remote = ctx;
    if (remote->request == NULL)
        return;
    tell(remote,
         json_pack("{s:b, s:n, s:n, s:s, s:b, s:o}", "valid", 0, "content_type", "content_length",
                   "accept_ranges", "none", "supports_range", 0, "reason", json_text(why->text)));
}

static const struct fetch_events validate_events = {.head = on_validate_head,
                                                    .done = on_validate_done};

void validate_get(struct request *request, void *api)
{
    struct remote *remote = mem_new(struct remote);
    if (!ask(request, api, &validate_events, "0-0", remote))
        mem_free(remote);
}
