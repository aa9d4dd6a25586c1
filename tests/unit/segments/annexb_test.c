/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Annex B streams of encoders: their configurations, their samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <string.h>

#include "segments/annexb.h"
#include "segments/nal.h"

enum { WIDTH = 320, HEIGHT = 180 };

static void an_encoders_headers_become_avcc(void **state)
{
    static const uint8_t annex_b[] = {0,    0,    0,    1,    0x67, 100, 0, 31,   0xac, 0, 0,   1,
                                      0x68, 0xee, 0x3c, 0x80, 0,    0,   1, 0x06, 5,    1, 0xff};
    struct str out = {0};

    (void) state;
    assert_int_equal(annexb_config(CODEC_H264, annex_b, sizeof annex_b, &out), OK);
    assert_memory_equal(out.at,
                        "\x01\x64\x00\x1f\xff\xe1\x00\x05\x67\x64\x00\x1f\xac\x01\x00\x04\x68\xee"
                        "\x3c\x80\xfd\xf8\xf8\x00",
                        out.length);
    assert_int_equal(out.length, 24);
    str_clear(&out);
    assert_int_equal(annexb_config(CODEC_H264, annex_b, 9, &out), ERR_BAD_MEDIA);
    str_fini(&out);
}

/* One picture of x265's; its headers in front where `is_bare`, else in extradata. */
static AVPacket *encode_one(bool is_bare, AVCodecContext **encoder)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx265");
    assert_non_null(codec);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVFrame *picture = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    context->width = picture->width = WIDTH;
    context->height = picture->height = HEIGHT;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    picture->format = AV_PIX_FMT_YUV420P;
    context->time_base = (AVRational){1, 24};
    if (!is_bare)
        context->flags |= (int) AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(context->priv_data, "preset", "ultrafast", 0);
    av_opt_set(context->priv_data, "x265-params", "log-level=none:pools=none", 0);
    assert_int_equal(avcodec_open2(context, codec, NULL), 0);
    assert_int_equal(av_frame_get_buffer(picture, 0), 0);
    memset(picture->buf[0]->data, 128, picture->buf[0]->size);
    picture->pts = 0;
    assert_int_equal(avcodec_send_frame(context, picture), 0);
    assert_int_equal(avcodec_send_frame(context, NULL), 0);
    assert_int_equal(avcodec_receive_packet(context, packet), 0);
    av_frame_free(&picture);
    *encoder = context;
    return packet;
}

static void check_hvcc(const uint8_t *bytes, size_t size)
{
    struct str config = {0};
    struct nal_config back;
    assert_int_equal(annexb_config(CODEC_HEVC, bytes, size, &config), OK);
    assert_int_equal(nal_config_read(CODEC_HEVC, (const uint8_t *) config.at, config.length, &back),
                     OK);
    assert_int_equal(back.length_size, 4);
    assert_int_equal(back.set_count, 3);
    assert_true(back.has_video);
    assert_int_equal(back.video.profile, 1); /* Main */
    assert_int_equal(back.video.width, WIDTH);
    assert_int_equal(back.video.height, HEIGHT);
    assert_int_equal((uint8_t) config.at[1], 1);
    assert_int_equal((uint8_t) config.at[12], back.video.level);
    assert_int_equal((uint8_t) config.at[16], 0xfd); /* 4:2:0 */
    assert_int_equal((uint8_t) config.at[17], 0xf8); /* 8 bit */
    str_fini(&config);
}

static void hevc_headers_become_hvcc(void **state)
{
    AVCodecContext *encoder = NULL;
    struct str config = {0};
    (void) state;
    AVPacket *told = encode_one(false, &encoder);
    check_hvcc(encoder->extradata, (size_t) encoder->extradata_size);
    /* The sequence parameter set is cut off, or all but the first. */
    for (size_t size = 0; size < 60; size++) {
        assert_int_equal(annexb_config(CODEC_HEVC, encoder->extradata, size, &config),
                         ERR_BAD_MEDIA);
        assert_int_equal(config.length, 0);
    }
    av_packet_free(&told);
    avcodec_free_context(&encoder);
    AVPacket *bare = encode_one(true, &encoder);
    check_hvcc(bare->data, (size_t) bare->size);
    av_packet_free(&bare);
    avcodec_free_context(&encoder);
    str_fini(&config);
}

static unsigned types_in(enum plan_codec codec, const struct str *sample, unsigned types[16])
{
    unsigned count = 0;
    for (size_t at = 0; at < sample->length;) {
        const uint8_t *unit = (const uint8_t *) sample->at + at;
        size_t size =
            (size_t) unit[0] << 24 | (size_t) unit[1] << 16 | (size_t) unit[2] << 8 | unit[3];
        assert_true(size > 0 && size <= sample->length - at - 4 && count < 16);
        types[count++] = codec == CODEC_HEVC ? unit[4] >> 1 & 0x3fu : unit[4] & 0x1fu;
        at += 4 + size;
    }
    return count;
}

static void what_stands_in_the_initial_segment_stands_in_no_sample(void **state)
{
    enum { IDR_W_RADL = 19, IDR_N_LP = 20 };
    AVCodecContext *encoder = NULL;
    struct str sample = {0};
    unsigned types[16];
    uint32_t appended = 0;
    (void) state;
    AVPacket *bare = encode_one(true, &encoder);
    assert_int_equal(annexb_append(CODEC_HEVC, bare->data, (size_t) bare->size, &sample, &appended),
                     OK);
    assert_int_equal(appended, sample.length);
    assert_int_equal(types_in(CODEC_HEVC, &sample, types), 1);
    assert_true(types[0] == IDR_W_RADL || types[0] == IDR_N_LP);
    av_packet_free(&bare);
    avcodec_free_context(&encoder);
    /* Of H.264: a delimiter, both sets, a note of the encoder's, a recovery point, a picture. */
    static const uint8_t access_unit[] = {0,    0, 0, 1, 9,    0xf0, 0, 0, 1, 0x67, 100,  0,   31,
                                          0xac, 0, 0, 1, 0x68, 0xee, 0, 0, 1, 0x06, 5,    1,   0xff,
                                          0,    0, 1, 6, 6,    1,    8, 0, 0, 1,    0x65, 0x88};
    str_clear(&sample);
    assert_int_equal(annexb_append(CODEC_H264, access_unit, sizeof access_unit, &sample, &appended),
                     OK);
    assert_int_equal(types_in(CODEC_H264, &sample, types), 2);
    assert_int_equal(types[0], 6);
    assert_int_equal(types[1], 5);
    str_clear(&sample);
    assert_int_equal(annexb_append(CODEC_H264, access_unit, 6, &sample, &appended), ERR_BAD_MEDIA);
    str_fini(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encoders_headers_become_avcc),
        cmocka_unit_test(hevc_headers_become_hvcc),
        cmocka_unit_test(what_stands_in_the_initial_segment_stands_in_no_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
