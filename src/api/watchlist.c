/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/watchlist: what somebody wants to watch some time. */
#include "store/watchlist.h"
#include "api/inside.h"
#include "base/clock.h"

static void list_one(void *ctx, const struct store_item *item, int64_t added_ms)
{
    json_array_append_new(
        ctx, json_pack("{s:o, s:o}", "item", item_json(item), "added", json_date(added_ms)));
}

static void list(struct answer *answer)
{
    json_t *items = json_array();
    const struct store_viewer viewer = answer_viewer(answer);
    enum err err = store_watchlist_each(answer->api->store, &viewer, list_one, items);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void watchlist_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void put(struct answer *answer)
{
    struct store_place place;
    struct why *why = &answer->why;
    enum err err = item_find(answer, answer->input, &place, why);
    if (err == OK)
        err = store_watchlist_put(answer->api->store, answer->user.id, place.item, clock_wall_ms());
    if (err == ERR_LIMIT)
        why_set(why, err, NULL, "the list is full: take something off it first");
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, err == ERR_LIMIT ? 409 : 0);
}

void watchlist_put(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, put);
}

static void drop(struct answer *answer)
{
    struct store_place place;
    enum err err = item_find(answer, answer->input, &place, &answer->why);
    if (err == OK) {
        err = store_watchlist_remove(answer->api->store, answer->user.id, place.item);
        if (err == ERR_NOT_FOUND)
            why_set(&answer->why, err, NULL, "it is not on the list");
    }
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

void watchlist_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, drop);
}
