/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dolby Vision, as far as it can be shown without Dolby (Dolby Vision Streams within the ISO Base Media
 * File Format, 2.2 and table 2): most profiles have a base layer that is HDR10, HLG or SDR by itself,
 * which is what players get, the configuration box left out. Profile 5 has none: its pictures are coded
 * in a space of Dolby's own, and shown as any other they are green and purple.
 * Internal to segments/. Threads: any. */
#pragma once

#include <stdint.h>

#include "segments/plan.h"

/* Sets the profile and what its base layer can be shown as; fills colours that nobody told; refuses a
 * track that cannot be shown. Profile 0: nothing. */
void dolby_set(struct plan_track *track, unsigned profile, unsigned compatibility);
