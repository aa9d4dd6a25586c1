/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* In the order in which they win. */
enum segment_kind { SEGMENT_LITERAL, SEGMENT_MIXED, SEGMENT_PARAM, SEGMENT_REST };

struct segment {
    enum segment_kind kind;
    struct slice before, after; /* a literal is all `before` */
};

struct pattern {
    struct segment segments[PATH_SEGMENTS];
    size_t count;
    unsigned params;
    unsigned method;
    const struct http_route *route;
};

struct router {
    struct pattern *patterns; /* most literal first */
    size_t count;
};

static const struct {
    const char *name;
    enum http_method method;
} METHODS[] = {
    {"GET", METHOD_GET}, {"HEAD", METHOD_GET},    {"POST", METHOD_POST},
    {"PUT", METHOD_PUT}, {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
};
enum { METHOD_NAMES = sizeof METHODS / sizeof METHODS[0] };

unsigned method_parse(struct slice text)
{
    for (size_t i = 0; i < METHOD_NAMES; i++)
        if (slice_is(text, METHODS[i].name))
            return METHODS[i].method;
    return 0;
}

void method_list(unsigned methods, struct str *out)
{
    for (size_t i = 0; i < METHOD_NAMES; i++) {
        if ((methods & METHODS[i].method) == 0)
            continue;
        if (out->length > 0)
            str_puts(out, ", ");
        str_puts(out, METHODS[i].name);
    }
}

static enum err parse_segment(struct slice text, struct pattern *pattern)
{
    if (pattern->count == PATH_SEGMENTS)
        return ERR_BAD_INPUT;
    struct segment *segment = &pattern->segments[pattern->count++];
    const char *open = text.length == 0 ? NULL : memchr(text.at, '{', text.length);
    if (open == NULL) {
        *segment = (struct segment){.kind = SEGMENT_LITERAL, .before = text};
        return OK;
    }
    size_t before = (size_t) (open - text.at);
    const char *close = memchr(open, '}', text.length - before);
    if (close == NULL || pattern->params == ROUTE_PARAMS)
        return ERR_BAD_INPUT;
    pattern->params++;
    segment->before = (struct slice){text.at, before};
    segment->after = (struct slice){close + 1, text.length - (size_t) (close + 1 - text.at)};
    bool bare = before == 0 && segment->after.length == 0;
    segment->kind = bare ? SEGMENT_PARAM : SEGMENT_MIXED;
    if (close - open > 4 && memcmp(close - 3, "...", 3) == 0) {
        segment->kind = SEGMENT_REST;
        return bare ? OK : ERR_BAD_INPUT;
    }
    return close - open > 1 ? OK : ERR_BAD_INPUT;
}

static enum err parse_pattern(const struct http_route *route, struct pattern *out)
{
    struct slice text = slice_of(route->path);
    *out = (struct pattern){.route = route, .method = method_parse(slice_of(route->method))};
    if (out->method == 0 || slice_is(slice_of(route->method), "HEAD") || text.length == 0 ||
        text.at[0] != '/')
        return ERR_BAD_INPUT;
    for (size_t at = 0; at < text.length;) {
        const char *from = text.at + at + 1;
        const char *slash = memchr(from, '/', text.length - at - 1);
        size_t length = slash != NULL ? (size_t) (slash - from) : text.length - at - 1;
        if (out->count > 0 && out->segments[out->count - 1].kind == SEGMENT_REST)
            return ERR_BAD_INPUT;
        if (parse_segment((struct slice){from, length}, out) != OK)
            return ERR_BAD_INPUT;
        at += length + 1;
    }
    return OK;
}

static int compare_patterns(const void *left, const void *right)
{
    const struct pattern *a = left, *b = right;
    size_t common = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < common; i++)
        if (a->segments[i].kind != b->segments[i].kind)
            return a->segments[i].kind < b->segments[i].kind ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return a->route < b->route ? -1 : a->route > b->route;
}

enum err router_new(const struct http_route *routes, struct router **out, struct why *why)
{
    size_t count = 0;
    while (routes[count].method != NULL)
        count++;
    struct router *router = mem_new(struct router);
    router->patterns = mem_new_array(struct pattern, count + 1);
    for (; router->count < count; router->count++) {
        const struct http_route *route = &routes[router->count];
        if (parse_pattern(route, &router->patterns[router->count]) == OK && route->handler != NULL)
            continue;
        router_free(&router);
        return why_set(why, ERR_BAD_INPUT, "routes", "the route %s %s is wrong", route->method,
                       route->path);
    }
    qsort(router->patterns, router->count, sizeof router->patterns[0], compare_patterns);
    *out = router;
    return OK;
}

void router_free(struct router **router)
{
    if (*router == NULL)
        return;
    mem_free((*router)->patterns);
    mem_free(*router);
    *router = NULL;
}

static bool has_prefix(struct slice text, struct slice prefix)
{
    return text.length >= prefix.length && memcmp(text.at, prefix.at, prefix.length) == 0;
}

/* True when `text` fits; *param is what the braces stand for. */
static bool segment_fits(const struct segment *segment, struct slice text, struct slice *param)
{
    *param = text;
    switch (segment->kind) {
    case SEGMENT_LITERAL:
        return text.length == segment->before.length && has_prefix(text, segment->before);
    case SEGMENT_PARAM:
        return text.length > 0;
    case SEGMENT_REST:
        return true;
    case SEGMENT_MIXED:
        break;
    }
    size_t around = segment->before.length + segment->after.length;
    if (text.length <= around || !has_prefix(text, segment->before))
        return false;
    *param = (struct slice){text.at + segment->before.length, text.length - around};
    return memcmp(param->at + param->length, segment->after.at, segment->after.length) == 0;
}

static bool pattern_fits(const struct pattern *pattern, const struct path *path,
                         struct router_match *match)
{
    bool rest = pattern->segments[pattern->count - 1].kind == SEGMENT_REST;
    if (rest ? path->count < pattern->count : path->count != pattern->count)
        return false;
    match->param_count = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        struct slice param;
        if (!segment_fits(&pattern->segments[i], path->segments[i], &param))
            return false;
        if (pattern->segments[i].kind != SEGMENT_LITERAL)
            match->params[match->param_count++] = param;
    }
    if (rest) {
        struct slice last = path->segments[path->count - 1];
        struct slice *all = &match->params[match->param_count - 1];
        all->length = (size_t) (last.at + last.length - all->at);
    }
    return true;
}

enum err router_find(const struct router *router, unsigned method, const struct path *path,
                     struct router_match *out)
{
    struct router_match match = {.route = NULL};
    *out = match;
    for (size_t i = 0; i < router->count; i++) {
        const struct pattern *pattern = &router->patterns[i];
        if (!pattern_fits(pattern, path, &match))
            continue;
        out->methods |= pattern->method;
        out->flags |= pattern->route->flags;
        if (pattern->method != method)
            continue;
        match.route = pattern->route;
        match.methods = out->methods;
        match.flags = pattern->route->flags;
        *out = match;
        return OK;
    }
    return out->methods == 0 ? ERR_NOT_FOUND : ERR_REFUSED;
}

bool router_owns(const struct router *router, struct slice segment)
{
    for (size_t i = 0; i < router->count; i++) {
        const struct segment *first = &router->patterns[i].segments[0];
        struct slice param;
        if (first->kind == SEGMENT_LITERAL && segment_fits(first, segment, &param))
            return true;
    }
    return false;
}
