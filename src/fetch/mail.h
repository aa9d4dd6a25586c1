/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Letters, by libcurl, to the mail server that an admin wrote down (RFC 5321). One letter, one reader: nobody sees
 * another's address.
 * Threads: any. One of its own sends again what the server put off. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"

#define MAIL_ADDRESS_SIZE 255 /* RFC 5321 4.5.3.1.3, without its brackets */

struct mail;

struct mail_options {
    const char *url;  /* smtp://host:587, which must offer STARTTLS, or smtps://host:465 */
    const char *from; /* an address */
    const char *username, *password; /* "" = it asks for none */
    bool allows_clear;               /* without TLS, where the server offers none */
    const char *ca_file;             /* NULL: the system's */
    int64_t
        retry_ms; /* until what was put off is tried again, three times as long each time; 0 = a minute */
};
/* BAD_INPUT: the URL or `from`. */
MUST_CHECK enum err mail_new(const struct mail_options *options, struct mail **out,
                             struct why *why);
/* What is under way ends within a second, and fails. NULL is accepted. */
void mail_halt(struct mail *mail);
/* What was put off is dropped. */
void mail_free(struct mail **mail);

/* An address as it is kept and compared: small letters. BAD_INPUT (field "email"): it is none that every mail server
 * takes (RFC 5321 4.1.2 without quoted local parts and address literals), so no line break and no bracket is in it. */
MUST_CHECK enum err mail_check_address(struct slice text, char out[MAIL_ADDRESS_SIZE],
                                       struct why *why);

struct mail_letter {
    const char *to;      /* an address */
    const char *subject; /* ASCII, one line */
    const char *text;    /* UTF-8, lines end with \n */
};
/* Blocks, for half a minute at most. OK: the server has it, or has put it off: it is tried four times again, in 40 minutes. REFUSED:
 * it does not take this letter; IO, TIMEOUT: it cannot be reached, fails, or takes nothing from us; BUSY: it has put it
 * off, and too many wait already. */
MUST_CHECK enum err mail_send(struct mail *mail, const struct mail_letter *letter, struct why *why);
