/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/fetched.h"

#include <string.h>

#include "base/mem.h"
#include "store/sql.h"

#define COLUMNS                                                                                    \
    "id, file, url, type, etag, modified, size, is_ranged, is_paused, is_filed, added_ms"

void store_fetched_fini(struct store_fetched *fetched)
{
    store_remote_fini(&fetched->remote);
    *fetched = (struct store_fetched){0};
}

static void get_fetched(struct query *query, struct store_fetched *out)
{
    *out = (struct store_fetched){0};
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_remote(query, &out->remote);
    out->is_paused = query_get_bool(query);
    out->is_filed = query_get_bool(query);
    out->added_ms = query_get_int(query);
}

enum err store_fetched_find(struct store *store, const char *id, struct store_fetched *out)
{
    struct conn *conn;
    *out = (struct store_fetched){0};
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT " COLUMNS " FROM fetched WHERE id = ?1 OR file = ?1");
    query_text(&query, id);
    err = query_step(&query);
    if (err == OK)
        get_fetched(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_fetched_each(struct store *store, store_fetched_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " COLUMNS " FROM fetched ORDER BY added_ms, id");
    while ((err = query_step(&query)) == OK) {
        struct store_fetched fetched;
        get_fetched(&query, &fetched);
        each(ctx, &fetched);
        store_fetched_fini(&fetched);
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err find_url(struct conn *conn, struct store_fetched *fetched)
{
    struct query query = query_on(conn, "SELECT id FROM fetched WHERE url = ?");
    query_text(&query, fetched->remote.url);
    char id[STORE_ID_SIZE];
    enum err err = query_take_id(&query, id);
    if (err == OK)
        memcpy(fetched->id, id, sizeof id);
    return err;
}

static enum err add(struct conn *conn, void *arg)
{
    struct store_fetched *fetched = arg;
    const struct store_remote *remote = &fetched->remote;
    enum err err = find_url(conn, fetched);
    if (err != ERR_NOT_FOUND)
        return err == OK ? ERR_BUSY : err;
    struct query query =
        query_on(conn, "INSERT INTO fetched(" COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_text(&query, fetched->id);
    query_text(&query, remote->file);
    query_text(&query, remote->url);
    query_text(&query, remote->type);
    query_text(&query, remote->etag);
    query_text(&query, remote->modified);
    query_int(&query, (int64_t) remote->size);
    query_int(&query, remote->is_ranged);
    query_int(&query, fetched->is_paused);
    query_int(&query, fetched->is_filed);
    query_int(&query, fetched->added_ms);
    return query_run(&query);
}

enum err store_fetched_add(struct store *store, struct store_fetched *fetched)
{
    store_new_id(fetched->id);
    store_new_id(fetched->remote.file);
    return store_write(store, add, fetched);
}

struct change {
    const char *id;
    bool is_paused, is_filed;
};

static enum err change(struct conn *conn, void *arg)
{
    const struct change *wish = arg;
    struct query query =
        query_on(conn, "UPDATE fetched SET is_paused = ?, is_filed = ? WHERE id = ?");
    query_int(&query, wish->is_paused);
    query_int(&query, wish->is_filed);
    query_text(&query, wish->id);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_fetched_change(struct store *store, const char *id, bool is_paused, bool is_filed)
{
    return store_write(store, change, &(struct change){id, is_paused, is_filed});
}

static enum err remove_one(struct conn *conn, void *arg)
{
    struct query query = query_on(conn, "DELETE FROM fetched WHERE id = ?");
    query_text(&query, arg);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_fetched_remove(struct store *store, const char *id)
{
    CLEANUP(mem_free_at) char *copy = mem_strdup(id);
    return store_write(store, remove_one, copy);
}
