/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment's frames are coded by a fresh encoder that has heard PRE_ROLL frames before them and is
 * fed TAIL frames after them: then every join is alike, and below the coding noise (measured in
 * segment-engine 6, as are the numbers). */
#include "segments/audio.h"

#include <libavutil/frame.h>
#include <libavutil/mathematics.h>

#include "base/mem.h"
#include "segments/aac.h"
#include "segments/dynamics.h"
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

struct job {
    const struct plan *plan;
    const struct asker *asker;
    struct decoder *decoder;
    struct engine_output *output;
    uint32_t track, rate, bitrate;
    enum mix mix;
    enum dynamics dynamics;
    size_t margin;               /* samples that these look at on each side */
    int64_t first, end;          /* frames of the grid */
    float *samples[MIX_MAX_OUT]; /* from frame first - PRE_ROLL to end + TAIL, and the margins */
    AVFrame *frame;
    struct part_writer part;
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
    int64_t begin = begin_sample(job) - (int64_t) job->margin;
    size_t count = sample_count(job) + 2 * job->margin;
    int64_t begin_ns = to_source_ns(job, begin) - DECODER_PRE_ROLL_NS;
    int64_t end_ns = to_source_ns(job, begin + (int64_t) count) + DECODER_TAIL_NS;
    struct sound *sound =
        sound_new(job->plan, job->track, job->mix, decoder_time_step_ns(job->decoder));
    enum err err = OK;
    if (end_ns > track->first_ns) {
        err = decoder_stand_before(job->decoder, begin_ns);
        double most_s = (double) (end_ns - begin_ns) / NS_PER_S + MAX_STRAY_S;
        if (err == OK)
            err = decode_until(job, sound, end_ns, most_s);
    }
    if (err == OK)
        err = sound_render(sound, job->rate, begin, count, job->samples);
    if (err == OK)
        dynamics_apply(job->dynamics, job->rate, job->samples, mix_channels(job->mix), count);
    sound_free(&sound);
    return err;
}

/* The segment's frames, in parts. */
static enum err write_frames(struct job *job, const struct aac_frames *frames)
{
    size_t at = 0;
    enum err err = OK;
    for (size_t i = 0; i < frames->count && err == OK; i++) {
        const struct mux_sample sample = {
            .size = frames->sizes[i], .duration = FRAME, .is_sync = true};
        int64_t time = (job->first + (int64_t) i) * FRAME + (int64_t) PLAN_OFFSET_S * job->rate;
        str_append(&job->part.payload, frames->bytes.at + at, frames->sizes[i]);
        part_add(&job->part, &sample, (uint64_t) time);
        at += frames->sizes[i];
        if (job->part.count >= PART_FRAMES)
            err = part_flush(&job->part);
    }
    return err == OK ? part_flush(&job->part) : err;
}

static enum err encode(struct job *job)
{
    const struct aac_form form = {job->rate, mix_channels(job->mix), job->bitrate};
    struct aac_frames frames = {0};
    float *samples[MIX_MAX_OUT] = {NULL};
    for (unsigned i = 0; i < form.channels; i++)
        samples[i] = job->samples[i] + job->margin;
    enum err err =
        aac_encode(&form, samples, sample_count(job) / FRAME, PRE_ROLL,
                   (size_t) (job->end - job->first), job->asker, &frames, &job->output->why);
    if (err == OK)
        err = write_frames(job, &frames);
    aac_frames_fini(&frames);
    return err;
}

/* What comes out of fewer channels than went in may be more than full; all else is left alone. */
static enum dynamics dynamics_of(const struct plan_rendition *rendition,
                                 const struct plan_track *track)
{
    if (rendition->is_night)
        return DYNAMICS_NIGHT;
    return track->channels > rendition->channels ? DYNAMICS_LIMIT : DYNAMICS_NONE;
}

static enum mix mix_of(const struct plan_rendition *rendition)
{
    if (rendition->channels > TRANSCODE_AUDIO_CHANNELS)
        return MIX_SURROUND;
    return rendition->is_night ? MIX_NIGHT : MIX_STEREO;
}

static void start(struct job *job, uint32_t n)
{
    const struct plan_rendition *rendition = &job->plan->renditions[job->output->rendition];
    uint32_t index = job->output->rendition;
    job->track = rendition->track;
    job->rate = rendition->timescale;
    job->bitrate = rendition->bitrate;
    job->mix = mix_of(rendition);
    job->dynamics = dynamics_of(rendition, &job->plan->tracks[job->track]);
    job->margin = dynamics_margin(job->dynamics, job->rate);
    job->first = plan_segment_start(job->plan, index, n) / FRAME;
    job->end = plan_segment_start(job->plan, index, n + 1) / FRAME;
    job->frame = av_frame_alloc();
    MUST(job->frame != NULL && job->end >= job->first);
    for (unsigned i = 0; i < mix_channels(job->mix); i++)
        job->samples[i] = mem_new_array(float, sample_count(job) + 2 * job->margin);
    part_init(&job->part, &job->output->sink, n + 1, false);
}

static void stop(struct job *job)
{
    av_frame_free(&job->frame);
    part_fini(&job->part);
    for (unsigned i = 0; i < MIX_MAX_OUT; i++)
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
