/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames are mixed to one channel of few samples as they come and stand where their times say, to a
 * tenth of a second: holes are silence. Nothing but the fingerprint is kept of them. */
#include "segments/listen.h"

#include <chromaprint.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
#include <string.h>

#include "base/mem.h"
#include "segments/decode.h"
#include "segments/fingerprint.h"

#define NS_PER_S 1000000000

enum {
    RATE = FINGERPRINT_RATE,
    SLACK = RATE / 10,     /* a frame so far from where the one before ended does not follow it */
    BLOCK = 8192,          /* samples fed at once */
    MOST_STRAY = 10 * RATE /* of times that do not move on: no more is heard then */
};

struct listening {
    const struct plan *plan;
    struct decoder *decoder;
    ChromaprintContext *printer;
    SwrContext *mixer;
    AVChannelLayout mixer_layout;
    int mixer_format, mixer_rate;
    AVFrame *frame;
    int64_t begin_ns; /* source time of the part's first sample */
    int64_t count;    /* of its samples */
    int64_t fed, stray;
    int16_t block[BLOCK];
};

static bool is_for_all(const struct plan_track *track)
{
    return !track->is_commentary && !track->is_descriptive;
}

/* The one that is played by itself: the default, else the first; -1: there is none to be decoded. */
static int find_track(const struct plan *plan)
{
    int found = -1, best = -1;
    for (uint32_t i = 0; i < plan->track_count; i++) {
        const struct plan_track *track = &plan->tracks[i];
        int rank = 2 * is_for_all(track) + track->is_default;
        if (track->kind != PLAN_AUDIO || !decoder_exists(track->codec_name) || rank <= best)
            continue;
        best = rank;
        found = (int) i;
    }
    return found;
}

/* --- one channel of few samples --- */

static bool open_mixer(struct listening *listening, const AVFrame *frame)
{
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    CLEANUP(av_channel_layout_uninit) AVChannelLayout layout = {0};
    if (av_channel_layout_copy(&layout, &frame->ch_layout) < 0)
        return false;
    if (layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&layout, frame->ch_layout.nb_channels);
    if (listening->mixer != NULL && listening->mixer_format == frame->format &&
        listening->mixer_rate == frame->sample_rate &&
        av_channel_layout_compare(&listening->mixer_layout, &layout) == 0)
        return true;
    swr_free(&listening->mixer);
    av_channel_layout_uninit(&listening->mixer_layout);
    listening->mixer_format = frame->format;
    listening->mixer_rate = frame->sample_rate;
    if (swr_alloc_set_opts2(&listening->mixer, &mono, AV_SAMPLE_FMT_S16, RATE, &layout,
                            frame->format, frame->sample_rate, 0, NULL) < 0 ||
        swr_init(listening->mixer) < 0 ||
        av_channel_layout_copy(&listening->mixer_layout, &layout) < 0)
        swr_free(&listening->mixer);
    return listening->mixer != NULL;
}

static enum err feed(struct listening *listening, int64_t count)
{
    if (count > listening->count - listening->fed)
        count = listening->count - listening->fed;
    listening->fed += count;
    return count == 0 || chromaprint_feed(listening->printer, listening->block, (int) count) == 1
               ? OK
               : ERR_BAD_MEDIA;
}

static enum err feed_silence(struct listening *listening, int64_t count)
{
    enum err err = OK;
    memset(listening->block, 0, sizeof listening->block);
    for (; count > 0 && err == OK; count -= BLOCK)
        err = feed(listening, count < BLOCK ? count : BLOCK);
    return err;
}

/* What does not fit into a block waits in the mixer. */
static enum err feed_frame(struct listening *listening)
{
    const AVFrame *frame = listening->frame;
    const uint8_t **in = (const uint8_t **) (void *) frame->extended_data;
    uint8_t *out = (uint8_t *) listening->block;
    int got = swr_convert(listening->mixer, &out, BLOCK, in, frame->nb_samples);
    enum err err = got < 0 ? ERR_BAD_MEDIA : OK;
    while (got > 0 && err == OK) {
        err = feed(listening, got);
        got = swr_convert(listening->mixer, &out, BLOCK, in, 0);
    }
    return err;
}

/* --- frames --- */

/* To where the frame belongs; false: it stands where others stood already. */
static bool move_to(struct listening *listening, int64_t ns, enum err *err)
{
    int64_t at = av_rescale(ns - listening->begin_ns, RATE, NS_PER_S);
    int64_t here = listening->fed;
    if (listening->mixer != NULL)
        here += swr_get_delay(listening->mixer, RATE);
    if (at > here + SLACK)
        *err = feed_silence(listening, at - here);
    return at >= here - SLACK;
}

static enum err take_frame(struct listening *listening, int64_t ns)
{
    const AVFrame *frame = listening->frame;
    enum err err = OK;
    if (frame->nb_samples <= 0 || frame->sample_rate <= 0)
        return OK;
    if (!move_to(listening, ns, &err)) {
        listening->stray += av_rescale(frame->nb_samples, RATE, frame->sample_rate);
        return OK;
    }
    if (err == OK && !open_mixer(listening, frame))
        err = ERR_BAD_MEDIA;
    return err == OK ? feed_frame(listening) : err;
}

static enum err take_frames(struct listening *listening)
{
    enum err err = OK;
    int64_t ns = 0;
    while (err == OK && listening->fed < listening->count && listening->stray < MOST_STRAY) {
        err = decoder_next(listening->decoder, listening->frame, &ns);
        if (err == OK)
            err = take_frame(listening, ns);
        av_frame_unref(listening->frame);
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

/* --- a part --- */

static enum err take_items(struct listening *listening, struct fingerprint_part *part)
{
    uint32_t *items = NULL;
    int count = 0;
    if (chromaprint_finish(listening->printer) != 1)
        return ERR_BAD_MEDIA;
    /* So short a sound has none. */
    if (chromaprint_get_raw_fingerprint(listening->printer, &items, &count) != 1 || count < 0)
        count = 0;
    part->count = (uint32_t) count < FINGERPRINT_MOST ? (uint32_t) count : FINGERPRINT_MOST;
    part->items = mem_new_array(uint32_t, part->count + 1);
    if (part->count > 0)
        memcpy(part->items, items, part->count * sizeof *items);
    chromaprint_dealloc(items);
    return OK;
}

static enum err take_part(struct listening *listening, struct fingerprint_part *part)
{
    const struct plan *plan = listening->plan;
    listening->begin_ns = plan->t0_ns + part->begin_ms * 1000000;
    listening->count = av_rescale(part->end_ms - part->begin_ms, RATE, 1000);
    listening->fed = listening->stray = 0;
    swr_free(&listening->mixer);
    if (chromaprint_start(listening->printer, RATE, 1) != 1)
        return ERR_BAD_MEDIA;
    enum err err = decoder_stand_before(listening->decoder, listening->begin_ns);
    if (err == OK)
        err = take_frames(listening);
    return err == OK ? take_items(listening, part) : err;
}

static void fini(struct listening *listening)
{
    decoder_close(&listening->decoder);
    chromaprint_free(listening->printer);
    swr_free(&listening->mixer);
    av_channel_layout_uninit(&listening->mixer_layout);
    av_frame_free(&listening->frame);
}

enum err listen_make(struct input *input, const struct plan *plan,
                     const struct engine_listening *job, struct fingerprint *out, struct why *why)
{
    const struct asker asker = {job->cancelled, job->tick, job->ctx};
    int track = find_track(plan);
    if (track < 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the film has no sound that can be heard here");
    struct fingerprint made;
    struct listening listening = {
        .plan = plan,
        .printer = chromaprint_new(CHROMAPRINT_ALGORITHM_DEFAULT),
        .frame = av_frame_alloc(),
    };
    MUST(listening.printer != NULL && listening.frame != NULL);
    fingerprint_place(av_rescale(plan->end, 1000, plan->timescale), &made);
    enum err err = decoder_open(input, plan, (uint32_t) track, 1, &asker, &listening.decoder, why);
    if (err == OK)
        err = take_part(&listening, &made.first);
    if (err == OK)
        err = take_part(&listening, &made.last);
    fini(&listening);
    if (err == OK)
        *out = made;
    else
        fingerprint_fini(&made);
    if (err == ERR_BAD_MEDIA && why->text[0] == '\0')
        why_set(why, err, NULL, "its sound cannot be decoded");
    return err;
}
