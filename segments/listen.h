/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a fingerprint (fingerprint.h) is made. Internal to segments/. Threads: a call stands alone. */
#pragma once

#include "segments/segments.h"

/* As engine_fingerprint says. */
MUST_CHECK enum err listen_make(struct input *input, const struct plan *plan,
                                const struct engine_listening *job, struct fingerprint *out,
                                struct why *why);
