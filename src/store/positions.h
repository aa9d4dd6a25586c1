/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far people are, as they say it every few seconds: kept in memory, the latest of each person and
 * film, and written together; a crash loses what came since. Who asks hears of both.
 * Life: positions_start -> reports -> positions_stop, which writes what is left.
 * Threads: reports and finds from any, loops too; a thread of its own writes. One lock inside, a leaf. */
#pragma once

#include "store/progress.h"

enum { POSITIONS_WRITE_MS = 5000 }; /* so much is lost at most */

struct positions;

/* Every `write_ms`, 0 = POSITIONS_WRITE_MS. BUSY: no thread can be started. */
MUST_CHECK enum err positions_start(struct store *store, int64_t write_ms, struct positions **out);
void positions_stop(struct positions **positions);
/* BUSY: more is waiting than can be kept; the store does not keep up. */
MUST_CHECK enum err positions_report(struct positions *positions,
                                     const struct store_report *report);
/* What was not written yet. NOT_FOUND: all that is known stands in the store. */
MUST_CHECK enum err positions_find(struct positions *positions, const char *user, const char *item,
                                   struct store_report *out);
/* All of a user's that were not written yet; lent for the call, which must not wait. */
typedef void positions_fn(void *ctx, const struct store_report *report);
void positions_each(struct positions *positions, const char *user, positions_fn *each, void *ctx);
/* Writes all of it now. Blocks. IO: it stays in memory. */
MUST_CHECK enum err positions_write(struct positions *positions);
