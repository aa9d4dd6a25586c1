/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside auth/ only. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/code.h"
#include "auth/limit.h"
#include "auth/sessions.h"
#include "auth/tokens.h"

struct auth {
    /* fixed after start */
    enum http_auth_mode mode;
    enum auth_registration registration;
    char key[AUTH_TOKEN_SIZE];
    int64_t session_ms;
    struct store *store;
    struct pool *pool;
    struct sessions *sessions;
    struct tokens *tokens;
    struct limit *peers, *names, *letters;
    struct code *code; /* NULL when there were accounts at the start */
    atomic_bool has_accounts;
    /* Held while the store and `sessions` are changed together, so that they agree: what ends in one does
     * not begin in the other. Taken before their own locks, by threads of pools alone. */
    pthread_mutex_t people;
};

/* 256 random bits. */
void auth_draw_token(char out[AUTH_TOKEN_SIZE]);
/* Signs the user in. REFUSED: he is no more as he was when he was let in. */
MUST_CHECK enum err auth_open_session(struct auth *auth, const struct store_user *user,
                                      const struct auth_wish *wish, struct auth_answer *out);
/* What a try that may cost a hash is counted by: its address, and its name from there; or, in a browser that has
 * signed in by that name before, by the tries of all such, which nobody else's make wait. */
struct auth_try {
    char peer[64];                    /* "" = not by that */
    char named[64 + STORE_NAME_SIZE]; /* the same */
};
/* `name` folded, or NULL: it has none. `known`: what the browser was given, or absent. */
struct auth_try auth_try_of(const struct auth *auth, struct slice peer, const char *name,
                            struct slice known);
/* LIMIT says when the next may be made. */
MUST_CHECK enum err auth_count_try(struct auth *auth, const struct auth_try *tried,
                                   struct auth_answer *out, struct why *why);
/* It failed: who has to wait now waits from now on. */
void auth_mark_failure(struct auth *auth, const struct auth_try *tried);
/* It was a good one: it does not count. */
void auth_forgive_try(struct auth *auth, const struct auth_try *tried);
/* Whether it is the user's password; counted. Hashes. BAD_INPUT: absent; REFUSED: it is not; LIMIT. */
MUST_CHECK enum err auth_check_current(struct auth *auth, const struct store_user *user,
                                       struct slice peer, struct slice current, int *retry_after_s,
                                       struct why *why);
