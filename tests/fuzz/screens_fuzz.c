/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of subtitles that are pictures, from their bytes to the JSON of a page. An input: the codec, how
 * many bytes of headers, these, and then events, each with its length before it (two bytes). */
#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/display_sets.h"
#include "segments/screens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct screens *screens)
{
    for (size_t i = 0; i < screens->count; i++) {
        const struct screen *screen = &screens->items[i];
        if (screen->width == 0 || screen->height == 0 || screen->part_count == 0)
            abort();
        for (size_t p = 0; p < screen->part_count; p++)
            if (screen->parts[p].width == 0 || screen->parts[p].height == 0)
                abort();
    }
}

static size_t take_event(const uint8_t *bytes, size_t size, int64_t at_ns,
                         struct screen_decoder *decoder, struct screens *out)
{
    size_t length = (size_t) bytes[0] << 8 | bytes[1];
    length = length < size - 2 ? length : size - 2;
    uint8_t *copy = mem_dup(bytes + 2, length); /* so that reads beyond it are seen */
    const struct event event = {
        .start_ns = at_ns, .end_ns = at_ns - 1, .bytes = copy, .size = length};
    if (pgs_role(copy, length) > EVENT_CLEARS || dvb_role(copy, length) > EVENT_CLEARS)
        abort();
    screen_decoder_take(decoder, &event, out);
    mem_free(copy);
    return 2 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const codecs[] = {"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"};
    enum { EVENTS = 50 };
    const int64_t second = 1000000000;
    struct plan_track track = {.kind = PLAN_SUBTITLE};
    struct screens screens = {0};
    struct str out = {0};
    av_log_set_level(AV_LOG_QUIET); /* it complains of every byte */
    if (size < 2)
        return 0;
    snprintf(track.codec_name, sizeof track.codec_name, "%s", codecs[bytes[0] % 3]);
    track.extradata_size = bytes[1] < size - 2 ? bytes[1] : (uint32_t) size - 2;
    track.extradata = mem_dup(bytes + 2, track.extradata_size);
    size_t at = 2 + track.extradata_size;
    struct screen_decoder *decoder = screen_decoder_new(&track);
    for (int i = 0; decoder != NULL && i < EVENTS && size - at > 2; i++)
        at += take_event(bytes + at, size - at, i * second, decoder, &screens);
    check(&screens);
    screens_write(&screens, 0, EVENTS * second, 0, EVENTS * second, &out);
    if (out.length < 11 || memcmp(out.at, "{\"cues\":[", 9) != 0)
        abort();
    str_fini(&out);
    screens_fini(&screens);
    screen_decoder_free(&decoder);
    mem_free(track.extradata);
    return 0;
}
