/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/titles/{id}/episodes, those of a show, and /api/v1/items/{id}/next, what comes after one. */
#include "api/inside.h"

enum { SEASON_MOST = 9999 };

struct wish {
    char id[STORE_ID_SIZE];
    int season; /* -1: all */
};

enum err season_read(struct request *request, int *out, struct why *why)
{
    struct slice text = request_query(request, "season");
    uint64_t season = 0;
    *out = -1;
    if (text.at == NULL)
        return OK;
    if (slice_number(text, SEASON_MOST, &season) != OK)
        return why_set(why, ERR_BAD_INPUT, "season", "season is a number, 0 for specials");
    *out = (int) season;
    return OK;
}

static void list(struct answer *answer)
{
    const struct wish *wish = answer->input;
    const struct store_viewer viewer = answer_viewer(answer);
    struct store_titles titles = {0};
    json_t *items = json_array();
    enum err err =
        store_episodes_list(answer->api->store, wish->id, &viewer, wish->season, &titles);
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such show");
    for (size_t i = 0; i < titles.count; i++) {
        title_refresh(answer->api, viewer.user, &titles.items[i]);
        json_array_append_new(items, title_json(&titles.items[i]));
    }
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
    store_titles_fini(&titles);
}

void episodes_get(struct request *request, void *ctx)
{
    struct wish wish;
    struct why why = {0};
    copy_slice(request_param(request, 0), wish.id, sizeof wish.id);
    enum err err = season_read(request, &wish.season, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = list, .input = &wish, .size = sizeof wish});
}

/* What is there but has nothing after it answers null. */
static void find_next(struct answer *answer)
{
    const struct store_viewer viewer = answer_viewer(answer);
    struct store_place place;
    struct store_title next = {0};
    enum err err = item_find(answer, answer->input, &place, &answer->why);
    if (err == OK)
        err = positions_write(answer->api->positions);
    if (err != OK) {
        answer_fail(answer, err, 0);
        return;
    }
    err = store_next_find(answer->api->store, place.item, &viewer, &next);
    answer->body = json_pack("{s:o}", "item", err == OK ? title_json(&next) : json_null());
    if (err != OK && err != ERR_NOT_FOUND)
        answer_fail(answer, err, 0);
    store_title_fini(&next);
}

void next_get(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, find_next);
}
