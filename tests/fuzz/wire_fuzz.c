/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wire's decoder. The first byte says who listens and how many fds came; what is taken for a
 * message must be the same message after a turn through the encoder. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "segments/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum wire_way way = (enum wire_way)((data[0] & 3) | (data[0] >> 4 & 4));
    uint32_t fd_count = data[0] >> 2 & 3;
    struct wire_message message;
    struct why why = {0};
    enum err kind = wire_decode(data + 1, size - 1, fd_count, way, &message, &why);
    if (kind != OK) {
        MUST(kind == ERR_BAD_INPUT && why.text[0] != '\0');
        return 0;
    }
    uint8_t again[WIRE_MAX_BYTES];
    size_t length = wire_encode(&message, again);
    MUST(length == size - 1 && memcmp(again, data + 1, length) == 0);
    return 0;
}
