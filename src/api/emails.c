/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PUT and DELETE /api/v1/me/email, POST /api/v1/verify: addresses of people, and the letters that show whose they
 * are. What hashes runs on auth's pool, what waits for the mail server on one of its own. */
#include "auth/emails.h"

#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

static enum err need_mail(const struct api *api, int *status, struct why *why)
{
    enum err err = api_need_accounts(api, why);
    if (err != OK || api->mail != NULL)
        return err;
    *status = 409;
    return why_set(why, ERR_REFUSED, NULL, "this server sends no letters: mail.url is not set");
}

/* --- the letter --- */

struct delivery {
    struct emails_letter letter;
    char origin[ORIGIN_SIZE];
    bool is_new;
};

static void delivery_fini(void *arg)
{
    struct delivery *delivery = arg;
    explicit_bzero(&delivery->letter, sizeof delivery->letter);
}

/* The code stands behind the #, which no server and no log sees; ".new" tells the page to ask for the password. */
static void write_text(const struct delivery *delivery, struct str *out)
{
    const struct emails_letter *letter = &delivery->letter;
    str_puts(out, "Hello,\n\n");
    str_printf(out,
               delivery->is_new
                   ? "somebody, probably you, wants an account with this address, called\n%s, at\n"
                   : "somebody, probably you, has given this address to the account\n%s, at\n",
               letter->name);
    str_printf(out,
               "%s\n\nIf it was you, open this link within %d hours:\n\n%s/verify#%s%s\n\n"
               "If it was not, do nothing: nothing happens then.\n",
               delivery->origin, EMAILS_HOURS, delivery->origin, letter->code,
               delivery->is_new ? ".new" : "");
}

static int status_of_sending(enum err err)
{
    if (err == ERR_BUSY)
        return 503;
    return err == ERR_REFUSED ? STATUS_UNPROCESSABLE : STATUS_BAD_GATEWAY;
}

static void deliver(struct answer *answer)
{
    const struct delivery *delivery = answer->input;
    CLEANUP(str_fini) struct str text = {0};
    write_text(delivery, &text);
    const struct mail_letter letter = {
        .to = delivery->letter.to, .subject = "Your address at matinee", .text = str_text(&text)};
    enum err err = mail_send(answer->api->mail, &letter, &answer->why);
    explicit_bzero(text.at, text.length);
    answer->status = 202;
    answer->body = json_pack("{s:s}", "email", delivery->letter.to);
    if (err != OK)
        answer_fail(answer, err, status_of_sending(err));
}

void emails_send(struct api *api, struct request *request, const struct emails_letter *letter,
                 bool is_new)
{
    struct delivery delivery = {.letter = *letter, .is_new = is_new};
    api_origin(api, request, delivery.origin, sizeof delivery.origin);
    answer_later(api, request,
                 &(struct answer_plan){.work = deliver,
                                       .pool = api->letters,
                                       .input = &delivery,
                                       .size = sizeof delivery,
                                       .fini = delivery_fini});
    delivery_fini(&delivery);
}

/* --- one's own --- */

struct email_wish {
    char *email, *current;
    struct emails_letter letter;
};

static void wish_fini(void *arg)
{
    struct email_wish *wish = arg;
    mem_free(wish->email);
    body_forget(&wish->current);
    explicit_bzero(&wish->letter, sizeof wish->letter);
}

static void send_it(struct answer *answer, struct request *request)
{
    const struct email_wish *wish = answer->input;
    emails_send(answer->api, request, &wish->letter, false);
}

static int status_of_asking(enum err err, const struct why *why)
{
    if (err == ERR_LIMIT)
        return 429;
    bool is_absent = strcmp(why->field, "current") == 0;
    return err == ERR_BAD_INPUT && !is_absent ? STATUS_UNPROCESSABLE : 0;
}

static void ask(struct answer *answer)
{
    struct email_wish *wish = answer->input;
    enum err err = emails_ask(answer->api->auth, &answer->user, slice_of(answer->peer),
                              slice_of(wish->current), slice_of(wish->email), &wish->letter,
                              &answer->retry_after_s, &answer->why);
    if (err == OK)
        answer_go_on(answer, send_it);
    else
        answer_fail(answer, err, status_of_asking(err, &answer->why));
}

void me_email_put(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct email_wish wish = {0};
    struct why why = {0};
    json_t *body = NULL;
    enum err err = request_json(request, &body, &why);
    if (err == OK)
        err = body_text(body, "email", true, &wish.email, &why);
    if (err == OK)
        err = body_text(body, "current", false, &wish.current, &why);
    int status = 0;
    if (err == OK)
        err = need_mail(api, &status, &why);
    if (err != OK) {
        wish_fini(&wish);
        reply_problem(request, status, err, &why);
        return;
    }
    answer_later(api, request,
                 &(struct answer_plan){.work = ask,
                                       .pool = auth_pool(api->auth),
                                       .input = &wish,
                                       .size = sizeof wish,
                                       .fini = wish_fini,
                                       .busy_status = 429,
                                       .is_first = true});
}

static void drop(struct answer *answer)
{
    enum err err = emails_remove(answer->api->auth, &answer->user, slice_of(answer->peer));
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_email_delete(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = drop});
}

/* --- the answer to a letter --- */

static void verify(struct answer *answer)
{
    const struct credentials *credentials = answer->input;
    const struct auth_wish wish = credentials_wish(credentials);
    struct auth_answer opened = {0};
    bool is_new = false;
    enum err err =
        emails_verify(answer->api->auth, &answer->user, &wish, &opened, &is_new, &answer->why);
    answer->retry_after_s = opened.retry_after_s;
    if (err != OK)
        answer_fail(answer, err, err == ERR_LIMIT ? 429 : err == ERR_BUSY ? 409 : 0);
    else if (is_new)
        session_answer(answer, 201, &opened, credentials->is_secure);
    else
        answer->status = 204;
}

void verify_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct credentials credentials;
    struct why why = {0};
    enum err err = credentials_read(request, CREDENTIALS_CODE, &credentials, &why);
    if (err == OK && (err = api_need_accounts(api, &why)) != OK)
        credentials_fini(&credentials);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(api, request,
                     &(struct answer_plan){.work = verify,
                                           .pool = auth_pool(api->auth),
                                           .input = &credentials,
                                           .size = sizeof credentials,
                                           .fini = credentials_fini,
                                           .busy_status = 429});
}
