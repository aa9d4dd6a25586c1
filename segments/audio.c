/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment's frames are coded by a fresh encoder that has heard PRE_ROLL frames before them and is
 * fed TAIL frames after them: then every join is alike, and below the coding noise (measured in
 * segment-engine 6, as are the numbers). */
#include "segments/audio.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>
#include <string.h>

#include "base/mem.h"
#include "segments/encode.h"
#include "segments/part.h"
#include "segments/sound.h"
#include "segments/transcode.h"

#define NS_PER_S 1000000000
#define FRAME    TRANSCODE_AUDIO_FRAME
#define PRE_ROLL 8
#define TAIL     2

/* What the decoder hears before the first sample that counts: MP3's bit reservoir of ten frames and
 * Opus' 80 ms are well within, and so is the resampler's margin. */
#define DECODER_PRE_ROLL_NS (350 * 1000000ll)
/* Past the end, for frames that lie a little off their time. */
#define DECODER_TAIL_NS (50 * 1000000ll)
/* More sound than that beyond the window's length: its times do not move on. */
#define MAX_STRAY_S 10.0

/* Frames a part: about a second. */
#define PART_FRAMES 48

/* How much earlier to look when the first packet found is late, try by try: where still none comes,
 * there is none. */
static const int64_t back_ns[] = {0, 2ll * NS_PER_S, 8ll * NS_PER_S};
/* So near the start, sound may stand before the first picture, where seeks do not lead. */
#define NEAR_START_NS (20ll * NS_PER_S)
#define BACK_COUNT    (sizeof back_ns / sizeof *back_ns)

struct job {
    const struct plan *plan;
    const struct asker *asker;
    struct decoder *decoder;
    struct engine_output *output;
    uint32_t track, rate, bitrate;
    int64_t first, end; /* frames of the grid */
    float *samples[2];  /* from frame first - PRE_ROLL to end + TAIL */
    AVFrame *frame;
    AVPacket *packet;
    AVCodecContext *encoder;
    struct part_writer part;
    int64_t written; /* frames */
};

static int64_t begin_sample(const struct job *job)
{
    return (job->first - PRE_ROLL) * FRAME;
}

static size_t sample_count(const struct job *job)
{
    return (size_t) (job->end - job->first + PRE_ROLL + TAIL) * FRAME;
}

static int64_t to_source_ns(const struct job *job, int64_t sample)
{
    return job->plan->t0_ns + av_rescale(sample, NS_PER_S, job->rate);
}

/* The decoder before `ns`: by a seek, or from the start. BAD_MEDIA, or fatal to the decoder. */
static enum err stand_before(struct job *job, int64_t ns)
{
    int64_t since_first = ns - job->plan->tracks[job->track].first_ns;
    enum err err = since_first <= 0 ? ERR_NOT_FOUND : ERR_AGAIN;
    for (size_t i = 0; i < BACK_COUNT && err == ERR_AGAIN; i++)
        err = decoder_seek(job->decoder, ns - back_ns[i]);
    if (err == ERR_NOT_FOUND || (err == ERR_AGAIN && since_first < NEAR_START_NS))
        err = decoder_rewind(job->decoder);
    decoder_skip_until(job->decoder, ns);
    return err == ERR_AGAIN ? OK : err;
}

static enum err decode_until(struct job *job, struct sound *sound, int64_t end_ns, double most_s)
{
    enum err err = OK;
    int64_t ns = 0;
    while (err == OK && sound_seconds(sound) < most_s) {
        err = decoder_next(job->decoder, job->frame, &ns);
        if (err == OK && ns >= end_ns)
            break;
        if (err == OK)
            err = sound_add(sound, job->frame, ns);
        av_frame_unref(job->frame);
    }
    av_frame_unref(job->frame);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err decode(struct job *job)
{
    const struct plan_track *track = &job->plan->tracks[job->track];
    int64_t begin = begin_sample(job);
    size_t count = sample_count(job);
    int64_t begin_ns = to_source_ns(job, begin) - DECODER_PRE_ROLL_NS;
    int64_t end_ns = to_source_ns(job, begin + (int64_t) count) + DECODER_TAIL_NS;
    struct sound *sound = sound_new(job->plan, job->track, decoder_time_step_ns(job->decoder));
    enum err err = OK;
    if (end_ns > track->first_ns) {
        err = stand_before(job, begin_ns);
        double most_s = (double) (end_ns - begin_ns) / NS_PER_S + MAX_STRAY_S;
        if (err == OK)
            err = decode_until(job, sound, end_ns, most_s);
    }
    if (err == OK)
        err = sound_render(sound, job->rate, begin, count, job->samples[0], job->samples[1]);
    sound_free(&sound);
    return err;
}

static enum err take_packet(struct job *job)
{
    const AVPacket *packet = job->packet;
    int64_t index = packet->pts / FRAME;
    if (packet->pts < job->first * FRAME || index >= job->end)
        return OK;
    if (packet->pts % FRAME != 0 || index != job->first + job->written || packet->size <= 0)
        return ERR_BAD_MEDIA;
    const struct mux_sample sample = {
        .size = (uint32_t) packet->size, .duration = FRAME, .is_sync = true};
    int64_t time = packet->pts + (int64_t) PLAN_OFFSET_S * job->rate;
    str_append(&job->part.payload, packet->data, (size_t) packet->size);
    part_add(&job->part, &sample, (uint64_t) time);
    job->written++;
    return job->part.count >= PART_FRAMES ? part_flush(&job->part) : OK;
}

static enum err receive_packets(struct job *job)
{
    for (;;) {
        int code = avcodec_receive_packet(job->encoder, job->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return OK;
        if (code < 0)
            return ERR_BAD_MEDIA;
        enum err err = take_packet(job);
        av_packet_unref(job->packet);
        if (err != OK)
            return err;
    }
}

static enum err send_frame(struct job *job, size_t index)
{
    AVFrame *frame = job->frame;
    frame->format = AV_SAMPLE_FMT_FLTP;
    frame->nb_samples = FRAME;
    frame->sample_rate = (int) job->rate;
    av_channel_layout_default(&frame->ch_layout, TRANSCODE_AUDIO_CHANNELS);
    MUST(av_frame_get_buffer(frame, 0) >= 0);
    for (int i = 0; i < TRANSCODE_AUDIO_CHANNELS; i++)
        memcpy(frame->extended_data[i], job->samples[i] + index * FRAME, FRAME * sizeof(float));
    frame->pts = begin_sample(job) + (int64_t) (index * FRAME);
    int code = avcodec_send_frame(job->encoder, frame);
    av_frame_unref(frame);
    return code >= 0 ? receive_packets(job) : ERR_BAD_MEDIA;
}

static enum err encode(struct job *job)
{
    size_t frames = sample_count(job) / FRAME;
    enum err err = encode_audio_open(job->rate, job->bitrate, &job->encoder, &job->output->why);
    for (size_t i = 0; i < frames && err == OK; i++) {
        err = asker_is_gone(job->asker) ? ERR_CANCELLED : send_frame(job, i);
        if (job->asker->tick != NULL)
            job->asker->tick(job->asker->tick_ctx);
    }
    if (err == OK && avcodec_send_frame(job->encoder, NULL) < 0)
        err = ERR_BAD_MEDIA;
    if (err == OK)
        err = receive_packets(job);
    if (err == OK && job->written != job->end - job->first)
        err = ERR_BAD_MEDIA;
    return err == OK ? part_flush(&job->part) : err;
}

static void start(struct job *job, uint32_t n)
{
    const struct plan_rendition *rendition = &job->plan->renditions[job->output->rendition];
    uint32_t index = job->output->rendition;
    job->track = rendition->track;
    job->rate = rendition->timescale;
    job->bitrate = rendition->bitrate;
    job->first = plan_segment_start(job->plan, index, n) / FRAME;
    job->end = plan_segment_start(job->plan, index, n + 1) / FRAME;
    job->frame = av_frame_alloc();
    job->packet = av_packet_alloc();
    MUST(job->frame != NULL && job->packet != NULL && job->end >= job->first);
    for (int i = 0; i < 2; i++)
        job->samples[i] = mem_new_array(float, sample_count(job));
    part_init(&job->part, &job->output->sink, n + 1, false);
}

static void stop(struct job *job)
{
    encode_close(&job->encoder);
    av_frame_free(&job->frame);
    av_packet_free(&job->packet);
    part_fini(&job->part);
    for (int i = 0; i < 2; i++)
        mem_free(job->samples[i]);
}

enum err audio_make(struct decoder *decoder, const struct plan *plan, uint32_t n,
                    struct engine_output *output, const struct asker *asker)
{
    struct job job = {.plan = plan, .asker = asker, .decoder = decoder, .output = output};
    start(&job, n);
    enum err decoded = decode(&job);
    enum err err = decoded;
    if (err == OK)
        err = encode(&job);
    stop(&job);
    output->result = err;
    if (err == ERR_BAD_MEDIA && output->why.text[0] == '\0')
        why_set(&output->why, err, NULL, "the sound could not be converted");
    return decoded == ERR_BAD_MEDIA ? OK : decoded;
}
