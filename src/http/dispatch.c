/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/dispatch.h"

#include <string.h>

#include "http/cors.h"
#include "http/files.h"
#include "http/guard.h"
#include "http/reply.h"

static void say(struct request *request, int status, const char *text)
{
    struct why why;
    enum err kind = why_set(&why, status == 404 ? ERR_NOT_FOUND : ERR_BAD_INPUT, NULL, "%s", text);
    reply_problem(request, status, kind, &why);
}

/* RFC 9112 3.2.2: a target may be a whole URL, whose authority then counts instead of Host. */
static void take_absolute_form(h2o_req_t *h2o)
{
    struct slice target = slice_of_iovec(h2o->input.path);
    size_t skip = 0;
    if (slice_starts(target, "http://"))
        skip = 7;
    else if (slice_starts(target, "https://"))
        skip = 8;
    if (skip == 0)
        return;
    const char *from = target.at + skip;
    size_t length = 0;
    while (skip + length < target.length && from[length] != '/' && from[length] != '?')
        length++;
    h2o->input.authority = h2o_iovec_init(from, length);
    h2o->input.path = h2o_iovec_init(from + length, target.length - skip - length);
    if (h2o->input.path.len == 0)
        h2o->input.path = h2o_iovec_init("/", 1);
}

static void cut_target(struct request *request)
{
    struct slice target = slice_of_iovec(request->h2o->input.path);
    const char *mark = memchr(target.at, '?', target.length);
    size_t length = mark != NULL ? (size_t) (mark - target.at) : target.length;
    request->path = (struct slice){target.at, length};
    if (mark != NULL)
        request->query = (struct slice){mark + 1, target.length - length - 1};
}

/* Takes the base path off. False: answered. */
static bool enter_base(struct request *request)
{
    const char *base = request->worker->http->options.base_path;
    size_t length = strlen(base);
    struct slice path = request->path;
    if (length == 0)
        return true;
    if (slice_is(path, base)) {
        struct str location;
        str_init(&location);
        str_printf(&location, "%s/", base);
        reply_redirect(request, 308, str_text(&location));
        str_fini(&location);
        return false;
    }
    if (!slice_starts(path, base) || path.at[length] != '/') {
        say(request, 404, "there is nothing outside of the base path");
        return false;
    }
    request->path = (struct slice){path.at + length, path.length - length};
    return true;
}

/* OK: request->path is cut into `out`. Else it is answered. */
static enum err split_target(struct request *request, struct path *out)
{
    char *buffer = h2o_mem_alloc_pool(&request->h2o->pool, request->path.length + 1);
    enum err err = path_split(request->path, buffer, out);
    if (err == OK && query_is_well_formed(request->query))
        return OK;
    if (err == ERR_NOT_FOUND)
        say(request, 404, "there is nothing at this address");
    else
        say(request, 400, "the URL is not well-formed");
    return ERR_BAD_INPUT;
}

static void answer_wrong_method(struct request *request, unsigned methods)
{
    struct str list;
    str_init(&list);
    method_list(methods, &list);
    reply_header(request, "allow", str_text(&list));
    str_fini(&list);
    say(request, 405, "this address does not know that method");
}

static void run_route(struct request *request, const struct router_match *match)
{
    request->route = match->route;
    request->param_count = match->param_count;
    memcpy(request->params, match->params, sizeof request->params);
    if (guard_route(request))
        request->route->handler(request, request->route->ctx);
}

static void dispatch_path(struct request *request, const struct path *path)
{
    const struct http *http = request->worker->http;
    struct router_match match;
    unsigned method = method_parse(request_method(request));
    enum err found = router_find(http->router, method, path, &match);
    request->flags = match.flags;
    if (found == OK) {
        run_route(request, &match);
        return;
    }
    if (cors_preflight(request, match.methods))
        return;
    if (found == ERR_REFUSED)
        answer_wrong_method(request, match.methods);
    else if (router_owns(http->router, path->segments[0]))
        say(request, 404, "there is nothing at this address");
    else if (method != METHOD_GET)
        answer_wrong_method(request, METHOD_GET);
    else
        files_serve(request, path);
}

void dispatch(struct request *request)
{
    struct path path;
    take_absolute_form(request->h2o);
    guard_look(request);
    cut_target(request);
    if (!guard_address(request))
        return;
    if (enter_base(request) && split_target(request, &path) == OK)
        dispatch_path(request, &path);
}
