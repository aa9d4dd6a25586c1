/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accounts after the first one: how they are made, changed and ended, and what opens them. Whatever ends
 * here ends at once, for those who are signed in too.
 * Threads: all of this blocks; what hashes says so, and belongs on auth_pool. */
#pragma once

#include "auth/auth.h"
#include "store/invites.h"
#include "store/keys.h"

#define AUTH_KEY_SIZE (AUTH_TOKEN_SIZE + 3)

/* Hashes, unless the password is absent: then nobody signs in by one until it is set by a link. BAD_INPUT:
 * the name, the password; BUSY: the name is taken. */
MUST_CHECK enum err people_add(struct auth *auth, struct slice name, struct slice password,
                               enum role role, const struct bounds *bounds, struct store_user *out,
                               struct why *why);

struct people_change {
    struct slice name; /* absent: stays */
    const enum role *role;
    const struct bounds_wish *bounds;
    const bool *is_disabled;
};
/* NOT_FOUND; BAD_INPUT, BUSY: the name; REFUSED: no administrator would be left. */
MUST_CHECK enum err people_change(struct auth *auth, const char *id,
                                  const struct people_change *change, struct store_user *out,
                                  struct why *why);
/* With his sessions, keys and links. NOT_FOUND; REFUSED as above. */
MUST_CHECK enum err people_remove(struct auth *auth, const char *id, struct why *why);

/* One's own; hashes twice. His other sessions end. An account that has none yet (who signs in by others) needs no
 * `current`. REFUSED: it is wrong; LIMIT: too many tries; BAD_INPUT: it is absent, or `wanted` is no password. */
MUST_CHECK enum err people_set_password(struct auth *auth, const struct http_user *user,
                                        struct slice peer, struct slice current,
                                        struct slice wanted, int *retry_after_s, struct why *why);

/* A link by which the user sets a password, once, for a day. NOT_FOUND. */
MUST_CHECK enum err people_make_reset(struct auth *auth, const char *id, char code[AUTH_TOKEN_SIZE],
                                      int64_t *expires_ms, struct why *why);
/* Hashes; signs in by wish's `code` and `password`. NOT_FOUND: no such code, or too late; LIMIT,
 * BAD_INPUT: the password; REFUSED: the account is disabled. */
MUST_CHECK enum err people_use_reset(struct auth *auth, const struct auth_wish *wish,
                                     struct auth_answer *out, struct why *why);

/* An invitation for `lifetime_ms`; `invite` is filled in. */
MUST_CHECK enum err people_invite(struct auth *auth, const struct http_user *by, enum role role,
                                  const struct bounds *bounds, int64_t lifetime_ms,
                                  struct store_invite *invite, char code[AUTH_TOKEN_SIZE]);
/* Hashes; makes an account by the wish's code (or without one, where registration is open) and signs it
 * in. REFUSED: registration is closed; NOT_FOUND: no such invitation, or too late; BAD_INPUT: name,
 * password, no code; BUSY: the name is taken; LIMIT: too many tries. */
MUST_CHECK enum err people_register(struct auth *auth, const struct auth_wish *wish,
                                    struct auth_answer *out, struct why *why);

/* One session of the user; ends at once. NOT_FOUND. */
MUST_CHECK enum err people_end_session(struct auth *auth, const struct http_user *user,
                                       const char *id);
/* When a session or key was last used; `kept_ms` where nothing newer is known. Any thread. */
int64_t people_last_seen(struct auth *auth, const char *id, int64_t kept_ms);

/* A key of the user, shown this once: `key` is filled in. BAD_INPUT: the name; LIMIT: too many keys. */
MUST_CHECK enum err people_make_key(struct auth *auth, const struct http_user *user,
                                    struct slice name, unsigned scopes, struct store_key *key,
                                    char secret[AUTH_KEY_SIZE], struct why *why);
/* NOT_FOUND */
MUST_CHECK enum err people_end_key(struct auth *auth, const struct http_user *user, const char *id);
