/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Markers as they are kept on disk: what is believed comes back from its bytes as it was. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "hls/intros_keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct kept_markers kept;
    struct str again = {0};
    if (intros_read(bytes, size, &kept) != OK)
        return 0;
    MUST(kept.count <= MARKERS_MOST);
    for (uint32_t i = 0; i < kept.count; i++)
        MUST(kept.markers[i].start_ms < kept.markers[i].end_ms);
    intros_write(&kept, &again);
    MUST(again.length == size && memcmp(again.at, bytes, size) == 0);
    str_fini(&again);
    return 0;
}
