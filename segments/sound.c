/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a frame belongs. Codecs with a constant frame size: on the grid that begins at the track's
 * anchor; a frame's index there follows from its own time alone, and so is the same in every run.
 * Others (Vorbis, PCM, TrueHD): frames that follow each other form a chain, whose place is where the
 * rounding intervals of all its frames' times meet. (segment-engine 6.) */
#include "segments/sound.h"

#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
#include <string.h>

#include "base/mem.h"

#define NS_PER_S 1000000000

/* A frame this far from where the one before it ended begins a new chain: more than the times'
 * rounding and a muxer's lacing (segment-engine 3), less than a hole one hears as such. */
#define CHAIN_BREAK_NS (10 * 1000000ll)

/* Opus counts in this rate whatever was coded (RFC 7845 4). */
#define OPUS_RATE 48000

/* Samples that the resampler hears before and after what is asked for: longer than its filter. */
#define RESAMPLE_MARGIN 256

struct chunk {
    size_t at, count; /* in the store */
    int64_t ns;
};

struct chain {
    int64_t low_ns, high_ns; /* its first sample's time lies between */
    int64_t sum_ns;          /* of the single estimates */
    int64_t frames, samples;
};

struct sound {
    /* fixed after new */
    const struct plan *plan;
    const struct plan_track *track;
    int64_t step_ns;
    enum mix mix;
    unsigned channels; /* that come out */

    uint32_t rate; /* of the first frame; 0: none yet */
    uint64_t to_skip;
    float *store[MIX_MAX_OUT];
    size_t count, room;
    struct chunk *chunks;
    size_t chunk_count, chunk_room;

    SwrContext *mixer;
    AVChannelLayout mixer_layout;
    int mixer_format;
};

struct sound *sound_new(const struct plan *plan, uint32_t track, enum mix mix, int64_t step_ns)
{
    struct sound *sound = mem_new(struct sound);
    sound->plan = plan;
    sound->track = &plan->tracks[track];
    sound->step_ns = step_ns;
    sound->mix = mix;
    sound->channels = mix_channels(mix);
    return sound;
}

void sound_free(struct sound **sound)
{
    struct sound *old = *sound;
    *sound = NULL;
    if (old == NULL)
        return;
    swr_free(&old->mixer);
    av_channel_layout_uninit(&old->mixer_layout);
    for (unsigned i = 0; i < old->channels; i++)
        mem_free(old->store[i]);
    mem_free(old->chunks);
    mem_free(old);
}

double sound_seconds(const struct sound *sound)
{
    return sound->rate > 0 ? (double) sound->count / sound->rate : 0;
}

static void reserve(struct sound *sound, size_t more)
{
    if (sound->count + more <= sound->room)
        return;
    sound->room = (sound->count + more) * 2;
    for (unsigned i = 0; i < sound->channels; i++)
        sound->store[i] = mem_realloc_array(sound->store[i], sound->room, sizeof(float));
}

/* Of 5.1 the order that AAC has. */
static void out_layout(unsigned channels, AVChannelLayout *layout)
{
    if (channels == MIX_MAX_OUT)
        *layout = (AVChannelLayout) AV_CHANNEL_LAYOUT_5POINT1_BACK;
    else
        av_channel_layout_default(layout, (int) channels);
}

/* Mixes; NULL: no way from there to here. Mono and stereo, and channels without places, are
 * libswresample's business. */
static SwrContext *open_mixer(const struct sound *sound, AVChannelLayout *layout,
                              enum AVSampleFormat format)
{
    AVChannelLayout out;
    SwrContext *swr = NULL;
    double matrix[MIX_MAX_OUT * MIX_MAX_IN];
    int rate = (int) sound->rate;
    out_layout(sound->channels, &out);
    int code =
        swr_alloc_set_opts2(&swr, &out, AV_SAMPLE_FMT_FLTP, rate, layout, format, rate, 0, NULL);
    if (code >= 0 && mix_matrix(sound->mix, layout, matrix))
        code = swr_set_matrix(swr, matrix, layout->nb_channels);
    if (code < 0 || swr_init(swr) < 0)
        swr_free(&swr);
    return swr;
}

/* Tracks of Matroska may have channels without places: then the usual ones of that number. */
static enum err make_mixer(struct sound *sound, const AVFrame *frame)
{
    CLEANUP(av_channel_layout_uninit) AVChannelLayout layout = {0};
    if (av_channel_layout_copy(&layout, &frame->ch_layout) < 0)
        return ERR_BAD_MEDIA;
    if (layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&layout, frame->ch_layout.nb_channels);
    if (sound->mixer != NULL && sound->mixer_format == frame->format &&
        av_channel_layout_compare(&sound->mixer_layout, &layout) == 0)
        return OK;
    swr_free(&sound->mixer);
    sound->mixer = open_mixer(sound, &layout, frame->format);
    sound->mixer_format = frame->format;
    av_channel_layout_uninit(&sound->mixer_layout);
    if (sound->mixer == NULL || av_channel_layout_copy(&sound->mixer_layout, &layout) < 0)
        return ERR_BAD_MEDIA;
    return OK;
}

/* What the container says is no sound: a coder's priming at the start, padding at the end. */
static void mute_skipped(struct sound *sound, const AVFrame *frame, size_t at, size_t count)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_SKIP_SAMPLES);
    size_t tail = 0;
    if (side != NULL && side->size >= 8) {
        sound->to_skip += AV_RL32(side->data);
        tail = AV_RL32(side->data + 4);
    }
    size_t head = sound->to_skip < count ? (size_t) sound->to_skip : count;
    tail = tail < count ? tail : count;
    sound->to_skip -= head;
    for (unsigned i = 0; i < sound->channels; i++) {
        memset(sound->store[i] + at, 0, head * sizeof(float));
        memset(sound->store[i] + at + count - tail, 0, tail * sizeof(float));
    }
}

enum err sound_add(struct sound *sound, const struct AVFrame *frame, int64_t ns)
{
    if (frame->nb_samples <= 0 || frame->sample_rate <= 0)
        return OK;
    if (sound->rate == 0)
        sound->rate = (uint32_t) frame->sample_rate;
    if (sound->rate != (uint32_t) frame->sample_rate)
        return OK;
    enum err err = make_mixer(sound, frame);
    if (err != OK)
        return err;
    size_t count = (size_t) frame->nb_samples;
    reserve(sound, count);
    uint8_t *into[MIX_MAX_OUT] = {NULL};
    for (unsigned i = 0; i < sound->channels; i++)
        into[i] = (uint8_t *) (sound->store[i] + sound->count);
    int got = swr_convert(sound->mixer, into, frame->nb_samples,
                          (const uint8_t **) (void *) frame->extended_data, frame->nb_samples);
    if (got != frame->nb_samples)
        return ERR_BAD_MEDIA;
    mute_skipped(sound, frame, sound->count, count);
    mem_grow(sound->chunks, sound->chunk_count, sound->chunk_room);
    sound->chunks[sound->chunk_count++] = (struct chunk){sound->count, count, ns};
    sound->count += count;
    return OK;
}

static int64_t to_samples(const struct sound *sound, int64_t ns)
{
    return av_rescale(ns, sound->rate, NS_PER_S);
}

/* A stretch of the timeline at the source's rate, being filled. */
struct stretch {
    int64_t begin;
    size_t count;
    float *channels[MIX_MAX_OUT];
};

static void place(const struct sound *sound, const struct chunk *chunk, int64_t position,
                  struct stretch *into)
{
    int64_t from = position > into->begin ? position : into->begin;
    int64_t to = position + (int64_t) chunk->count;
    int64_t end = into->begin + (int64_t) into->count;
    to = to < end ? to : end;
    if (to <= from)
        return;
    for (unsigned i = 0; i < sound->channels; i++)
        memcpy(into->channels[i] + (from - into->begin),
               sound->store[i] + chunk->at + (from - position),
               (size_t) (to - from) * sizeof(float));
}

/* Matroska's times of Opus are less the pre-skip (RFC 7845 5.1, bytes 10 and 11 of OpusHead), which
 * libavformat and our reader round to a tick, 1 ms: what the rounding took too much, or too little. */
static int64_t anchor_error_ns(const struct sound *sound)
{
    const struct plan_track *track = sound->track;
    if (track->codec != CODEC_OPUS || sound->plan->container != CONTAINER_MKV ||
        track->extradata_size < 12 || sound->step_ns <= 0)
        return 0;
    int64_t skip_ns = av_rescale(AV_RL16(track->extradata + 10), NS_PER_S, OPUS_RATE);
    return (skip_ns + sound->step_ns / 2) / sound->step_ns * sound->step_ns - skip_ns;
}

static void place_on_grid(const struct sound *sound, struct stretch *into)
{
    const struct plan_track *track = sound->track;
    int64_t anchor_ns = track->first_ns + anchor_error_ns(sound) - sound->plan->t0_ns;
    int64_t anchor = to_samples(sound, anchor_ns);
    for (size_t i = 0; i < sound->chunk_count; i++) {
        const struct chunk *chunk = &sound->chunks[i];
        int64_t index = av_rescale(chunk->ns - track->first_ns, track->rate,
                                   (int64_t) track->frame_size * NS_PER_S);
        int64_t offset = av_rescale(index * track->frame_size, sound->rate, track->rate);
        place(sound, chunk, anchor + offset, into);
    }
}

/* The time at which a chain would begin, as this chunk alone tells it. */
static int64_t chain_start(const struct sound *sound, const struct chain *chain,
                           const struct chunk *chunk)
{
    return chunk->ns - av_rescale(chain->samples, NS_PER_S, sound->rate);
}

static void lengthen(const struct sound *sound, struct chain *chain, const struct chunk *chunk)
{
    int64_t start = chain_start(sound, chain, chunk);
    int64_t low = start - sound->step_ns / 2, high = start + sound->step_ns / 2;
    if (chain->frames == 0 || low > chain->low_ns)
        chain->low_ns = low;
    if (chain->frames == 0 || high < chain->high_ns)
        chain->high_ns = high;
    chain->sum_ns += start - sound->plan->t0_ns;
    chain->frames++;
    chain->samples += (int64_t) chunk->count;
}

/* Where its intervals do not meet (lacing, a drifting clock), the mean of all estimates. */
static int64_t position_of(const struct sound *sound, const struct chain *chain)
{
    int64_t middle = (chain->low_ns + chain->high_ns) / 2 - sound->plan->t0_ns;
    if (chain->low_ns > chain->high_ns)
        middle = chain->sum_ns / chain->frames;
    return to_samples(sound, middle);
}

static void place_chains(const struct sound *sound, struct stretch *into)
{
    for (size_t i = 0, next; i < sound->chunk_count; i = next) {
        struct chain chain = {0};
        lengthen(sound, &chain, &sound->chunks[i]);
        for (next = i + 1; next < sound->chunk_count; next++) {
            const struct chunk *chunk = &sound->chunks[next];
            int64_t mean = chain.sum_ns / chain.frames + sound->plan->t0_ns;
            int64_t off = chain_start(sound, &chain, chunk) - mean;
            if (off > CHAIN_BREAK_NS + sound->step_ns || off < -CHAIN_BREAK_NS - sound->step_ns)
                break;
            lengthen(sound, &chain, chunk);
        }
        int64_t position = position_of(sound, &chain);
        for (size_t k = i; k < next; k++) {
            place(sound, &sound->chunks[k], position, into);
            position += (int64_t) sound->chunks[k].count;
        }
    }
}

static void fill(const struct sound *sound, struct stretch *into)
{
    if (sound->track->frame_size > 0 && sound->track->rate > 0)
        place_on_grid(sound, into);
    else
        place_chains(sound, into);
}

/* Resamples `from` whole; output sample 0 is at its first sample. */
static enum err resample(const struct sound *sound, const struct stretch *from, uint32_t rate,
                         struct stretch *into)
{
    AVChannelLayout layout;
    SwrContext *swr = NULL;
    const uint8_t *in[MIX_MAX_OUT] = {NULL};
    uint8_t *out[MIX_MAX_OUT] = {NULL};
    out_layout(sound->channels, &layout);
    int code = swr_alloc_set_opts2(&swr, &layout, AV_SAMPLE_FMT_FLTP, (int) rate, &layout,
                                   AV_SAMPLE_FMT_FLTP, (int) sound->rate, 0, NULL);
    if (code < 0 || swr_init(swr) < 0 || from->count > INT32_MAX || into->count > INT32_MAX) {
        swr_free(&swr);
        return ERR_BAD_MEDIA;
    }
    for (unsigned i = 0; i < sound->channels; i++) {
        in[i] = (const uint8_t *) from->channels[i];
        out[i] = (uint8_t *) into->channels[i];
    }
    int got = swr_convert(swr, out, (int) into->count, in, (int) from->count);
    swr_free(&swr);
    return got == (int) into->count ? OK : ERR_BAD_MEDIA;
}

static void stretch_init(const struct sound *sound, struct stretch *stretch, int64_t begin,
                         size_t count)
{
    *stretch = (struct stretch){.begin = begin, .count = count};
    for (unsigned i = 0; i < sound->channels; i++)
        stretch->channels[i] = mem_new_array(float, count);
}

static void stretch_fini(struct stretch *stretch)
{
    for (unsigned i = 0; i < MIX_MAX_OUT; i++)
        mem_free(stretch->channels[i]);
}

/* Begins where a sample of the one rate falls together with one of the other, so that the filter's
 * phases are the same for every segment. */
static enum err render_resampled(struct sound *sound, uint32_t rate, struct stretch *out)
{
    int64_t common = av_gcd(sound->rate, rate);
    int64_t in_period = sound->rate / common, out_period = rate / common;
    int64_t periods = RESAMPLE_MARGIN / in_period + 1;
    int64_t start = out->begin / out_period - (out->begin < 0) - periods;
    size_t lead = (size_t) (out->begin - start * out_period);
    size_t needed = lead + out->count;
    int64_t in_count = av_rescale((int64_t) needed, sound->rate, rate) + 2 * RESAMPLE_MARGIN;
    struct stretch in, resampled;
    stretch_init(sound, &in, start * in_period, (size_t) in_count);
    stretch_init(sound, &resampled, start * out_period, needed);
    fill(sound, &in);
    enum err err = resample(sound, &in, rate, &resampled);
    for (unsigned i = 0; i < sound->channels && err == OK; i++)
        memcpy(out->channels[i], resampled.channels[i] + lead, out->count * sizeof(float));
    stretch_fini(&in);
    stretch_fini(&resampled);
    return err;
}

static void mute_outside(const struct sound *sound, uint32_t rate, struct stretch *out)
{
    int64_t end = av_rescale_rnd(sound->plan->end, rate, sound->plan->timescale, AV_ROUND_UP);
    int64_t head = out->begin < 0 ? -out->begin : 0;
    int64_t rest = end - out->begin; /* samples before the film's end */
    size_t from = head < (int64_t) out->count ? (size_t) head : out->count;
    size_t keep = rest < 0 ? 0 : rest < (int64_t) out->count ? (size_t) rest : out->count;
    for (unsigned i = 0; i < sound->channels; i++) {
        memset(out->channels[i], 0, from * sizeof(float));
        memset(out->channels[i] + keep, 0, (out->count - keep) * sizeof(float));
    }
}

enum err sound_render(struct sound *sound, uint32_t rate, int64_t begin, size_t count,
                      float *const *channels)
{
    struct stretch out = {.begin = begin, .count = count};
    enum err err = OK;
    for (unsigned i = 0; i < sound->channels; i++) {
        out.channels[i] = channels[i];
        memset(channels[i], 0, count * sizeof(float));
    }
    if (sound->rate == 0)
        return OK;
    if (sound->rate == rate)
        fill(sound, &out);
    else
        err = render_resampled(sound, rate, &out);
    mute_outside(sound, rate, &out);
    return err;
}
