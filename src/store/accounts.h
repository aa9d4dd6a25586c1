/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accounts and sessions, as kept. Threads and waiting: as in store.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#define STORE_NAME_SIZE     65  /* a user's name: 64 bytes of UTF-8 */
#define STORE_PASSWORD_SIZE 128 /* a hash as text, crypto_pwhash_STRBYTES */

struct store_user {
    char id[STORE_ID_SIZE];
    char name[STORE_NAME_SIZE];
    char folded[STORE_NAME_SIZE]; /* the name as it is compared */
    char password[STORE_PASSWORD_SIZE];
    bool is_admin;
    int64_t created_ms;
};

struct store_session {
    char id[STORE_ID_SIZE];
    uint8_t hash[32]; /* of the token; the token itself is kept nowhere */
    char user[STORE_ID_SIZE];
    int64_t created_ms, seen_ms;
};

/* BUSY: the name is taken; REFUSED: `only_first`, and there is an account; IO. */
MUST_CHECK enum err store_user_add(struct store *store, const struct store_user *user,
                                   bool only_first);
/* By the folded name. NOT_FOUND, IO. */
MUST_CHECK enum err store_user_find(struct store *store, const char *folded,
                                    struct store_user *out);
MUST_CHECK enum err store_user_count(struct store *store, int64_t *out);
/* NOT_FOUND, IO. All sessions of the user end. */
MUST_CHECK enum err store_user_set_password(struct store *store, const char *user,
                                            const char *password);

MUST_CHECK enum err store_session_add(struct store *store, const struct store_session *session);
/* No error where there is none. */
MUST_CHECK enum err store_session_remove(struct store *store, const char *id);
MUST_CHECK enum err store_session_seen(struct store *store, const char *id, int64_t seen_ms);
/* Forgets sessions last seen before `seen_ms`. */
MUST_CHECK enum err store_sessions_expire(struct store *store, int64_t seen_ms);
/* All sessions with their users, lent for the call. */
typedef void store_session_fn(void *ctx, const struct store_session *session,
                              const struct store_user *user);
MUST_CHECK enum err store_sessions_each(struct store *store, store_session_fn *each, void *ctx);
