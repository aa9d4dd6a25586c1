/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bits of a NAL unit's payload, emulation prevention bytes left out on the way (H.264 7.4.1, HEVC
 * 7.4.2). Past the end all bits are 0 and `is_over` is set. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nal_bits {
    const uint8_t *at;
    size_t left;
    unsigned zeros; /* zero bytes just before `at` */
    uint8_t byte;
    unsigned bits; /* unread bits of `byte` */
    bool is_over;
    bool is_plain; /* no emulation prevention in these bytes: set after init */
};

void nal_bits_init(struct nal_bits *bits, const uint8_t *at, size_t size);
/* `count` <= 32. */
uint32_t nal_bits_u(struct nal_bits *bits, unsigned count);
bool nal_bits_flag(struct nal_bits *bits);
void nal_bits_skip(struct nal_bits *bits, unsigned count);
/* Exp-Golomb codes (H.264 9.1); more than 32 bits of them set is_over. */
uint32_t nal_bits_ue(struct nal_bits *bits);
int32_t nal_bits_se(struct nal_bits *bits);
