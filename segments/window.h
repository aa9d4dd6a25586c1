/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small view into the film for those who read headers between payloads: each look brings a page
 * or so, and no more than is there, so that nobody waits for bytes that were not asked for.
 * Threads: each window belongs to one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/input.h"

/* A page: holds the longest header we look at (a laced block's), and costs little to copy. */
#define WINDOW_BYTES 4096

struct window {
    struct reader *reader; /* borrowed */
    uint64_t start;
    size_t length;
    uint8_t bytes[WINDOW_BYTES];
};

void window_init(struct window *window, struct reader *reader);
/* Lends `need` (<= WINDOW_BYTES) bytes at `offset` until the next call. NOT_FOUND: the file ends
 * before. IO, CANCELLED, GONE. */
MUST_CHECK enum err window_get(struct window *window, uint64_t offset, size_t need,
                               const uint8_t **out);
/* Lends from 1 up to `most` bytes: fewer only where the file ends. NOT_FOUND: at its end. */
MUST_CHECK enum err window_peek(struct window *window, uint64_t offset, size_t most,
                                const uint8_t **out, size_t *got);
/* Reads all of [offset, offset+size) into memory, the caller's (mem_free). LIMIT: more than
 * `limit`; NOT_FOUND: the file ends before. */
MUST_CHECK enum err window_load(struct reader *reader, uint64_t offset, uint64_t size,
                                uint64_t limit, uint8_t **out);
