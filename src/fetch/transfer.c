/* SPDX-License-Identifier: GPL-3.0-or-later */
/* curl's side of a transfer. Redirects are followed by us, one by one, so that each target is judged
 * as the first was; the addresses that names lead to are judged when a socket is about to be opened,
 * which no later answer of DNS can change. Threads: fetch's loop. */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "fetch/inside.h"
#include "fetch/reach.h"

enum {
    MOST_REDIRECTS = 5,
    CONNECT_MS = 10 * 1000,
    IDLE_MS = 30 * 1000,
    LINE_MAX_BYTES = 4096,           /* longer header lines say nothing to us */
    HEADERS_MAX_BYTES = 1024 * 1024, /* curl keeps them all, and limits each head but no trailers */
};

/* --- what curl asks and tells --- */

static curl_socket_t on_open(void *ctx, curlsocktype purpose UNUSED, struct curl_sockaddr *asked)
{
    struct fetch_transfer *transfer = ctx;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    bool is_checked = !transfer->target.is_unchecked && transfer->fetch->proxy == NULL;
    if (is_checked && address_from_sockaddr(&asked->addr, &address) != OK)
        return CURL_SOCKET_BAD;
    if (is_checked && (!reach_is_global(&address) || reach_is_own(&address))) {
        address_text(&address, text);
        why_set(&transfer->refused, ERR_REFUSED, "url",
                "it leads to %s, which is no address of the world outside", text);
        return CURL_SOCKET_BAD;
    }
    return socket(asked->family, asked->socktype | SOCK_CLOEXEC, asked->protocol);
}

static void set_text(char **text, struct slice value)
{
    mem_free(*text);
    *text = mem_strndup(value.at, value.length);
}

enum { TEXT_URL, TEXT_TYPE, TEXT_ETAG, TEXT_MODIFIED, TEXT_COUNT };

static void begin_answer(struct fetch_transfer *transfer)
{
    transfer->head = (struct fetch_head){
        .length = FETCH_UNKNOWN, .first = FETCH_UNKNOWN, .total = FETCH_UNKNOWN};
    transfer->part_bytes = 0;
    mem_free_at(&transfer->location);
    for (int i = 0; i < TEXT_COUNT; i++)
        mem_free_at(&transfer->head_texts[i]);
}

static struct slice between(const char *begin, const char *end)
{
    return (struct slice){begin, (size_t) (end - begin)};
}

/* "bytes 0-99/1000", "bytes 0-99/" and an asterisk, RFC 9110 14.4. One that cannot be is none. */
static void read_content_range(struct fetch_transfer *transfer, struct slice value)
{
    static const char unit[] = "bytes ";
    struct fetch_head *head = &transfer->head;
    const char *end = value.at + value.length;
    const char *dash = memchr(value.at, '-', value.length);
    const char *slash = memchr(value.at, '/', value.length);
    uint64_t first, last, total = FETCH_UNKNOWN;
    if (!slice_starts(value, unit) || dash == NULL || slash == NULL || slash < dash)
        return;
    if (slice_number(between(value.at + strlen(unit), dash), INT64_MAX, &first) != OK ||
        slice_number(between(dash + 1, slash), INT64_MAX, &last) != OK)
        return;
    if (!slice_is(between(slash + 1, end), "*") &&
        slice_number(between(slash + 1, end), INT64_MAX, &total) != OK)
        return;
    if (last < first || last >= total)
        return;
    head->first = first;
    head->total = total;
    transfer->part_bytes = last - first + 1;
}

static void read_field(struct fetch_transfer *transfer, struct slice name, struct slice value)
{
    struct fetch_head *head = &transfer->head;
    if (slice_is_nocase(name, "content-type"))
        set_text(&transfer->head_texts[TEXT_TYPE], value);
    else if (slice_is_nocase(name, "etag"))
        set_text(&transfer->head_texts[TEXT_ETAG], value);
    else if (slice_is_nocase(name, "last-modified"))
        set_text(&transfer->head_texts[TEXT_MODIFIED], value);
    else if (slice_is_nocase(name, "location"))
        set_text(&transfer->location, value);
    else if (slice_is_nocase(name, "accept-ranges"))
        head->accepts_ranges = slice_is_nocase(value, "bytes");
    else if (slice_is_nocase(name, "transfer-encoding"))
        transfer->is_coded = !slice_is_nocase(value, "chunked");
    else if (slice_is_nocase(name, "content-range"))
        read_content_range(transfer, value);
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct fetch_transfer *transfer = ctx;
    struct slice text = {line, size * count};
    transfer->header_bytes += text.length;
    if (transfer->header_bytes > HEADERS_MAX_BYTES)
        return 0;
    if (transfer->has_head) /* trailers: the asker has the head in hand */
        return text.length;
    while (text.length > 0 &&
           (text.at[text.length - 1] == '\r' || text.at[text.length - 1] == '\n'))
        text.length--;
    if (slice_starts(text, "HTTP/"))
        begin_answer(transfer);
    const char *colon = text.length < LINE_MAX_BYTES ? memchr(text.at, ':', text.length) : NULL;
    if (colon != NULL)
        read_field(
            transfer, (struct slice){text.at, (size_t) (colon - text.at)},
            slice_trim((struct slice){colon + 1, (size_t) (text.at + text.length - colon - 1)}));
    return transfer->is_coded ? 0 : size * count;
}

static bool is_redirect(const struct fetch_transfer *transfer, long status)
{
    bool is_one = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return is_one && transfer->location != NULL;
}

static long status_of(const struct fetch_transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void tell_head(struct fetch_transfer *transfer)
{
    if (transfer->has_head)
        return;
    set_text(&transfer->head_texts[TEXT_URL], slice_of(transfer->target.url));
    for (int i = 0; i < TEXT_COUNT; i++)
        if (transfer->head_texts[i] == NULL)
            transfer->head_texts[i] = mem_strdup("");
    struct fetch_head head = transfer->head;
    curl_off_t length = -1; /* what curl goes by: of two, or beside chunks, headers may lie */
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    head.length = length >= 0 ? (uint64_t) length : FETCH_UNKNOWN;
    if (head.length != FETCH_UNKNOWN && head.length != transfer->part_bytes)
        head.first = FETCH_UNKNOWN; /* it says two things of its length */
    head.status = (int) status_of(transfer);
    head.url = transfer->head_texts[TEXT_URL];
    head.type = transfer->head_texts[TEXT_TYPE];
    head.etag = transfer->head_texts[TEXT_ETAG];
    head.modified = transfer->head_texts[TEXT_MODIFIED];
    deliver_head(transfer, &head);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct fetch_transfer *transfer = ctx;
    size_t length = size * count;
    if (is_redirect(transfer, status_of(transfer)))
        return length; /* nobody reads that */
    uint64_t limit = transfer->order.limit_bytes;
    if (limit > 0 && length > limit - transfer->received) {
        transfer->is_over_limit = true;
        return 0;
    }
    tell_head(transfer);
    if (!deliver_data(transfer, bytes, length))
        return CURL_WRITEFUNC_PAUSE;
    transfer->received += length;
    return length;
}

/* --- begin, redirect, end --- */

static void set_range(struct fetch_transfer *transfer)
{
    const struct fetch_order *order = &transfer->order;
    struct str text = {0};
    if (order->range == NULL)
        return;
    curl_easy_setopt(transfer->easy, CURLOPT_RANGE, order->range);
    if (order->if_range != NULL) {
        str_printf(&text, "If-Range: %s", order->if_range);
        transfer->headers = curl_slist_append(transfer->headers, str_text(&text));
    }
    str_fini(&text);
}

static void set_header(struct fetch_transfer *transfer, const char *name, const char *value)
{
    CLEANUP(str_fini) struct str text = {0};
    if (value == NULL)
        return;
    str_printf(&text, "%s: %s", name, value);
    transfer->headers = curl_slist_append(transfer->headers, text.at);
}

static void set_form(struct fetch_transfer *transfer)
{
    const struct fetch_order *order = &transfer->order;
    set_header(transfer, "Authorization", order->authorization);
    set_header(transfer, "Accept", order->accept);
    if (order->form == NULL)
        return;
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(order->form));
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, order->form); /* lent */
}

static void set_limits(const struct fetch_transfer *transfer)
{
    const struct fetch_order *order = &transfer->order;
    CURL *easy = transfer->easy;
    long idle_ms = order->idle_ms > 0 ? (long) order->idle_ms : IDLE_MS;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) (idle_ms < CONNECT_MS ? idle_ms : CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (idle_ms + 999) / 1000);
    if (order->total_ms > 0)
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) order->total_ms);
}

static void set_up(struct fetch_transfer *transfer)
{
    const struct fetch *fetch = transfer->fetch;
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, fetch->proxy != NULL ? fetch->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* whatever the environment says */
    /* One connection, one transfer: an asker that takes nothing holds up nobody else's. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    /* A name server that sleeps holds up nobody when its asker leaves. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "matinee/" MATINEE_VERSION);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (fetch->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, fetch->ca_file);
    if (fetch->resolve != NULL)
        curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch->resolve);
    if (transfer->order.is_head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    transfer->headers = curl_slist_append(NULL, fetch->via);
    set_range(transfer);
    set_form(transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    set_limits(transfer);
}

/* To where the target says. False: it was finished. */
static bool go(struct fetch_transfer *transfer, const char *url)
{
    struct fetch *fetch = transfer->fetch;
    struct target target = {0};
    struct why why = {0};
    enum err kind =
        target_judge(url, transfer->origin, (const char *const *) fetch->allowed, &target, &why);
    if (kind != OK) {
        transfer_finish(transfer, kind, &why);
        return false;
    }
    target_fini(&transfer->target);
    transfer->target = target;
    transfer->refused = (struct why){0}; /* that was of the URL before */
    transfer->hub = &fetch->hubs[target.is_unchecked ? HUB_UNCHECKED : HUB_OUTSIDE];
    curl_easy_setopt(transfer->easy, CURLOPT_URL, target.url);
    if (curl_multi_add_handle(transfer->hub->multi, transfer->easy) == CURLM_OK)
        return true;
    transfer->hub = NULL;
    transfer_finish(transfer, ERR_IO, &why);
    return false;
}

void transfer_start(void *arg)
{
    struct fetch_transfer *transfer = arg;
    TAILQ_INSERT_TAIL(&transfer->fetch->transfers, transfer, link);
    transfer->easy = curl_easy_init();
    MUST(transfer->easy != NULL);
    begin_answer(transfer);
    set_up(transfer);
    (void) go(transfer, transfer->url);
}

/* Ends curl's part, and with it the loop's reference. */
static void let_go(struct fetch_transfer *transfer)
{
    if (transfer->hub != NULL)
        curl_multi_remove_handle(transfer->hub->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    transfer->easy = NULL;
    transfer->hub = NULL;
    transfer->headers = NULL;
    TAILQ_REMOVE(&transfer->fetch->transfers, transfer, link);
    transfer_unref(transfer);
}

void transfer_finish(struct fetch_transfer *transfer, enum err kind, const struct why *why)
{
    if (kind == OK)
        tell_head(transfer);
    deliver_done(transfer, kind, why);
    let_go(transfer);
}

void transfer_stop(void *arg)
{
    struct fetch_transfer *transfer = arg;
    if (transfer->easy != NULL)
        let_go(transfer);
    transfer_unref(transfer);
}

void transfer_resume(void *arg)
{
    struct fetch_transfer *transfer = arg;
    CURLcode code = CURLE_OK;
    if (transfer->easy != NULL)
        code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) /* what had waited in curl was too much */
        transfer_ended(transfer, code);
    transfer_unref(transfer);
}

static enum err translate(const struct fetch_transfer *transfer, CURLcode code, struct why *why)
{
    const char *words = curl_easy_strerror(code);
    if (transfer->is_over_limit)
        return why_set(why, ERR_LIMIT, "url", "it is larger than %llu bytes",
                       (unsigned long long) transfer->order.limit_bytes);
    switch ((int) code) {
    case CURLE_OK:
        return OK;
    case CURLE_COULDNT_RESOLVE_HOST:
        return why_set(why, ERR_NOT_FOUND, "url", "there is no server of that name");
    case CURLE_OPERATION_TIMEDOUT:
        return why_set(why, ERR_TIMEOUT, "url", "the server does not answer");
    case CURLE_COULDNT_CONNECT:
        if (transfer->refused.text[0] == '\0')
            return why_set(why, ERR_IO, "url", "the server cannot be reached");
        *why = transfer->refused;
        return ERR_REFUSED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or none: target_judge saw to the URL */
        return why_set(why, ERR_IO, "url", "the server does not speak HTTP");
    case CURLE_PARTIAL_FILE:
        return why_set(why, ERR_IO, "url", "the server ended before all of it was there");
    default:
        return why_set(why, ERR_IO, "url", "the server failed: %s", words);
    }
}

static void follow(struct fetch_transfer *transfer)
{
    struct why why = {0};
    char *next = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &next);
    bool is_secret = transfer->order.form != NULL || transfer->order.authorization != NULL;
    if (next == NULL || is_secret || ++transfer->redirects > MOST_REDIRECTS) {
        why_set(&why, ERR_REFUSED, "url",
                "it redirects too often, to nowhere, or what is not to go elsewhere");
        transfer_finish(transfer, ERR_REFUSED, &why);
        return;
    }
    CLEANUP(mem_free_at) char *url = mem_strdup(next);
    curl_multi_remove_handle(transfer->hub->multi, transfer->easy);
    transfer->hub = NULL;
    (void) go(transfer, url);
}

void transfer_ended(struct fetch_transfer *transfer, CURLcode code)
{
    struct why why = {0};
    if (code == CURLE_OK && is_redirect(transfer, status_of(transfer))) {
        follow(transfer);
        return;
    }
    enum err kind = translate(transfer, code, &why);
    if (kind != OK)
        log_debug("fetch.failed", log_err(kind), log_str("why", why.text));
    transfer_finish(transfer, kind, &why);
}
