/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/me/export: all that is kept of who asks, in one object. Neither passwords nor keys: of those
 * there are hashes alone. */
#include <string.h>

#include "api/inside.h"
#include "auth/people.h"
#include "store/comments.h"
#include "store/emails.h"
#include "store/links.h"
#include "store/watchlist.h"

static json_t *named(const struct store_item *item)
{
    return json_pack("{s:s, s:o, s:o}", "id", item->id, "title", json_text(item->title), "year",
                     item->year != 0 ? json_integer(item->year) : json_null());
}

static void put_sitting(void *ctx, const struct store_sitting *sitting,
                        const struct store_item *item)
{
    json_array_append_new(ctx, json_pack("{s:o, s:o, s:o, s:o, s:b}", "item", named(item), "began",
                                         json_date(sitting->began_ms), "at",
                                         json_date(sitting->progress.at_ms), "position",
                                         seconds_json(sitting->progress.position_ms), "completed",
                                         sitting->is_whole));
}

static void put_begun(void *ctx, const struct store_progress *progress,
                      const struct store_item *item)
{
    json_array_append_new(ctx, json_pack("{s:o, s:o, s:o}", "item", named(item), "position",
                                         seconds_json(progress->position_ms), "at",
                                         json_date(progress->at_ms)));
}

static void put_wish(void *ctx, const struct store_item *item, int64_t added_ms)
{
    json_array_append_new(
        ctx, json_pack("{s:o, s:o}", "item", named(item), "added", json_date(added_ms)));
}

static void put_comment(void *ctx, const struct store_comment *comment)
{
    json_array_append_new(ctx, json_pack("{s:s, s:o, s:o}", "item", comment->item, "text",
                                         json_text(comment->text), "created",
                                         json_date(comment->created_ms)));
}

static void put_link(void *ctx, const struct store_link *link)
{
    json_array_append_new(ctx, json_pack("{s:o, s:o}", "url", json_text(link->remote.url), "added",
                                         json_date(link->added_ms)));
}

static void put_session(void *ctx, const struct store_session *session,
                        const struct store_user *user UNUSED)
{
    json_array_append_new(ctx, json_pack("{s:o, s:s, s:o, s:o}", "agent", json_text(session->agent),
                                         "address", session->peer, "created",
                                         json_date(session->created_ms), "seen",
                                         json_date(session->seen_ms)));
}

/* A new list under this name; lent. */
static json_t *list_of(struct answer *answer, const char *name)
{
    json_t *list = json_array();
    json_object_set_new(answer->body, name, list);
    return list;
}

static void collect(struct answer *answer)
{
    struct store *store = answer->api->store;
    const char *user = answer->user.id;
    const struct store_viewer viewer = answer_viewer(answer);
    char email[STORE_EMAIL_SIZE] = "";
    answer->body = json_pack("{s:o, s:o}", "account", me_json(&answer->user), "preferences",
                             preferences_of(answer->api, user));
    if (store_email_get(store, user, email) == OK && email[0] != '\0')
        json_object_set_new(json_object_get(answer->body, "account"), "email", json_string(email));
    enum err err = positions_write(answer->api->positions);
    if (err == OK)
        err = store_history_each(store, &viewer, 0, SIZE_MAX / 2, put_sitting,
                                 list_of(answer, "history"));
    if (err == OK)
        err = store_progress_each(store, &viewer, SIZE_MAX / 2, put_begun,
                                  list_of(answer, "continue"));
    if (err == OK)
        err = store_watchlist_each(store, &viewer, put_wish, list_of(answer, "watchlist"));
    if (err == OK)
        err = store_comments_of(store, user, put_comment, list_of(answer, "comments"));
    if (err == OK)
        err = store_links_each(store, user, put_link, list_of(answer, "links"));
    if (err == OK)
        err = store_sessions_each(store, user, put_session, list_of(answer, "sessions"));
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_export_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = collect});
}
