/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client can play: codec strings as browsers know them (RFC 6381), in the words that
 * playlists are asked for with. Threads: any. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/why.h"

#define CAPS_SIZE 96

/* From the `capabilities` of a request, or NULL; unknown codecs are passed over. "" where nothing
 * was said. BAD_INPUT: it is no object with a list of codecs. */
MUST_CHECK enum err caps_read(const json_t *capabilities, char out[CAPS_SIZE], struct why *why);
