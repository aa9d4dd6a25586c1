/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is signed in where, as kept. Threads and waiting: as in store.h. */
#pragma once

#include "store/accounts.h"

#define STORE_AGENT_SIZE 256 /* what a browser calls itself, cut */
#define STORE_PEER_SIZE  64  /* an address in text */

struct store_session {
    char id[STORE_ID_SIZE];
    uint8_t hash[STORE_HASH_SIZE]; /* of the token */
    char user[STORE_ID_SIZE];
    char agent[STORE_AGENT_SIZE]; /* UTF-8 */
    char peer[STORE_PEER_SIZE];   /* where it was begun */
    bool is_program;              /* `hash` is of what it refreshes with */
    int64_t created_ms, seen_ms;
};

/* GONE: the user is not as `user` says, which is how he was when he was let in: removed, disabled, with
 * another password. */
MUST_CHECK enum err store_session_add(struct store *store, const struct store_session *session,
                                      const struct store_user *user);
/* A program's, from now on of another secret. NOT_FOUND: there is none of `hash`; GONE: there was, before:
 * somebody else has it, and the session has ended; *id says which, in both cases. IO. */
MUST_CHECK enum err store_session_renew(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                        const uint8_t next[STORE_HASH_SIZE], int64_t now_ms,
                                        char id[STORE_ID_SIZE]);
/* NOT_FOUND: there is none, or it is of somebody other than `user` (NULL: anybody's). */
MUST_CHECK enum err store_session_remove(struct store *store, const char *id, const char *user);
MUST_CHECK enum err store_session_seen(struct store *store, const char *id, int64_t seen_ms);
/* Forgets sessions last seen before `seen_ms`. */
MUST_CHECK enum err store_sessions_expire(struct store *store, int64_t seen_ms);
/* All sessions with their users, or those of `user`, latest first; lent for the call. */
typedef void store_session_fn(void *ctx, const struct store_session *session,
                              const struct store_user *user);
MUST_CHECK enum err store_sessions_each(struct store *store, const char *user,
                                        store_session_fn *each, void *ctx);
