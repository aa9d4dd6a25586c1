/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Films of other servers that people opened by their URL. A URL is one file, however many people opened
 * it; each has a list of his own. Threads and waiting: as in store.h.
 * Life of a file's row: with its first link -> looked at again -> gone with its last link. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

struct store_remote { /* all text is UTF-8, never NULL */
    char file[STORE_ID_SIZE];
    char *url;
    char *type, *etag, *modified; /* as its server said; "" = nothing */
    uint64_t size;
    bool is_ranged;
};
struct store_link {
    char id[STORE_ID_SIZE];
    char user[40];
    struct store_remote remote;
    int64_t added_ms; /* opened last */
};
void store_link_fini(struct store_link *link);

/* Its file is what the URL's row says, where there is one: what its server says now takes the place of
 * what it said then. `id` and `remote.file` are filled in with those of before; *is_new: there was no
 * such link. Past the user's 100 the oldest go, in *dropped a list of files that nobody has any more. */
struct store_dropped {
    char (*files)[STORE_ID_SIZE]; /* mem_free */
    size_t count;
};
MUST_CHECK enum err store_link_put(struct store *store, struct store_link *link, bool *is_new,
                                   struct store_dropped *dropped);
/* The user's, the newest first; each lent for the call. */
typedef void store_link_fn(void *ctx, const struct store_link *link);
MUST_CHECK enum err store_links_each(struct store *store, const char *user, store_link_fn *each,
                                     void *ctx);
/* NOT_FOUND: none of this user's. */
MUST_CHECK enum err store_link_remove(struct store *store, const char *id, const char *user,
                                      struct store_dropped *dropped);
/* NOT_FOUND: no such file. */
MUST_CHECK enum err store_remote_find(struct store *store, const char *file,
                                      struct store_remote *out);
void store_remote_fini(struct store_remote *remote);
