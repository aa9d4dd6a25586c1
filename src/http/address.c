/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void set_v4(struct address *out, const void *four_bytes)
{
    memcpy(out->bytes, MAPPED, sizeof MAPPED);
    memcpy(out->bytes + sizeof MAPPED, four_bytes, 4);
}

enum err address_from_sockaddr(const struct sockaddr *from, struct address *out)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        set_v4(out, &v4.sin_addr);
        return OK;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        memcpy(out->bytes, &v6.sin6_addr, sizeof out->bytes);
        return OK;
    }
    return ERR_BAD_INPUT;
}

enum err address_parse(struct slice text, struct address *out)
{
    char copy[ADDRESS_TEXT_SIZE];
    if (text.length == 0 || text.length >= sizeof copy || memchr(text.at, 0, text.length) != NULL)
        return ERR_BAD_INPUT;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        set_v4(out, &v4);
        return OK;
    }
    if (inet_pton(AF_INET6, copy, &v6) == 1) {
        memcpy(out->bytes, &v6, sizeof out->bytes);
        return OK;
    }
    return ERR_BAD_INPUT;
}

enum err address_range_parse(struct slice text, struct address_range *out)
{
    const char *slash = text.length == 0 ? NULL : memchr(text.at, '/', text.length);
    struct slice base = text;
    if (slash != NULL)
        base.length = (size_t) (slash - text.at);
    struct address_range range = {.bits = 128};
    enum err err = address_parse(base, &range.base);
    if (err != OK || slash == NULL) {
        if (err == OK)
            *out = range;
        return err;
    }
    unsigned most = address_is_v4(&range.base) ? 32 : 128;
    uint64_t bits;
    struct slice number = {slash + 1, text.length - base.length - 1};
    if (slice_number(number, most, &bits) != OK)
        return ERR_BAD_INPUT;
    range.bits = (unsigned) bits + 128 - most;
    *out = range;
    return OK;
}

bool address_is_v4(const struct address *address)
{
    return memcmp(address->bytes, MAPPED, sizeof MAPPED) == 0;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t V6_LOOPBACK[16] = {[15] = 1};
    if (address_is_v4(address))
        return address->bytes[12] == 127;
    return memcmp(address->bytes, V6_LOOPBACK, sizeof V6_LOOPBACK) == 0;
}

bool address_is_any(const struct address *address)
{
    static const uint8_t ZERO[16];
    size_t from = address_is_v4(address) ? sizeof MAPPED : 0;
    return memcmp(address->bytes + from, ZERO, 16 - from) == 0;
}

bool address_in(const struct address *address, const struct address_range *range)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    if (memcmp(address->bytes, range->base.bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return ((address->bytes[whole] ^ range->base.bytes[whole]) & mask) == 0;
}

void address_text(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
    const char *done;
    if (address_is_v4(address))
        done = inet_ntop(AF_INET, address->bytes + sizeof MAPPED, out, ADDRESS_TEXT_SIZE);
    else
        done = inet_ntop(AF_INET6, address->bytes, out, ADDRESS_TEXT_SIZE);
    MUST(done != NULL);
}

struct address address_household(const struct address *address)
{
    struct address house = *address;
    if (!address_is_v4(address))
        memset(house.bytes + 8, 0, 8);
    return house;
}
