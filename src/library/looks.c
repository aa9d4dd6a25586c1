/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/looks.h"

#include <string.h>

#include "base/mem.h"

enum { TRIES_MAX = 5, FIRST_WAIT_MS = 5000 }; /* 5, 10, 20, 40 s */

void look_fini(struct look *look)
{
    mem_free(look->path);
    *look = (struct look){0};
}

void looks_fini(struct looks *looks)
{
    for (size_t i = 0; i < looks->_count; i++)
        look_fini(&looks->_items[i]);
    mem_free(looks->_items);
    *looks = (struct looks){0};
}

void looks_add(struct looks *looks, struct look *look)
{
    mem_grow(looks->_items, looks->_count, looks->_room);
    looks->_items[looks->_count++] = *look;
    *look = (struct look){0};
}

static void keep_tries(struct looks *fresh, const struct look *old)
{
    for (size_t i = 0; i < fresh->_count; i++) {
        struct look *look = &fresh->_items[i];
        if (strcmp(old->id, look->id) == 0 &&
            source_identity_equal(&old->identity, &look->identity)) {
            look->tries = old->tries;
            look->not_before_ms = old->not_before_ms;
            return;
        }
    }
}

void looks_replace(struct looks *looks, struct looks *fresh)
{
    for (size_t i = 0; i < looks->_count; i++)
        if (looks->_items[i].tries > 0)
            keep_tries(fresh, &looks->_items[i]);
    looks_fini(looks);
    *looks = *fresh;
    *fresh = (struct looks){0};
}

bool looks_take(struct looks *looks, enum look_rank last, int64_t now_ms, struct look *out,
                int64_t *due_ms)
{
    size_t best = SIZE_MAX;
    *due_ms = -1;
    for (size_t i = 0; i < looks->_count; i++) {
        const struct look *look = &looks->_items[i];
        if (look->rank > last)
            continue;
        if (look->not_before_ms > now_ms) {
            if (*due_ms < 0 || look->not_before_ms < *due_ms)
                *due_ms = look->not_before_ms;
        } else if (best == SIZE_MAX || look->rank < looks->_items[best].rank) {
            best = i;
        }
    }
    if (best == SIZE_MAX)
        return false;
    *out = looks->_items[best];
    memmove(&looks->_items[best], &looks->_items[best + 1],
            (--looks->_count - best) * sizeof *looks->_items);
    return true;
}

size_t looks_count(const struct looks *looks)
{
    return looks->_count;
}

bool looks_retry(struct looks *looks, struct look *look, int64_t now_ms)
{
    if (++look->tries >= TRIES_MAX)
        return false;
    look->not_before_ms = now_ms + ((int64_t) FIRST_WAIT_MS << (look->tries - 1));
    looks_add(looks, look);
    return true;
}
