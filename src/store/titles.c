/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Titles: which file belongs to which, and the lists that people see. */
#include <string.h>

#include "base/mem.h"
#include "store/films.h"
#include "store/films_inside.h"

/* --- which title a file belongs to --- */

/* "" where the file has no row yet. */
static enum err title_of_file(struct conn *conn, const char *file, char out[STORE_ID_SIZE])
{
    struct query query = query_on(conn, "SELECT title FROM file WHERE id = ?");
    query_text(&query, file);
    out[0] = '\0';
    enum err err = query_take_id(&query, out);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err title_of_match(struct conn *conn, const char *match, char out[STORE_ID_SIZE])
{
    if (match == NULL)
        return ERR_NOT_FOUND;
    struct query query = query_on(conn, "SELECT id FROM title WHERE match = ?");
    query_text(&query, match);
    return query_take_id(&query, out);
}

static enum err title_has_others(struct conn *conn, const char *title, const char *file, bool *out)
{
    struct query query = query_on(conn, "SELECT count(*) FROM file WHERE title = ? AND id <> ?");
    query_text(&query, title);
    query_text(&query, file);
    enum err err = query_step(&query);
    if (err == OK)
        *out = query_get_bool(&query);
    query_end(&query);
    return err;
}

static enum err put_title(struct conn *conn, const char *id, const struct store_name *name,
                          int64_t added_ms)
{
    struct query query = query_on(
        conn, "INSERT INTO title(id, kind, title, year, sort, folded, letter, match, added_ms) "
              "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
              "kind = excluded.kind, title = excluded.title, year = excluded.year, "
              "sort = excluded.sort, folded = excluded.folded, letter = excluded.letter, "
              "match = excluded.match");
    query_text(&query, id);
    query_text(&query, name->kind);
    query_text(&query, name->title);
    query_int_or_null(&query, name->year, name->year == 0);
    query_text(&query, name->sort);
    query_text(&query, name->folded);
    query_text(&query, name->letter);
    query_text(&query, name->match);
    query_int(&query, added_ms);
    return query_run(&query);
}

/* A title whose only file was renamed keeps its id. */
static enum err own_title(struct conn *conn, struct store_change *change, const char *current)
{
    bool has_others = true;
    enum err err = OK;
    if (current[0] != '\0')
        err = title_has_others(conn, current, change->file.id, &has_others);
    if (err != OK)
        return err;
    if (has_others)
        store_new_id(change->file.title);
    else
        memcpy(change->file.title, current, STORE_ID_SIZE);
    return put_title(conn, change->file.title, change->name, change->file.added_ms);
}

enum err title_settle(struct conn *conn, struct store_change *change)
{
    char current[STORE_ID_SIZE];
    enum err err = title_of_file(conn, change->file.id, current);
    change->old_title[0] = '\0';
    if (err != OK)
        return err;
    if (change->name == NULL) {
        memcpy(change->file.title, current, STORE_ID_SIZE);
        return OK;
    }
    err = title_of_match(conn, change->name->match, change->file.title);
    if (err == ERR_NOT_FOUND)
        err = own_title(conn, change, current);
    if (err == OK && strcmp(current, change->file.title) != 0)
        memcpy(change->old_title, current, STORE_ID_SIZE);
    return err;
}

enum err title_drop_if_empty(struct conn *conn, const char *title)
{
    struct query query = query_on(conn, "DELETE FROM title WHERE id = ?1 AND NOT EXISTS"
                                        "(SELECT 1 FROM file WHERE title = ?1)");
    query_text(&query, title);
    return query_run(&query);
}

/* --- lists --- */

void store_title_fini(struct store_title *title)
{
    for (size_t i = 0; i < title->file_count; i++)
        store_file_fini(&title->files[i]);
    mem_free(title->files);
    mem_free(title->kind);
    mem_free(title->title);
    mem_free(title->sort);
    *title = (struct store_title){0};
}

void store_titles_fini(struct store_titles *titles)
{
    for (size_t i = 0; i < titles->count; i++)
        store_title_fini(&titles->items[i]);
    mem_free(titles->items);
    *titles = (struct store_titles){0};
}

#define TITLE_COLUMNS "t.id, t.kind, t.title, t.sort, t.year, t.added_ms"
#define IS_THERE      "EXISTS(SELECT 1 FROM file f WHERE f.title = t.id AND f.missing_ms IS NULL) "
#define IS_WANTED                                                                                  \
    IS_THERE "AND (?1 IS NULL OR instr(t.folded, ?1) > 0) AND (?2 IS NULL OR t.kind = ?2) "

static void get_title(struct query *query, struct store_title *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    out->kind = query_get_text(query);
    out->title = query_get_text(query);
    out->sort = query_get_text(query);
    out->year = (int) query_get_int(query);
    out->added_ms = query_get_int(query);
}

static enum err read_files(struct conn *conn, struct store_title *title)
{
    struct query query = query_on(conn, "SELECT " FILE_COLUMNS " FROM file f WHERE f.title = ? "
                                        "AND f.missing_ms IS NULL ORDER BY f.name, f.id");
    size_t room = 0;
    enum err err;
    query_text(&query, title->id);
    while ((err = query_step(&query)) == OK) {
        mem_grow(title->files, title->file_count, room);
        title->files[title->file_count] = (struct store_file){0};
        file_get(&query, &title->files[title->file_count++]);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err find_title(struct conn *conn, const char *id, struct store_title *out)
{
    struct query query =
        query_on(conn, "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_THERE "AND t.id = ?");
    query_text(&query, id);
    enum err err = query_step(&query);
    if (err == OK)
        get_title(&query, out);
    query_end(&query);
    return err != OK ? err : read_files(conn, out);
}

/* What a reader sees is one state of the database: title and files of the same moment. */
static enum err begin_reading(struct store *store, struct conn **out)
{
    enum err err = readers_take(store_readers(store), out);
    if (err != OK)
        return err;
    err = conn_run(*out, "BEGIN");
    if (err != OK)
        readers_give(store_readers(store), out);
    return err;
}

static void end_reading(struct store *store, struct conn **conn)
{
    (void) !conn_run(*conn, "COMMIT");
    readers_give(store_readers(store), conn);
}

enum err store_title_find(struct store *store, const char *id, struct store_title *out)
{
    struct conn *conn;
    struct store_title title = {0};
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    err = find_title(conn, id, &title);
    if (err == OK && title.file_count == 0)
        err = ERR_NOT_FOUND;
    end_reading(store, &conn);
    if (err != OK)
        store_title_fini(&title);
    else
        *out = title;
    return err;
}

static struct query list_query(struct conn *conn, const struct store_titles_query *wanted)
{
    struct query query =
        wanted->by_added ? query_on(conn, "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_WANTED
                                          "AND (?3 IS NULL OR (-t.added_ms, t.id) > (-?4, ?3)) "
                                          "ORDER BY -t.added_ms, t.id LIMIT ?5 OFFSET ?6")
                         : query_on(conn, "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_WANTED
                                          "AND (?3 IS NULL OR (t.sort, t.id) > (?4, ?3)) "
                                          "ORDER BY t.sort, t.id LIMIT ?5 OFFSET ?6");
    query_text(&query, wanted->folded);
    query_text(&query, wanted->kind);
    query_text(&query, wanted->after_id);
    if (wanted->by_added)
        query_int(&query, wanted->after_added_ms);
    else
        query_text(&query, wanted->after_sort);
    query_int(&query, (int64_t) wanted->limit + 1);
    query_int(&query, (int64_t) wanted->offset);
    return query;
}

static enum err list_titles(struct conn *conn, const struct store_titles_query *wanted,
                            struct store_titles *out)
{
    struct query query = list_query(conn, wanted);
    enum err err;
    out->items = mem_new_array(struct store_title, wanted->limit);
    while ((err = query_step(&query)) == OK) {
        if (out->count == wanted->limit) {
            out->has_more = true;
            break;
        }
        get_title(&query, &out->items[out->count++]);
    }
    query_end(&query);
    err = err == ERR_NOT_FOUND ? OK : err;
    for (size_t i = 0; i < out->count && err == OK; i++)
        err = read_files(conn, &out->items[i]);
    return err;
}

enum err store_titles_list(struct store *store, const struct store_titles_query *query,
                           struct store_titles *out)
{
    struct conn *conn;
    struct store_titles titles = {0};
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    err = list_titles(conn, query, &titles);
    end_reading(store, &conn);
    if (err != OK)
        store_titles_fini(&titles);
    else
        *out = titles;
    return err;
}

enum err store_titles_letters(struct store *store, const struct store_titles_query *wanted,
                              store_letter_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT t.letter, count(*) FROM title t WHERE " IS_WANTED
                                        "GROUP BY t.letter ORDER BY min(t.sort)");
    query_text(&query, wanted->folded);
    query_text(&query, wanted->kind);
    while ((err = query_step(&query)) == OK) {
        char letter[16];
        query_get_text_into(&query, letter, sizeof letter);
        each(ctx, letter, query_get_int(&query));
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}
