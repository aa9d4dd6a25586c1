/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP as the rest of the server sees it: routes in, requests with typed accessors, replies out.
 * The only place that sees h2o. Every request passes the guard first (decisions 29, 33-36: Host,
 * Origin, Sec-Fetch-Site, body type and size, connections per address); what the guard needs to
 * know of accounts it asks through struct http_auth.
 *
 * Threads: one loop per core, all on one port (SO_REUSEPORT). A request belongs to its loop; its
 * handler runs there, and every call below on a request or stream is made there.
 *
 * Life of a request: handler -> (perhaps held: others keep a waiter, never the request) -> exactly
 * one reply_* or stream_start -> gone. It may be gone before it was answered: then on_gone is
 * called, once, on its loop, and nothing may touch the request afterwards. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/role.h"
#include "base/str.h"
#include "base/why.h"

struct http;    /* the listener and its loops */
struct request; /* one exchange */
struct stream;  /* a body that is sent as it comes to be */

typedef void http_handler_fn(struct request *request, void *ctx);

enum http_route_flags {
    ROUTE_OPEN = 1,    /* needs no sign-in (status, setup, session, the page, healthz) */
    ROUTE_ADMIN = 2,   /* needs the admin role */
    ROUTE_LOCAL = 4,   /* open on loopback, else needs a key or admin (metrics) */
    ROUTE_OUTWARD = 8, /* a GET that works outwards: refuses Sec-Fetch-Site: cross-site */
    ROUTE_TOKEN = 16,  /* checks its own credential (/hls/~token/...), CORS * */
    ROUTE_SETUP = 32,  /* answers while no account exists */
    /* What a key must be good for; none of these: SCOPE_ADMIN and SCOPE_METRICS by the flags above,
     * else SCOPE_READ. */
    ROUTE_PLAY = 64,
    ROUTE_REQUEST = 128,
    ROUTE_DOWNLOAD = 256,
    ROUTE_PERSON = 512,  /* no key at all: passwords, sessions, keys */
    ROUTE_MEMBER = 1024, /* not for children */
};

struct http_route {
    const char *method; /* "GET" (serves HEAD too), "POST", "PUT", "PATCH", "DELETE" */
    const char *path;   /* "/api/v1/files/{id}/raw": {x} is one segment, a last "{rest...}" all */
    unsigned flags;
    const char *body; /* Content-Type of the body, several joined by '|'; NULL when there is none */
    size_t body_limit; /* bytes; 0 = 64 KiB */
    http_handler_fn *handler;
    void *ctx;
};

/* Who asks. Plain value; id "" = nobody. */
struct http_user {
    char id[40];
    char name[65];
    enum role role;
    struct bounds bounds;
    unsigned scopes;  /* SCOPE_ALL but for keys */
    bool is_key;      /* asks by a key of the API */
    char session[40]; /* the public id of the session or key; "" with --auth none and key */
};
/* By role; what a key may is another question. */
static inline bool http_user_is_admin(const struct http_user *user)
{
    return user->id[0] != '\0' && user->role == ROLE_ADMIN;
}

static inline struct ages http_user_ages(const struct http_user *user)
{
    return ages_of(user->role, &user->bounds);
}

/* What the guard asks of accounts. Called on the http loops; must not block (answers from
 * memory). */
struct http_auth {
    void *ctx;
    /* The user of a session cookie or bearer key. NOT_FOUND: of nobody. */
    enum err (*user)(void *ctx, struct slice cookie, struct slice bearer, struct http_user *out);
    bool (*has_accounts)(void *ctx);
    /* Whether a session has not been ended (`session` of its user, not ""); NULL: none ever is. What is being
     * sent to one that has is broken off within seconds. */
    bool (*lives)(void *ctx, const char *session);
};

enum http_auth_mode { AUTH_ACCOUNTS, AUTH_NONE, AUTH_KEY };

/* Milliseconds; 0 = the default. Tests make them short. */
struct http_timeouts {
    int64_t header_ms;  /* a TLS handshake; from a request's first byte to its headers' end: 10 s */
    int64_t body_ms;    /* from there to the end of its body: 30 s */
    int64_t stalled_ms; /* a reply of which the client takes nothing: 60 s */
    int64_t idle_ms;    /* a connection without a request: 60 s */
    int64_t tick_ms;    /* how often all that, and clients that left, are looked for: 1 s */
};

struct http_options {
    const char *listen;                      /* "127.0.0.1:8080", "[::]:8080", port 0 = any */
    const char *certificate_file, *key_file; /* NULL = no TLS; read again when they change */
    bool http2;                              /* under TLS; decision 28 */
    const char *const *hosts;                /* http.hosts, NULL-terminated */
    const char *public_url;                  /* http.public_url or NULL */
    const char *const *trusted_proxies;      /* addresses or CIDR, NULL-terminated */
    /* A header by which a trusted proxy names people, and another with a secret that it knows: from anybody else,
     * or without that, whatever is asked is refused. NULL: there is none. Small letters. */
    const char *identity_header, *secret_header, *secret;
    const char *base_path;   /* "" or "/films" */
    const char *cors_origin; /* an exact other origin of the page, or NULL */
    const char *page_folder; /* the built page: index.html, assets/ with .gz and .br beside */
    enum http_auth_mode auth_mode;
    unsigned loops;                   /* 0 = cores */
    unsigned connections_per_address; /* 0 = 64; loopback and trusted proxies apart */
    unsigned connections;             /* in all; 0 = from RLIMIT_NOFILE */
    struct http_timeouts timeouts;
};

/* Binds, starts the loops. `routes` ends with a NULL method and is borrowed until http_stop, as are
 * the strings in it and `auth`'s ctx; `options` only for the call. BAD_INPUT: an option is wrong
 * (why names it); IO: cannot listen there. SIGPIPE is ignored from here on. */
MUST_CHECK enum err http_start(const struct http_options *options, const struct http_auth *auth,
                               const struct http_route *routes, struct http **out, struct why *why);
/* "http://127.0.0.1:8080": the real address and port. Lent until http_stop. */
const char *http_url(const struct http *http);
/* What to type into a browser: http_url, base path and, with --auth key, the key. A secret then:
 * for the terminal, never for a log. Lent until http_stop. */
const char *http_start_url(const struct http *http);
/* The first half of http_stop: no connection is left afterwards, but the loops run on, so that
 * others may still post to the mailboxes they got from request_mailbox. Once. */
void http_drain(struct http *http, int64_t grace_ms);
/* Stops accepting, lets what is in flight finish for at most `grace_ms`, then breaks the rest;
 * joins the loops. Nobody may post to the loops' mailboxes any more. NULL is accepted. */
void http_stop(struct http **http, int64_t grace_ms);
/* A heartbeat of each loop answered within `timeout_ms`: for /healthz. Any thread but a loop. */
bool http_is_alive(struct http *http, int64_t timeout_ms);
/* Counters for /metrics: appends Prometheus text. Any thread. */
void http_metrics(struct http *http, struct str *out);

/* --- request: all slices are lent until the request is gone --- */
struct slice request_method(const struct request *request);
/* The i-th {x} of the route, percent-decoded; absent past the last. Never holds NUL or "/"
 * except a {rest...}. */
struct slice request_param(const struct request *request, unsigned i);
/* A query parameter, percent-decoded ("+" stays "+"); absent when it is not there. */
struct slice request_query(struct request *request, const char *name);
struct slice request_header(const struct request *request, const char *lowercase_name);
struct slice request_body(const struct request *request);
/* The body as a JSON object, lent until the request is gone. BAD_INPUT: not JSON, not an object,
 * duplicate keys: why says where. */
MUST_CHECK enum err request_json(struct request *request, json_t **out, struct why *why);
const struct http_user *request_user(const struct request *request);
/* Of a route that checks its own credential: who asks by it, and how many of the first {x} it took, which are
 * not among the request's any more. */
void request_admit(struct request *request, const struct http_user *user, unsigned taken);
/* Of all Cookie headers; absent when it is not there. */
struct slice request_cookie(const struct request *request, const char *name);
bool request_is_head(const struct request *request);
bool request_is_loopback(const struct request *request);
bool request_is_secure(const struct request *request);    /* TLS, or a trusted proxy says https */
struct slice request_peer(const struct request *request); /* address in text, proxies unwrapped */
struct mailbox *request_mailbox(const struct request *request); /* of its loop */
struct uv_loop_s *request_loop(const struct request *request);
/* Small memory that dies with the request, zeroed. */
void *request_alloc(struct request *request, size_t size);
/* `gone(ctx)` when the request is gone, answered or not: once, on its loop. At most 4 a request.
 * A held HTTP/1 client that left is noticed within a second (MSG_PEEK). */
void request_on_gone(struct request *request, void (*gone)(void *ctx), void *ctx);

/* --- whole replies; HEAD sends the same headers without the body --- */
/* Before a reply: one header more. `name` lower case, static; value is copied. */
void reply_header(struct request *request, const char *name, const char *value);
/* Retry-After (RFC 9110 10.2.3). */
void reply_retry_after(struct request *request, int seconds);
/* Reals with as many digits as a double surely keeps; 17, jansson's own, make 23.976 into
 * 23.975999999999999. */
#define JSON_DIGITS JSON_REAL_PRECISION(15)
/* `body` as one line. Takes its reference; mem_free. */
char *json_line(json_t *body);
/* Takes the reference of `body`. no-store unless a cache-control header was set. */
void reply_json(struct request *request, int status, json_t *body);
/* RFC 9457 problem document from a kind of error (404, 400, 503 + Retry-After...) or, where
 * `status` is not 0, with that status. `why` may be NULL. no-store. */
void reply_problem(struct request *request, int status, enum err kind, const struct why *why);
void reply_empty(struct request *request, int status);
/* 303, 308; `location` as it is sent. */
void reply_redirect(struct request *request, int status, const char *location);
/* Copies `bytes`. Gzip when `compressible` and the client takes it and it pays. ETag from a hash of
 * the bytes and 304 when `etag`. Single ranges are answered when `ranges`. */
struct reply_bytes_options {
    const char *content_type; /* static */
    const char *cache_control;
    bool compressible, etag, ranges;
};
void reply_bytes(struct request *request, int status, const struct reply_bytes_options *options,
                 const void *bytes, size_t size);

/* --- range: RFC 9110 14, single ranges; several or nonsense = the whole, as allowed --- */
struct range {
    uint64_t first, length; /* of the body to send */
    bool is_partial;        /* 206 */
};
/* From the Range (and If-Range, against `etag`) headers for a body of `size` bytes.
 * BAD_INPUT: 416 is due. */
MUST_CHECK enum err request_range(const struct request *request, uint64_t size, const char *etag,
                                  struct range *out);
/* The 416 that is due then, with Content-Range: bytes * /size (without the space). */
void reply_range_problem(struct request *request, uint64_t size);

/* --- streams --- */
struct stream_source {
    /* The client can take more: up to 512 KiB; call stream_write, now or later, any number of
     * times (each copies nothing: bytes are lent until the next pull or gone). On its loop. */
    void (*pull)(void *ctx, struct stream *stream);
    /* The stream is over (all sent, broken by us, or the client left): let go of everything.
     * Once, last. */
    void (*gone)(void *ctx);
};
/* Sends status and headers now. `length` = Content-Length, or -1: chunked. HEAD: headers only and
 * `gone`. The request must not be used for replies afterwards. */
struct stream *stream_start(struct request *request, int status, const char *content_type,
                            int64_t length, const struct stream_source *source, void *ctx);
/* One write between two pulls. `size` may be 0 with `is_last`. Short bodies (less than length) are
 * broken, never ended. */
void stream_write(struct stream *stream, const void *bytes, size_t size, bool is_last);
/* Of a body: bytes in memory, or of a file where `bytes` is NULL. */
struct stream_piece {
    const void *bytes;
    int fd;
    uint64_t offset;
    size_t size;
};
/* Sends what the connection takes right away of all these but their last byte, files without a copy in
 * between; stream_write of what follows comes next, before the next pull, but of no more than
 * stream_owed. *sent is 0 where the connection takes nothing now. The loop sleeps for what is not in the
 * page cache. GONE: a file has become shorter. */
MUST_CHECK enum err stream_push(struct stream *stream, const struct stream_piece *pieces,
                                size_t count, size_t *sent);
/* False: stream_push sends nothing on this connection, ever. */
bool stream_can_push(const struct stream *stream);
/* How many bytes the next stream_write may have at most; SIZE_MAX: any number. */
size_t stream_owed(const struct stream *stream);
/* Breaks the connection: the body cannot be completed (never a clean short end). */
void stream_break(struct stream *stream);
