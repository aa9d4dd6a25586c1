/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which title a file belongs to; titles, and shows, that come and go with their files. */
#include <string.h>

#include "base/mem.h"
#include "store/films.h"
#include "store/films_inside.h"
#include "store/items_inside.h"
#include "store/search.h"

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

enum err title_show(struct conn *conn, const char *title, char out[STORE_ID_SIZE])
{
    struct query query = query_on(conn, "SELECT ifnull(show, '') FROM title WHERE id = ?");
    query_text(&query, title);
    out[0] = '\0';
    enum err err = query_take_id(&query, out);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* What the index of searches knows a title by. */
struct indexed {
    int64_t n;
    char *folded; /* NULL: there is no such title */
};

static void indexed_fini(struct indexed *indexed)
{
    mem_free(indexed->folded);
    *indexed = (struct indexed){0};
}

static enum err find_indexed(struct conn *conn, const char *id, struct indexed *out)
{
    struct query query = query_on(conn, "SELECT n, folded FROM title WHERE id = ?");
    query_text(&query, id);
    enum err err = query_step(&query);
    if (err == OK) {
        out->n = query_get_int(&query);
        out->folded = query_get_text(&query);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* `show` is that of an episode, or NULL: where nobody has said for what age it is, it is for that of its show. */
static enum err put_row(struct conn *conn, const char *id, const struct store_name *name,
                        const char *show, int64_t added_ms, int64_t *n)
{
    struct query query = query_on(
        conn, "INSERT INTO title(id, kind, title, year, sort, folded, letter, match, added_ms, "
              "show, season, episode, last_episode, age, n) "
              "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
              "(SELECT age FROM title WHERE id = ?10), "
              "(SELECT coalesce(max(n), 0) + 1 FROM title)) ON CONFLICT(id) DO UPDATE SET "
              "kind = excluded.kind, title = excluded.title, year = excluded.year, "
              "sort = excluded.sort, folded = excluded.folded, letter = excluded.letter, "
              "match = excluded.match, show = excluded.show, season = excluded.season, "
              "episode = excluded.episode, last_episode = excluded.last_episode, "
              "age = coalesce(age, excluded.age) RETURNING n");
    query_text(&query, id);
    query_text(&query, name->kind);
    query_text(&query, name->title);
    query_int_or_null(&query, name->year, name->year == 0);
    query_text(&query, name->sort);
    query_text(&query, name->folded);
    query_text(&query, name->letter);
    query_text(&query, name->match);
    query_int(&query, added_ms);
    query_text(&query, show);
    query_int_or_null(&query, name->season, show == NULL);
    query_int_or_null(&query, name->episode, show == NULL);
    query_int_or_null(&query, name->last_episode, show == NULL);
    enum err err = query_step(&query);
    if (err == OK)
        *n = query_get_int(&query);
    query_end(&query);
    return err;
}

static enum err put_title(struct conn *conn, const char *id, const struct store_name *name,
                          const char *show, int64_t added_ms)
{
    CLEANUP(indexed_fini) struct indexed old = {0};
    int64_t n = 0;
    enum err err = find_indexed(conn, id, &old);
    if (err == OK)
        err = put_row(conn, id, name, show, added_ms, &n);
    if (err != OK || (old.folded != NULL && strcmp(old.folded, name->folded) == 0))
        return err;
    if (old.folded != NULL)
        err = search_unindex(conn, old.n, old.folded);
    return err == OK ? search_index(conn, n, name->folded) : err;
}

/* A show is the latest when an episode of it is. */
static enum err freshen(struct conn *conn, const char *show, int64_t added_ms)
{
    struct query query =
        query_on(conn, "UPDATE title SET added_ms = max(added_ms, ?) WHERE id = ?");
    query_int(&query, added_ms);
    query_text(&query, show);
    return query_run(&query);
}

/* That of the episode's name, made where there is none. */
static enum err settle_show(struct conn *conn, const struct store_change *change,
                            char out[STORE_ID_SIZE])
{
    const struct store_name *show = change->name->show;
    enum err err = title_of_match(conn, show->match, out);
    if (err == OK)
        return freshen(conn, out, change->file.added_ms);
    if (err != ERR_NOT_FOUND)
        return err;
    store_new_id(out);
    return put_title(conn, out, show, NULL, change->file.added_ms);
}

/* A file that leaves others behind takes along what was watched in it, and for what age it is. */
static enum err split_off(struct conn *conn, const struct store_change *change, const char *from)
{
    static const char *const STATEMENTS[] = {
        "UPDATE title SET age = coalesce(age, (SELECT age FROM title WHERE id = ?1)) WHERE id = ?2",
        "UPDATE OR IGNORE progress SET item = ?2 WHERE item = ?1 AND file = ?3",
        "UPDATE history SET item = ?2 WHERE item = ?1 AND file = ?3",
    };
    enum err err = OK;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof STATEMENTS[0] && err == OK; i++) {
        struct query query = query_on(conn, STATEMENTS[i]);
        query_text(&query, from);
        query_text(&query, change->file.title);
        if (i > 0)
            query_text(&query, change->file.id);
        err = query_run(&query);
    }
    return err;
}

/* A title whose only file was renamed keeps its id. */
static enum err own_title(struct conn *conn, struct store_change *change, const char *show,
                          const char *current)
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
    err = put_title(conn, change->file.title, change->name, show, change->file.added_ms);
    return err == OK && has_others ? split_off(conn, change, current) : err;
}

/* Runs a DELETE that returns n and folded of titles. */
static enum err drop_titles(struct conn *conn, struct query *query)
{
    struct indexed *gone = NULL;
    size_t count = 0, room = 0;
    enum err err;
    while ((err = query_step(query)) == OK) {
        mem_grow(gone, count, room);
        gone[count].n = query_get_int(query);
        gone[count++].folded = query_get_text(query);
    }
    query_end(query);
    err = err == ERR_NOT_FOUND ? OK : err;
    for (size_t i = 0; i < count; i++) {
        if (err == OK)
            err = search_unindex(conn, gone[i].n, gone[i].folded);
        indexed_fini(&gone[i]);
    }
    mem_free(gone);
    return err;
}

#define HAS_NO_EPISODE "NOT EXISTS(SELECT 1 FROM title e WHERE e.show = t.id) "

static enum err drop_one(struct conn *conn, const char *title)
{
    struct query query =
        query_on(conn, "DELETE FROM title AS t WHERE t.id = ?1 AND NOT EXISTS"
                       "(SELECT 1 FROM file f WHERE f.title = t.id) AND " HAS_NO_EPISODE
                       "AND NOT " IS_REMEMBERED " RETURNING n, folded");
    query_text(&query, title);
    return drop_titles(conn, &query);
}

/* One of its files may know what it is called; its only one knows best. */
static enum err fill_in(struct conn *conn, const struct store_change *change)
{
    struct query query = query_on(
        conn, "UPDATE title SET title = ?1 WHERE id = ?2 AND kind = 'episode' AND "
              "(title = '' OR NOT EXISTS(SELECT 1 FROM file WHERE title = ?2 AND id <> ?3))");
    query_text(&query, change->name->title);
    query_text(&query, change->file.title);
    query_text(&query, change->file.id);
    return query_run(&query);
}

enum err title_leave_show(struct conn *conn, const char *old, const char *show)
{
    bool has_others = true;
    struct query query = query_on(conn, "SELECT EXISTS(SELECT 1 FROM title WHERE show = ?)");
    query_text(&query, old);
    enum err err = query_step(&query);
    if (err == OK)
        has_others = query_get_bool(&query);
    query_end(&query);
    if (err != OK || has_others)
        return err;
    err = show[0] != '\0' ? item_move(conn, old, show) : OK;
    return err == OK ? drop_one(conn, old) : err;
}

static enum err own_episode(struct conn *conn, struct store_change *change, const char *current)
{
    char show[STORE_ID_SIZE];
    enum err err = settle_show(conn, change, show);
    return err == OK ? own_title(conn, change, show, current) : err;
}

/* What it belongs to by its name. */
static enum err settle_by_name(struct conn *conn, struct store_change *change, const char *current)
{
    enum err err = title_of_match(conn, change->name->match, change->file.title);
    if (err == OK)
        return fill_in(conn, change);
    if (err != ERR_NOT_FOUND)
        return err;
    return change->name->show != NULL ? own_episode(conn, change, current)
                                      : own_title(conn, change, NULL, current);
}

enum err title_settle(struct conn *conn, struct store_change *change)
{
    char current[STORE_ID_SIZE], old[STORE_ID_SIZE] = "", show[STORE_ID_SIZE] = "";
    enum err err = title_of_file(conn, change->file.id, current);
    change->old_title[0] = change->old_show[0] = '\0';
    if (err != OK)
        return err;
    if (change->name == NULL) {
        memcpy(change->file.title, current, STORE_ID_SIZE);
        return OK;
    }
    if (current[0] != '\0')
        err = title_show(conn, current, old);
    if (err == OK)
        err = settle_by_name(conn, change, current);
    if (err == OK)
        err = title_show(conn, change->file.title, show);
    if (err == OK && strcmp(current, change->file.title) != 0)
        memcpy(change->old_title, current, STORE_ID_SIZE);
    if (err == OK && strcmp(old, show) != 0)
        memcpy(change->old_show, old, STORE_ID_SIZE);
    return err;
}

enum err title_drop_if_empty(struct conn *conn, const char *title)
{
    return drop_one(conn, title);
}

/* Episodes before the shows that nothing is left of then. */
enum err title_drop_all_empty(struct conn *conn)
{
    struct query episodes = query_on(
        conn, "DELETE FROM title AS t WHERE t.kind <> 'show' AND t.id NOT IN (SELECT title "
              "FROM file) AND NOT " IS_REMEMBERED " RETURNING n, folded");
    enum err err = drop_titles(conn, &episodes);
    if (err != OK)
        return err;
    struct query shows =
        query_on(conn, "DELETE FROM title AS t WHERE t.kind = 'show' AND " HAS_NO_EPISODE
                       "AND NOT " IS_REMEMBERED " RETURNING n, folded");
    return drop_titles(conn, &shows);
}

enum err title_give_over(struct conn *conn, const char *from, const char *to)
{
    bool has_others = true;
    enum err err = title_has_others(conn, from, "", &has_others);
    return err == OK && !has_others ? item_move(conn, from, to) : err;
}
