/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /api/v1/setup: the first account (decision 35). */
#include "api/inside.h"

static int status_of(enum err err)
{
    if (err == ERR_GONE)
        return 409;
    return err == ERR_LIMIT ? 429 : err == ERR_BAD_INPUT ? 422 : 0;
}

static void set_up(struct answer *answer)
{
    struct credentials *credentials = answer->input;
    struct auth_wish wish = credentials_wish(credentials);
    struct auth_answer opened = {0};
    enum err err = auth_set_up(answer->api->auth, &wish, &opened, &answer->why);
    answer->retry_after_s = opened.retry_after_s;
    if (err == OK)
        session_answer(answer, 201, &opened, credentials->is_secure);
    else
        answer_fail(answer, err, status_of(err));
}

void setup_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct why why;
    if (auth_mode(api->auth) == AUTH_ACCOUNTS)
        credentials_later(api, request, CREDENTIALS_NAMED, set_up);
    else
        reply_problem(request, 409,
                      why_set(&why, ERR_GONE, NULL, "this server is set up without accounts"),
                      &why);
}
