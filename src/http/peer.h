/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What headers say of the one who asks: cookies (RFC 6265 4.2), the addresses that proxies add.
 * Pure. Threads: any. */
#pragma once

#include "http/options.h"

/* The value of the cookie `name` in one Cookie header; absent when it is not there. */
struct slice peer_cookie(struct slice header, const char *name);
/* X-Forwarded-For, from the right: *peer becomes the first address that is no trusted proxy. What
 * is no address ends the search. */
void peer_unwrap(struct slice header, const struct options *options, struct address *peer);
