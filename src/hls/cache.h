/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finished transcodes, kept as files until the byte budget asks for the room; they survive restarts
 * (decision 21). An entry is one file, named after the hash of what it was made from: a header with
 * the same hash, the ETag and a checksum, then the segment.
 * Life of an entry: absent -> held (cache_put) -> dropped (least recently used first, or damaged).
 * Threads: any; the calls that touch the disk sleep. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "hls/segment.h"

struct cache;

struct cache_key {
    uint8_t hash[32];
};

/* Makes the folder where it is missing, reads what is there. IO, REFUSED: why names the folder. */
MUST_CHECK enum err cache_open(const char *folder, uint64_t budget_bytes, struct cache **out,
                               struct why *why);
void cache_close(struct cache **cache);

/* True when it was held a moment ago. Never sleeps. */
bool cache_has(struct cache *cache, const struct cache_key *key);
/* Keeps `size` bytes of `fd`. LIMIT: larger than the budget, or no room on the disk even after
 * evictions; IO. Nothing is left behind then. Sleeps. */
MUST_CHECK enum err cache_put(struct cache *cache, const struct cache_key *key, int fd,
                              uint64_t size, const char *tag);
/* A held segment, done. A damaged one is dropped. NOT_FOUND. Sleeps. */
MUST_CHECK enum err cache_find(struct cache *cache, const struct cache_key *key,
                               struct segment **out);
uint64_t cache_bytes(struct cache *cache);
