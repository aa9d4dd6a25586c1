/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/connection.h"

#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/guard.h"
#include "http/request.h"

/* Decision 36. */
#define UNFINISHED_BYTES_MOST ((uint64_t) 16 << 20)
static void free_connection(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *) handle;
    tls_unref(&connection->tls);
    mem_free(connection);
}

static void on_socket_closed(void *data)
{
    struct connection *connection = data;
    struct worker *worker = connection->worker;
    connection->socket = NULL;
    *connection->at = connection->next;
    if (connection->next != NULL)
        connection->next->at = connection->at;
    limits_leave(worker->http->limits, &connection->peer, connection->is_exempt);
    worker->connection_count--;
    if (worker->connection_count == 0 && !worker->is_draining)
        uv_timer_stop(&worker->tick);
}

static void link_connection(struct worker *worker, struct connection *connection)
{
    connection->at = &worker->connections;
    connection->next = worker->connections;
    if (connection->next != NULL)
        connection->next->at = &connection->next;
    worker->connections = connection;
    if (worker->connection_count++ == 0)
        worker_start_ticking(worker);
}

static enum err read_ends(struct connection *connection)
{
    struct sockaddr_storage name;
    struct address own;
    int size = sizeof name;
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *) &name, &size) != 0 ||
        address_from_sockaddr((struct sockaddr *) &name, &connection->peer) != OK)
        return ERR_GONE;
    size = sizeof name;
    if (uv_tcp_getsockname(&connection->tcp, (struct sockaddr *) &name, &size) != 0 ||
        address_from_sockaddr((struct sockaddr *) &name, &own) != OK)
        return ERR_GONE;
    connection->is_local = address_is_loopback(&connection->peer) && address_is_loopback(&own);
    return OK;
}

void connection_accept(uv_stream_t *listener, int status)
{
    struct worker *worker = listener->data;
    if (status != 0)
        return;
    struct connection *connection = mem_new(struct connection);
    connection->worker = worker;
    MUST(uv_tcp_init(listener->loop, &connection->tcp) == 0);
    uv_handle_t *handle = (uv_handle_t *) &connection->tcp;
    if (uv_accept(listener, (uv_stream_t *) handle) != 0 || read_ends(connection) != OK) {
        uv_close(handle, free_connection);
        return;
    }
    connection->is_exempt = address_is_loopback(&connection->peer) ||
                            options_trust(&worker->http->options, &connection->peer);
    if (!limits_enter(worker->http->limits, &connection->peer, connection->is_exempt)) {
        uv_close(handle, free_connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    connection->tls = tls_ref(worker->tls);
    connection->phase_since_ms = (int64_t) uv_now(listener->loop);
    link_connection(worker, connection);
    connection->socket = h2o_uv_socket_create((uv_stream_t *) handle, free_connection);
    connection->socket->on_close.cb = on_socket_closed;
    connection->socket->on_close.data = connection;
    worker->accept.ssl_ctx = worker->tls != NULL ? tls_context(worker->tls) : NULL;
    h2o_accept(&worker->accept, connection->socket);
}

void connection_break(struct connection *connection)
{
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *) &connection->tcp, &fd) == 0)
        shutdown(fd, SHUT_RDWR);
}

void connection_reset(struct connection *connection)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *) &connection->tcp, &fd) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    connection_break(connection);
}

void connection_on_tls(const SSL *ssl, int where, int value UNUSED)
{
    if ((where & SSL_CB_HANDSHAKE_START) == 0)
        return;
    const h2o_socket_t *socket = BIO_get_data(SSL_get_rbio(ssl));
    struct connection *connection = socket->on_close.data;
    connection->ssl = ssl;
}

/* h2o has let go of it but for the TLS goodbye. To a client that reset the connection it waits
 * without end to say it: libuv refuses the write, and h2o does not look at its answer. To close
 * the socket a second time ends the wait. */
static bool is_waiting_to_close(const struct connection *connection)
{
    return connection->ssl != NULL &&
           (SSL_get_shutdown(connection->ssl) & SSL_SENT_SHUTDOWN) != 0 &&
           h2o_socket_is_writing(connection->socket) && !h2o_socket_is_reading(connection->socket);
}

static void log_broken(const struct connection *connection, const char *reason)
{
    char peer[ADDRESS_TEXT_SIZE];
    address_text(&connection->peer, peer);
    log_debug("http.connection_broken", log_str("peer", peer), log_str("reason", reason));
}

static void break_for(struct connection *connection, const char *reason)
{
    log_broken(connection, reason);
    connection_break(connection);
}

bool connection_floods(struct connection *connection)
{
    enum { BURST_MS = 1000, BURST_STREAMS = 400 }; /* a page asks for some dozens */
    int64_t now_ms = (int64_t) uv_now(connection->worker->context.loop);
    if (now_ms - connection->burst_since_ms >= BURST_MS && connection->burst <= BURST_STREAMS) {
        connection->burst_since_ms = now_ms;
        connection->burst = 0;
    }
    connection->burst++;
    if (connection->burst == BURST_STREAMS + 1) {
        log_broken(connection, "too many streams");
        connection_reset(connection);
    }
    return connection->burst > BURST_STREAMS;
}

void connections_break(struct worker *worker, bool all)
{
    for (struct connection *at = worker->connections, *next; at != NULL; at = next) {
        next = at->next;
        bool is_idle =
            at->requests_in_hand == 0 && at->phase != PHASE_HEADER && at->phase != PHASE_BODY;
        if (all && is_waiting_to_close(at))
            h2o_socket_close(at->socket);
        else if (all || is_idle)
            connection_break(at);
    }
}

/* --- the look: first h2o tells where each request stands, then we act --- */

static struct connection *connection_of(h2o_req_t *h2o)
{
    return h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
}

/* A request of h2o, whole or not: `pathconf` is set when it was handed on, or refused by h2o. */
static enum phase phase_of(const h2o_req_t *h2o)
{
    if (h2o->pathconf != NULL)
        return PHASE_BUSY;
    if (h2o->version >= 0x200)
        return PHASE_BODY;
    if (h2o->timestamps.request_begin_at.tv_sec == 0)
        return PHASE_IDLE;
    return h2o->timestamps.request_body_begin_at.tv_sec == 0 ? PHASE_HEADER : PHASE_BODY;
}

static int see_request(h2o_req_t *h2o, void *ctx)
{
    struct worker *worker = ctx;
    struct connection *connection = connection_of(h2o);
    enum phase phase = phase_of(h2o);
    connection->is_seen = true;
    if (phase == PHASE_BODY) {
        /* HTTP/2 does not say how much of a body it holds: all that it may. */
        connection->body_bytes += h2o->version < 0x200
                                      ? connection->socket->input->size
                                      : worker->http->config.max_request_entity_size;
        connection->is_stranger = guard_is_stranger(worker->http, h2o);
    }
    if (connection->requests_begun != connection->begun_then || phase != connection->phase) {
        connection->begun_then = connection->requests_begun;
        connection->phase = phase;
        connection->phase_since_ms = (int64_t) uv_now(worker->context.loop);
    }
    return 0;
}

static void see_unseen(struct connection *connection, int64_t now_ms)
{
    /* What is busy without a request is a handshake, which has a timer, or HTTP/2, which has too. */
    enum phase phase = is_waiting_to_close(connection) ? PHASE_CLOSING : PHASE_BUSY;
    if (connection->phase == phase)
        return;
    connection->phase = phase;
    connection->phase_since_ms = now_ms;
}

static int64_t time_allowed(const struct worker *worker, enum phase phase)
{
    const struct http_timeouts *timeouts = &worker->http->options.timeouts;
    switch (phase) {
    case PHASE_IDLE:
        return timeouts->idle_ms;
    case PHASE_HEADER:
        return timeouts->header_ms;
    case PHASE_BODY:
        return timeouts->body_ms;
    case PHASE_CLOSING:
        return timeouts->header_ms;
    case PHASE_BUSY:
        break;
    }
    return INT64_MAX;
}

static bool is_stalled(struct connection *connection, int64_t now_ms)
{
    size_t queued = uv_stream_get_write_queue_size((uv_stream_t *) &connection->tcp);
    if (queued == 0 || queued != connection->queued) {
        connection->queued = queued;
        connection->queued_since_ms = now_ms;
        return false;
    }
    return now_ms - connection->queued_since_ms >
           connection->worker->http->options.timeouts.stalled_ms;
}

static void judge(struct connection *connection, int64_t now_ms)
{
    int64_t spent_ms = now_ms - connection->phase_since_ms;
    if (spent_ms > time_allowed(connection->worker, connection->phase)) {
        if (connection->phase == PHASE_CLOSING)
            h2o_socket_close(connection->socket);
        else
            break_for(connection, "too slow");
    } else if (is_stalled(connection, now_ms)) {
        break_for(connection, "not read");
    }
}

static uint64_t unfinished_in_all(struct http *http)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < http->worker_count; i++)
        sum += atomic_load_explicit(&http->workers[i].counters.unfinished, memory_order_relaxed);
    return sum;
}

static struct connection *largest_unfinished(struct worker *worker)
{
    struct connection *largest = NULL;
    for (struct connection *at = worker->connections; at != NULL; at = at->next)
        if (at->is_stranger && at->body_bytes > 0 &&
            (largest == NULL || at->body_bytes > largest->body_bytes))
            largest = at;
    return largest;
}

static void keep_unfinished_budget(struct worker *worker, uint64_t own)
{
    _Atomic uint64_t *published = &worker->counters.unfinished;
    atomic_store_explicit(published, own, memory_order_relaxed);
    while (unfinished_in_all(worker->http) > UNFINISHED_BYTES_MOST) {
        struct connection *largest = largest_unfinished(worker);
        if (largest == NULL)
            return;
        own -= largest->body_bytes;
        largest->body_bytes = 0;
        atomic_store_explicit(published, own, memory_order_relaxed);
        break_for(largest, "too many unfinished bodies");
    }
}

void connections_look(struct worker *worker)
{
    int64_t now_ms = (int64_t) uv_now(worker->context.loop);
    for (struct connection *at = worker->connections; at != NULL; at = at->next) {
        at->is_seen = at->is_stranger = false;
        at->body_bytes = 0;
    }
    const h2o_globalconf_t *config = worker->context.globalconf;
    config->http1.callbacks.foreach_request(&worker->context, see_request, worker);
    config->http2.callbacks.foreach_request(&worker->context, see_request, worker);
    uint64_t unfinished = 0;
    for (struct connection *at = worker->connections, *next; at != NULL; at = next) {
        next = at->next;
        if (!at->is_seen)
            see_unseen(at, now_ms);
        if (at->is_stranger)
            unfinished += at->body_bytes;
        judge(at, now_ms);
    }
    keep_unfinished_budget(worker, unfinished);
    requests_look(worker);
}
