/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/watchlist.h"

#include "store/items_inside.h"
#include "store/sql.h"

enum { MOST = 1000 };

struct wish {
    const char *user, *item;
    int64_t added_ms;
};

static enum err put(struct conn *conn, void *arg)
{
    const struct wish *wish = arg;
    struct query query =
        query_on(conn, "INSERT INTO watchlist(user, item, added_ms) SELECT ?1, ?2, ?3 WHERE "
                       "(SELECT count(*) FROM watchlist WHERE user = ?1) < ?4 "
                       "OR EXISTS(SELECT 1 FROM watchlist WHERE user = ?1 AND item = ?2) "
                       "ON CONFLICT(user, item) DO UPDATE SET added_ms = added_ms");
    query_text(&query, wish->user);
    query_text(&query, wish->item);
    query_int(&query, wish->added_ms);
    query_int(&query, MOST);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_LIMIT : err;
}

enum err store_watchlist_put(struct store *store, const char *user, const char *item,
                             int64_t added_ms)
{
    return store_write(store, put, &(struct wish){user, item, added_ms});
}

static enum err drop(struct conn *conn, void *arg)
{
    const struct wish *wish = arg;
    struct query query = query_on(conn, "DELETE FROM watchlist WHERE user = ? AND item = ?");
    query_text(&query, wish->user);
    query_text(&query, wish->item);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_watchlist_remove(struct store *store, const char *user, const char *item)
{
    return store_write(store, drop, &(struct wish){user, item, 0});
}

static enum err each_wish(struct conn *conn, const struct store_viewer *viewer,
                          store_watchlist_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT " ITEM_COLUMNS ", w.added_ms FROM watchlist w "
                       "JOIN title t ON t.id = w.item WHERE w.user = ?1 "
                       "AND " MAY_KNOW("?2", "?3", "?4") "ORDER BY w.added_ms DESC, w.item");
    enum err err;
    query_text(&query, viewer->user);
    query_ages(&query, &viewer->ages);
    while ((err = query_step(&query)) == OK) {
        struct store_item item;
        item_get(&query, &item);
        each(ctx, &item, query_get_int(&query));
        store_item_fini(&item);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_watchlist_each(struct store *store, const struct store_viewer *viewer,
                              store_watchlist_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_wish(conn, viewer, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}
