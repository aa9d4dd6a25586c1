/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/keys.h"

#include "store/accounts_inside.h"
#include "store/sql.h"

static enum err add_key(struct conn *conn, void *arg)
{
    const struct store_key *key = arg;
    struct query query =
        query_on(conn, "INSERT INTO api_key(id, hash, user, name, scopes, created_ms) "
                       "SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE "
                       "(SELECT count(*) FROM api_key WHERE user = ?3) < ?7");
    query_text(&query, key->id);
    query_bytes(&query, key->hash, sizeof key->hash);
    query_text(&query, key->user);
    query_text(&query, key->name);
    query_int(&query, key->scopes);
    query_int(&query, key->created_ms);
    query_int(&query, STORE_KEYS_MOST);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_LIMIT : err;
}

enum err store_key_add(struct store *store, const struct store_key *key)
{
    struct store_key copy = *key;
    return store_write(store, add_key, &copy);
}

struct key_mark {
    const char *id, *user;
    int64_t seen_ms;
};

static enum err remove_key(struct conn *conn, void *arg)
{
    const struct key_mark *mark = arg;
    struct query query = query_on(conn, "DELETE FROM api_key WHERE id = ? AND user = ?");
    query_text(&query, mark->id);
    query_text(&query, mark->user);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_key_remove(struct store *store, const char *id, const char *user)
{
    return store_write(store, remove_key, &(struct key_mark){id, user, 0});
}

static enum err see_key(struct conn *conn, void *arg)
{
    const struct key_mark *mark = arg;
    struct query query = query_on(conn, "UPDATE api_key SET seen_ms = ? WHERE id = ?");
    query_int(&query, mark->seen_ms);
    query_text(&query, mark->id);
    return query_run(&query);
}

enum err store_key_seen(struct store *store, const char *id, int64_t seen_ms)
{
    return store_write(store, see_key, &(struct key_mark){id, NULL, seen_ms});
}

static enum err each_key(struct conn *conn, const char *user, store_key_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT k.id, k.hash, k.user, k.name, k.scopes, k.created_ms, "
                       "coalesce(k.seen_ms, -1), " USER_COLUMNS " FROM api_key k JOIN user u "
                       "ON u.id = k.user WHERE ?1 IS NULL OR k.user = ?1 "
                       "ORDER BY k.created_ms DESC, k.id");
    enum err err;
    query_text(&query, user);
    while ((err = query_step(&query)) == OK) {
        struct store_key key;
        struct store_user owner;
        query_get_text_into(&query, key.id, sizeof key.id);
        bool has_hash = query_get_bytes_into(&query, key.hash, sizeof key.hash);
        query_get_text_into(&query, key.user, sizeof key.user);
        query_get_text_into(&query, key.name, sizeof key.name);
        key.scopes = (unsigned) query_get_int(&query) & SCOPE_ALL;
        key.created_ms = query_get_int(&query);
        key.seen_ms = query_get_int(&query);
        account_get(&query, &owner);
        if (has_hash)
            each(ctx, &key, &owner);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_keys_each(struct store *store, const char *user, store_key_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_key(conn, user, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}
