/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/links.h"

#include <string.h>

#include "base/mem.h"
#include "store/sql.h"

void store_remote_fini(struct store_remote *remote)
{
    mem_free(remote->url);
    mem_free(remote->type);
    mem_free(remote->etag);
    mem_free(remote->modified);
    *remote = (struct store_remote){0};
}

void store_link_fini(struct store_link *link)
{
    store_remote_fini(&link->remote);
    *link = (struct store_link){0};
}

/* --- reading --- */

void query_get_remote(struct query *query, struct store_remote *out)
{
    query_get_text_into(query, out->file, sizeof out->file);
    out->url = query_get_text(query);
    out->type = query_get_text(query);
    out->etag = query_get_text(query);
    out->modified = query_get_text(query);
    out->size = (uint64_t) query_get_int(query);
    out->is_ranged = query_get_bool(query);
}

enum err store_remote_find(struct store *store, const char *file, struct store_remote *out)
{
    struct conn *conn;
    *out = (struct store_remote){0};
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT file, url, type, etag, modified, size, is_ranged FROM remote "
                       "WHERE file = ?");
    query_text(&query, file);
    err = query_step(&query);
    if (err == OK)
        query_get_remote(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_links_each(struct store *store, const char *user, store_link_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(
        conn, "SELECT link.id, link.user, link.added_ms, remote.file, url, type, etag, modified, "
              "size, is_ranged FROM link JOIN remote ON remote.file = link.file "
              "WHERE link.user = ? ORDER BY link.added_ms DESC, link.id");
    query_text(&query, user);
    while ((err = query_step(&query)) == OK) {
        struct store_link link = {0};
        query_get_text_into(&query, link.id, sizeof link.id);
        query_get_text_into(&query, link.user, sizeof link.user);
        link.added_ms = query_get_int(&query);
        query_get_remote(&query, &link.remote);
        each(ctx, &link);
        store_link_fini(&link);
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* --- writing --- */

struct link_put {
    struct store_link *link;
    bool *is_new;
    struct store_dropped *dropped;
};

static enum err put_remote(struct conn *conn, struct store_remote *remote)
{
    struct query query =
        query_on(conn, "INSERT INTO remote(file, url, type, etag, modified, size, is_ranged) "
                       "VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(url) DO UPDATE SET "
                       "type = excluded.type, etag = excluded.etag, modified = excluded.modified, "
                       "size = excluded.size, is_ranged = excluded.is_ranged RETURNING file");
    query_text(&query, remote->file);
    query_text(&query, remote->url);
    query_text(&query, remote->type);
    query_text(&query, remote->etag);
    query_text(&query, remote->modified);
    query_int(&query, (int64_t) remote->size);
    query_int(&query, remote->is_ranged);
    return query_take_id(&query, remote->file);
}

static enum err put_link(struct conn *conn, struct store_link *link, bool *is_new)
{
    char id[STORE_ID_SIZE];
    struct query query =
        query_on(conn, "INSERT INTO link(id, user, file, added_ms) VALUES(?, ?, ?, ?) "
                       "ON CONFLICT(user, file) DO UPDATE SET added_ms = excluded.added_ms "
                       "RETURNING id");
    query_text(&query, link->id);
    query_text(&query, link->user);
    query_text(&query, link->remote.file);
    query_int(&query, link->added_ms);
    enum err err = query_take_id(&query, id);
    *is_new = err == OK && strcmp(id, link->id) == 0;
    if (err == OK)
        memcpy(link->id, id, sizeof id);
    return err;
}

static enum err drop_old(struct conn *conn, const char *user)
{
    struct query query =
        query_on(conn, "DELETE FROM link WHERE id IN (SELECT id FROM link WHERE user = ? "
                       "ORDER BY added_ms DESC LIMIT -1 OFFSET 100)");
    query_text(&query, user);
    return query_run(&query);
}

static enum err drop_unlinked(struct conn *conn, struct store_dropped *out)
{
    size_t room = 0;
    enum err err;
    *out = (struct store_dropped){0};
    struct query query = query_on(conn, "DELETE FROM remote WHERE NOT EXISTS"
                                        "(SELECT 1 FROM link WHERE link.file = remote.file) "
                                        "RETURNING file");
    while ((err = query_step(&query)) == OK) {
        mem_grow(out->files, out->count, room);
        query_get_text_into(&query, out->files[out->count++], STORE_ID_SIZE);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err put(struct conn *conn, void *arg)
{
    const struct link_put *wish = arg;
    enum err err = put_remote(conn, &wish->link->remote);
    if (err == OK)
        err = put_link(conn, wish->link, wish->is_new);
    if (err == OK)
        err = drop_old(conn, wish->link->user);
    if (err == OK)
        err = drop_unlinked(conn, wish->dropped);
    return err;
}

enum err store_link_put(struct store *store, struct store_link *link, bool *is_new,
                        struct store_dropped *dropped)
{
    store_new_id(link->id);
    store_new_id(link->remote.file);
    return store_write(store, put, &(struct link_put){link, is_new, dropped});
}

struct link_remove {
    const char *id, *user;
    struct store_dropped *dropped;
};

static enum err remove_link(struct conn *conn, void *arg)
{
    const struct link_remove *wish = arg;
    struct query query = query_on(conn, "DELETE FROM link WHERE id = ? AND user = ?");
    query_text(&query, wish->id);
    query_text(&query, wish->user);
    enum err err = query_run(&query);
    if (err == OK && conn_changes(conn) == 0)
        return ERR_NOT_FOUND;
    return err == OK ? drop_unlinked(conn, wish->dropped) : err;
}

enum err store_link_remove(struct store *store, const char *id, const char *user,
                           struct store_dropped *dropped)
{
    return store_write(store, remove_link, &(struct link_remove){id, user, dropped});
}
