/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Those who vouch for people, and what comes of it: who is known by what a provider knows him by is let in. Who is not is
 * nobody here, whatever his address: he links it while he is signed in, or gets an account of his own where the
 * provider or the registration is open to that.
 * Threads: any; what says so blocks. One lock inside, a leaf. */
#pragma once

#include "auth/auth.h"
#include "auth/provider.h"

struct others;

struct others_options {
    const struct provider_options *providers;
    size_t count;
    /* Addresses, small letters, NULL at the end: nobody else comes in by a provider, and only by an address that it
     * has verified. Empty: anybody. */
    const char *const *emails;
    /* Who is not known yet, and has an address that the provider has verified and an account here has too, is that
     * account from then on: unless it is an administrator's. */
    bool links_by_email;
};
/* BAD_INPUT: a provider is not as it should be, or two have one name. */
MUST_CHECK enum err others_new(const struct others_options *options, struct auth *auth,
                               struct fetch *fetch, struct others **out, struct why *why);
void others_free(struct others **others);
size_t others_count(const struct others *others);
struct provider *others_at(const struct others *others, size_t i);
/* NULL: there is none. */
struct provider *others_find(const struct others *others, struct slice name);

/* A sign-in that was begun: its answer must come with the same state, from the browser that has the secret, within
 * ten minutes, once. */
struct others_flow {
    struct provider_flow flow;
    char provider[STORE_PROVIDER_SIZE];
    char secret[44];            /* of a cookie */
    struct http_user linked_to; /* who links it; id "": it is a sign-in */
};
void others_keep(struct others *others, const struct others_flow *flow, int64_t now_ms);
/* NOT_FOUND: no such one, or another browser's, or it is over. */
MUST_CHECK enum err others_take(struct others *others, struct slice provider, struct slice state,
                                struct slice secret, int64_t now_ms, struct others_flow *out);

/* Signs in. Blocks. NOT_FOUND: nobody is known by it; GONE: the account is disabled; REFUSED: the address is not one
 * of those that may. */
MUST_CHECK enum err others_enter(struct others *others, const struct provider *provider,
                                 const struct provider_person *person, const struct auth_wish *wish,
                                 struct auth_answer *out, struct why *why);
/* From now on the user is known by it. Blocks. BUSY: somebody is already; REFUSED: as above. */
MUST_CHECK enum err others_link(struct others *others, const struct provider *provider,
                                const struct provider_person *person, const struct http_user *user,
                                struct slice peer, struct why *why);
