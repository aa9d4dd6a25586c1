/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of a Matroska film that has no index, found one by one when somebody wants to begin there:
 * our own reader bisects (decision 11), where libavformat would walk through all that stands before.
 * Internal to segments/. Threads: each finder belongs to one at a time. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/container.h"
#include "segments/input.h"
#include "segments/plan.h"

struct key_finder;

/* Copies `reader`, borrows `plan`; reads nothing yet. */
struct key_finder *key_finder_new(const struct reader *reader, const struct plan *plan);
void key_finder_free(struct key_finder **finder);
/* Who may end the reads from now on; NULL: nobody. */
void key_finder_set_cancelled(struct key_finder *finder, _Atomic bool *cancelled);

/* What a demuxer that knows no index must be told to find its way. */
struct key_pair {
    struct key before; /* the last key at or before the time */
    struct key after;  /* the first after it */
    bool has_after;    /* false: none follows within a minute, or at all */
};

/* The keys of the plan's `track` around `time_ns`, source time. NOT_FOUND: none stands before, or the
 * film has an index that libavformat reads itself, or is no Matroska. IO, CANCELLED, GONE. */
MUST_CHECK enum err key_finder_find(struct key_finder *finder, uint32_t track, int64_t time_ns,
                                    struct key_pair *out);
