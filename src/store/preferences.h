/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How somebody likes things: one JSON object of each user, which the API reads and checks. Threads and
 * waiting: as in store.h. */
#pragma once

#include "base/err.h"
#include "store/store.h"

/* In *out, the caller's (mem_free). NOT_FOUND: he has said nothing. */
MUST_CHECK enum err store_preferences_find(struct store *store, const char *user, char **out);
MUST_CHECK enum err store_preferences_put(struct store *store, const char *user, const char *json);
