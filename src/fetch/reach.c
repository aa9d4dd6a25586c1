/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/reach.h"

#include <ifaddrs.h>
#include <string.h>

#include "base/mem.h"

/* IANA IPv4 Special-Purpose Address Registry; multicast and what is reserved besides. */
static const char *const closed_v4[] = {
    "0.0.0.0/8",       /* this network: RFC 791 3.2 */
    "10.0.0.0/8",      /* private: RFC 1918 */
    "100.64.0.0/10",   /* shared, behind carriers: RFC 6598 */
    "127.0.0.0/8",     /* loopback: RFC 1122 3.2.1.3 */
    "169.254.0.0/16",  /* link-local, and what clouds tell their machines: RFC 3927 */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocol assignments: RFC 6890 2.1 */
    "192.0.2.0/24",    /* documentation: RFC 5737 */
    "192.31.196.0/24", /* AS112: RFC 7535 */
    "192.52.193.0/24", /* AMT: RFC 7450 */
    "192.88.99.0/24",  /* 6to4 relays: RFC 7526 */
    "192.168.0.0/16",  /* private */
    "192.175.48.0/24", /* AS112: RFC 7534 */
    "198.18.0.0/15",   /* benchmarks: RFC 2544 */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/4",     /* multicast: RFC 5771 */
    "240.0.0.0/4",     /* reserved, and broadcast: RFC 1112 4, RFC 8190 */
};

/* Of 2000::/3, the only space that is given out as global unicast: RFC 4291 2.4. */
static const char *const closed_v6[] = {
    "2001::/23",         /* protocol assignments, Teredo among them: RFC 2928 */
    "2001:db8::/32",     /* documentation: RFC 3849 */
    "2620:4f:8000::/48", /* AS112: RFC 7534 */
    "3fff::/20",         /* documentation: RFC 9637 */
};

static bool is_in(const struct address *address, const char *text)
{
    struct address_range range;
    MUST(address_range_parse(slice_of(text), &range) == OK);
    return address_in(address, &range);
}

static bool is_in_any(const struct address *address, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(address, texts[i]))
            return true;
    return false;
}

/* The IPv4 address that stands in four bytes of an IPv6 one. */
static struct address inner(const struct address *address, size_t at)
{
    struct address v4 = {{[10] = 0xff, [11] = 0xff}};
    memcpy(v4.bytes + 12, address->bytes + at, 4);
    return v4;
}

/* What it leads to. */
static struct address unwrap(const struct address *address)
{
    if (is_in(address, "64:ff9b::/96")) /* NAT64: RFC 6052 2.1 */
        return inner(address, 12);
    if (is_in(address, "2002::/16")) /* 6to4: RFC 3056 2 */
        return inner(address, 2);
    return *address;
}

bool reach_is_global(const struct address *address)
{
    struct address target = unwrap(address);
    if (address_is_v4(&target))
        return !is_in_any(&target, closed_v4, sizeof closed_v4 / sizeof *closed_v4);
    return is_in(&target, "2000::/3") &&
           !is_in_any(&target, closed_v6, sizeof closed_v6 / sizeof *closed_v6);
}

bool reach_is_own(const struct address *address)
{
    struct ifaddrs *all = NULL;
    struct address target = unwrap(address);
    bool is_own = false;
    if (getifaddrs(&all) != 0)
        return true;
    for (const struct ifaddrs *at = all; at != NULL && !is_own; at = at->ifa_next) {
        struct address one;
        is_own = at->ifa_addr != NULL && address_from_sockaddr(at->ifa_addr, &one) == OK &&
                 memcmp(&one, &target, sizeof one) == 0;
    }
    freeifaddrs(all);
    return is_own;
}
