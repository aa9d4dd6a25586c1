/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The film's bytes as the engine reads them: an fd of a file that may still be filling, its final
 * size, and a map of the blocks that are there (one bit = 64 KiB, set when all of it is readable;
 * written by the server only, decision 18; block i is bit i % 8 of byte i / 8). A read of a missing block says WANT through `ops` and
 * sleeps until input_wake or the reader is cancelled. Never hands out bytes that are not there.
 * Threads: any number of readers; each struct reader belongs to one. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define INPUT_BLOCK_BYTES (64 * 1024)

struct input;

struct input_ops {
    /* Says that [offset, offset+length) is wanted by a reader that now sleeps. Any thread. */
    void (*want)(void *ctx, uint64_t offset, uint64_t length);
};

/* Takes both fds (-1 afterwards, on failure too). `map` may be -1: all of the file is there. IO. */
MUST_CHECK enum err input_open(int *film, int *map, uint64_t size, const struct input_ops *ops,
                               void *ctx, struct input **out);
void input_close(struct input **input);
uint64_t input_size(const struct input *input);
bool input_is_whole(const struct input *input);
/* Blocks have arrived: sleeping reads look again. Any thread. */
void input_wake(struct input *input);

/* A reader can be cancelled: its sleeping and later reads answer CANCELLED. Plain value, borrowed
 * by the calls. `bytes_read` counts what was read, for tests and budgets. */
struct reader {
    struct input *input;
    _Atomic bool *cancelled; /* may be NULL; after setting it, input_wake */
    uint64_t bytes_read;
    /* Hears of each read, in its thread: the disk may be slow, but it moves. May be NULL. */
    void (*heard)(void *ctx, size_t bytes);
    void *heard_ctx;
};

/* Reads up to `size` bytes at `offset`, fewer only at the end of the file; *got says how many.
 * IO, CANCELLED, GONE: the file is shorter than it was. */
MUST_CHECK enum err reader_read(struct reader *reader, void *into, size_t size, uint64_t offset,
                                size_t *got);
/* True when all of [offset, offset+length) is there now. */
bool reader_has(const struct reader *reader, uint64_t offset, uint64_t length);
