/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/me/keys: keys for programs. A key is shown once. */
#include <string.h>

#include "api/inside.h"
#include "auth/people.h"
#include "base/mem.h"

static json_t *scopes_json(unsigned scopes)
{
    json_t *list = json_array();
    for (unsigned scope = 1; scope_name(scope) != NULL; scope *= 2)
        if ((scopes & scope) != 0)
            json_array_append_new(list, json_string(scope_name(scope)));
    return list;
}

static json_t *key_json(struct api *api, const struct store_key *key)
{
    int64_t seen_ms = people_last_seen(api->auth, key->id, key->seen_ms);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", key->id, "name", key->name, "scopes",
                     scopes_json(key->scopes), "created", json_date(key->created_ms), "seen",
                     seen_ms >= 0 ? json_date(seen_ms) : json_null());
}

/* --- GET --- */

struct listing {
    struct api *api;
    json_t *items;
};

static void list_one(void *ctx, const struct store_key *key, const struct store_user *user UNUSED)
{
    const struct listing *listing = ctx;
    json_array_append_new(listing->items, key_json(listing->api, key));
}

static void list(struct answer *answer)
{
    struct listing listing = {answer->api, json_array()};
    enum err err = store_keys_each(answer->api->store, answer->user.id, list_one, &listing);
    answer->body = json_pack("{s:o, s:n}", "items", listing.items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_keys_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

/* --- POST --- */

struct key_wish {
    char *name;
    unsigned scopes;
};

static void wish_fini(void *arg)
{
    struct key_wish *wish = arg;
    mem_free(wish->name);
}

static enum err read_scopes(const json_t *body, unsigned *out, struct why *why)
{
    const json_t *list = json_object_get(body, "scopes");
    size_t i;
    const json_t *item;
    *out = 0;
    json_array_foreach(list, i, item)
    {
        unsigned scope = 0;
        if (scope_parse(slice_of(json_string_value(item)), &scope) != OK)
            return why_set(why, ERR_BAD_INPUT, "scopes",
                           "scopes are read, play, request, download, admin, metrics");
        *out |= scope;
    }
    if (*out == 0)
        return why_set(why, ERR_BAD_INPUT, "scopes", "scopes is missing: a list of at least one");
    return OK;
}

static void make(struct answer *answer)
{
    const struct key_wish *wish = answer->input;
    struct store_key key;
    char secret[AUTH_KEY_SIZE];
    enum err err = people_make_key(answer->api->auth, &answer->user, slice_of(wish->name),
                                   wish->scopes, &key, secret, &answer->why);
    if (err != OK) {
        answer_fail(answer, err, err == ERR_LIMIT ? 409 : err == ERR_BAD_INPUT ? 422 : 0);
        return;
    }
    answer_note(answer, "key made", key.name);
    answer->status = 201;
    answer->body = key_json(answer->api, &key);
    json_object_set_new(answer->body, "key", json_string(secret));
    explicit_bzero(secret, sizeof secret);
}

void me_keys_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct key_wish wish = {0};
    struct why why = {0};
    json_t *body = NULL;
    enum err err = request_json(request, &body, &why);
    if (err == OK)
        err = read_scopes(body, &wish.scopes, &why);
    if (err == OK)
        err = body_text(body, "name", true, &wish.name, &why);
    if (err == OK)
        err = api_need_accounts(api, &why);
    if (err != OK) {
        wish_fini(&wish);
        reply_problem(request, 0, err, &why);
        return;
    }
    answer_later(api, request,
                 &(struct answer_plan){
                     .work = make, .input = &wish, .size = sizeof wish, .fini = wish_fini});
}

/* --- DELETE --- */

static void end_key(struct answer *answer)
{
    enum err err = people_end_key(answer->api->auth, &answer->user, answer->input);
    answer->status = 204;
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such key");
    if (err == OK)
        answer_note(answer, "key ended", answer->input);
    else
        answer_fail(answer, err, 0);
}

void me_key_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, end_key);
}
