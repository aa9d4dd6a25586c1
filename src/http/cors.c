/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/cors.h"

#include "http/reply.h"

bool cors_is_ours(const struct request *request)
{
    const char *ours = request->worker->http->options.cors_origin;
    return ours != NULL && slice_is(request_header(request, "origin"), ours);
}

void cors_add(struct request *request)
{
    const char *ours = request->worker->http->options.cors_origin;
    bool for_all = (request->flags & ROUTE_TOKEN) != 0;
    if (for_all) {
        reply_header(request, "access-control-allow-origin", "*");
        if (!reply_has_header(request, "cross-origin-resource-policy"))
            reply_header(request, "cross-origin-resource-policy", "cross-origin");
    } else if (ours != NULL) {
        reply_header(request, "vary", "origin");
        if (!cors_is_ours(request))
            return;
        reply_header(request, "access-control-allow-origin", ours);
        reply_header(request, "access-control-allow-credentials", "true");
    } else {
        return;
    }
    reply_header(request, "access-control-expose-headers", "content-range, retry-after, x-hold-ms");
}

bool cors_preflight(struct request *request, unsigned methods)
{
    bool for_all = (request->flags & ROUTE_TOKEN) != 0;
    if (!slice_is(request_method(request), "OPTIONS") ||
        request_header(request, "access-control-request-method").at == NULL ||
        !(for_all || cors_is_ours(request)))
        return false;
    struct str list;
    str_init(&list);
    method_list(methods, &list);
    reply_header(request, "access-control-allow-methods", str_text(&list));
    str_fini(&list);
    reply_header(request, "access-control-allow-headers",
                 for_all ? "range" : "authorization, content-type, range");
    reply_header(request, "access-control-max-age", "86400");
    reply_empty(request, 204);
    return true;
}
