/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that wait for a look inside: which next, how often one that failed is tried. Time is passed
 * in. Threads: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"
#include "store/store.h"

/* What comes first. */
enum look_rank {
    LOOK_NEW,  /* nothing is known of it */
    LOOK_OLD,  /* it can be played: its plan is of an older matinee */
    LOOK_SCAN, /* it can be played, but is to be read through for a better plan: that takes long */
};

struct look {
    char id[STORE_ID_SIZE];
    char *path; /* owned */
    struct source_identity identity;
    enum look_rank rank;
    unsigned tries;
    int64_t not_before_ms;
};

struct looks {
    struct look *_items;
    size_t _count, _room;
};

void look_fini(struct look *look);
void looks_fini(struct looks *looks);
/* Takes `look`. */
void looks_add(struct looks *looks, struct look *look);
/* Takes all of `fresh` in place of what was there; tries are remembered while the bytes of a file
 * are the same. */
void looks_replace(struct looks *looks, struct looks *fresh);
/* Takes out the next one that is due, of rank `last` at most. False: none; *due_ms is when there will
 * be one, or -1. */
bool looks_take(struct looks *looks, enum look_rank last, int64_t now_ms, struct look *out,
                int64_t *due_ms);
size_t looks_count(const struct looks *looks);
/* Puts back what failed for a reason that may pass. False: it was tried often enough; `look` is
 * still the caller's. */
bool looks_retry(struct looks *looks, struct look *look, int64_t now_ms);
