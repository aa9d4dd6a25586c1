/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The insides that the files of this folder share: the server, its workers (one per loop), their
 * connections and requests. The only header that shows h2o.
 *
 * Life of a connection: accepted -> reading, processing, idle in turn -> its socket closed (h2o) ->
 * freed when libuv has let go of it. Everything below a worker belongs to its loop. */
#pragma once

#include <h2o.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/loop.h"
#include "http/http.h"
#include "http/limits.h"
#include "http/options.h"
#include "http/page.h"
#include "http/router.h"
#include "http/tls.h"

enum { GONE_LISTENERS = 4, KEY_SIZE = 33 };

struct worker_counters {
    _Atomic uint64_t answers[6]; /* by class of status: [2] is 2xx */
    _Atomic uint64_t bytes;      /* of bodies */
    _Atomic uint64_t held;       /* requests in hand, not answered */
    _Atomic uint64_t unfinished; /* bytes of bodies of strangers, not whole yet (decision 36) */
};

struct worker {
    /* fixed after start */
    struct http *http;
    struct loop *loop;
    int listen_fd; /* taken by the listener */
    /* loop's thread */
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    uv_tcp_t listener;
    uv_timer_t tick;
    bool is_draining, is_empty;
    int64_t break_at_ms; /* while draining: when the rest is broken */
    struct connection *connections;
    struct request *requests;
    unsigned connection_count;
    int64_t
        sessions_ms; /* when it was last looked whether those who are sent something may have it */
    struct page *page; /* NULL: none could be read */
    struct tls *tls;   /* NULL: none */
    void (*drained)(void *ctx);
    void *drained_ctx;
    /* any thread reads */
    struct worker_counters counters;
};

struct http {
    /* fixed after start */
    struct options options;
    struct http_auth auth;
    struct router *router;
    struct limits *limits;
    struct watch *watch;
    h2o_globalconf_t config;
    struct worker *workers;
    unsigned worker_count;
    char url[256], start_url[320];
    char key[KEY_SIZE]; /* auth key's */
    bool is_drained;    /* main's thread */
};

enum phase { PHASE_IDLE, PHASE_HEADER, PHASE_BODY, PHASE_BUSY, PHASE_CLOSING };

struct connection {
    uv_tcp_t tcp; /* first: libuv hands its address back */
    struct worker *worker;
    h2o_socket_t *socket; /* NULL: closed */
    struct connection *next, **at;
    struct tls *tls; /* what it was accepted with: h2o keeps no count of its own */
    const SSL *ssl;  /* NULL: no TLS, or no byte of it yet; h2o's, as long as `socket` is there */
    struct address peer;
    bool is_local; /* both ends are loopback addresses */
    bool is_exempt, is_seen, is_stranger;
    unsigned requests_in_hand;
    uint64_t requests_begun;
    /* of HTTP/2, connection_floods: since when, and how many since */
    int64_t burst_since_ms;
    unsigned burst;
    /* as the last look found it */
    enum phase phase;
    uint64_t begun_then;
    int64_t phase_since_ms;
    size_t body_bytes;
    size_t queued;
    int64_t queued_since_ms;
};

struct gone_listener {
    void (*gone)(void *ctx);
    void *ctx;
};

struct request {
    h2o_req_t *h2o;
    struct worker *worker;
    struct connection *connection;
    struct request *next, **at;
    const struct http_route *route;
    unsigned flags;           /* of the route */
    struct slice path, query; /* raw, without the base path */
    struct slice params[ROUTE_PARAMS];
    unsigned param_count;
    struct host host;
    bool has_host;
    struct http_user user;
    struct address peer; /* proxies unwrapped */
    char peer_text[ADDRESS_TEXT_SIZE];
    bool is_proxied, is_forwarded, is_secure, is_loopback, is_head;
    bool is_answered, is_gone;
    struct stream *stream;
    struct page *page; /* whose bytes the reply sends */
    json_t *json;
    struct gone_listener gone[GONE_LISTENERS];
    unsigned gone_count;
};

void worker_start_ticking(struct worker *worker);

static inline struct slice slice_of_iovec(h2o_iovec_t iovec)
{
    return (struct slice){iovec.base, iovec.len};
}
