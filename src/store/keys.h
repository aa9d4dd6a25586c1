/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of the API, as kept. Threads and waiting: as in store.h. */
#pragma once

#include "store/accounts.h"

enum { STORE_KEYS_MOST = 50 }; /* of one user */

struct store_key {
    char id[STORE_ID_SIZE];
    uint8_t hash[STORE_HASH_SIZE];
    char user[STORE_ID_SIZE];
    char name[STORE_NAME_SIZE];  /* what its owner calls it */
    unsigned scopes;             /* of enum scope */
    int64_t created_ms, seen_ms; /* seen_ms -1: never */
};

/* LIMIT: the user has STORE_KEYS_MOST; IO. */
MUST_CHECK enum err store_key_add(struct store *store, const struct store_key *key);
/* NOT_FOUND: the user has no such key. */
MUST_CHECK enum err store_key_remove(struct store *store, const char *id, const char *user);
MUST_CHECK enum err store_key_seen(struct store *store, const char *id, int64_t seen_ms);
/* All keys with their users, or those of `user`, latest first; lent for the call. */
typedef void store_key_fn(void *ctx, const struct store_key *key, const struct store_user *user);
MUST_CHECK enum err store_keys_each(struct store *store, const char *user, store_key_fn *each,
                                    void *ctx);
