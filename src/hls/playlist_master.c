/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multivariant playlist: which renditions a client is offered, in which groups and order.
 *
 * Audio: one group per codec, each with every track (RFC 8216 4.3.4.2.1: groups of one type have
 * the same members). Group "aac" always exists: stereo AAC, the copy where the source is that
 * already. Group "ac3" has the AC-3 copies, and AAC for the tracks that are something else. Each
 * video stands once per group; the wanted one first. Without video the audio renditions are the
 * variants themselves. Native players have one more variant, last: the sound alone in few bits, for
 * the road (hls-engines 4, rule 36). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "hls/playlist_private.h"

enum { MAX_GROUPS = 8, NO_RENDITION = -1, STEREO = 2 };
enum { LOW_MOST = 192000 }; /* bit/s; rule 36 */

struct group {
    char id[20];
    uint32_t members[PLAN_MAX_TRACKS]; /* renditions, one for each of master.audio */
    uint32_t peak, average;            /* the largest member's */
};

struct master {
    const struct film *film;
    const struct plan *plan;
    const struct playlist_client *client;
    uint32_t audio[PLAN_MAX_TRACKS]; /* tracks that can be heard */
    uint32_t audio_count, audio_default;
    struct group groups[MAX_GROUPS];
    uint32_t group_count;
    struct group low; /* native only: for the road */
    bool has_low;
    uint32_t videos[PLAN_MAX_RENDITIONS]; /* renditions, the wanted first */
    uint32_t video_count;
    uint32_t subtitle_count;
    struct str names[PLAN_MAX_TRACKS]; /* NAME of each track, unique among its kind */
};

static uint32_t cap_of(const struct plan_track *track)
{
    switch (track->codec) {
    case CODEC_H264:
        return CAP_H264;
    case CODEC_HEVC:
        return track->bit_depth > 8 ? CAP_HEVC10 : CAP_HEVC;
    case CODEC_AV1:
        return CAP_AV1;
    case CODEC_VP9:
        return CAP_VP9;
    case CODEC_AAC:
        return CAP_AAC;
    case CODEC_AC3:
        return CAP_AC3;
    case CODEC_EAC3:
        return CAP_EAC3;
    case CODEC_FLAC:
        return CAP_FLAC;
    case CODEC_OPUS:
        return CAP_OPUS;
    case CODEC_MP3:
        return CAP_MP3;
    case CODEC_OTHER:
    case CODEC_COUNT:
        break;
    }
    return 0;
}

/* Transcodes are H.264 and AAC, which every client plays. */
static bool can_play(const struct master *master, const struct plan_rendition *rendition)
{
    if (!rendition->is_copy)
        return true;
    return (cap_of(&master->plan->tracks[rendition->track]) & master->client->caps) != 0;
}

static int find_rendition(const struct master *master, uint32_t track, bool is_copy)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
        const struct plan_rendition *rendition = &master->plan->renditions[i];
        if (rendition->track == track && rendition->is_copy == is_copy &&
            can_play(master, rendition))
            return (int) i;
    }
    return NO_RENDITION;
}

/* The stereo AAC of a track: the copy where it is that, or where there is nothing else. */
static int find_fallback(const struct master *master, uint32_t track)
{
    int copy = find_rendition(master, track, true);
    int transcode = find_rendition(master, track, false);
    if (copy >= 0 && master->plan->tracks[track].codec == CODEC_AAC &&
        master->plan->renditions[copy].channels <= STEREO)
        return copy;
    return transcode >= 0 ? transcode : copy;
}

static void find_audio(struct master *master)
{
    bool has_default = false;
    for (uint32_t i = 0; i < master->plan->track_count; i++) {
        const struct plan_track *track = &master->plan->tracks[i];
        if (track->kind != PLAN_AUDIO || find_fallback(master, i) < 0)
            continue;
        if (!has_default && track->is_default && !track->is_commentary) {
            master->audio_default = master->audio_count;
            has_default = true;
        }
        master->audio[master->audio_count++] = i;
    }
}

static void set_member(const struct master *master, struct group *group, uint32_t i, int member)
{
    const struct plan_rendition *rendition = &master->plan->renditions[member];
    group->members[i] = (uint32_t) member;
    group->peak = rendition->bandwidth > group->peak ? rendition->bandwidth : group->peak;
    group->average = rendition->average_bandwidth > group->average ? rendition->average_bandwidth
                                                                   : group->average;
}

static void add_group(struct master *master, const char *id, enum plan_codec codec)
{
    struct group *group = &master->groups[master->group_count++];
    snprintf(group->id, sizeof group->id, "%s", id);
    for (uint32_t i = 0; i < master->audio_count; i++) {
        uint32_t track = master->audio[i];
        int copy = codec == master->plan->tracks[track].codec ? find_rendition(master, track, true)
                                                              : NO_RENDITION;
        set_member(master, group, i, copy >= 0 ? copy : find_fallback(master, track));
    }
}

/* Every track in the fewest bits that there are of it. */
static void make_low(struct master *master)
{
    struct group *group = &master->low;
    snprintf(group->id, sizeof group->id, "aac-low");
    for (uint32_t i = 0; i < master->audio_count; i++) {
        char name[sizeof master->plan->renditions->name];
        snprintf(name, sizeof name, "audio-%" PRIu32 "-aac-low",
                 master->plan->tracks[master->audio[i]].number);
        int low = plan_find(master->plan, name);
        int other = find_fallback(master, master->audio[i]);
        bool is_less = low >= 0 && master->plan->renditions[low].bandwidth <
                                       master->plan->renditions[other].bandwidth;
        set_member(master, group, i, is_less ? low : other);
    }
    master->has_low =
        master->client->is_native && master->audio_count > 0 && group->peak <= LOW_MOST;
}

/* True when some track's copy in `codec` adds something to group "aac". */
static bool is_worth_a_group(const struct master *master, enum plan_codec codec)
{
    for (uint32_t i = 0; i < master->audio_count; i++) {
        uint32_t track = master->audio[i];
        int copy = find_rendition(master, track, true);
        if (copy >= 0 && master->plan->tracks[track].codec == codec &&
            copy != find_fallback(master, track))
            return true;
    }
    return false;
}

/* hls.js is handed the original's sound first; native players the one that all of them play. */
static void make_groups(struct master *master)
{
    static const struct {
        const char *id;
        enum plan_codec codec;
    } kinds[] = {{"eac3", CODEC_EAC3}, {"ac3", CODEC_AC3}, {"flac", CODEC_FLAC},
                 {"opus", CODEC_OPUS}, {"mp3", CODEC_MP3}, {"aac-multichannel", CODEC_AAC}};
    if (master->audio_count == 0)
        return;
    if (master->client->is_native)
        add_group(master, "aac", CODEC_OTHER);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_worth_a_group(master, kinds[i].codec))
            add_group(master, kinds[i].id, kinds[i].codec);
    if (!master->client->is_native)
        add_group(master, "aac", CODEC_OTHER);
}

/* The copy first, then the transcodes from large to small, as the plan has them. */
static void find_videos(struct master *master)
{
    for (int copies = 1; copies >= 0; copies--) {
        for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
            const struct plan_rendition *rendition = &master->plan->renditions[i];
            if (rendition->kind == PLAN_VIDEO && rendition->is_copy == (copies == 1) &&
                can_play(master, rendition))
                master->videos[master->video_count++] = i;
        }
    }
}

static bool has_video(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].kind == PLAN_VIDEO)
            return true;
    return false;
}

/* --- names --- */

/* A quoted string holds no quote and no line end (RFC 8216 4.2). */
static void put_quotable(struct str *out, const char *text)
{
    struct str clean = {0};
    str_append_utf8(&clean, text, strlen(text));
    for (const char *at = str_text(&clean); *at != '\0'; at++) {
        unsigned char byte = (unsigned char) *at;
        str_putc(out, byte == '"' ? '\'' : byte < ' ' || byte == 0x7F ? ' ' : *at);
    }
    str_fini(&clean);
}

static bool is_taken(const struct master *master, uint32_t track)
{
    for (uint32_t i = 0; i < track; i++)
        if (master->plan->tracks[i].kind == master->plan->tracks[track].kind &&
            strcmp(str_text(&master->names[i]), str_text(&master->names[track])) == 0)
            return true;
    return false;
}

static void name_track(struct master *master, uint32_t index)
{
    const struct plan_track *track = &master->plan->tracks[index];
    struct str *name = &master->names[index];
    if (track->title[0] != '\0')
        put_quotable(name, track->title);
    else if (strcmp(track->language, "und") != 0)
        put_quotable(name, track->language);
    else
        str_printf(name, "%s %" PRIu32, track->kind == PLAN_AUDIO ? "Audio" : "Subtitles",
                   track->number);
    size_t length = name->length;
    for (uint32_t n = 2; is_taken(master, index); n++) {
        name->at[name->length = length] = '\0';
        str_printf(name, " (%" PRIu32 ")", n);
    }
}

/* --- lines --- */

static void put_uri(const struct master *master, uint32_t rendition, const char *suffix,
                    struct str *out)
{
    str_printf(out, "%s%s/index.m3u8", master->plan->renditions[rendition].name, suffix);
    playlist_query(master->film, rendition, master->client, out);
}

static void put_media(const struct master *master, uint32_t track, const char *type,
                      const char *group, struct str *out)
{
    str_printf(out, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\",NAME=\"%s\",LANGUAGE=\"%s\"", type, group,
               str_text(&master->names[track]), master->plan->tracks[track].language);
}

/* Without video the default member is the variant itself and has no URI (RFC 8216 4.3.4.2.1). */
static void put_audio_group(const struct master *master, const struct group *group, struct str *out)
{
    for (uint32_t i = 0; i < master->audio_count; i++) {
        uint32_t track = master->audio[i];
        bool is_default = i == master->audio_default;
        put_media(master, track, "AUDIO", group->id, out);
        str_printf(out, ",DEFAULT=%s,AUTOSELECT=%s,CHANNELS=\"%" PRIu32 "\"",
                   is_default ? "YES" : "NO",
                   is_default || !master->plan->tracks[track].is_commentary ? "YES" : "NO",
                   master->plan->renditions[group->members[i]].channels);
        if (master->video_count > 0 || !is_default) {
            str_puts(out, ",URI=\"");
            put_uri(master, group->members[i], "", out);
            str_putc(out, '"');
        }
        str_putc(out, '\n');
    }
}

/* Rules 34 and 35. */
static void put_subtitles(struct master *master, struct str *out)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
        const struct plan_rendition *rendition = &master->plan->renditions[i];
        if (rendition->kind != PLAN_SUBTITLE || master->video_count == 0)
            continue;
        const struct plan_track *track = &master->plan->tracks[rendition->track];
        put_media(master, rendition->track, "SUBTITLES", "subtitles", out);
        str_printf(out, ",DEFAULT=NO,AUTOSELECT=YES,FORCED=%s", track->is_forced ? "YES" : "NO");
        if (track->is_sdh)
            str_puts(out, ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,"
                          "public.accessibility.describes-music-and-sound\"");
        str_puts(out, ",URI=\"");
        put_uri(master, i, "", out);
        str_puts(out, "\"\n");
        master->subtitle_count++;
    }
}

static bool has_codec(const char *list, const char *codec)
{
    size_t length = strlen(codec);
    for (const char *at = list; *at != '\0';) {
        size_t item = strcspn(at, ",");
        if (item == length && memcmp(at, codec, length) == 0)
            return true;
        at += item + (at[item] == ',');
    }
    return false;
}

static void put_codec(struct str *codecs, const char *codec)
{
    if (codec[0] == '\0' || has_codec(str_text(codecs), codec))
        return;
    if (codecs->length > 0)
        str_putc(codecs, ',');
    str_puts(codecs, codec);
}

/* CODECS: every format of the variant and of its groups, once (rule 23). */
static void put_codecs(const struct master *master, int video, const struct group *group,
                       struct str *out)
{
    struct str codecs = {0};
    if (video >= 0)
        put_codec(&codecs, master->plan->renditions[video].codecs);
    for (uint32_t i = 0; group != NULL && i < master->audio_count; i++)
        put_codec(&codecs, master->plan->renditions[group->members[i]].codecs);
    str_printf(out, ",CODECS=\"%s\"", str_text(&codecs));
    str_fini(&codecs);
}

static void put_picture(const struct master *master, const struct plan_rendition *video,
                        struct str *out)
{
    const struct plan *plan = master->plan;
    uint64_t fps_1000 =
        ((uint64_t) plan->fps_num * 1000 + plan->fps_den / 2) / (plan->fps_den ? plan->fps_den : 1);
    str_printf(out, ",RESOLUTION=%" PRIu32 "x%" PRIu32 ",FRAME-RATE=%" PRIu64 ".%03" PRIu64,
               video->width, video->height, fps_1000 / 1000, fps_1000 % 1000);
    str_printf(out, ",VIDEO-RANGE=%.4s",
               video->video_range[0] != '\0' ? video->video_range : "SDR");
}

/* BANDWIDTH: the peak of any combination of the variant's renditions (RFC 8216 4.3.4.2). */
static void put_variant(const struct master *master, int video, const struct group *group,
                        const char *suffix, struct str *out)
{
    const struct plan_rendition *picture = video >= 0 ? &master->plan->renditions[video] : NULL;
    uint64_t peak = (picture ? picture->bandwidth : 0) + (group ? (uint64_t) group->peak : 0);
    uint64_t average =
        (picture ? picture->average_bandwidth : 0) + (group ? (uint64_t) group->average : 0);
    str_printf(out, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64 ",AVERAGE-BANDWIDTH=%" PRIu64,
               peak > 0 ? peak : 1, average > 0 ? average : 1);
    put_codecs(master, video, group, out);
    if (picture != NULL)
        put_picture(master, picture, out);
    if (group != NULL && (picture != NULL || master->audio_count > 1))
        str_printf(out, ",AUDIO=\"%s\"", group->id);
    if (master->subtitle_count > 0)
        str_puts(out, ",SUBTITLES=\"subtitles\"");
    str_puts(out, ",CLOSED-CAPTIONS=NONE\n");
    put_uri(master, video >= 0 ? (uint32_t) video : group->members[master->audio_default], suffix,
            out);
    str_putc(out, '\n');
}

static void put_video_variants(const struct master *master, const char *suffix, struct str *out)
{
    for (uint32_t v = 0; v < master->video_count; v++) {
        for (uint32_t g = 0; g < master->group_count; g++)
            put_variant(master, (int) master->videos[v], &master->groups[g], suffix, out);
        if (master->group_count == 0)
            put_variant(master, (int) master->videos[v], NULL, suffix, out);
    }
}

static void put_variants(const struct master *master, const char *suffix, struct str *out)
{
    if (master->video_count > 0) {
        put_video_variants(master, suffix, out);
        return;
    }
    for (uint32_t g = 0; g < master->group_count; g++)
        put_variant(master, NO_RENDITION, &master->groups[g], suffix, out);
}

/* Rule 36; where the sound is all there is, and small as it is, a second time would be no help. */
static bool needs_low(const struct master *master)
{
    return master->has_low &&
           (master->video_count > 0 || master->low.members[master->audio_default] !=
                                           master->groups[0].members[master->audio_default]);
}

/* Native players drop a variant that fails them: there is always a second (player.md 5). */
static bool needs_double(const struct master *master)
{
    uint32_t uris = master->video_count > 0 ? master->video_count : master->group_count;
    return master->client->is_native && uris == 1;
}

static bool is_independent(const struct master *master)
{
    for (uint32_t i = 0; i < master->video_count; i++)
        if (!playlist_is_independent(&master->plan->renditions[master->videos[i]]))
            return false;
    return true;
}

static void write_master(struct master *master, struct str *out)
{
    for (uint32_t i = 0; i < master->plan->track_count; i++)
        name_track(master, i);
    playlist_head(out, is_independent(master));
    for (uint32_t g = 0; g < master->group_count; g++)
        if (master->video_count > 0 || master->audio_count > 1)
            put_audio_group(master, &master->groups[g], out);
    if (needs_low(master) && master->audio_count > 1)
        put_audio_group(master, &master->low, out);
    put_subtitles(master, out);
    put_variants(master, "", out);
    if (needs_double(master))
        put_variants(master, "-b", out);
    if (needs_low(master))
        put_variant(master, NO_RENDITION, &master->low, "", out);
    for (uint32_t i = 0; i < master->plan->track_count; i++)
        str_fini(&master->names[i]);
}

bool playlist_master(const struct film *film, const struct playlist_client *client, struct str *out)
{
    CLEANUP(mem_free_at) struct master *master = mem_new(struct master);
    master->film = film;
    master->plan = film->plan;
    master->client = client;
    find_audio(master);
    make_groups(master);
    make_low(master);
    find_videos(master);
    if (master->video_count == 0 && (master->group_count == 0 || has_video(film->plan)))
        return false;
    write_master(master, out);
    return true;
}
