/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/cors.h"
#include "http/encode.h"
#include "http/status.h"

/* --- headers that every reply bears (the page's own list is decision 40) --- */

#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "                 \
    "img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; "                            \
    "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "            \
    "form-action 'self'; frame-ancestors 'none'"

static const struct {
    const char *name, *value;
} COMMON[] = {
    {"x-content-type-options", "nosniff"},
    {"referrer-policy", "no-referrer"},
    {"cross-origin-resource-policy", "same-origin"},
    {"permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};

static bool has_header(const h2o_req_t *h2o, const char *name)
{
    return h2o_find_header_by_str(&h2o->res.headers, name, strlen(name), -1) >= 0;
}

static void add_header(h2o_req_t *h2o, const char *name, const char *value)
{
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, name, strlen(name), 1, NULL, value,
                          strlen(value));
}

void reply_add_common(h2o_filter_t *filter UNUSED, h2o_req_t *h2o, h2o_ostream_t **slot)
{
    for (size_t i = 0; i < sizeof COMMON / sizeof COMMON[0]; i++)
        if (!has_header(h2o, COMMON[i].name))
            add_header(h2o, COMMON[i].name, COMMON[i].value);
    h2o_setup_next_ostream(h2o, slot);
}

bool reply_has_header(const struct request *request, const char *name)
{
    return has_header(request->h2o, name);
}

void reply_header(struct request *request, const char *name, const char *value)
{
    h2o_req_t *h2o = request->h2o;
    h2o_iovec_t copy = h2o_strdup(&h2o->pool, value, SIZE_MAX);
    for (size_t i = 0; i < copy.len; i++)
        if (copy.base[i] == '\r' || copy.base[i] == '\n')
            copy.base[i] = ' '; /* whatever it was made of, it stays one header */
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, name, strlen(name), 1, NULL, copy.base,
                          copy.len);
}

void reply_retry_after(struct request *request, int seconds)
{
    char text[16];
    snprintf(text, sizeof text, "%d", seconds);
    reply_header(request, "retry-after", text);
}

/* --- the core --- */

static void count_answer(struct request *request, int status)
{
    struct worker_counters *counters = &request->worker->counters;
    unsigned group = status >= 100 && status < 600 ? (unsigned) status / 100 : 5;
    atomic_fetch_add_explicit(&counters->answers[group], 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&counters->held, 1, memory_order_relaxed);
}

static void settle_caching(struct request *request, int status)
{
    h2o_req_t *h2o = request->h2o;
    if (status >= 400)
        h2o_set_header_by_str(&h2o->pool, &h2o->res.headers, "cache-control", 13, 1, "no-store", 8,
                              1);
    else if (!has_header(h2o, "cache-control"))
        add_header(h2o, "cache-control", "no-store");
    if ((status == 503 || status == 429) && !has_header(h2o, "retry-after"))
        add_header(h2o, "retry-after", "1");
    if (status == 401)
        add_header(h2o, "www-authenticate", "Bearer"); /* RFC 9110 11.6.1 asks for one */
}

void reply_begin(struct request *request, int status, const char *content_type)
{
    h2o_req_t *h2o = request->h2o;
    MUST(!request->is_answered);
    request->is_answered = true;
    count_answer(request, status);
    h2o->res.status = status;
    h2o->res.reason = status_phrase(status);
    if (content_type != NULL) {
        add_header(h2o, "content-type", content_type);
        if (strncmp(content_type, "text/html", 9) == 0 &&
            !has_header(h2o, "content-security-policy"))
            add_header(h2o, "content-security-policy", PAGE_POLICY);
    }
    settle_caching(request, status);
    cors_add(request);
}

static void send_whole(struct request *request, struct slice body)
{
    static const h2o_generator_t NOTHING_MORE = {NULL, NULL};
    h2o_req_t *h2o = request->h2o;
    h2o_iovec_t bytes = h2o_iovec_init(body.at, body.length);
    h2o_start_response(h2o, (h2o_generator_t *) &NOTHING_MORE); /* h2o only reads it */
    bool is_empty = request->is_head || body.length == 0;
    h2o_send(h2o, &bytes, is_empty ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void reply_lent(struct request *request, int status, const char *content_type, struct slice body)
{
    reply_begin(request, status, content_type);
    /* RFC 9110 8.6: no Content-Length where there cannot be content. */
    if (status != 204 && status != 304)
        request->h2o->res.content_length = body.length;
    send_whole(request, body);
}

void reply_empty(struct request *request, int status)
{
    reply_lent(request, status, NULL, SLICE(""));
}

void reply_redirect(struct request *request, int status, const char *location)
{
    reply_header(request, "location", location);
    reply_empty(request, status);
}

void reply_last_words(struct request *request)
{
    request->h2o->http1_is_persistent = 0;
    reply_empty(request, 503);
}

/* --- bodies --- */

static struct slice copy_body(struct request *request, struct slice body)
{
    h2o_iovec_t copy = h2o_strdup(&request->h2o->pool, body.at, body.length);
    return slice_of_iovec(copy);
}

/* True when it went out as gzip. */
static bool reply_packed(struct request *request, int status, const char *content_type,
                         const char *etag, struct slice body)
{
    if (!encoding_is_accepted(request_header(request, "accept-encoding"), "gzip"))
        return false;
    struct str packed;
    str_init(&packed);
    bool pays = gzip_append(&packed, body.at, body.length);
    if (pays) {
        reply_header(request, "content-encoding", "gzip");
        if (etag != NULL)
            reply_header(request, "etag", etag);
        reply_lent(request, status, content_type,
                   copy_body(request, (struct slice){packed.at, packed.length}));
    }
    str_fini(&packed);
    return pays;
}

char *json_line(json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_DIGITS);
    json_decref(body);
    MUST(text != NULL); /* what we build is UTF-8 without loops */
    return text;
}

void reply_json(struct request *request, int status, json_t *body)
{
    char *text = json_line(body);
    struct slice all = slice_of(text);
    const char *type = status >= 400 ? "application/problem+json" : "application/json";
    reply_header(request, "vary", "accept-encoding");
    if (!reply_packed(request, status, type, NULL, all))
        reply_lent(request, status, type, copy_body(request, all));
    mem_free(text);
}

/* Words may hold names of files, which may hold anything. */
static json_t *json_of_text(const char *text)
{
    struct str clean;
    str_init(&clean);
    str_append_utf8(&clean, text, strlen(text));
    json_t *string = json_string(str_text(&clean));
    str_fini(&clean);
    return string;
}

void reply_problem(struct request *request, int status, enum err kind, const struct why *why)
{
    if (status == 0)
        status = status_of_err(kind);
    bool said = why != NULL && why->text[0] != '\0';
    json_t *body =
        json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", status_phrase(status),
                  "status", status, "detail", json_of_text(said ? why->text : err_text(kind)));
    MUST(body != NULL);
    if (why != NULL && why->field[0] != '\0')
        json_object_set_new(body, "field", json_of_text(why->field));
    reply_json(request, status, body);
}

bool reply_not_modified(struct request *request, const char *etag)
{
    if (!etag_list_has(request_header(request, "if-none-match"), etag))
        return false;
    reply_header(request, "etag", etag);
    reply_empty(request, 304);
    return true;
}

void reply_range_problem(struct request *request, uint64_t size)
{
    struct why why;
    struct str range;
    str_init(&range);
    str_printf(&range, "bytes */%llu", (unsigned long long) size);
    reply_header(request, "content-range", str_text(&range));
    str_fini(&range);
    (void) why_set(&why, ERR_BAD_INPUT, NULL, "the range begins after the end (%llu bytes)",
                   (unsigned long long) size);
    reply_problem(request, 416, ERR_BAD_INPUT, &why);
}

void reply_ranged(struct request *request, const char *content_type, const char *etag,
                  struct slice body)
{
    struct range range;
    if (request_range(request, body.length, etag, &range) != OK) {
        reply_range_problem(request, body.length);
        return;
    }
    reply_header(request, "accept-ranges", "bytes");
    if (etag != NULL)
        reply_header(request, "etag", etag);
    if (range.is_partial) {
        struct str text;
        str_init(&text);
        str_printf(&text, "bytes %llu-%llu/%zu", (unsigned long long) range.first,
                   (unsigned long long) (range.first + range.length - 1), body.length);
        reply_header(request, "content-range", str_text(&text));
        str_fini(&text);
    }
    reply_lent(request, range.is_partial ? 206 : 200, content_type,
               (struct slice){body.at + range.first, range.length});
}

void reply_bytes(struct request *request, int status, const struct reply_bytes_options *options,
                 const void *bytes, size_t size)
{
    struct slice all = {size > 0 ? bytes : "", size};
    char plain[ETAG_SIZE], packed[ETAG_SIZE];
    bool tagged = options->etag && status == 200;
    if (options->cache_control != NULL)
        reply_header(request, "cache-control", options->cache_control);
    if (options->compressible)
        reply_header(request, "vary", "accept-encoding");
    if (tagged) {
        etag_make(bytes, size, "", plain);
        memcpy(packed, plain, sizeof packed);
        memcpy(packed + strlen(packed) - 1, "-gz\"", 5);
        bool may_pack = options->compressible &&
                        encoding_is_accepted(request_header(request, "accept-encoding"), "gzip");
        if ((may_pack && reply_not_modified(request, packed)) || reply_not_modified(request, plain))
            return;
    }
    bool ranged = options->ranges && status == 200;
    bool wants_part = ranged && request_header(request, "range").at != NULL;
    if (options->compressible && !wants_part &&
        reply_packed(request, status, options->content_type, tagged ? packed : NULL, all))
        return;
    if (ranged) {
        reply_ranged(request, options->content_type, tagged ? plain : NULL,
                     copy_body(request, all));
        return;
    }
    if (tagged)
        reply_header(request, "etag", plain);
    reply_lent(request, status, options->content_type, copy_body(request, all));
}
