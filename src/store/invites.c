/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/invites.h"

#include <stdio.h>

#include "store/accounts_inside.h"
#include "store/sql.h"

/* --- invitations --- */

static enum err drop_expired(struct conn *conn, int64_t now_ms)
{
    struct query query = query_on(conn, "DELETE FROM invite WHERE expires_ms <= ?");
    query_int(&query, now_ms);
    return query_run(&query);
}

static enum err add_invite(struct conn *conn, void *arg)
{
    const struct store_invite *invite = arg;
    enum err err = drop_expired(conn, invite->created_ms);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "INSERT INTO invite(id, hash, role, age_limit, sees_unrated, streams, "
                       "made_by, created_ms, expires_ms) "
                       "VALUES(?, ?, ?, ?, ?, ?, (SELECT id FROM user WHERE id = ?), ?, ?)");
    query_text(&query, invite->id);
    query_bytes(&query, invite->hash, sizeof invite->hash);
    query_text(&query, role_name(invite->role));
    query_bounds(&query, &invite->bounds);
    query_text(&query, invite->made_by);
    query_int(&query, invite->created_ms);
    query_int(&query, invite->expires_ms);
    return query_run(&query);
}

enum err store_invite_add(struct store *store, const struct store_invite *invite)
{
    struct store_invite copy = *invite;
    return store_write(store, add_invite, &copy);
}

static enum err remove_invite(struct conn *conn, void *arg)
{
    struct query query = query_on(conn, "DELETE FROM invite WHERE id = ?");
    query_text(&query, arg);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_invite_remove(struct store *store, const char *id)
{
    struct store_invite wanted;
    snprintf(wanted.id, sizeof wanted.id, "%s", id);
    return store_write(store, remove_invite, wanted.id);
}

static enum err each_invite(struct conn *conn, int64_t now_ms, store_invite_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT i.id, i.hash, i.role, i.age_limit, i.sees_unrated, i.streams, "
                       "i.made_by, u.name, i.created_ms, i.expires_ms FROM invite i LEFT JOIN user "
                       "u ON u.id = i.made_by WHERE i.expires_ms > ? "
                       "ORDER BY i.created_ms DESC, i.id");
    enum err err;
    query_int(&query, now_ms);
    while ((err = query_step(&query)) == OK) {
        struct store_invite invite;
        query_get_text_into(&query, invite.id, sizeof invite.id);
        bool has_hash = query_get_bytes_into(&query, invite.hash, sizeof invite.hash);
        role_get(&query, &invite.role);
        bounds_get(&query, &invite.bounds);
        query_get_text_into(&query, invite.made_by, sizeof invite.made_by);
        query_get_text_into(&query, invite.made_by_name, sizeof invite.made_by_name);
        invite.created_ms = query_get_int(&query);
        invite.expires_ms = query_get_int(&query);
        if (has_hash)
            each(ctx, &invite);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_invites_each(struct store *store, int64_t now_ms, store_invite_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_invite(conn, now_ms, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

struct use_wish {
    const uint8_t *hash;
    int64_t now_ms;
    const char *password;
    struct store_user *user;
};

static enum err spend_invite(struct conn *conn, const uint8_t *hash, int64_t now_ms,
                             struct store_user *user)
{
    struct query query = query_on(conn, "DELETE FROM invite WHERE hash = ? AND expires_ms > ? "
                                        "RETURNING role, age_limit, sees_unrated, streams");
    query_bytes(&query, hash, STORE_HASH_SIZE);
    query_int(&query, now_ms);
    enum err err = query_step(&query);
    if (err == OK) {
        role_get(&query, &user->role);
        bounds_get(&query, &user->bounds);
    }
    query_end(&query);
    return err;
}

static enum err use_invite(struct conn *conn, void *arg)
{
    const struct use_wish *wish = arg;
    enum err err = spend_invite(conn, wish->hash, wish->now_ms, wish->user);
    return err == OK ? account_add(conn, wish->user) : err;
}

enum err store_invite_use(struct store *store, const uint8_t hash[STORE_HASH_SIZE], int64_t now_ms,
                          struct store_user *user)
{
    return store_write(store, use_invite, &(struct use_wish){hash, now_ms, NULL, user});
}

/* --- links to set a password --- */

struct reset_wish {
    const char *user;
    const uint8_t *hash;
    int64_t expires_ms;
};

static enum err put_reset(struct conn *conn, void *arg)
{
    const struct reset_wish *wish = arg;
    struct query query =
        query_on(conn, "INSERT INTO reset(user, hash, expires_ms) SELECT id, ?2, ?3 FROM user "
                       "WHERE id = ?1 ON CONFLICT(user) DO UPDATE SET hash = excluded.hash, "
                       "expires_ms = excluded.expires_ms");
    query_text(&query, wish->user);
    query_bytes(&query, wish->hash, STORE_HASH_SIZE);
    query_int(&query, wish->expires_ms);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_reset_put(struct store *store, const char *user, const uint8_t hash[STORE_HASH_SIZE],
                         int64_t expires_ms)
{
    return store_write(store, put_reset, &(struct reset_wish){user, hash, expires_ms});
}

static enum err use_reset(struct conn *conn, void *arg)
{
    const struct use_wish *wish = arg;
    char user[STORE_ID_SIZE];
    struct query query =
        query_on(conn, "DELETE FROM reset WHERE hash = ? AND expires_ms > ? RETURNING user");
    query_bytes(&query, wish->hash, STORE_HASH_SIZE);
    query_int(&query, wish->now_ms);
    enum err err = query_take_id(&query, user);
    if (err == OK)
        err = account_set_password(conn, user, wish->password, NULL);
    return err == OK ? account_find(conn, user, wish->user) : err;
}

enum err store_reset_use(struct store *store, const uint8_t hash[STORE_HASH_SIZE], int64_t now_ms,
                         const char *password, struct store_user *out)
{
    return store_write(store, use_reset, &(struct use_wish){hash, now_ms, password, out});
}
