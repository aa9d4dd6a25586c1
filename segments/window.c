/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/window.h"

#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

void window_init(struct window *window, struct reader *reader)
{
    window->reader = reader;
    window->start = 0;
    window->length = 0;
}

/* How much to read at `offset` when `need` is asked for: a whole window where that is there, else
 * to the end of the block that must be waited for anyway. */
static size_t fill_size(const struct window *window, uint64_t offset, size_t need)
{
    uint64_t left = input_size(window->reader->input) - offset;
    size_t most = left < WINDOW_BYTES ? (size_t) left : WINDOW_BYTES;
    if (reader_has(window->reader, offset, most))
        return most;
    uint64_t block_end = ((offset + need - 1) / INPUT_BLOCK_BYTES + 1) * INPUT_BLOCK_BYTES;
    uint64_t to_end = block_end - offset;
    return to_end < most ? (size_t) to_end : most;
}

enum err window_get(struct window *window, uint64_t offset, size_t need, const uint8_t **out)
{
    MUST(need > 0 && need <= WINDOW_BYTES);
    uint64_t size = input_size(window->reader->input);
    if (offset >= size || need > size - offset)
        return ERR_NOT_FOUND;
    if (offset < window->start || offset - window->start > window->length ||
        need > window->length - (size_t) (offset - window->start)) {
        size_t got = 0;
        window->length = 0;
        enum err err = reader_read(window->reader, window->bytes, fill_size(window, offset, need),
                                   offset, &got);
        if (err != OK)
            return err;
        window->start = offset;
        window->length = got;
    }
    *out = window->bytes + (offset - window->start);
    return OK;
}

enum err window_peek(struct window *window, uint64_t offset, size_t most, const uint8_t **out,
                     size_t *got)
{
    uint64_t size = input_size(window->reader->input);
    if (offset >= size)
        return ERR_NOT_FOUND;
    size_t take = most < size - offset ? most : (size_t) (size - offset);
    enum err err = window_get(window, offset, take, out);
    if (err == OK)
        *got = take;
    return err;
}

/* Large tables: one call instead of a fault for every page. Where the kernel does not know it, pages come by
 * themselves. */
static void populate(uint8_t *bytes, size_t size)
{
    enum { PAGE = 4096, LEAST = 1 << 20 };
    size_t before = (PAGE - (uintptr_t) bytes % PAGE) % PAGE;
    if (size >= LEAST)
        (void) madvise(bytes + before, (size - before) / PAGE * PAGE, MADV_POPULATE_WRITE);
}

enum err window_load(struct reader *reader, uint64_t offset, uint64_t size, uint64_t limit,
                     uint8_t **out)
{
    uint64_t file = input_size(reader->input);
    if (size > limit)
        return ERR_LIMIT;
    if (offset > file || size > file - offset)
        return ERR_NOT_FOUND;
    uint8_t *bytes = mem_new_array(uint8_t, size > 0 ? (size_t) size : 1);
    size_t got = 0;
    populate(bytes, (size_t) size);
    enum err err = reader_read(reader, bytes, (size_t) size, offset, &got);
    if (err == OK)
        *out = bytes;
    else
        mem_free(bytes);
    return err;
}
