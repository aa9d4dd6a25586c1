/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passkeys (WebAuthn Level 2): sign-in by a key that a device holds and a person has unlocked there, for one name of
 * this server. What devices say is read and checked by libfido2. No attestation is asked for: whose device it is shows
 * in who is signed in when it is added.
 * Threads: any. What says so blocks. */
#pragma once

#include "auth/auth.h"
#include "store/passkeys.h"

/* A name of this server, as browsers see it. */
struct passkeys_site {
    char origin[300];       /* "https://films.example.org", with a port that is not the usual one */
    char rp[STORE_RP_SIZE]; /* "films.example.org" */
};
/* `url` with or without a path. BAD_INPUT: it is an address of numbers, or plain HTTP and not localhost: no browser has
 * passkeys there. */
MUST_CHECK enum err passkeys_site(const char *url, struct passkeys_site *out, struct why *why);

/* What a device is asked to sign, within five minutes; `user` NULL: by whoever signs in. */
void passkeys_challenge(struct auth *auth, const char *user, char out[TOKENS_CHALLENGE_SIZE]);

/* What a browser has said: members of its JSON (WebAuthn Level 3, 5.1.8), in base64url, lent. */
struct passkeys_said {
    struct slice client_data, authenticator_data;
    struct slice handle, signature; /* of a sign-in */
};
/* A key of the user's, by the name of his choice. Blocks. REFUSED: it does not hold, why says what; BAD_INPUT: the name;
 * BUSY: it is known already; LIMIT: he has too many. */
MUST_CHECK enum err passkeys_add(struct auth *auth, const struct http_user *user,
                                 const struct passkeys_site *site, const struct passkeys_said *said,
                                 struct slice name, struct store_passkey *out, struct why *why);
/* Signs in. Blocks. REFUSED: it is no key of anybody here, or does not hold, or the account is disabled, which look the
 * same; LIMIT: too many tries. */
MUST_CHECK enum err passkeys_enter(struct auth *auth, const struct passkeys_site *site,
                                   const struct passkeys_said *said, const struct auth_wish *wish,
                                   struct auth_answer *out, struct why *why);
