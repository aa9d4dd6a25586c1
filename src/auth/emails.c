/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/emails.h"

#include <stdio.h>
#include <string.h>

#include "auth/inside.h"
#include "auth/password.h"
#include "base/clock.h"
#include "store/emails.h"

_Static_assert(MAIL_ADDRESS_SIZE == STORE_EMAIL_SIZE, "what is sent to is what is kept");

/* Nobody is sent letters by us because others like it. */
static enum err count_letter(struct auth *auth, struct slice peer, const char *email,
                             int *retry_after_s, struct why *why)
{
    const struct auth_try from = auth_try_of(auth, peer, NULL, (struct slice){NULL, 0});
    int64_t now_ms = clock_mono_ms(), retry_ms = 0;
    enum err err = limit_look(auth->letters, email, now_ms, &retry_ms);
    if (err == OK)
        err = limit_try(auth->letters, from.peer, now_ms, &retry_ms);
    if (err == OK)
        err = limit_try(auth->letters, email, now_ms, &retry_ms);
    if (err == OK)
        return OK;
    *retry_after_s = (int) ((retry_ms + 999) / 1000);
    return why_set(why, ERR_LIMIT, NULL,
                   "too many letters were sent; the next one may be asked for in %d seconds",
                   *retry_after_s);
}

static enum err put(struct auth *auth, struct store_email_wish *wish, struct emails_letter *out,
                    struct why *why)
{
    auth_draw_token(out->code);
    memcpy(wish->email, out->to, sizeof wish->email);
    wish->made_ms = clock_wall_ms();
    wish->expires_ms = wish->made_ms + EMAILS_HOURS * 60LL * 60 * 1000;
    enum err err = sessions_hash(slice_of(out->code), wish->hash);
    MUST(err == OK);
    err = store_email_ask(auth->store, wish);
    if (err == ERR_LIMIT)
        return why_set(why, err, NULL, "too many addresses wait for an answer; try again tomorrow");
    return err;
}

enum err emails_ask(struct auth *auth, const struct http_user *user, struct slice peer,
                    struct slice current, struct slice email, struct emails_letter *out,
                    int *retry_after_s, struct why *why)
{
    struct store_email_wish wish = {.is_new = false};
    struct store_user kept;
    enum err err = mail_check_address(email, out->to, why);
    if (err == OK)
        err = store_user_get(auth->store, user->id, &kept);
    if (err == OK && kept.password[0] != '\0')
        err = auth_check_current(auth, &kept, peer, current, retry_after_s, why);
    if (err == OK)
        err = count_letter(auth, peer, out->to, retry_after_s, why);
    if (err != OK)
        return err;
    memcpy(wish.user.id, kept.id, sizeof wish.user.id);
    memcpy(out->name, kept.name, sizeof out->name);
    return put(auth, &wish, out, why);
}

static enum err check_newcomer(struct auth *auth, const struct auth_wish *wish, struct slice email,
                               struct store_user *user, struct emails_letter *out, struct why *why)
{
    struct store_user known;
    enum err err =
        auth->registration == AUTH_OPEN
            ? OK
            : why_set(why, ERR_REFUSED, NULL, "nobody makes an account for himself here");
    if (err == OK)
        err = name_check(wish->username, user->name, user->folded, why);
    if (err == OK)
        err = mail_check_address(email, out->to, why);
    if (err == OK)
        err = password_check(wish->password, why);
    if (err == OK && store_user_find(auth->store, user->folded, &known) == OK)
        err = why_set(why, ERR_BUSY, "username", "the name %s is taken", user->name);
    memcpy(out->name, user->name, sizeof out->name);
    return err;
}

enum err emails_register(struct auth *auth, const struct auth_wish *wish, struct slice email,
                         struct emails_letter *out, int *retry_after_s, struct why *why)
{
    struct store_email_wish asked = {.is_new = true};
    struct auth_answer slow = {0};
    const struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    enum err err = auth_count_try(auth, &tried, &slow, why);
    *retry_after_s = slow.retry_after_s;
    if (err != OK)
        return err;
    err = check_newcomer(auth, wish, email, &asked.user, out, why);
    if (err == OK || err == ERR_BAD_INPUT)
        auth_forgive_try(auth, &tried);
    if (err == OK)
        err = count_letter(auth, wish->peer, out->to, retry_after_s, why);
    if (err == OK)
        err = password_hash(wish->password, asked.user.password);
    return err == OK ? put(auth, &asked, out, why) : err;
}

/* Whether it is answered by who asked. */
static enum err check_answer(const struct auth *auth, const struct http_user *user,
                             const struct auth_wish *wish, const struct store_email_wish *asked,
                             struct why *why)
{
    if (!asked->is_new)
        return strcmp(user->id, asked->user.id) == 0 && !user->is_key
                   ? OK
                   : why_set(why, ERR_REFUSED, NULL,
                             "sign in first, to the account that the address is for");
    if (auth->registration != AUTH_OPEN)
        return why_set(why, ERR_REFUSED, NULL, "nobody makes an account for himself here any more");
    if (wish->password.at == NULL)
        return why_set(why, ERR_BAD_INPUT, "password", "password is missing");
    return password_is(wish->password, asked->user.password)
               ? OK
               : why_set(why, ERR_REFUSED, "password",
                         "that is not the password that was chosen with this address");
}

static enum err explain(enum err err, struct why *why)
{
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, "code", "that code is not valid any more");
    if (err == ERR_REFUSED)
        return why_set(why, ERR_BUSY, "email", "another account here has that address");
    if (err == ERR_BUSY)
        return why_set(why, err, "username", "that name was taken meanwhile");
    return err;
}

enum err emails_verify(struct auth *auth, const struct http_user *by, const struct auth_wish *wish,
                       struct auth_answer *out, bool *is_new, struct why *why)
{
    uint8_t hash[STORE_HASH_SIZE];
    struct store_email_wish asked;
    struct store_user user;
    const struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    enum err err = auth_count_try(auth, &tried, out, why);
    if (err != OK)
        return err;
    err = sessions_hash(wish->code, hash) == OK ? OK : ERR_NOT_FOUND;
    if (err == OK)
        err = store_email_look(auth->store, hash, clock_wall_ms(), &asked);
    if (err != OK)
        return explain(err, why);
    err = check_answer(auth, by, wish, &asked, why);
    if (err == OK)
        err = explain(store_email_answer(auth->store, hash, clock_wall_ms(), &user, is_new), why);
    if (err == OK || err == ERR_BAD_INPUT)
        auth_forgive_try(auth, &tried);
    if (err != OK)
        return err;
    if (!*is_new) {
        auth_note(auth, by, wish->peer, "address verified", "");
        return OK;
    }
    err = auth_open_session(auth, &user, wish, out);
    if (err == OK)
        auth_note(auth, &out->user, wish->peer, "account made", user.name);
    return err;
}

enum err emails_remove(struct auth *auth, const struct http_user *user, struct slice peer)
{
    enum err err = store_email_remove(auth->store, user->id);
    if (err == OK)
        auth_note(auth, user, peer, "address removed", "");
    return err;
}
