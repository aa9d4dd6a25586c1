/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/audit: who did what. A cursor is the number of the last entry of the page before. */
#include <inttypes.h>
#include <stdio.h>

#include "api/inside.h"
#include "store/audit.h"

enum { LIMIT = 100, LIMIT_MAX = 500 };

struct wish {
    int64_t before, limit;
};

struct page {
    json_t *items;
    int64_t count, last;
    int64_t limit;
};

static void list_one(void *ctx, const struct store_audit *entry)
{
    struct page *page = ctx;
    if (page->count++ == page->limit)
        return; /* one more was asked for, to know whether there is a next page */
    page->last = entry->n;
    json_array_append_new(
        page->items, json_pack("{s:o, s:o, s:s, s:s, s:s, s:s}", "at", json_date(entry->at_ms),
                               "user", entry->user != NULL ? json_string(entry->user) : json_null(),
                               "username", entry->name, "action", entry->action, "object",
                               entry->object, "address", entry->peer));
}

static void list(struct answer *answer)
{
    const struct wish *wish = answer->input;
    struct page page = {.items = json_array(), .limit = wish->limit};
    char cursor[24];
    enum err err =
        store_audit_each(answer->api->store, wish->before, wish->limit + 1, list_one, &page);
    snprintf(cursor, sizeof cursor, "%" PRId64, page.last);
    answer->body = json_pack("{s:o, s:o}", "items", page.items, "next",
                             page.count > page.limit ? json_string(cursor) : json_null());
    if (err != OK)
        answer_fail(answer, err, 0);
}

static enum err read_number(struct request *request, const char *name, uint64_t most, int64_t *out,
                            struct why *why)
{
    struct slice text = request_query(request, name);
    uint64_t number = 0;
    if (text.at == NULL)
        return OK;
    if (slice_number(text, most, &number) != OK || number == 0)
        return why_set(why, ERR_BAD_INPUT, name, "%s is not one of ours", name);
    *out = (int64_t) number;
    return OK;
}

void audit_get(struct request *request, void *ctx)
{
    struct wish wish = {.limit = LIMIT};
    struct why why = {0};
    enum err err = read_number(request, "limit", LIMIT_MAX, &wish.limit, &why);
    if (err == OK)
        err = read_number(request, "cursor", INT64_MAX, &wish.before, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = list, .input = &wish, .size = sizeof wish});
}
