/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Titles: which file belongs to which, and the lists that people see. */
#include <string.h>

#include "base/mem.h"
#include "store/films.h"
#include "store/films_inside.h"
#include "store/items_inside.h"
#include "store/letters.h"
#include "store/search.h"

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

static enum err put_row(struct conn *conn, const char *id, const struct store_name *name,
                        int64_t added_ms, int64_t *n)
{
    struct query query = query_on(
        conn, "INSERT INTO title(id, kind, title, year, sort, folded, letter, match, added_ms, n) "
              "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(n), 0) + 1 FROM title)) "
              "ON CONFLICT(id) DO UPDATE SET "
              "kind = excluded.kind, title = excluded.title, year = excluded.year, "
              "sort = excluded.sort, folded = excluded.folded, letter = excluded.letter, "
              "match = excluded.match RETURNING n");
    query_text(&query, id);
    query_text(&query, name->kind);
    query_text(&query, name->title);
    query_int_or_null(&query, name->year, name->year == 0);
    query_text(&query, name->sort);
    query_text(&query, name->folded);
    query_text(&query, name->letter);
    query_text(&query, name->match);
    query_int(&query, added_ms);
    enum err err = query_step(&query);
    if (err == OK)
        *n = query_get_int(&query);
    query_end(&query);
    return err;
}

static enum err put_title(struct conn *conn, const char *id, const struct store_name *name,
                          int64_t added_ms)
{
    CLEANUP(indexed_fini) struct indexed old = {0};
    int64_t n = 0;
    enum err err = find_indexed(conn, id, &old);
    if (err == OK)
        err = put_row(conn, id, name, added_ms, &n);
    if (err != OK || (old.folded != NULL && strcmp(old.folded, name->folded) == 0))
        return err;
    if (old.folded != NULL)
        err = search_unindex(conn, old.n, old.folded);
    return err == OK ? search_index(conn, n, name->folded) : err;
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

enum err title_drop_if_empty(struct conn *conn, const char *title)
{
    struct query query =
        query_on(conn, "DELETE FROM title AS t WHERE t.id = ?1 AND NOT EXISTS"
                       "(SELECT 1 FROM file f WHERE f.title = t.id) AND NOT " IS_REMEMBERED
                       " RETURNING n, folded");
    query_text(&query, title);
    return drop_titles(conn, &query);
}

enum err title_drop_all_empty(struct conn *conn)
{
    struct query query =
        query_on(conn, "DELETE FROM title AS t WHERE t.id NOT IN (SELECT title FROM file) "
                       "AND NOT " IS_REMEMBERED " RETURNING n, folded");
    return drop_titles(conn, &query);
}

enum err title_give_over(struct conn *conn, const char *from, const char *to)
{
    bool has_others = true;
    enum err err = title_has_others(conn, from, "", &has_others);
    return err == OK && !has_others ? item_move(conn, from, to) : err;
}

struct rating {
    const char *title;
    int age;
};

static enum err rate(struct conn *conn, void *arg)
{
    const struct rating *rating = arg;
    struct query query = query_on(conn, "UPDATE title SET age = ? WHERE id = ?");
    query_int_or_null(&query, rating->age, rating->age == AGE_UNRATED);
    query_text(&query, rating->title);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_title_rate(struct store *store, const char *id, int age)
{
    enum err err = store_write(store, rate, &(struct rating){id, age});
    letters_are_old(store_letters(store));
    return err;
}

/* --- lists --- */

/* Whom the server itself asks for. */
static const struct ages EVERYBODY = {0};

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

#define TITLE_COLUMNS "t.id, t.kind, t.title, t.sort, t.year, t.added_ms, coalesce(t.age, -1)"
#define IS_THERE      "EXISTS(SELECT 1 FROM file f WHERE f.title = t.id AND f.missing_ms IS NULL) "
/* For the parameters of bind_wanted: 1 the kind, 2 to 4 the ages, 5 to 8 the search. */
#define IS_WANTED                                                                                  \
    IS_THERE "AND (?1 IS NULL OR t.kind = ?1) AND " MAY_KNOW("?2", "?3", "?4")                     \
        SEARCH_WORDS("?5", "?6", "?7")
#define IS_FOUND "AND t.n IN (SELECT rowid FROM title_search WHERE title_search MATCH ?8) "
#define ANY_WAY  "AND ?8 IS NULL "

static void get_title(struct query *query, struct store_title *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    out->kind = query_get_text(query);
    out->title = query_get_text(query);
    out->sort = query_get_text(query);
    out->year = (int) query_get_int(query);
    out->added_ms = query_get_int(query);
    out->age = (int) query_get_int(query);
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

/* What the viewer has of it. */
static enum err read_personal(struct conn *conn, const char *user, struct store_title *title)
{
    struct query query =
        query_on(conn, "SELECT EXISTS(SELECT 1 FROM watched WHERE user = ?1 AND item = ?2)");
    query_text(&query, user);
    query_text(&query, title->id);
    enum err err = query_step(&query);
    if (err == OK)
        title->is_watched = query_get_bool(&query);
    query_end(&query);
    if (err == OK)
        err = progress_find(conn, user, title->id, &title->progress);
    title->has_progress = err == OK;
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err read_rest(struct conn *conn, const struct store_viewer *viewer,
                          struct store_title *title)
{
    enum err err = read_files(conn, title);
    return err == OK && viewer != NULL ? read_personal(conn, viewer->user, title) : err;
}

static enum err find_title(struct conn *conn, const char *id, const struct store_viewer *viewer,
                           struct store_title *out)
{
    struct query query = query_on(conn, "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_THERE
                                        "AND t.id = ?1 AND " MAY_KNOW("?2", "?3", "?4"));
    query_text(&query, id);
    query_ages(&query, viewer != NULL ? &viewer->ages : &EVERYBODY);
    enum err err = query_step(&query);
    if (err == OK)
        get_title(&query, out);
    query_end(&query);
    return err != OK ? err : read_rest(conn, viewer, out);
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

enum err store_title_find(struct store *store, const char *id, const struct store_viewer *viewer,
                          struct store_title *out)
{
    struct conn *conn;
    struct store_title title = {0};
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    err = find_title(conn, id, viewer, &title);
    if (err == OK && title.file_count == 0)
        err = ERR_NOT_FOUND;
    end_reading(store, &conn);
    if (err != OK)
        store_title_fini(&title);
    else
        *out = title;
    return err;
}

/* The query's own parameters are bound after these. */
static void bind_wanted(struct query *query, const struct store_titles_query *wanted,
                        const struct search *search)
{
    query_text(query, wanted->kind);
    query_ages(query, wanted->viewer != NULL ? &wanted->viewer->ages : &EVERYBODY);
    for (size_t i = 0; i < SEARCH_SHORT; i++)
        query_text(query, search->words[i]);
    query_text(query, search->match);
}

#define LIST(more, after, order)                                                                   \
    "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_WANTED more "AND (?9 IS NULL OR " after      \
    ") ORDER BY " order " LIMIT ?11 OFFSET ?12"

static struct query list_query(struct conn *conn, const struct store_titles_query *wanted,
                               const struct search *search)
{
    static const char *const QUERIES[2][2] = {
        {LIST(ANY_WAY, "(t.sort, t.id) > (?10, ?9)", "t.sort, t.id"),
         LIST(ANY_WAY, "(-t.added_ms, t.id) > (-?10, ?9)", "-t.added_ms, t.id")},
        {LIST(IS_FOUND, "(t.sort, t.id) > (?10, ?9)", "t.sort, t.id"),
         LIST(IS_FOUND, "(-t.added_ms, t.id) > (-?10, ?9)", "-t.added_ms, t.id")}};
    struct query query = query_on(conn, QUERIES[search->match != NULL][wanted->by_added]);
    bind_wanted(&query, wanted, search);
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
    CLEANUP(search_fini) struct search search = search_for(wanted->search);
    struct query query = list_query(conn, wanted, &search);
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
        err = read_rest(conn, wanted->viewer, &out->items[i]);
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

static enum err count_letters(struct conn *conn, const struct store_titles_query *wanted,
                              struct letter_list *out)
{
    static const char *const QUERIES[2] = {
        "SELECT t.letter, count(*) FROM title t WHERE " IS_WANTED ANY_WAY
        "GROUP BY t.letter ORDER BY min(t.sort)",
        "SELECT t.letter, count(*) FROM title t WHERE " IS_WANTED IS_FOUND
        "GROUP BY t.letter ORDER BY min(t.sort)"};
    CLEANUP(search_fini) struct search search = search_for(wanted->search);
    struct query query = query_on(conn, QUERIES[search.match != NULL]);
    enum err err;
    bind_wanted(&query, wanted, &search);
    while ((err = query_step(&query)) == OK) {
        char letter[LETTER_SIZE];
        query_get_text_into(&query, letter, sizeof letter);
        letter_list_add(out, letter, query_get_int(&query));
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err read_letters(struct store *store, const struct store_titles_query *wanted,
                             struct letter_list *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = count_letters(conn, wanted, out);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_titles_letters(struct store *store, const struct store_titles_query *wanted,
                              store_letter_fn *each, void *ctx)
{
    struct letters *letters = store_letters(store);
    const struct ages *ages = wanted->viewer != NULL ? &wanted->viewer->ages : &EVERYBODY;
    struct letter_list list = {0};
    bool is_kept = wanted->search == NULL;
    uint64_t state = letters_state(letters);
    if (!is_kept || !letters_find(letters, wanted->kind, ages, &list)) {
        enum err err = read_letters(store, wanted, &list);
        if (err != OK) {
            letter_list_fini(&list);
            return err;
        }
        if (is_kept)
            letters_keep(letters, wanted->kind, ages, state, &list);
    }
    for (size_t i = 0; i < list.count; i++)
        each(ctx, list.items[i].letter, list.items[i].count);
    letter_list_fini(&list);
    return OK;
}
