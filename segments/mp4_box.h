/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boxes (ISO 14496-12 4.2): in the film, and inside one that was loaded. Every size is checked
 * against what holds it. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/window.h"

#define MP4_TYPE(a, b, c, d)                                                                       \
    ((uint32_t) (uint8_t) (a) << 24 | (uint32_t) (uint8_t) (b) << 16 |                             \
     (uint32_t) (uint8_t) (c) << 8 | (uint32_t) (uint8_t) (d))

/* Boxes at one level; films have tens, and whoever writes more wants to keep us busy. */
#define MP4_MAX_BOXES 20000

struct mp4_box {
    uint32_t type;
    uint64_t data, end; /* file offsets */
};

/* The box at *at, which moves past it; its end is cut at `end`. NOT_FOUND: no more boxes. */
MUST_CHECK enum err mp4_next_box(struct window *window, uint64_t *at, uint64_t end,
                                 struct mp4_box *out);

/* Lends the first `size` bytes of the box's data; NOT_FOUND: it has fewer. */
MUST_CHECK enum err mp4_get_data(struct window *window, const struct mp4_box *box, size_t size,
                                 const uint8_t **out);
/* A missing or short box is passed over; what fails for good is passed on. */
static inline enum err mp4_forgive(enum err err)
{
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Boxes in memory. */
struct mp4_bytes {
    const uint8_t *at;
    size_t left;
};
struct mp4_part {
    uint32_t type;
    struct mp4_bytes body; /* borrowed */
    struct mp4_bytes all;  /* with its header */
};
bool mp4_next_part(struct mp4_bytes *bytes, struct mp4_part *out);
/* The first child of that type; body.at is NULL when there is none. */
struct mp4_part mp4_find_part(struct mp4_bytes bytes, uint32_t type);

/* Big-endian numbers; the caller has checked that they are there. */
static inline uint16_t mp4_u16(const uint8_t *at)
{
    return (uint16_t) (at[0] << 8 | at[1]);
}
static inline uint32_t mp4_u32(const uint8_t *at)
{
    uint32_t value;
    __builtin_memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}
static inline uint64_t mp4_u64(const uint8_t *at)
{
    return (uint64_t) mp4_u32(at) << 32 | mp4_u32(at + 4);
}
