/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/codec_config.h"

#include <stdbool.h>
#include <string.h>

#include "segments/container_build.h"
#include "segments/nal.h"
#include "segments/nal_bits.h"

static const char *fill_nal(struct plan_track *track)
{
    struct nal_config config;
    if (nal_config_read(track->codec, track->extradata, track->extradata_size, &config) != OK)
        return "its decoder configuration is missing or damaged";
    if (!config.has_video)
        return "its parameter sets are not in the container's header";
    const struct nal_video *video = &config.video;
    if (track->width == 0 || track->height == 0) {
        track->width = video->width;
        track->height = video->height;
    }
    if (track->sar_num == 0)
        container_set_sar(track, video->sar_num, video->sar_den);
    track->bit_depth = video->bit_depth;
    track->reorder = video->reorder;
    if (video->has_colour && track->color_primaries == 0 && track->color_transfer == 0 &&
        track->color_matrix == 0) {
        track->color_primaries = video->primaries;
        track->color_transfer = video->transfer;
        track->color_matrix = video->matrix;
    }
    track->is_full_range = track->is_full_range || video->is_full_range;
    return NULL;
}

/* av1C (AV1 in ISOBMFF 2.3.3). */
static const char *fill_av1(struct plan_track *track)
{
    const uint8_t *at = track->extradata;
    if (track->extradata_size < 4 || at[0] != 0x81)
        return "its decoder configuration is missing or damaged";
    bool is_high = (at[2] & 0x40) != 0, is_twelve = (at[2] & 0x20) != 0;
    track->bit_depth = is_high ? (is_twelve ? 12 : 10) : 8;
    return NULL;
}

/* vpcC (VP codec ISO media file format binding): in mp4 only; its body begins with a version. */
static const char *fill_vp9(struct plan_track *track)
{
    const uint8_t *at = track->extradata;
    if (track->extradata_size >= 12 && at[0] == 1) {
        track->bit_depth = at[6] >> 4;
        track->is_full_range = track->is_full_range || (at[6] & 1) != 0;
        if (track->color_primaries == 0 && track->color_transfer == 0) {
            track->color_primaries = at[7];
            track->color_transfer = at[8];
            track->color_matrix = at[9];
        }
    }
    return NULL;
}

/* STREAMINFO (RFC 9639 8.2). */
static const char *fill_flac(struct plan_track *track)
{
    const uint8_t *at = track->extradata;
    if (track->extradata_size < 34)
        return "its STREAMINFO is missing";
    uint32_t least = (uint32_t) (at[0] << 8 | at[1]), most = (uint32_t) (at[2] << 8 | at[3]);
    uint32_t rate = (uint32_t) at[10] << 12 | (uint32_t) at[11] << 4 | at[12] >> 4;
    if (rate != 0)
        track->rate = rate;
    track->channels = (at[12] >> 1 & 7) + 1U;
    track->frame_size = least == most ? most : 0;
    return NULL;
}

/* OpusHead (RFC 7845 5.1): always 48 kHz when decoded. */
static const char *fill_opus(struct plan_track *track)
{
    const uint8_t *at = track->extradata;
    if (track->extradata_size < 19 || memcmp(at, "OpusHead", 8) != 0)
        return "its OpusHead is missing";
    track->rate = 48000;
    track->channels = at[9];
    return NULL;
}

static uint32_t take_aac_rate(struct nal_bits *bits)
{
    static const uint32_t rates[16] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
                                       16000, 12000, 11025, 8000,  7350,  0,     0,     0};
    uint32_t index = nal_bits_u(bits, 4);
    return index == 15 ? nal_bits_u(bits, 24) : rates[index];
}

static uint32_t take_aac_object(struct nal_bits *bits)
{
    uint32_t object = nal_bits_u(bits, 5);
    return object == 31 ? 32 + nal_bits_u(bits, 6) : object;
}

/* The backward-compatible sign of SBR (1.6.5.3), looked for bit by bit as libavcodec does; the rate
 * with it, or 0. */
static uint32_t find_sbr(struct nal_bits bits)
{
    enum { SYNC = 0x2B7, SYNC_BITS = 11, OBJECT_SBR = 5 };
    uint32_t seen = nal_bits_u(&bits, SYNC_BITS);
    while (!bits.is_over && seen != SYNC)
        seen = (seen << 1 | nal_bits_u(&bits, 1)) & 0x7FF;
    if (bits.is_over || take_aac_object(&bits) != OBJECT_SBR || !nal_bits_flag(&bits))
        return 0;
    uint32_t rate = take_aac_rate(&bits);
    return bits.is_over ? 0 : rate;
}

/* AudioSpecificConfig (ISO 14496-3 1.6.2.1). With SBR the decoder's rate is the extension's, and a
 * packet gives twice as many samples. */
static const char *fill_aac(struct plan_track *track)
{
    static const uint8_t channels[8] = {0, 1, 2, 3, 4, 5, 6, 8};
    struct nal_bits bits;
    if (track->extradata_size < 2)
        return "its AudioSpecificConfig is missing";
    nal_bits_init(&bits, track->extradata, track->extradata_size);
    bits.is_plain = true;
    uint32_t object = take_aac_object(&bits), rate = take_aac_rate(&bits);
    uint32_t layout = nal_bits_u(&bits, 4), output = rate;
    if (object == 5 || object == 29) { /* SBR, PS: said openly */
        output = take_aac_rate(&bits);
        object = take_aac_object(&bits);
    }
    uint32_t samples = object <= 4 && nal_bits_flag(&bits) ? 960 : 1024;
    uint32_t hidden = output == rate ? find_sbr(bits) : 0;
    output = hidden != 0 ? hidden : output;
    if (bits.is_over || rate == 0 || rate > 96000 || output > 192000)
        return "its AudioSpecificConfig is damaged";
    track->rate = output;
    track->frame_size = output == 2 * rate ? 2 * samples : samples;
    if (layout > 0 && layout < 8)
        track->channels = channels[layout];
    return NULL;
}

const char *codec_config_fill(struct plan_track *track)
{
    switch (track->codec) {
    case CODEC_H264:
    case CODEC_HEVC:
        return fill_nal(track);
    case CODEC_AV1:
        return fill_av1(track);
    case CODEC_VP9:
        return fill_vp9(track);
    case CODEC_FLAC:
        return fill_flac(track);
    case CODEC_OPUS:
        return fill_opus(track);
    case CODEC_AAC:
        return fill_aac(track);
    case CODEC_AC3:
    case CODEC_EAC3:
    case CODEC_MP3:
    case CODEC_OTHER:
    case CODEC_COUNT:
        return NULL;
    }
    return NULL;
}
