/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A set of bytes of a file, as spans: rising, apart from each other, none empty. A plain value, zeroed
 * is empty. Threads: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    uint64_t begin, end; /* end: the first byte that is not of it */
};

struct spans {
    struct span *items;
    size_t count, room;
};

void spans_fini(struct spans *spans);
/* An empty span changes nothing. */
void spans_add(struct spans *spans, struct span span);
void spans_remove(struct spans *spans, struct span span);
/* True when all of it is in the set; an empty span always is. */
bool spans_has(const struct spans *spans, struct span span);
/* The first bytes at or after `span.begin` that are not in the set, up to `span.end`; false: all of
 * it is. */
bool spans_missing(const struct spans *spans, struct span span, struct span *out);
