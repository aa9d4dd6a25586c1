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
    return put_title(conn, change->file.title, change->name, show, change->file.added_ms);
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

/* One of its files may know what it is called. */
static enum err fill_in(struct conn *conn, const struct store_change *change)
{
    struct query query = query_on(conn, "UPDATE title SET title = ? WHERE id = ? AND title = ''");
    query_text(&query, change->name->title);
    query_text(&query, change->file.title);
    return query_run(&query);
}

/* A show that its last episode has left is another now: what people have of it goes along. */
static enum err leave_show(struct conn *conn, const char *old, const char *show)
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
    err = item_move(conn, old, show);
    return err == OK ? drop_one(conn, old) : err;
}

static enum err own_episode(struct conn *conn, struct store_change *change, const char *current)
{
    char show[STORE_ID_SIZE], old[STORE_ID_SIZE] = "";
    enum err err = settle_show(conn, change, show);
    if (err == OK && current[0] != '\0')
        err = title_show(conn, current, old);
    if (err == OK)
        err = own_title(conn, change, show, current);
    if (err != OK || old[0] == '\0' || strcmp(old, show) == 0)
        return err;
    memcpy(change->old_show, old, sizeof change->old_show);
    return leave_show(conn, old, show);
}

enum err title_settle(struct conn *conn, struct store_change *change)
{
    char current[STORE_ID_SIZE];
    enum err err = title_of_file(conn, change->file.id, current);
    change->old_title[0] = change->old_show[0] = '\0';
    if (err != OK)
        return err;
    if (change->name == NULL) {
        memcpy(change->file.title, current, STORE_ID_SIZE);
        return OK;
    }
    err = title_of_match(conn, change->name->match, change->file.title);
    if (err == OK)
        err = fill_in(conn, change);
    else if (err == ERR_NOT_FOUND && change->name->show != NULL)
        err = own_episode(conn, change, current);
    else if (err == ERR_NOT_FOUND)
        err = own_title(conn, change, NULL, current);
    if (err == OK && strcmp(current, change->file.title) != 0)
        memcpy(change->old_title, current, STORE_ID_SIZE);
    return err;
}

enum err title_drop_if_empty(struct conn *conn, const char *title)
{
    char show[STORE_ID_SIZE];
    enum err err = title_show(conn, title, show);
    if (err == OK)
        err = drop_one(conn, title);
    return err == OK && show[0] != '\0' ? drop_one(conn, show) : err;
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

struct rating {
    const char *title;
    int age;
};

static enum err rate(struct conn *conn, void *arg)
{
    const struct rating *rating = arg;
    struct query query = query_on(conn, "UPDATE title SET age = ?1 WHERE id = ?2 OR show = ?2");
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
    mem_free(title->show_title);
    mem_free(title->seasons);
    *title = (struct store_title){0};
}

void store_titles_fini(struct store_titles *titles)
{
    for (size_t i = 0; i < titles->count; i++)
        store_title_fini(&titles->items[i]);
    mem_free(titles->items);
    *titles = (struct store_titles){0};
}

#define TITLE_COLUMNS                                                                              \
    "t.id, t.kind, t.title, t.sort, t.year, t.added_ms, coalesce(t.age, -1), ifnull(t.show, ''), " \
    "(SELECT s.title FROM title s WHERE s.id = t.show), t.season, t.episode, t.last_episode"
#define HAS_FILE "EXISTS(SELECT 1 FROM file f WHERE f.title = t.id AND f.missing_ms IS NULL) "
/* Of `title e`, for the parameters 2 to 4 of query_ages. */
#define MAY_KNOW_EPISODE "(?2 = 0 OR e.age <= ?3 OR (e.age IS NULL AND ?4)) "
/* A show is, when an episode of it is that the viewer may know of. */
#define IS_THERE                                                                                   \
    "(" HAS_FILE "OR EXISTS(SELECT 1 FROM title e JOIN file f ON f.title = e.id "                  \
    "WHERE e.show = t.id AND f.missing_ms IS NULL AND " MAY_KNOW_EPISODE ")) "
/* For the parameters of bind_wanted: 1 the kind, 2 to 4 the ages, 5 to 8 the search. */
#define IS_WANTED                                                                                  \
    "t.show IS NULL AND " IS_THERE                                                                 \
    "AND (?1 IS NULL OR t.kind = ?1) AND " MAY_KNOW("?2", "?3", "?4")                              \
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
    query_get_text_into(query, out->show, sizeof out->show);
    out->show_title = query_get_text(query);
    out->season = (int) query_get_int(query);
    out->episode = (int) query_get_int(query);
    out->last_episode = (int) query_get_int(query);
}

/* Runs a query for files of the title. */
static enum err take_files(struct query *query, struct store_title *title)
{
    size_t room = 0;
    enum err err;
    while ((err = query_step(query)) == OK) {
        mem_grow(title->files, title->file_count, room);
        title->files[title->file_count] = (struct store_file){0};
        file_get(query, &title->files[title->file_count++]);
    }
    query_end(query);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err read_files(struct conn *conn, struct store_title *title)
{
    struct query query = query_on(conn, "SELECT " FILE_COLUMNS " FROM file f WHERE f.title = ? "
                                        "AND f.missing_ms IS NULL ORDER BY f.name, f.id");
    query_text(&query, title->id);
    return take_files(&query, title);
}

/* The first that plays, or else one that may soon: 0 waits, 1 is ready, 2 is unreadable. */
static enum err read_speaker(struct conn *conn, const struct store_viewer *viewer,
                             struct store_title *show)
{
    struct query query = query_on(
        conn,
        "SELECT " FILE_COLUMNS " FROM title e JOIN file f ON f.title = e.id "
        "WHERE e.show = ?1 AND f.missing_ms IS NULL AND " MAY_KNOW_EPISODE "ORDER BY f.is_offline, "
        "CASE f.state WHEN 1 THEN 0 WHEN 0 THEN 1 ELSE 2 END, e.season = 0, e.season, "
        "e.episode LIMIT 1");
    _Static_assert(STORE_FILE_WAITING == 0 && STORE_FILE_READY == 1, "as the query has it");
    query_text(&query, show->id);
    query_ages(&query, viewer != NULL ? &viewer->ages : &EVERYBODY);
    return take_files(&query, show);
}

/* Those that may be known of. */
static enum err read_seasons(struct conn *conn, const struct store_viewer *viewer,
                             struct store_title *show)
{
    struct query query =
        query_on(conn, "SELECT t.season, count(*), count(w.item) FROM title t LEFT JOIN watched w "
                       "ON w.item = t.id AND w.user = ?2 WHERE t.show = ?1 AND " HAS_FILE
                       "AND " MAY_KNOW("?3", "?4", "?5") "GROUP BY t.season ORDER BY t.season");
    size_t room = 0;
    enum err err;
    query_text(&query, show->id);
    query_text(&query, viewer != NULL ? viewer->user : NULL);
    query_ages(&query, viewer != NULL ? &viewer->ages : &EVERYBODY);
    while ((err = query_step(&query)) == OK) {
        mem_grow(show->seasons, show->season_count, room);
        struct store_season *season = &show->seasons[show->season_count++];
        season->number = (int) query_get_int(&query);
        season->episodes = (unsigned) query_get_int(&query);
        season->watched = (unsigned) query_get_int(&query);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* A show is watched when each of its episodes is, but for the specials. */
static enum err read_show(struct conn *conn, const struct store_viewer *viewer,
                          struct store_title *show)
{
    enum err err = read_speaker(conn, viewer, show);
    if (err == OK)
        err = read_seasons(conn, viewer, show);
    show->is_watched = viewer != NULL && show->season_count > 0;
    for (size_t i = 0; i < show->season_count; i++) {
        const struct store_season *season = &show->seasons[i];
        bool is_extra = season->number == 0 && show->season_count > 1;
        if (!is_extra && season->watched < season->episodes)
            show->is_watched = false;
    }
    return err;
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
    if (strcmp(title->kind, "show") == 0)
        return read_show(conn, viewer, title);
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

/* --- episodes --- */

/* Runs a query for titles. */
static enum err take_titles(struct conn *conn, struct query *query,
                            const struct store_viewer *viewer, struct store_titles *out)
{
    size_t room = 0;
    enum err err;
    while ((err = query_step(query)) == OK) {
        mem_grow(out->items, out->count, room);
        out->items[out->count] = (struct store_title){0};
        get_title(query, &out->items[out->count++]);
    }
    query_end(query);
    err = err == ERR_NOT_FOUND ? OK : err;
    for (size_t i = 0; i < out->count && err == OK; i++)
        err = read_rest(conn, viewer, &out->items[i]);
    return err;
}

#define EPISODES(more)                                                                             \
    "SELECT " TITLE_COLUMNS " FROM title t WHERE t.show = ?1 AND " HAS_FILE                        \
    "AND " MAY_KNOW("?2", "?3", "?4") more

static enum err list_episodes(struct conn *conn, const char *show,
                              const struct store_viewer *viewer, int season,
                              struct store_titles *out)
{
    struct query query = query_on(
        conn, EPISODES("AND (?5 < 0 OR t.season = ?5) ORDER BY t.season, t.episode, t.id"));
    query_text(&query, show);
    query_ages(&query, &viewer->ages);
    query_int(&query, season);
    return take_titles(conn, &query, viewer, out);
}

enum err store_episodes_list(struct store *store, const char *show,
                             const struct store_viewer *viewer, int season,
                             struct store_titles *out)
{
    struct conn *conn;
    struct store_title of = {0};
    struct store_titles titles = {0};
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    err = find_title(conn, show, viewer, &of);
    if (err == OK && strcmp(of.kind, "show") != 0)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = list_episodes(conn, show, viewer, season, &titles);
    end_reading(store, &conn);
    store_title_fini(&of);
    if (err != OK)
        store_titles_fini(&titles);
    else
        *out = titles;
    return err;
}

/* The first after a place that is not a special, or of the specials after one of them. */
static enum err find_after(struct conn *conn, const char *show, const struct store_viewer *viewer,
                           int season, int episode, struct store_titles *out)
{
    struct query query =
        query_on(conn, EPISODES("AND (t.season, t.episode) > (?5, ?6) AND (?5 > 0 OR t.season = 0) "
                                "ORDER BY t.season, t.episode, t.id LIMIT 1"));
    query_text(&query, show);
    query_ages(&query, &viewer->ages);
    query_int(&query, season);
    query_int(&query, episode);
    return take_titles(conn, &query, viewer, out);
}

/* Of a show: what was begun last; else the first that was not watched, after the one that was watched last where
 * there is one such, the specials behind all others. */
static enum err find_to_go_on(struct conn *conn, const char *show,
                              const struct store_viewer *viewer, struct store_titles *out)
{
    struct query query = query_on(
        conn,
        EPISODES(
            "AND NOT EXISTS(SELECT 1 FROM watched w WHERE w.user = ?5 AND w.item = t.id) "
            "ORDER BY ifnull((SELECT p.at_ms FROM progress p WHERE p.user = ?5 AND p.item = t.id "
            "AND p.is_hidden = 0), 0) DESC, t.season = 0, "
            "(t.season, t.episode) < (SELECT l.season, l.episode FROM title l JOIN watched w "
            "ON w.item = l.id AND w.user = ?5 WHERE l.show = ?1 "
            "ORDER BY w.at_ms DESC, l.season DESC, l.episode DESC LIMIT 1), "
            "t.season, t.episode, t.id LIMIT 1"));
    query_text(&query, show);
    query_ages(&query, &viewer->ages);
    query_text(&query, viewer->user);
    return take_titles(conn, &query, viewer, out);
}

static enum err find_next(struct conn *conn, const char *item, const struct store_viewer *viewer,
                          struct store_titles *out)
{
    struct store_title of = {0};
    enum err err = find_title(conn, item, viewer, &of);
    if (err == OK && of.show[0] != '\0')
        err = find_after(conn, of.show, viewer, of.season, of.last_episode, out);
    else if (err == OK && strcmp(of.kind, "show") == 0)
        err = find_to_go_on(conn, item, viewer, out);
    store_title_fini(&of);
    return err;
}

enum err store_next_find(struct store *store, const char *item, const struct store_viewer *viewer,
                         struct store_title *out)
{
    struct conn *conn;
    struct store_titles found = {0};
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    err = find_next(conn, item, viewer, &found);
    end_reading(store, &conn);
    if (err == OK && found.count == 0)
        err = ERR_NOT_FOUND;
    if (err == OK) {
        *out = found.items[0];
        found.items[0] = (struct store_title){0};
    }
    store_titles_fini(&found);
    return err;
}

/* --- lists --- */

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
