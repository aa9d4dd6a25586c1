/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Titles: the lists that people see. */
#include <string.h>

#include "base/mem.h"
#include "store/films.h"
#include "store/films_inside.h"
#include "store/items_inside.h"
#include "store/overview.h"
#include "store/search.h"

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
    overviews_are_old(store_overviews(store));
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
        query_on(conn, "SELECT t.season, count(*), count(w.item), ifnull(min(t.age), -1) FROM "
                       "title t LEFT JOIN watched w "
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
        int age = (int) query_get_int(&query);
        if (age != AGE_UNRATED && (show->youngest == AGE_UNRATED || age < show->youngest))
            show->youngest = age;
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* A show is watched when each of its episodes is, but for the specials. */
static enum err read_show(struct conn *conn, const struct store_viewer *viewer,
                          struct store_title *show)
{
    show->youngest = AGE_UNRATED;
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

static struct overview_of overview_of(const struct store_titles_query *wanted)
{
    return (struct overview_of){.kind = wanted->kind,
                                .search = wanted->search,
                                .ages = wanted->viewer != NULL ? wanted->viewer->ages : EVERYBODY};
}

#define BY_TITLE "t.sort, t.id"
#define BY_ADDED "-t.added_ms, t.id"

static enum err read_places(struct conn *conn, const struct store_titles_query *wanted,
                            struct place_list *out)
{
    static const char *const QUERIES[2] = {
        "SELECT t.id, t.sort, t.added_ms FROM title t WHERE " IS_WANTED ANY_WAY
        "ORDER BY " BY_TITLE,
        "SELECT t.id, t.sort, t.added_ms FROM title t WHERE " IS_WANTED ANY_WAY
        "ORDER BY " BY_ADDED};
    const struct search all = {0};
    struct query query = query_on(conn, QUERIES[wanted->by_added]);
    char id[STORE_ID_SIZE];
    enum err err;
    bind_wanted(&query, wanted, &all);
    for (size_t n = 1; (err = query_step(&query)) == OK; n++) {
        if (n % PLACE_STEP != 0)
            continue;
        query_get_text_into(&query, id, sizeof id);
        CLEANUP(mem_free_at) char *sort = query_get_text(&query);
        place_list_add(out, id, sort, query_get_int(&query));
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Where the list is entered to come to the offset without stepping over all that stands before it. Of a state
 * that has changed since `state`, other titles may stand there: so they may at any offset. */
static enum err find_place(struct store *store, struct conn *conn, uint64_t state,
                           const struct store_titles_query *wanted, struct place *out, size_t *left)
{
    struct overviews *overviews = store_overviews(store);
    const struct overview_of of = overview_of(wanted);
    struct place_list places = {0};
    *left = wanted->offset;
    if (overviews_place(overviews, &of, wanted->by_added, wanted->offset, out, left))
        return OK;
    enum err err = read_places(conn, wanted, &places);
    if (err == OK)
        overviews_keep_places(overviews, &of, wanted->by_added, state, &places);
    place_list_fini(&places);
    (void) overviews_place(overviews, &of, wanted->by_added, wanted->offset, out, left);
    return err;
}

#define LIST(more, order)                                                                          \
    "SELECT " TITLE_COLUMNS " FROM title t WHERE " IS_WANTED more "ORDER BY " order                \
    " LIMIT ?9 OFFSET ?10"
/* An index is entered where that stands alone: not where it may be NULL, nor, of an expression, by more than it. */
#define AFTER_TITLE "AND (t.sort, t.id) > (?12, ?11) "
#define AFTER_ADDED "AND -t.added_ms >= -?12 AND (-t.added_ms, t.id) > (-?12, ?11) "
#define LISTS(more)                                                                                \
    {                                                                                              \
        {LIST(more, BY_TITLE), LIST(more AFTER_TITLE, BY_TITLE)},                                  \
            {LIST(more, BY_ADDED), LIST(more AFTER_ADDED, BY_ADDED)},                              \
    }

static struct query list_query(struct conn *conn, const struct store_titles_query *wanted,
                               const struct search *search)
{
    /* by what is looked for, the order, whether it begins after one */
    static const char *const QUERIES[2][2][2] = {LISTS(ANY_WAY), LISTS(IS_FOUND)};
    bool is_after = wanted->after_id != NULL;
    struct query query = query_on(conn, QUERIES[search->match != NULL][wanted->by_added][is_after]);
    bind_wanted(&query, wanted, search);
    query_int(&query, (int64_t) wanted->limit + 1);
    query_int(&query, (int64_t) wanted->offset);
    if (!is_after)
        return query;
    query_text(&query, wanted->after_id);
    if (wanted->by_added)
        query_int(&query, wanted->after_added_ms);
    else
        query_text(&query, wanted->after_sort);
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

/* From the nearest place that is known. */
static enum err list_from_place(struct store *store, struct conn *conn, uint64_t state,
                                const struct store_titles_query *wanted, struct store_titles *out)
{
    struct store_titles_query query = *wanted;
    struct place place = {0};
    enum err err = find_place(store, conn, state, wanted, &place, &query.offset);
    if (place.sort != NULL) {
        query.after_id = place.id;
        query.after_sort = place.sort;
        query.after_added_ms = place.added_ms;
    }
    if (err == OK)
        err = list_titles(conn, &query, out);
    place_fini(&place);
    return err;
}

enum err store_titles_list(struct store *store, const struct store_titles_query *query,
                           struct store_titles *out)
{
    struct conn *conn;
    struct store_titles titles = {0};
    bool is_far = query->offset >= PLACE_STEP && query->search == NULL && query->after_id == NULL;
    uint64_t state = overviews_state(store_overviews(store));
    enum err err = begin_reading(store, &conn);
    if (err != OK)
        return err;
    if (is_far)
        err = list_from_place(store, conn, state, query, &titles);
    else
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
    struct overviews *overviews = store_overviews(store);
    const struct overview_of of = overview_of(wanted);
    struct letter_list list = {0};
    uint64_t state = overviews_state(overviews);
    if (!overviews_letters(overviews, &of, &list)) {
        enum err err = read_letters(store, wanted, &list);
        if (err != OK) {
            letter_list_fini(&list);
            return err;
        }
        overviews_keep_letters(overviews, &of, state, &list);
    }
    for (size_t i = 0; i < list.count; i++)
        each(ctx, list.items[i].letter, list.items[i].count);
    letter_list_fini(&list);
    return OK;
}
