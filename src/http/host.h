/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host and Origin headers (RFC 9110 7.2, RFC 6454 7): cut apart, classified, compared. Pure;
 * everything here comes from outside. Threads: any. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "http/address.h"

struct host {
    struct slice name; /* "films.lan", "192.0.2.1", "::1" without brackets; no dot at the end */
    unsigned port;     /* 0: none given */
    bool is_address;
    struct address address; /* where is_address */
};

/* BAD_INPUT: not "name", "address" or "[address]", each with an optional ":port". */
MUST_CHECK enum err host_parse(struct slice text, struct host *out);
/* A loopback address, or "localhost". */
bool host_is_loopback(const struct host *host);
bool host_names_are_equal(struct slice a, struct slice b);

/* "https://films.example:8443": scheme, host and port, no path. */
struct origin {
    bool is_secure;
    struct host host; /* port is never 0 */
};
/* BAD_INPUT: "null", another scheme, a path. */
MUST_CHECK enum err origin_parse(struct slice text, struct origin *out);
bool origins_are_equal(const struct origin *a, const struct origin *b);
/* The origin of requests to `host`. */
struct origin origin_of_host(const struct host *host, bool is_secure);
