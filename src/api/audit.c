/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/audit: who did what. */
#include "store/audit.h"
#include "api/inside.h"

static void list_one(void *ctx, const struct store_audit *entry)
{
    paging_add(ctx, entry->n,
               json_pack("{s:o, s:o, s:s, s:s, s:s, s:s}", "at", json_date(entry->at_ms), "user",
                         entry->user != NULL ? json_string(entry->user) : json_null(), "username",
                         entry->name, "action", entry->action, "object", entry->object, "address",
                         entry->peer));
}

static void list(struct answer *answer)
{
    struct paging *page = answer->input;
    enum err err = store_audit_each(answer->api->store, page->before, (int64_t) paging_room(page),
                                    list_one, page);
    answer->body = paging_json(page);
    if (err != OK)
        answer_fail(answer, err, 0);
}

void audit_get(struct request *request, void *ctx)
{
    answer_with_page(ctx, request, list);
}
