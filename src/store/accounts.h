/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accounts, as kept. Threads and waiting: as in store.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/role.h"
#include "store/store.h"

#define STORE_NAME_SIZE     65  /* a user's name: 64 bytes of UTF-8 */
#define STORE_PASSWORD_SIZE 128 /* a hash as text, crypto_pwhash_STRBYTES */
#define STORE_HASH_SIZE     32  /* of a secret; the secret itself is kept nowhere */

struct store_user {
    char id[STORE_ID_SIZE];
    char name[STORE_NAME_SIZE];
    char folded[STORE_NAME_SIZE];       /* the name as it is compared */
    char password[STORE_PASSWORD_SIZE]; /* "": there is none yet, nobody signs in by it */
    enum role role;
    struct bounds bounds;
    bool is_disabled;
    int64_t created_ms;
};

/* BUSY: the name is taken; REFUSED: `only_first`, and there is an account; IO. */
MUST_CHECK enum err store_user_add(struct store *store, const struct store_user *user,
                                   bool only_first);
/* By the folded name. NOT_FOUND, IO. */
MUST_CHECK enum err store_user_find(struct store *store, const char *folded,
                                    struct store_user *out);
/* NOT_FOUND, IO. */
MUST_CHECK enum err store_user_get(struct store *store, const char *id, struct store_user *out);
MUST_CHECK enum err store_user_count(struct store *store, int64_t *out);
/* By name, each lent for the call. */
typedef void store_user_fn(void *ctx, const struct store_user *user);
MUST_CHECK enum err store_users_each(struct store *store, store_user_fn *each, void *ctx);

/* What is to be another; the rest stays. */
struct store_user_change {
    const char *name, *folded; /* both or NULL */
    const enum role *role;
    const struct bounds_wish *bounds;
    const bool *is_disabled; /* true: all sessions of the user end */
};
/* NOT_FOUND; BUSY: the name is taken; REFUSED: no administrator who is not disabled would be left; IO. */
MUST_CHECK enum err store_user_change(struct store *store, const char *id,
                                      const struct store_user_change *change,
                                      struct store_user *out);
/* With all that is his. NOT_FOUND, IO; REFUSED as above. */
MUST_CHECK enum err store_user_remove(struct store *store, const char *id);
/* All sessions of the user end, but for `kept` (an id, or NULL). NOT_FOUND, IO. */
MUST_CHECK enum err store_user_set_password(struct store *store, const char *user,
                                            const char *password, const char *kept);
