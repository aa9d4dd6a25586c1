/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads that wait for blocks. The order that makes it safe (decision 18): look at the bits, read,
 * look again, and throw away what was read if a bit is gone. A sleeper remembers the count of
 * wakes from before it looked, so that no wake is lost. */
#include "segments/input.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/fd.h"
#include "base/mem.h"

/* A sleeper looks again by itself this often, should a wake be lost on the way to us. */
#define LOOK_AGAIN_MS 1000

struct input {
    /* fixed after open */
    int film;
    uint64_t size;
    const uint8_t *map; /* NULL: whole */
    size_t map_bytes;
    const struct input_ops *ops;
    void *ctx;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    uint64_t wakes;
};

static enum err map_blocks(int fd, uint64_t size, const uint8_t **map, size_t *map_bytes)
{
    uint64_t blocks = size / INPUT_BLOCK_BYTES + (size % INPUT_BLOCK_BYTES != 0);
    uint64_t bytes = blocks / 8 + (blocks % 8 != 0);
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size < 0 || (uint64_t) status.st_size < bytes)
        return ERR_IO;
    *map_bytes = bytes > 0 ? (size_t) bytes : 1;
    void *at = mmap(NULL, *map_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return ERR_IO;
    *map = at;
    return OK;
}

static void init_waiting(struct input *input)
{
    cond_init(&input->woken);
    MUST(pthread_mutex_init(&input->lock, NULL) == 0);
}

enum err input_open(int *film, int *map, uint64_t size, const struct input_ops *ops, void *ctx,
                    struct input **out)
{
    CLEANUP(fd_close) int film_fd = fd_take(film);
    CLEANUP(fd_close) int map_fd = fd_take(map);
    const uint8_t *bits = NULL;
    size_t map_bytes = 0;
    if (film_fd < 0 || size > INT64_MAX)
        return ERR_IO;
    if (map_fd >= 0) {
        enum err err = map_blocks(map_fd, size, &bits, &map_bytes);
        if (err != OK)
            return err;
    }
    struct input *input = mem_new(struct input);
    *input = (struct input){.size = size, .map = bits, .map_bytes = map_bytes, .ops = ops};
    input->film = fd_take(&film_fd);
    input->ctx = ctx;
    init_waiting(input);
    *out = input;
    return OK;
}

void input_close(struct input **input)
{
    struct input *old = *input;
    *input = NULL;
    if (old == NULL)
        return;
    if (old->map != NULL)
        munmap((void *) (uintptr_t) old->map, old->map_bytes);
    fd_close(&old->film);
    pthread_cond_destroy(&old->woken);
    pthread_mutex_destroy(&old->lock);
    mem_free(old);
}

uint64_t input_size(const struct input *input)
{
    return input->size;
}

static bool has_block(const struct input *input, uint64_t block)
{
    uint8_t bits = __atomic_load_n(&input->map[block / 8], __ATOMIC_ACQUIRE);
    return (bits >> (block % 8) & 1) != 0;
}

/* The part of [offset, offset+length) from its first missing block to its last missing block, whole
 * blocks; false: nothing is missing. The range lies inside the file. */
static bool find_missing(const struct input *input, uint64_t offset, uint64_t length,
                         uint64_t *missing_at, uint64_t *missing_length)
{
    if (input->map == NULL || length == 0)
        return false;
    uint64_t first = offset / INPUT_BLOCK_BYTES;
    uint64_t last = (offset + length - 1) / INPUT_BLOCK_BYTES;
    while (first <= last && has_block(input, first))
        first++;
    if (first > last)
        return false;
    while (last > first && has_block(input, last))
        last--;
    uint64_t end = (last + 1) * INPUT_BLOCK_BYTES;
    *missing_at = first * INPUT_BLOCK_BYTES;
    *missing_length = (end < input->size ? end : input->size) - *missing_at;
    return true;
}

bool input_is_whole(const struct input *input)
{
    uint64_t at, length;
    return !find_missing(input, 0, input->size, &at, &length);
}

void input_wake(struct input *input)
{
    pthread_mutex_lock(&input->lock);
    input->wakes++;
    pthread_cond_broadcast(&input->woken);
    pthread_mutex_unlock(&input->lock);
}

static uint64_t count_wakes(struct input *input)
{
    pthread_mutex_lock(&input->lock);
    uint64_t wakes = input->wakes;
    pthread_mutex_unlock(&input->lock);
    return wakes;
}

static bool is_cancelled(const struct reader *reader)
{
    return reader->cancelled != NULL && atomic_load(reader->cancelled);
}

/* False: nobody woke us, it is only time to look again. */
static bool sleep_until_woken(struct reader *reader, uint64_t wakes)
{
    struct input *input = reader->input;
    int64_t until_ms = clock_mono_ms() + LOOK_AGAIN_MS;
    bool is_in_time = true;
    pthread_mutex_lock(&input->lock);
    while (input->wakes == wakes && !is_cancelled(reader) && is_in_time)
        is_in_time = cond_wait(&input->woken, &input->lock, until_ms);
    pthread_mutex_unlock(&input->lock);
    return is_in_time;
}

/* Returns when all of the range is there. Wants are said once, and again when nothing has come for a
 * while: what was wanted may have come and gone. CANCELLED. */
static enum err wait_for(struct reader *reader, uint64_t offset, uint64_t length)
{
    struct input *input = reader->input;
    uint64_t wanted_at = UINT64_MAX, wanted_length = 0;
    for (;;) {
        if (is_cancelled(reader))
            return ERR_CANCELLED;
        uint64_t wakes = count_wakes(input);
        uint64_t at, missing;
        if (!find_missing(input, offset, length, &at, &missing))
            return OK;
        if ((at != wanted_at || missing != wanted_length) && input->ops != NULL)
            input->ops->want(input->ctx, at, missing);
        wanted_at = at;
        wanted_length = missing;
        if (!sleep_until_woken(reader, wakes))
            wanted_at = UINT64_MAX;
    }
}

bool reader_has(const struct reader *reader, uint64_t offset, uint64_t length)
{
    const struct input *input = reader->input;
    uint64_t at, missing;
    if (offset >= input->size || length > input->size - offset)
        return false;
    return !find_missing(input, offset, length, &at, &missing);
}

enum err reader_read(struct reader *reader, void *into, size_t size, uint64_t offset, size_t *got)
{
    struct input *input = reader->input;
    uint64_t length = 0;
    if (offset < input->size)
        length = size < input->size - offset ? size : input->size - offset;
    for (;;) {
        enum err err = wait_for(reader, offset, length);
        if (err != OK)
            return err;
        size_t read = 0;
        err = fd_read_at(input->film, into, (size_t) length, offset, &read);
        if (err != OK)
            return err;
        reader->bytes_read += read;
#ifndef __SANITIZE_THREAD__ /* which does not know fences */
        atomic_thread_fence(memory_order_seq_cst);
#endif
        uint64_t at, missing;
        if (find_missing(input, offset, length, &at, &missing))
            continue; /* taken away while we read: what we have may be a hole's zeros */
        if (read < length)
            return ERR_GONE;
        if (reader->heard != NULL)
            reader->heard(reader->heard_ctx, read);
        *got = read;
        return OK;
    }
}
