/* SPDX-License-Identifier: GPL-3.0-or-later */
/* E-mail addresses of people, and accounts that begin with one: a letter carries a code, and who brings it back has
 * shown that the address is his. Threads: all of this blocks; what hashes says so, and belongs on auth_pool. */
#pragma once

#include "auth/auth.h"
#include "fetch/mail.h"

#define EMAILS_HOURS 24 /* a code is good for so long */

/* What a letter is to say. */
struct emails_letter {
    char to[MAIL_ADDRESS_SIZE];
    char name[STORE_NAME_SIZE]; /* of the account */
    char code[AUTH_TOKEN_SIZE]; /* a secret */
};

/* An address of one's own, by the password as it is (absent: the account has none). Hashes. BAD_INPUT: the address;
 * REFUSED: the password is wrong; LIMIT: too many letters to it, or from here, with *retry_after_s. */
MUST_CHECK enum err emails_ask(struct auth *auth, const struct http_user *user, struct slice peer,
                               struct slice current, struct slice email, struct emails_letter *out,
                               int *retry_after_s, struct why *why);
/* An account that is made when its letter is answered. Hashes. As people_register, and as emails_ask. */
MUST_CHECK enum err emails_register(struct auth *auth, const struct auth_wish *wish,
                                    struct slice email, struct emails_letter *out,
                                    int *retry_after_s, struct why *why);
/* By wish's code. What was asked for by an account is answered by who is signed in to it, and an account is made by the
 * password that was chosen for it (which hashes) and signed in: *is_new. So that nobody makes an address his own by a
 * letter that somebody else opens. NOT_FOUND: no such code, or too late; REFUSED: another account, or another password;
 * BAD_INPUT: the password is absent; BUSY: the name is taken by now, or another account has the address; LIMIT: too many
 * tries. */
MUST_CHECK enum err emails_verify(struct auth *auth, const struct http_user *user,
                                  const struct auth_wish *wish, struct auth_answer *out,
                                  bool *is_new, struct why *why);
/* One's own, and what was asked for. */
MUST_CHECK enum err emails_remove(struct auth *auth, const struct http_user *user,
                                  struct slice peer);
