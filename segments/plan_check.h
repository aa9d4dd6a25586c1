/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judges a plan that came from outside (a media process, the store) before it is believed: after
 * this, the functions of plan.h cannot divide by zero, overflow or loop. Threads: any. */
#pragma once

#include "segments/plan.h"

/* BAD_INPUT: what is wrong, and where, in `why`. */
MUST_CHECK enum err plan_check(const struct plan *plan, struct why *why);

/* BAD_INPUT: this rendition alone. Its grid must rise at every cut. */
MUST_CHECK enum err plan_check_rendition(const struct plan *plan, uint32_t rendition,
                                         struct why *why);
