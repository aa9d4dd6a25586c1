/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: titles in what others ask for, and whether somebody may know of them. */
#pragma once

#include "store/items.h"
#include "store/sql.h"

/* Of `title t`. */
#define ITEM_COLUMNS                                                                               \
    "t.id, t.kind, t.title, t.year, "                                                              \
    "(EXISTS(SELECT 1 FROM file h WHERE h.title = t.id AND h.missing_ms IS NULL) "                 \
    "OR EXISTS(SELECT 1 FROM title e JOIN file h ON h.title = e.id "                               \
    "WHERE e.show = t.id AND h.missing_ms IS NULL)), ifnull(t.show, ''), "                         \
    "(SELECT s.title FROM title s WHERE s.id = t.show), t.season, t.episode"
/* Of `title t`, for the three parameters of query_ages. */
#define MAY_KNOW(limited, most, unrated)                                                           \
    "(" limited " = 0 OR t.age <= " most " OR (t.age IS NULL AND " unrated ")) "

/* The columns ITEM_COLUMNS; store_item_fini. */
void item_get(struct query *query, struct store_item *out);
/* Binds three parameters. */
void query_ages(struct query *query, const struct ages *ages);

/* As store_progress_find. */
struct store_progress;
MUST_CHECK enum err progress_find(struct conn *conn, const char *user, const char *item,
                                  struct store_progress *out);

/* What people have of one item becomes theirs of another, where they have nothing of it yet. */
MUST_CHECK enum err item_move(struct conn *conn, const char *from, const char *to);
/* Of `title t`: somebody has something of it, so that it stays when its files are gone. */
#define IS_REMEMBERED                                                                              \
    "(t.age IS NOT NULL OR EXISTS(SELECT 1 FROM progress x WHERE x.item = t.id) "                  \
    "OR EXISTS(SELECT 1 FROM watched x WHERE x.item = t.id) "                                      \
    "OR EXISTS(SELECT 1 FROM history x WHERE x.item = t.id) "                                      \
    "OR EXISTS(SELECT 1 FROM watchlist x WHERE x.item = t.id) "                                    \
    "OR EXISTS(SELECT 1 FROM comment x WHERE x.item = t.id))"
