/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole files: whatever their charset, and moved in time. */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segments/charset.h"
#include "segments/convert.h"

static const struct convert_what plain = {.form = CONVERT_VTT, .scale = CONVERT_SCALE_ONE};

static int load(void **state)
{
    (void) state;
    charset_preload();
    return 0;
}

/* Enough of a language to be told by. */
static const struct {
    const char *charset, *text;
} samples[] = {
    {"UTF-8", "Voilà l’été — ça va très bien, naïve Zoë"},
    {"UTF-16LE", "Wide words, and Ünïcödé too: Привет"},
    {"UTF-16BE", "Wide words, and Ünïcödé too: Привет"},
    {"WINDOWS-1251", "Добро пожаловать в наш дом. Сегодня мы будем говорить о погоде и природе."},
    {"KOI8-R", "Добро пожаловать в наш дом. Сегодня мы будем говорить о погоде и природе."},
    {"WINDOWS-1252", "Voilà, c'est très élégant; où êtes-vous allés cet été? Ça a été décidé."},
    {"WINDOWS-1253", "Καλημέρα σας, σήμερα θα μιλήσουμε για τον καιρό και τη φύση της χώρας μας."},
    {"GB18030", "今天天气很好，我们一起去公园散步吧。你觉得怎么样？我想喝一杯茶。"},
    {"BIG5", "今天天氣很好，我們一起去公園散步吧。你覺得怎麼樣？我想喝一杯茶。"},
    {"SHIFT_JIS", "こんにちは、今日はとても良い天気ですね。一緒に公園へ行きましょう。"},
    {"EUC-KR", "안녕하세요, 오늘은 날씨가 아주 좋습니다. 같이 공원에 갑시다."},
};

/* A file of ten cues with that text. */
static void make_file(const char *charset, const char *text, bool has_mark, struct str *out)
{
    struct str utf8 = {0};
    char *from, *to;
    size_t left, room = 0;
    iconv_t converter = iconv_open(charset, "UTF-8");
    assert_true(converter != (iconv_t) -1);
    if (has_mark)
        str_puts(&utf8, "\xEF\xBB\xBF");
    for (int i = 1; i <= 10; i++)
        str_printf(&utf8, "%d\n00:00:%02d,000 --> 00:00:%02d,500\n%s\n\n", i, i, i, text);
    char *bytes = mem_zalloc(4 * utf8.length);
    from = utf8.at;
    left = utf8.length;
    to = bytes;
    room = 4 * utf8.length;
    assert_true(iconv(converter, &from, &left, &to, &room) != (size_t) -1);
    str_append(out, bytes, (size_t) (to - bytes));
    iconv_close(converter);
    mem_free(bytes);
    str_fini(&utf8);
}

static void expect_text(const struct str *file, const char *text, const char *charset)
{
    struct str out = {0};
    struct why why = {0};
    const uint8_t *bytes = (const uint8_t *) file->at;
    if (convert_text(bytes, file->length, &plain, &out, &why) != OK)
        fail_msg("%s: %s", charset, why.text);
    if (strstr(str_text(&out), text) == NULL)
        fail_msg("%s: %.200s", charset, str_text(&out));
    assert_memory_equal(str_text(&out), "WEBVTT\n\n00:00:01.000 --> 00:00:01.500\n", 38);
    str_fini(&out);
}

static void charsets_are_told(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct str file = {0};
        make_file(samples[i].charset, samples[i].text, false, &file);
        expect_text(&file, samples[i].text, samples[i].charset);
        str_fini(&file);
    }
    for (size_t i = 0; i < 3; i++) { /* Unicode says so */
        struct str file = {0};
        make_file(samples[i].charset, samples[i].text, true, &file);
        expect_text(&file, samples[i].text, samples[i].charset);
        str_fini(&file);
    }
}

static void what_is_no_charset_is_replaced(void **state)
{
    (void) state;
    struct str out = {0};
    static const uint8_t wide[] = {0xFF, 0xFE, 'a', 0, 0x00, 0xDC, 'b', 0};
    assert_string_equal(charset_to_utf8(wide, sizeof wide, &out), "UTF-16LE");
    assert_true(str_is_utf8(out.at, out.length));
    assert_non_null(strstr(str_text(&out), "\xEF\xBF\xBD"));
    assert_int_equal(out.at[out.length - 1], 'b');
    str_fini(&out);
}

static void times_are_scaled_and_moved(void **state)
{
    (void) state;
    static const char file[] = "1\n00:00:10,000 --> 00:00:12,000\nx\n";
    struct convert_what what = {
        .form = CONVERT_HLS, .scale = 24 * CONVERT_SCALE_ONE / 25, .shift_ms = -500};
    struct str out = {0};
    assert_int_equal(convert_text((const uint8_t *) file, sizeof file - 1, &what, &out, NULL), OK);
    assert_string_equal(str_text(&out), "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n"
                                        "\n00:00:09.100 --> 00:00:11.020\nx\n");
    str_fini(&out);
}

static void what_is_none_is_refused(void **state)
{
    (void) state;
    struct str out = {0};
    struct why why = {0};
    struct convert_what script = {.form = CONVERT_ASS, .scale = CONVERT_SCALE_ONE};
    static const char words[] = "just words";
    const uint8_t *bytes = (const uint8_t *) words;
    assert_int_equal(convert_text(bytes, sizeof words - 1, &plain, &out, &why), ERR_BAD_MEDIA);
    assert_non_null(strstr(why.text, "no times in it"));
    assert_int_equal(convert_text(bytes, sizeof words - 1, &script, &out, &why), ERR_NOT_FOUND);
    assert_int_equal(convert_text(bytes, 0, &plain, &out, &why), ERR_BAD_MEDIA);
    str_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charsets_are_told),
        cmocka_unit_test(what_is_no_charset_is_replaced),
        cmocka_unit_test(times_are_scaled_and_moved),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
