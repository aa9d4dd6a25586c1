/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/me: who is signed in, how he likes things, his password, and the places where he is. */
#include <string.h>

#include "api/inside.h"
#include "auth/people.h"
#include "base/mem.h"
#include "store/emails.h"
#include "store/preferences.h"

static void tell(struct answer *answer)
{
    struct store_user user;
    char email[STORE_EMAIL_SIZE] = "";
    struct store *store = answer->api->store;
    bool is_kept = store_user_get(store, answer->user.id, &user) == OK &&
                   store_email_get(store, answer->user.id, email) == OK;
    answer->body = me_json(&answer->user);
    json_object_set_new(answer->body, "has_password",
                        json_boolean(is_kept && user.password[0] != '\0'));
    if (email[0] != '\0')
        json_object_set_new(answer->body, "email", json_string(email));
    json_object_set_new(answer->body, "preferences", preferences_of(answer->api, answer->user.id));
    explicit_bzero(&user, sizeof user);
}

void me_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = tell});
}

/* --- PATCH --- */

struct change_wish {
    json_t *preferences;
};

static void change_fini(void *arg)
{
    struct change_wish *wish = arg;
    json_decref(wish->preferences);
}

static void change(struct answer *answer)
{
    const struct change_wish *wish = answer->input;
    json_t *kept = preferences_of(answer->api, answer->user.id);
    enum err err = preferences_merge(kept, wish->preferences, &answer->why);
    if (err == OK) {
        char *text = json_dumps(kept, JSON_COMPACT);
        err = store_preferences_put(answer->api->store, answer->user.id, text);
        mem_free(text);
    }
    json_decref(kept);
    if (err == OK)
        tell(answer);
    else
        answer_fail(answer, err, 0);
}

void me_patch(struct request *request, void *ctx)
{
    struct why why = {0};
    json_t *body = NULL;
    struct change_wish wish = {0};
    enum err err = request_json(request, &body, &why);
    if (err == OK) {
        wish.preferences = json_object_get(body, "preferences");
        if (!json_is_object(wish.preferences))
            err =
                why_set(&why, ERR_BAD_INPUT, "preferences", "preferences is missing, or no object");
    }
    if (err != OK) {
        reply_problem(request, 0, err, &why);
        return;
    }
    json_incref(wish.preferences);
    answer_later(ctx, request,
                 &(struct answer_plan){
                     .work = change, .input = &wish, .size = sizeof wish, .fini = change_fini});
}

/* --- the password --- */

struct password_wish {
    char *current, *password;
};

static void password_fini(void *arg)
{
    struct password_wish *wish = arg;
    body_forget(&wish->current);
    body_forget(&wish->password);
}

/* What is absent is another fault than what does not fit. */
static int status_of(enum err err, const struct why *why)
{
    if (err == ERR_LIMIT)
        return 429;
    bool is_absent = strcmp(why->field, "current") == 0;
    return err == ERR_BAD_INPUT && !is_absent ? STATUS_UNPROCESSABLE : 0;
}

static void set_password(struct answer *answer)
{
    const struct password_wish *wish = answer->input;
    enum err err = people_set_password(answer->api->auth, &answer->user, slice_of(answer->peer),
                                       slice_of(wish->current), slice_of(wish->password),
                                       &answer->retry_after_s, &answer->why);
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, status_of(err, &answer->why));
}

void me_password_put(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct password_wish wish = {0};
    struct why why = {0};
    json_t *body = NULL;
    enum err err = request_json(request, &body, &why);
    if (err == OK)
        err = body_text(body, "current", false, &wish.current, &why);
    if (err == OK)
        err = body_text(body, "password", true, &wish.password, &why);
    if (err == OK)
        err = api_need_accounts(api, &why);
    if (err != OK) {
        password_fini(&wish);
        reply_problem(request, 0, err, &why);
        return;
    }
    answer_later(api, request,
                 &(struct answer_plan){.work = set_password,
                                       .pool = auth_pool(api->auth),
                                       .input = &wish,
                                       .size = sizeof wish,
                                       .fini = password_fini,
                                       .busy_status = 429,
                                       .is_first = true});
}

/* --- sessions --- */

struct listing {
    struct answer *answer;
    json_t *items;
};

static void list_one(void *ctx, const struct store_session *session,
                     const struct store_user *user UNUSED)
{
    const struct listing *listing = ctx;
    struct answer *answer = listing->answer;
    int64_t seen_ms = people_last_seen(answer->api->auth, session->id, session->seen_ms);
    json_array_append_new(
        listing->items, json_pack("{s:s, s:o, s:s, s:o, s:o, s:b, s:b}", "id", session->id, "agent",
                                  json_text(session->agent), "address", session->peer, "created",
                                  json_date(session->created_ms), "seen", json_date(seen_ms),
                                  "current", slice_is(slice_of(session->id), answer->user.session),
                                  "program", session->is_program));
}

static void list_sessions(struct answer *answer)
{
    struct listing listing = {answer, json_array()};
    enum err err = store_sessions_each(answer->api->store, answer->user.id, list_one, &listing);
    answer->body = json_pack("{s:o, s:n}", "items", listing.items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_sessions_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list_sessions});
}

static void end_session(struct answer *answer)
{
    enum err err = people_end_session(answer->api->auth, &answer->user, answer->input);
    answer->status = 204;
    if (err == OK)
        answer_note(answer, "session ended", answer->input);
    else
        answer_fail(answer,
                    err == ERR_NOT_FOUND
                        ? why_set(&answer->why, err, NULL, "there is no such session")
                        : err,
                    0);
}

void me_session_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, end_session);
}
