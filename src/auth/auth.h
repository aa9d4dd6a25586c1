/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask: accounts, the first one's setup code, sessions, and how often one may try.
 * Passwords are hashed with argon2id, in auth_pool; of a session's token only its hash is kept.
 * Threads: what answers from memory (auth_http, auth_has_accounts, auth_session_lives) may be
 * called from any; what hashes or writes says so and belongs on a pool's thread (auth_pool).
 * Life: auth_start -> ... -> auth_stop, when no call is under way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/tokens.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/why.h"
#include "http/http.h"
#include "store/accounts.h"

#define AUTH_CODE_SIZE  9  /* 8 characters */
#define AUTH_TOKEN_SIZE 44 /* 256 random bits in base64url */

struct auth;

/* Who may make an account for himself. */
enum auth_registration { AUTH_BY_INVITE, AUTH_OPEN, AUTH_CLOSED };

struct auth_options {
    enum http_auth_mode mode;
    const char *data_folder;         /* setup-code stands there while there is no account */
    const char *admin_password_file; /* makes an admin's account where there is none; or NULL */
    const char *admin_name;          /* its name; NULL or "" = "admin" */
    /* Tells people the setup code, at the start and whenever it changes. Any thread; or NULL. */
    void (*show_code)(void *ctx, const char *code);
    void *show_ctx;
    int64_t session_ms; /* a session that nobody uses ends after; 0 = 30 days */
    enum auth_registration registration;
};

/* Blocks. BAD_INPUT: the password file; IO: the store, the folder. */
MUST_CHECK enum err auth_start(const struct auth_options *options, struct store *store,
                               struct auth **out, struct why *why);
void auth_stop(struct auth **auth);

/* What the guard asks. With mode none everybody is "local", an admin; with mode key whoever brings
 * the key, as cookie or bearer, is. */
struct http_auth auth_http(struct auth *auth);
bool auth_has_accounts(struct auth *auth);
/* Accounts may also be made by `matinee user add`: looks whether there are some by now. Blocks. */
void auth_look_again(struct auth *auth);
/* Another program has changed accounts: what was ended opens nothing from now on. Blocks. */
void auth_reload(struct auth *auth);
enum http_auth_mode auth_mode(const struct auth *auth);
enum auth_registration auth_registration(const struct auth *auth);
/* The key of mode key; "" in the others. Lent until auth_stop. */
const char *auth_key(const struct auth *auth);
/* Half the cores at most: each hash takes 64 MiB while it is made. Its queue is short: BUSY is an answer. */
struct pool *auth_pool(struct auth *auth);
/* True while the session or key (struct http_user, `session`) has not been ended; "" never is. */
bool auth_session_lives(struct auth *auth, const char *session);
/* The same, with what its user is called and may by now. */
bool auth_session_user(struct auth *auth, struct http_user *user);

struct auth_wish {
    struct slice username, password;
    struct slice code;  /* for setup, or of an invitation; absent = none given */
    struct slice peer;  /* the asker's address, in text */
    struct slice agent; /* what his browser calls itself */
    struct slice known; /* what it was given when it signed in before; or absent */
    bool is_loopback;   /* both ends are: needs no code */
    bool is_program;    /* wants tokens, not a cookie */
};
#define AUTH_REFRESH_PREFIX "mr_"
#define AUTH_REFRESH_SIZE   (AUTH_TOKEN_SIZE + sizeof AUTH_REFRESH_PREFIX - 1)
struct auth_answer {
    struct http_user user;
    char token
        [AUTH_REFRESH_SIZE]; /* the new session's: a cookie, or what a program refreshes with */
    char access[TOKENS_ACCESS_SIZE]; /* a program's, for a quarter of an hour; "" */
    char known[TOKENS_BROWSER_SIZE]; /* a browser's, by which it is known next time; "" */
    int retry_after_s;               /* on LIMIT */
};
/* The first account, signed in. Blocks. BAD_INPUT: name, password (why says which); REFUSED: the
 * code is wrong; GONE: there is an account already; LIMIT: too many tries; IO. */
MUST_CHECK enum err auth_set_up(struct auth *auth, const struct auth_wish *wish,
                                struct auth_answer *out, struct why *why);
/* Blocks. REFUSED: no such name and password, or the account is disabled, which look the same; LIMIT: too
 * many tries; IO. */
MUST_CHECK enum err auth_sign_in(struct auth *auth, const struct auth_wish *wish,
                                 struct auth_answer *out, struct why *why);
/* What auth_sign_in would say at once of a try of this name (absent or none of ours: of no name): LIMIT, or OK.
 * Counts nothing, does not block. */
MUST_CHECK enum err auth_look_at_tries(struct auth *auth, const struct auth_wish *wish,
                                       int *retry_after_s, struct why *why);
/* Whether it is tried in a browser that has signed in by that name before: it need not wait behind strangers. Does not
 * block. */
bool auth_is_known(struct auth *auth, const struct auth_wish *wish);
/* Tokens in place of those that `refresh` came with, which is good once: who brings it again has it from somebody
 * else, and the session ends. Blocks. REFUSED: it is no such thing, or its session has ended; IO. */
MUST_CHECK enum err auth_refresh(struct auth *auth, struct slice refresh, struct auth_answer *out,
                                 struct why *why);

/* The part of an address that opens one file for who asks without a cookie, as the user, as long as his session and
 * for a day, and longer while it is played. Any thread. */
void auth_sign_path(struct auth *auth, const struct http_user *user, const char *playback,
                    const char *file, char out[TOKENS_PATH_SIZE]);
/* REFUSED: it is none, of another file, or of a session that has ended. *is_late: it is older than a day. */
MUST_CHECK enum err auth_check_path(struct auth *auth, struct slice text, struct slice file,
                                    struct http_user *user, char playback[40], bool *is_late);

/* Blocks. Nothing happens where there is no such session. */
MUST_CHECK enum err auth_sign_out(struct auth *auth, const char *session);

/* Makes an account, for `matinee user add` and the password file. Blocks. BAD_INPUT (why says),
 * BUSY: the name is taken; REFUSED: `only_first`, and there is one. */
MUST_CHECK enum err auth_add_user(struct store *store, struct slice name, struct slice password,
                                  enum role role, const struct bounds *bounds, bool only_first,
                                  struct store_user *out, struct why *why);

/* Counters as Prometheus reads them. */
void auth_metrics(struct str *out);

/* Writes to the log of who did what, and to that of the server. `object` is what it was done to, in words
 * or ids, "" for nothing. Blocks. */
void auth_note(struct auth *auth, const struct http_user *user, struct slice peer,
               const char *action, const char *object);
