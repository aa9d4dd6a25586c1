/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ISO boxes (ISO 14496-12 4.2) as they are written into a growing text, and read back from bytes.
 * Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static inline void box_u8(struct str *out, unsigned value)
{
    str_putc(out, (char) (value & 0xff));
}

static inline void box_u16(struct str *out, unsigned value)
{
    box_u8(out, value >> 8);
    box_u8(out, value);
}

static inline void box_u32(struct str *out, uint32_t value)
{
    box_u16(out, value >> 16);
    box_u16(out, value & 0xffff);
}

static inline void box_u64(struct str *out, uint64_t value)
{
    box_u32(out, (uint32_t) (value >> 32));
    box_u32(out, (uint32_t) value);
}

static inline void box_zeros(struct str *out, size_t count)
{
    while (count-- > 0)
        str_putc(out, '\0');
}

/* Begins a box; what it returns goes to box_close. */
static inline size_t box_open(struct str *out, const char type[5])
{
    size_t at = out->length;

    box_u32(out, 0);
    str_append(out, type, 4);
    return at;
}

static inline size_t box_open_full(struct str *out, const char type[5], unsigned version,
                                   uint32_t flags)
{
    size_t at = box_open(out, type);

    box_u32(out, (uint32_t) version << 24 | flags);
    return at;
}

/* Writes the size of the box that began at `at`. */
static inline void box_close(struct str *out, size_t at)
{
    size_t size = out->length - at;

    MUST(size <= UINT32_MAX);
    for (int i = 0; i < 4; i++)
        out->at[at + (size_t) i] = (char) (size >> (24 - 8 * i) & 0xff);
}

/* Borrowed bytes that are read from the front; reading past the end gives zeros and says so. */
struct bytes {
    const uint8_t *at;
    size_t left;
    bool is_short;
};

static inline uint32_t bytes_number(struct bytes *bytes, unsigned size)
{
    uint32_t value = 0;

    if (bytes->left < size) {
        bytes->is_short = true;
        bytes->left = 0;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | bytes->at[i];
    bytes->at += size;
    bytes->left -= size;
    return value;
}

static inline void bytes_skip(struct bytes *bytes, size_t size)
{
    if (bytes->left < size) {
        bytes->is_short = true;
        size = bytes->left;
    }
    bytes->at += size;
    bytes->left -= size;
}

/* Takes the next box off `from`: its type into `type`, its payload into `inside`. False at the end
 * and where the box is not whole. */
static inline bool bytes_box(struct bytes *from, char type[5], struct bytes *inside)
{
    uint32_t size;

    if (from->left < 8)
        return false;
    size = bytes_number(from, 4);
    memcpy(type, from->at, 4);
    type[4] = '\0';
    bytes_skip(from, 4);
    if (size < 8 || size - 8 > from->left)
        return false;
    *inside = (struct bytes){from->at, size - 8, false};
    bytes_skip(from, size - 8);
    return true;
}
