/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The encoders and what they are told: x264 for pictures, libavcodec's own AAC for sound. A new one
 * is opened for each segment (decision 24); what it puts into the init segment depends on nothing
 * but the settings. Internal to segments/. Threads: each encoder belongs to one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "segments/plan.h"
#include "segments/segments.h"

/* Rises whenever encoders are told something else: it stands in the version of the engine, and so in
 * the URLs (decision 2). */
#define ENCODE_SETTINGS 6

struct AVCodecContext;

struct encode_video {
    enum plan_codec codec; /* CODEC_H264; of a device CODEC_HEVC too */
    uint32_t width, height;
    uint32_t fps_num, fps_den;
    uint8_t color_primaries, color_transfer, color_matrix; /* ISO 23091-2 */
    uint32_t maxrate, bufsize;                             /* of the VBV, bit/s and bits */
    const char *preset;
    uint32_t threads;
    uint32_t frames;     /* of the segment; 0: not known */
    uint32_t crf;        /* of a picture that stands alone (I-frames); 0: of a film */
    bool is_for_headers; /* it encodes nothing: only what it puts into the init segment is wanted */
};

/* Of pictures that stand alone: the first try, and the steps up to the last where one is too large. */
enum { ENCODE_STILL_CRF = 24, ENCODE_STILL_STEP = 6, ENCODE_STILL_LAST = 51 };

/* The settings of a video transcode of `plan`; borrows from `options`. */
struct encode_video encode_video_settings(const struct plan *plan,
                                          const struct plan_rendition *rendition,
                                          const struct engine_options *options);
/* Of H.264. BAD_MEDIA: x264 does not take them. */
MUST_CHECK enum err encode_video_open(const struct encode_video *settings,
                                      struct AVCodecContext **out, struct why *why);
/* What any encoder of them is told, all but its pixel format and what is its own. */
void encode_video_fields(const struct encode_video *settings, struct AVCodecContext *encoder);
/* avcC (ISO 14496-15 5.3.3.1) of an open encoder; the caller's (mem_free). BAD_MEDIA. */
MUST_CHECK enum err encode_video_config(const struct AVCodecContext *encoder, uint8_t **out,
                                        size_t *size);
/* Most frames that are shown after one that is coded later. */
uint32_t encode_video_reorder(const struct AVCodecContext *encoder);

/* The VBV rate that pictures of such a size and frame rate need, bit/s. */
uint32_t encode_video_rate(uint32_t width, uint32_t height, uint32_t fps_num, uint32_t fps_den);
/* How full x264 is told that the VBV's buffer is where a segment begins, in percent. */
#define ENCODE_FILLED_PERCENT 50

/* How AAC's quantizers are searched for: aac.h says which is good for what. */
enum encode_search { ENCODE_FAST, ENCODE_TWOLOOP };

/* The AudioSpecificConfig (ISO 14496-3 1.6.2.1, with the sync extension of 1.6.6.1 that says: no SBR) of
 * what encode_audio_open opens: what libavcodec writes there. BAD_MEDIA: no such rate. */
#define ENCODE_AUDIO_CONFIG_BYTES 5
MUST_CHECK enum err encode_audio_config(uint32_t rate, uint32_t channels,
                                        uint8_t out[ENCODE_AUDIO_CONFIG_BYTES], struct why *why);
/* Of 6 channels the order is that of mix.h's 5.1. BAD_MEDIA: no such rate. */
MUST_CHECK enum err encode_audio_open(uint32_t rate, uint32_t channels, uint32_t bitrate,
                                      enum encode_search search, struct AVCodecContext **out,
                                      struct why *why);
/* The most that the coder makes good use of at this rate, bit/s. */
uint32_t encode_audio_most(uint32_t rate, uint32_t channels);
/* The nearest rate AAC has (ISO 14496-3 1.6.3.4) that is not below `rate`; 48000 beyond. */
uint32_t encode_audio_rate(uint32_t rate);

void encode_close(struct AVCodecContext **encoder);

/* The number of x264's build, out of its mouth; 0: it does not say. */
uint32_t encode_x264_build(void);
