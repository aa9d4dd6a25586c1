/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/people.h"

#include <stdio.h>
#include <string.h>

#include "auth/inside.h"
#include "auth/password.h"
#include "base/clock.h"

#define RESET_MS (24LL * 60 * 60 * 1000)

/* --- accounts --- */

enum err people_add(struct auth *auth, struct slice name, struct slice password, enum role role,
                    const struct bounds *bounds, struct store_user *out, struct why *why)
{
    if (password.at != NULL)
        return auth_add_user(auth->store, name, password, role, bounds, false, out, why);
    *out = (struct store_user){.role = role, .bounds = *bounds, .created_ms = clock_wall_ms()};
    enum err err = name_check(name, out->name, out->folded, why);
    if (err != OK)
        return err;
    store_new_id(out->id);
    err = store_user_add(auth->store, out, false);
    return err == ERR_BUSY ? why_set(why, err, "username", "the name %s is taken", out->name) : err;
}

static enum err explain(enum err err, const char *name, struct why *why)
{
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, NULL, "there is no such user");
    if (err == ERR_BUSY)
        return why_set(why, err, "username", "the name %s is taken", name);
    if (err == ERR_REFUSED)
        return why_set(why, err, NULL, "nobody would be left who can administer the server");
    return err;
}

enum err people_change(struct auth *auth, const char *id, const struct people_change *change,
                       struct store_user *out, struct why *why)
{
    char name[STORE_NAME_SIZE] = "", folded[STORE_NAME_SIZE];
    struct store_user_change wish = {
        .role = change->role, .bounds = change->bounds, .is_disabled = change->is_disabled};
    if (change->name.at != NULL) {
        enum err err = name_check(change->name, name, folded, why);
        if (err != OK)
            return err;
        wish.name = name;
        wish.folded = folded;
    }
    pthread_mutex_lock(&auth->people);
    enum err err = store_user_change(auth->store, id, &wish, out);
    if (err == OK && out->is_disabled)
        sessions_forget(auth->sessions, id);
    else if (err == OK)
        sessions_change(auth->sessions, out);
    pthread_mutex_unlock(&auth->people);
    return explain(err, name, why);
}

enum err people_remove(struct auth *auth, const char *id, struct why *why)
{
    pthread_mutex_lock(&auth->people);
    enum err err = store_user_remove(auth->store, id);
    if (err == OK)
        sessions_forget(auth->sessions, id);
    pthread_mutex_unlock(&auth->people);
    return explain(err, "", why);
}

/* --- passwords --- */

static enum err put_password(struct auth *auth, const struct http_user *user, const char *hash)
{
    pthread_mutex_lock(&auth->people);
    enum err err = store_user_set_password(auth->store, user->id, hash, user->session);
    if (err == OK)
        sessions_remove_of(auth->sessions, user->id, user->session);
    pthread_mutex_unlock(&auth->people);
    return err;
}

enum err auth_check_current(struct auth *auth, const struct store_user *user, struct slice peer,
                            struct slice current, int *retry_after_s, struct why *why)
{
    const struct slice nothing = {NULL, 0};
    struct auth_answer slow = {0};
    struct auth_try tried = auth_try_of(auth, peer, user->folded, nothing);
    if (current.at == NULL)
        return why_set(why, ERR_BAD_INPUT, "current", "current is missing");
    enum err err = auth_count_try(auth, &tried, &slow, why);
    *retry_after_s = slow.retry_after_s;
    if (err != OK)
        return err;
    if (password_is(current, user->password)) {
        auth_forgive_try(auth, &tried);
        return OK;
    }
    auth_mark_failure(auth, &tried);
    return why_set(why, ERR_REFUSED, "current", "that is not your password");
}

enum err people_set_password(struct auth *auth, const struct http_user *user, struct slice peer,
                             struct slice current, struct slice wanted, int *retry_after_s,
                             struct why *why)
{
    struct store_user kept;
    char hash[STORE_PASSWORD_SIZE];
    enum err err = password_check(wanted, why);
    if (err == OK)
        err = store_user_get(auth->store, user->id, &kept);
    if (err == OK && kept.password[0] != '\0')
        err = auth_check_current(auth, &kept, peer, current, retry_after_s, why);
    if (err == OK)
        err = password_hash(wanted, hash);
    if (err == OK)
        err = put_password(auth, user, hash);
    if (err == OK)
        auth_note(auth, user, peer, "password changed", "");
    return err;
}

enum err people_make_reset(struct auth *auth, const char *id, char code[AUTH_TOKEN_SIZE],
                           int64_t *expires_ms, struct why *why)
{
    uint8_t hash[STORE_HASH_SIZE];
    auth_draw_token(code);
    *expires_ms = clock_wall_ms() + RESET_MS;
    enum err err = sessions_hash(slice_of(code), hash);
    MUST(err == OK);
    return explain(store_reset_put(auth->store, id, hash, *expires_ms), "", why);
}

static enum err use_reset(struct auth *auth, const uint8_t *hash, const char *password,
                          struct store_user *user)
{
    pthread_mutex_lock(&auth->people);
    enum err err = store_reset_use(auth->store, hash, clock_wall_ms(), password, user);
    if (err == OK)
        sessions_remove_of(auth->sessions, user->id, NULL);
    pthread_mutex_unlock(&auth->people);
    return err;
}

/* What both need who come with a code from outside. */
static enum err check_code(struct auth *auth, const struct auth_wish *wish,
                           uint8_t hash[STORE_HASH_SIZE], char password[STORE_PASSWORD_SIZE],
                           struct auth_answer *out, struct why *why)
{
    struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    enum err err = auth_count_try(auth, &tried, out, why);
    if (err == OK)
        err = password_check(wish->password, why);
    if (err == OK && wish->code.at != NULL && sessions_hash(wish->code, hash) != OK)
        err = why_set(why, ERR_NOT_FOUND, "code", "that code is not valid any more");
    return err == OK ? password_hash(wish->password, password) : err;
}

static void forgive(struct auth *auth, const struct auth_wish *wish)
{
    struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    auth_forgive_try(auth, &tried);
}

enum err people_use_reset(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                          struct why *why)
{
    uint8_t hash[STORE_HASH_SIZE];
    char password[STORE_PASSWORD_SIZE];
    struct store_user user;
    if (wish->code.at == NULL)
        return why_set(why, ERR_BAD_INPUT, "code", "code is missing");
    enum err err = check_code(auth, wish, hash, password, out, why);
    if (err == OK)
        err = use_reset(auth, hash, password, &user);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, "code", "that code is not valid any more");
    if (err != OK)
        return err;
    forgive(auth, wish);
    err = auth_open_session(auth, &user, wish, out);
    if (err == ERR_REFUSED)
        return why_set(why, err, NULL, "the account is disabled");
    if (err == OK)
        auth_note(auth, &out->user, wish->peer, "password set by link", "");
    return err;
}

/* --- invitations --- */

enum err people_invite(struct auth *auth, const struct http_user *by, enum role role,
                       const struct bounds *bounds, int64_t lifetime_ms,
                       struct store_invite *invite, char code[AUTH_TOKEN_SIZE])
{
    *invite = (struct store_invite){.role = role, .bounds = *bounds, .created_ms = clock_wall_ms()};
    invite->expires_ms = invite->created_ms + lifetime_ms;
    store_new_id(invite->id);
    snprintf(invite->made_by, sizeof invite->made_by, "%.*s", STORE_ID_SIZE - 1, by->id);
    snprintf(invite->made_by_name, sizeof invite->made_by_name, "%s", by->name);
    auth_draw_token(code);
    enum err err = sessions_hash(slice_of(code), invite->hash);
    MUST(err == OK);
    return store_invite_add(auth->store, invite);
}

static enum err may_register(const struct auth *auth, const struct auth_wish *wish, struct why *why)
{
    if (auth->registration == AUTH_CLOSED)
        return why_set(why, ERR_REFUSED, NULL, "accounts are made by administrators here");
    if (auth->registration == AUTH_BY_INVITE && wish->code.at == NULL)
        return why_set(why, ERR_BAD_INPUT, "code", "an invitation is needed");
    return OK;
}

static enum err register_user(struct auth *auth, const struct auth_wish *wish,
                              struct store_user *user, struct auth_answer *out, struct why *why)
{
    uint8_t hash[STORE_HASH_SIZE];
    enum err err = name_check(wish->username, user->name, user->folded, why);
    if (err == OK)
        err = check_code(auth, wish, hash, user->password, out, why);
    if (err != OK)
        return err;
    store_new_id(user->id);
    err = wish->code.at != NULL ? store_invite_use(auth->store, hash, clock_wall_ms(), user)
                                : store_user_add(auth->store, user, false);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, "code", "that invitation is not valid any more");
    return explain(err, user->name, why);
}

enum err people_register(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                         struct why *why)
{
    struct store_user user = {.role = ROLE_MEMBER, .created_ms = clock_wall_ms()};
    enum err err = may_register(auth, wish, why);
    if (err == OK)
        err = register_user(auth, wish, &user, out, why);
    if (err == OK || err == ERR_BAD_INPUT)
        forgive(auth, wish);
    if (err == OK)
        err = auth_open_session(auth, &user, wish, out);
    if (err == OK)
        auth_note(auth, &out->user, wish->peer, "account made", user.name);
    return err;
}

/* --- sessions and keys --- */

enum err people_end_session(struct auth *auth, const struct http_user *user, const char *id)
{
    enum err err = store_session_remove(auth->store, id, user->id);
    if (err == OK)
        sessions_remove(auth->sessions, id);
    return err;
}

int64_t people_last_seen(struct auth *auth, const char *id, int64_t kept_ms)
{
    int64_t seen_ms = sessions_last_seen(auth->sessions, id);
    return seen_ms > kept_ms ? seen_ms : kept_ms;
}

enum err people_make_key(struct auth *auth, const struct http_user *user, struct slice name,
                         unsigned scopes, struct store_key *key, char secret[AUTH_KEY_SIZE],
                         struct why *why)
{
    char folded[STORE_NAME_SIZE], token[AUTH_TOKEN_SIZE];
    struct store_user owner;
    *key = (struct store_key){.scopes = scopes, .created_ms = clock_wall_ms(), .seen_ms = -1};
    enum err err = name_check(name, key->name, folded, why);
    if (err == ERR_BAD_INPUT)
        return why_set(why, err, "name", "a key needs a name of 1 to 64 characters");
    store_new_id(key->id);
    snprintf(key->user, sizeof key->user, "%.*s", STORE_ID_SIZE - 1, user->id);
    auth_draw_token(token);
    snprintf(secret, AUTH_KEY_SIZE, SESSIONS_KEY_PREFIX "%s", token);
    err = sessions_hash_key(slice_of(secret), key->hash);
    MUST(err == OK);
    pthread_mutex_lock(&auth->people);
    err = store_user_get(auth->store, user->id, &owner);
    if (err == OK)
        err = store_key_add(auth->store, key);
    if (err == OK)
        sessions_add_key(auth->sessions, key, &owner);
    pthread_mutex_unlock(&auth->people);
    if (err == ERR_LIMIT)
        why_set(why, err, NULL, "there are %d keys already: end one first", (int) STORE_KEYS_MOST);
    return err;
}

enum err people_end_key(struct auth *auth, const struct http_user *user, const char *id)
{
    pthread_mutex_lock(&auth->people);
    enum err err = store_key_remove(auth->store, id, user->id);
    if (err == OK)
        sessions_remove(auth->sessions, id);
    pthread_mutex_unlock(&auth->people);
    return err;
}
