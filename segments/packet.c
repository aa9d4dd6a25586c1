/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/packet.h"

#include "base/mem.h"

#define STEP_BYTES (256 * 1024)

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum err packet_read(struct reader *reader, const struct packet *packet, size_t limit,
                     struct str *out)
{
    size_t prefix = least(packet->prefix_size, limit);
    size_t left = least(packet->size, limit - prefix);
    uint64_t at = packet->offset;
    CLEANUP(mem_free_at) uint8_t *buffer = mem_zalloc(least(left, STEP_BYTES) + 1);

    if (prefix > 0)
        str_append(out, packet->prefix, prefix);
    while (left > 0) {
        size_t want = least(left, STEP_BYTES), got = 0;
        enum err err = reader_read(reader, buffer, want, at, &got);
        if (err != OK)
            return err;
        if (got < want)
            return ERR_GONE;
        str_append(out, buffer, got);
        at += got;
        left -= got;
    }
    return OK;
}
