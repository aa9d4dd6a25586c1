/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host, Origin, Cookie, X-Forwarded-For. Input: a header. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "http/host.h"
#include "http/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice whole)
{
    return part.at >= whole.at && part.at + part.length <= whole.at + whole.length;
}

static void try_host(struct slice header)
{
    struct host host;
    if (host_parse(header, &host) != OK)
        return;
    MUST(host.name.length > 0 && is_inside(host.name, header));
    MUST(host.port <= 65535);
    struct origin origin = origin_of_host(&host, true);
    MUST(origin.host.port != 0 && origins_are_equal(&origin, &origin));
}

static void try_origin(struct slice header)
{
    struct origin origin;
    if (origin_parse(header, &origin) == OK)
        MUST(origin.host.port != 0);
}

static void try_range(struct slice header)
{
    struct address_range range;
    if (address_range_parse(header, &range) != OK)
        return;
    MUST(range.bits <= 128 && address_in(&range.base, &range));
    char printed[ADDRESS_TEXT_SIZE];
    struct address again;
    address_text(&range.base, printed);
    MUST(address_parse(slice_of(printed), &again) == OK);
    MUST(memcmp(&again, &range.base, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = mem_dup(data, size);
    struct slice header = {text, size};
    try_host(header);
    try_origin(header);
    try_range(header);
    struct slice cookie = peer_cookie(header, "s");
    MUST(cookie.at == NULL || is_inside(cookie, header));
    struct address_range everybody = {.bits = 0};
    struct options options = {.proxies = &everybody, .proxy_count = 1};
    struct address peer = {{0}};
    peer_unwrap(header, &options, &peer);
    mem_free(text);
    return 0;
}
