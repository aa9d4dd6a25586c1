/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segments/mux.h"

static void a_segment_begins_with_its_brands(void **state)
{
    struct str out = {0};

    (void) state;
    mux_segment_type(&out);
    assert_int_equal(out.length, 28);
    assert_memory_equal(out.at, "\0\0\0\x1cstypmsdh\0\0\0\0msdhmsixcmfc", 28);
    str_fini(&out);
}

/* Every byte of a part of two pictures, written out by hand (ISO 14496-12 8.8). */
static void a_part_of_pictures_is_this(void **state)
{
    static const uint8_t expected[] = "\0\0\0\x78moof"
                                      "\0\0\0\x10mfhd\0\0\0\0\0\0\0\x05"
                                      "\0\0\0\x60traf"
                                      "\0\0\0\x10tfhd\0\x02\0\0\0\0\0\x01"
                                      "\0\0\0\x14tfdt\x01\0\0\0\0\0\0\x01\0\0\0\x02"
                                      "\0\0\0\x34trun\x01\0\x0f\x01\0\0\0\x02\0\0\0\x80"
                                      "\0\0\x03\xe9\0\0\0\x07\x02\0\0\0\0\0\x07\xd2"
                                      "\0\0\x03\xea\0\0\0\x03\x01\x01\0\0\xff\xff\xff\xff"
                                      "\0\0\0\x12mdat";
    static const struct mux_sample samples[] = {{7, 1001, 2002, true}, {3, 1002, -1, false}};
    struct mux_part part = {5, (UINT64_C(1) << 32) + 2, true, samples, 2};
    struct str out = {0};

    (void) state;
    assert_int_equal(mux_part_header(&part, &out), OK);
    assert_int_equal(out.length, sizeof expected - 1);
    assert_memory_equal(out.at, expected, out.length);
    str_fini(&out);
}

static void sound_has_neither_flags_nor_offsets(void **state)
{
    static const struct mux_sample samples[] = {{7, 1024, 0, true}, {3, 1024, 0, true}};
    struct mux_part part = {1, 0, false, samples, 2};
    struct str out = {0};

    (void) state;
    assert_int_equal(mux_part_header(&part, &out), OK);
    assert_int_equal(out.length, 8 + 16 + 8 + 16 + 20 + 20 + 16 + 8);
    assert_memory_equal(out.at + 68, "\0\0\0\x24trun\x01\0\x03\x01\0\0\0\x02\0\0\0\x70", 20);
    str_fini(&out);
}

static void more_than_four_gibibytes_are_refused(void **state)
{
    static const struct mux_sample samples[] = {{UINT32_MAX, 1, 0, true}, {1, 1, 0, true}};
    struct mux_part part = {1, 0, true, samples, 2};
    struct str out = {0};

    (void) state;
    assert_int_equal(mux_part_header(&part, &out), ERR_LIMIT);
    part.count = 1;
    assert_int_equal(mux_part_header(&part, &out), ERR_LIMIT);
    str_fini(&out);
}

static void decode_times_come_of_presentation_times(void **state)
{
    /* I P B B P B B, D of two frames */
    static const int64_t pts[] = {0, 3000, 1000, 2000, 6000, 4000, 5000};
    struct mux_sample samples[7] = {{0}};
    int64_t begin = 0, dts = 0;

    (void) state;
    mux_time_samples(pts, 7, 7500, 2000, samples, &begin);
    assert_int_equal(begin, -2000);
    dts = begin;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(dts + samples[i].composition, pts[i]);
        assert_true(samples[i].composition >= 0);
        dts += samples[i].duration;
    }
    assert_int_equal(dts, 7500 - 2000);
    assert_int_equal(samples[6].duration, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_begins_with_its_brands),
        cmocka_unit_test(a_part_of_pictures_is_this),
        cmocka_unit_test(sound_has_neither_flags_nor_offsets),
        cmocka_unit_test(more_than_four_gibibytes_are_refused),
        cmocka_unit_test(decode_times_come_of_presentation_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
