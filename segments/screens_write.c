/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Screens as a page draws them. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "segments/png.h"
#include "segments/screens.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define US_PER_S  INT64_C(1000000)

/* RFC 4648 4. */
static void put_base64(struct str *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t) bytes[i] << 16;
        three |= left > 1 ? (uint32_t) bytes[i + 1] << 8 : 0;
        three |= left > 2 ? bytes[i + 2] : 0;
        const char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                              left > 1 ? digits[three >> 6 & 63] : '=',
                              left > 2 ? digits[three & 63] : '='};
        str_append(out, four, sizeof four);
    }
}

static void put_seconds(struct str *out, const char *name, int64_t ns)
{
    int64_t us = ns > 0 ? (ns + NS_PER_US / 2) / NS_PER_US : 0;
    str_printf(out, "\"%s\":%" PRId64 ".%06" PRId64 ",", name, us / US_PER_S, us % US_PER_S);
}

/* False: it has no PNG. */
static bool put_part(struct str *out, const struct screen_part *part, bool is_first)
{
    struct str png = {0};
    bool is_made = png_write(part->pixels, part->width, part->height, part->palette, &png) == OK;
    if (is_made) {
        str_printf(out,
                   "%s{\"x\":%" PRIu32 ",\"y\":%" PRIu32 ",\"width\":%" PRIu32
                   ",\"height\":%" PRIu32 ",\"forced\":%s,\"png\":\"",
                   is_first ? "" : ",", part->x, part->y, part->width, part->height,
                   part->is_forced ? "true" : "false");
        put_base64(out, (const uint8_t *) png.at, png.length);
        str_puts(out, "\"}");
    }
    str_fini(&png);
    return is_made;
}

static void put_screen(struct str *out, const struct screen *screen, int64_t t0_ns, int64_t end_ns)
{
    bool is_first = true;
    int64_t until_ns = screen->end_ns < end_ns ? screen->end_ns : end_ns;
    str_putc(out, '{');
    put_seconds(out, "start", screen->start_ns - t0_ns);
    put_seconds(out, "end", until_ns - t0_ns);
    str_printf(out, "\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"pictures\":[", screen->width,
               screen->height);
    for (size_t i = 0; i < screen->part_count; i++)
        if (put_part(out, &screen->parts[i], is_first))
            is_first = false;
    str_puts(out, "]}");
}

void screens_write(const struct screens *screens, int64_t from_ns, int64_t to_ns, int64_t t0_ns,
                   int64_t end_ns, struct str *out)
{
    bool is_first = true;
    str_puts(out, "{\"cues\":[");
    for (size_t i = 0; i < screens->count; i++) {
        const struct screen *screen = &screens->items[i];
        int64_t begin_ns = screen->start_ns > t0_ns ? screen->start_ns : t0_ns;
        int64_t until_ns = screen->end_ns < end_ns ? screen->end_ns : end_ns;
        if (screen->start_ns >= to_ns || until_ns <= from_ns || until_ns <= begin_ns)
            continue;
        if (!is_first)
            str_putc(out, ',');
        is_first = false;
        put_screen(out, screen, t0_ns, end_ns);
    }
    str_puts(out, "]}\n");
}

enum err screens_segment(struct container *container, struct reader *reader,
                         const struct plan *plan, uint32_t rendition, uint32_t n,
                         const struct sink *sink)
{
    int64_t scale = plan->timescale;
    int64_t begin_ms = plan_segment_start(plan, rendition, n) * 1000 / scale;
    int64_t end_ms = (plan_segment_start(plan, rendition, n + 1) * 1000 + scale - 1) / scale;
    int64_t film_ms = (plan->end * 1000 + scale - 1) / scale;
    int64_t from_ns = plan->t0_ns + begin_ms * NS_PER_MS;
    int64_t to_ns = plan->t0_ns + end_ms * NS_PER_MS;
    struct screens screens = {0};
    struct str out = {0};
    enum err err = screens_collect(container, reader, plan->renditions[rendition].track, from_ns,
                                   to_ns, &screens);
    if (err == OK) {
        screens_write(&screens, from_ns, to_ns, plan->t0_ns, plan->t0_ns + film_ms * NS_PER_MS,
                      &out);
        err = sink_bytes(sink, str_text(&out), out.length);
    }
    if (err == OK)
        err = sink_flush(sink);
    str_fini(&out);
    screens_fini(&screens);
    return err;
}
