/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks of a sparse file are there, in memory shared with media processes (decision 18): one bit
 * a block of 64 KiB, block i is bit i % 8 of byte i / 8, set when every byte of it can be read. Only we
 * write it: what is handed out is an fd that reads, of a file that can neither grow nor shrink.
 * Threads: one writer; readers any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MAP_BLOCK_BYTES (64 * 1024)

struct map;

/* Of a file of `size` bytes, nothing of it there. BUSY: no fd left; IO. */
MUST_CHECK enum err map_new(uint64_t size, struct map **out);
void map_free(struct map **map);
/* Lent: for reading alone. */
int map_fd(const struct map *map);
/* What was written to the file before is seen by whoever sees the bit. */
void map_set(struct map *map, uint64_t block, bool is_there);
bool map_has_block(const struct map *map, uint64_t block);
/* True when all blocks of [offset, +length) are there. */
bool map_has(const struct map *map, uint64_t offset, uint64_t length);
