/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The init segment of a rendition that a device makes: its headers are the device's own, so it is asked
 * for them. Internal to segments/. Threads: any. */
#pragma once

#include "base/err.h"
#include "segments/plan.h"
#include "segments/segments.h"

/* Into the output's sink, whole. REFUSED: the device does not work, or its headers are not what the plan
 * announces (CODECS). What the sink said. */
MUST_CHECK enum err gpu_init(const struct plan *plan, const struct engine_options *options,
                             struct engine_output *output);
