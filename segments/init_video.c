/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/mem.h"
#include "segments/box.h"
#include "segments/codec.h"
#include "segments/init_entry.h"

#define RESOLUTION_72DPI 0x480000u
#define UNSPECIFIED      2u

static enum err say(struct why *why, const char *text)
{
    return why_set(why, ERR_BAD_MEDIA, NULL, "%s", text);
}

static void put_box(struct str *out, const char type[5], const uint8_t *bytes, size_t size)
{
    size_t box = box_open(out, type);

    str_append(out, bytes, size);
    box_close(out, box);
}

/* AVCDecoderConfigurationRecord: version 1, at least one SPS and one PPS. */
static enum err put_avcc(const struct init_track *track, struct str *out, struct why *why)
{
    const uint8_t *c = track->config;

    if (track->config_size < 7 || c[0] != 1)
        return say(why, "its H.264 headers are not avcC");
    if ((c[5] & 0x1f) == 0)
        return say(why, "its H.264 headers hold no SPS");
    put_box(out, "avcC", c, track->config_size);
    return OK;
}

#define HVCC_HEAD 22

/* One array of an hvcC: appended where it is a VPS, SPS or PPS, as complete (hvc1 has all its sets
 * here; Apple stops at others: SEI). */
static bool copy_hvcc_array(struct bytes *from, struct str *out, unsigned *arrays)
{
    unsigned type = bytes_number(from, 1) & 0x3f;
    uint32_t count = bytes_number(from, 2);
    bool is_wanted = type >= 32 && type <= 34 && count > 0;

    if (is_wanted) {
        box_u8(out, 0x80 | type);
        box_u16(out, count);
        (*arrays)++;
    }
    while (count-- > 0 && !from->is_short) {
        uint32_t size = bytes_number(from, 2);
        if (size > from->left)
            return false;
        if (is_wanted) {
            box_u16(out, size);
            str_append(out, from->at, size);
        }
        bytes_skip(from, size);
    }
    return !from->is_short;
}

/* HEVCDecoderConfigurationRecord (ISO 14496-15 8.3.3.1). */
static enum err put_hvcc(const struct init_track *track, struct str *out, struct why *why)
{
    struct bytes from = {track->config, track->config_size, false};
    size_t box, at;
    unsigned arrays = 0, count;

    if (track->config_size <= HVCC_HEAD || track->config[0] != 1)
        return say(why, "its HEVC headers are not hvcC");
    box = box_open(out, "hvcC");
    str_append(out, from.at, HVCC_HEAD);
    bytes_skip(&from, HVCC_HEAD);
    count = bytes_number(&from, 1);
    at = out->length;
    box_u8(out, 0);
    while (count-- > 0) {
        if (!copy_hvcc_array(&from, out, &arrays))
            return say(why, "its HEVC headers are cut off");
    }
    if (arrays < 3)
        return say(why, "its HEVC headers lack parameter sets");
    out->at[at] = (char) arrays;
    box_close(out, box);
    return OK;
}

static enum err put_av1c(const struct init_track *track, struct str *out, struct why *why)
{
    if (track->config_size < 4 || track->config[0] != 0x81)
        return say(why, "its AV1 headers are not av1C");
    put_box(out, "av1C", track->config, track->config_size);
    return OK;
}

static unsigned color_or(unsigned value, unsigned otherwise)
{
    return value == 0 ? otherwise : value;
}

/* VPCodecConfigurationRecord, read from a key frame: mkv does not carry it. */
static enum err put_vpcc(const struct init_track *track, struct str *out, struct why *why)
{
    struct codec_vp9 vp9;
    size_t box;

    if (codec_vp9_parse(track->packet, track->packet_size, &vp9) != OK)
        return say(why, "its first VP9 frame is no key frame");
    if (!vp9.is_420)
        return say(why, "its VP9 is not 4:2:0");
    box = box_open_full(out, "vpcC", 1, 0);
    box_u8(out, vp9.profile);
    box_u8(out, codec_vp9_level(track->width, track->height, track->fps));
    box_u8(out, (unsigned) vp9.bit_depth << 4 | 1 << 1 | (vp9.is_full_range ? 1 : 0));
    box_u8(out, color_or(track->color_primaries, UNSPECIFIED));
    box_u8(out, color_or(track->color_transfer, UNSPECIFIED));
    box_u8(out, color_or(track->color_matrix, UNSPECIFIED));
    box_u16(out, 0);
    box_close(out, box);
    return OK;
}

static bool is_told(unsigned value)
{
    return value != 0 && value != UNSPECIFIED;
}

static void put_shape_and_color(const struct init_track *t, struct str *out)
{
    size_t box;

    if (is_told(t->color_primaries) || is_told(t->color_transfer) || is_told(t->color_matrix)) {
        box = box_open(out, "colr");
        str_append(out, "nclx", 4);
        box_u16(out, color_or(t->color_primaries, UNSPECIFIED));
        box_u16(out, color_or(t->color_transfer, UNSPECIFIED));
        box_u16(out, color_or(t->color_matrix, UNSPECIFIED));
        box_u8(out, t->is_full_range ? 0x80 : 0);
        box_close(out, box);
    }
    if (t->sar_num > 0 && t->sar_den > 0 && t->sar_num != t->sar_den) {
        box = box_open(out, "pasp");
        box_u32(out, t->sar_num);
        box_u32(out, t->sar_den);
        box_close(out, box);
    }
}

/* VisualSampleEntry (ISO 14496-12 12.1.3). */
static size_t open_entry(const struct init_track *track, const char type[5], struct str *out)
{
    size_t entry = box_open(out, type);

    box_zeros(out, 6);
    box_u16(out, 1);
    box_zeros(out, 16);
    box_u16(out, track->width);
    box_u16(out, track->height);
    box_u32(out, RESOLUTION_72DPI);
    box_u32(out, RESOLUTION_72DPI);
    box_u32(out, 0);
    box_u16(out, 1);
    box_zeros(out, 32);
    box_u16(out, 24);
    box_u16(out, 0xffff);
    return entry;
}

enum err init_video_entry(const struct init_track *track, struct str *out, struct why *why)
{
    static const struct {
        enum plan_codec codec;
        char type[5];
        enum err (*put)(const struct init_track *, struct str *, struct why *);
    } forms[] = {{CODEC_H264, "avc1", put_avcc},
                 {CODEC_HEVC, "hvc1", put_hvcc},
                 {CODEC_AV1, "av01", put_av1c},
                 {CODEC_VP9, "vp09", put_vpcc}};

    if (track->width == 0 || track->height == 0 || track->width > 0xffff || track->height > 0xffff)
        return say(why, "its picture has no size");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].codec == track->codec) {
            size_t entry = open_entry(track, forms[i].type, out);
            enum err err = forms[i].put(track, out, why);
            if (err != OK)
                return err;
            put_shape_and_color(track, out);
            box_close(out, entry);
            return OK;
        }
    }
    return say(why, "its codec has no place in fragmented MP4");
}
