/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signed tokens in compact form (RFC 7515, RFC 7519), by libjose; what is accepted is narrower than what the
 * library can (RFC 8725): an algorithm of the caller's list, a key of that id and kind, and claims that all
 * hold. Threads: any. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"

enum { JWT_BYTES_MOST = 8192, JWT_SKEW_S = 60 };

struct jwt_rules {
    const char *const *algs; /* "RS256", "ES256"; NULL at the end */
    const char *issuer;      /* `iss`, byte for byte */
    const char *audience;    /* `aud`, or one of them */
    const char *type;        /* `typ` of the header; NULL: whatever it says */
    int64_t now_s;           /* exp, nbf and iat may be off by JWT_SKEW_S */
};
/* `keys`: {"keys": [...]} (RFC 7517 5). *claims is a new reference. NOT_FOUND: no key has its `kid`, so that it may be
 * worth while to ask for others; REFUSED: why says what does not hold. */
MUST_CHECK enum err jwt_verify(struct slice token, const json_t *keys,
                               const struct jwt_rules *rules, json_t **claims, struct why *why);

/* A private key for ES256, with a `kid`; new reference. IO: the library made none. */
MUST_CHECK enum err jwt_new_key(const char *kid, json_t **out);
/* With this key, whose `kid` it names; the caller's (mem_free). IO. */
MUST_CHECK enum err jwt_sign(const json_t *key, const char *type, const json_t *claims, char **out);
