/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network addresses as plain values: parse, print, compare, ranges (CIDR). IPv4 is kept as its
 * mapped IPv6 form (RFC 4291 2.5.5.2), so that a dual-stack listener sees one kind. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define ADDRESS_TEXT_SIZE 46

struct sockaddr;
struct address {
    uint8_t bytes[16];
};
struct address_range {
    struct address base;
    unsigned bits; /* of 128 */
};

/* BAD_INPUT: neither IPv4 nor IPv6. */
MUST_CHECK enum err address_from_sockaddr(const struct sockaddr *from, struct address *out);
/* "192.0.2.1" or "2001:db8::1", without brackets. BAD_INPUT. */
MUST_CHECK enum err address_parse(struct slice text, struct address *out);
/* "192.0.2.0/24", "fd00::/8", or an address alone. BAD_INPUT. */
MUST_CHECK enum err address_range_parse(struct slice text, struct address_range *out);
bool address_is_v4(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_is_any(const struct address *address);
bool address_in(const struct address *address, const struct address_range *range);
void address_text(const struct address *address, char out[ADDRESS_TEXT_SIZE]);
/* What counts as one peer: an IPv4 address, or the /64 that one IPv6 household has. */
struct address address_household(const struct address *address);
