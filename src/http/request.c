/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/request.h"

#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/connection.h"
#include "http/dispatch.h"
#include "http/peer.h"
#include "http/reply.h"
#include "http/stream.h"

static void tell_gone(struct request *request)
{
    request->is_gone = true;
    while (request->gone_count > 0) {
        struct gone_listener listener = request->gone[--request->gone_count];
        listener.gone(listener.ctx);
    }
}

/* A path as it may be logged: a token in it is a credential. */
static void loggable_path(struct slice path, char *out, size_t room)
{
    const char *token = path.length == 0 ? NULL : memmem(path.at, path.length, "/~", 2);
    size_t length = token != NULL ? (size_t) (token - path.at) + 2 : path.length;
    const char *mark = token != NULL || length >= room - 4 ? "..." : "";
    if (length >= room - 4)
        length = room - 4;
    for (size_t i = 0; i < length; i++)
        out[i] = path.at[i] >= 0x20 && path.at[i] < 0x7f ? path.at[i] : '?';
    memcpy(out + length, mark, strlen(mark) + 1);
}

static void log_access(const struct request *request)
{
    char path[200];
    char method[16] = "";
    if (!log_wants(LOG_DEBUG))
        return;
    h2o_iovec_t text = request->h2o->input.method;
    memcpy(method, text.base, text.len < sizeof method ? text.len : sizeof method - 1);
    loggable_path(request->path, path, sizeof path);
    log_debug("http.request", log_str("method", method), log_str("path", path),
              log_int("status", request->is_answered ? request->h2o->res.status : 0),
              log_int("bytes", (int64_t) request->h2o->bytes_sent),
              log_str("peer", request->peer_text));
}

/* The pool of h2o's request is being cleared. */
static void dispose(void *data)
{
    struct request *request = data;
    struct worker_counters *counters = &request->worker->counters;
    *request->at = request->next;
    if (request->next != NULL)
        request->next->at = request->at;
    request->connection->requests_in_hand--;
    if (!request->is_answered)
        atomic_fetch_sub_explicit(&counters->held, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes, request->h2o->bytes_sent, memory_order_relaxed);
    log_access(request);
    tell_gone(request);
    if (request->stream != NULL)
        stream_detach(request->stream);
    json_decref(request->json);
    page_unref(&request->page);
}

int request_begin(h2o_handler_t *handler UNUSED, h2o_req_t *h2o)
{
    struct worker *worker = H2O_STRUCT_FROM_MEMBER(struct worker, context, h2o->conn->ctx);
    struct request *request = h2o_mem_alloc_shared(&h2o->pool, sizeof *request, dispose);
    memset(request, 0, sizeof *request);
    request->h2o = h2o;
    request->worker = worker;
    request->connection = h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
    request->connection->requests_in_hand++;
    request->connection->requests_begun++;
    request->at = &worker->requests;
    request->next = worker->requests;
    if (request->next != NULL)
        request->next->at = &request->next;
    worker->requests = request;
    atomic_fetch_add_explicit(&worker->counters.held, 1, memory_order_relaxed);
    if (h2o->version < 0x200 || !connection_floods(request->connection))
        dispatch(request);
    return 0;
}

/* --- those whose client left --- */

/* The asker is gone or we give up: whoever waits is told now, h2o is rid of it soon (never inside
 * this call, so that lists of requests stay as they are). */
static void depart(struct request *request)
{
    if (request->stream != NULL) {
        stream_break(request->stream);
        return;
    }
    if (request->is_answered || request->is_gone)
        return;
    tell_gone(request);
    reply_last_words(request);
}

static bool may_have_left(const struct request *request)
{
    if (request->h2o->version >= 0x200 || request->is_gone)
        return false;
    return request->stream != NULL ? stream_is_waiting(request->stream) : !request->is_answered;
}

/* Of what is sent for long, and of requests that are held: a segment is gone before. */
static void look_at_sessions(struct worker *worker)
{
    enum { EVERY_MS = 10000 };
    const struct http_auth *auth = &worker->http->auth;
    int64_t now_ms = (int64_t) uv_now(worker->context.loop);
    if (auth->lives == NULL || now_ms - worker->sessions_ms < EVERY_MS)
        return;
    worker->sessions_ms = now_ms;
    for (struct request *at = worker->requests; at != NULL; at = at->next)
        if (!at->is_gone && at->user.session[0] != '\0' &&
            !auth->lives(auth->ctx, at->user.session))
            connection_reset(at->connection);
}

/* POLLRDHUP and not recv(MSG_PEEK): under TLS, and with a second request behind the first, there is
 * something to peek at although the client has left. */
void requests_look(struct worker *worker)
{
    size_t room = 0, count = 0;
    look_at_sessions(worker);
    for (struct request *at = worker->requests; at != NULL; at = at->next)
        room++;
    if (room == 0)
        return;
    struct pollfd *polls = mem_new_array(struct pollfd, room);
    struct request **asked = mem_new_array(struct request *, room);
    for (struct request *at = worker->requests; at != NULL; at = at->next) {
        uv_os_fd_t fd;
        if (!may_have_left(at) || uv_fileno((uv_handle_t *) &at->connection->tcp, &fd) != 0)
            continue;
        asked[count] = at;
        polls[count++] = (struct pollfd){.fd = fd, .events = POLLRDHUP};
    }
    if (count > 0 && poll(polls, count, 0) > 0)
        for (size_t i = 0; i < count; i++)
            if ((polls[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
                depart(asked[i]);
    mem_free(asked);
    mem_free(polls);
}

void requests_break(struct worker *worker)
{
    for (struct request *at = worker->requests; at != NULL; at = at->next)
        depart(at);
}

/* --- accessors --- */

struct slice request_method(const struct request *request)
{
    return slice_of_iovec(request->h2o->input.method);
}

struct slice request_param(const struct request *request, unsigned i)
{
    return i < request->param_count ? request->params[i] : (struct slice){NULL, 0};
}

struct slice request_query(struct request *request, const char *name)
{
    struct slice raw = query_find(request->query, name);
    if (raw.at == NULL)
        return raw;
    char *decoded = h2o_mem_alloc_pool(&request->h2o->pool, raw.length + 1);
    size_t length;
    if (percent_decode(raw, decoded, &length) != OK)
        return (struct slice){NULL, 0};
    decoded[length] = '\0';
    return (struct slice){decoded, length};
}

struct slice request_header(const struct request *request, const char *lowercase_name)
{
    const h2o_req_t *h2o = request->h2o;
    if (strcmp(lowercase_name, "host") == 0)
        return request->has_host ? slice_of_iovec(h2o->input.authority) : (struct slice){NULL, 0};
    if (strcmp(lowercase_name, "upgrade") == 0)
        return slice_of_iovec(h2o->upgrade);
    ssize_t at = h2o_find_header_by_str(&h2o->headers, lowercase_name, strlen(lowercase_name), -1);
    if (at < 0)
        return (struct slice){NULL, 0};
    return slice_of_iovec(h2o->headers.entries[at].value);
}

struct slice request_body(const struct request *request)
{
    return slice_of_iovec(request->h2o->entity);
}

enum err request_json(struct request *request, json_t **out, struct why *why)
{
    json_error_t error;
    struct slice body = request_body(request);
    if (request->json == NULL && body.length > 0)
        request->json = json_loadb(body.at, body.length, JSON_REJECT_DUPLICATES, &error);
    else if (request->json == NULL)
        return why_set(why, ERR_BAD_INPUT, NULL, "the body is empty, a JSON object was expected");
    if (request->json == NULL)
        return why_set(why, ERR_BAD_INPUT, NULL, "the body is not JSON: line %d, column %d: %s",
                       error.line, error.column, error.text);
    if (!json_is_object(request->json))
        return why_set(why, ERR_BAD_INPUT, NULL, "the body is JSON, but not an object");
    *out = request->json;
    return OK;
}

const struct http_user *request_user(const struct request *request)
{
    return &request->user;
}

void request_admit(struct request *request, const struct http_user *user, unsigned taken)
{
    MUST((request->flags & ROUTE_TOKEN) != 0 && taken <= request->param_count);
    request->user = *user;
    request->param_count -= taken;
    memmove(request->params, request->params + taken,
            request->param_count * sizeof request->params[0]);
}

struct slice request_find_cookie(const h2o_req_t *h2o, const char *name)
{
    ssize_t at = -1;
    while ((at = h2o_find_header(&h2o->headers, H2O_TOKEN_COOKIE, at)) >= 0) {
        struct slice value = peer_cookie(slice_of_iovec(h2o->headers.entries[at].value), name);
        if (value.at != NULL)
            return value;
    }
    return (struct slice){NULL, 0};
}

struct slice request_cookie(const struct request *request, const char *name)
{
    return request_find_cookie(request->h2o, name);
}

bool request_is_head(const struct request *request)
{
    return request->is_head;
}

bool request_is_loopback(const struct request *request)
{
    return request->is_loopback;
}

bool request_is_secure(const struct request *request)
{
    return request->is_secure;
}

struct slice request_peer(const struct request *request)
{
    return slice_of(request->peer_text);
}

struct mailbox *request_mailbox(const struct request *request)
{
    return loop_mailbox(request->worker->loop);
}

struct uv_loop_s *request_loop(const struct request *request)
{
    return loop_uv(request->worker->loop);
}

void *request_alloc(struct request *request, size_t size)
{
    void *memory = h2o_mem_alloc_pool(&request->h2o->pool, size);
    memset(memory, 0, size);
    return memory;
}

void request_on_gone(struct request *request, void (*gone)(void *ctx), void *ctx)
{
    MUST(request->gone_count < GONE_LISTENERS && !request->is_gone);
    request->gone[request->gone_count++] = (struct gone_listener){gone, ctx};
}
