/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sequence parameter sets: H.264 7.3.2.1.1 and E.1.1, HEVC 7.3.2.2 and E.2.1. */
#include "segments/nal.h"

#include <string.h>

#include "segments/nal_bits.h"

/* Sides beyond these are no film (H.264 level 6.2, HEVC level 6.2: 8192 x 4320). */
#define SIDE_LIMIT 16384

/* H.264 table E-1 and HEVC table E.1. */
static const uint8_t sars[17][2] = {{0, 0},   {1, 1},    {12, 11}, {10, 11}, {16, 11}, {40, 33},
                                    {24, 11}, {20, 11},  {32, 11}, {80, 33}, {18, 11}, {15, 11},
                                    {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}};

static void read_sar(struct nal_bits *bits, struct nal_video *video)
{
    uint32_t index = nal_bits_u(bits, 8);
    if (index == 255) {
        video->sar_num = nal_bits_u(bits, 16);
        video->sar_den = nal_bits_u(bits, 16);
    } else if (index < sizeof sars / sizeof *sars) {
        video->sar_num = sars[index][0];
        video->sar_den = sars[index][1];
    }
    if (video->sar_num == 0 || video->sar_den == 0)
        video->sar_num = video->sar_den = 0;
}

/* The beginning that the VUI of both codecs share, up to the chroma location. */
static void read_vui_head(struct nal_bits *bits, struct nal_video *video)
{
    if (nal_bits_flag(bits))
        read_sar(bits, video);
    if (nal_bits_flag(bits)) /* overscan_info_present_flag */
        nal_bits_skip(bits, 1);
    if (nal_bits_flag(bits)) { /* video_signal_type_present_flag */
        nal_bits_skip(bits, 3);
        video->is_full_range = nal_bits_flag(bits);
        video->has_colour = nal_bits_flag(bits);
        if (video->has_colour) {
            video->primaries = (uint8_t) nal_bits_u(bits, 8);
            video->transfer = (uint8_t) nal_bits_u(bits, 8);
            video->matrix = (uint8_t) nal_bits_u(bits, 8);
        }
    }
    if (nal_bits_flag(bits)) { /* chroma_loc_info_present_flag */
        (void) nal_bits_ue(bits);
        (void) nal_bits_ue(bits);
    }
}

static void skip_h264_hrd(struct nal_bits *bits)
{
    uint32_t count = nal_bits_ue(bits) + 1;
    nal_bits_skip(bits, 8);
    for (uint32_t i = 0; i < count && i < 32 && !bits->is_over; i++) {
        (void) nal_bits_ue(bits);
        (void) nal_bits_ue(bits);
        nal_bits_skip(bits, 1);
    }
    nal_bits_skip(bits, 20);
}

static void read_h264_vui(struct nal_bits *bits, struct nal_video *video)
{
    read_vui_head(bits, video);
    if (nal_bits_flag(bits)) { /* timing_info_present_flag: two ticks are a frame */
        uint32_t units = nal_bits_u(bits, 32), scale = nal_bits_u(bits, 32);
        nal_bits_skip(bits, 1);
        if (units > 0 && scale > 0 && units <= UINT32_MAX / 2) {
            video->fps_num = scale;
            video->fps_den = units * 2;
        }
    }
    bool has_nal_hrd = nal_bits_flag(bits);
    if (has_nal_hrd)
        skip_h264_hrd(bits);
    bool has_vcl_hrd = nal_bits_flag(bits);
    if (has_vcl_hrd)
        skip_h264_hrd(bits);
    if (has_nal_hrd || has_vcl_hrd)
        nal_bits_skip(bits, 1);
    nal_bits_skip(bits, 1);    /* pic_struct_present_flag */
    if (nal_bits_flag(bits)) { /* bitstream_restriction_flag */
        nal_bits_skip(bits, 1);
        for (int i = 0; i < 4; i++)
            (void) nal_bits_ue(bits);
        uint32_t reorder = nal_bits_ue(bits), buffering = nal_bits_ue(bits);
        if (!bits->is_over && reorder <= 16 && buffering <= 16 && reorder <= buffering) {
            video->has_reorder = true;
            video->reorder = (uint8_t) reorder;
        }
    }
}

/* Table A-1: MaxDpbMbs. */
static uint32_t max_dpb_mbs(uint8_t level, bool is_1b)
{
    static const struct {
        uint8_t level;
        uint32_t mbs;
    } rows[] = {{10, 396},   {11, 900},   {20, 2376},  {21, 4752},   {30, 8100},   {31, 18000},
                {32, 20480}, {41, 32768}, {42, 34816}, {50, 110400}, {52, 184320}, {255, 696320}};
    if (is_1b)
        return 396;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (level <= rows[i].level)
            return rows[i].mbs;
    return 696320;
}

static void skip_h264_scaling_lists(struct nal_bits *bits, uint32_t lists)
{
    for (uint32_t i = 0; i < lists; i++) {
        if (!nal_bits_flag(bits))
            continue;
        int32_t last = 8, next = 8;
        for (int j = 0; j < (i < 6 ? 16 : 64) && !bits->is_over; j++) {
            if (next != 0)
                next = (int32_t) (((int64_t) last + nal_bits_se(bits)) & 0xFF);
            last = next == 0 ? last : next;
        }
    }
}

static bool has_chroma_fields(uint8_t profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};
    return memchr(profiles, profile, sizeof profiles) != NULL;
}

static void read_h264_chroma(struct nal_bits *bits, struct nal_video *video, bool *is_separate)
{
    uint32_t chroma = nal_bits_ue(bits);
    video->chroma_format = (uint8_t) (chroma <= 3 ? chroma : 1);
    *is_separate = chroma == 3 && nal_bits_flag(bits);
    uint32_t luma_depth = nal_bits_ue(bits), chroma_depth = nal_bits_ue(bits);
    uint32_t depth = luma_depth > chroma_depth ? luma_depth : chroma_depth;
    video->bit_depth = (uint8_t) (8 + (depth <= 6 ? depth : 0));
    bits->is_over = bits->is_over || chroma > 3 || depth > 6;
    nal_bits_skip(bits, 1);
    if (nal_bits_flag(bits))
        skip_h264_scaling_lists(bits, chroma != 3 ? 8 : 12);
}

/* pic_order_cnt_type and what hangs on it; type 2 means that nothing is ever reordered. */
static uint32_t read_h264_order(struct nal_bits *bits)
{
    uint32_t type = nal_bits_ue(bits);
    if (type == 0) {
        (void) nal_bits_ue(bits);
    } else if (type == 1) {
        nal_bits_skip(bits, 1);
        (void) nal_bits_se(bits);
        (void) nal_bits_se(bits);
        uint32_t count = nal_bits_ue(bits);
        for (uint32_t i = 0; i < count && i < 256 && !bits->is_over; i++)
            (void) nal_bits_se(bits);
    }
    return type;
}

static void crop(struct nal_bits *bits, struct nal_video *video, uint32_t unit_x, uint32_t unit_y)
{
    uint64_t left = nal_bits_ue(bits), right = nal_bits_ue(bits);
    uint64_t top = nal_bits_ue(bits), bottom = nal_bits_ue(bits);
    uint64_t x = (left + right) * unit_x, y = (top + bottom) * unit_y;
    if (x < video->width && y < video->height) {
        video->width -= (uint32_t) x;
        video->height -= (uint32_t) y;
    }
}

static bool read_h264_size(struct nal_bits *bits, struct nal_video *video, bool is_separate)
{
    uint32_t width = nal_bits_ue(bits), height = nal_bits_ue(bits);
    video->is_frames_only = nal_bits_flag(bits);
    uint32_t fields = video->is_frames_only ? 1 : 2;
    if (width >= SIDE_LIMIT / 16 || height >= SIDE_LIMIT / 16)
        return false;
    video->width = (width + 1) * 16;
    video->height = (height + 1) * 16 * fields;
    if (!video->is_frames_only)
        nal_bits_skip(bits, 1);
    nal_bits_skip(bits, 1);
    uint32_t macroblocks = (width + 1) * (height + 1) * fields;
    uint32_t frames = max_dpb_mbs(video->level, video->max_dpb_frames == 1) / macroblocks;
    video->max_dpb_frames = (uint8_t) (frames < 16 ? frames : 16);
    if (nal_bits_flag(bits)) {
        bool is_plain = video->chroma_format == 0 || is_separate;
        uint32_t unit_x = is_plain || video->chroma_format == 3 ? 1 : 2;
        uint32_t unit_y = (is_plain || video->chroma_format != 1 ? 1 : 2) * fields;
        crop(bits, video, unit_x, unit_y);
    }
    return true;
}

static enum err read_h264_sps(const uint8_t *unit, size_t size, struct nal_video *video)
{
    struct nal_bits bits;
    bool is_separate = false;
    nal_bits_init(&bits, unit + 1, size - 1);
    video->profile = (uint8_t) nal_bits_u(&bits, 8);
    uint32_t constraints = nal_bits_u(&bits, 8);
    video->level = (uint8_t) nal_bits_u(&bits, 8);
    (void) nal_bits_ue(&bits);
    if (has_chroma_fields(video->profile))
        read_h264_chroma(&bits, video, &is_separate);
    (void) nal_bits_ue(&bits); /* log2_max_frame_num_minus4 */
    uint32_t order_type = read_h264_order(&bits);
    (void) nal_bits_ue(&bits); /* max_num_ref_frames */
    nal_bits_skip(&bits, 1);
    /* level 1b: constraint_set3_flag with level 11 */
    video->max_dpb_frames = video->level == 11 && (constraints & 0x10) != 0 ? 1 : 0;
    if (!read_h264_size(&bits, video, is_separate) || bits.is_over)
        return ERR_BAD_MEDIA;
    video->reorder = order_type == 2 ? 0 : video->max_dpb_frames;
    video->has_reorder = order_type == 2;
    if (nal_bits_flag(&bits))
        read_h264_vui(&bits, video);
    return OK;
}

/* profile_tier_level (7.3.3) with all sub-layers. */
static void read_hevc_profile(struct nal_bits *bits, uint32_t sub_layers, struct nal_video *video)
{
    nal_bits_skip(bits, 3);
    video->profile = (uint8_t) nal_bits_u(bits, 5);
    nal_bits_skip(bits, 80);
    video->level = (uint8_t) nal_bits_u(bits, 8);
    uint32_t flags[8] = {0};
    for (uint32_t i = 0; i < sub_layers; i++)
        flags[i] = nal_bits_u(bits, 2);
    if (sub_layers > 0)
        nal_bits_skip(bits, 2 * (8 - sub_layers));
    for (uint32_t i = 0; i < sub_layers; i++)
        nal_bits_skip(bits, (flags[i] >> 1) * 88 + (flags[i] & 1) * 8);
}

static void skip_hevc_scaling_lists(struct nal_bits *bits)
{
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            if (!nal_bits_flag(bits)) {
                (void) nal_bits_ue(bits);
                continue;
            }
            unsigned coefficients = size == 0 ? 16 : 64;
            if (size > 1)
                (void) nal_bits_se(bits);
            for (unsigned i = 0; i < coefficients && !bits->is_over; i++)
                (void) nal_bits_se(bits);
        }
    }
}

/* st_ref_pic_set (7.3.7) within an SPS; the count of its pictures, on which the next depends. */
static uint32_t skip_hevc_reference_set(struct nal_bits *bits, uint32_t index, uint32_t before)
{
    uint32_t count = 0;
    if (index > 0 && nal_bits_flag(bits)) {
        nal_bits_skip(bits, 1);
        (void) nal_bits_ue(bits);
        for (uint32_t i = 0; i <= before && !bits->is_over; i++)
            count += nal_bits_flag(bits) || nal_bits_flag(bits);
        return count;
    }
    uint32_t negative = nal_bits_ue(bits), positive = nal_bits_ue(bits);
    if (negative > 16 || positive > 16) {
        bits->is_over = true;
        return 0;
    }
    for (uint32_t i = 0; i < negative + positive; i++) {
        (void) nal_bits_ue(bits);
        nal_bits_skip(bits, 1);
    }
    return negative + positive;
}

static void skip_hevc_references(struct nal_bits *bits, uint32_t order_bits)
{
    uint32_t sets = nal_bits_ue(bits), count = 0;
    for (uint32_t i = 0; i < sets && i <= 64 && !bits->is_over; i++)
        count = skip_hevc_reference_set(bits, i, count);
    if (nal_bits_flag(bits)) { /* long_term_ref_pics_present_flag */
        uint32_t pictures = nal_bits_ue(bits);
        for (uint32_t i = 0; i < pictures && i <= 32 && !bits->is_over; i++)
            nal_bits_skip(bits, order_bits + 1);
    }
}

static void read_hevc_vui(struct nal_bits *bits, struct nal_video *video)
{
    read_vui_head(bits, video);
    nal_bits_skip(bits, 1);
    video->is_frames_only = !nal_bits_flag(bits); /* field_seq_flag */
    nal_bits_skip(bits, 1);
    if (nal_bits_flag(bits)) /* default_display_window_flag */
        for (int i = 0; i < 4; i++)
            (void) nal_bits_ue(bits);
    if (nal_bits_flag(bits)) { /* vui_timing_info_present_flag */
        uint32_t units = nal_bits_u(bits, 32), scale = nal_bits_u(bits, 32);
        if (!bits->is_over && units > 0 && scale > 0) {
            video->fps_num = scale;
            video->fps_den = units;
        }
    }
}

/* Between the picture's format and the VUI: nothing of use but the way. */
static void skip_hevc_tools(struct nal_bits *bits, uint32_t order_bits)
{
    for (int i = 0; i < 6; i++)
        (void) nal_bits_ue(bits);
    if (nal_bits_flag(bits) && nal_bits_flag(bits)) /* scaling lists: enabled, present */
        skip_hevc_scaling_lists(bits);
    nal_bits_skip(bits, 2);
    if (nal_bits_flag(bits)) { /* pcm_enabled_flag */
        nal_bits_skip(bits, 8);
        (void) nal_bits_ue(bits);
        (void) nal_bits_ue(bits);
        nal_bits_skip(bits, 1);
    }
    skip_hevc_references(bits, order_bits);
    nal_bits_skip(bits, 2);
}

static bool read_hevc_format(struct nal_bits *bits, struct nal_video *video)
{
    (void) nal_bits_ue(bits);
    uint32_t chroma = nal_bits_ue(bits);
    video->chroma_format = (uint8_t) (chroma <= 3 ? chroma : 1);
    bool is_separate = chroma == 3 && nal_bits_flag(bits);
    video->width = nal_bits_ue(bits);
    video->height = nal_bits_ue(bits);
    if (chroma > 3 || video->width == 0 || video->width > SIDE_LIMIT || video->height == 0 ||
        video->height > SIDE_LIMIT)
        return false;
    if (nal_bits_flag(bits)) {
        bool is_plain = chroma == 0 || chroma == 3 || is_separate;
        crop(bits, video, is_plain ? 1 : 2, chroma == 1 ? 2 : 1);
    }
    uint32_t luma = nal_bits_ue(bits), chroma_depth = nal_bits_ue(bits);
    uint32_t depth = luma > chroma_depth ? luma : chroma_depth;
    video->bit_depth = (uint8_t) (8 + (depth <= 8 ? depth : 0));
    return depth <= 8;
}

static enum err read_hevc_sps(const uint8_t *unit, size_t size, struct nal_video *video)
{
    struct nal_bits bits;
    nal_bits_init(&bits, unit + 2, size - 2);
    nal_bits_skip(&bits, 4);
    uint32_t sub_layers = nal_bits_u(&bits, 3);
    nal_bits_skip(&bits, 1);
    read_hevc_profile(&bits, sub_layers, video);
    video->is_frames_only = true;
    if (sub_layers > 6 || !read_hevc_format(&bits, video))
        return ERR_BAD_MEDIA;
    uint32_t order_bits = nal_bits_ue(&bits) + 4;
    uint32_t buffering = 0, reorder = 0;
    for (uint32_t i = nal_bits_flag(&bits) ? 0 : sub_layers; i <= sub_layers; i++) {
        buffering = nal_bits_ue(&bits) + 1;
        reorder = nal_bits_ue(&bits);
        (void) nal_bits_ue(&bits);
    }
    if (bits.is_over || order_bits > 16 || reorder > 16)
        return ERR_BAD_MEDIA;
    video->has_reorder = true;
    video->reorder = (uint8_t) reorder;
    video->max_dpb_frames = (uint8_t) (buffering < 16 ? buffering : 16);
    skip_hevc_tools(&bits, order_bits);
    if (nal_bits_flag(&bits) && !bits.is_over)
        read_hevc_vui(&bits, video);
    return OK;
}

enum err nal_read_sps(enum plan_codec codec, const uint8_t *unit, size_t size,
                      struct nal_video *out)
{
    struct nal_video video = {.chroma_format = 1, .bit_depth = 8};
    enum err err = ERR_BAD_MEDIA;
    video.primaries = video.transfer = video.matrix = 2;
    if (codec == CODEC_H264 && size > 4 && (unit[0] & 0x1F) == 7)
        err = read_h264_sps(unit, size, &video);
    else if (codec == CODEC_HEVC && size > 4 && (unit[0] >> 1 & 0x3F) == 33)
        err = read_hevc_sps(unit, size, &video);
    if (err == OK)
        *out = video;
    return err;
}
