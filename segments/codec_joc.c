/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether E-AC-3 carries objects: it stands at the end of a frame's bit stream information (ETSI TS 102
 * 366 E.1.2.2; TS 103 420 8.3), behind all that may or may not be there before it. */
#include "segments/codec.h"
#include "segments/nal_bits.h"

#define SYNC         0x0b77u
#define MOST_OBJECTS 16

/* Of a frame: what decides which fields follow. */
struct joc_frame {
    unsigned type, rate_code, blocks, acmod;
    bool has_lfe;
};

static void skip_if_told(struct nal_bits *bits, uint32_t count)
{
    if (nal_bits_flag(bits))
        nal_bits_skip(bits, count);
}

/* Two of a kind where two single channels are coded (acmod 0). */
static unsigned programmes(const struct joc_frame *frame)
{
    return frame->acmod == 0 ? 2 : 1;
}

static void skip_programme_mixing(struct nal_bits *bits, const struct joc_frame *frame)
{
    static const uint32_t mix_bits[] = {0, 5, 12};
    for (unsigned i = 0; i < programmes(frame); i++)
        skip_if_told(bits, 6); /* pgmscl */
    skip_if_told(bits, 6);     /* extpgmscl */
    uint32_t mixdef = nal_bits_u(bits, 2);
    nal_bits_skip(bits, mixdef < 3 ? mix_bits[mixdef] : (nal_bits_u(bits, 5) + 2) * 8);
    for (unsigned i = 0; i < programmes(frame) && frame->acmod < 2; i++)
        skip_if_told(bits, 14); /* paninfo */
    if (!nal_bits_flag(bits))   /* frmmixcfginfoe */
        return;
    for (unsigned i = 0; i < frame->blocks; i++)
        if (frame->blocks == 1 || nal_bits_flag(bits))
            nal_bits_skip(bits, 5);
}

static void skip_mixing(struct nal_bits *bits, const struct joc_frame *frame)
{
    if (!nal_bits_flag(bits)) /* mixmdate */
        return;
    if (frame->acmod > 2)
        nal_bits_skip(bits, 2);
    if ((frame->acmod & 1) != 0 && frame->acmod > 2)
        nal_bits_skip(bits, 6);
    if ((frame->acmod & 4) != 0)
        nal_bits_skip(bits, 6);
    if (frame->has_lfe)
        skip_if_told(bits, 5);
    if (frame->type == 0)
        skip_programme_mixing(bits, frame);
}

static void skip_information(struct nal_bits *bits, const struct joc_frame *frame)
{
    if (!nal_bits_flag(bits)) /* infomdate */
        return;
    nal_bits_skip(bits, 3 + 1 + 1);
    if (frame->acmod == 2)
        nal_bits_skip(bits, 4);
    else if (frame->acmod >= 6)
        nal_bits_skip(bits, 2);
    for (unsigned i = 0; i < programmes(frame); i++)
        skip_if_told(bits, 8); /* audprodi */
    if (frame->rate_code < 3)
        nal_bits_skip(bits, 1);
}

static void take_head(struct nal_bits *bits, struct joc_frame *frame)
{
    static const unsigned blocks[] = {1, 2, 3, 6};
    frame->rate_code = nal_bits_u(bits, 2);
    unsigned code = nal_bits_u(bits, 2); /* fscod2 where the rate is half */
    frame->blocks = frame->rate_code == 3 ? 6 : blocks[code];
    frame->acmod = nal_bits_u(bits, 3);
    frame->has_lfe = nal_bits_flag(bits);
    nal_bits_skip(bits, 5); /* bsid */
    for (unsigned i = 0; i < programmes(frame); i++) {
        nal_bits_skip(bits, 5);
        skip_if_told(bits, 8); /* compr */
    }
    if (frame->type == 1)
        skip_if_told(bits, 16); /* chanmap */
}

/* addbsi: seven bits that are not used, flag_ec3_extension_type_a, complexity_index_type_a. */
static uint8_t take_objects(struct nal_bits *bits)
{
    if (!nal_bits_flag(bits) || nal_bits_u(bits, 6) < 1)
        return 0;
    nal_bits_skip(bits, 7);
    bool has_objects = nal_bits_flag(bits);
    uint32_t count = nal_bits_u(bits, 8);
    return has_objects && !bits->is_over && count <= MOST_OBJECTS ? (uint8_t) count : 0;
}

static uint8_t objects_of_frame(const uint8_t *packet, size_t size, size_t *frame_size)
{
    struct nal_bits bits;
    struct joc_frame frame = {0};
    nal_bits_init(&bits, packet, size);
    bits.is_plain = true;
    if (nal_bits_u(&bits, 16) != SYNC)
        return 0;
    frame.type = nal_bits_u(&bits, 2);
    nal_bits_skip(&bits, 3);
    *frame_size = (nal_bits_u(&bits, 11) + 1) * 2;
    take_head(&bits, &frame);
    skip_mixing(&bits, &frame);
    skip_information(&bits, &frame);
    if (frame.type == 0 && frame.blocks != 6)
        nal_bits_skip(&bits, 1); /* convsync */
    if (frame.type == 2 && (frame.blocks == 6 || nal_bits_flag(&bits)))
        nal_bits_skip(&bits, 6);
    return take_objects(&bits);
}

uint8_t codec_eac3_objects(const uint8_t *packet, size_t size)
{
    uint8_t objects = 0;
    for (size_t at = 0, step = 0; at + 6 <= size && objects == 0; at += step) {
        step = 0;
        objects = objects_of_frame(packet + at, size - at, &step);
        if (step == 0)
            break;
    }
    return objects;
}
