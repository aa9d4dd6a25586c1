/* SPDX-License-Identifier: GPL-3.0-or-later */
/* H.264 and HEVC as far as cutting and copying need them: the decoder configuration of the
 * container (avcC: ISO 14496-15 5.3.3, hvcC: 8.3.3), what its sequence parameter set says (H.264
 * 7.3.2.1, HEVC 7.3.2.2), and what kind of picture a key packet begins. Slices are not decoded.
 * Threads: any; plain functions over bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/plan.h"

/* Parameter sets in a configuration; H.264 allows 31 + 255 (+ 255 extensions), films have 2 or 3. */
#define NAL_MAX_SETS 64

struct nal_set {
    uint16_t at, size; /* in the configuration's bytes */
    uint8_t type;      /* nal_unit_type */
};

/* What the first sequence parameter set says. */
struct nal_video {
    uint8_t profile, level;    /* profile_idc, level_idc */
    uint32_t width, height;    /* after cropping */
    uint8_t chroma_format;     /* 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4 */
    uint8_t bit_depth;         /* the larger of luma and chroma */
    bool is_frames_only;       /* H.264 frame_mbs_only_flag; HEVC: true unless field_seq_flag */
    bool has_reorder;          /* the set itself says `reorder`; else it is max_dpb_frames */
    uint8_t reorder;           /* frames a decoder must hold back at most */
    uint8_t max_dpb_frames;    /* H.264 A.3.1 table A-1, HEVC sps_max_dec_pic_buffering */
    uint32_t sar_num, sar_den; /* 0/0: not said */
    bool has_colour, is_full_range;
    uint8_t primaries, transfer, matrix; /* 2 = not said */
    uint32_t fps_num, fps_den;           /* VUI timing, frames per second; 0/0: not said */
};

struct nal_config {
    enum plan_codec codec;
    const uint8_t *bytes; /* borrowed: the avcC or hvcC body */
    size_t size;
    uint8_t length_size; /* 1, 2 or 4 bytes before each unit */
    uint32_t set_count;
    struct nal_set sets[NAL_MAX_SETS];
    bool has_video; /* `video` was read from a parameter set in here */
    struct nal_video video;
};

/* `codec` is CODEC_H264 or CODEC_HEVC; `extradata` is borrowed as long as *out is used. BAD_MEDIA:
 * no such configuration (Annex B, cut off, ...). A configuration without parameter sets (avc3,
 * hev1) is fine: set_count is 0. LIMIT: more sets than we keep. */
MUST_CHECK enum err nal_config_read(enum plan_codec codec, const uint8_t *extradata, size_t size,
                                    struct nal_config *out);

enum nal_key {
    NAL_KEY_NONE,   /* not a place to start from: a plain I picture, a recovery point, no picture */
    NAL_KEY_CLOSED, /* H.264 IDR; HEVC IDR, BLA without RASL: all that follows decodes */
    NAL_KEY_OPEN    /* HEVC CRA, BLA_W_LP: RASL pictures may follow that do not decode from here */
};
const char *nal_key_name(enum nal_key key);

/* What a packet's first picture is, from its first bytes: `size` may be less than the packet's
 * (`whole` bytes), then units past it are not seen. AGAIN: no picture in these bytes, more are
 * needed. BAD_MEDIA: the lengths do not fit. */
MUST_CHECK enum err nal_key_type(const struct nal_config *config, const uint8_t *packet,
                                 size_t size, size_t whole, enum nal_key *out);
/* True when the packet holds parameter sets that differ from the configuration's: the copy's init
 * segment does not fit from here on (decision 12). Sets that the configuration does not have at all
 * differ too. SEI and the rest do not count. */
bool nal_sets_changed(const struct nal_config *config, const uint8_t *packet, size_t size);
/* True for an HEVC packet whose first picture is a RASL or RADL: it follows a key in decode order
 * and precedes it in time. */
bool nal_is_leading(const struct nal_config *config, const uint8_t *packet, size_t size);

/* A sequence parameter set alone, with its NAL header. BAD_MEDIA. */
MUST_CHECK enum err nal_read_sps(enum plan_codec codec, const uint8_t *unit, size_t size,
                                 struct nal_video *out);
