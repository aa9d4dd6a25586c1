/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/spans.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void spans_fini(struct spans *spans)
{
    mem_free(spans->items);
    *spans = (struct spans){0};
}

/* The first that ends at or after `at`: it holds that byte, ends there, or lies behind it. */
static size_t find(const struct spans *spans, uint64_t at)
{
    size_t low = 0, high = spans->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spans->items[middle].end < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Puts `count` spans in place of those from `from` up to `to`. */
static void replace(struct spans *spans, size_t from, size_t to, const struct span *with,
                    size_t count)
{
    size_t after = spans->count - to;
    while (spans->room < from + count + after) {
        spans->room = spans->room < 8 ? 8 : spans->room * 2;
        spans->items = mem_realloc_array(spans->items, spans->room, sizeof *spans->items);
    }
    if (after > 0)
        memmove(spans->items + from + count, spans->items + to, after * sizeof *spans->items);
    if (count > 0)
        memcpy(spans->items + from, with, count * sizeof *with);
    spans->count = from + count + after;
}

void spans_add(struct spans *spans, struct span span)
{
    if (span.begin >= span.end)
        return;
    size_t from = find(spans, span.begin), to = from;
    for (; to < spans->count && spans->items[to].begin <= span.end; to++) {
        const struct span *old = &spans->items[to];
        span.begin = old->begin < span.begin ? old->begin : span.begin;
        span.end = old->end > span.end ? old->end : span.end;
    }
    replace(spans, from, to, &span, 1);
}

void spans_remove(struct spans *spans, struct span span)
{
    struct span kept[2];
    size_t count = 0;
    if (span.begin >= span.end)
        return;
    size_t from = find(spans, span.begin), to = from;
    for (; to < spans->count && spans->items[to].begin < span.end; to++) {
        const struct span *old = &spans->items[to];
        if (old->begin < span.begin)
            kept[count++] = (struct span){old->begin, span.begin};
        if (old->end > span.end)
            kept[count++] = (struct span){span.end, old->end};
        MUST(count <= 2);
    }
    if (to > from)
        replace(spans, from, to, kept, count);
}

bool spans_missing(const struct spans *spans, struct span span, struct span *out)
{
    uint64_t at = span.begin;
    for (size_t i = find(spans, at); i < spans->count && at < span.end; i++) {
        const struct span *held = &spans->items[i];
        if (held->begin > at) {
            *out = (struct span){at, held->begin < span.end ? held->begin : span.end};
            return true;
        }
        at = held->end > at ? held->end : at;
    }
    if (at >= span.end)
        return false;
    *out = (struct span){at, span.end};
    return true;
}

bool spans_has(const struct spans *spans, struct span span)
{
    struct span missing;
    return !spans_missing(spans, span, &missing);
}
