/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Initial segments, written by hand: ftyp + moov of one track (ISO 14496-12, ISO 23000-19 7.2), no
 * samples, no edit lists, no encoder's name: the same bytes on every day. And CODECS (RFC 6381) as
 * read back from them. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "segments/plan.h"

#define INIT_CODECS_SIZE 48

/* All borrowed for the call. */
struct init_track {
    enum plan_kind kind;
    enum plan_codec codec;
    const uint8_t
        *config; /* avcC, hvcC, av1C; AudioSpecificConfig; OpusHead or dOps; FLAC header */
    size_t config_size;
    const uint8_t *packet; /* the first: needed by AC-3, E-AC-3, MP3, VP9 (a key), Opus's grid */
    size_t packet_size;
    uint32_t timescale;

    uint32_t width, height; /* coded */
    uint32_t sar_num, sar_den;
    uint8_t color_primaries, color_transfer, color_matrix; /* 0 or 2: not told */
    bool is_full_range;
    uint32_t fps; /* rounded up; VP9's level */

    uint32_t rate, channels;
};

/* Fills what a plan's track knows; packet, timescale and fps are the caller's to add. */
void init_track_of(const struct plan_track *track, struct init_track *out);

/* Appends the initial segment. BAD_MEDIA: the codec's headers cannot be carried, and why. */
MUST_CHECK enum err init_write(const struct init_track *track, struct str *out, struct why *why);

/* CODECS of an initial segment: "avc1.640028", "hvc1.2.4.L120.90", "mp4a.40.2"... BAD_MEDIA. */
MUST_CHECK enum err init_codecs(const uint8_t *init, size_t size, char out[INIT_CODECS_SIZE]);

/* Samples (of track->rate) a packet, for the grid of an audio copy. BAD_MEDIA: not constant, or
 * not told, and why. */
MUST_CHECK enum err init_frame_size(const struct init_track *track, uint32_t *samples,
                                    struct why *why);
