/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key of the plan is sought by its place and decoded alone. Without keys, and where the container
 * does not find the one announced, the picture of that moment is decoded to from the key before it, as
 * a transcode does (pictures.h). */
#include "segments/stills.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>

#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/encode.h"
#include "segments/filter.h"
#include "segments/part.h"
#include "segments/pictures.h"

#define NS_PER_S 1000000000

/* How much earlier a key is sought, try by try, where the container came out behind. */
static const int64_t back_ns[] = {0, 2ll * NS_PER_S, 8ll * NS_PER_S, 30ll * NS_PER_S,
                                  120ll * NS_PER_S};
#define BACK_COUNT (sizeof back_ns / sizeof *back_ns)

struct stills {
    /* fixed after new */
    struct input *input;
    const struct plan *plan;
    uint32_t track;

    struct asker asker;
    struct decoder *decoder;   /* of keys; NULL: not needed yet */
    struct pictures *pictures; /* of all; NULL: not needed yet */
    AVFrame *frame;
};

struct stills *stills_new(struct input *input, const struct plan *plan, uint32_t track)
{
    struct stills *stills = mem_new(struct stills);
    stills->input = input;
    stills->plan = plan;
    stills->track = track;
    stills->frame = av_frame_alloc();
    MUST(stills->frame != NULL);
    return stills;
}

void stills_close(struct stills **stills)
{
    struct stills *old = *stills;
    *stills = NULL;
    if (old == NULL)
        return;
    pictures_close(&old->pictures);
    decoder_close(&old->decoder);
    av_frame_free(&old->frame);
    mem_free(old);
}

void stills_set_asker(struct stills *stills, const struct asker *asker)
{
    stills->asker = *asker;
    if (stills->decoder != NULL)
        decoder_set_asker(stills->decoder, asker);
    if (stills->pictures != NULL)
        pictures_set_asker(stills->pictures, asker);
}

uint32_t stills_track(const struct stills *stills)
{
    return stills->track;
}

/* --- keys alone --- */

static enum err open_decoder(struct stills *stills, struct why *why)
{
    if (stills->decoder != NULL)
        return OK;
    return decoder_open(stills->input, stills->plan, stills->track, 1, &stills->asker,
                        &stills->decoder, why);
}

enum err stills_find(struct stills *stills, int64_t ns, int64_t *at_ns, struct why *why)
{
    enum err err = open_decoder(stills, why);
    if (err != OK)
        return err;
    err = ERR_AGAIN;
    for (size_t i = 0; i < BACK_COUNT && (err == ERR_AGAIN || err == ERR_NOT_FOUND); i++)
        err = decoder_seek(stills->decoder, ns - back_ns[i], ns);
    if (err == ERR_AGAIN || err == ERR_NOT_FOUND)
        err = decoder_first_key(stills->decoder);
    if (err == ERR_AGAIN)
        err = ERR_NOT_FOUND;
    if (err == OK)
        *at_ns = decoder_key_ns(stills->decoder);
    return err;
}

enum err stills_show(struct stills *stills, const struct AVFrame **out)
{
    av_frame_unref(stills->frame);
    enum err err = decoder_still(stills->decoder, stills->frame);
    if (err == OK)
        *out = stills->frame;
    return err;
}

/* Source time; that of the first stands up to a tenth of a second behind T0. */
static int64_t key_ns(const struct stills *stills, uint32_t n)
{
    const struct plan *plan = stills->plan;
    if (n == 0)
        return plan->tracks[stills->track].first_ns;
    return av_rescale(plan->keys[n], NS_PER_S, plan->timescale) + plan->t0_ns;
}

/* How far a time may be off after it was a number of ticks. */
static int64_t slack_ns(const struct stills *stills)
{
    return NS_PER_S / stills->plan->timescale + 1;
}

/* Goes to key `n` of the plan, or where the container leads instead. */
static enum err find_key(struct stills *stills, uint32_t n, int64_t *at_ns, struct why *why)
{
    const struct plan *plan = stills->plan;
    enum err err = open_decoder(stills, why);
    if (err != OK)
        return err;
    if (plan->container == CONTAINER_MKV)
        decoder_lend_key(stills->decoder, plan->key_pos[n], key_ns(stills, n));
    return stills_find(stills, key_ns(stills, n) + slack_ns(stills), at_ns, why);
}

enum err stills_find_at(struct stills *stills, int64_t ns, int64_t *at_ns, struct why *why)
{
    uint32_t low = 0, high = stills->plan->key_count;
    if (high == 0)
        return stills_find(stills, ns, at_ns, why);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (key_ns(stills, middle) <= ns)
            low = middle;
        else
            high = middle;
    }
    return find_key(stills, low, at_ns, why);
}

/* Key `n` of the plan. AGAIN: the container leads elsewhere. */
static enum err show_key(struct stills *stills, uint32_t n, const struct AVFrame **out,
                         struct why *why)
{
    int64_t ns = key_ns(stills, n), tick_ns = slack_ns(stills), at_ns = 0;
    enum err err = find_key(stills, n, &at_ns, why);
    if (err == OK && (at_ns < ns - tick_ns || at_ns > ns + tick_ns))
        return ERR_AGAIN;
    return err == OK ? stills_show(stills, out) : err;
}

/* --- any moment --- */

static enum err show_moment(struct stills *stills, int64_t ticks, const struct AVFrame **out,
                            struct why *why)
{
    const uint32_t threads = 2;
    bool is_new;
    enum err err = OK;
    if (stills->pictures == NULL)
        err = pictures_open(stills->input, stills->plan, stills->track, threads, &stills->asker,
                            &stills->pictures, why);
    if (err == OK)
        err = pictures_start(stills->pictures, plan_ticks_to_frame(stills->plan, ticks), why);
    return err == OK ? pictures_show(stills->pictures, out, &is_new) : err;
}

/* --- out --- */

static enum err convert(const struct stills *stills, const struct plan_rendition *rendition,
                        const struct AVFrame *from, struct AVFrame *to)
{
    const struct plan_track *track = &stills->plan->tracks[stills->track];
    struct filter *filter =
        filter_new(track, rendition->width, rendition->height, filter_may_be_interlaced(track), 1);
    enum err err = filter_push(filter, from, 0);
    if (err == OK)
        err = filter_end(filter);
    if (err == OK)
        err = filter_pull(filter, to);
    filter_free(&filter);
    return err == ERR_AGAIN ? ERR_BAD_MEDIA : err;
}

static enum err encode_at(const struct encode_video *settings, const struct AVFrame *picture,
                          AVPacket *packet, struct why *why)
{
    AVCodecContext *encoder = NULL;
    enum err err = encode_video_open(settings, &encoder, why);
    if (err != OK)
        return err;
    if (avcodec_send_frame(encoder, picture) < 0 || avcodec_send_frame(encoder, NULL) < 0 ||
        avcodec_receive_packet(encoder, packet) < 0)
        err = ERR_BAD_MEDIA;
    encode_close(&encoder);
    return err;
}

/* BANDWIDTH says how large one may be: what is larger is made again, worse. */
static enum err encode_bounded(struct encode_video *settings, uint32_t most_bits,
                               const struct AVFrame *picture, AVPacket *packet, struct why *why)
{
    for (;;) {
        enum err err = encode_at(settings, picture, packet, why);
        if (err != OK || (uint64_t) packet->size * 8 <= most_bits)
            return err;
        av_packet_unref(packet);
        if (settings->crf == ENCODE_STILL_LAST)
            return why_set(why, ERR_LIMIT, NULL, "the picture is too large");
        settings->crf += ENCODE_STILL_STEP;
        if (settings->crf > ENCODE_STILL_LAST)
            settings->crf = ENCODE_STILL_LAST;
    }
}

static enum err write_part(const struct stills *stills, const AVPacket *packet, uint32_t n,
                           const struct engine_output *output)
{
    const struct plan *plan = stills->plan;
    const struct plan_rendition *rendition = &plan->renditions[output->rendition];
    int64_t start = plan_segment_start(plan, output->rendition, n);
    int64_t end = plan_segment_start(plan, output->rendition, n + 1);
    int64_t decode = start + (int64_t) PLAN_OFFSET_S * plan->timescale - rendition->delay;
    struct mux_sample sample = {.duration = (uint32_t) (end - start),
                                .composition = (int32_t) rendition->delay,
                                .is_sync = true};
    struct part_writer part;
    part_init(&part, &output->sink, n + 1, true);
    enum err err =
        annexb_append(CODEC_H264, packet->data, (size_t) packet->size, &part.payload, &sample.size);
    if (err == OK) {
        part_add(&part, &sample, (uint64_t) decode);
        err = part_flush(&part);
    }
    part_fini(&part);
    return err;
}

static enum err encode(const struct stills *stills, const struct engine_options *options,
                       const struct AVFrame *shown, uint32_t n, struct engine_output *output)
{
    const struct plan_rendition *rendition = &stills->plan->renditions[output->rendition];
    struct encode_video settings = encode_video_settings(stills->plan, rendition, options);
    AVFrame *picture = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    MUST(picture != NULL && packet != NULL);
    settings.threads = 1;
    settings.frames = 1;
    enum err err = convert(stills, rendition, shown, picture);
    if (err == OK) {
        picture->pts = 0;
        picture->pict_type = AV_PICTURE_TYPE_I;
        err = encode_bounded(&settings, rendition->bitrate, picture, packet, &output->why);
    }
    if (err == OK)
        err = write_part(stills, packet, n, output);
    av_packet_free(&packet);
    av_frame_free(&picture);
    if (err == ERR_BAD_MEDIA && output->why.text[0] == '\0')
        why_set(&output->why, ERR_BAD_MEDIA, NULL, "the picture could not be converted");
    return err;
}

/* What of it did not decode leaves the decoder as able as before. */
static bool is_fatal(enum err err)
{
    return err == ERR_CANCELLED || err == ERR_IO || err == ERR_GONE;
}

enum err stills_make(struct stills *stills, const struct engine_options *options, uint32_t n,
                     struct engine_output *output)
{
    const struct plan *plan = stills->plan;
    const struct AVFrame *shown = NULL;
    enum err err = ERR_AGAIN;
    if (n < plan->key_count)
        err = show_key(stills, n, &shown, &output->why);
    if (err != OK && !is_fatal(err)) {
        output->why = (struct why){{0}, {0}};
        err = show_moment(stills, plan_segment_start(plan, output->rendition, n), &shown,
                          &output->why);
    }
    output->result = err == OK ? encode(stills, options, shown, n, output) : err;
    return err;
}
