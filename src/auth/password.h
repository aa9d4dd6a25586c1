/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and passwords: what may be one, and argon2id. Threads: any; hashing takes tens of
 * milliseconds and 64 MiB, so it belongs on a pool. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "store/accounts.h"

/* 1 to 64 bytes of UTF-8 without control characters, not beginning or ending with a space. BAD_INPUT
 * with field "username". `folded`: as names are compared. */
MUST_CHECK enum err name_check(struct slice name, char out[STORE_NAME_SIZE],
                               char folded[STORE_NAME_SIZE], struct why *why);
/* 8 to 1024 bytes. BAD_INPUT with field "password". */
MUST_CHECK enum err password_check(struct slice password, struct why *why);
/* BUSY: no memory for it now. */
MUST_CHECK enum err password_hash(struct slice password, char out[STORE_PASSWORD_SIZE]);
/* With hash "" it takes as long as with a real one, and says no. */
bool password_is(struct slice password, const char hash[STORE_PASSWORD_SIZE]);
/* How many were hashed in this process so far. */
uint64_t password_hashes(void);
