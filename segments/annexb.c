/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/annexb.h"

#include "base/mem.h"
#include "segments/box.h"
#include "segments/nal.h"
#include "segments/nal_bits.h"

enum {
    H264_SEI = 6,
    H264_SPS = 7,
    H264_PPS = 8,
    H264_DELIMITER = 9,
    HEVC_VPS = 32,
    HEVC_SPS = 33,
    HEVC_PPS = 34,
    HEVC_DELIMITER = 35,
    HEVC_PREFIX_SEI = 39,
    SEI_USER_DATA_UNREGISTERED = 5
};

/* --- units --- */

/* Where the bytes 0, 0 and then 0 or 1 stand first, from `at` on; `size` where they do not. */
static size_t find_mark(const uint8_t *bytes, size_t size, size_t at)
{
    while (at + 3 <= size) {
        if (bytes[at + 2] > 1)
            at += 3;
        else if (bytes[at] == 0 && bytes[at + 1] == 0)
            return at;
        else
            at++;
    }
    return size;
}

/* One unit, from *at on, which moves behind it; false at the end. */
static bool next_unit(const uint8_t *bytes, size_t size, size_t *at, struct slice *out)
{
    size_t end = *at;

    for (;;) {
        size_t begin = find_mark(bytes, size, end);
        while (begin < size && bytes[begin + 2] == 0)
            begin = find_mark(bytes, size, begin + 1);
        if (begin >= size)
            return false;
        begin += 3;
        *at = end = find_mark(bytes, size, begin);
        *out = (struct slice){(const char *) bytes + begin, end - begin};
        if (end > begin)
            return true;
    }
}

static size_t header_size(enum plan_codec codec)
{
    return codec == CODEC_HEVC ? 2 : 1;
}

static unsigned type_of(enum plan_codec codec, struct slice unit)
{
    uint8_t first = (uint8_t) unit.at[0];

    return codec == CODEC_HEVC ? first >> 1 & 0x3f : first & 0x1f;
}

/* --- configurations --- */

/* The sets of a type, each behind its length; `*first`: the first of them, "" where there is none. */
static unsigned put_sets(enum plan_codec codec, const uint8_t *bytes, size_t size, unsigned type,
                         struct str *out, struct slice *first)
{
    enum { MOST = NAL_MAX_SETS / 3, LEAST_BYTES = 4 };
    struct slice unit;
    unsigned count = 0;

    *first = (struct slice){0};
    for (size_t at = 0; next_unit(bytes, size, &at, &unit);) {
        while (unit.length > 0 && unit.at[unit.length - 1] == 0) /* trailing_zero_8bits */
            unit.length--;
        if (unit.length < LEAST_BYTES || unit.length > UINT16_MAX || type_of(codec, unit) != type ||
            count == MOST)
            continue;
        if (count == 0)
            *first = unit;
        box_u16(out, (unsigned) unit.length);
        str_append(out, unit.at, unit.length);
        count++;
    }
    return count;
}

static enum err put_avcc(const uint8_t *bytes, size_t size, struct str *out)
{
    enum { PROFILE_HIGH = 100 };
    CLEANUP(str_fini) struct str sps = {0};
    CLEANUP(str_fini) struct str pps = {0};
    struct slice first, unused;
    unsigned sps_count = put_sets(CODEC_H264, bytes, size, H264_SPS, &sps, &first);
    unsigned pps_count = put_sets(CODEC_H264, bytes, size, H264_PPS, &pps, &unused);

    if (sps_count == 0 || pps_count == 0)
        return ERR_BAD_MEDIA;
    box_u8(out, 1);
    str_append(out, first.at + 1, 3); /* profile, constraints, level */
    box_u8(out, 0xff);                /* lengths of 4 bytes */
    box_u8(out, 0xe0 | sps_count);
    str_append(out, sps.at, sps.length);
    box_u8(out, pps_count);
    str_append(out, pps.at, pps.length);
    if ((uint8_t) first.at[1] == PROFILE_HIGH) { /* 4:2:0, 8 bit, no SPS extensions */
        box_u8(out, 0xfc | 1);
        box_u8(out, 0xf8);
        box_u8(out, 0xf8);
        box_u8(out, 0);
    }
    return OK;
}

/* Of the first sequence parameter set (ITU-T H.265 7.3.2.2.1): general_profile_space to general_level_idc
 * as they stand there, then what it says of its samples. */
static enum err put_hvcc_head(struct slice sps, struct str *out)
{
    enum { GENERAL_BYTES = 12 };
    struct nal_video video;
    struct nal_bits bits;

    if (nal_read_sps(CODEC_HEVC, (const uint8_t *) sps.at, sps.length, &video) != OK ||
        video.chroma_format != 1)
        return ERR_BAD_MEDIA;
    nal_bits_init(&bits, (const uint8_t *) sps.at + 2, sps.length - 2);
    nal_bits_skip(&bits, 4);
    unsigned layers = nal_bits_u(&bits, 3) + 1;
    unsigned is_nested = nal_bits_flag(&bits) ? 1 : 0;
    box_u8(out, 1);
    for (int i = 0; i < GENERAL_BYTES; i++)
        box_u8(out, nal_bits_u(&bits, 8));
    box_u16(out, 0xf000); /* min_spatial_segmentation_idc: not told */
    box_u8(out, 0xfc);    /* parallelismType: not told */
    box_u8(out, 0xfc | video.chroma_format);
    box_u8(out, 0xf8 | (video.bit_depth - 8u));
    box_u8(out, 0xf8 | (video.bit_depth - 8u));
    box_u16(out, 0);                                /* avgFrameRate: not told */
    box_u8(out, layers << 3 | is_nested << 2 | 3u); /* lengths of 4 bytes */
    return OK;
}

static enum err put_hvcc(const uint8_t *bytes, size_t size, struct str *out)
{
    static const unsigned types[] = {HEVC_VPS, HEVC_SPS, HEVC_PPS};
    enum { TYPES = sizeof types / sizeof *types, IS_COMPLETE = 0x80 };
    CLEANUP(str_fini) struct str arrays = {0};
    struct slice sps = {0};

    for (int i = 0; i < TYPES; i++) {
        CLEANUP(str_fini) struct str sets = {0};
        struct slice first;
        unsigned count = put_sets(CODEC_HEVC, bytes, size, types[i], &sets, &first);
        if (count == 0)
            return ERR_BAD_MEDIA;
        if (types[i] == HEVC_SPS)
            sps = first;
        box_u8(&arrays, IS_COMPLETE | types[i]);
        box_u16(&arrays, count);
        str_append(&arrays, sets.at, sets.length);
    }
    if (put_hvcc_head(sps, out) != OK)
        return ERR_BAD_MEDIA;
    box_u8(out, TYPES);
    str_append(out, arrays.at, arrays.length);
    return OK;
}

enum err annexb_config(enum plan_codec codec, const uint8_t *bytes, size_t size, struct str *out)
{
    return codec == CODEC_HEVC ? put_hvcc(bytes, size, out) : put_avcc(bytes, size, out);
}

/* --- samples --- */

/* Parameter sets stand in the initial segment alone under `avc1` and `hvc1` (ISO 14496-15 5.3.2, 8.3.2). */
static bool is_left_out(enum plan_codec codec, struct slice unit)
{
    unsigned type = type_of(codec, unit);
    size_t header = header_size(codec);

    if (unit.length <= header)
        return true;
    if (type == (codec == CODEC_HEVC ? HEVC_PREFIX_SEI : H264_SEI))
        return unit.at[header] == SEI_USER_DATA_UNREGISTERED;
    if (codec == CODEC_HEVC)
        return type >= HEVC_VPS && type <= HEVC_DELIMITER;
    return type == H264_SPS || type == H264_PPS || type == H264_DELIMITER;
}

enum err annexb_append(enum plan_codec codec, const uint8_t *bytes, size_t size, struct str *out,
                       uint32_t *appended)
{
    size_t before = out->length;
    struct slice unit;

    for (size_t at = 0; next_unit(bytes, size, &at, &unit);) {
        if (is_left_out(codec, unit))
            continue;
        box_u32(out, (uint32_t) unit.length);
        str_append(out, unit.at, unit.length);
    }
    if (out->length == before || out->length - before > UINT32_MAX)
        return ERR_BAD_MEDIA;
    *appended = (uint32_t) (out->length - before);
    return OK;
}
