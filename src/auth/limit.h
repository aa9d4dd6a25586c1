/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often one may try: each key (an address, a name) has a bucket that a try fills and time
 * drains. Time is passed in. Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct limit;

/* `burst` tries at once, then one each `drain_ms`. At most 1024 keys are remembered: the emptiest
 * bucket makes room, so that a flood of keys does not forgive the busy ones. */
struct limit *limit_new(unsigned burst, int64_t drain_ms);
void limit_free(struct limit **limit);
/* Counts a try. LIMIT: it may not be made before *retry_ms have passed, and is not counted. */
MUST_CHECK enum err limit_try(struct limit *limit, const char *key, int64_t now_ms,
                              int64_t *retry_ms);
/* The try was a good one: it does not count. */
void limit_forgive(struct limit *limit, const char *key, int64_t now_ms);
