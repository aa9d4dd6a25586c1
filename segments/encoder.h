/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes packets of a segment's pictures: x264 in this process, or a device in its own
 * (gpu_link.h). Internal to segments/. Threads: each belongs to one at a time. */
#pragma once

#include "base/err.h"
#include "base/why.h"
#include "segments/encode.h"

struct AVFrame;
struct AVPacket;
struct encoder;
struct gpu_link;

/* BAD_MEDIA: x264 does not take such pictures. */
MUST_CHECK enum err encoder_open_x264(const struct encode_video *settings, struct encoder **out,
                                      struct why *why);
/* REFUSED: the device does not, or there is none (`gpu` NULL). */
MUST_CHECK enum err encoder_open_gpu(const struct encode_video *settings, struct gpu_link *gpu,
                                     struct encoder **out, struct why *why);
void encoder_close(struct encoder **encoder);

/* The next picture, 8-bit 4:2:0 in planes; NULL: there are no more. Its packets, and those before it, may
 * come later. BAD_MEDIA, REFUSED as above. */
MUST_CHECK enum err encoder_send(struct encoder *encoder, const struct AVFrame *picture,
                                 struct why *why);
/* The next packet, Annex B, with the picture's pts. AGAIN: none is there. */
MUST_CHECK enum err encoder_receive(struct encoder *encoder, struct AVPacket *out);
/* What it gave is not what it was given: BAD_MEDIA, REFUSED with the words. */
MUST_CHECK enum err encoder_blame(const struct encoder *encoder, struct why *why);
