/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate and key as OpenSSL wants them. Shared and immutable, counted. Threads: any. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

struct tls;

/* BAD_INPUT: not PEM, or the key is another certificate's; why says which. */
MUST_CHECK enum err tls_read(const char *certificate_file, const char *key_file, bool http2,
                             struct tls **out, struct why *why);
struct tls *tls_ref(struct tls *tls); /* NULL is accepted */
void tls_unref(struct tls **tls);     /* NULL is accepted */
SSL_CTX *tls_context(struct tls *tls);
/* Changes when one of the files does. */
uint64_t tls_stamp(const char *certificate_file, const char *key_file);
