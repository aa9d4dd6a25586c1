/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/users: the people of the house, for administrators. */
#include <string.h>

#include "api/inside.h"
#include "auth/people.h"
#include "base/mem.h"

enum { STATUS_CONFLICT = 409 };

static json_t *user_json(const struct store_user *user)
{
    json_t *object = json_pack("{s:s, s:s, s:b, s:b, s:o}", "id", user->id, "username", user->name,
                               "disabled", user->is_disabled, "has_password",
                               user->password[0] != '\0', "created", json_date(user->created_ms));
    put_standing(object, user->role, &user->bounds);
    return object;
}

static void fail(struct answer *answer, enum err err)
{
    int status = 0;
    if (err == ERR_BUSY || err == ERR_REFUSED)
        status = STATUS_CONFLICT;
    else if (err == ERR_BAD_INPUT)
        status = STATUS_UNPROCESSABLE;
    answer_fail(answer, err, status);
}

/* --- GET --- */

static void list_one(void *ctx, const struct store_user *user)
{
    json_array_append_new(ctx, user_json(user));
}

static void list(struct answer *answer)
{
    json_t *items = json_array();
    enum err err = store_users_each(answer->api->store, list_one, items);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void users_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

/* --- POST, PATCH --- */

struct user_wish {
    char id[STORE_ID_SIZE];    /* PATCH */
    char *username, *password; /* NULL: not given */
    enum role role;
    bool has_role, has_disabled, is_disabled; /* PATCH */
    struct bounds_wish bounds;
};

static void wish_fini(void *arg)
{
    struct user_wish *wish = arg;
    mem_free(wish->username);
    body_forget(&wish->password);
}

static enum err read_wish(struct request *request, struct user_wish *out, bool is_new,
                          struct why *why)
{
    json_t *body = NULL;
    *out = (struct user_wish){0};
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = body_text(body, "username", is_new, &out->username, why);
    if (err == OK && is_new)
        err = body_text(body, "password", false, &out->password, why);
    if (err == OK && is_new)
        err = body_newcomer(body, &out->role, &out->bounds.bounds, why);
    if (err == OK && !is_new)
        err = body_role(body, &out->has_role, &out->role, why);
    if (err == OK && !is_new)
        err = body_bounds(body, &out->bounds, why);
    if (err == OK && !is_new)
        err = body_bool(body, "disabled", &out->has_disabled, &out->is_disabled, why);
    if (err != OK)
        wish_fini(out);
    return err;
}

/* On auth's pool where it hashes, else on the api's. */
static void run(struct api *api, struct request *request, struct user_wish *wish, enum err err,
                struct why *why, answer_work_fn *work)
{
    if (err == OK && api_need_accounts(api, why) != OK) {
        wish_fini(wish);
        err = ERR_REFUSED;
    }
    if (err != OK)
        reply_problem(request, 0, err, why);
    else
        answer_later(
            api, request,
            &(struct answer_plan){.work = work,
                                  .pool = wish->password != NULL ? auth_pool(api->auth) : api->pool,
                                  .input = wish,
                                  .size = sizeof *wish,
                                  .fini = wish_fini});
}

static void add(struct answer *answer)
{
    const struct user_wish *wish = answer->input;
    struct store_user user;
    enum err err = people_add(answer->api->auth, slice_of(wish->username), slice_of(wish->password),
                              wish->role, &wish->bounds.bounds, &user, &answer->why);
    if (err != OK) {
        fail(answer, err);
        return;
    }
    answer_note(answer, "user added", user.name);
    answer->status = 201;
    answer->body = user_json(&user);
}

void users_post(struct request *request, void *ctx)
{
    struct user_wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, true, &why);
    run(ctx, request, &wish, err, &why, add);
}

static void change(struct answer *answer)
{
    const struct user_wish *wish = answer->input;
    const struct people_change change = {
        .name = slice_of(wish->username),
        .role = wish->has_role ? &wish->role : NULL,
        .bounds = &wish->bounds,
        .is_disabled = wish->has_disabled ? &wish->is_disabled : NULL,
    };
    struct store_user user;
    enum err err = people_change(answer->api->auth, wish->id, &change, &user, &answer->why);
    if (err != OK) {
        fail(answer, err);
        return;
    }
    CLEANUP(str_fini) struct str words = {0};
    str_printf(&words, "%s: %s", user.name, role_name(user.role));
    if (user.role == ROLE_CHILD)
        str_printf(&words, " of %d", user.bounds.age);
    if (user.is_disabled)
        str_puts(&words, ", disabled");
    answer_note(answer, "user changed", str_text(&words));
    answer->body = user_json(&user);
}

void user_patch(struct request *request, void *ctx)
{
    struct user_wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, false, &why);
    copy_slice(request_param(request, 0), wish.id, sizeof wish.id);
    run(ctx, request, &wish, err, &why, change);
}

/* --- DELETE, and the link for a password --- */

static void leave(struct answer *answer)
{
    struct store_user user = {.name = ""};
    enum err err = store_user_get(answer->api->store, answer->input, &user);
    if (err == OK || err == ERR_NOT_FOUND)
        err = people_remove(answer->api->auth, answer->input, &answer->why);
    answer->status = 204;
    if (err == OK)
        answer_note(answer, "user removed", user.name);
    else
        fail(answer, err);
}

void user_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, leave);
}

static void make_reset(struct answer *answer)
{
    char code[AUTH_TOKEN_SIZE];
    int64_t expires_ms = 0;
    struct store_user user = {.name = ""};
    enum err err = store_user_get(answer->api->store, answer->input, &user);
    if (err == OK || err == ERR_NOT_FOUND)
        err = people_make_reset(answer->api->auth, answer->input, code, &expires_ms, &answer->why);
    if (err != OK) {
        fail(answer, err);
        return;
    }
    answer_note(answer, "password link made", user.name);
    answer->status = 201;
    answer->body = json_pack("{s:s, s:o}", "code", code, "expires", json_date(expires_ms));
    explicit_bzero(code, sizeof code);
}

void user_reset_post(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, make_reset);
}
