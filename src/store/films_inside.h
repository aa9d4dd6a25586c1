/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: what files and titles know of each other. */
#pragma once

#include "store/films.h"
#include "store/sql.h"

/* Of `file f`, in the order in which file_get reads them. */
#define FILE_COLUMNS                                                                               \
    "f.id, f.title, f.folder, f.path, f.name, f.size, f.mtime_ns, f.dev, f.hash, f.state, "        \
    "f.is_offline, f.reason, f.duration_ms, f.added_ms, f.changed_ms, f.missing_ms, f.names"

/* `out` is zeroed by the caller, who ends it with store_file_fini. */
void file_get(struct query *query, struct store_file *out);

/* Fills change->file.title: the title that the file has, or, when it comes with a name, the one it
 * belongs to, made where there is none; and old_title, old_show. */
MUST_CHECK enum err title_settle(struct conn *conn, struct store_change *change);
MUST_CHECK enum err title_drop_if_empty(struct conn *conn, const char *title);
/* The show of an episode; "": it is none, or there is no such title. */
MUST_CHECK enum err title_show(struct conn *conn, const char *title, char out[STORE_ID_SIZE]);
MUST_CHECK enum err title_drop_all_empty(struct conn *conn);
/* A show that its last episode has left for another ("": for none) is that one now: what people have of it goes along. */
MUST_CHECK enum err title_leave_show(struct conn *conn, const char *old, const char *show);
/* Its last file has gone over to another: what people have of it goes along. */
MUST_CHECK enum err title_give_over(struct conn *conn, const char *from, const char *to);
