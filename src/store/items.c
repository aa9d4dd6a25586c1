/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/items.h"

#include "base/mem.h"
#include "store/items_inside.h"

void store_item_fini(struct store_item *item)
{
    mem_free(item->title);
    mem_free(item->show_title);
    *item = (struct store_item){0};
}

void item_get(struct query *query, struct store_item *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->kind, sizeof out->kind);
    out->title = query_get_text(query);
    out->year = (int) query_get_int(query);
    out->is_here = query_get_bool(query);
    query_get_text_into(query, out->show, sizeof out->show);
    out->show_title = query_get_text(query);
    out->season = (int) query_get_int(query);
    out->episode = (int) query_get_int(query);
}

void query_ages(struct query *query, const struct ages *ages)
{
    query_int(query, ages->is_limited);
    query_int(query, ages->most);
    query_int(query, ages->unrated);
}

static enum err find_place(struct conn *conn, const char *id, const struct ages *ages,
                           struct store_place *out)
{
    struct query query = query_on(
        conn, "SELECT t.id, '', t.kind = 'show' FROM title t WHERE t.id = ?1 AND " MAY_KNOW(
                  "?2", "?3",
                  "?4") "UNION ALL SELECT t.id, f.id, 0 FROM file f JOIN title t ON t.id = f.title "
                        "WHERE f.id = ?1 AND f.missing_ms IS NULL AND " MAY_KNOW("?2", "?3", "?4"));
    query_text(&query, id);
    query_ages(&query, ages);
    enum err err = query_step(&query);
    if (err == OK) {
        query_get_text_into(&query, out->item, sizeof out->item);
        query_get_text_into(&query, out->file, sizeof out->file);
        out->is_show = query_get_bool(&query);
    }
    query_end(&query);
    return err;
}

enum err store_item_place(struct store *store, const char *id, const struct store_viewer *viewer,
                          struct store_place *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = find_place(conn, id, &viewer->ages, out);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err item_move(struct conn *conn, const char *from, const char *to)
{
    /* What could not move, as there is something already, goes with the item. */
    static const char *const STATEMENTS[] = {
        "UPDATE OR REPLACE history SET item = ?2 WHERE item = ?1",
        "UPDATE OR REPLACE comment SET item = ?2 WHERE item = ?1",
        "UPDATE OR IGNORE progress SET item = ?2 WHERE item = ?1",
        "UPDATE OR IGNORE watched SET item = ?2 WHERE item = ?1",
        "UPDATE OR IGNORE watchlist SET item = ?2 WHERE item = ?1",
        "DELETE FROM progress WHERE item = ?1 AND item <> ?2",
        "DELETE FROM watched WHERE item = ?1 AND item <> ?2",
        "DELETE FROM watchlist WHERE item = ?1 AND item <> ?2",
        "UPDATE title SET age = coalesce(age, (SELECT age FROM title WHERE id = ?1)) WHERE id = ?2",
        "UPDATE title SET age = NULL WHERE id = ?1",
    };
    enum err err = OK;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof STATEMENTS[0] && err == OK; i++) {
        struct query query = query_on(conn, STATEMENTS[i]);
        query_text(&query, from);
        if (i + 1 < sizeof STATEMENTS / sizeof STATEMENTS[0])
            query_text(&query, to);
        err = query_run(&query);
    }
    return err;
}
