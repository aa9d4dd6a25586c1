/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes that are good for one thing, once: to make an account, to set a password. Threads and waiting:
 * as in store.h. */
#pragma once

#include "store/accounts.h"

struct store_invite {
    char id[STORE_ID_SIZE];
    uint8_t hash[STORE_HASH_SIZE]; /* of the code */
    enum role role;
    struct bounds bounds;
    char made_by[STORE_ID_SIZE];        /* "": he is gone */
    char made_by_name[STORE_NAME_SIZE]; /* read only */
    int64_t created_ms, expires_ms;
};

MUST_CHECK enum err store_invite_add(struct store *store, const struct store_invite *invite);
/* NOT_FOUND, IO */
MUST_CHECK enum err store_invite_remove(struct store *store, const char *id);
/* Those that can still be used, latest first; lent for the call. */
typedef void store_invite_fn(void *ctx, const struct store_invite *invite);
MUST_CHECK enum err store_invites_each(struct store *store, int64_t now_ms, store_invite_fn *each,
                                       void *ctx);
/* Makes the account, of the invitation's role and bounds; it is spent then. NOT_FOUND: no such invitation, or it
 * has expired; BUSY: the name is taken; IO. */
MUST_CHECK enum err store_invite_use(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                     int64_t now_ms, struct store_user *user);

/* The code by which the user may set a password; takes the place of an older one. NOT_FOUND: no such
 * user; IO. */
MUST_CHECK enum err store_reset_put(struct store *store, const char *user,
                                    const uint8_t hash[STORE_HASH_SIZE], int64_t expires_ms);
/* Sets it; all sessions of the user end, and the code is spent. NOT_FOUND: no such code, or it has
 * expired; IO. */
MUST_CHECK enum err store_reset_use(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                    int64_t now_ms, const char *password, struct store_user *out);
