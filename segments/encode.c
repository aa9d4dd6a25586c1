/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/encode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <string.h>

#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/filter.h"
#include "segments/transcode.h"

#define CRF             "21"
#define KEYFRAMES_NEVER 100000 /* frames: one IDR a segment, the first */
#define DEFAULT_THREADS 2

/* What the VBV lets through at most, by picture size; half as much again above 30 frames a second. */
static const struct rung {
    uint32_t width, height, maxrate;
} rungs[] = {{640, 360, 800000}, {854, 480, 1400000}, {1280, 720, 3000000}, {1920, 1080, 6000000}};
#define RUNG_COUNT (sizeof rungs / sizeof *rungs)

/* The VBV's size in time: 1 s, and segments begin with half of it, so that they stay near the rung's
 * rate (segment-engine 5: at most 2 s): with x264's own 90 % two segments of 1 s each, as stand at
 * the begin of a film, were announced with twice that rate. */
#define BUFFER_S 1

/* ITU-T H.264 table A-1: luma blocks a second and a picture. */
static const struct level {
    int idc;
    uint32_t blocks_per_s, blocks;
} levels[] = {{30, 40500, 1620},   {31, 108000, 3600},   {32, 216000, 5120},
              {40, 245760, 8192},  {42, 522240, 8704},   {50, 589824, 22080},
              {51, 983040, 36864}, {52, 2073600, 36864}, {60, 4177920, 139264}};
#define LEVEL_COUNT (sizeof levels / sizeof *levels)

static int choose_level(const struct encode_video *settings)
{
    uint64_t blocks = (uint64_t) ((settings->width + 15) / 16) * ((settings->height + 15) / 16);
    uint64_t per_s = (blocks * settings->fps_num + settings->fps_den - 1) / settings->fps_den;
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (blocks <= levels[i].blocks && per_s <= levels[i].blocks_per_s)
            return levels[i].idc;
    return levels[LEVEL_COUNT - 1].idc;
}

uint32_t encode_video_rate(uint32_t width, uint32_t height, uint32_t fps_num, uint32_t fps_den)
{
    uint64_t area = (uint64_t) width * height;
    size_t i = 0;
    while (i + 1 < RUNG_COUNT && area > (uint64_t) rungs[i].width * rungs[i].height)
        i++;
    uint32_t rate = rungs[i].maxrate;
    return fps_num > 30 * fps_den ? rate / 2 * 3 : rate;
}

struct encode_video encode_video_settings(const struct plan *plan,
                                          const struct plan_rendition *rendition,
                                          const struct engine_options *options)
{
    const struct plan_track *track = &plan->tracks[rendition->track];
    struct encode_video settings = {
        .width = rendition->width,
        .height = rendition->height,
        .fps_num = plan->fps_num,
        .fps_den = plan->fps_den,
        .color_primaries = track->color_primaries,
        .color_transfer = track->color_transfer,
        .color_matrix = track->color_matrix,
        .preset = options->preset != NULL ? options->preset : "veryfast",
        .threads = options->threads > 0 ? options->threads : DEFAULT_THREADS,
        .codec = plan_coded(rendition),
    };
    /* HDR leaves as BT.709 (1), and so does RGB (matrix 0). */
    if (filter_is_hdr(settings.color_transfer))
        settings.color_primaries = settings.color_transfer = settings.color_matrix = 1;
    if (settings.color_matrix == AVCOL_SPC_RGB)
        settings.color_matrix = 1;
    if (rendition->kind == PLAN_IFRAMES) {
        settings.crf = ENCODE_STILL_CRF;
        return settings;
    }
    settings.maxrate = rendition->bitrate;
    settings.bufsize = settings.maxrate * BUFFER_S;
    return settings;
}

void encode_video_fields(const struct encode_video *settings, AVCodecContext *encoder)
{
    encoder->width = (int) settings->width;
    encoder->height = (int) settings->height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = (AVRational){(int) settings->fps_den, (int) settings->fps_num};
    encoder->framerate = (AVRational){(int) settings->fps_num, (int) settings->fps_den};
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->color_primaries = settings->color_primaries;
    encoder->color_trc = settings->color_transfer;
    encoder->colorspace = settings->color_matrix;
    encoder->color_range = AVCOL_RANGE_MPEG;
    encoder->gop_size = KEYFRAMES_NEVER;
    encoder->keyint_min = 1;
    encoder->flags |= (int) (AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP);
    encoder->thread_count = (int) settings->threads;
    encoder->rc_max_rate = settings->maxrate;
    encoder->rc_buffer_size = (int) settings->bufsize;
    encoder->level =
        settings->codec == CODEC_HEVC
            ? (int) plan_hevc_level(settings->width, settings->height, settings->fps_num,
                                    settings->fps_den, settings->maxrate)
            : choose_level(settings);
    if (settings->crf > 0) {
        encoder->gop_size = 2; /* of 1, x264 would call the profile an intra one */
        encoder->max_b_frames = 0;
    }
}

/* Short segments stand at the film's start, where someone waits for the first picture: x264 gives
 * out none before it has seen its look-ahead, ten frames with the default preset, of 24, and four
 * more where a thread of its own runs ahead of the encoder. (Measured, 1 s: the first picture after
 * 165 instead of 246 ms at 720p, after 190 instead of 310 at 1080p.) The headers stay the same. */
#define SHORT_MS        2500
#define SHORT_LOOKAHEAD 3

static bool is_short(const struct encode_video *settings)
{
    uint64_t ms = (uint64_t) settings->frames * 1000 * settings->fps_den / settings->fps_num;
    bool looks_ahead =
        strcmp(settings->preset, "ultrafast") != 0 && strcmp(settings->preset, "superfast") != 0;
    return settings->frames > 0 && ms < SHORT_MS && looks_ahead;
}

/* One thread is the setting that gives the same bytes every time (segment-engine 5), but for x264's
 * macroblock tree, which looks at memory nobody wrote where the processor has AVX-512 (core 164,
 * measured): it does without there. */
static bool is_fickle(const struct encode_video *settings)
{
    return settings->threads == 1 && (av_get_cpu_flags() & AV_CPU_FLAG_AVX512) != 0;
}

static void set_private(const struct encode_video *settings, AVDictionary **private)
{
    CLEANUP(str_fini) struct str parameters = {0};
    char crf[12] = CRF;
    if (settings->crf == 0)
        str_printf(&parameters, "open-gop=0:scenecut=0:vbv-init=0.%02d", ENCODE_FILLED_PERCENT);
    else /* the parameter sets then do not depend on the quality */
        str_puts(&parameters, "stitchable=1:rc-lookahead=0:sync-lookahead=0:mbtree=0");
    if (settings->crf > 0)
        snprintf(crf, sizeof crf, "%u", settings->crf);
    if (is_short(settings))
        str_printf(&parameters, ":rc-lookahead=%d:sync-lookahead=0", SHORT_LOOKAHEAD);
    if (is_fickle(settings))
        str_puts(&parameters, ":asm=AVX2");
    /* x264 makes a table of costs for each quantizer it may use, which is most of what opening it takes.
     * The bounds do not stand in the headers. */
    if (settings->is_for_headers)
        str_puts(&parameters, ":qpmin=" CRF ":qpmax=" CRF);
    av_dict_set(private, "preset", settings->preset, 0);
    av_dict_set(private, "profile", "high", 0);
    av_dict_set(private, "crf", crf, 0);
    av_dict_set(private, "forced-idr", "1", 0);
    av_dict_set(private, "a53cc", "0", 0);
    av_dict_set(private, "x264-params", str_text(&parameters), 0);
}

enum err encode_video_open(const struct encode_video *settings, struct AVCodecContext **out,
                           struct why *why)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL)
        return why_set(why, ERR_BAD_MEDIA, NULL, "this libavcodec has no x264");
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVDictionary *private = NULL;
    MUST(encoder != NULL);
    encode_video_fields(settings, encoder);
    set_private(settings, &private);
    int code = avcodec_open2(encoder, codec, &private);
    av_dict_free(&private);
    if (code < 0) {
        avcodec_free_context(&encoder);
        return why_set(why, ERR_BAD_MEDIA, NULL, "x264 takes no pictures of %ux%u", settings->width,
                       settings->height);
    }
    *out = encoder;
    return OK;
}

uint32_t encode_video_reorder(const struct AVCodecContext *encoder)
{
    return encoder->has_b_frames > 0 ? (uint32_t) encoder->has_b_frames : 0;
}

enum err encode_video_config(const struct AVCodecContext *encoder, uint8_t **out, size_t *size)
{
    struct str config = {0};
    size_t extradata_size = encoder->extradata_size > 0 ? (size_t) encoder->extradata_size : 0;
    enum err err = annexb_config(CODEC_H264, encoder->extradata, extradata_size, &config);
    if (err == OK) {
        *size = config.length;
        *out = (uint8_t *) str_take(&config);
    }
    str_fini(&config);
    return err;
}

static const uint32_t aac_rates[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};
#define AAC_RATE_COUNT (sizeof aac_rates / sizeof *aac_rates)

uint32_t encode_audio_rate(uint32_t rate)
{
    for (size_t i = 0; i < AAC_RATE_COUNT; i++)
        if (rate <= aac_rates[i])
            return aac_rates[i];
    return aac_rates[AAC_RATE_COUNT - 1];
}

/* Half of what ISO 14496-3 4.5.3.3 allows: 6144 bits a frame and channel. */
uint32_t encode_audio_most(uint32_t rate, uint32_t channels)
{
    return (uint32_t) ((uint64_t) 6144 * channels * rate / TRANSCODE_AUDIO_FRAME) / 2;
}

/* Its rates have the indexes 3 to 11 there, from the highest down. */
enum err encode_audio_config(uint32_t rate, uint32_t channels,
                             uint8_t out[ENCODE_AUDIO_CONFIG_BYTES], struct why *why)
{
    enum { LC = 2, SBR = 5, SYNC = 0x2b7, FIRST_INDEX = 3 };
    size_t at = 0;
    while (at < AAC_RATE_COUNT && aac_rates[at] != rate)
        at++;
    if (at == AAC_RATE_COUNT || channels == 0 || channels > TRANSCODE_AUDIO_SURROUND_CHANNELS)
        return why_set(why, ERR_BAD_MEDIA, NULL, "no AAC of %u channels at %u Hz", channels, rate);
    uint32_t index = FIRST_INDEX + (uint32_t) (AAC_RATE_COUNT - 1 - at);
    uint32_t bits = (uint32_t) LC << 27 | index << 23 | channels << 19 | SYNC << 5 | SBR;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t) (bits >> (24 - 8 * i));
    out[4] = 0; /* sbrPresentFlag, and what fills the byte */
    return OK;
}

enum err encode_audio_open(uint32_t rate, uint32_t channels, uint32_t bitrate,
                           enum encode_search search, struct AVCodecContext **out, struct why *why)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("aac");
    if (codec == NULL)
        return why_set(why, ERR_BAD_MEDIA, NULL, "this libavcodec has no AAC encoder");
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVDictionary *private = NULL;
    MUST(encoder != NULL);
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = (int) rate;
    encoder->time_base = (AVRational){1, (int) rate};
    encoder->bit_rate = bitrate;
    encoder->thread_count = 1;
    encoder->flags |= (int) (AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT);
    if (channels == TRANSCODE_AUDIO_SURROUND_CHANNELS)
        encoder->ch_layout = (AVChannelLayout) AV_CHANNEL_LAYOUT_5POINT1_BACK;
    else
        av_channel_layout_default(&encoder->ch_layout, (int) channels);
    av_dict_set(&private, "aac_coder", search == ENCODE_FAST ? "fast" : "twoloop", 0);
    int code = avcodec_open2(encoder, codec, &private);
    av_dict_free(&private);
    if (code < 0 || encoder->frame_size != TRANSCODE_AUDIO_FRAME) {
        avcodec_free_context(&encoder);
        return why_set(why, ERR_BAD_MEDIA, NULL, "no AAC of %u channels at %u Hz", channels, rate);
    }
    *out = encoder;
    return OK;
}

void encode_close(struct AVCodecContext **encoder)
{
    avcodec_free_context(encoder);
}

static uint32_t find_build(const AVPacket *packet)
{
    static const char mark[] = "x264 - core ";
    const uint8_t *at = memmem(packet->data, (size_t) packet->size, mark, sizeof mark - 1);
    uint32_t build = 0;
    if (at == NULL)
        return 0;
    const uint8_t *end = packet->data + packet->size;
    for (at += sizeof mark - 1; at < end && *at >= '0' && *at <= '9' && build < 100000; at++)
        build = build * 10 + (uint32_t) (*at - '0');
    return build;
}

uint32_t encode_x264_build(void)
{
    const struct encode_video settings = {.width = 64,
                                          .height = 64,
                                          .fps_num = 25,
                                          .fps_den = 1,
                                          .maxrate = 100000,
                                          .bufsize = 100000,
                                          .preset = "ultrafast",
                                          .threads = 1};
    AVCodecContext *encoder = NULL;
    uint32_t build = 0;
    if (encode_video_open(&settings, &encoder, NULL) != OK)
        return 0;
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    MUST(frame != NULL && packet != NULL);
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = frame->height = 64;
    MUST(av_frame_get_buffer(frame, 0) >= 0);
    for (int i = 0; i < 3; i++)
        memset(frame->data[i], 128, (size_t) frame->linesize[i] * (i == 0 ? 64u : 32u));
    if (avcodec_send_frame(encoder, frame) >= 0 && avcodec_send_frame(encoder, NULL) >= 0 &&
        avcodec_receive_packet(encoder, packet) >= 0)
        build = find_build(packet);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return build;
}
