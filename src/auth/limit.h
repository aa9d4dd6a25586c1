/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often one may try. Each key (an address, a name at an address) has some tries for nothing; each
 * further one has to wait for longer than the one before, up to a most, and never for good. Time is passed
 * in. Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct limit;

struct limit_rule {
    unsigned tries;            /* for nothing */
    int64_t first_ms, most_ms; /* the first wait, which doubles, and the longest */
    int64_t forget_ms;         /* a key that was not tried for so long begins anew */
};

/* At most 1024 keys are remembered: the one of the fewest tries makes room, the oldest of them, so that a
 * flood of keys does not forgive the busy ones. */
struct limit *limit_new(const struct limit_rule *rule);
void limit_free(struct limit **limit);
/* Counts a try. LIMIT: it may not be made before *retry_ms have passed, and is not counted. */
MUST_CHECK enum err limit_try(struct limit *limit, const char *key, int64_t now_ms,
                              int64_t *retry_ms);
/* What limit_try would say, without counting. */
MUST_CHECK enum err limit_look(struct limit *limit, const char *key, int64_t now_ms,
                               int64_t *retry_ms);
/* The try that was counted last has failed by now: the wait begins here. */
void limit_again(struct limit *limit, const char *key, int64_t now_ms);
/* The try that was counted last was a good one: it does not count. */
void limit_forgive(struct limit *limit, const char *key, int64_t now_ms);
