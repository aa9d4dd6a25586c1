/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/secrets.h"

#include <string.h>

#include "base/mem.h"
#include "store/sql.h"

enum err store_secrets_each(struct store *store, const char *prefix, store_secret_fn *each,
                            void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT name, value, made_ms FROM secret "
                       "WHERE substr(name, 1, length(?1)) = ?1 ORDER BY made_ms DESC, name");
    query_text(&query, prefix);
    while ((err = query_step(&query)) == OK) {
        CLEANUP(mem_free_at) char *name = query_get_text(&query);
        CLEANUP(mem_free_at) char *value = query_get_text(&query);
        each(ctx, name, value, query_get_int(&query));
        explicit_bzero(value, strlen(value));
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}

struct secret {
    const char *name, *value;
    int64_t made_ms;
};

static enum err add(struct conn *conn, void *arg)
{
    const struct secret *secret = arg;
    struct query query = query_on(conn, "INSERT INTO secret(name, value, made_ms) VALUES(?, ?, ?) "
                                        "ON CONFLICT(name) DO NOTHING");
    query_text(&query, secret->name);
    query_text(&query, secret->value);
    query_int(&query, secret->made_ms);
    return query_run(&query);
}

enum err store_secret_add(struct store *store, const char *name, const char *value, int64_t made_ms)
{
    return store_write(store, add, &(struct secret){name, value, made_ms});
}

static enum err expire(struct conn *conn, void *arg)
{
    const struct secret *secret = arg;
    struct query query = query_on(
        conn, "DELETE FROM secret WHERE substr(name, 1, length(?1)) = ?1 AND made_ms < ?2");
    query_text(&query, secret->name);
    query_int(&query, secret->made_ms);
    return query_run(&query);
}

enum err store_secrets_expire(struct store *store, const char *prefix, int64_t made_ms)
{
    return store_write(store, expire, &(struct secret){prefix, NULL, made_ms});
}
