/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a storyboard (storyboard.h) is made. Internal to segments/. Threads: a call stands alone. */
#pragma once

#include "segments/segments.h"

/* As engine_storyboard says. */
MUST_CHECK enum err boards_make(struct input *input, const struct plan *plan,
                                const struct engine_storyboard *job, struct why *why);
