/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "api/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum err read(const char *json, char out[CAPS_SIZE])
{
    struct why why = {0};
    json_t *value = json != NULL ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(json == NULL || value != NULL);
    enum err err = caps_read(value, out, &why);
    json_decref(value);
    return err;
}

static void codecs_become_words(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read(NULL, out), OK);
    assert_string_equal(out, "");
    assert_int_equal(read("{}", out), OK);
    assert_string_equal(out, "");
    assert_int_equal(
        read(
            "{\"codecs\": [\"avc1.640028\", \"avc1.42e01e\", \"hvc1.2.4.L153.B0\", \"mp4a.40.2\"]}",
            out),
        OK);
    assert_string_equal(out, "h264.40,hevc10.153,aac");
    assert_int_equal(
        read("{\"codecs\": [\"hvc1.2.4.L93\", \"hvc1.1.6.L93\", \"mp4a.40.34\", \"fLaC\"]}", out),
        OK);
    assert_string_equal(out, "hevc10.93,hevc.93,mp3,flac");
}

/* The highest of each; one that is said without a level stands for all. */
static void levels_are_those_of_the_strings(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read("{\"codecs\": [\"avc1.640033\", \"avc1.42e01e\", \"av01.0.08M.08\", "
                          "\"av01.0.13M.10\", \"vp09.00.40.08\", \"vp09.00.51.08\", "
                          "\"vp09.02.51.10\", \"hvc1.1.6.H120.90\", \"hvc1.1.6\"]}",
                          out),
                     OK);
    assert_string_equal(out, "h264.51,av1.8,av1-10.13,vp9.51,vp9-10.51,hevc");
}

static void all_of_them_fit(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(
        read("{\"codecs\": [\"avc1.6400ff\", \"hvc1.2.4.L255\", \"hvc1.1.6.L255\", "
             "\"av01.0.255M.08\", \"av01.0.255M.10\", \"vp09.00.255\", \"vp09.02.255\", "
             "\"mp4a.40.34\", \"mp4a.40.2\", \"ac-3\", \"ec-3\", \"flac\", \"opus\"], "
             "\"hdr\": true, \"channels\": 64, \"screen\": {\"width\": 32768, \"height\": 32768}}",
             out),
        OK);
    assert_string_equal(out, "h264.255,hevc10.255,hevc.255,av1.255,av1-10.255,vp9.255,vp9-10.255,"
                             "mp3,aac,ac3,eac3,flac,opus,surround,hdr,screen.32768x32768");
}

static void screen_and_loudspeakers(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read("{\"hdr\": false, \"channels\": 2}", out), OK);
    assert_string_equal(out, "");
    assert_int_equal(read("{\"hdr\": true, \"channels\": 6, \"screen\": {\"width\": 1920, "
                          "\"height\": 1080}}",
                          out),
                     OK);
    assert_string_equal(out, "surround,hdr,screen.1920x1080");
}

/* They go into a URL: nothing of what was sent does. */
static void what_is_unknown_is_passed_over(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read("{\"codecs\": [\"\", \"&p=x\", \"dvh1.05.06\", \"opus&x=1\"]}", out), OK);
    assert_string_equal(out, "opus");
}

static void nonsense_is_refused(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read("[]", out), ERR_BAD_INPUT);
    assert_int_equal(read("{\"codecs\": {}}", out), ERR_BAD_INPUT);
    assert_int_equal(read("{\"codecs\": [1]}", out), ERR_BAD_INPUT);
    assert_int_equal(read("{\"codecs\": [\"01234567890123456789012345678901234567890123456789"
                          "0123456789012345\"]}",
                          out),
                     ERR_BAD_INPUT);
    static const char *const wrong[] = {"{\"hdr\": 1}",
                                        "{\"channels\": 0}",
                                        "{\"channels\": 65}",
                                        "{\"channels\": 2.5}",
                                        "{\"channels\": \"6\"}",
                                        "{\"screen\": []}",
                                        "{\"screen\": {\"width\": 1920}}",
                                        "{\"screen\": {\"width\": 1920, \"height\": 32769}}",
                                        "{\"screen\": {\"width\": -1, \"height\": 1080}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(read(wrong[i], out), ERR_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_become_words),
        cmocka_unit_test(levels_are_those_of_the_strings),
        cmocka_unit_test(all_of_them_fit),
        cmocka_unit_test(screen_and_loudspeakers),
        cmocka_unit_test(what_is_unknown_is_passed_over),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
