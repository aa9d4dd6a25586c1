/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/fingerprint.h"

#include <string.h>

#include "base/mem.h"
#include "segments/plan.h"

static const char magic[4] = {'M', 'f', 'p', '1'};

enum {
    MAGIC_BYTES = sizeof magic,
    PART_BYTES = 12, /* before its items */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void fingerprint_place(int64_t film_ms, struct fingerprint *out)
{
    int64_t quarter = film_ms / 4;
    int64_t first = quarter > FINGERPRINT_LEAST_MS ? quarter : FINGERPRINT_LEAST_MS;
    *out = (struct fingerprint){0};
    first = smaller(first, FINGERPRINT_FIRST_MS);
    out->first.end_ms = smaller(first, film_ms / 2);
    out->last.begin_ms = film_ms - smaller(FINGERPRINT_LAST_MS, film_ms / 2);
    out->last.end_ms = film_ms;
}

void fingerprint_fini(struct fingerprint *fingerprint)
{
    mem_free(fingerprint->first.items);
    mem_free(fingerprint->last.items);
    *fingerprint = (struct fingerprint){0};
}

static void put_part(struct str *out, const struct fingerprint_part *part)
{
    str_put_u32(out, (uint32_t) part->begin_ms);
    str_put_u32(out, (uint32_t) part->end_ms);
    str_put_u32(out, part->count);
    for (uint32_t i = 0; i < part->count; i++)
        str_put_u32(out, part->items[i]);
}

void fingerprint_write(const struct fingerprint *fingerprint, struct str *out)
{
    str_append(out, magic, sizeof magic);
    put_part(out, &fingerprint->first);
    put_part(out, &fingerprint->last);
}

/* The part's bytes; 0: it is none. */
static size_t get_part(const uint8_t *bytes, size_t size, struct fingerprint_part *part)
{
    const int64_t most_ms = (int64_t) PLAN_MAX_HOURS * 3600 * 1000;
    if (size < PART_BYTES)
        return 0;
    *part =
        (struct fingerprint_part){.begin_ms = str_get_u32(bytes), .end_ms = str_get_u32(bytes + 4)};
    uint32_t count = str_get_u32(bytes + 8);
    if (part->begin_ms > part->end_ms || part->end_ms > most_ms || count > FINGERPRINT_MOST ||
        fingerprint_item_ms(count) > part->end_ms - part->begin_ms ||
        size - PART_BYTES < (size_t) count * 4)
        return 0;
    part->count = count;
    part->items = mem_new_array(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++)
        part->items[i] = str_get_u32(bytes + PART_BYTES + (size_t) i * 4);
    return PART_BYTES + (size_t) count * 4;
}

enum err fingerprint_read(const uint8_t *bytes, size_t size, struct fingerprint *out,
                          struct why *why)
{
    struct fingerprint read = {0};
    size_t at = MAGIC_BYTES, step = 0;
    if (size < MAGIC_BYTES || memcmp(bytes, magic, sizeof magic) != 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "no fingerprint of this version");
    step = get_part(bytes + at, size - at, &read.first);
    at += step;
    if (step > 0)
        step = get_part(bytes + at, size - at, &read.last);
    at += step;
    if (step == 0 || at != size || read.first.end_ms > read.last.begin_ms) {
        fingerprint_fini(&read);
        return why_set(why, ERR_BAD_INPUT, NULL, "a fingerprint with parts that cannot be");
    }
    *out = read;
    return OK;
}
