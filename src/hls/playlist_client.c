/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client can play, and what that means for a film: which copies it is offered, and in words why
 * not the others. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hls/playlist.h"

enum { STEREO = 2, SIDE_MOST = 32768, DIGITS_MOST = 5 };

/* --- the words --- */

struct word {
    const char *name;
    enum playlist_cap cap;
};

static const struct word words[] = {
#define CAP_WORD(name, word) {word, CAP_##name},
    PLAYLIST_CAPS(CAP_WORD)
#undef CAP_WORD
};

/* Digits alone, few enough. */
static bool read_number(struct slice text, uint32_t most, uint32_t *out)
{
    uint32_t value = 0;
    if (text.length == 0 || text.length > DIGITS_MOST)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (uint32_t) (text.at[i] - '0');
    }
    *out = value;
    return value <= most;
}

static struct slice before(struct slice text, char mark, struct slice *rest)
{
    const char *at = memchr(text.at, mark, text.length);
    size_t length = at != NULL ? (size_t) (at - text.at) : text.length;
    size_t skip = at != NULL ? length + 1 : length;
    *rest = (struct slice){text.at + skip, text.length - skip};
    return (struct slice){text.at, length};
}

/* "1920x1080" */
static void read_screen(struct slice text, struct playlist_client *client)
{
    struct slice height;
    struct slice width = before(text, 'x', &height);
    uint32_t w = 0, h = 0;
    if (!read_number(width, SIDE_MOST, &w) || !read_number(height, SIDE_MOST, &h))
        return;
    client->screen_width = w;
    client->screen_height = h;
}

/* "h264.51": the highest level; said twice, the higher. */
static void read_word(struct slice item, struct playlist_client *client)
{
    struct slice rest;
    struct slice name = before(item, '.', &rest);
    if (slice_is(name, "screen")) {
        read_screen(rest, client);
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint32_t level = 0;
        if (!slice_is(name, words[i].name))
            continue;
        client->caps |= words[i].cap;
        if (read_number(rest, UINT8_MAX, &level) && level > client->levels[i])
            client->levels[i] = (uint8_t) level;
    }
}

void playlist_caps(struct slice text, struct playlist_client *client)
{
    client->caps = CAP_H264 | CAP_AAC;
    if (client->is_native)
        client->caps |= CAP_SURROUND;
    if (text.at == NULL) {
        client->caps |= client->is_native ? CAP_AC3 | CAP_EAC3 : 0;
        return;
    }
    while (text.length > 0)
        read_word(before(text, ',', &text), client);
}

/* --- levels --- */

static uint32_t level_at(const char *at, int base)
{
    char *end = NULL;
    unsigned long level = strtoul(at, &end, base);
    return end != at && level <= UINT8_MAX ? (uint32_t) level : 0;
}

/* The part of a dotted string, from 0 on; "" where there are fewer. */
static const char *part_of(const char *codec, unsigned n)
{
    for (; n > 0; n--) {
        codec = strchr(codec, '.');
        if (codec == NULL)
            return "";
        codec++;
    }
    return codec;
}

uint32_t playlist_level(const char *codec)
{
    const char *at;
    if (strncmp(codec, "avc1.", 5) == 0 || strncmp(codec, "avc3.", 5) == 0)
        return strlen(codec) >= 11 ? level_at(codec + 9, 16) : 0;
    if (strncmp(codec, "av01.", 5) == 0)
        return level_at(part_of(codec, 2), 10);
    if (strncmp(codec, "vp09.", 5) == 0)
        return level_at(part_of(codec, 2), 10);
    if (strncmp(codec, "hvc1.", 5) != 0 && strncmp(codec, "hev1.", 5) != 0)
        return 0;
    at = part_of(codec, 3);
    return *at == 'L' || *at == 'H' ? level_at(at + 1, 10) : 0;
}

/* --- verdicts --- */

static bool is_deep(const struct plan_track *track)
{
    return track->bit_depth > 8;
}

/* The capability that a copy of the track needs; CAP_BIT_COUNT: there is none for it. */
static enum playlist_cap_bit cap_bit(const struct plan_track *track)
{
    switch (track->codec) {
    case CODEC_H264:
        return CAP_BIT_H264;
    case CODEC_HEVC:
        return is_deep(track) ? CAP_BIT_HEVC10 : CAP_BIT_HEVC;
    case CODEC_AV1:
        return is_deep(track) ? CAP_BIT_AV1_10 : CAP_BIT_AV1;
    case CODEC_VP9:
        return is_deep(track) ? CAP_BIT_VP9_10 : CAP_BIT_VP9;
    case CODEC_AAC:
        return CAP_BIT_AAC;
    case CODEC_AC3:
        return CAP_BIT_AC3;
    case CODEC_EAC3:
        return CAP_BIT_EAC3;
    case CODEC_FLAC:
        return CAP_BIT_FLAC;
    case CODEC_OPUS:
        return CAP_BIT_OPUS;
    case CODEC_MP3:
        return CAP_BIT_MP3;
    case CODEC_OTHER:
    case CODEC_COUNT:
        break;
    }
    return CAP_BIT_COUNT;
}

/* ISO 23091-2: 16 is PQ, 18 HLG. */
static bool is_hdr(const struct plan_rendition *rendition)
{
    return strcmp(rendition->video_range, "PQ") == 0 || strcmp(rendition->video_range, "HLG") == 0;
}

static enum err object_to_picture(const struct playlist_client *client,
                                  const struct plan_rendition *copy, enum playlist_cap_bit bit,
                                  struct why *why)
{
    uint32_t level = playlist_level(copy->codecs), most = client->levels[bit];
    if (is_hdr(copy) && (client->caps & CAP_HDR) == 0)
        return why_set(why, ERR_REFUSED, NULL, "it is HDR (%.4s), and the screen shows none",
                       copy->video_range);
    if (most > 0 && level > most)
        return why_set(why, ERR_REFUSED, NULL,
                       "its level (%" PRIu32 " in %s) is above %" PRIu32
                       ", the highest that the player plays",
                       level, copy->codecs, most);
    return OK;
}

/* AC-3 and E-AC-3 are for surround: who plays them says so with that. */
static bool needs_loudspeakers(const struct plan_track *track, const struct plan_rendition *copy)
{
    return copy->channels > STEREO && track->codec != CODEC_AC3 && track->codec != CODEC_EAC3;
}

enum err playlist_judge_copy(const struct playlist_client *client, const struct plan *plan,
                             uint32_t rendition, struct why *why)
{
    const struct plan_rendition *copy = &plan->renditions[rendition];
    const struct plan_track *track = &plan->tracks[copy->track];
    enum playlist_cap_bit bit = cap_bit(track);
    if (bit == CAP_BIT_COUNT || (client->caps >> bit & 1) == 0)
        return why_set(why, ERR_REFUSED, NULL, "the player plays no %s%s", track->codec_name,
                       track->kind == PLAN_VIDEO && is_deep(track) ? " of more than 8 bits" : "");
    if (copy->kind == PLAN_VIDEO || copy->kind == PLAN_IFRAMES)
        return object_to_picture(client, copy, bit, why);
    if (needs_loudspeakers(track, copy) && (client->caps & CAP_SURROUND) == 0)
        return why_set(why, ERR_REFUSED, NULL,
                       "it has %" PRIu32 " channels, and the player is for stereo", copy->channels);
    return OK;
}

bool playlist_plays_hevc(const struct playlist_client *client,
                         const struct plan_rendition *rendition)
{
    uint32_t most = client->levels[CAP_BIT_HEVC];
    return (client->caps & CAP_HEVC) != 0 &&
           (most == 0 || playlist_level(rendition->codecs) <= most);
}

static int find_form(const struct plan *plan, uint32_t track, bool is_copy)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].track == track && plan->renditions[i].is_copy == is_copy)
            return (int) i;
    return -1;
}

enum playlist_way playlist_judge(const struct playlist_client *client, const struct plan *plan,
                                 uint32_t track, struct why *why)
{
    const struct plan_track *t = &plan->tracks[track];
    int copy = find_form(plan, track, true), other = find_form(plan, track, false);
    *why = (struct why){0};
    if (copy >= 0 && playlist_judge_copy(client, plan, (uint32_t) copy, why) == OK)
        return WAY_COPY;
    if (copy < 0)
        snprintf(why->text, sizeof why->text, "%s",
                 t->copy_refused[0] != '\0' ? t->copy_refused : t->refused);
    if (other >= 0)
        return WAY_TRANSCODE;
    if (copy < 0 && t->refused[0] != '\0')
        snprintf(why->text, sizeof why->text, "%s", t->refused);
    return WAY_REFUSED;
}

/* --- kinds --- */

const struct playlist_kind playlist_kinds[] = {
    {"browser", false, "h264,aac,vp9,vp9-10,av1,av1-10,flac,opus,mp3"},
    {"browser-hevc", false, "h264,hevc,hevc10,aac,vp9,vp9-10,av1,av1-10,flac,opus,mp3"},
    {"safari", true, "h264,aac,ac3,eac3,flac,mp3,hdr"},
    {"safari-hevc", true, "h264,hevc,hevc10,aac,ac3,eac3,flac,mp3,hdr"},
};
const size_t playlist_kind_count = sizeof playlist_kinds / sizeof *playlist_kinds;
