/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Annex B streams of encoders: their configurations, their samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "segments/annexb.h"
#include "segments/nal.h"

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

/* 64x48, 8 bit, as x265 has it: VPS, SPS, PPS; and an IDR picture. */
static const uint8_t hevc_headers[] = {
    0x00, 0x00, 0x00, 0x01, 0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00,
    0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x1e, 0x95, 0x94, 0x09,
    0x00, 0x00, 0x00, 0x01, 0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90,
    0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x1e, 0xa0, 0x20, 0x83, 0x16, 0x59, 0x59,
    0x52, 0x93, 0x0b, 0xc0, 0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03,
    0x00, 0x30, 0x10, 0x00, 0x00, 0x00, 0x01, 0x44, 0x01, 0xc0, 0x73, 0xc0, 0x89};
static const uint8_t hevc_picture[] = {0x00, 0x00, 0x01, 0x28, 0x01, 0xac, 0x76,
                                       0x0d, 0x90, 0x91, 0xcb, 0x45, 0xbc};

static void hevc_headers_become_hvcc(void **state)
{
    enum { MAIN = 1, LEVEL_1 = 30 };
    struct str config = {0};
    struct nal_config back;
    (void) state;
    assert_int_equal(annexb_config(CODEC_HEVC, hevc_headers, sizeof hevc_headers, &config), OK);
    assert_int_equal(nal_config_read(CODEC_HEVC, (const uint8_t *) config.at, config.length, &back),
                     OK);
    assert_int_equal(back.length_size, 4);
    assert_int_equal(back.set_count, 3);
    assert_true(back.has_video);
    assert_int_equal(back.video.profile, MAIN);
    assert_int_equal(back.video.width, 64);
    assert_int_equal(back.video.height, 48);
    /* ISO 14496-15 8.3.3.1, up to the arrays. */
    static const uint8_t head[] = {1,       MAIN, 0x60, 0,    0,    0,    0x90, 0, 0, 0,    0, 0,
                                   LEVEL_1, 0xf0, 0,    0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3};
    assert_true(config.length > sizeof head);
    assert_memory_equal(config.at, head, sizeof head);
    /* A set is missing, or cut off. */
    for (size_t size = 0; size + 8 < sizeof hevc_headers; size++) {
        str_clear(&config);
        assert_int_equal(annexb_config(CODEC_HEVC, hevc_headers, size, &config), ERR_BAD_MEDIA);
        assert_int_equal(config.length, 0);
    }
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
    enum { IDR_N_LP = 20 };
    static const uint8_t delimiter_and_note[] = {0, 0, 0,    1, 0x46, 1, 0x50, 0,
                                                 0, 1, 0x4e, 1, 5,    1, 0xff};
    struct str unit = {0};
    struct str sample = {0};
    unsigned types[16];
    uint32_t appended = 0;
    (void) state;
    str_append(&unit, delimiter_and_note, sizeof delimiter_and_note);
    str_append(&unit, hevc_headers, sizeof hevc_headers);
    str_append(&unit, hevc_picture, sizeof hevc_picture);
    assert_int_equal(
        annexb_append(CODEC_HEVC, (const uint8_t *) unit.at, unit.length, &sample, &appended), OK);
    assert_int_equal(appended, sample.length);
    assert_int_equal(types_in(CODEC_HEVC, &sample, types), 1);
    assert_int_equal(types[0], IDR_N_LP);
    str_fini(&unit);
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
