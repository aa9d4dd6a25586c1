/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client can play: codec strings as browsers know them (RFC 6381), its screen, how many channels
 * it has loudspeakers for; in the words that playlists are asked for with (hls/playlist.h).
 * Threads: any. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/why.h"

/* Every word once, with its level. */
#define CAPS_SIZE 192

/* From the `capabilities` of a request, or NULL; unknown codecs and members are passed over. "" where
 * nothing was said. Of several levels of a codec the highest counts. Nothing of what was sent stands in
 * it but numbers. BAD_INPUT: it has another shape. */
MUST_CHECK enum err caps_read(const json_t *capabilities, char out[CAPS_SIZE], struct why *why);
