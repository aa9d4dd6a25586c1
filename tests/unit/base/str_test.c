/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of base/str.c and base/why.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/why.h"

static void a_number_is_digits_only_and_bounded(void **state)
{
    (void) state;
    uint64_t number = 7;
    assert_int_equal(slice_number(SLICE("0"), 10, &number), OK);
    assert_int_equal(number, 0);
    assert_int_equal(slice_number(SLICE("18446744073709551615"), UINT64_MAX, &number), OK);
    assert_true(number == UINT64_MAX);
    assert_int_equal(slice_number(SLICE("18446744073709551616"), UINT64_MAX, &number),
                     ERR_BAD_INPUT);
    assert_int_equal(slice_number(SLICE("11"), 10, &number), ERR_BAD_INPUT);
    assert_int_equal(slice_number(SLICE("5"), 3, &number), ERR_BAD_INPUT);
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1.0", "١"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(slice_number(slice_of(bad[i]), 100, &number), ERR_BAD_INPUT);
}

static void blanks_around_are_taken_off(void **state)
{
    (void) state;
    assert_true(slice_is(slice_trim(SLICE(" \t a b\t ")), "a b"));
    assert_true(slice_is(slice_trim(SLICE("a\n")), "a\n"));
    assert_int_equal(slice_trim(SLICE(" \t ")).length, 0);
    assert_int_equal(slice_trim((struct slice){NULL, 0}).length, 0);
}

static void a_choice_is_one_of_those_given(void **state)
{
    (void) state;
    static const char *const bad[] = {"", "fre", "free|busy", "freed", "bus", "|"};
    assert_true(str_list_has("free|busy", '|', "free"));
    assert_true(str_list_has("free|busy", '|', "busy"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_list_has("free|busy", '|', bad[i]));
}

static void only_ascii_letters_change_case(void **state)
{
    (void) state;
    int changed = 0;
    for (int i = -128; i < 128; i++) {
        char c = (char) i;
        changed += char_lower(c) != c;
        changed += char_upper(c) != c;
        assert_int_equal(char_lower(char_upper(c)), char_lower(c));
    }
    assert_int_equal(changed, 26 + 26);
    assert_int_equal(char_lower('A'), 'a');
    assert_int_equal(char_upper('z'), 'Z');
}

static void a_buffer_grows_and_is_always_terminated(void **state)
{
    (void) state;
    struct str str = {0};
    assert_string_equal(str_text(&str), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&str, "%d,", i);
    assert_int_equal(str.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(str.at[str.length], 0);
    char *taken = str_take(&str);
    assert_int_equal(strncmp(taken, "0,1,2,", 6), 0);
    assert_null(str.at);
    mem_free(taken);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void) state;
    assert_true(str_is_utf8("Am\xC3\xA9lie \xF0\x9F\x8E\xAC", 12));
    static const char *const bad[] = {
        "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8", "\x80", "\xC3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(str_is_utf8(bad[i], strlen(bad[i])));
    struct str clean = {0};
    str_append_utf8(&clean, "a\xE9z", 3);
    assert_string_equal(str_text(&clean), "a\xEF\xBF\xBDz");
    str_fini(&clean);
}

static void words_that_do_not_fit_are_cut_at_a_character(void **state)
{
    (void) state;
    struct why why;
    char text[500];
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof why.text - 2, "\xC3\xA9", 2);
    text[sizeof text - 1] = '\0';
    assert_int_equal(why_set(&why, ERR_LIMIT, "n", "%s", text), ERR_LIMIT);
    assert_true(str_is_utf8(why.text, strlen(why.text)));
    assert_int_equal(strlen(why.text), sizeof why.text - 2);
    assert_string_equal(why.field, "n");
    assert_int_equal(why_set(NULL, ERR_IO, NULL, "nobody asks"), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_only_and_bounded),
        cmocka_unit_test(blanks_around_are_taken_off),
        cmocka_unit_test(a_choice_is_one_of_those_given),
        cmocka_unit_test(only_ascii_letters_change_case),
        cmocka_unit_test(a_buffer_grows_and_is_always_terminated),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(words_that_do_not_fit_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
