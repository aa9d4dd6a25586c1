/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/passkeys.h"

#include <string.h>

#include "base/mem.h"
#include "store/accounts_inside.h"
#include "store/sql.h"

#define PASSKEY_COLUMNS                                                                            \
    "p.id, p.user, p.rp, p.name, p.handle, p.algorithm, p.key, p.counter, p.made_ms, "             \
    "coalesce(p.seen_ms, -1)"

/* Of a column of bytes, as many as fit. */
static size_t get_bytes(struct query *query, uint8_t *out, size_t room)
{
    size_t size = 0;
    CLEANUP(mem_free_at) uint8_t *bytes = query_get_bytes(query, &size);
    if (size > room)
        size = room;
    if (size > 0)
        memcpy(out, bytes, size);
    return size;
}

static void passkey_get(struct query *query, struct store_passkey *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->user, sizeof out->user);
    query_get_text_into(query, out->rp, sizeof out->rp);
    query_get_text_into(query, out->name, sizeof out->name);
    out->handle_size = get_bytes(query, out->handle, sizeof out->handle);
    out->algorithm = (int) query_get_int(query);
    out->key_size = get_bytes(query, out->key, sizeof out->key);
    out->counter = (uint32_t) query_get_int(query);
    out->made_ms = query_get_int(query);
    out->seen_ms = query_get_int(query);
}

static enum err add(struct conn *conn, void *arg)
{
    const struct store_passkey *passkey = arg;
    struct query query =
        query_on(conn, "INSERT INTO passkey(id, user, rp, name, handle, algorithm, key, counter, "
                       "made_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE "
                       "(SELECT count(*) FROM passkey WHERE user = ?2) < ?10");
    query_text(&query, passkey->id);
    query_text(&query, passkey->user);
    query_text(&query, passkey->rp);
    query_text(&query, passkey->name);
    query_bytes(&query, passkey->handle, passkey->handle_size);
    query_int(&query, passkey->algorithm);
    query_bytes(&query, passkey->key, passkey->key_size);
    query_int(&query, passkey->counter);
    query_int(&query, passkey->made_ms);
    query_int(&query, STORE_PASSKEYS_MOST);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_LIMIT : err;
}

enum err store_passkey_add(struct store *store, const struct store_passkey *passkey)
{
    struct store_passkey copy = *passkey;
    return store_write(store, add, &copy);
}

enum err store_passkey_find(struct store *store, const uint8_t *handle, size_t size,
                            struct store_passkey *out, struct store_user *user)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " PASSKEY_COLUMNS ", " USER_COLUMNS
                                        " FROM passkey p JOIN user u ON u.id = p.user "
                                        "WHERE p.handle = ?");
    query_bytes(&query, handle, size);
    err = query_step(&query);
    if (err == OK) {
        passkey_get(&query, out);
        account_get(&query, user);
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

struct mark {
    const char *id, *user;
    uint32_t counter;
    int64_t now_ms;
};

static enum err use(struct conn *conn, void *arg)
{
    const struct mark *mark = arg;
    struct query query =
        query_on(conn, "UPDATE passkey SET counter = ?2, seen_ms = ?3 WHERE id = ?1 AND "
                       "(counter < ?2 OR (counter = 0 AND ?2 = 0))");
    query_text(&query, mark->id);
    query_int(&query, mark->counter);
    query_int(&query, mark->now_ms);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_passkey_used(struct store *store, const char *id, uint32_t counter, int64_t now_ms)
{
    return store_write(store, use, &(struct mark){id, NULL, counter, now_ms});
}

enum err store_passkeys_each(struct store *store, const char *user, store_passkey_fn *each,
                             void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " PASSKEY_COLUMNS " FROM passkey p "
                                        "WHERE p.user = ? ORDER BY p.made_ms DESC, p.id");
    query_text(&query, user);
    while ((err = query_step(&query)) == OK) {
        struct store_passkey passkey;
        passkey_get(&query, &passkey);
        each(ctx, &passkey);
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err drop(struct conn *conn, void *arg)
{
    const struct mark *mark = arg;
    struct query query = query_on(conn, "DELETE FROM passkey WHERE id = ? AND user = ?");
    query_text(&query, mark->id);
    query_text(&query, mark->user);
    enum err err = query_run(&query);
    if (err == OK && conn_changes(conn) == 0)
        return ERR_NOT_FOUND;
    return err == OK ? account_has_a_way(conn, mark->user) : err;
}

enum err store_passkey_remove(struct store *store, const char *id, const char *user)
{
    return store_write(store, drop, &(struct mark){id, user, 0, 0});
}
