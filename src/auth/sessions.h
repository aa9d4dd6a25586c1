/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask, in memory: every request looks here. Sessions, which end when nobody uses them for a
 * while, and keys, which do not. Times are passed in. Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/http.h"
#include "store/keys.h"
#include "store/sessions.h"

#define SESSIONS_KEY_PREFIX "mk_"

struct sessions;

/* A token is 43 characters of base64url, a key SESSIONS_KEY_PREFIX and so many; what is neither has no
 * hash. BAD_INPUT. */
MUST_CHECK enum err sessions_hash(struct slice token, uint8_t out[STORE_HASH_SIZE]);
MUST_CHECK enum err sessions_hash_key(struct slice key, uint8_t out[STORE_HASH_SIZE]);
MUST_CHECK enum err sessions_hash_refresh(struct slice refresh, uint8_t out[STORE_HASH_SIZE]);

struct sessions *sessions_new(int64_t lifetime_ms);
void sessions_free(struct sessions **sessions);
/* Of a user who is disabled neither opens anything: it is left out. */
void sessions_add(struct sessions *sessions, const struct store_session *session,
                  const struct store_user *user);
void sessions_add_key(struct sessions *sessions, const struct store_key *key,
                      const struct store_user *user);
/* All there are become those of `fresh`, which is read anew and not yet shared, and emptied; when they were
 * last used is kept. */
void sessions_replace(struct sessions *sessions, struct sessions *fresh);
/* By the id of a session or a key. */
void sessions_remove(struct sessions *sessions, const char *id);
/* All sessions of the user but `kept` (an id, or NULL); his keys stay. */
void sessions_remove_of(struct sessions *sessions, const char *user, const char *kept);
/* Sessions and keys. */
void sessions_forget(struct sessions *sessions, const char *user);
/* His name and role from now on. */
void sessions_change(struct sessions *sessions, const struct store_user *user);
bool sessions_has(struct sessions *sessions, const char *id);
/* As sessions_find, by its id: for those who bring a token that names it. */
MUST_CHECK enum err sessions_use(struct sessions *sessions, const char *id, int64_t now_ms,
                                 struct http_user *out);
/* It is known by another secret from now on. */
void sessions_renew(struct sessions *sessions, const char *id, const uint8_t hash[STORE_HASH_SIZE]);
/* Whose it is; false: there is none. `id` may lie in *out. */
bool sessions_get(struct sessions *sessions, const char *id, struct http_user *out);
/* NOT_FOUND: no such session or key, or nobody used it for too long. */
MUST_CHECK enum err sessions_find(struct sessions *sessions, const uint8_t hash[STORE_HASH_SIZE],
                                  int64_t now_ms, struct http_user *out);
/* One session or key that was used since the store last heard of it; it counts as told. NOT_FOUND. */
struct sessions_seen {
    char id[STORE_ID_SIZE];
    bool is_key;
    int64_t seen_ms;
};
MUST_CHECK enum err sessions_take_seen(struct sessions *sessions, struct sessions_seen *out);
/* True when enough has changed to tell the store; false until sessions_take_seen says NOT_FOUND. */
bool sessions_want_saving(struct sessions *sessions);
/* When it was last used, which the store hears late; -1: no such. By the id. */
int64_t sessions_last_seen(struct sessions *sessions, const char *id);
