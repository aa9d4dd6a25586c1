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
    assert_string_equal(out, "h264,hevc10,aac");
    assert_int_equal(
        read("{\"codecs\": [\"hvc1.2.4.L93\", \"hvc1.1.6.L93\", \"mp4a.40.34\", \"fLaC\"]}", out),
        OK);
    assert_string_equal(out, "hevc10,hevc,mp3,flac");
}

static void all_of_them_fit(void **state)
{
    (void) state;
    char out[CAPS_SIZE];
    assert_int_equal(read("{\"codecs\": [\"avc1\", \"hvc1.2\", \"hvc1.1\", \"av01\", \"vp09\", "
                          "\"mp4a.40.34\", \"mp4a.40.2\", \"ac-3\", \"ec-3\", \"flac\", \"opus\"]}",
                          out),
                     OK);
    assert_string_equal(out, "h264,hevc10,hevc,av1,vp9,mp3,aac,ac3,eac3,flac,opus");
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_become_words),
        cmocka_unit_test(all_of_them_fit),
        cmocka_unit_test(what_is_unknown_is_passed_over),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
