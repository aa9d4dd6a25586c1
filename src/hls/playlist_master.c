/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multivariant playlist: which renditions a client is offered, in which groups and order.
 *
 * Audio: one group per codec, each with every track (RFC 8216 4.3.4.2.1: groups of one type have
 * the same members). Group "aac" always exists: stereo AAC, the copy where the source is that
 * already. Group "ac3" has the AC-3 copies, and AAC for the tracks that are something else: 5.1 for
 * who has the loudspeakers. Where these would hear no copy of a sound in 5.1, group "aac-surround" has
 * it converted. Tracks of more than two channels stand in each group a second time, in stereo for the
 * night; native players do without, which load every sound they are told of and have a night mode of
 * their own. Each video stands once per group; the wanted one first. Without video the audio renditions are the
 * variants themselves. Native players have one more variant, last: the sound alone in few bits, for
 * the road (hls-engines 4, rule 36). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "hls/playlist_private.h"

enum { MAX_GROUPS = 8, NO_RENDITION = -1, STEREO = 2 };
enum { LOW_MOST = 192000 }; /* bit/s; rule 36 */
enum { MAX_VOICES = 2 * PLAN_MAX_TRACKS };

/* What a track's name goes on with at night, and what tells it to a page (RFC 8216 4.3.4.1: a type
 * identifier of our own). */
#define NIGHT_NAME "night mode"
#define NIGHT_TYPE "org.matinee.night-mode"

/* A line of the menu of sounds. */
struct voice {
    uint32_t track;
    bool is_night;
    struct str name; /* NAME, unique in its group */
};

struct group {
    char id[20];
    uint32_t members[MAX_VOICES]; /* renditions, one for each of master.voices */
    uint32_t peak, average;       /* the largest member's */
};

struct master {
    const struct film *film;
    const struct plan *plan;
    const struct playlist_client *client;
    struct voice voices[MAX_VOICES]; /* what can be heard; those for the night last */
    uint32_t voice_count, voice_default;
    struct group groups[MAX_GROUPS];
    uint32_t group_count;
    struct group low; /* native only: for the road */
    bool has_low;
    uint32_t videos[PLAN_MAX_RENDITIONS]; /* renditions, the wanted first */
    uint32_t video_count;
    uint32_t subtitle_count;
    struct str names[PLAN_MAX_TRACKS]; /* NAME of each subtitle, unique among them */
    struct beside *beside;
    struct str beside_names[BESIDE_MOST]; /* unique among those and subtitles */
};

/* Transcodes are H.264 and AAC, which every client plays, as far as the machine can make them; a device
 * may make HEVC too. */
static bool can_play(const struct master *master, uint32_t index)
{
    const struct plan_rendition *rendition = &master->plan->renditions[index];
    const struct playlist_client *client = master->client;
    struct why why;
    if (rendition->kind == PLAN_VIDEO && plan_coded(rendition) == CODEC_HEVC &&
        !playlist_plays_hevc(client, rendition))
        return false;
    if (!rendition->is_copy)
        return rendition->kind != PLAN_VIDEO || !client->is_limited ||
               (uint64_t) rendition->width * rendition->height <= client->most_pixels;
    return playlist_judge_copy(master->client, master->plan, index, &why) == OK;
}

static int find_copy(const struct master *master, uint32_t track)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++)
        if (master->plan->renditions[i].track == track && master->plan->renditions[i].is_copy &&
            can_play(master, i))
            return (int) i;
    return NO_RENDITION;
}

/* What the sound of a track is converted to: in stereo for the night or not, the first that there is,
 * which is the best; or in 5.1. */
static int find_coded(const struct master *master, uint32_t track, bool is_night, bool is_surround)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
        const struct plan_rendition *rendition = &master->plan->renditions[i];
        if (rendition->track == track && !rendition->is_copy && rendition->is_night == is_night &&
            (rendition->channels > STEREO) == is_surround)
            return (int) i;
    }
    return NO_RENDITION;
}

/* The stereo AAC of a track: the copy where it is that, or where there is nothing else. */
static int find_fallback(const struct master *master, uint32_t track)
{
    int copy = find_copy(master, track);
    int transcode = find_coded(master, track, false, false);
    if (copy >= 0 && master->plan->tracks[track].codec == CODEC_AAC &&
        master->plan->renditions[copy].channels <= STEREO)
        return copy;
    return transcode >= 0 ? transcode : copy;
}

static bool has_loudspeakers(const struct master *master)
{
    return (master->client->caps & CAP_SURROUND) != 0;
}

/* Who talks over the film, or tells what is to be seen, is not who one hears unasked. */
static bool is_plain(const struct plan_track *track)
{
    return !track->is_commentary && !track->is_descriptive;
}

static void add_voice(struct master *master, uint32_t track, bool is_night)
{
    master->voices[master->voice_count++] = (struct voice){.track = track, .is_night = is_night};
}

static void find_voices(struct master *master)
{
    const struct plan *plan = master->plan;
    bool has_default = false, has_plain = false;
    for (uint32_t i = 0; i < plan->track_count; i++) {
        const struct plan_track *track = &plan->tracks[i];
        if (track->kind != PLAN_AUDIO || find_fallback(master, i) < 0)
            continue;
        bool is_better = !has_default && is_plain(track) && (track->is_default || !has_plain);
        if (is_better)
            master->voice_default = master->voice_count;
        has_plain = has_plain || is_plain(track);
        has_default = has_default || (is_plain(track) && track->is_default);
        add_voice(master, i, false);
    }
    for (uint32_t i = 0; i < plan->track_count && !master->client->is_native; i++)
        if (plan->tracks[i].kind == PLAN_AUDIO && find_coded(master, i, true, false) >= 0)
            add_voice(master, i, true);
}

static void set_member(const struct master *master, struct group *group, uint32_t i, int member)
{
    const struct plan_rendition *rendition = &master->plan->renditions[member];
    group->members[i] = (uint32_t) member;
    group->peak = rendition->bandwidth > group->peak ? rendition->bandwidth : group->peak;
    group->average = rendition->average_bandwidth > group->average ? rendition->average_bandwidth
                                                                   : group->average;
}

/* What is heard of a voice in the group of `codec`; CODEC_OTHER: in stereo. */
static int find_member(const struct master *master, const struct voice *voice,
                       enum plan_codec codec, bool is_surround)
{
    if (voice->is_night)
        return find_coded(master, voice->track, true, false);
    int copy = codec == master->plan->tracks[voice->track].codec ? find_copy(master, voice->track)
                                                                 : NO_RENDITION;
    int surround = is_surround ? find_coded(master, voice->track, false, true) : NO_RENDITION;
    if (copy >= 0)
        return copy;
    return surround >= 0 ? surround : find_fallback(master, voice->track);
}

static void add_group(struct master *master, const char *id, enum plan_codec codec,
                      bool is_surround)
{
    struct group *group = &master->groups[master->group_count++];
    snprintf(group->id, sizeof group->id, "%s", id);
    for (uint32_t i = 0; i < master->voice_count; i++)
        set_member(master, group, i, find_member(master, &master->voices[i], codec, is_surround));
}

/* Every track in the fewest bits that there are of it. */
static void make_low(struct master *master)
{
    struct group *group = &master->low;
    snprintf(group->id, sizeof group->id, "aac-low");
    for (uint32_t i = 0; i < master->voice_count; i++) {
        char name[sizeof master->plan->renditions->name];
        snprintf(name, sizeof name, "audio-%" PRIu32 "-aac-low",
                 master->plan->tracks[master->voices[i].track].number);
        int low = plan_find(master->plan, name);
        int other = find_member(master, &master->voices[i], CODEC_OTHER, false);
        bool is_less = low >= 0 && master->plan->renditions[low].bandwidth <
                                       master->plan->renditions[other].bandwidth;
        set_member(master, group, i, is_less ? low : other);
    }
    master->has_low =
        master->client->is_native && master->voice_count > 0 && group->peak <= LOW_MOST;
}

/* True when some track's copy in `codec` adds something to group "aac". */
static bool is_worth_a_group(const struct master *master, enum plan_codec codec)
{
    for (uint32_t i = 0; i < master->voice_count; i++) {
        uint32_t track = master->voices[i].track;
        int copy = find_copy(master, track);
        if (copy >= 0 && master->plan->tracks[track].codec == codec &&
            copy != find_fallback(master, track))
            return true;
    }
    return false;
}

/* True when some sound that could be heard in 5.1 is in stereo in all groups so far. */
static bool lacks_surround(const struct master *master, uint32_t first_group)
{
    for (uint32_t i = 0; i < master->voice_count; i++) {
        bool is_heard = master->voices[i].is_night ||
                        find_coded(master, master->voices[i].track, false, true) < 0;
        for (uint32_t g = first_group; g < master->group_count; g++)
            is_heard = is_heard ||
                       master->plan->renditions[master->groups[g].members[i]].channels > STEREO;
        if (!is_heard)
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
    bool has_surround = has_loudspeakers(master);
    if (master->voice_count == 0)
        return;
    if (master->client->is_native)
        add_group(master, "aac", CODEC_OTHER, false);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_worth_a_group(master, kinds[i].codec))
            add_group(master, kinds[i].id, kinds[i].codec, has_surround);
    if (has_surround && lacks_surround(master, 0))
        add_group(master, "aac-surround", CODEC_OTHER, true);
    if (!master->client->is_native)
        add_group(master, "aac", CODEC_OTHER, false);
}

/* Pictures larger than the screen either way cost work that nobody sees. */
static bool fits_screen(const struct master *master, const struct plan_rendition *rendition)
{
    const struct playlist_client *client = master->client;
    uint32_t wide = client->screen_width, high = client->screen_height;
    uint32_t longer = wide > high ? wide : high, shorter = wide > high ? high : wide;
    bool is_wide = rendition->width > rendition->height;
    uint32_t side = is_wide ? rendition->width : rendition->height;
    uint32_t other = is_wide ? rendition->height : rendition->width;
    return shorter == 0 || rendition->is_copy || side <= longer || other <= shorter;
}

/* What somebody says he wants no more than: as that height is meant, of 16:9. */
static bool is_wanted(const struct master *master, const struct plan_rendition *rendition)
{
    uint32_t most = master->client->most_height;
    bool is_wide = rendition->width > rendition->height;
    uint32_t longer = is_wide ? rendition->width : rendition->height;
    uint32_t shorter = is_wide ? rendition->height : rendition->width;
    return most == 0 || (shorter <= most && longer * 9 <= most * 16);
}

/* Who makes a picture; in the order in which they are offered. */
enum maker { MAKER_SOURCE, MAKER_DEVICE_HEVC, MAKER_DEVICE, MAKER_X264, MAKER_COUNT };

static enum maker maker_of(const struct plan_rendition *rendition)
{
    if (rendition->is_copy)
        return MAKER_SOURCE;
    if (plan_coded(rendition) == CODEC_HEVC)
        return MAKER_DEVICE_HEVC;
    return plan_is_on_device(rendition) ? MAKER_DEVICE : MAKER_X264;
}

static bool is_had_in_hevc(const struct master *master, uint32_t index)
{
    int twin = plan_hevc_twin(master->plan, index);
    return twin >= 0 && can_play(master, (uint32_t) twin);
}

/* Decision 23: what a device makes is offered in place of the same of x264, and in HEVC alone to who
 * plays that; native players, which load no playlist a second time, hear of all. */
static bool is_offered(const struct master *master, uint32_t index)
{
    const struct plan_rendition *rendition = &master->plan->renditions[index];
    bool has_device = master->film != NULL && film_has_device(master->film);
    if (rendition->kind != PLAN_VIDEO || plan_burnt(rendition) != master->client->burn)
        return false;
    if (plan_is_on_device(rendition))
        return has_device && (master->client->is_native || !is_had_in_hevc(master, index));
    return master->client->is_native || !has_device || plan_device_twin(master->plan, index) < 0;
}

/* True of the last transcode of its maker, the smallest. */
static bool is_least(const struct master *master, uint32_t index)
{
    const struct plan_rendition *renditions = master->plan->renditions;
    for (uint32_t i = index + 1; i < master->plan->rendition_count; i++)
        if (is_offered(master, i) && maker_of(&renditions[i]) == maker_of(&renditions[index]))
            return false;
    return true;
}

/* The copy, where there is anything else. */
static bool is_passed_over(const struct master *master, uint32_t index)
{
    const struct plan_rendition *renditions = master->plan->renditions;
    if (is_wanted(master, &renditions[index]))
        return false;
    for (uint32_t i = 0; i < master->plan->rendition_count; i++)
        if (renditions[i].kind == PLAN_VIDEO && !renditions[i].is_copy && is_offered(master, i) &&
            can_play(master, i))
            return renditions[index].is_copy || !is_least(master, index);
    return false;
}

/* The copy first, then the transcodes from large to small, as the plan has them. */
static void find_videos(struct master *master)
{
    for (enum maker maker = 0; maker < MAKER_COUNT; maker++) {
        for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
            const struct plan_rendition *rendition = &master->plan->renditions[i];
            if (is_offered(master, i) && maker_of(rendition) == maker && can_play(master, i) &&
                (fits_screen(master, rendition) || is_least(master, i)) &&
                !is_passed_over(master, i))
                master->videos[master->video_count++] = i;
        }
    }
}

bool playlist_has_picture(const struct plan *plan, const struct playlist_client *client)
{
    const struct master master = {.plan = plan, .client = client};
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].kind == PLAN_VIDEO && can_play(&master, i))
            return true;
    return false;
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

static void name_by_track(const struct master *master, uint32_t index, struct str *name)
{
    const struct plan_track *track = &master->plan->tracks[index];
    if (track->title[0] != '\0')
        put_quotable(name, track->title);
    else if (strcmp(track->language, "und") != 0)
        put_quotable(name, track->language);
    else
        str_printf(name, "%s %" PRIu32, track->kind == PLAN_AUDIO ? "Audio" : "Subtitles",
                   track->number);
}

static bool is_subtitle_taken(const struct master *master, uint32_t track)
{
    for (uint32_t i = 0; i < track; i++)
        if (master->plan->tracks[i].kind == PLAN_SUBTITLE &&
            strcmp(str_text(&master->names[i]), str_text(&master->names[track])) == 0)
            return true;
    return false;
}

static bool is_voice_taken(const struct master *master, uint32_t voice)
{
    for (uint32_t i = 0; i < voice; i++)
        if (strcmp(str_text(&master->voices[i].name), str_text(&master->voices[voice].name)) == 0)
            return true;
    return false;
}

typedef bool taken_fn(const struct master *master, uint32_t index);

static void make_unique(const struct master *master, uint32_t index, taken_fn *is_taken,
                        struct str *name)
{
    size_t length = name->length;
    for (uint32_t n = 2; is_taken(master, index); n++) {
        name->at[name->length = length] = '\0';
        str_printf(name, " (%" PRIu32 ")", n);
    }
}

/* A voice of the night is called as its track by day, with something behind it. */
static void name_voice(struct master *master, uint32_t index)
{
    struct voice *voice = &master->voices[index];
    uint32_t day = 0;
    if (!voice->is_night) {
        name_by_track(master, voice->track, &voice->name);
    } else {
        while (master->voices[day].track != voice->track)
            day++;
        str_printf(&voice->name, "%s (" NIGHT_NAME ")", str_text(&master->voices[day].name));
    }
    make_unique(master, index, is_voice_taken, &voice->name);
}

static void name_all(struct master *master)
{
    for (uint32_t i = 0; i < master->voice_count; i++)
        name_voice(master, i);
    for (uint32_t i = 0; i < master->plan->track_count; i++) {
        if (master->plan->tracks[i].kind != PLAN_SUBTITLE)
            continue;
        name_by_track(master, i, &master->names[i]);
        make_unique(master, i, is_subtitle_taken, &master->names[i]);
    }
}

static void forget_names(struct master *master)
{
    for (uint32_t i = 0; i < master->voice_count; i++)
        str_fini(&master->voices[i].name);
    for (uint32_t i = 0; i < master->plan->track_count; i++)
        str_fini(&master->names[i]);
    for (size_t i = 0; i < BESIDE_MOST; i++)
        str_fini(&master->beside_names[i]);
}

/* --- lines --- */

static void put_uri(const struct master *master, uint32_t rendition, const char *suffix,
                    struct str *out)
{
    str_printf(out, "%s%s/index.m3u8", master->plan->renditions[rendition].name, suffix);
    playlist_query(master->film, rendition, master->client, out);
}

static void put_media(const struct master *master, uint32_t track, const char *type,
                      const char *group, const struct str *name, struct str *out)
{
    str_printf(out, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\",NAME=\"%s\",LANGUAGE=\"%s\"", type, group,
               str_text(name), master->plan->tracks[track].language);
}

/* Objects of E-AC-3 (Atmos) are counted, and called so (Apple 2.7); all else by its channels. */
static void put_channels(const struct master *master, uint32_t rendition, struct str *out)
{
    const struct plan_rendition *r = &master->plan->renditions[rendition];
    uint32_t objects = r->is_copy ? master->plan->tracks[r->track].joc_objects : 0;
    if (objects > 0)
        str_printf(out, ",CHANNELS=\"%" PRIu32 "/JOC\"", objects);
    else
        str_printf(out, ",CHANNELS=\"%" PRIu32 "\"", r->channels);
}

/* AUTOSELECT: what a player may take for itself, by what its user has told the system: not the voice
 * of the makers, nor of the night; but who tells what is to be seen, for those who want that. */
static void put_voice(const struct master *master, const struct group *group, uint32_t index,
                      struct str *out)
{
    const struct voice *voice = &master->voices[index];
    const struct plan_track *track = &master->plan->tracks[voice->track];
    bool is_default = index == master->voice_default;
    bool is_automatic = is_default || (!track->is_commentary && !voice->is_night);
    put_media(master, voice->track, "AUDIO", group->id, &voice->name, out);
    str_printf(out, ",DEFAULT=%s,AUTOSELECT=%s", is_default ? "YES" : "NO",
               is_automatic ? "YES" : "NO");
    put_channels(master, group->members[index], out);
    if (track->is_descriptive || voice->is_night)
        str_printf(out, ",CHARACTERISTICS=\"%s%s%s\"",
                   track->is_descriptive ? "public.accessibility.describes-video" : "",
                   track->is_descriptive && voice->is_night ? "," : "",
                   voice->is_night ? NIGHT_TYPE : "");
}

/* Without video the default member is the variant itself and has no URI (RFC 8216 4.3.4.2.1). */
static void put_audio_group(const struct master *master, const struct group *group, struct str *out)
{
    for (uint32_t i = 0; i < master->voice_count; i++) {
        put_voice(master, group, i, out);
        if (master->video_count > 0 || i != master->voice_default) {
            str_puts(out, ",URI=\"");
            put_uri(master, group->members[i], "", out);
            str_putc(out, '"');
        }
        str_putc(out, '\n');
    }
}

/* Rules 34 and 35. */
static void put_purpose(bool is_forced, bool is_sdh, struct str *out)
{
    str_printf(out, ",DEFAULT=NO,AUTOSELECT=YES,FORCED=%s", is_forced ? "YES" : "NO");
    if (is_sdh)
        str_puts(out, ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,"
                      "public.accessibility.describes-music-and-sound\"");
    str_puts(out, ",URI=\"");
}

static void put_subtitles(struct master *master, struct str *out)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++) {
        const struct plan_rendition *rendition = &master->plan->renditions[i];
        if (rendition->kind != PLAN_SUBTITLE || master->video_count == 0)
            continue;
        const struct plan_track *track = &master->plan->tracks[rendition->track];
        put_media(master, rendition->track, "SUBTITLES", "subtitles",
                  &master->names[rendition->track], out);
        put_purpose(track->is_forced, track->is_sdh, out);
        put_uri(master, i, "", out);
        str_puts(out, "\"\n");
        master->subtitle_count++;
    }
}

/* --- beside the film --- */

static bool is_beside_taken(const struct master *master, size_t index)
{
    const char *name = str_text(&master->beside_names[index]);
    for (uint32_t i = 0; i < master->plan->track_count; i++)
        if (master->plan->tracks[i].kind == PLAN_SUBTITLE &&
            strcmp(str_text(&master->names[i]), name) == 0)
            return true;
    for (size_t i = 0; i < index; i++)
        if (strcmp(str_text(&master->beside_names[i]), name) == 0)
            return true;
    return false;
}

static void name_beside(struct master *master, size_t index, const struct beside_file *file)
{
    struct str *name = &master->beside_names[index];
    put_quotable(name, file->title[0] != '\0'               ? file->title
                       : strcmp(file->language, "und") != 0 ? file->language
                                                            : "Subtitles");
    size_t length = name->length;
    for (uint32_t n = 2; is_beside_taken(master, index); n++) {
        name->at[name->length = length] = '\0';
        str_printf(name, " (%" PRIu32 ")", n);
    }
}

static void put_beside(struct master *master, struct str *out)
{
    size_t count;
    const struct beside_file *files = beside_files(master->beside, &count);
    for (size_t i = 0; i < count && master->video_count > 0; i++) {
        char version[FILM_VERSION_SIZE];
        film_beside_version(master->film, &files[i], version);
        name_beside(master, i, &files[i]);
        str_printf(out,
                   "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subtitles\",NAME=\"%s\",LANGUAGE=\"%s\"",
                   str_text(&master->beside_names[i]), files[i].language);
        put_purpose(files[i].is_forced, files[i].is_sdh, out);
        str_printf(out, "%s/index.m3u8", files[i].id);
        playlist_query_of(version, master->client, out);
        str_puts(out, "\"\n");
        master->subtitle_count++;
    }
}

static void put_codec(struct str *codecs, const char *codec)
{
    if (codec[0] == '\0' || str_list_has(str_text(codecs), ',', codec))
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
    for (uint32_t i = 0; group != NULL && i < master->voice_count; i++)
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
    if (group != NULL && (picture != NULL || master->voice_count > 1))
        str_printf(out, ",AUDIO=\"%s\"", group->id);
    if (master->subtitle_count > 0)
        str_puts(out, ",SUBTITLES=\"subtitles\"");
    str_puts(out, ",CLOSED-CAPTIONS=NONE\n");
    put_uri(master, video >= 0 ? (uint32_t) video : group->members[master->voice_default], suffix,
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
           (master->video_count > 0 || master->low.members[master->voice_default] !=
                                           master->groups[0].members[master->voice_default]);
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

/* RFC 8216 4.3.4.3: as a variant of pictures alone, without frame rate and groups. */
static void put_iframes(const struct master *master, uint32_t index, struct str *out)
{
    const struct plan_rendition *iframes = &master->plan->renditions[index];
    str_printf(out, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%" PRIu32 ",AVERAGE-BANDWIDTH=%" PRIu32,
               iframes->bandwidth > 0 ? iframes->bandwidth : 1,
               iframes->average_bandwidth > 0 ? iframes->average_bandwidth : 1);
    put_codecs(master, (int) index, NULL, out);
    str_printf(out, ",RESOLUTION=%" PRIu32 "x%" PRIu32 ",VIDEO-RANGE=%.4s,URI=\"", iframes->width,
               iframes->height, iframes->video_range);
    put_uri(master, index, "", out);
    str_puts(out, "\"\n");
}

static void put_all_iframes(const struct master *master, struct str *out)
{
    for (uint32_t i = 0; i < master->plan->rendition_count; i++)
        if (master->plan->renditions[i].kind == PLAN_IFRAMES && can_play(master, i))
            put_iframes(master, i, out);
}

static void write_master(struct master *master, struct str *out)
{
    name_all(master);
    playlist_head(out, is_independent(master));
    for (uint32_t g = 0; g < master->group_count; g++)
        if (master->video_count > 0 || master->voice_count > 1)
            put_audio_group(master, &master->groups[g], out);
    if (needs_low(master) && master->voice_count > 1)
        put_audio_group(master, &master->low, out);
    put_subtitles(master, out);
    put_beside(master, out);
    put_variants(master, "", out);
    if (needs_double(master))
        put_variants(master, "-b", out);
    if (needs_low(master))
        put_variant(master, NO_RENDITION, &master->low, "", out);
    put_all_iframes(master, out);
    forget_names(master);
}

bool playlist_master(struct film *film, const struct playlist_client *client, struct str *out)
{
    CLEANUP(mem_free_at) struct master *master = mem_new(struct master);
    master->film = film;
    master->plan = film->plan;
    master->client = client;
    find_voices(master);
    make_groups(master);
    make_low(master);
    find_videos(master);
    if (master->video_count == 0 && (master->group_count == 0 || has_video(film->plan)))
        return false;
    master->beside = film_beside(film);
    write_master(master, out);
    beside_unref(&master->beside);
    return true;
}
