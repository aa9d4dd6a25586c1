/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/aac.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/tx.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "segments/encode.h"
#include "segments/transcode.h"

#define FRAME TRANSCODE_AUDIO_FRAME

/* A line as loud as a tone of this amplitude is loud: "fast" begins to clip at 0.45 (measured). */
#define LOUD_TONE 0.42F
/* What a tone of amplitude 1 comes to in a transform of 2048 samples under a sine's window: their sum,
 * by two. */
#define TONE_LINE ((float) (2 * FRAME / M_PI))

void aac_frames_fini(struct aac_frames *frames)
{
    str_fini(&frames->bytes);
    mem_free(frames->sizes);
    *frames = (struct aac_frames){0};
}

/* --- lines ------------------------------------------------------------------------------------- */

static bool is_loud(const float *lines)
{
    for (size_t i = 0; i < FRAME; i++)
        if (fabsf(lines[i]) > LOUD_TONE * TONE_LINE)
            return true;
    return false;
}

static bool has_loud_line(const float *samples, size_t input_frames)
{
    AVTXContext *transform = NULL;
    av_tx_fn run = NULL;
    float scale = 1, lines[FRAME];
    CLEANUP(mem_free_at) float *window = mem_new_array(float, 4 * FRAME);
    float *in = window + 2 * FRAME;
    bool found = false;
    MUST(av_tx_init(&transform, &run, AV_TX_FLOAT_MDCT, 0, FRAME, &scale, AV_TX_UNALIGNED) >= 0);
    for (size_t i = 0; i < 2 * FRAME; i++)
        window[i] = sinf((float) M_PI * ((float) i + 0.5F) / (2 * FRAME));
    for (size_t n = 0; n + 1 < input_frames && !found; n++) {
        for (size_t i = 0; i < 2 * FRAME; i++)
            in[i] = samples[n * FRAME + i] * window[i];
        run(transform, lines, in, sizeof(float));
        found = is_loud(lines);
    }
    av_tx_uninit(&transform);
    return found;
}

/* --- to packets -------------------------------------------------------------------------------- */

struct work {
    const struct aac_form *form;
    float *const *samples;
    size_t first, count;
    AVCodecContext *encoder;
    AVPacket *packet;
    struct aac_frames *out;
};

static enum err take_packet(struct work *work)
{
    const AVPacket *packet = work->packet;
    int64_t index = packet->pts / FRAME - (int64_t) work->first;
    if (index < 0 || index >= (int64_t) work->count)
        return OK;
    if (packet->pts % FRAME != 0 || index != (int64_t) work->out->count || packet->size <= 0)
        return ERR_BAD_MEDIA;
    mem_grow(work->out->sizes, work->out->count, work->out->room);
    work->out->sizes[work->out->count++] = (uint32_t) packet->size;
    str_append(&work->out->bytes, packet->data, (size_t) packet->size);
    return OK;
}

static enum err receive_packets(struct work *work)
{
    for (;;) {
        int code = avcodec_receive_packet(work->encoder, work->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return OK;
        if (code < 0)
            return ERR_BAD_MEDIA;
        enum err err = take_packet(work);
        av_packet_unref(work->packet);
        if (err != OK)
            return err;
    }
}

static enum err send_frame(struct work *work, size_t index, AVFrame *frame)
{
    frame->format = AV_SAMPLE_FMT_FLTP;
    frame->nb_samples = FRAME;
    frame->sample_rate = (int) work->form->rate;
    MUST(av_channel_layout_copy(&frame->ch_layout, &work->encoder->ch_layout) >= 0);
    MUST(av_frame_get_buffer(frame, 0) >= 0);
    for (uint32_t i = 0; i < work->form->channels; i++)
        memcpy(frame->extended_data[i], work->samples[i] + index * FRAME, FRAME * sizeof(float));
    frame->pts = (int64_t) (index * FRAME);
    int code = avcodec_send_frame(work->encoder, frame);
    av_frame_unref(frame);
    return code >= 0 ? receive_packets(work) : ERR_BAD_MEDIA;
}

static enum err send_all(struct work *work, size_t input_frames, const struct asker *asker)
{
    AVFrame *frame = av_frame_alloc();
    enum err err = OK;
    MUST(frame != NULL);
    for (size_t i = 0; i < input_frames && err == OK; i++) {
        err = asker_is_gone(asker) ? ERR_CANCELLED : send_frame(work, i, frame);
        if (asker->tick != NULL)
            asker->tick(asker->tick_ctx);
    }
    if (err == OK && avcodec_send_frame(work->encoder, NULL) < 0)
        err = ERR_BAD_MEDIA;
    if (err == OK)
        err = receive_packets(work);
    av_frame_free(&frame);
    return err == OK && work->out->count != work->count ? ERR_BAD_MEDIA : err;
}

static enum err encode_once(const struct work *start, enum encode_search search,
                            size_t input_frames, const struct asker *asker, struct aac_frames *out,
                            struct why *why)
{
    struct work work = *start;
    work.out = out;
    enum err err = encode_audio_open(work.form->rate, work.form->channels, work.form->bitrate,
                                     search, &work.encoder, why);
    if (err != OK)
        return err;
    work.packet = av_packet_alloc();
    MUST(work.packet != NULL);
    err = send_all(&work, input_frames, asker);
    av_packet_free(&work.packet);
    encode_close(&work.encoder);
    return err;
}

/* --- and back ---------------------------------------------------------------------------------- */

/* The power of what a decoded frame differs by from the samples at its place. */
static double difference(const struct work *work, size_t index, const AVFrame *frame)
{
    double sum = 0;
    for (uint32_t c = 0; c < work->form->channels; c++) {
        const float *heard = (const float *) (const void *) frame->extended_data[c];
        const float *meant = work->samples[c] + (work->first + index) * FRAME;
        for (size_t i = 0; i < FRAME; i++)
            sum += ((double) heard[i] - meant[i]) * ((double) heard[i] - meant[i]);
    }
    return sum;
}

static AVCodecContext *open_decoder(const struct work *work)
{
    AVCodecContext *encoder = NULL;
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_AAC));
    if (decoder == NULL ||
        encode_audio_open(work->form->rate, work->form->channels, work->form->bitrate, ENCODE_FAST,
                          &encoder, NULL) != OK) {
        avcodec_free_context(&decoder);
        return NULL;
    }
    size_t size = encoder->extradata_size > 0 ? (size_t) encoder->extradata_size : 0;
    decoder->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    MUST(decoder->extradata != NULL);
    memcpy(decoder->extradata, encoder->extradata, size);
    decoder->extradata_size = (int) size;
    encode_close(&encoder);
    if (avcodec_open2(decoder, NULL, NULL) < 0)
        avcodec_free_context(&decoder);
    return decoder;
}

/* How far off the frames are, the first apart, whose half is the one before it. */
static double distance(const struct work *work, const struct aac_frames *frames)
{
    AVCodecContext *decoder = open_decoder(work);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    double sum = 0;
    size_t at = 0;
    MUST(frame != NULL && packet != NULL);
    for (size_t i = 0; i < frames->count && decoder != NULL; i++) {
        MUST(av_new_packet(packet, (int) frames->sizes[i]) >= 0);
        memcpy(packet->data, frames->bytes.at + at, frames->sizes[i]);
        at += frames->sizes[i];
        bool is_heard = avcodec_send_packet(decoder, packet) >= 0 &&
                        avcodec_receive_frame(decoder, frame) >= 0 && frame->nb_samples == FRAME &&
                        frame->ch_layout.nb_channels == (int) work->form->channels;
        av_packet_unref(packet);
        if (i > 0)
            sum += is_heard ? difference(work, i, frame) : INFINITY;
        av_frame_unref(frame);
    }
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
    return sum;
}

/* --- both -------------------------------------------------------------------------------------- */

enum err aac_encode(const struct aac_form *form, float *const *samples, size_t input_frames,
                    size_t first, size_t count, const struct asker *asker, struct aac_frames *out,
                    struct why *why)
{
    const struct work work = {.form = form, .samples = samples, .first = first, .count = count};
    bool is_loud_somewhere = false;
    enum err err = encode_once(&work, ENCODE_FAST, input_frames, asker, out, why);
    for (uint32_t c = 0; c < form->channels && !is_loud_somewhere; c++)
        is_loud_somewhere = has_loud_line(samples[c], input_frames);
    if (err != OK || !is_loud_somewhere)
        return err;
    struct aac_frames other = {0};
    err = encode_once(&work, ENCODE_TWOLOOP, input_frames, asker, &other, why);
    if (err == OK && distance(&work, &other) < distance(&work, out)) {
        struct aac_frames worse = *out;
        *out = other;
        other = worse;
    }
    aac_frames_fini(&other);
    return err;
}
