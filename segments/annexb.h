/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams of H.264 and HEVC as encoders give them (Annex B of ITU-T H.264 and H.265: units behind start
 * codes), turned into what MP4 holds: a decoder configuration, and samples of units behind lengths.
 * Internal to segments/. Threads: any; plain functions over bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "segments/plan.h"

/* Appends the avcC (ISO 14496-15 5.3.3.1) or hvcC (8.3.3.1) of an encoder's headers, which may have the
 * first picture behind them. `codec` is CODEC_H264 or CODEC_HEVC. BAD_MEDIA: a parameter set is missing
 * or cannot be read; of HEVC also where it is not 4:2:0. */
MUST_CHECK enum err annexb_config(enum plan_codec codec, const uint8_t *bytes, size_t size,
                                  struct str *out);

/* Appends an access unit with 4 byte lengths; left out are encoders' notes on themselves, and what stands
 * in the initial segment. The bytes appended. BAD_MEDIA: no unit in it. */
MUST_CHECK enum err annexb_append(enum plan_codec codec, const uint8_t *bytes, size_t size,
                                  struct str *out, uint32_t *appended);
