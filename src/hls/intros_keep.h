/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What episodes sound like, and the markers that come of it, in a cache of their own. Inside hls/, for
 * intros.c and tests. Threads: any; all but the bytes sleep. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "hls/cache.h"
#include "hls/hls.h"
#include "hls/intro_match.h"

enum { INTROS_BASIS_BYTES = 16 };

/* As they are kept. */
struct kept_markers {
    uint8_t basis[INTROS_BASIS_BYTES]; /* hash of the films that were compared */
    uint32_t count;
    struct marker markers[MARKERS_MOST]; /* of rising kind */
};

void intros_fingerprint_key(const struct hls_episode *episode, struct cache_key *out);
/* IO, LIMIT. */
MUST_CHECK enum err intros_store(struct cache *cache, const struct hls_episode *episode,
                                 const struct fingerprint *fingerprint);

void intros_write(const struct kept_markers *kept, struct str *out);
/* Trusts nothing. BAD_INPUT. */
MUST_CHECK enum err intros_read(const uint8_t *bytes, size_t size, struct kept_markers *out);

/* False: none are kept of these bytes of the file. */
bool intros_find(struct cache *cache, const struct hls_episode *episode, struct kept_markers *out);

/* All of a season were compared as it is now: what they sound like may have gone since. */
bool intros_are_settled(struct cache *cache, const struct hls_season *season);
/* Compares each episode of a season, in order of its number, with those next to it, where that was not
 * done yet, and keeps what is found. `settled` hears of each that has other markers than before. */
typedef void intros_settled_fn(void *ctx, const char *id);
void intros_settle(struct cache *cache, const struct hls_season *season, intros_settled_fn *settled,
                   void *ctx);
