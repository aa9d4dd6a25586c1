/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passkeys (WebAuthn): the public halves of keys that people's devices hold. Threads and waiting: as in store.h. */
#pragma once

#include <stddef.h>

#include "store/accounts.h"

enum { STORE_PASSKEYS_MOST = 20 /* of one user */, STORE_HANDLE_MOST = 1023 };
#define STORE_RP_SIZE 256

struct store_passkey {
    char id[STORE_ID_SIZE], user[STORE_ID_SIZE];
    char rp[STORE_RP_SIZE];     /* the name of this server that it is for */
    char name[STORE_NAME_SIZE]; /* for people */
    uint8_t handle[STORE_HANDLE_MOST];
    size_t handle_size;
    int algorithm; /* RFC 9053, as in COSE */
    uint8_t key[300];
    size_t key_size;
    uint32_t counter;         /* of signatures; many devices leave it at 0 */
    int64_t made_ms, seen_ms; /* seen_ms -1: never used */
};

/* BUSY: it is somebody's already; LIMIT: he has too many. */
MUST_CHECK enum err store_passkey_add(struct store *store, const struct store_passkey *passkey);
/* With its user. NOT_FOUND. */
MUST_CHECK enum err store_passkey_find(struct store *store, const uint8_t *handle, size_t size,
                                       struct store_passkey *out, struct store_user *user);
/* It was used: its counter stands at `counter` now. NOT_FOUND: it is gone, or the counter was that or more already. */
MUST_CHECK enum err store_passkey_used(struct store *store, const char *id, uint32_t counter,
                                       int64_t now_ms);
/* The user's, the latest first; lent for the call. */
typedef void store_passkey_fn(void *ctx, const struct store_passkey *passkey);
MUST_CHECK enum err store_passkeys_each(struct store *store, const char *user,
                                        store_passkey_fn *each, void *ctx);
/* NOT_FOUND: none of the user's. REFUSED: he could sign in by nothing any more. */
MUST_CHECK enum err store_passkey_remove(struct store *store, const char *id, const char *user);
