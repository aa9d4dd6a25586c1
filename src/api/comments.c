/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/items/{id}/comments and /api/v1/comments/{id}: who wrote one may take it away, and so may
 * administrators. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/mem.h"
#include "segments/plan.h"
#include "store/comments.h"

static json_t *comment_json(const struct http_user *viewer, const struct store_comment *comment)
{
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:b}", "id", comment->id, "item", comment->item, "by",
        comment->name, "text", json_text(comment->text), "spoiler", comment->is_spoiler, "position",
        comment->position_ms >= 0 ? seconds_json(comment->position_ms) : json_null(), "created",
        json_date(comment->created_ms), "own", strcmp(comment->user, viewer->id) == 0);
}

/* --- GET --- */

struct listing {
    char id[STORE_ID_SIZE];
    struct paging page;
    const struct http_user *viewer;
};

static void list_one(void *ctx, const struct store_comment *comment)
{
    struct listing *listing = ctx;
    paging_add(&listing->page, comment->n, comment_json(listing->viewer, comment));
}

static void list(struct answer *answer)
{
    struct listing *listing = answer->input;
    struct store_place place;
    listing->viewer = &answer->user;
    enum err err = item_find(answer, listing->id, &place, &answer->why);
    if (err == OK)
        err = store_comments_each(answer->api->store, place.item, listing->page.before,
                                  paging_room(&listing->page), list_one, listing);
    answer->body = paging_json(&listing->page);
    if (err != OK)
        answer_fail(answer, err, 0);
}

void comments_get(struct request *request, void *ctx)
{
    struct listing listing = {0};
    struct why why = {0};
    copy_slice(request_param(request, 0), listing.id, sizeof listing.id);
    enum err err = paging_read(request, &listing.page, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(
            ctx, request,
            &(struct answer_plan){.work = list, .input = &listing, .size = sizeof listing});
}

/* --- POST --- */

struct wish {
    char id[STORE_ID_SIZE];
    char *text;
    bool is_spoiler;
    int64_t position_ms;
};

static void wish_fini(void *arg)
{
    struct wish *wish = arg;
    mem_free(wish->text);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static enum err read_position(const json_t *body, int64_t *out, struct why *why)
{
    const json_t *value = json_object_get(body, "position");
    double seconds = json_number_value(value);
    *out = -1;
    if (value == NULL || json_is_null(value))
        return OK;
    if (!json_is_number(value) || !(seconds >= 0) || seconds > PLAN_MAX_HOURS * 3600.0)
        return why_set(why, ERR_BAD_INPUT, "position", "position is a number of seconds, or null");
    *out = (int64_t) (seconds * 1000);
    return OK;
}

static enum err read_wish(struct request *request, struct wish *out, struct why *why)
{
    json_t *body = NULL;
    bool has_spoiler = false;
    *out = (struct wish){0};
    copy_slice(request_param(request, 0), out->id, sizeof out->id);
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = body_text(body, "text", true, &out->text, why);
    if (err == OK && (is_blank(out->text) || strlen(out->text) > STORE_COMMENT_BYTES_MOST))
        err = why_set(why, ERR_BAD_INPUT, "text", "text has 1 to %d bytes, not all of them blank",
                      (int) STORE_COMMENT_BYTES_MOST);
    if (err == OK)
        err = body_bool(body, "spoiler", &has_spoiler, &out->is_spoiler, why);
    if (err == OK)
        err = read_position(body, &out->position_ms, why);
    if (err != OK)
        wish_fini(out);
    return err;
}

static void add(struct answer *answer)
{
    const struct wish *wish = answer->input;
    struct store_place place;
    struct store_comment comment = {.text = wish->text,
                                    .is_spoiler = wish->is_spoiler,
                                    .position_ms = wish->position_ms,
                                    .created_ms = clock_wall_ms()};
    enum err err = item_find(answer, wish->id, &place, &answer->why);
    if (err == OK) {
        store_new_id(comment.id);
        memcpy(comment.item, place.item, sizeof comment.item);
        snprintf(comment.user, sizeof comment.user, "%s", answer->user.id);
        snprintf(comment.name, sizeof comment.name, "%s", answer->user.name);
        err = store_comment_add(answer->api->store, &comment);
    }
    if (err == ERR_LIMIT)
        why_set(&answer->why, err, NULL, "you have written %d comments: take some away first",
                (int) STORE_COMMENTS_MOST);
    answer->status = 201;
    if (err == OK)
        answer->body = comment_json(&answer->user, &comment);
    else
        answer_fail(answer, err, err == ERR_LIMIT ? 409 : 0);
}

void comments_post(struct request *request, void *ctx)
{
    struct wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){
                         .work = add, .input = &wish, .size = sizeof wish, .fini = wish_fini});
}

/* --- DELETE --- */

/* Of what the viewer may not know of there is none for him. */
static enum err find(const struct answer *answer, struct store_comment *out)
{
    struct store_place place;
    struct why why;
    enum err err = store_comment_find(answer->api->store, answer->input, out);
    return err == OK ? item_find(answer, out->item, &place, &why) : err;
}

static void drop(struct answer *answer)
{
    struct store_comment comment;
    enum err err = find(answer, &comment);
    bool is_own = err == OK && strcmp(comment.user, answer->user.id) == 0;
    if (err == OK && !is_own && !http_user_is_admin(&answer->user))
        err = why_set(&answer->why, ERR_REFUSED, NULL, "it is somebody else's");
    if (err == OK)
        err = store_comment_remove(answer->api->store, comment.id);
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such comment");
    if (err == OK && !is_own)
        answer_note(answer, "comment removed", comment.name);
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

void comment_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, drop);
}
