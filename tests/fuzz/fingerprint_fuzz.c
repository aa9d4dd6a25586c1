/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fingerprint from a media process or from disk: what is believed comes back from its bytes as it was,
 * and may be compared with itself, and with itself the other way round. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "hls/intro_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct marker *marker, const struct fingerprint *film)
{
    const struct fingerprint_part *part = marker->kind == MARKER_INTRO ? &film->first : &film->last;
    MUST(marker->start_ms >= part->begin_ms && marker->start_ms < marker->end_ms);
    MUST(marker->end_ms <= part->end_ms);
    MUST(marker->end_ms - marker->start_ms >= MARKER_LEAST_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fingerprint film;
    struct str again = {0};
    struct marker markers[MARKERS_MOST];
    if (fingerprint_read(bytes, size, &film, NULL) != OK)
        return 0;
    fingerprint_write(&film, &again);
    MUST(again.length == size && memcmp(again.at, bytes, size) == 0);
    struct fingerprint turned = {.first = film.last, .last = film.first};
    const struct fingerprint *others[] = {&film, &turned};
    size_t count = match_markers(&film, others, 2, markers);
    MUST(count <= MARKERS_MOST);
    for (size_t i = 0; i < count; i++)
        check(&markers[i], &film);
    str_fini(&again);
    fingerprint_fini(&film);
    return 0;
}
