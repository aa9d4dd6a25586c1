/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stretch of sound as AAC-LC frames, by a fresh encoder. libavcodec has two searches for quantizers,
 * and each does what the other does not: "fast" is right on tones, but clips spectral lines louder
 * than half of full scale (a bass at 0.9 comes out at 0.7 and distorted: its scale factors rise half as
 * fast as they should); "twoloop" now and then glitches on tones (segment-engine 6). So "fast" codes
 * what has no such line; of what has, both do, and the one nearer to the sound is taken.
 * Internal to segments/. Threads: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "segments/decode.h"

struct aac_form {
    uint32_t rate, channels, bitrate;
};

/* Frames, one behind the other. */
struct aac_frames {
    struct str bytes;
    uint32_t *sizes; /* of each frame */
    size_t count, room;
};
void aac_frames_fini(struct aac_frames *frames);

/* Codes `input_frames` frames of samples (each 1024 of every channel) and gives those from `first` on,
 * `count` of them; the others before and behind are what the encoder needs to have heard. `out` is
 * empty before. The same input gives the same bytes. BAD_MEDIA: the encoder failed; CANCELLED. */
MUST_CHECK enum err aac_encode(const struct aac_form *form, float *const *samples,
                               size_t input_frames, size_t first, size_t count,
                               const struct asker *asker, struct aac_frames *out, struct why *why);
