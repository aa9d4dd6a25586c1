/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sign-in by others: OpenID Connect (Core 1.0, code flow with PKCE, RFC 7636), OAuth 2 without it (GitHub, 42), Cloudflare
 * Access (a signed header), a proxy of one's own (a header, with a second, secret one).
 * Threads: any; what says so blocks, for as long as the other server takes, 10 s at most, and belongs on a pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "fetch/fetch.h"
#include "store/logins.h"

enum provider_kind { PROVIDER_OIDC, PROVIDER_OAUTH, PROVIDER_ACCESS, PROVIDER_HEADER };

/* As in the settings; texts that are not set are "". Copied. */
struct provider_options {
    const char *name, *title, *kind; /* oidc, github, 42, oauth, access, header */
    const char *issuer, *client_id, *client_secret, *scopes;
    const char *authorize_url, *token_url, *userinfo_url, *emails_url;
    const char *subject_field, *name_field, *email_field;
    const char *audience;
    const char *header; /* that holds the name */
    bool creates;       /* who is not known gets an account */
};

struct provider;

/* BAD_INPUT: something that this kind needs is missing, why says what. */
MUST_CHECK enum err provider_new(const struct provider_options *options, struct fetch *fetch,
                                 struct provider **out, struct why *why);
void provider_free(struct provider **provider);
const char *provider_name(const struct provider *provider);
const char *provider_title(const struct provider *provider);
enum provider_kind provider_kind(const struct provider *provider);
bool provider_creates(const struct provider *provider);
const char *provider_header(const struct provider *provider);

/* Who somebody says he is, as the provider says it too. */
struct provider_person {
    char subject[STORE_SUBJECT_SIZE];
    char name[STORE_NAME_SIZE]; /* "": not known */
    char email[256];            /* small letters; "" */
    bool is_verified;           /* the address is his, says the provider */
};

/* What of a sign-in is remembered until its answer comes. */
struct provider_flow {
    char state[44], nonce[44], verifier[44];
    char redirect_uri[512];
};
/* OIDC, OAUTH. Draws all but redirect_uri, and says where the browser is to go: the caller's (mem_free). Blocks.
 * IO, TIMEOUT...: the provider does not say where. */
MUST_CHECK enum err provider_begin(struct provider *provider, struct provider_flow *flow,
                                   char **url, struct why *why);
/* Blocks. REFUSED: what it says does not hold; IO, TIMEOUT: it does not answer. `iss` may be absent. */
MUST_CHECK enum err provider_finish(struct provider *provider, const struct provider_flow *flow,
                                    struct slice code, struct slice iss,
                                    struct provider_person *out, struct why *why);
/* ACCESS. `email`: what the header beside it says; or absent. Blocks. As provider_finish. */
MUST_CHECK enum err provider_check_access(struct provider *provider, struct slice token,
                                          struct slice email, struct provider_person *out,
                                          struct why *why);
