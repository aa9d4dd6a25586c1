/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/decode.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
#include <string.h>

#include "base/mem.h"
#include "segments/key_finder.h"

#define NS_PER_S 1000000000

/* After a seek, packets are dropped up to a key; a stream that marks none for so long is decoded
 * as it comes. */
#define MAX_PACKETS_TO_KEY 1000

/* A decoder that is told the end answers with its last frames, broken ones as errors. */
#define MAX_ERRORS_AT_END 1000

/* Where sound is sought by the pictures' index, frames before the key are missing from the block
 * group: this much earlier they are not (segment-engine 3). */
#define AUDIO_BACK_NS (1 * (int64_t) NS_PER_S)

/* How much earlier to look when the first packet found is late, try by try: where still none comes,
 * there is none. */
static const int64_t back_ns[] = {0, 2ll * NS_PER_S, 8ll * NS_PER_S};
/* So near the start, sound may stand before the first picture, where seeks do not lead. */
#define NEAR_START_NS (20ll * NS_PER_S)
#define BACK_COUNT    (sizeof back_ns / sizeof *back_ns)

/* A seek may have to read much on a slow disk; but a demuxer that reads the film twice and hands out
 * no packet goes round in circles, and may be called hung. */
#define READS_OF_FILM 2
#define READS_OF_ANY  (UINT64_C(64) * 1024 * 1024)

struct decoder {
    /* fixed after open */
    const struct plan *plan;
    const struct plan_track *track;
    uint32_t threads;
    uint32_t seek_track;  /* of the plan: whose index serves */
    uint32_t seek_stream; /* the same as libavformat counts */
    uint64_t film_bytes;
    struct key_finder *finder; /* NULL: the plan knows the keys */
    struct demux *demux;
    AVPacket *packet;

    struct asker asker;
    AVCodecContext *codec;
    const AVStream *stream;
    bool is_draining;
    bool is_fresh; /* nothing was read yet */
    uint64_t read; /* bytes since the last packet */
    int64_t hurry_ns, skip_ns;
    bool is_first;    /* no packet was sent yet */
    int64_t shift_ns; /* to take off the frames' times */
    int64_t last_ns;  /* of the last frame; DEMUX_NO_TIME: none yet */
};

bool asker_is_gone(const struct asker *asker)
{
    return asker->cancelled != NULL && atomic_load(asker->cancelled);
}

bool decoder_exists(const char *codec_name)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get_by_name(codec_name);
    return descriptor != NULL && avcodec_find_decoder(descriptor->id) != NULL;
}

static enum err open_codec(struct decoder *decoder, struct why *why)
{
    const AVCodecParameters *parameters = decoder->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (codec == NULL)
        return why_set(why, ERR_BAD_MEDIA, NULL, "there is no decoder for %s here",
                       avcodec_get_name(parameters->codec_id));
    avcodec_free_context(&decoder->codec);
    decoder->codec = avcodec_alloc_context3(codec);
    MUST(decoder->codec != NULL);
    AVCodecContext *context = decoder->codec;
    bool is_video = decoder->track->kind == PLAN_VIDEO;
    if (avcodec_parameters_to_context(context, parameters) < 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the %s decoder does not take this track",
                       codec->name);
    context->pkt_timebase = decoder->stream->time_base;
    context->thread_count = is_video ? (int) decoder->threads : 1;
    if (!is_video)
        context->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    if (avcodec_open2(context, codec, NULL) < 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the %s decoder does not take this track",
                       codec->name);
    return OK;
}

static void forget(struct decoder *decoder)
{
    decoder->is_draining = false;
    decoder->hurry_ns = decoder->skip_ns = DEMUX_NO_TIME;
    decoder->last_ns = DEMUX_NO_TIME;
    decoder->shift_ns = 0;
    decoder->is_first = true;
    decoder->codec->skip_frame = AVDISCARD_DEFAULT;
}

/* Sound in Matroska has no index of its own: the pictures' serves. */
static uint32_t choose_seek_track(const struct plan *plan, uint32_t track)
{
    if (plan->tracks[track].kind != PLAN_AUDIO || plan->container != CONTAINER_MKV)
        return track;
    for (uint32_t i = 0; i < plan->track_count; i++)
        if (plan->tracks[i].kind == PLAN_VIDEO && !plan->tracks[i].is_cover)
            return i;
    return track;
}

/* A sign of life for each read. */
static void on_read(void *ctx, size_t bytes)
{
    struct decoder *decoder = ctx;
    decoder->read += bytes;
    if (decoder->asker.tick != NULL &&
        decoder->read <= READS_OF_ANY + READS_OF_FILM * decoder->film_bytes)
        decoder->asker.tick(decoder->asker.tick_ctx);
}

/* The copy's keys stand in the plan: seeks then need neither Cues nor a walk over the clusters. */
static void lend_index(struct decoder *decoder)
{
    const struct plan *plan = decoder->plan;
    if (plan->container != CONTAINER_MKV || plan->copy_pos == NULL)
        return;
    for (uint32_t i = 0; i < plan->copy_count; i++) {
        int64_t ns = av_rescale(plan->copy_cuts[i], NS_PER_S, plan->timescale) + plan->t0_ns;
        demux_add_key(decoder->demux, decoder->seek_stream, plan->copy_pos[i], ns);
    }
}

static enum err open_track(struct decoder *decoder, struct input *input, struct why *why)
{
    const struct reader reader = {.input = input,
                                  .cancelled = decoder->asker.cancelled,
                                  .heard = on_read,
                                  .heard_ctx = decoder};
    if (decoder->plan->copy_count == 0)
        decoder->finder = key_finder_new(&reader, decoder->plan);
    enum err err = demux_open(&reader, false, &decoder->demux, why);
    if (err != OK)
        return err;
    const struct plan_track *track = decoder->track;
    if (demux_select(decoder->demux, track->stream_index) != OK)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the file no longer has this track");
    decoder->stream = demux_stream(decoder->demux, track->stream_index);
    enum AVMediaType type = track->kind == PLAN_VIDEO ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
    if (decoder->stream->codecpar->codec_type != type)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the file's tracks are not those of the plan");
    lend_index(decoder);
    err = open_codec(decoder, why);
    if (err == OK)
        forget(decoder);
    decoder->is_fresh = true;
    return err;
}

enum err decoder_open(struct input *input, const struct plan *plan, uint32_t track,
                      uint32_t threads, const struct asker *asker, struct decoder **out,
                      struct why *why)
{
    struct decoder *decoder = mem_new(struct decoder);
    decoder->plan = plan;
    decoder->track = &plan->tracks[track];
    decoder->threads = threads;
    decoder->seek_track = choose_seek_track(plan, track);
    decoder->seek_stream = plan->tracks[decoder->seek_track].stream_index;
    decoder->film_bytes = input_size(input);
    decoder->asker = *asker;
    decoder->packet = av_packet_alloc();
    MUST(decoder->packet != NULL);
    enum err err = open_track(decoder, input, why);
    if (err != OK) {
        decoder_close(&decoder);
        return err;
    }
    *out = decoder;
    return OK;
}

void decoder_close(struct decoder **decoder)
{
    struct decoder *old = *decoder;
    *decoder = NULL;
    if (old == NULL)
        return;
    avcodec_free_context(&old->codec);
    av_packet_free(&old->packet);
    key_finder_free(&old->finder);
    demux_close(&old->demux);
    mem_free(old);
}

void decoder_set_asker(struct decoder *decoder, const struct asker *asker)
{
    decoder->asker = *asker;
    demux_set_cancelled(decoder->demux, asker->cancelled);
    if (decoder->finder != NULL)
        key_finder_set_cancelled(decoder->finder, asker->cancelled);
}

/* Pictures: drops packets up to a key, which stays in decoder->packet. */
static enum err find_key(struct decoder *decoder, int64_t ns)
{
    for (int i = 0; i < MAX_PACKETS_TO_KEY; i++) {
        av_packet_unref(decoder->packet);
        enum err err = demux_read(decoder->demux, decoder->packet);
        if (err != OK)
            return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
        if ((decoder->packet->flags & AV_PKT_FLAG_KEY) != 0)
            break;
    }
    int64_t key_ns = demux_ns(decoder->stream, decoder->packet->pts);
    return key_ns != DEMUX_NO_TIME && key_ns > ns ? ERR_AGAIN : OK;
}

/* Sound: the first packet read must not be later than `ns`. None at all: the track has ended. */
static enum err find_packet(struct decoder *decoder, int64_t ns)
{
    enum err err = demux_read(decoder->demux, decoder->packet);
    if (err != OK)
        return err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND ? OK : err;
    int64_t at = demux_ns(decoder->stream, decoder->packet->pts);
    return at != DEMUX_NO_TIME && at > ns ? ERR_AGAIN : OK;
}

/* Lends libavformat the key that it would walk to, and the next: from the last one that it knows it
 * would walk on. */
static enum err lend_keys(struct decoder *decoder, int64_t ns)
{
    struct key_pair keys;
    if (decoder->finder == NULL)
        return OK;
    enum err err = key_finder_find(decoder->finder, decoder->seek_track, ns, &keys);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK : err;
    demux_add_key(decoder->demux, decoder->seek_stream, keys.before.pos, keys.before.pts_ns);
    if (keys.has_after)
        demux_add_key(decoder->demux, decoder->seek_stream, keys.after.pos, keys.after.pts_ns);
    return OK;
}

enum err decoder_seek(struct decoder *decoder, int64_t ns, int64_t latest_ns)
{
    bool is_video = decoder->track->kind == PLAN_VIDEO;
    int64_t to = ns - (decoder->seek_stream != decoder->track->stream_index ? AUDIO_BACK_NS : 0);
    av_packet_unref(decoder->packet);
    decoder->is_fresh = false;
    decoder->read = 0;
    enum err err = lend_keys(decoder, to);
    if (err == OK)
        err = demux_seek(decoder->demux, decoder->seek_stream, to);
    /* Sound decoders keep the state of their noise generators across a flush: a new one. */
    if (err == OK && !is_video)
        err = open_codec(decoder, NULL);
    if (err != OK)
        return err;
    avcodec_flush_buffers(decoder->codec);
    forget(decoder);
    return is_video ? find_key(decoder, latest_ns) : find_packet(decoder, latest_ns);
}

enum err decoder_rewind(struct decoder *decoder)
{
    if (decoder->is_fresh)
        return OK;
    av_packet_unref(decoder->packet);
    enum err err = demux_rewind(decoder->demux);
    if (err != OK)
        return err;
    decoder->stream = demux_stream(decoder->demux, decoder->track->stream_index);
    lend_index(decoder);
    err = open_codec(decoder, NULL);
    if (err == OK)
        forget(decoder);
    return err;
}

enum err decoder_stand_before(struct decoder *decoder, int64_t ns)
{
    int64_t since_first = ns - decoder->track->first_ns;
    enum err err = since_first <= 0 ? ERR_NOT_FOUND : ERR_AGAIN;
    for (size_t i = 0; i < BACK_COUNT && err == ERR_AGAIN; i++)
        err = decoder_seek(decoder, ns - back_ns[i], ns);
    if (err == ERR_NOT_FOUND || (err == ERR_AGAIN && since_first < NEAR_START_NS))
        err = decoder_rewind(decoder);
    decoder_skip_until(decoder, ns);
    return err == ERR_AGAIN ? OK : err;
}

enum err decoder_first_key(struct decoder *decoder)
{
    enum err err = decoder_rewind(decoder);
    return err == OK ? find_key(decoder, INT64_MAX) : err;
}

void decoder_lend_key(struct decoder *decoder, uint64_t pos, int64_t ns)
{
    demux_add_key(decoder->demux, decoder->seek_stream, pos, ns);
}

int64_t decoder_key_ns(const struct decoder *decoder)
{
    const AVPacket *packet = decoder->packet;
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    return demux_ns(decoder->stream, pts);
}

enum err decoder_still(struct decoder *decoder, struct AVFrame *frame)
{
    decoder->is_fresh = false;
    if (asker_is_gone(&decoder->asker))
        return ERR_CANCELLED;
    if (decoder->asker.tick != NULL)
        decoder->asker.tick(decoder->asker.tick_ctx);
    avcodec_send_packet(decoder->codec, decoder->packet);
    av_packet_unref(decoder->packet);
    avcodec_send_packet(decoder->codec, NULL);
    decoder->is_draining = true;
    return avcodec_receive_frame(decoder->codec, frame) >= 0 ? OK : ERR_BAD_MEDIA;
}

void decoder_hurry_until(struct decoder *decoder, int64_t ns)
{
    decoder->hurry_ns = ns;
}

void decoder_skip_until(struct decoder *decoder, int64_t ns)
{
    decoder->skip_ns = ns;
}

/* A stream without presentation times (AVI): frames come with the decode time of the packet that
 * drove them out, which is later than their own by what the decoder holds back. */
static int64_t delay_of(const struct decoder *decoder, const AVPacket *packet)
{
    if (decoder->track->kind != PLAN_VIDEO || packet->duration <= 0)
        return 0;
    return demux_ns(decoder->stream, packet->duration) * decoder->stream->codecpar->video_delay;
}

/* Sends the packet in hand, or the next one. Undecodable packets are passed over. */
static enum err feed(struct decoder *decoder)
{
    AVPacket *packet = decoder->packet;
    if (packet->data == NULL && packet->side_data_elems == 0) {
        enum err err = demux_read(decoder->demux, packet);
        if (err == ERR_NOT_FOUND) {
            decoder->is_draining = true;
            avcodec_send_packet(decoder->codec, NULL);
            return OK;
        }
        if (err != OK)
            return err;
    }
    decoder->read = 0;
    int64_t ns = demux_ns(decoder->stream, packet->pts);
    if (decoder->is_first)
        decoder->shift_ns = ns == DEMUX_NO_TIME ? delay_of(decoder, packet) : 0;
    decoder->is_first = false;
    bool is_early = ns != DEMUX_NO_TIME && decoder->skip_ns != DEMUX_NO_TIME;
    if (!is_early || ns >= decoder->skip_ns) {
        bool hurry = ns != DEMUX_NO_TIME && ns < decoder->hurry_ns;
        decoder->codec->skip_frame = hurry ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
        avcodec_send_packet(decoder->codec, packet);
    }
    av_packet_unref(packet);
    return OK;
}

/* Without any time: one frame after the one before. */
static int64_t guess_time(const struct decoder *decoder, const AVFrame *frame)
{
    const struct plan_track *track = decoder->track;
    int64_t step = 0;
    if (decoder->last_ns == DEMUX_NO_TIME)
        return track->first_ns;
    if (track->kind == PLAN_VIDEO && track->fps_num > 0)
        step = av_rescale(NS_PER_S, track->fps_den, track->fps_num);
    else if (frame->sample_rate > 0)
        step = av_rescale(frame->nb_samples, NS_PER_S, frame->sample_rate);
    return decoder->last_ns + step;
}

static int64_t time_of(const struct decoder *decoder, const AVFrame *frame)
{
    int64_t pts = frame->pts != AV_NOPTS_VALUE ? frame->pts : frame->best_effort_timestamp;
    int64_t ns = demux_ns(decoder->stream, pts);
    /* Times beyond a century are noise; kept away from overflows here. */
    if (ns == DEMUX_NO_TIME || ns > INT64_MAX / 4 || ns < INT64_MIN / 4)
        return guess_time(decoder, frame);
    return ns - decoder->shift_ns;
}

enum err decoder_next(struct decoder *decoder, struct AVFrame *frame, int64_t *ns)
{
    decoder->is_fresh = false;
    for (int errors = 0; errors < MAX_ERRORS_AT_END;) {
        if (asker_is_gone(&decoder->asker))
            return ERR_CANCELLED;
        if (decoder->asker.tick != NULL)
            decoder->asker.tick(decoder->asker.tick_ctx);
        int code = avcodec_receive_frame(decoder->codec, frame);
        if (code >= 0) {
            *ns = decoder->last_ns = time_of(decoder, frame);
            return OK;
        }
        if (code == AVERROR_EOF)
            return ERR_NOT_FOUND;
        if (decoder->is_draining) {
            errors += code == AVERROR(EAGAIN) ? MAX_ERRORS_AT_END : 1;
            continue;
        }
        enum err err = feed(decoder);
        if (err != OK)
            return err;
    }
    return ERR_NOT_FOUND;
}

int64_t decoder_time_step_ns(const struct decoder *decoder)
{
    return av_rescale_q(1, decoder->stream->time_base, (AVRational){1, NS_PER_S});
}
