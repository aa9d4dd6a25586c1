/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/peer.h"

#include <string.h>

struct slice peer_cookie(struct slice header, const char *name)
{
    size_t name_length = strlen(name);
    while (header.length > 0) {
        const char *end = memchr(header.at, ';', header.length);
        size_t length = end != NULL ? (size_t) (end - header.at) : header.length;
        struct slice pair = slice_trim((struct slice){header.at, length});
        size_t used = length + (end != NULL);
        header.at += used;
        header.length -= used;
        if (pair.length > name_length && pair.at[name_length] == '=' && slice_starts(pair, name))
            return (struct slice){pair.at + name_length + 1, pair.length - name_length - 1};
    }
    return (struct slice){NULL, 0};
}

void peer_unwrap(struct slice header, const struct options *options, struct address *peer)
{
    while (header.length > 0 && options_trust(options, peer)) {
        const char *comma = memrchr(header.at, ',', header.length);
        size_t from = comma != NULL ? (size_t) (comma - header.at) + 1 : 0;
        struct slice last = slice_trim((struct slice){header.at + from, header.length - from});
        if (address_parse(last, peer) != OK)
            return;
        header.length = from > 0 ? from - 1 : 0;
    }
}
