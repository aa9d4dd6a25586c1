/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other half of lab.h: back from bytes to pictures and samples. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

struct memory {
    const struct str *bytes;
    size_t at;
};

static int read_memory(void *opaque, uint8_t *into, int size)
{
    struct memory *memory = opaque;
    size_t left = memory->bytes->length - memory->at;
    size_t count = (size_t) size < left ? (size_t) size : left;
    if (count == 0)
        return AVERROR_EOF;
    memcpy(into, memory->bytes->at + memory->at, count);
    memory->at += count;
    return (int) count;
}

typedef void frame_fn(void *ctx, const AVFrame *frame, const AVStream *stream);

/* Decodes the first stream of `type`; the count of errors. */
static size_t decode_all(AVFormatContext *context, enum AVMediaType type, frame_fn *each, void *ctx)
{
    size_t errors = 0;
    assert_true(avformat_find_stream_info(context, NULL) >= 0);
    int index = av_find_best_stream(context, type, -1, -1, NULL, 0);
    assert_true(index >= 0);
    const AVStream *stream = context->streams[index];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    assert_true(avcodec_parameters_to_context(decoder, stream->codecpar) >= 0);
    decoder->pkt_timebase = stream->time_base;
    decoder->thread_count = 1;
    decoder->err_recognition = AV_EF_EXPLODE;
    assert_true(avcodec_open2(decoder, codec, NULL) >= 0);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    for (bool is_end = false; !is_end;) {
        is_end = av_read_frame(context, packet) < 0;
        if (is_end || packet->stream_index == index)
            errors += avcodec_send_packet(decoder, is_end ? NULL : packet) < 0;
        while (avcodec_receive_frame(decoder, frame) >= 0) {
            errors += frame->decode_error_flags != 0;
            each(ctx, frame, stream);
        }
        av_packet_unref(packet);
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    return errors;
}

static size_t decode_bytes(const struct str *bytes, enum AVMediaType type, frame_fn *each,
                           void *ctx)
{
    struct memory memory = {.bytes = bytes};
    AVFormatContext *context = avformat_alloc_context();
    context->pb = avio_alloc_context(av_malloc(65536), 65536, 0, &memory, read_memory, NULL, NULL);
    AVIOContext *io = context->pb;
    assert_true(avformat_open_input(&context, NULL, NULL, NULL) >= 0);
    size_t errors = decode_all(context, type, each, ctx);
    avformat_close_input(&context);
    av_freep(&io->buffer);
    avio_context_free(&io);
    return errors;
}

struct looking {
    struct pictures_seen *seen;
    int scale_width, scale_height;
};

static void see(void *ctx, const AVFrame *frame, const AVStream *stream)
{
    const struct looking *looking = ctx;
    struct pictures_seen *seen = looking->seen;
    int width = looking->scale_width > 0 ? looking->scale_width : frame->width;
    int height = looking->scale_height > 0 ? looking->scale_height : frame->height;
    mem_grow(seen->at, seen->count, seen->room);
    struct picture *picture = &seen->at[seen->count++];
    int64_t offset = (int64_t) PLAN_OFFSET_S * stream->time_base.den / stream->time_base.num;
    bool has_time = frame->best_effort_timestamp != AV_NOPTS_VALUE;
    *picture = (struct picture){.pts = has_time ? frame->best_effort_timestamp - offset : INT64_MIN,
                                .width = width,
                                .height = height,
                                .is_key = frame->key_frame != 0};
    picture->luma = mem_zalloc((size_t) width * (size_t) height);
    seen->sar_num = frame->sample_aspect_ratio.num;
    seen->sar_den = frame->sample_aspect_ratio.den;
    seen->transfer = (int) frame->color_trc;
    seen->range = (int) frame->color_range;
    struct SwsContext *sws =
        sws_getContext(frame->width, frame->height, frame->format, width, height, AV_PIX_FMT_GRAY8,
                       SWS_BICUBIC, NULL, NULL, NULL);
    /* luma as it is stored, not stretched from one range to another */
    sws_setColorspaceDetails(sws, sws_getCoefficients(SWS_CS_DEFAULT), 1,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    uint8_t *into[4] = {picture->luma};
    int stride[4] = {width};
    sws_scale(sws, (const uint8_t *const *) frame->data, frame->linesize, 0, frame->height, into,
              stride);
    sws_freeContext(sws);
}

void seen_bytes(const struct str *bytes, struct pictures_seen *out)
{
    struct looking looking = {.seen = out};
    *out = (struct pictures_seen){0};
    out->errors = decode_bytes(bytes, AVMEDIA_TYPE_VIDEO, see, &looking);
}

void seen_file(const char *path, int scale_width, int scale_height, struct pictures_seen *out)
{
    struct looking looking = {out, scale_width, scale_height};
    AVFormatContext *context = NULL;
    *out = (struct pictures_seen){0};
    assert_true(avformat_open_input(&context, path, NULL, NULL) >= 0);
    out->errors = decode_all(context, AVMEDIA_TYPE_VIDEO, see, &looking);
    avformat_close_input(&context);
}

void seen_fini(struct pictures_seen *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        mem_free(seen->at[i].luma);
    mem_free(seen->at);
    *seen = (struct pictures_seen){0};
}

static double block_ssim(const uint8_t *a, const uint8_t *b, int stride)
{
    double sum_a = 0, sum_b = 0, square_a = 0, square_b = 0, product = 0;
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            double p = a[y * stride + x], q = b[y * stride + x];
            sum_a += p;
            sum_b += q;
            square_a += p * p;
            square_b += q * q;
            product += p * q;
        }
    double mean_a = sum_a / 64, mean_b = sum_b / 64;
    double var_a = square_a / 64 - mean_a * mean_a, var_b = square_b / 64 - mean_b * mean_b;
    double both = product / 64 - mean_a * mean_b;
    return (2 * mean_a * mean_b + 6.5025) * (2 * both + 58.5225) /
           ((mean_a * mean_a + mean_b * mean_b + 6.5025) * (var_a + var_b + 58.5225));
}

double picture_ssim(const struct picture *a, const struct picture *b)
{
    double sum = 0;
    size_t count = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int y = 0; y + 8 <= a->height; y += 8)
        for (int x = 0; x + 8 <= a->width; x += 8, count++)
            sum += block_ssim(a->luma + y * a->width + x, b->luma + y * a->width + x, a->width);
    return sum / (double) count;
}

double picture_mean(const struct picture *picture)
{
    double sum = 0;
    for (int i = 0; i < picture->width * picture->height; i++)
        sum += picture->luma[i];
    return sum / (picture->width * picture->height);
}

static void hear(void *ctx, const AVFrame *frame, const AVStream *stream)
{
    struct samples *samples = ctx;
    assert_int_equal(frame->format, AV_SAMPLE_FMT_FLTP);
    assert_int_equal(frame->ch_layout.nb_channels, 2);
    if (samples->count == 0) {
        samples->rate = frame->sample_rate;
        samples->first =
            av_rescale_q(frame->pts, stream->time_base, (AVRational){1, frame->sample_rate}) -
            (int64_t) PLAN_OFFSET_S * frame->sample_rate;
    }
    size_t count = (size_t) frame->nb_samples;
    while (samples->count + count > samples->room) {
        samples->room = samples->room * 2 + count;
        samples->left = mem_realloc_array(samples->left, samples->room, sizeof(float));
        samples->right = mem_realloc_array(samples->right, samples->room, sizeof(float));
    }
    memcpy(samples->left + samples->count, frame->extended_data[0], count * sizeof(float));
    memcpy(samples->right + samples->count, frame->extended_data[1], count * sizeof(float));
    samples->count += count;
}

void heard_bytes(const struct str *bytes, struct samples *out)
{
    *out = (struct samples){0};
    out->errors = decode_bytes(bytes, AVMEDIA_TYPE_AUDIO, hear, out);
}

void heard_file(const struct lab *lab, const struct film *film, int rate, struct samples *out)
{
    CLEANUP(str_fini) struct str words = {0};
    char path[LAB_MAX_PATH + 16];
    float pair[2];
    *out = (struct samples){.rate = rate};
    str_printf(&words,
               "ffmpeg -v error -y -copyts -i %s -map a:0 -ac 2 -ar %d -af "
               "aresample=%d:async=1:first_pts=%lld -f f32le @/heard.raw",
               film->path, rate, rate, (long long) av_rescale(film->plan->t0_ns, rate, 1000000000));
    lab_run(lab, str_text(&words));
    snprintf(path, sizeof path, "%s/heard.raw", lab->folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while (fread(pair, sizeof pair, 1, file) == 1) {
        if (out->count == out->room) {
            out->room = out->room * 2 + 4096;
            out->left = mem_realloc_array(out->left, out->room, sizeof(float));
            out->right = mem_realloc_array(out->right, out->room, sizeof(float));
        }
        out->left[out->count] = pair[0];
        out->right[out->count++] = pair[1];
    }
    fclose(file);
}

void heard_fini(struct samples *samples)
{
    mem_free(samples->left);
    mem_free(samples->right);
    *samples = (struct samples){0};
}

int heard_lag(const struct samples *a, const struct samples *b, size_t from, size_t count, int most)
{
    double best = -INFINITY;
    int best_lag = 0;
    for (int lag = -most; lag <= most; lag++) {
        double sum = 0;
        for (size_t i = from; i < from + count; i++) {
            int64_t k = (int64_t) i + lag;
            if (i < a->count && k >= 0 && k < (int64_t) b->count)
                sum += (double) a->left[i] * b->left[k];
        }
        if (sum > best) {
            best = sum;
            best_lag = lag;
        }
    }
    return best_lag;
}

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* moof: mfhd (16), traf (8): tfhd (16), tfdt version 1 (20), trun (20 + samples), as mux.h says. */
static uint64_t sum_part(const uint8_t *moof, uint64_t *tfdt)
{
    const uint8_t *traf = moof + 8 + 16;
    const uint8_t *time = traf + 8 + 16;
    const uint8_t *trun = time + 20;
    uint64_t count = number(trun + 12, 4), sum = 0;
    size_t step = (number(trun + 9, 3) & 0xC00) != 0 ? 16 : 8;
    assert_memory_equal(time + 4, "tfdt", 4);
    assert_memory_equal(trun + 4, "trun", 4);
    *tfdt = number(time + 12, 8);
    for (uint64_t i = 0; i < count; i++)
        sum += number(trun + 20 + i * step, 4);
    return sum;
}

void segment_times(const struct str *segment, uint64_t *begin, uint64_t *duration)
{
    const uint8_t *bytes = (const uint8_t *) segment->at;
    bool is_first = true;
    *duration = 0;
    for (size_t at = 0; at + 8 <= segment->length;) {
        uint64_t size = number(bytes + at, 4), tfdt = 0;
        assert_true(size >= 8 && size <= segment->length - at);
        if (memcmp(bytes + at + 4, "moof", 4) == 0) {
            uint64_t sum = sum_part(bytes + at, &tfdt);
            if (is_first)
                *begin = tfdt;
            assert_int_equal(tfdt, *begin + *duration);
            is_first = false;
            *duration += sum;
        }
        at += size;
    }
    assert_false(is_first);
}
