/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sessions there are, in memory: every request asks here. Times are passed in.
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/http.h"
#include "store/accounts.h"

struct sessions;

/* A token is 43 characters of base64url; what is no token has no hash. BAD_INPUT. */
MUST_CHECK enum err sessions_hash(struct slice token, uint8_t out[32]);

struct sessions *sessions_new(int64_t lifetime_ms);
void sessions_free(struct sessions **sessions);
void sessions_add(struct sessions *sessions, const struct store_session *session,
                  const struct store_user *user);
void sessions_remove(struct sessions *sessions, const char *id);
bool sessions_has(struct sessions *sessions, const char *id);
/* NOT_FOUND: no such session, or nobody used it for too long. */
MUST_CHECK enum err sessions_find(struct sessions *sessions, const uint8_t hash[32], int64_t now_ms,
                                  struct http_user *out);
/* One session that was used since the store last heard of it; it counts as told. NOT_FOUND. */
MUST_CHECK enum err sessions_take_seen(struct sessions *sessions, char id[STORE_ID_SIZE],
                                       int64_t *seen_ms);
/* True when enough has changed to tell the store; false until sessions_take_seen says NOT_FOUND. */
bool sessions_want_saving(struct sessions *sessions);
