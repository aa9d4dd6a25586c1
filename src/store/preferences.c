/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/preferences.h"

#include "store/sql.h"

enum err store_preferences_find(struct store *store, const char *user, char **out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT json FROM preference WHERE user = ?");
    query_text(&query, user);
    err = query_step(&query);
    if (err == OK)
        *out = query_get_text(&query);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

struct wish {
    const char *user, *json;
};

static enum err put(struct conn *conn, void *arg)
{
    const struct wish *wish = arg;
    struct query query = query_on(conn, "INSERT INTO preference(user, json) VALUES(?, ?) "
                                        "ON CONFLICT(user) DO UPDATE SET json = excluded.json");
    query_text(&query, wish->user);
    query_text(&query, wish->json);
    return query_run(&query);
}

enum err store_preferences_put(struct store *store, const char *user, const char *json)
{
    return store_write(store, put, &(struct wish){user, json});
}
