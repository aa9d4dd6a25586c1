/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes that open an account: invitations and what is made of them, links to set a password. */
#include <string.h>

#include "api/inside.h"
#include "auth/people.h"
#include "base/clock.h"
#include "base/mem.h"

enum { DAY_S = 24 * 60 * 60 };

static json_t *invite_json(const struct store_invite *invite)
{
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o}", "id", invite->id, "by",
        invite->made_by_name[0] != '\0' ? json_string(invite->made_by_name) : json_null(),
        "created", json_date(invite->created_ms), "expires", json_date(invite->expires_ms));
    put_standing(object, invite->role, &invite->bounds);
    return object;
}

/* --- GET, DELETE --- */

static void list_one(void *ctx, const struct store_invite *invite)
{
    json_array_append_new(ctx, invite_json(invite));
}

static void list(struct answer *answer)
{
    json_t *items = json_array();
    enum err err = store_invites_each(answer->api->store, clock_wall_ms(), list_one, items);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void invites_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void leave(struct answer *answer)
{
    enum err err = store_invite_remove(answer->api->store, answer->input);
    answer->status = 204;
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such invitation");
    if (err == OK)
        answer_note(answer, "invitation taken back", answer->input);
    else
        answer_fail(answer, err, 0);
}

void invite_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, leave);
}

/* --- POST --- */

struct invite_wish {
    enum role role;
    struct bounds bounds;
    int64_t days;
};

static void make(struct answer *answer)
{
    const struct invite_wish *wish = answer->input;
    struct store_invite invite;
    char code[AUTH_TOKEN_SIZE];
    enum err err = people_invite(answer->api->auth, &answer->user, wish->role, &wish->bounds,
                                 wish->days * DAY_S * 1000, &invite, code);
    if (err != OK) {
        answer_fail(answer, err, 0);
        return;
    }
    answer_note(answer, "invitation made", role_name(wish->role));
    answer->status = 201;
    answer->body = invite_json(&invite);
    json_object_set_new(answer->body, "code", json_string(code));
    explicit_bzero(code, sizeof code);
}

static enum err read_invite(struct request *request, struct invite_wish *out, struct why *why)
{
    json_t *body = NULL;
    bool has_days = false;
    *out = (struct invite_wish){.days = 7};
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = body_newcomer(body, &out->role, &out->bounds, why);
    return err == OK ? body_number(body, "days", 1, 90, &has_days, &out->days, why) : err;
}

void invites_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct invite_wish wish;
    struct why why = {0};
    enum err err = read_invite(request, &wish, &why);
    if (err == OK)
        err = api_need_accounts(api, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(api, request,
                     &(struct answer_plan){.work = make, .input = &wish, .size = sizeof wish});
}

/* --- what is made of them --- */

static int status_of(enum err err)
{
    if (err == ERR_BAD_INPUT)
        return STATUS_UNPROCESSABLE;
    if (err == ERR_BUSY)
        return 409;
    return err == ERR_LIMIT ? 429 : 0;
}

static void finish(struct answer *answer, enum err err, int status,
                   const struct auth_answer *opened)
{
    const struct credentials *credentials = answer->input;
    answer->retry_after_s = opened->retry_after_s;
    if (err == OK)
        session_answer(answer, status, opened, credentials->is_secure);
    else
        answer_fail(answer, err, status_of(err));
}

static void send_letter(struct answer *answer, struct request *request)
{
    const struct credentials *credentials = answer->input;
    emails_send(answer->api, request, &credentials->letter, true);
}

/* Whose address it is shows in the answer to a letter: until then there is no account. */
static void ask_by_letter(struct answer *answer)
{
    struct credentials *credentials = answer->input;
    const struct auth_wish wish = credentials_wish(credentials);
    enum err err = OK;
    if (credentials->email == NULL) {
        answer_fail(answer,
                    why_set(&answer->why, ERR_BAD_INPUT, "email", "an address is needed here"), 0);
        return;
    }
    err = emails_register(answer->api->auth, &wish, slice_of(credentials->email),
                          &credentials->letter, &answer->retry_after_s, &answer->why);
    if (err == OK)
        answer_go_on(answer, send_letter);
    else
        answer_fail(answer, err, status_of(err));
}

static void make_account(struct answer *answer)
{
    struct api *api = answer->api;
    struct auth_wish wish = credentials_wish(answer->input);
    struct auth_answer opened = {0};
    if (wish.code.at == NULL && api->mail != NULL && auth_registration(api->auth) == AUTH_OPEN) {
        ask_by_letter(answer);
        return;
    }
    enum err err = people_register(api->auth, &wish, &opened, &answer->why);
    finish(answer, err, 201, &opened);
}

void register_post(struct request *request, void *ctx)
{
    credentials_later(ctx, request, CREDENTIALS_NAMED, make_account);
}

static void set_password(struct answer *answer)
{
    struct auth_wish wish = credentials_wish(answer->input);
    struct auth_answer opened = {0};
    enum err err = people_use_reset(answer->api->auth, &wish, &opened, &answer->why);
    finish(answer, err, 200, &opened);
}

void reset_post(struct request *request, void *ctx)
{
    credentials_later(ctx, request, CREDENTIALS_PASSWORD, set_password);
}
