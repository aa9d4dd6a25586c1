/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/emails.h"

#include <stdio.h>

#include "store/accounts_inside.h"
#include "store/sql.h"

enum { OPEN_MOST = 1000 };

/* --- asking --- */

/* Those of accounts to be: of one that is there, one is open at most. */
static enum err count_open(struct conn *conn, int64_t *out)
{
    struct query query = query_on(conn, "SELECT count(*) FROM email_wish WHERE user IS NULL");
    enum err err = query_step(&query);
    if (err == OK)
        *out = query_get_int(&query);
    query_end(&query);
    return err;
}

static enum err drop_late(struct conn *conn, const struct store_email_wish *wish)
{
    struct query query = query_on(conn, "DELETE FROM email_wish WHERE expires_ms <= ? OR user = ?");
    query_int(&query, wish->made_ms);
    query_text(&query, wish->is_new ? NULL : wish->user.id);
    return query_run(&query);
}

static enum err ask(struct conn *conn, void *arg)
{
    const struct store_email_wish *wish = arg;
    int64_t open = 0;
    enum err err = drop_late(conn, wish);
    if (err == OK && wish->is_new)
        err = count_open(conn, &open);
    if (err == OK && open >= OPEN_MOST)
        err = ERR_LIMIT;
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "INSERT INTO email_wish(hash, email, user, name, folded, password, made_ms, "
                       "expires_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    query_bytes(&query, wish->hash, sizeof wish->hash);
    query_text(&query, wish->email);
    query_text(&query, wish->is_new ? NULL : wish->user.id);
    query_text(&query, wish->user.name);
    query_text(&query, wish->user.folded);
    query_text(&query, wish->user.password);
    query_int(&query, wish->made_ms);
    query_int(&query, wish->expires_ms);
    return query_run(&query);
}

enum err store_email_ask(struct store *store, const struct store_email_wish *wish)
{
    struct store_email_wish copy = *wish;
    return store_write(store, ask, &copy);
}

/* --- the answer --- */

struct answer_wish {
    const uint8_t *hash;
    int64_t now_ms;
    struct store_user *out;
    bool *is_new;
};

static enum err take_wish(struct conn *conn, const struct answer_wish *answer,
                          char email[STORE_EMAIL_SIZE])
{
    struct store_user *user = answer->out;
    struct query query =
        query_on(conn, "DELETE FROM email_wish WHERE hash = ? AND expires_ms > ? "
                       "RETURNING email, ifnull(user, ''), name, folded, password");
    query_bytes(&query, answer->hash, STORE_HASH_SIZE);
    query_int(&query, answer->now_ms);
    enum err err = query_step(&query);
    if (err == OK) {
        *user = (struct store_user){.role = ROLE_MEMBER, .created_ms = answer->now_ms};
        query_get_text_into(&query, email, STORE_EMAIL_SIZE);
        query_get_text_into(&query, user->id, sizeof user->id);
        query_get_text_into(&query, user->name, sizeof user->name);
        query_get_text_into(&query, user->folded, sizeof user->folded);
        query_get_text_into(&query, user->password, sizeof user->password);
    }
    query_end(&query);
    return err;
}

static enum err put_email(struct conn *conn, const char *user, const char *email, int64_t now_ms)
{
    struct query query = query_on(conn, "UPDATE user SET email = ?, email_ms = ? WHERE id = ?");
    query_text(&query, email);
    query_int(&query, now_ms);
    query_text(&query, user);
    enum err err = query_run(&query);
    return err == ERR_BUSY ? ERR_REFUSED : err; /* another has it */
}

static enum err answer(struct conn *conn, void *arg)
{
    const struct answer_wish *wish = arg;
    char email[STORE_EMAIL_SIZE];
    enum err err = take_wish(conn, wish, email);
    if (err != OK)
        return err;
    *wish->is_new = wish->out->id[0] == '\0';
    if (*wish->is_new) {
        store_new_id(wish->out->id);
        err = account_add(conn, wish->out);
    }
    if (err == OK)
        err = put_email(conn, wish->out->id, email, wish->now_ms);
    return err == OK ? account_find(conn, wish->out->id, wish->out) : err;
}

enum err store_email_answer(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                            int64_t now_ms, struct store_user *out, bool *is_new)
{
    return store_write(store, answer, &(struct answer_wish){hash, now_ms, out, is_new});
}

/* --- what is known --- */

enum err store_email_look(struct store *store, const uint8_t hash[STORE_HASH_SIZE], int64_t now_ms,
                          struct store_email_wish *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT email, ifnull(user, ''), name, folded, password FROM email_wish "
                       "WHERE hash = ? AND expires_ms > ?");
    *out = (struct store_email_wish){.is_new = false};
    query_bytes(&query, hash, STORE_HASH_SIZE);
    query_int(&query, now_ms);
    err = query_step(&query);
    if (err == OK) {
        query_get_text_into(&query, out->email, sizeof out->email);
        query_get_text_into(&query, out->user.id, sizeof out->user.id);
        query_get_text_into(&query, out->user.name, sizeof out->user.name);
        query_get_text_into(&query, out->user.folded, sizeof out->user.folded);
        query_get_text_into(&query, out->user.password, sizeof out->user.password);
        out->is_new = out->user.id[0] == '\0';
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_email_get(struct store *store, const char *user, char out[STORE_EMAIL_SIZE])
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT ifnull(email, '') FROM user WHERE id = ?");
    query_text(&query, user);
    err = query_step(&query);
    if (err == OK)
        query_get_text_into(&query, out, STORE_EMAIL_SIZE);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

static enum err remove_email(struct conn *conn, void *arg)
{
    static const char *const STATEMENTS[] = {
        "UPDATE user SET email = NULL, email_ms = NULL WHERE id = ?",
        "DELETE FROM email_wish WHERE user = ?",
    };
    enum err err = OK;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof STATEMENTS[0] && err == OK; i++) {
        struct query query = query_on(conn, STATEMENTS[i]);
        query_text(&query, arg);
        err = query_run(&query);
    }
    return err;
}

enum err store_email_remove(struct store *store, const char *user)
{
    char copy[STORE_ID_SIZE];
    snprintf(copy, sizeof copy, "%s", user);
    return store_write(store, remove_email, copy);
}

enum err store_email_find(struct store *store, const char *email, struct store_user *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " USER_COLUMNS " FROM user u WHERE u.email = ?");
    query_text(&query, email);
    err = query_step(&query);
    if (err == OK)
        account_get(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}
