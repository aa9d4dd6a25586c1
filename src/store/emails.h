/* SPDX-License-Identifier: GPL-3.0-or-later */
/* E-mail addresses of accounts. One is somebody's once a letter to it was answered, and only then; no two accounts have
 * the same. Threads and waiting: as in store.h. */
#pragma once

#include "store/accounts.h"

#define STORE_EMAIL_SIZE 255

/* A letter is under way: its code, as a hash, makes `email` the address of `user`, who is there, or is made then. */
struct store_email_wish {
    uint8_t hash[STORE_HASH_SIZE];
    char email[STORE_EMAIL_SIZE]; /* small letters */
    struct store_user user;       /* of one who is there: the id alone */
    bool is_new;
    int64_t made_ms, expires_ms;
};
/* In place of the account's own that is still open. LIMIT: too many are open. */
MUST_CHECK enum err store_email_ask(struct store *store, const struct store_email_wish *wish);
/* What a code is for. NOT_FOUND: no such code, or too late. */
MUST_CHECK enum err store_email_look(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                     int64_t now_ms, struct store_email_wish *out);
/* NOT_FOUND: no such code, or too late; REFUSED: another account has the address by now; BUSY: the name is taken by now.
 * Nothing has changed then. */
MUST_CHECK enum err store_email_answer(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                       int64_t now_ms, struct store_user *out, bool *is_new);

/* "": none. NOT_FOUND: no such account. */
MUST_CHECK enum err store_email_get(struct store *store, const char *user,
                                    char out[STORE_EMAIL_SIZE]);
/* Nothing happens where there is none. */
MUST_CHECK enum err store_email_remove(struct store *store, const char *user);
/* NOT_FOUND: nobody's. */
MUST_CHECK enum err store_email_find(struct store *store, const char *email,
                                     struct store_user *out);
