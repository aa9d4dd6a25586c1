/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which route a path takes. A pattern's segment is a literal, "{x}", "pre{x}post" or a last
 * "{rest...}"; where several patterns fit, the most literal one wins, segment by segment.
 * Threads: any, after router_new. */
#pragma once

#include "http/http.h"
#include "http/query.h"

enum { ROUTE_PARAMS = 8 };

enum http_method {
    METHOD_GET = 1,
    METHOD_POST = 2,
    METHOD_PUT = 4,
    METHOD_PATCH = 8,
    METHOD_DELETE = 16,
};

struct router;

struct router_match {
    const struct http_route *route;
    struct slice params[ROUTE_PARAMS]; /* lie in the path's buffer */
    unsigned param_count;
    unsigned methods; /* those the path knows, of enum http_method */
    unsigned flags;   /* of all patterns that fit, joined */
};

/* BAD_INPUT: a pattern or method is wrong (why says which). `routes` is borrowed for life. */
MUST_CHECK enum err router_new(const struct http_route *routes, struct router **out,
                               struct why *why);
void router_free(struct router **router);
/* `method` is one of enum http_method, or 0 for another. NOT_FOUND: no pattern fits; REFUSED: one
 * does, but not with this method (methods, flags are set). */
MUST_CHECK enum err router_find(const struct router *router, unsigned method,
                                const struct path *path, struct router_match *out);
/* True when some pattern begins with the literal `segment`: such paths are not the page's. */
bool router_owns(const struct router *router, struct slice segment);
/* 0: another method. HEAD is GET. */
unsigned method_parse(struct slice text);
/* "GET, HEAD, POST" */
void method_list(unsigned methods, struct str *out);
