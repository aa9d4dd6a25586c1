/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who somebody is elsewhere: a provider, as it is called in the settings, and what that knows him by, which never is
 * an address. Threads and waiting: as in store.h. */
#pragma once

#include "store/accounts.h"

#define STORE_PROVIDER_SIZE 33
#define STORE_SUBJECT_SIZE  256

struct store_login {
    char id[STORE_ID_SIZE], user[STORE_ID_SIZE];
    char provider[STORE_PROVIDER_SIZE], subject[STORE_SUBJECT_SIZE];
    char name[STORE_NAME_SIZE]; /* what he is called there, for people */
    int64_t made_ms;
};

/* NOT_FOUND: nobody is known by it. */
MUST_CHECK enum err store_login_find(struct store *store, const char *provider, const char *subject,
                                     struct store_user *out);
/* BUSY: somebody has it. */
MUST_CHECK enum err store_login_add(struct store *store, const struct store_login *identity);
/* With an account of its own. BUSY: somebody has it, or the name is taken. */
MUST_CHECK enum err store_login_add_user(struct store *store, const struct store_login *identity,
                                         const struct store_user *user);
/* The user's, the latest first; lent for the call. */
typedef void store_login_fn(void *ctx, const struct store_login *identity);
MUST_CHECK enum err store_logins_each(struct store *store, const char *user, store_login_fn *each,
                                      void *ctx);
/* NOT_FOUND: none of the user's. REFUSED: he could sign in by nothing any more. */
MUST_CHECK enum err store_login_remove(struct store *store, const char *id, const char *user);
