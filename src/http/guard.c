/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/guard.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/cors.h"
#include "http/peer.h"
#include "http/reply.h"
#include "http/request.h"

/* A target longer than any of ours: capabilities in a query are the longest, under 4 KiB. */
enum { TARGET_BYTES_MOST = 16384, BODY_BYTES_MOST = 65536 };

#define COOKIE_NAME "matinee_session"

static bool refuse(struct request *request, int status, const char *field, const char *text)
{
    struct why why;
    enum err kind = why_set(&why, ERR_REFUSED, field, "%s", text);
    reply_problem(request, status, kind, &why);
    return false;
}

/* --- Host --- */

static bool guard_host(struct request *request)
{
    const struct options *options = &request->worker->http->options;
    if (!request->has_host && request->h2o->version >= 0x101)
        return refuse(request, 400, NULL, "the request has no Host header");
    if (!request->has_host)
        return true; /* HTTP/1.0: no browser, so no web page sent it */
    if (host_parse(request_header(request, "host"), &request->host) != OK)
        return refuse(request, 400, NULL, "the Host header is not a host");
    if (options_know_host(options, &request->host))
        return true;
    if (options->auth_mode == AUTH_NONE)
        return refuse(request, 421, "http.hosts",
                      "without sign-in (auth none) only localhost is answered; with accounts, "
                      "further names are allowed by the setting http.hosts");
    return refuse(request, 421, "http.hosts",
                  "this server does not answer to that name; add it to the setting http.hosts");
}

/* Whoever is not the proxy and says who he is lies. */
static bool guard_identity(struct request *request)
{
    const struct options *options = &request->worker->http->options;
    if (options->identity_header == NULL ||
        request_header(request, options->identity_header).at == NULL)
        return true;
    struct slice secret = request_header(request, options->secret_header);
    bool is_right = secret.length == strlen(options->secret) &&
                    CRYPTO_memcmp(secret.at, options->secret, secret.length) == 0;
    if (request->is_proxied && is_right)
        return true;
    return refuse(request, 400, options->identity_header,
                  "the request names somebody, and does not come from the proxy that may");
}

bool guard_address(struct request *request)
{
    if (request->h2o->input.path.len > TARGET_BYTES_MOST)
        return refuse(request, 414, NULL, "the URL is too long");
    if (!guard_host(request))
        return false;
    if (request->worker->http->options.auth_mode == AUTH_NONE && request->is_forwarded)
        return refuse(request, 421, "http.hosts",
                      "the request came through a proxy or tunnel, which auth none does not allow: "
                      "set up an account instead");
    return guard_identity(request);
}

/* --- Origin and Sec-Fetch-Site (34) --- */

static bool is_cross_site(const struct request *request)
{
    return slice_is(request_header(request, "sec-fetch-site"), "cross-site");
}

static bool is_handshake(const struct request *request)
{
    return slice_is_nocase(request_header(request, "upgrade"), "websocket");
}

static bool origin_fits(struct request *request, struct slice text)
{
    const struct options *options = &request->worker->http->options;
    struct origin said, own;
    if (cors_is_ours(request))
        return true;
    if (origin_parse(text, &said) != OK || !request->has_host)
        return false;
    own = origin_of_host(&request->host, request->is_secure);
    if (request->is_proxied && options->has_public)
        own = options->public_origin;
    return origins_are_equal(&said, &own);
}

static struct slice cookie_of(const h2o_req_t *h2o)
{
    return request_find_cookie(h2o, COOKIE_NAME);
}

static bool guard_origin(struct request *request)
{
    struct slice method = request_method(request);
    bool is_read = slice_is(method, "GET") || slice_is(method, "HEAD");
    if (is_read && !is_handshake(request))
        return true;
    struct slice origin = request_header(request, "origin");
    if (origin.at != NULL) {
        if (origin_fits(request, origin))
            return true;
        return refuse(request, 403, NULL, "the request comes from a page of another origin");
    }
    enum http_auth_mode mode = request->worker->http->options.auth_mode;
    struct slice site = request_header(request, "sec-fetch-site");
    bool by_itself = mode == AUTH_NONE || cookie_of(request->h2o).at != NULL;
    if (!by_itself || site.at == NULL || slice_is(site, "same-origin") || slice_is(site, "none"))
        return true;
    return refuse(request, 403, NULL, "the request comes from a page of another site");
}

/* GETs of a web page elsewhere: where no cookie tells him apart (29), and where they cost others
 * (34). */
static bool guard_site(struct request *request)
{
    bool is_open_house = request->worker->http->options.auth_mode != AUTH_ACCOUNTS;
    bool matters = is_open_house || (request->flags & ROUTE_OUTWARD) != 0;
    if (!matters || (request->flags & ROUTE_TOKEN) != 0 || !is_cross_site(request) ||
        cors_is_ours(request))
        return true;
    return refuse(request, 403, NULL, "the request comes from a page of another site");
}

/* --- bodies --- */

static bool type_is(struct slice header, const char *type)
{
    size_t length = 0;
    while (length < header.length && header.at[length] != ';' && header.at[length] != ' ' &&
           header.at[length] != '\t')
        length++;
    return slice_is_nocase((struct slice){header.at, length}, type);
}

/* `types` are joined by '|'. */
static bool is_one_of(struct slice header, const char *types)
{
    while (*types != '\0') {
        size_t length = strcspn(types, "|");
        CLEANUP(mem_free_at) char *type = mem_strndup(types, length);
        if (type_is(header, type))
            return true;
        types += types[length] == '|' ? length + 1 : length;
    }
    return false;
}

static bool guard_body(struct request *request)
{
    const struct http_route *route = request->route;
    size_t limit = route->body_limit != 0 ? route->body_limit : BODY_BYTES_MOST;
    size_t size = request->h2o->entity.len;
    if (size == 0)
        return true;
    if (size > limit)
        return refuse(request, 413, NULL, "the body is too large");
    if (route->body != NULL && is_one_of(request_header(request, "content-type"), route->body))
        return true;
    struct why why;
    (void) why_set(&why, ERR_BAD_INPUT, NULL, "the body must be %s",
                   route->body != NULL ? route->body : "empty");
    reply_problem(request, 415, ERR_BAD_INPUT, &why);
    return false;
}

/* --- sign-in --- */

static struct slice bearer_of(const h2o_req_t *h2o)
{
    ssize_t at = h2o_find_header(&h2o->headers, H2O_TOKEN_AUTHORIZATION, -1);
    struct slice value = {NULL, 0};
    if (at >= 0)
        value = slice_of_iovec(h2o->headers.entries[at].value);
    if (value.length < 8 || strncasecmp(value.at, "bearer ", 7) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){value.at + 7, value.length - 7};
}

static bool key_is_right(const struct http *http, struct slice key)
{
    return key.length == KEY_SIZE - 1 && CRYPTO_memcmp(key.at, http->key, KEY_SIZE - 1) == 0;
}

/* NOT_FOUND: nobody. */
static enum err find_user(const struct http *http, const h2o_req_t *h2o, struct http_user *out)
{
    struct slice cookie = cookie_of(h2o), bearer = bearer_of(h2o);
    if (http->options.auth_mode == AUTH_ACCOUNTS) {
        if ((cookie.at == NULL && bearer.at == NULL) || http->auth.user == NULL)
            return ERR_NOT_FOUND;
        return http->auth.user(http->auth.ctx, cookie, bearer, out);
    }
    if (http->options.auth_mode == AUTH_KEY && !key_is_right(http, cookie) &&
        !key_is_right(http, bearer))
        return ERR_NOT_FOUND;
    *out =
        (struct http_user){.id = "local", .name = "local", .role = ROLE_ADMIN, .scopes = SCOPE_ALL};
    return OK;
}

bool guard_is_stranger(struct http *http, const h2o_req_t *h2o)
{
    struct http_user user;
    return find_user(http, h2o, &user) != OK;
}

static bool has_accounts(const struct http *http)
{
    return http->options.auth_mode != AUTH_ACCOUNTS || http->auth.has_accounts == NULL ||
           http->auth.has_accounts(http->auth.ctx);
}

static enum scope scope_of(unsigned flags)
{
    if ((flags & ROUTE_PLAY) != 0)
        return SCOPE_PLAY;
    if ((flags & ROUTE_REQUEST) != 0)
        return SCOPE_REQUEST;
    if ((flags & ROUTE_DOWNLOAD) != 0)
        return SCOPE_DOWNLOAD;
    if ((flags & ROUTE_LOCAL) != 0)
        return SCOPE_METRICS;
    return (flags & ROUTE_ADMIN) != 0 ? SCOPE_ADMIN : SCOPE_READ;
}

static bool guard_scope(struct request *request)
{
    unsigned flags = request->flags;
    if (!request->user.is_key)
        return true;
    if ((flags & ROUTE_PERSON) != 0)
        return refuse(request, 403, NULL, "this is for who is signed in, not for a key");
    enum scope needed = scope_of(flags);
    if ((request->user.scopes & needed) != 0)
        return true;
    struct why why;
    (void) why_set(&why, ERR_REFUSED, NULL, "this key has not the scope %s", scope_name(needed));
    reply_problem(request, 403, ERR_REFUSED, &why);
    return false;
}

/* /metrics: for administrators, and for keys made for it. */
static bool may_measure(const struct request *request)
{
    return request->user.is_key || http_user_is_admin(&request->user);
}

static bool guard_sign_in(struct request *request)
{
    const struct http *http = request->worker->http;
    unsigned flags = request->flags;
    if (find_user(http, request->h2o, &request->user) != OK)
        request->user = (struct http_user){.id = ""};
    if (!has_accounts(http)) {
        if ((flags & ROUTE_SETUP) != 0)
            return true;
        return refuse(request, 401, NULL, "there is no account yet: set up the first one");
    }
    if ((flags & (ROUTE_OPEN | ROUTE_TOKEN)) != 0)
        return true;
    if ((flags & ROUTE_LOCAL) != 0 && request->is_loopback)
        return true;
    if (request->user.id[0] == '\0')
        return refuse(request, 401, NULL, "this needs to be signed in");
    if ((flags & ROUTE_ADMIN) != 0 && !http_user_is_admin(&request->user))
        return refuse(request, 403, NULL, "this needs the role of an administrator");
    if ((flags & ROUTE_MEMBER) != 0 && request->user.role == ROLE_CHILD)
        return refuse(request, 403, NULL, "this is not for children");
    if ((flags & ROUTE_LOCAL) != 0 && !may_measure(request))
        return refuse(request, 403, NULL, "this needs a key or the role of an administrator");
    return guard_scope(request);
}

bool guard_route(struct request *request)
{
    return guard_origin(request) && guard_site(request) && guard_body(request) &&
           guard_sign_in(request);
}

bool guard_key(struct request *request)
{
    const struct http *http = request->worker->http;
    if (http->options.auth_mode != AUTH_KEY ||
        !key_is_right(http, query_find(request->query, "key")))
        return false;
    struct str cookie, location;
    str_init(&cookie);
    str_init(&location);
    str_printf(&cookie, COOKIE_NAME "=%s; Path=%s/; HttpOnly; SameSite=Lax%s", http->key,
               http->options.base_path, request->is_secure ? "; Secure" : "");
    str_puts(&location, http->options.base_path);
    /* "//evil.example" and "/\evil.example" are other hosts to a browser. */
    bool is_plain =
        request->path.length < 2 || (request->path.at[1] != '/' && request->path.at[1] != '\\');
    if (is_plain)
        str_append(&location, request->path.at, request->path.length);
    else
        str_putc(&location, '/');
    query_without(request->query, "key", &location);
    reply_header(request, "set-cookie", str_text(&cookie));
    reply_redirect(request, 303, str_text(&location));
    str_fini(&cookie);
    str_fini(&location);
    return true;
}

/* --- who asks from where --- */

static bool has(const struct request *request, const char *name)
{
    return request_header(request, name).at != NULL;
}

/* A header that only proxies and tunnels write. */
static bool is_forwarding(struct slice name)
{
    return slice_is(name, "forwarded") || slice_is(name, "via") ||
           slice_starts(name, "x-forwarded-") || slice_starts(name, "cf-");
}

static bool find_forwarding(const h2o_req_t *h2o)
{
    for (size_t i = 0; i < h2o->headers.size; i++)
        if (is_forwarding(slice_of_iovec(*h2o->headers.entries[i].name)))
            return true;
    return false;
}

static bool both_ends_are_loopback(const struct request *request)
{
    struct host host;
    if (request->is_forwarded || !request->connection->is_local)
        return false;
    return !request->has_host ||
           (host_parse(request_header(request, "host"), &host) == OK && host_is_loopback(&host));
}

void guard_look(struct request *request)
{
    const struct options *options = &request->worker->http->options;
    const h2o_req_t *h2o = request->h2o;
    /* h2o puts its own name where there was no Host. */
    request->has_host = h2o->input.authority.base != h2o->hostconf->authority.hostport.base;
    request->is_head = slice_is(request_method(request), "HEAD");
    request->is_proxied = options_trust(options, &request->connection->peer);
    request->is_forwarded = find_forwarding(h2o);
    request->peer = request->connection->peer;
    request->is_secure = options->certificate_file != NULL;
    if (request->is_proxied) {
        peer_unwrap(request_header(request, "x-forwarded-for"), options, &request->peer);
        if (has(request, "x-forwarded-proto"))
            request->is_secure = slice_is(request_header(request, "x-forwarded-proto"), "https");
    }
    address_text(&request->peer, request->peer_text);
    request->is_loopback = both_ends_are_loopback(request);
}
