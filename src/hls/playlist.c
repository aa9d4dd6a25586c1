/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Media playlists, and what both kinds share. The multivariant one is in playlist_master.c. */
#include "hls/playlist.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "hls/playlist_private.h"

/* hls-engines 4 rule 2: fragmented MP4 with EXT-X-MAP. */
enum { VERSION = 7 };
/* Native players take the target for their patience (player.md 5); it is an upper bound. */
enum { NATIVE_TARGET_S = 10 };

void playlist_head(struct str *out, bool is_independent)
{
    str_printf(out, "#EXTM3U\n#EXT-X-VERSION:%d\n", VERSION);
    if (is_independent)
        str_puts(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
}

void playlist_query_of(const char *version, const struct playlist_client *client, struct str *out)
{
    str_printf(out, "?v=%s&client=%s", version, client->is_native ? "native" : "mse");
    if (client->playback[0] != '\0')
        str_printf(out, "&p=%s", client->playback);
}

void playlist_query(const struct film *film, uint32_t rendition,
                    const struct playlist_client *client, struct str *out)
{
    playlist_query_of(film->versions[rendition], client, out);
}

/* EXTINF: the difference of neighbouring cuts in millionths of a second (decision 7). */
static uint64_t segment_us(const struct plan *plan, uint32_t rendition, int64_t begin, int64_t end)
{
    uint64_t timescale = plan->renditions[rendition].timescale;
    return ((uint64_t) (end - begin) * 1000000 + timescale / 2) / timescale;
}

/* RFC 8216 4.3.3.1: no rounded EXTINF exceeds it. Subtitles and I-frames may differ (rule 12). */
static uint32_t target_duration(const struct film *film, uint32_t rendition, bool is_native)
{
    const struct plan *plan = film->plan;
    uint32_t target = film->target_s;
    if (plan->renditions[rendition].kind == PLAN_IFRAMES)
        target = plan_target_duration_of(plan, rendition);
    if (plan_is_subtitle(plan->renditions[rendition].kind)) {
        uint32_t count = 0;
        CLEANUP(mem_free_at) int64_t *starts = NULL;
        plan_segment_starts(plan, rendition, &starts, &count);
        for (uint32_t n = 0; n < count; n++) {
            uint64_t us = segment_us(plan, rendition, starts[n], starts[n + 1]);
            uint32_t rounded = (uint32_t) ((us + 500000) / 1000000);
            target = rounded > target ? rounded : target;
        }
    }
    return is_native && target < NATIVE_TARGET_S ? NATIVE_TARGET_S : target;
}

/* In decimal, with zeros in front up to `width` digits. A long film has thousands of lines with two
 * numbers each, and printf takes more time for them than all else does. */
static void put_number(struct str *out, uint64_t number, unsigned width)
{
    char digits[20];
    size_t at = sizeof digits;
    while (number > 0 || width > 0) {
        digits[--at] = (char) ('0' + number % 10);
        number /= 10;
        width -= width > 0;
    }
    str_append(out, digits + at, sizeof digits - at);
}

/* `tail` is what all URIs end with. */
static void put_segments(const struct plan *plan, uint32_t rendition, const struct str *tail,
                         struct str *out)
{
    uint32_t count = 0;
    CLEANUP(mem_free_at) int64_t *starts = NULL;
    plan_segment_starts(plan, rendition, &starts, &count);
    for (uint32_t n = 0; n < count; n++) {
        uint64_t us = segment_us(plan, rendition, starts[n], starts[n + 1]);
        str_append(out, "#EXTINF:", 8);
        put_number(out, us / 1000000, 1);
        str_putc(out, '.');
        put_number(out, us % 1000000, 6);
        str_append(out, ",\n", 2);
        put_number(out, n, 1);
        str_append(out, tail->at, tail->length);
    }
}

void playlist_media(const struct film *film, uint32_t rendition,
                    const struct playlist_client *client, struct str *out)
{
    const struct plan *plan = film->plan;
    const struct plan_rendition *what = &plan->renditions[rendition];
    bool is_subtitle = plan_is_subtitle(what->kind);
    const char *suffix = what->kind == PLAN_SUBTITLE ? "vtt" : is_subtitle ? "json" : "m4s";
    struct str query = {0};
    playlist_query(film, rendition, client, &query);
    playlist_head(out, !is_subtitle && playlist_is_independent(what));
    str_printf(out, "#EXT-X-TARGETDURATION:%" PRIu32 "\n",
               target_duration(film, rendition, client->is_native));
    str_puts(out, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    /* Each is a resource of its own and holds nothing else, so that no EXT-X-BYTERANGE is needed (RFC
     * 8216 4.3.3.6, which asks for version 4). */
    if (what->kind == PLAN_IFRAMES)
        str_puts(out, "#EXT-X-I-FRAMES-ONLY\n");
    if (!is_subtitle)
        str_printf(out, "#EXT-X-MAP:URI=\"init.mp4%s\"\n", str_text(&query));
    struct str tail = {0};
    str_printf(&tail, ".%s%s\n", suffix, str_text(&query));
    put_segments(plan, rendition, &tail, out);
    str_puts(out, "#EXT-X-ENDLIST\n");
    str_fini(&tail);
    str_fini(&query);
}

void playlist_beside(const struct film *film, const struct beside_file *file,
                     const struct playlist_client *client, struct str *out)
{
    char version[FILM_VERSION_SIZE];
    uint64_t timescale = film->plan->timescale;
    uint64_t us = ((uint64_t) film->plan->end * 1000000 + timescale / 2) / timescale;
    film_beside_version(film, file, version);
    playlist_head(out, false);
    str_printf(out, "#EXT-X-TARGETDURATION:%" PRIu64 "\n", (us + 999999) / 1000000);
    str_puts(out, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    str_printf(out, "#EXTINF:%" PRIu64 ".%06" PRIu64 ",\n0.vtt", us / 1000000, us % 1000000);
    playlist_query_of(version, client, out);
    str_puts(out, "\n#EXT-X-ENDLIST\n");
}

bool playlist_is_independent(const struct plan_rendition *rendition)
{
    return rendition->kind != PLAN_VIDEO || rendition->is_independent;
}
