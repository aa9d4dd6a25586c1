/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all other containers hold, through libavformat: transport streams, AVI, FLV, Ogg, sound
 * files. They are transcoded, never copied. Their headers' durations and first
 * times are not believed: the packets are read. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/demux.h"
#include "segments/dolby.h"
#include "segments/planner.h"

/* Files up to here are read whole for their end; of others the tail. */
#define WHOLE_BYTES (64 * 1024 * 1024)
/* How far from the told end the tail begins, each try; then the whole file. */
static const int64_t tail_ns[] = {5 * PLANNER_NS_PER_S, 60 * PLANNER_NS_PER_S};

static enum plan_codec codec_of(enum AVCodecID id)
{
    static const struct {
        enum AVCodecID id;
        enum plan_codec codec;
    } known[] = {{AV_CODEC_ID_H264, CODEC_H264}, {AV_CODEC_ID_HEVC, CODEC_HEVC},
                 {AV_CODEC_ID_AV1, CODEC_AV1},   {AV_CODEC_ID_VP9, CODEC_VP9},
                 {AV_CODEC_ID_AAC, CODEC_AAC},   {AV_CODEC_ID_AC3, CODEC_AC3},
                 {AV_CODEC_ID_EAC3, CODEC_EAC3}, {AV_CODEC_ID_FLAC, CODEC_FLAC},
                 {AV_CODEC_ID_OPUS, CODEC_OPUS}, {AV_CODEC_ID_MP3, CODEC_MP3}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].id == id)
            return known[i].codec;
    }
    return CODEC_OTHER;
}

/* Well-formed UTF-8, cut at a whole character. */
static void put_text(char *out, size_t room, const char *text)
{
    CLEANUP(str_fini) struct str clean = {0};
    size_t keep;

    if (text == NULL)
        return;
    str_append_utf8(&clean, text, strlen(text));
    keep = clean.length < room - 1 ? clean.length : room - 1;
    while (keep > 0 && keep < clean.length && (clean.at[keep] & 0xC0) == 0x80)
        keep--;
    memcpy(out, str_text(&clean), keep);
    out[keep] = '\0';
}

static void put_tag(char *out, size_t room, const AVDictionary *tags, const char *key)
{
    const AVDictionaryEntry *entry = av_dict_get(tags, key, NULL, 0);

    put_text(out, room, entry != NULL ? entry->value : NULL);
}

/* ISO 639-2 of three letters passes as it is: BCP 47 prefers two, players know both. */
static void put_language(struct plan_track *track, const AVDictionary *tags)
{
    put_tag(track->language, sizeof track->language, tags, "language");
    if (track->language[0] == '\0')
        snprintf(track->language, sizeof track->language, "und");
}

/* av_display_rotation_get turns counterclockwise; a mirrored matrix has a negative determinant. */
static void put_display(struct plan_track *track, const AVStream *stream)
{
    const int32_t *matrix = (const int32_t *) (const void *) av_stream_get_side_data(
        stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    int32_t upright[9];
    double turn;

    if (matrix == NULL)
        return;
    memcpy(upright, matrix, sizeof upright);
    track->flip = (int64_t) upright[0] * upright[4] - (int64_t) upright[1] * upright[3] < 0;
    if (track->flip)
        av_display_matrix_flip(upright, 1, 0);
    turn = -av_display_rotation_get(upright);
    if (isnan(turn))
        return;
    turn -= 360 * floor(turn / 360);
    track->rotation = (int32_t) lround(turn / 90) % 4 * 90;
}

static void put_dolby(struct plan_track *track, const AVStream *stream)
{
    size_t size = 0;
    const AVDOVIDecoderConfigurationRecord *record =
        (const void *) av_stream_get_side_data(stream, AV_PKT_DATA_DOVI_CONF, &size);

    if (record != NULL && size >= sizeof *record)
        dolby_set(track, record->dv_profile, record->dv_bl_signal_compatibility_id);
}

static uint8_t code_point(int value)
{
    return value > 0 && value < 256 ? (uint8_t) value : 0;
}

static void fill_video(struct plan_track *track, AVFormatContext *context, AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(par->format);
    AVRational sar = av_guess_sample_aspect_ratio(context, stream, NULL);

    track->width = par->width > 0 ? (uint32_t) par->width : 0;
    track->height = par->height > 0 ? (uint32_t) par->height : 0;
    track->sar_num = sar.num > 0 && sar.den > 0 ? (uint32_t) sar.num : 1;
    track->sar_den = sar.num > 0 && sar.den > 0 ? (uint32_t) sar.den : 1;
    track->bit_depth = format != NULL ? (uint8_t) format->comp[0].depth : 0;
    track->is_interlaced =
        par->field_order != AV_FIELD_UNKNOWN && par->field_order != AV_FIELD_PROGRESSIVE;
    track->is_full_range = par->color_range == AVCOL_RANGE_JPEG;
    track->color_primaries = code_point((int) par->color_primaries);
    track->color_transfer = code_point((int) par->color_trc);
    track->color_matrix = code_point((int) par->color_space);
    track->reorder = par->video_delay > 0 ? (uint16_t) par->video_delay : 0;
    put_display(track, stream);
    put_dolby(track, stream);
    if (track->width == 0 || track->height == 0)
        planner_refuse(track, "its picture has no size");
}

static void fill_audio(struct plan_track *track, const AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;

    track->rate = par->sample_rate > 0 ? (uint32_t) par->sample_rate : 0;
    track->channels = par->ch_layout.nb_channels > 0 ? (uint32_t) par->ch_layout.nb_channels : 0;
    if (par->ch_layout.order == AV_CHANNEL_ORDER_NATIVE)
        track->channel_mask = par->ch_layout.u.mask;
    track->frame_size = par->frame_size > 0 ? (uint32_t) par->frame_size : 0;
    if (track->rate == 0 || track->channels == 0)
        planner_refuse(track, "its sound has no form");
}

static void fill_track(struct plan_track *track, AVFormatContext *context, AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    const char *profile = avcodec_profile_name(par->codec_id, par->profile);

    track->codec = codec_of(par->codec_id);
    track->container_id = stream->id > 0 ? (uint32_t) stream->id : 0;
    track->stream_index = (uint32_t) stream->index;
    put_text(track->codec_name, sizeof track->codec_name, avcodec_get_name(par->codec_id));
    put_text(track->profile, sizeof track->profile, profile);
    put_language(track, stream->metadata);
    put_tag(track->title, sizeof track->title, stream->metadata, "title");
    track->is_default = (stream->disposition & AV_DISPOSITION_DEFAULT) != 0;
    track->is_forced = (stream->disposition & AV_DISPOSITION_FORCED) != 0;
    track->is_sdh = (stream->disposition & AV_DISPOSITION_HEARING_IMPAIRED) != 0;
    track->is_commentary = (stream->disposition & AV_DISPOSITION_COMMENT) != 0;
    track->is_descriptive =
        (stream->disposition & (AV_DISPOSITION_VISUAL_IMPAIRED | AV_DISPOSITION_DESCRIPTIONS)) != 0;
    track->is_cover = (stream->disposition &
                       (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) != 0;
    if (av_stream_get_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO, NULL) != NULL)
        planner_refuse(track, "the track is encrypted");
    if (par->extradata_size > 0 && par->extradata_size <= PLAN_MAX_EXTRADATA) {
        track->extradata_size = (uint32_t) par->extradata_size;
        track->extradata = mem_dup(par->extradata, track->extradata_size);
    }
    if (track->kind == PLAN_VIDEO)
        fill_video(track, context, stream);
    else if (track->kind == PLAN_AUDIO)
        fill_audio(track, stream);
}

static bool kind_of(const AVStream *stream, enum plan_kind *kind)
{
    switch ((int) stream->codecpar->codec_type) {
    case AVMEDIA_TYPE_VIDEO:
        *kind = PLAN_VIDEO;
        return true;
    case AVMEDIA_TYPE_AUDIO:
        *kind = PLAN_AUDIO;
        return true;
    case AVMEDIA_TYPE_SUBTITLE:
        *kind = PLAN_SUBTITLE;
        return true;
    default:
        return false;
    }
}

static void read_tracks(struct planner *p, AVFormatContext *context)
{
    uint32_t numbers[PLAN_SUBTITLE + 1] = {0};

    p->plan->tracks = mem_new_array(struct plan_track, PLAN_MAX_TRACKS);
    for (unsigned i = 0; i < context->nb_streams; i++) {
        struct plan_track *track = &p->plan->tracks[p->plan->track_count];
        enum plan_kind kind;
        if (p->plan->track_count == PLAN_MAX_TRACKS || !kind_of(context->streams[i], &kind))
            continue;
        track->kind = kind;
        track->number = ++numbers[kind];
        fill_track(track, context, context->streams[i]);
        p->plan->track_count++;
    }
}

/* --- times ------------------------------------------------------------------------------------ */

struct times {
    struct planner *p;
    int track_of[PLAN_MAX_TRACKS * 4]; /* by stream; -1 */
    bool is_seen[PLAN_MAX_TRACKS];
    int64_t last_ns[PLAN_MAX_TRACKS];
    int64_t distance_ns[PLAN_MAX_TRACKS]; /* of the last two packets: a duration where none is */
    uint32_t count[PLAN_MAX_TRACKS];
};

static void map_streams(struct times *times)
{
    const struct plan *plan = times->p->plan;

    for (size_t i = 0; i < sizeof times->track_of / sizeof *times->track_of; i++)
        times->track_of[i] = -1;
    for (uint32_t i = 0; i < plan->track_count; i++) {
        if (plan->tracks[i].kind != PLAN_SUBTITLE && !plan->tracks[i].is_cover &&
            plan->tracks[i].stream_index < sizeof times->track_of / sizeof *times->track_of)
            times->track_of[plan->tracks[i].stream_index] = (int) i;
    }
}

static int64_t duration_of(const struct times *times, uint32_t track, const AVStream *stream,
                           const AVPacket *packet)
{
    const struct plan_track *t = &times->p->plan->tracks[track];

    if (packet->duration > 0)
        return demux_ns(stream, packet->duration);
    if (t->kind == PLAN_AUDIO && t->frame_size > 0 && t->rate > 0)
        return (int64_t) t->frame_size * PLANNER_NS_PER_S / t->rate;
    if (t->kind == PLAN_VIDEO && stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0)
        return PLANNER_NS_PER_S * stream->avg_frame_rate.den / stream->avg_frame_rate.num;
    return times->distance_ns[track];
}

/* A packet without a presentation time stands where it is decoded. */
static void take_packet(struct times *times, const AVStream *stream, const AVPacket *packet,
                        uint32_t track)
{
    struct plan_track *t = &times->p->plan->tracks[track];
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    int64_t ns, end;

    if (pts == AV_NOPTS_VALUE || (packet->flags & AV_PKT_FLAG_DISCARD) != 0)
        return;
    ns = demux_ns(stream, pts);
    if (!times->is_seen[track] || ns < t->first_ns)
        t->first_ns = ns;
    if (times->count[track] > 0 && ns > times->last_ns[track])
        times->distance_ns[track] = ns - times->last_ns[track];
    end = ns + duration_of(times, track, stream, packet);
    if (!times->is_seen[track] || end > t->end_ns)
        t->end_ns = end;
    times->is_seen[track] = true;
    times->last_ns[track] = ns;
    times->count[track]++;
    if ((int) track == times->p->video && times->p->time_count < HEAD_FRAMES)
        times->p->times[times->p->time_count++] = ns;
}

/* Packets to the end of the file, or up to `limit` bytes of it and all tracks seen. */
static enum err read_times(struct times *times, struct demux *demux, uint64_t limit)
{
    uint64_t begin = demux_bytes_read(demux), size = times->p->plan->source_size;
    AVPacket *packet = av_packet_alloc();
    enum err err = OK;

    MUST(packet != NULL);
    while (err == OK && demux_bytes_read(demux) - begin < limit) {
        err = demux_read(demux, packet);
        if (err != OK)
            break;
        if ((size_t) packet->stream_index < sizeof times->track_of / sizeof *times->track_of &&
            times->track_of[packet->stream_index] >= 0)
            take_packet(times, demux_stream(demux, (uint32_t) packet->stream_index), packet,
                        (uint32_t) times->track_of[packet->stream_index]);
        if (limit == UINT64_MAX && size > 0)
            planner_scanned(times->p, (double) (demux_bytes_read(demux) - begin) / (double) size);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA || err == ERR_GONE ? OK : err;
}

/* The last picture, or sound where there is none; what the tail must have shown. */
static bool has_tail(const struct times *times, const uint32_t *before)
{
    for (uint32_t i = 0; i < times->p->plan->track_count; i++) {
        bool counts = times->p->video >= 0 ? (int) i == times->p->video
                                           : times->p->plan->tracks[i].kind == PLAN_AUDIO;
        if (counts && times->count[i] > before[i])
            return true;
    }
    return false;
}

static enum err read_tail(struct times *times, struct demux *demux)
{
    const AVFormatContext *context = demux_context(demux);
    int main_track = times->p->video >= 0 ? times->p->video : 0;
    uint32_t stream = times->p->plan->tracks[main_track].stream_index;
    int64_t begin = context->start_time != AV_NOPTS_VALUE ? context->start_time * 1000 : 0;
    uint32_t before[PLAN_MAX_TRACKS];
    enum err err;

    memcpy(before, times->count, sizeof before);
    for (size_t i = 0; i < sizeof tail_ns / sizeof *tail_ns; i++) {
        if (context->duration <= 0 || context->duration > (int64_t) PLAN_MAX_HOURS * 3600000000)
            break;
        err = demux_seek(demux, stream, begin + context->duration * 1000 - tail_ns[i]);
        if (err == ERR_CANCELLED || err == ERR_IO)
            return err;
        if (err != OK)
            continue;
        err = read_times(times, demux, UINT64_MAX);
        if (err != OK || has_tail(times, before))
            return err;
    }
    err = demux_rewind(demux);
    return err == OK ? read_times(times, demux, UINT64_MAX) : err;
}

static void choose_main(struct planner *p)
{
    p->video = -1;
    for (uint32_t i = 0; i < p->plan->track_count && p->video < 0; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        if (t->kind == PLAN_VIDEO && !t->is_cover && t->refused[0] == '\0')
            p->video = (int) i;
    }
}

static enum err find_times(struct planner *p, struct demux *demux)
{
    struct times *times = mem_new(struct times);
    bool is_small = p->plan->source_size <= WHOLE_BYTES;
    enum err err;

    times->p = p;
    p->times = mem_new_array(int64_t, HEAD_FRAMES);
    choose_main(p);
    map_streams(times);
    err = read_times(times, demux, is_small ? UINT64_MAX : HEAD_BYTES);
    if (err == OK && !is_small)
        err = read_tail(times, demux);
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        struct plan_track *t = &p->plan->tracks[i];
        if (t->kind != PLAN_SUBTITLE && !t->is_cover && !times->is_seen[i])
            planner_refuse(t, "there is nothing in it");
    }
    mem_free(times);
    return err;
}

static void read_chapters(struct plan *plan, const AVFormatContext *context)
{
    uint32_t count =
        context->nb_chapters < PLAN_MAX_CHAPTERS ? context->nb_chapters : PLAN_MAX_CHAPTERS;

    plan->chapters = count > 0 ? mem_new_array(struct plan_chapter, count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        const AVChapter *chapter = context->chapters[i];
        struct plan_chapter *c = &plan->chapters[plan->chapter_count++];
        c->start_ms = av_rescale_q(chapter->start, chapter->time_base, (AVRational){1, 1000});
        c->end_ms = av_rescale_q(chapter->end, chapter->time_base, (AVRational){1, 1000});
        put_tag(c->title, sizeof c->title, chapter->metadata, "title");
    }
}

enum err plan_av_read(struct planner *p, struct why *why)
{
    struct demux *demux = NULL;
    const AVFormatContext *context;
    enum err err = demux_open(&p->reader, true, &demux, why);

    if (err != OK)
        return err;
    context = demux_context(demux);
    p->plan->container = CONTAINER_OTHER;
    put_text(p->plan->format, sizeof p->plan->format, context->iformat->name);
    p->plan->format[strcspn(p->plan->format, ",")] = '\0';
    read_tracks(p, demux_context(demux));
    read_chapters(p->plan, context);
    err = find_times(p, demux);
    p->reader.bytes_read += demux_bytes_read(demux);
    demux_close(&demux);
    return err;
}
