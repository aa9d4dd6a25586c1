/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/host.h"

#include <string.h>
#include <strings.h>

/* RFC 1035 2.3.4: no longer name can be looked up. */
enum { NAME_LIMIT = 255, PORT_LIMIT = 65535 };

static enum err parse_port(struct slice text, unsigned *out)
{
    uint64_t port;
    if (slice_number(text, PORT_LIMIT, &port) != OK || port == 0)
        return ERR_BAD_INPUT;
    *out = (unsigned) port;
    return OK;
}

static bool is_name(struct slice name)
{
    if (name.length == 0 || name.length > NAME_LIMIT)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char at = name.at[i];
        bool letter = (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z');
        if (!letter && !(at >= '0' && at <= '9') && at != '.' && at != '-' && at != '_')
            return false;
    }
    return true;
}

static enum err parse_bracketed(struct slice text, struct host *host)
{
    const char *end = memchr(text.at, ']', text.length);
    if (end == NULL)
        return ERR_BAD_INPUT;
    host->name = (struct slice){text.at + 1, (size_t) (end - text.at) - 1};
    host->is_address = true;
    if (address_parse(host->name, &host->address) != OK)
        return ERR_BAD_INPUT;
    if (memchr(host->name.at, ':', host->name.length) == NULL)
        return ERR_BAD_INPUT; /* [192.0.2.1] is nothing */
    struct slice rest = {end + 1, text.length - host->name.length - 2};
    if (rest.length == 0)
        return OK;
    if (rest.at[0] != ':')
        return ERR_BAD_INPUT;
    return parse_port((struct slice){rest.at + 1, rest.length - 1}, &host->port);
}

enum err host_parse(struct slice text, struct host *out)
{
    struct host host = {.port = 0};
    if (text.length == 0)
        return ERR_BAD_INPUT;
    if (text.at[0] == '[') {
        enum err err = parse_bracketed(text, &host);
        if (err == OK)
            *out = host;
        return err;
    }
    const char *colon = memchr(text.at, ':', text.length);
    host.name = text;
    if (colon != NULL) {
        host.name.length = (size_t) (colon - text.at);
        struct slice port = {colon + 1, text.length - host.name.length - 1};
        if (parse_port(port, &host.port) != OK)
            return ERR_BAD_INPUT;
    }
    if (host.name.length > 1 && host.name.at[host.name.length - 1] == '.')
        host.name.length--;
    if (!is_name(host.name))
        return ERR_BAD_INPUT;
    host.is_address = address_parse(host.name, &host.address) == OK;
    *out = host;
    return OK;
}

bool host_names_are_equal(struct slice a, struct slice b)
{
    return a.length == b.length && a.length > 0 && strncasecmp(a.at, b.at, a.length) == 0;
}

bool host_is_loopback(const struct host *host)
{
    if (host->is_address)
        return address_is_loopback(&host->address);
    return slice_is_nocase(host->name, "localhost");
}

struct origin origin_of_host(const struct host *host, bool is_secure)
{
    struct origin origin = {.is_secure = is_secure, .host = *host};
    if (origin.host.port == 0)
        origin.host.port = is_secure ? 443 : 80;
    return origin;
}

enum err origin_parse(struct slice text, struct origin *out)
{
    bool is_secure = slice_starts(text, "https://");
    if (!is_secure && !slice_starts(text, "http://"))
        return ERR_BAD_INPUT;
    size_t skip = is_secure ? 8 : 7;
    struct host host;
    if (host_parse((struct slice){text.at + skip, text.length - skip}, &host) != OK)
        return ERR_BAD_INPUT;
    *out = origin_of_host(&host, is_secure);
    return OK;
}

bool origins_are_equal(const struct origin *a, const struct origin *b)
{
    if (a->is_secure != b->is_secure || a->host.port != b->host.port)
        return false;
    if (a->host.is_address && b->host.is_address)
        return memcmp(&a->host.address, &b->host.address, sizeof a->host.address) == 0;
    return host_names_are_equal(a->host.name, b->host.name);
}
