/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/nal_bits.h"

void nal_bits_init(struct nal_bits *bits, const uint8_t *at, size_t size)
{
    *bits = (struct nal_bits){.at = at, .left = size};
}

static void next_byte(struct nal_bits *bits)
{
    if (bits->left > 0 && bits->zeros >= 2 && *bits->at == 3 && !bits->is_plain) {
        bits->at++;
        bits->left--;
        bits->zeros = 0;
    }
    bits->bits = 8;
    if (bits->left == 0) {
        bits->is_over = true;
        bits->byte = 0;
        return;
    }
    bits->byte = *bits->at++;
    bits->left--;
    bits->zeros = bits->byte == 0 ? bits->zeros + 1 : 0;
}

uint32_t nal_bits_u(struct nal_bits *bits, unsigned count)
{
    uint32_t value = 0;
    while (count > 0) {
        if (bits->bits == 0)
            next_byte(bits);
        unsigned take = count < bits->bits ? count : bits->bits;
        bits->bits -= take;
        uint32_t piece = (uint32_t) (bits->byte >> bits->bits) & ((1U << take) - 1);
        value = (uint32_t) ((uint64_t) value << take) | piece;
        count -= take;
    }
    return value;
}

bool nal_bits_flag(struct nal_bits *bits)
{
    return nal_bits_u(bits, 1) != 0;
}

void nal_bits_skip(struct nal_bits *bits, unsigned count)
{
    for (; count > 32; count -= 32)
        (void) nal_bits_u(bits, 32);
    (void) nal_bits_u(bits, count);
}

uint32_t nal_bits_ue(struct nal_bits *bits)
{
    unsigned zeros = 0;
    while (!bits->is_over && zeros < 32 && !nal_bits_flag(bits))
        zeros++;
    if (bits->is_over || zeros >= 32) {
        bits->is_over = true;
        return 0;
    }
    return ((uint32_t) 1 << zeros) - 1 + nal_bits_u(bits, zeros);
}

int32_t nal_bits_se(struct nal_bits *bits)
{
    uint32_t code = nal_bits_ue(bits);
    int64_t half = ((int64_t) code + 1) / 2;
    return (int32_t) ((code & 1) != 0 ? half : -half);
}
