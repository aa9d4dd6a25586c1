/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "api/inside.h"

enum { LIMIT = 100, LIMIT_MAX = 500 };

enum err query_number(struct request *request, const char *name, int64_t least, int64_t most,
                      int64_t *out, struct why *why)
{
    struct slice text = request_query(request, name);
    uint64_t number = 0;
    if (text.at == NULL)
        return OK;
    if (slice_number(text, (uint64_t) most, &number) != OK || (int64_t) number < least)
        return why_set(why, ERR_BAD_INPUT, name,
                       "%s is a whole number from %" PRId64 " to %" PRId64, name, least, most);
    *out = (int64_t) number;
    return OK;
}

enum err paging_read(struct request *request, struct paging *out, struct why *why)
{
    *out = (struct paging){.limit = LIMIT};
    enum err err = query_number(request, "limit", 1, LIMIT_MAX, &out->limit, why);
    return err == OK ? query_number(request, "cursor", 1, INT64_MAX, &out->before, why) : err;
}

void answer_with_page(struct api *api, struct request *request, answer_work_fn *work)
{
    struct paging page;
    struct why why = {0};
    enum err err = paging_read(request, &page, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(api, request,
                     &(struct answer_plan){.work = work, .input = &page, .size = sizeof page});
}

size_t paging_room(const struct paging *page)
{
    return (size_t) page->limit + 1;
}

void paging_add(struct paging *page, int64_t n, json_t *item)
{
    if (page->items == NULL)
        page->items = json_array();
    if (page->count++ == page->limit) {
        json_decref(item);
        return;
    }
    page->last = n;
    json_array_append_new(page->items, item);
}

json_t *paging_json(struct paging *page)
{
    char cursor[24];
    json_t *items = page->items != NULL ? page->items : json_array();
    page->items = NULL;
    snprintf(cursor, sizeof cursor, "%" PRId64, page->last);
    return json_pack("{s:o, s:o}", "items", items, "next",
                     page->count > page->limit ? json_string(cursor) : json_null());
}
