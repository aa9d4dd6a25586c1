/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What decoder configurations (extradata) say of a track: size, depth, colour, rate, frame size.
 * Used by both container readers. Threads: any; plain functions. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "segments/plan.h"

/* Fills fields of `track` that are still unset from its extradata. Returns why a copy cannot be
 * made when the configuration is missing or unreadable (a literal), else NULL. */
const char *codec_config_fill(struct plan_track *track);
