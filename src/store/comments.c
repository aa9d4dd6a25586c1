/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/comments.h"

#include "base/mem.h"
#include "store/sql.h"

static enum err add(struct conn *conn, void *arg)
{
    const struct store_comment *comment = arg;
    struct query query = query_on(
        conn,
        "INSERT INTO comment(id, item, user, name, text, is_spoiler, position_ms, created_ms) "
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 "
        "WHERE (SELECT count(*) FROM comment WHERE user = ?3) < ?9");
    query_text(&query, comment->id);
    query_text(&query, comment->item);
    query_text(&query, comment->user);
    query_text(&query, comment->name);
    query_text(&query, comment->text);
    query_int(&query, comment->is_spoiler);
    query_int_or_null(&query, comment->position_ms, comment->position_ms < 0);
    query_int(&query, comment->created_ms);
    query_int(&query, STORE_COMMENTS_MOST);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_LIMIT : err;
}

enum err store_comment_add(struct store *store, const struct store_comment *comment)
{
    struct store_comment copy = *comment;
    return store_write(store, add, &copy);
}

#define COMMENT_COLUMNS                                                                            \
    "c.n, c.id, c.item, c.user, coalesce(u.name, c.name), c.is_spoiler, "                          \
    "coalesce(c.position_ms, -1), c.created_ms"

static void comment_get(struct query *query, struct store_comment *out)
{
    out->n = query_get_int(query);
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->item, sizeof out->item);
    query_get_text_into(query, out->user, sizeof out->user);
    query_get_text_into(query, out->name, sizeof out->name);
    out->is_spoiler = query_get_bool(query);
    out->position_ms = query_get_int(query);
    out->created_ms = query_get_int(query);
    out->text = NULL;
}

static enum err tell_all(struct query *query, store_comment_fn *each, void *ctx)
{
    enum err err;
    while ((err = query_step(query)) == OK) {
        struct store_comment comment;
        comment_get(query, &comment);
        CLEANUP(mem_free_at) char *text = query_get_text(query);
        comment.text = text;
        each(ctx, &comment);
    }
    query_end(query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_comments_each(struct store *store, const char *item, int64_t before, size_t limit,
                             store_comment_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " COMMENT_COLUMNS ", c.text FROM comment c "
                                        "LEFT JOIN user u ON u.id = c.user WHERE c.item = ?1 "
                                        "AND (?2 = 0 OR c.n < ?2) ORDER BY c.n DESC LIMIT ?3");
    query_text(&query, item);
    query_int(&query, before);
    query_int(&query, (int64_t) limit);
    err = tell_all(&query, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_comments_of(struct store *store, const char *user, store_comment_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " COMMENT_COLUMNS ", c.text FROM comment c "
                                        "LEFT JOIN user u ON u.id = c.user WHERE c.user = ?1 "
                                        "ORDER BY c.n DESC");
    query_text(&query, user);
    err = tell_all(&query, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_comment_find(struct store *store, const char *id, struct store_comment *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " COMMENT_COLUMNS " FROM comment c "
                                        "LEFT JOIN user u ON u.id = c.user WHERE c.id = ?");
    query_text(&query, id);
    err = query_step(&query);
    if (err == OK)
        comment_get(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

static enum err drop(struct conn *conn, void *arg)
{
    struct query query = query_on(conn, "DELETE FROM comment WHERE id = ?");
    query_text(&query, *(const char *const *) arg);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_comment_remove(struct store *store, const char *id)
{
    return store_write(store, drop, &id);
}
