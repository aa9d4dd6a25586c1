/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/audit.h"

#include "base/mem.h"
#include "store/sql.h"

enum { KEPT = 20000 }; /* of each action */

static enum err drop_old(struct conn *conn, const char *action)
{
    struct query query =
        query_on(conn, "DELETE FROM audit WHERE action = ?1 AND n <= (SELECT n FROM audit "
                       "WHERE action = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)");
    query_text(&query, action);
    query_int(&query, KEPT);
    return query_run(&query);
}

static enum err add(struct conn *conn, void *arg)
{
    const struct store_audit *entry = arg;
    struct query query = query_on(
        conn,
        "INSERT INTO audit(at_ms, user, name, action, object, peer) VALUES(?, ?, ?, ?, ?, ?)");
    query_int(&query, entry->at_ms);
    query_text(&query, entry->user);
    query_text(&query, entry->name);
    query_text(&query, entry->action);
    query_text(&query, entry->object);
    query_text(&query, entry->peer);
    enum err err = query_run(&query);
    return err == OK ? drop_old(conn, entry->action) : err;
}

enum err store_audit_add(struct store *store, const struct store_audit *entry)
{
    struct store_audit copy = *entry;
    return store_write(store, add, &copy);
}

static void tell(struct query *query, store_audit_fn *each, void *ctx)
{
    struct store_audit entry = {0};
    entry.n = query_get_int(query);
    entry.at_ms = query_get_int(query);
    CLEANUP(mem_free_at) char *user = query_get_text(query);
    CLEANUP(mem_free_at) char *name = query_get_text(query);
    CLEANUP(mem_free_at) char *action = query_get_text(query);
    CLEANUP(mem_free_at) char *object = query_get_text(query);
    CLEANUP(mem_free_at) char *peer = query_get_text(query);
    entry.user = user;
    entry.name = name;
    entry.action = action;
    entry.object = object;
    entry.peer = peer;
    each(ctx, &entry);
}

enum err store_audit_each(struct store *store, int64_t before, int64_t limit, store_audit_fn *each,
                          void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT n, at_ms, user, name, action, object, peer FROM audit "
                       "WHERE ?1 = 0 OR n < ?1 ORDER BY n DESC LIMIT ?2");
    query_int(&query, before);
    query_int(&query, limit);
    while ((err = query_step(&query)) == OK)
        tell(&query, each, ctx);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}
