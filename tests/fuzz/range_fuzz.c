/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Range, Accept-Encoding, If-None-Match. Input: 8 bytes of size, then a header. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "http/encode.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t length;
    if (size <= sizeof length)
        return 0;
    memcpy(&length, data, sizeof length);
    size_t rest = size - sizeof length;
    char *text = mem_dup(data + sizeof length, rest);
    struct slice header = {text, rest};
    struct range range;
    if (range_parse(header, length, &range) == OK) {
        MUST(range.first <= length && range.length <= length - range.first);
        MUST(range.is_partial ? range.length > 0 : range.length == length);
    }
    (void) encoding_is_accepted(header, "gzip");
    (void) etag_list_has(header, "\"0\"");
    mem_free(text);
    return 0;
}
