/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people want to watch some time. Threads and waiting: as in store.h. */
#pragma once

#include "store/items.h"

/* LIMIT: the list is full (1000). */
MUST_CHECK enum err store_watchlist_put(struct store *store, const char *user, const char *item,
                                        int64_t added_ms);
/* NOT_FOUND: it is not on it. */
MUST_CHECK enum err store_watchlist_remove(struct store *store, const char *user, const char *item);
/* The viewer's, the latest first; lent for the call. */
typedef void store_watchlist_fn(void *ctx, const struct store_item *item, int64_t added_ms);
MUST_CHECK enum err store_watchlist_each(struct store *store, const struct store_viewer *viewer,
                                         store_watchlist_fn *each, void *ctx);
