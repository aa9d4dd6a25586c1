/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Devices that encode H.264 and HEVC, each through libavcodec's encoder for it; and one that is made up, for
 * tests, which fails on command. Named "kind:node": "vaapi:/dev/dri/renderD128",
 * "qsv:/dev/dri/renderD128", "nvenc:/dev/nvidia0", "v4l2m2m:/dev/video11", "fake:FILE"; "vaapi+hevc:/dev/dri/renderD128": HEVC of it is wanted too.
 *
 * The made-up one is x264, and x265. What stands in its FILE when a picture comes is what it does: "" encodes;
 * "open": fails when an encoder is opened; "frame 30": at the 30th picture of one; "die 30": ends its
 * process there; "hang 30": never answers; "die 30 once": and the file is emptied first; "bare": headers
 * stand in the first packet alone.
 * Internal to segments/. Threads: one. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/encode.h"

struct AVCodecContext;
struct AVFrame;
struct device;

enum { DEVICE_MOST_NODES = 4 };

/* The nodes that the device named so needs, for the sandbox: ends with NULL. False: no such kind. */
bool device_nodes(const char *name, const char *nodes[DEVICE_MOST_NODES + 1]);

/* Opens it, with its driver. `name` is borrowed until device_close. REFUSED: in words why not. */
MUST_CHECK enum err device_open(const char *name, struct device **out, struct why *why);
void device_close(struct device **device);
/* What so many luma samples in so many us say of its speed, in samples a second. That of the made-up one
 * is made up too, so that tests do not depend on the machine. */
uint64_t device_speed(const struct device *device, uint64_t samples, int64_t us);
/* "h264_vaapi on /dev/dri/renderD128"; lent. */
const char *device_words(const struct device *device);
/* Whether HEVC of it is wanted. */
bool device_makes_hevc(const struct device *device);
/* "hevc_vaapi". */
const char *device_encoder_name(const struct device *device, enum plan_codec codec);

/* An encoder (avcodec_free_context) of pictures without reordering: one IDR, the first. REFUSED. */
MUST_CHECK enum err device_encoder(struct device *device, const struct encode_video *settings,
                                   struct AVCodecContext **out, struct why *why);
/* Hands it a picture, NV12, whose samples are not needed any more after that; `index` counts those of
 * the encoder from 0. REFUSED. */
MUST_CHECK enum err device_put(struct device *device, struct AVCodecContext *encoder,
                               const struct AVFrame *picture, uint32_t index, struct why *why);
