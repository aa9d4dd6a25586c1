/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of files: read, changed by walks, changed by looks inside; and the plans beside them. */
#include "store/films.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/films_inside.h"
#include "store/items_inside.h"
#include "store/overview.h"

void store_file_fini(struct store_file *file)
{
    mem_free(file->folder);
    mem_free(file->path);
    mem_free(file->name);
    mem_free(file->reason);
    *file = (struct store_file){0};
}

void file_get(struct query *query, struct store_file *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->title, sizeof out->title);
    out->folder = query_get_text(query);
    out->path = query_get_text(query);
    out->name = query_get_text(query);
    out->size = (uint64_t) query_get_int(query);
    out->mtime_ns = query_get_int(query);
    out->dev = (uint64_t) query_get_int(query);
    out->has_hash = query_get_bytes_into(query, out->hash, sizeof out->hash);
    out->state = (enum store_file_state) query_get_int(query);
    out->is_offline = query_get_bool(query);
    out->reason = query_get_text(query);
    out->duration_ms = query_next_is_null(query) ? -1 : 0;
    out->duration_ms += query_get_int(query);
    out->added_ms = query_get_int(query);
    out->changed_ms = query_get_int(query);
    out->is_missing = !query_next_is_null(query);
    out->missing_ms = query_get_int(query);
    out->names = (int) query_get_int(query);
}

static enum store_plan_state plan_state(struct query *query)
{
    bool is_none = query_next_is_null(query);
    bool wants_scan = query_get_bool(query);
    return is_none ? STORE_PLAN_NONE : wants_scan ? STORE_PLAN_FIRST : STORE_PLAN_FINAL;
}

static enum err each_file(struct conn *conn, const char *engine, uint32_t version,
                          store_file_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT " FILE_COLUMNS ", (SELECT min(p.wants_scan) FROM plan p "
                       "WHERE p.file = f.id AND p.hash = f.hash AND p.size = f.size "
                       "AND p.mtime_ns = f.mtime_ns AND p.version = ? AND p.engine = ?) "
                       "FROM file f");
    query_int(&query, version);
    query_text(&query, engine);
    enum err err;
    while ((err = query_step(&query)) == OK) {
        struct store_file file = {0};
        file_get(&query, &file);
        each(ctx, &file, plan_state(&query));
        store_file_fini(&file);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_files_each(struct store *store, uint32_t version, const char *engine,
                          store_file_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_file(conn, engine, version, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

/* Paths are bytes: below "a" is from "a/" up to, not with, "a0". */
static enum err each_below(struct conn *conn, const char *folder, store_below_fn *each, void *ctx)
{
    CLEANUP(str_fini) struct str from = {0}, to = {0};
    str_printf(&from, "%s/", folder);
    str_printf(&to, "%s%c", folder, '/' + 1);
    struct query query =
        query_on(conn, "SELECT " FILE_COLUMNS " FROM file f "
                       "WHERE f.missing_ms IS NULL AND f.path >= ? AND f.path < ?");
    query_bytes(&query, from.at, from.length);
    query_bytes(&query, to.at, to.length);
    enum err err;
    while ((err = query_step(&query)) == OK) {
        struct store_file file = {0};
        file_get(&query, &file);
        each(ctx, &file);
        store_file_fini(&file);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_files_below(struct store *store, const char *folder, store_below_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_below(conn, folder, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_file_find(struct store *store, const char *id, struct store_file *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " FILE_COLUMNS " FROM file f "
                                        "WHERE f.id = ? AND f.missing_ms IS NULL");
    query_text(&query, id);
    err = query_step(&query);
    if (err == OK)
        file_get(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

/* --- changes --- */

static void bind_path(struct query *query, const char *path)
{
    query_bytes(query, path, strlen(path));
}

static enum err add_file(struct conn *conn, const struct store_file *file)
{
    struct query query = query_on(
        conn, "INSERT INTO file(id, title, folder, path, name, size, mtime_ns, dev, hash, state, "
              "is_offline, reason, added_ms, changed_ms, names) "
              "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)");
    query_text(&query, file->id);
    query_text(&query, file->title);
    bind_path(&query, file->folder);
    bind_path(&query, file->path);
    query_text(&query, file->name);
    query_int(&query, (int64_t) file->size);
    query_int(&query, file->mtime_ns);
    query_int(&query, (int64_t) file->dev);
    query_bytes(&query, file->has_hash ? file->hash : NULL, sizeof file->hash);
    query_int(&query, file->state);
    query_text(&query, file->reason);
    query_int(&query, file->added_ms);
    query_int(&query, file->changed_ms);
    query_int(&query, STORE_NAMES_VERSION);
    return query_run(&query);
}

static enum err place_file(struct conn *conn, const struct store_file *file, bool is_named)
{
    struct query query =
        query_on(conn, "UPDATE file SET title = ?, folder = ?, path = ?, name = ?, dev = ?, "
                       "names = ifnull(?, names), is_offline = 0, missing_ms = NULL WHERE id = ?");
    query_text(&query, file->title);
    bind_path(&query, file->folder);
    bind_path(&query, file->path);
    query_text(&query, file->name);
    query_int(&query, (int64_t) file->dev);
    query_int_or_null(&query, STORE_NAMES_VERSION, !is_named);
    query_text(&query, file->id);
    return query_run(&query);
}

static enum err change_content(struct conn *conn, const struct store_file *file)
{
    struct query query = query_on(
        conn, "UPDATE file SET size = ?, mtime_ns = ?, hash = ?, changed_ms = ?, state = ?, "
              "reason = NULL, duration_ms = NULL, is_offline = 0, missing_ms = NULL WHERE id = ?");
    query_int(&query, (int64_t) file->size);
    query_int(&query, file->mtime_ns);
    query_bytes(&query, file->has_hash ? file->hash : NULL, sizeof file->hash);
    query_int(&query, file->changed_ms);
    query_int(&query, STORE_FILE_WAITING);
    query_text(&query, file->id);
    return query_run(&query);
}

/* Without a hash the next walk tries again to read it. */
static enum err refuse_file(struct conn *conn, const struct store_file *file)
{
    struct query query = query_on(conn, "UPDATE file SET state = ?, reason = ?, hash = NULL, "
                                        "is_offline = 0, missing_ms = NULL WHERE id = ?");
    query_int(&query, STORE_FILE_UNREADABLE);
    query_text(&query, file->reason);
    query_text(&query, file->id);
    return query_run(&query);
}

static enum err offline_file(struct conn *conn, const struct store_file *file)
{
    struct query query = query_on(conn, "UPDATE file SET is_offline = 1 WHERE id = ?");
    query_text(&query, file->id);
    return query_run(&query);
}

static enum err miss_file(struct conn *conn, const char *id, int64_t missing_ms)
{
    struct query query = query_on(conn, "UPDATE file SET missing_ms = ? WHERE id = ?");
    query_int(&query, missing_ms);
    query_text(&query, id);
    return query_run(&query);
}

static enum err change_row(struct conn *conn, const struct store_change *change)
{
    switch (change->kind) {
    case STORE_ADD:
        return add_file(conn, &change->file);
    case STORE_PLACE:
        return place_file(conn, &change->file, change->name != NULL);
    case STORE_CONTENT:
        return change_content(conn, &change->file);
    case STORE_REFUSE:
        return refuse_file(conn, &change->file);
    case STORE_OFFLINE:
        return offline_file(conn, &change->file);
    case STORE_MISSING:
        return miss_file(conn, change->file.id, change->file.missing_ms);
    }
    MUST(false);
}

/* What it leaves behind by going elsewhere. */
static enum err leave(struct conn *conn, const struct store_change *change)
{
    char show[STORE_ID_SIZE];
    enum err err = OK;
    if (change->old_title[0] != '\0') {
        err = title_give_over(conn, change->old_title, change->file.title);
        if (err == OK)
            err = title_drop_if_empty(conn, change->old_title);
    }
    if (err != OK || change->old_show[0] == '\0')
        return err;
    err = title_show(conn, change->file.title, show);
    return err == OK ? title_leave_show(conn, change->old_show, show) : err;
}

static enum err change_one(struct conn *conn, struct store_change *change)
{
    enum err err = title_settle(conn, change);
    if (err == OK)
        err = change_row(conn, change);
    if (err == OK && change->kind == STORE_ADD) /* it may have been watched before it was here */
        err = item_move(conn, change->file.id, change->file.title);
    if (err == OK)
        err = leave(conn, change);
    if (err == OK && change->kind == STORE_MISSING)
        err = title_show(conn, change->file.title, change->old_show);
    return err;
}

struct change_list {
    struct store_change *changes;
    size_t count;
};

/* Two files may have changed places: rows that move leave their paths before any takes its new. */
static enum err leave_paths(struct conn *conn, const struct change_list *list)
{
    enum err err = OK;
    for (size_t i = 0; i < list->count && err == OK; i++)
        if (list->changes[i].kind == STORE_PLACE || list->changes[i].kind == STORE_MISSING)
            err = miss_file(conn, list->changes[i].file.id, 1);
    return err;
}

static enum err change_files(struct conn *conn, void *arg)
{
    const struct change_list *list = arg;
    enum err err = leave_paths(conn, list);
    for (size_t i = 0; i < list->count && err == OK; i++)
        err = change_one(conn, &list->changes[i]);
    return err;
}

enum err store_files_change(struct store *store, struct store_change *changes, size_t count)
{
    struct change_list list = {changes, count};
    if (count == 0)
        return OK;
    enum err err = store_write(store, change_files, &list);
    overviews_are_old(store_overviews(store));
    return err;
}

/* --- looks inside --- */

static enum err keep_look(struct conn *conn, const struct store_look *look)
{
    struct query query =
        query_on(conn, "UPDATE file SET hash = ?, state = ?, reason = ?, duration_ms = ? "
                       "WHERE id = ? AND size = ? AND mtime_ns = ? AND missing_ms IS NULL");
    query_bytes(&query, look->identity.hash, sizeof look->identity.hash);
    query_int(&query, look->state);
    query_text(&query, look->reason);
    query_int_or_null(&query, look->duration_ms, look->duration_ms < 0);
    query_text(&query, look->file);
    query_int(&query, (int64_t) look->identity.size);
    query_int(&query, look->identity.mtime_ns);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

/* A plan takes the place of a verdict that there can be none. */
static enum err drop_verdict(struct conn *conn, const struct store_look *look)
{
    struct query query = query_on(
        conn, "DELETE FROM plan WHERE file = ? AND version = ? AND engine = ? AND bytes = x''");
    query_text(&query, look->file);
    query_int(&query, look->version);
    query_text(&query, look->engine);
    return query_run(&query);
}

static enum err keep_plan(struct conn *conn, const struct store_look *look)
{
    struct query query = query_on(
        conn, "INSERT OR REPLACE INTO plan(file, size, mtime_ns, hash, version, engine, made_ms, "
              "bytes, wants_scan) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_text(&query, look->file);
    query_int(&query, (int64_t) look->identity.size);
    query_int(&query, look->identity.mtime_ns);
    query_bytes(&query, look->identity.hash, sizeof look->identity.hash);
    query_int(&query, look->version);
    query_text(&query, look->engine);
    query_int(&query, look->made_ms);
    query_bytes(&query, look->bytes, look->size);
    query_int(&query, look->wants_scan);
    return query_run(&query);
}

/* Two plans are kept: who opened the film before the newest one was made still holds the other
 * (decision 11). */
static enum err drop_old_plans(struct conn *conn, const char *file)
{
    struct query query = query_on(
        conn, "DELETE FROM plan WHERE file = ?1 AND rowid NOT IN "
              "(SELECT rowid FROM plan WHERE file = ?1 ORDER BY made_ms DESC, rowid DESC LIMIT 2)");
    query_text(&query, file);
    return query_run(&query);
}

static enum err read_title(struct conn *conn, const char *file, char title[STORE_ID_SIZE])
{
    struct query query = query_on(conn, "SELECT title FROM file WHERE id = ?");
    query_text(&query, file);
    enum err err = query_step(&query);
    if (err == OK)
        query_get_text_into(&query, title, STORE_ID_SIZE);
    query_end(&query);
    return err;
}

static enum err look_into(struct conn *conn, void *arg)
{
    struct store_look *look = arg;
    enum err err = keep_look(conn, look);
    if (err == OK && look->bytes != NULL)
        err = drop_verdict(conn, look);
    if (err == OK && look->bytes != NULL)
        err = keep_plan(conn, look);
    if (err == OK && look->bytes != NULL)
        err = drop_old_plans(conn, look->file);
    return err != OK ? err : read_title(conn, look->file, look->title);
}

enum err store_file_looked(struct store *store, struct store_look *look)
{
    return store_write(store, look_into, look);
}

void store_plans_fini(struct store_plans *plans)
{
    mem_free(plans->bytes);
    mem_free(plans->first);
    *plans = (struct store_plans){0};
}

/* A verdict is a plan of no bytes, and nothing that anybody could hold. */
static enum err get_plans(struct query *query, struct store_plans *out)
{
    enum err err = query_step(query);
    if (err != OK)
        return err;
    out->bytes = query_get_bytes(query, &out->size);
    if (out->bytes == NULL)
        return ERR_NOT_FOUND;
    if (query_step(query) == OK)
        out->first = query_get_bytes(query, &out->first_size);
    return OK;
}

enum err store_plans_find(struct store *store, const char *file, uint32_t version,
                          const char *engine, struct store_plans *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(
        conn, "SELECT p.bytes FROM plan p JOIN file f ON f.id = p.file AND p.hash = f.hash "
              "AND p.size = f.size AND p.mtime_ns = f.mtime_ns "
              "WHERE p.file = ? AND p.version = ? AND p.engine = ? AND f.missing_ms IS NULL "
              "ORDER BY p.wants_scan");
    query_text(&query, file);
    query_int(&query, version);
    query_text(&query, engine);
    *out = (struct store_plans){0};
    err = get_plans(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

static enum err purge_files(struct conn *conn, void *arg)
{
    struct query files = query_on(conn, "DELETE FROM file WHERE missing_ms < ?");
    query_int(&files, *(const int64_t *) arg);
    enum err err = query_run(&files);
    if (err != OK)
        return err;
    return title_drop_all_empty(conn);
}

enum err store_files_purge(struct store *store, int64_t missing_ms)
{
    enum err err = store_write(store, purge_files, &missing_ms);
    overviews_are_old(store_overviews(store));
    return err;
}
