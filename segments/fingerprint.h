/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a film sounds like at its two ends, as chromaprint's raw fingerprints: 32 bits for each moment,
 * of which few differ where two films sound alike. Known to both programs; as bytes little endian.
 * Plain values. Threads: any. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"

enum {
    /* chromaprint's default algorithm: an item every so many samples of so many a second, of what is
     * heard in the window that begins there */
    FINGERPRINT_RATE = 11025,
    FINGERPRINT_STEP = 1365,
    FINGERPRINT_WINDOW = 19 * FINGERPRINT_STEP + 4096,
    FINGERPRINT_FIRST_MS = 10 * 60 * 1000, /* of the beginning, at most */
    FINGERPRINT_LEAST_MS =
        3 * 60 * 1000,                   /* of a short film's beginning, where half of it is more */
    FINGERPRINT_LAST_MS = 5 * 60 * 1000, /* of the end, at most */
    FINGERPRINT_MOST = 5000,             /* items of a part: more than ten minutes */
    FINGERPRINT_BYTES = 2 * (16 + 4 * FINGERPRINT_MOST), /* of all, at most */
};

struct fingerprint_part {
    int64_t begin_ms, end_ms; /* media time of what was heard */
    uint32_t *items;
    uint32_t count;
};

/* The first part ends, and the last one begins, where the film's half is at the latest. */
struct fingerprint {
    struct fingerprint_part first, last;
};

/* Where the parts of a film of that length are; no items. */
void fingerprint_place(int64_t film_ms, struct fingerprint *out);
void fingerprint_fini(struct fingerprint *fingerprint);

void fingerprint_write(const struct fingerprint *fingerprint, struct str *out);
/* Trusts nothing. BAD_INPUT with the reason. */
MUST_CHECK enum err fingerprint_read(const uint8_t *bytes, size_t size, struct fingerprint *out,
                                     struct why *why);

/* How many ms after a part's begin its item `n` begins. */
static inline int64_t fingerprint_item_ms(int64_t n)
{
    return n * FINGERPRINT_STEP * 1000 / FINGERPRINT_RATE;
}
