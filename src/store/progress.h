/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far people are in what they watch, what they have watched to its end, and when. Threads and waiting:
 * as in store.h.
 * A report of a position that is older than what is known of it says nothing: of two devices the later
 * counts. One close to the end says that it was watched. */
#pragma once

#include "store/items.h"

struct store_progress {
    char item[STORE_ID_SIZE], file[STORE_ID_SIZE];
    int64_t position_ms;
    int64_t duration_ms; /* 0: not known */
    int64_t at_ms;       /* wall clock: when it was so */
    bool is_hidden;      /* not in the list of what to go on with */
};
/* So far that it is worth coming back to: half a minute, of short films a twentieth. */
bool progress_is_begun(int64_t position_ms, int64_t duration_ms);
/* At 92 % only the names are left. */
bool progress_is_whole(int64_t position_ms, int64_t duration_ms);

struct store_report {
    char user[STORE_USER_SIZE];
    struct store_progress progress;
    bool is_whole; /* seen to the end, wherever that is: the credits run */
};
bool report_is_whole(const struct store_report *report);
/* All of them or none. */
MUST_CHECK enum err store_reports_put(struct store *store, const struct store_report *reports,
                                      size_t count);
/* NOT_FOUND: nothing is known of it. */
MUST_CHECK enum err store_progress_find(struct store *store, const char *user, const char *item,
                                        struct store_progress *out);
/* NOT_FOUND: there is none. */
MUST_CHECK enum err store_progress_remove(struct store *store, const char *user, const char *item);
/* NOT_FOUND: nothing is known of it. */
MUST_CHECK enum err store_progress_hide(struct store *store, const char *user, const char *item,
                                        bool is_hidden);
/* What the viewer has begun and can go on with, the latest first, at most `limit`; lent for the call. */
typedef void store_progress_fn(void *ctx, const struct store_progress *progress,
                               const struct store_item *item);
MUST_CHECK enum err store_progress_each(struct store *store, const struct store_viewer *viewer,
                                        size_t limit, store_progress_fn *each, void *ctx);
/* One of them, by its item. NOT_FOUND: it is hidden from him, or has no file. */
MUST_CHECK enum err store_item_find(struct store *store, const struct store_viewer *viewer,
                                    const char *id, struct store_item *out);

/* Of a show each episode that is there and that the viewer may know of, of one season or (-1) of all. */
MUST_CHECK enum err store_watched_put(struct store *store, const struct store_viewer *viewer,
                                      const char *item, int season, int64_t at_ms);
/* NOT_FOUND: it, or (of a show) none of them, is among them. */
MUST_CHECK enum err store_watched_remove(struct store *store, const struct store_viewer *viewer,
                                         const char *item, int season);

/* A sitting: reports that follow each other within hours. */
struct store_sitting {
    int64_t n; /* counts up, never used again */
    struct store_progress progress;
    int64_t began_ms;
    bool is_whole; /* to the end */
};
/* At most `limit` of those before `before` (0: all), the latest first; lent for the call. */
typedef void store_sitting_fn(void *ctx, const struct store_sitting *sitting,
                              const struct store_item *item);
MUST_CHECK enum err store_history_each(struct store *store, const struct store_viewer *viewer,
                                       int64_t before, size_t limit, store_sitting_fn *each,
                                       void *ctx);
/* NOT_FOUND: none of the user's. */
MUST_CHECK enum err store_history_remove(struct store *store, const char *user, int64_t n);
