/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /api/v1/token: for programs. By name and password, which are hashed on auth's pool, or by what the last
 * answer said to refresh with. */
#include <string.h>

#include "api/inside.h"

static void tell(struct answer *answer, enum err err, const struct auth_answer *opened)
{
    answer->retry_after_s = opened->retry_after_s;
    if (err != OK) {
        answer_fail(answer, err, err == ERR_REFUSED ? 401 : err == ERR_LIMIT ? 429 : 0);
        return;
    }
    answer->body =
        json_pack("{s:s, s:s, s:i, s:s}", "access_token", opened->access, "token_type", "Bearer",
                  "expires_in", TOKENS_ACCESS_S, "refresh_token", opened->token);
}

static void sign_in(struct answer *answer)
{
    struct credentials *credentials = answer->input;
    struct auth_answer opened = {0};
    credentials->is_program = true;
    struct auth_wish wish = credentials_wish(credentials);
    enum err err = auth_sign_in(answer->api->auth, &wish, &opened, &answer->why);
    tell(answer, err, &opened);
    explicit_bzero(&opened, sizeof opened);
}

struct refresh_wish {
    char *token;
};

static void refresh_fini(void *arg)
{
    struct refresh_wish *wish = arg;
    body_forget(&wish->token);
}

static void refresh(struct answer *answer)
{
    const struct refresh_wish *wish = answer->input;
    struct auth_answer opened = {0};
    enum err err = auth_refresh(answer->api->auth, slice_of(wish->token), &opened, &answer->why);
    tell(answer, err, &opened);
    explicit_bzero(&opened, sizeof opened);
}

void token_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct refresh_wish wish = {0};
    struct why why = {0};
    json_t *body = NULL;
    enum err err = request_json(request, &body, &why);
    if (err == OK && json_object_get(body, "refresh_token") == NULL) {
        credentials_later(api, request, CREDENTIALS_NAMED, sign_in);
        return;
    }
    if (err == OK)
        err = api_need_accounts(api, &why);
    if (err == OK)
        err = body_text(body, "refresh_token", true, &wish.token, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(
            api, request,
            &(struct answer_plan){
                .work = refresh, .input = &wish, .size = sizeof wish, .fini = refresh_fini});
}
