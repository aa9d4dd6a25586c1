/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where an episode sounds like others of its season: its intro and its credits. Arithmetic on
 * fingerprints (segments/fingerprint.h), and nothing else.
 * Items of two films are alike where few of their 32 bits differ: of noise it is half of them. A stretch
 * of the one is found in the other at one shift, so both play it at the same speed. Silence, and any
 * sound that stays as it is, tells nothing: it sounds alike everywhere.
 * Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segments/fingerprint.h"

enum {
    MATCH_VERSION = 1,           /* goes up with every change of what is found */
    MARKER_LEAST_MS = 15 * 1000, /* shorter ones are a network's or a studio's sign */
    INTRO_MOST_MS = 120 * 1000,
    CREDITS_TAIL_MS = 60 * 1000, /* what may follow credits: a preview */
    MARKERS_MOST = 2,            /* of a film: one of each kind */
    MATCH_OTHERS = 4,            /* episodes that one is held against */
};

enum marker_kind { MARKER_INTRO, MARKER_CREDITS };

/* Media time. */
struct marker {
    enum marker_kind kind;
    int64_t start_ms, end_ms;
};

struct match_stretch {
    int64_t start_ms, end_ms; /* of the first of the two films */
};

/* Up to `most` stretches of MARKER_LEAST_MS to `longest_ms` that `part` has in common with `other`, the
 * best first, none overlapping another. Returns how many. */
size_t match_find(const struct fingerprint_part *part, const struct fingerprint_part *other,
                  int64_t longest_ms, struct match_stretch *out, size_t most);

/* The intro and the credits of a film, as at least half of `others` (MATCH_OTHERS of them at most) have
 * them too. Returns how many. */
size_t match_markers(const struct fingerprint *film, const struct fingerprint *const *others,
                     size_t count, struct marker out[MARKERS_MOST]);
