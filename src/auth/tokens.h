/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the server signs itself: access tokens for programs, good for a quarter of an hour, and the parts of
 * addresses that open one film where no cookie comes along. Both name a session and are nothing without it: whoever
 * checks one asks whether that has ended.
 * Threads: any, after tokens_new. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

enum {
    TOKENS_ACCESS_S = 15 * 60,
    TOKENS_ACCESS_SIZE = 768,
    TOKENS_PATH_SIZE = 192,
    TOKENS_BROWSER_SIZE = 67,
    TOKENS_CHALLENGE_SIZE = 76
};
#define TOKENS_PATH_S (24 * 60 * 60)

struct tokens;

/* Reads the keys, makes one where there is none or it is old. Blocks. IO. */
MUST_CHECK enum err tokens_new(struct store *store, int64_t now_ms, struct tokens **out);
void tokens_free(struct tokens **tokens);

MUST_CHECK enum err tokens_issue(struct tokens *tokens, const char *user, const char *session,
                                 int64_t now_s, char out[TOKENS_ACCESS_SIZE]);
/* Whose it says it is: ids. REFUSED: it is not good, or not any more. */
struct tokens_claim {
    char user[40], session[40];
};
MUST_CHECK enum err tokens_check(struct tokens *tokens, struct slice token, int64_t now_s,
                                 struct tokens_claim *out);

/* `session` may be "". What it holds: [A-Za-z0-9._-]. */
struct tokens_path {
    char user[40], session[40], playback[40];
    int64_t expires_s;
};
void tokens_sign_path(struct tokens *tokens, const struct tokens_path *path, const char *file,
                      char out[TOKENS_PATH_SIZE]);
/* Whether it is one of ours, for this file; expires_s is not judged. REFUSED. */
MUST_CHECK enum err tokens_check_path(struct tokens *tokens, struct slice text, struct slice file,
                                      struct tokens_path *out);

/* What a browser is given that has signed in by this name (folded), another each time. It opens nothing: whoever has
 * it is not made to wait for what others tried. */
void tokens_sign_browser(struct tokens *tokens, const char *name, char out[TOKENS_BROWSER_SIZE]);
bool tokens_check_browser(struct tokens *tokens, struct slice text, const char *name);

/* What a device is to sign: in base64url, good for `purpose` alone, until then, once, in this process. Nothing is kept of it
 * before. */
void tokens_make_challenge(struct tokens *tokens, const char *purpose, int64_t expires_s,
                           char out[TOKENS_CHALLENGE_SIZE]);
/* Whether it is one of ours and not too late. */
bool tokens_check_challenge(struct tokens *tokens, struct slice text, const char *purpose,
                            int64_t now_s);
/* It was signed, rightly. False: that has happened before. */
bool tokens_spend_challenge(struct tokens *tokens, struct slice text, int64_t now_s);
