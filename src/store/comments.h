/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people say of what they watch. Threads and waiting: as in store.h. */
#pragma once

#include "store/accounts.h"
#include "store/items.h"

enum { STORE_COMMENT_BYTES_MOST = 4000, STORE_COMMENTS_MOST = 10000 /* of one user */ };

struct store_comment {
    int64_t n; /* counts up */
    char id[STORE_ID_SIZE], item[STORE_ID_SIZE], user[STORE_USER_SIZE];
    char name[STORE_NAME_SIZE]; /* his, as it is now, or was when he wrote it */
    const char *text;           /* UTF-8; lent */
    bool is_spoiler;
    int64_t position_ms; /* where in the film; -1: of all of it */
    int64_t created_ms;
};
/* `n` does not count. LIMIT: the user has written too many. */
MUST_CHECK enum err store_comment_add(struct store *store, const struct store_comment *comment);
/* At most `limit` of an item's before `before` (0: all), the latest first; lent for the call. */
typedef void store_comment_fn(void *ctx, const struct store_comment *comment);
MUST_CHECK enum err store_comments_each(struct store *store, const char *item, int64_t before,
                                        size_t limit, store_comment_fn *each, void *ctx);
/* All of a user's, the latest first. */
MUST_CHECK enum err store_comments_of(struct store *store, const char *user, store_comment_fn *each,
                                      void *ctx);
/* Of whom and of what one is; `text` is NULL. NOT_FOUND. */
MUST_CHECK enum err store_comment_find(struct store *store, const char *id,
                                       struct store_comment *out);
/* NOT_FOUND */
MUST_CHECK enum err store_comment_remove(struct store *store, const char *id);
