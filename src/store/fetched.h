/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downloads of films by their URL. Threads and waiting: as in store.h.
 * Life of a row: added -> (paused, running) -> filed, when the library has it -> removed. */
#pragma once

#include "store/links.h"

struct store_fetched {
    char id[STORE_ID_SIZE];
    struct store_remote remote; /* with the id of its file */
    bool is_paused, is_filed;
    int64_t added_ms;
};
void store_fetched_fini(struct store_fetched *fetched);

/* `id` and `remote.file` are filled in. BUSY: the URL is being downloaded already, by the row whose id is
 * in `id` then. */
MUST_CHECK enum err store_fetched_add(struct store *store, struct store_fetched *fetched);
/* NOT_FOUND. By its id, or by that of its file. */
MUST_CHECK enum err store_fetched_find(struct store *store, const char *id,
                                       struct store_fetched *out);
/* NOT_FOUND. */
MUST_CHECK enum err store_fetched_change(struct store *store, const char *id, bool is_paused,
                                         bool is_filed);
MUST_CHECK enum err store_fetched_remove(struct store *store, const char *id);
/* The oldest first, each lent for the call. */
typedef void store_fetched_fn(void *ctx, const struct store_fetched *fetched);
MUST_CHECK enum err store_fetched_each(struct store *store, store_fetched_fn *each, void *ctx);
