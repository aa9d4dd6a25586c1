/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/progress.h"

#include "store/items_inside.h"
#include "store/sql.h"

enum { BEGUN_MS = 30 * 1000, BEGUN_PART = 20, WHOLE_PERCENT = 92 };
#define SITTING_MS (6LL * 60 * 60 * 1000)

bool progress_is_begun(int64_t position_ms, int64_t duration_ms)
{
    int64_t part_ms = duration_ms / BEGUN_PART;
    return position_ms >= (duration_ms > 0 && part_ms < BEGUN_MS ? part_ms : BEGUN_MS);
}

bool progress_is_whole(int64_t position_ms, int64_t duration_ms)
{
    return duration_ms > 0 && position_ms >= duration_ms / 100 * WHOLE_PERCENT;
}

bool report_is_whole(const struct store_report *report)
{
    return report->is_whole ||
           progress_is_whole(report->progress.position_ms, report->progress.duration_ms);
}

/* --- reports --- */

static enum err put_progress(struct conn *conn, const struct store_report *report)
{
    const struct store_progress *progress = &report->progress;
    struct query query = query_on(
        conn,
        "INSERT INTO progress(user, item, file, position_ms, duration_ms, at_ms, is_hidden) "
        "VALUES(?, ?, ?, ?, ?, ?, 0) ON CONFLICT(user, item) DO UPDATE SET file = excluded.file, "
        "position_ms = excluded.position_ms, duration_ms = excluded.duration_ms, "
        "at_ms = excluded.at_ms, is_hidden = 0 WHERE excluded.at_ms >= at_ms");
    query_text(&query, report->user);
    query_text(&query, progress->item);
    query_text(&query, progress->file);
    query_int(&query, progress->position_ms);
    query_int(&query, progress->duration_ms);
    query_int(&query, progress->at_ms);
    return query_run(&query);
}

static enum err drop_progress(struct conn *conn, const struct store_report *report)
{
    struct query query =
        query_on(conn, "DELETE FROM progress WHERE user = ? AND item = ? AND at_ms <= ?");
    query_text(&query, report->user);
    query_text(&query, report->progress.item);
    query_int(&query, report->progress.at_ms);
    return query_run(&query);
}

static enum err put_watched(struct conn *conn, const char *user, const char *item, int64_t at_ms)
{
    struct query query =
        query_on(conn, "INSERT INTO watched(user, item, at_ms) VALUES(?, ?, ?) "
                       "ON CONFLICT(user, item) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)");
    query_text(&query, user);
    query_text(&query, item);
    query_int(&query, at_ms);
    return query_run(&query);
}

struct last {
    int64_t n, at_ms;
    bool is_whole;
};

static enum err last_sitting(struct conn *conn, const struct store_report *report, struct last *out)
{
    struct query query = query_on(conn, "SELECT n, at_ms, is_whole FROM history WHERE item = ? "
                                        "AND user = ? ORDER BY n DESC LIMIT 1");
    query_text(&query, report->progress.item);
    query_text(&query, report->user);
    enum err err = query_step(&query);
    if (err == OK) {
        out->n = query_get_int(&query);
        out->at_ms = query_get_int(&query);
        out->is_whole = query_get_bool(&query);
    }
    query_end(&query);
    return err;
}

static enum err begin_sitting(struct conn *conn, const struct store_report *report, bool is_whole)
{
    struct query query =
        query_on(conn, "INSERT INTO history(user, item, file, position_ms, duration_ms, began_ms, "
                       "at_ms, is_whole) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)");
    query_text(&query, report->user);
    query_text(&query, report->progress.item);
    query_text(&query, report->progress.file);
    query_int(&query, report->progress.position_ms);
    query_int(&query, report->progress.duration_ms);
    query_int(&query, report->progress.at_ms);
    query_int(&query, is_whole);
    return query_run(&query);
}

static enum err go_on_sitting(struct conn *conn, const struct store_report *report, int64_t n,
                              bool is_whole)
{
    struct query query = query_on(conn, "UPDATE history SET file = ?, position_ms = ?, "
                                        "duration_ms = ?, at_ms = ?, is_whole = ? WHERE n = ?");
    query_text(&query, report->progress.file);
    query_int(&query, report->progress.position_ms);
    query_int(&query, report->progress.duration_ms);
    query_int(&query, report->progress.at_ms);
    query_int(&query, is_whole);
    query_int(&query, n);
    return query_run(&query);
}

/* Who watches again what he has just seen to the end begins anew. */
static enum err note_sitting(struct conn *conn, const struct store_report *report, bool is_whole)
{
    struct last last = {0};
    int64_t at_ms = report->progress.at_ms;
    enum err err = last_sitting(conn, report, &last);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    bool is_known = err == OK;
    if (is_known && at_ms < last.at_ms)
        return OK;
    if (is_known && at_ms - last.at_ms <= SITTING_MS && (is_whole || !last.is_whole))
        return go_on_sitting(conn, report, last.n, is_whole);
    bool is_begun = progress_is_begun(report->progress.position_ms, report->progress.duration_ms);
    return is_begun ? begin_sitting(conn, report, is_whole) : OK;
}

/* What was watched while it was on its way is of a title, once it is in the library. */
static enum err settle_item(struct conn *conn, struct store_report *report)
{
    struct query query = query_on(conn, "SELECT title FROM file WHERE id = ?");
    query_text(&query, report->progress.item);
    enum err err = query_take_id(&query, report->progress.item);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err put_report(struct conn *conn, const struct store_report *told)
{
    struct store_report settled = *told;
    const struct store_report *report = &settled;
    const struct store_progress *progress = &report->progress;
    bool is_whole = report_is_whole(report);
    enum err err = settle_item(conn, &settled);
    if (err != OK)
        return err;
    err = is_whole ? drop_progress(conn, report) : put_progress(conn, report);
    if (err == OK && is_whole)
        err = put_watched(conn, report->user, progress->item, progress->at_ms);
    return err == OK ? note_sitting(conn, report, is_whole) : err;
}

struct report_list {
    const struct store_report *reports;
    size_t count;
};

static enum err put_reports(struct conn *conn, void *arg)
{
    const struct report_list *list = arg;
    enum err err = OK;
    for (size_t i = 0; i < list->count && err == OK; i++)
        err = put_report(conn, &list->reports[i]);
    return err;
}

enum err store_reports_put(struct store *store, const struct store_report *reports, size_t count)
{
    return count == 0 ? OK : store_write(store, put_reports, &(struct report_list){reports, count});
}

/* --- positions --- */

#define PROGRESS_COLUMNS "p.item, p.file, p.position_ms, p.duration_ms, p.at_ms, p.is_hidden"

static void progress_get(struct query *query, struct store_progress *out)
{
    query_get_text_into(query, out->item, sizeof out->item);
    query_get_text_into(query, out->file, sizeof out->file);
    out->position_ms = query_get_int(query);
    out->duration_ms = query_get_int(query);
    out->at_ms = query_get_int(query);
    out->is_hidden = query_get_bool(query);
}

enum err progress_find(struct conn *conn, const char *user, const char *item,
                       struct store_progress *out)
{
    struct query query = query_on(conn, "SELECT " PROGRESS_COLUMNS " FROM progress p "
                                        "WHERE p.user = ? AND p.item = ?");
    query_text(&query, user);
    query_text(&query, item);
    enum err err = query_step(&query);
    if (err == OK)
        progress_get(&query, out);
    query_end(&query);
    return err;
}

enum err store_progress_find(struct store *store, const char *user, const char *item,
                             struct store_progress *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = progress_find(conn, user, item, out);
    readers_give(store_readers(store), &conn);
    return err;
}

struct mark {
    const char *user, *item;
    int64_t number;
};

/* NOT_FOUND where no row was touched. */
static enum err touch(struct conn *conn, struct query *query)
{
    enum err err = query_run(query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

static enum err remove_progress(struct conn *conn, void *arg)
{
    const struct mark *mark = arg;
    struct query query = query_on(conn, "DELETE FROM progress WHERE user = ? AND item = ?");
    query_text(&query, mark->user);
    query_text(&query, mark->item);
    return touch(conn, &query);
}

enum err store_progress_remove(struct store *store, const char *user, const char *item)
{
    return store_write(store, remove_progress, &(struct mark){user, item, 0});
}

static enum err hide_progress(struct conn *conn, void *arg)
{
    const struct mark *mark = arg;
    struct query query =
        query_on(conn, "UPDATE progress SET is_hidden = ? WHERE user = ? AND item = ?");
    query_int(&query, mark->number);
    query_text(&query, mark->user);
    query_text(&query, mark->item);
    return touch(conn, &query);
}

enum err store_progress_hide(struct store *store, const char *user, const char *item,
                             bool is_hidden)
{
    return store_write(store, hide_progress, &(struct mark){user, item, is_hidden});
}

static enum err each_progress(struct conn *conn, const struct store_viewer *viewer, size_t limit,
                              store_progress_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT " PROGRESS_COLUMNS ", " ITEM_COLUMNS " FROM progress p "
                       "JOIN title t ON t.id = p.item WHERE p.user = ?1 AND p.is_hidden = 0 "
                       "AND " MAY_KNOW("?2", "?3", "?4") "ORDER BY p.at_ms DESC, p.item");
    enum err err;
    query_text(&query, viewer->user);
    query_ages(&query, &viewer->ages);
    while (limit > 0 && (err = query_step(&query)) == OK) {
        struct store_progress progress;
        struct store_item item;
        progress_get(&query, &progress);
        item_get(&query, &item);
        bool is_wanted =
            item.is_here && progress_is_begun(progress.position_ms, progress.duration_ms);
        if (is_wanted)
            each(ctx, &progress, &item);
        limit -= is_wanted ? 1 : 0;
        store_item_fini(&item);
    }
    query_end(&query);
    return limit == 0 || err == ERR_NOT_FOUND ? OK : err;
}

enum err store_progress_each(struct store *store, const struct store_viewer *viewer, size_t limit,
                             store_progress_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_progress(conn, viewer, limit, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_item_find(struct store *store, const struct store_viewer *viewer, const char *id,
                         struct store_item *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " ITEM_COLUMNS " FROM title t WHERE t.id = ?1 "
                                        "AND " MAY_KNOW("?2", "?3", "?4"));
    query_text(&query, id);
    query_ages(&query, &viewer->ages);
    err = query_step(&query);
    if (err == OK)
        item_get(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    if (err == OK && !out->is_here) {
        store_item_fini(out);
        return ERR_NOT_FOUND;
    }
    return err;
}

/* --- watched --- */

/* Of a show its episodes that the viewer may know of, of anything else itself. */
#define THESE                                                                                      \
    "SELECT t.id FROM title t WHERE t.show = ?2 AND (?3 < 0 OR t.season = ?3) AND EXISTS"          \
    "(SELECT 1 FROM file f WHERE f.title = t.id AND f.missing_ms IS NULL) "                        \
    "AND " MAY_KNOW("?4", "?5", "?6") " UNION ALL SELECT ?2 WHERE NOT EXISTS(SELECT 1 FROM title " \
                                      "s WHERE s.id = ?2 AND s.kind = "                            \
                                      "'show')"

struct watched {
    const struct store_viewer *viewer;
    const char *item;
    int season;
    int64_t at_ms;
};

static void query_these(struct query *query, const struct watched *watched)
{
    query_text(query, watched->viewer->user);
    query_text(query, watched->item);
    query_int(query, watched->season);
    query_ages(query, &watched->viewer->ages);
}

static enum err mark_watched(struct conn *conn, void *arg)
{
    const struct watched *watched = arg;
    struct query query =
        query_on(conn, "INSERT INTO watched(user, item, at_ms) SELECT ?1, id, ?7 FROM (" THESE
                       ") WHERE true ON CONFLICT(user, item) DO UPDATE SET "
                       "at_ms = max(at_ms, excluded.at_ms)");
    query_these(&query, watched);
    query_int(&query, watched->at_ms);
    enum err err = query_run(&query);
    if (err != OK)
        return err;
    struct query begun =
        query_on(conn, "DELETE FROM progress WHERE user = ?1 AND item IN (" THESE ")");
    query_these(&begun, watched);
    return query_run(&begun);
}

enum err store_watched_put(struct store *store, const struct store_viewer *viewer, const char *item,
                           int season, int64_t at_ms)
{
    return store_write(store, mark_watched, &(struct watched){viewer, item, season, at_ms});
}

static enum err remove_watched(struct conn *conn, void *arg)
{
    struct query query =
        query_on(conn, "DELETE FROM watched WHERE user = ?1 AND item IN (" THESE ")");
    query_these(&query, arg);
    return touch(conn, &query);
}

enum err store_watched_remove(struct store *store, const struct store_viewer *viewer,
                              const char *item, int season)
{
    return store_write(store, remove_watched, &(struct watched){viewer, item, season, 0});
}

/* --- history --- */

static enum err each_sitting(struct conn *conn, const struct store_viewer *viewer, int64_t before,
                             size_t limit, store_sitting_fn *each, void *ctx)
{
    struct query query = query_on(
        conn, "SELECT p.n, p.began_ms, p.is_whole, p.item, p.file, p.position_ms, p.duration_ms, "
              "p.at_ms, 0, " ITEM_COLUMNS " FROM history p JOIN title t ON t.id = p.item "
              "WHERE p.user = ?1 AND " MAY_KNOW(
                  "?2", "?3", "?4") "AND (?5 = 0 OR p.n < ?5) ORDER BY p.n DESC LIMIT ?6");
    enum err err;
    query_text(&query, viewer->user);
    query_ages(&query, &viewer->ages);
    query_int(&query, before);
    query_int(&query, (int64_t) limit);
    while ((err = query_step(&query)) == OK) {
        struct store_sitting sitting;
        struct store_item item;
        sitting.n = query_get_int(&query);
        sitting.began_ms = query_get_int(&query);
        sitting.is_whole = query_get_bool(&query);
        progress_get(&query, &sitting.progress);
        item_get(&query, &item);
        each(ctx, &sitting, &item);
        store_item_fini(&item);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_history_each(struct store *store, const struct store_viewer *viewer, int64_t before,
                            size_t limit, store_sitting_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_sitting(conn, viewer, before, limit, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

static enum err remove_sitting(struct conn *conn, void *arg)
{
    const struct mark *mark = arg;
    struct query query = query_on(conn, "DELETE FROM history WHERE user = ? AND n = ?");
    query_text(&query, mark->user);
    query_int(&query, mark->number);
    return touch(conn, &query);
}

enum err store_history_remove(struct store *store, const char *user, int64_t n)
{
    return store_write(store, remove_sitting, &(struct mark){user, NULL, n});
}
