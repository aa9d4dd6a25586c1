/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is remembered of whole lists, and when it is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/overview.h"

static const struct overview_of EVERYTHING = {0};

static int make(void **state)
{
    *state = overviews_new();
    return 0;
}

static int clear(void **state)
{
    struct overviews *overviews = *state;
    overviews_free(&overviews);
    return 0;
}

static void keep_letter(struct overviews *overviews, struct overview_of of, const char *letter)
{
    struct letter_list list = {0};
    letter_list_add(&list, letter, 3);
    overviews_keep_letters(overviews, &of, overviews_state(overviews), &list);
    letter_list_fini(&list);
}

/* The first letter that is kept of them, or "". */
static const char *letter_of(struct overviews *overviews, struct overview_of of)
{
    static char letter[LETTER_SIZE];
    struct letter_list list = {0};
    letter[0] = '\0';
    if (overviews_letters(overviews, &of, &list))
        memcpy(letter, list.items[0].letter, sizeof letter);
    letter_list_fini(&list);
    return letter;
}

static void each_list_has_letters_of_its_own(void **state)
{
    struct overviews *overviews = *state;
    const struct ages child = {.is_limited = true, .most = 12};
    const struct overview_of of[] = {
        EVERYTHING,
        {.kind = "film"},
        {.search = "ga"},
        {.ages = child},
        {.kind = "film", .search = "ga"},
    };
    const char *letters[] = {"A", "B", "C", "D", "E"};
    for (size_t i = 0; i < 5; i++)
        keep_letter(overviews, of[i], letters[i]);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(letter_of(overviews, of[i]), letters[i]);
    overviews_are_old(overviews);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(letter_of(overviews, of[i]), "");
}

static void what_was_counted_before_a_change_is_not_kept(void **state)
{
    struct overviews *overviews = *state;
    struct letter_list list = {0};
    struct place_list places = {0};
    struct place place;
    size_t left;
    uint64_t before = overviews_state(overviews);
    letter_list_add(&list, "A", 1);
    place_list_add(&places, "id", "sort", 1);
    overviews_are_old(overviews);
    overviews_keep_letters(overviews, &EVERYTHING, before, &list);
    overviews_keep_places(overviews, &EVERYTHING, false, before, &places);
    assert_string_equal(letter_of(overviews, EVERYTHING), "");
    assert_false(overviews_place(overviews, &EVERYTHING, false, 500, &place, &left));
    letter_list_fini(&list);
}

static void long_searches_are_not_kept(void **state)
{
    struct overviews *overviews = *state;
    keep_letter(overviews, (struct overview_of){.search = "garden7"}, "A");
    keep_letter(overviews, (struct overview_of){.search = "gardens8"}, "A");
    assert_string_equal(letter_of(overviews, (struct overview_of){.search = "garden7"}), "A");
    assert_string_equal(letter_of(overviews, (struct overview_of){.search = "gardens8"}), "");
}

/* However much is typed, what is asked for all the time stays. */
static void what_is_used_stays(void **state)
{
    struct overviews *overviews = *state;
    keep_letter(overviews, EVERYTHING, "A");
    for (int i = 0; i < 500; i++) {
        char search[16];
        snprintf(search, sizeof search, "s%d", i);
        keep_letter(overviews, (struct overview_of){.search = search}, "B");
        assert_string_equal(letter_of(overviews, EVERYTHING), "A");
    }
    assert_string_equal(letter_of(overviews, (struct overview_of){.search = "s0"}), "");
    assert_string_equal(letter_of(overviews, (struct overview_of){.search = "s499"}), "B");
}

static void assert_place(struct overviews *overviews, size_t offset, const char *id, size_t between)
{
    struct place place = {0};
    size_t left = 0;
    assert_true(overviews_place(overviews, &EVERYTHING, true, offset, &place, &left));
    assert_string_equal(place.id, id);
    assert_int_equal(left, between);
    place_fini(&place);
}

static void the_place_before_an_offset_is_found(void **state)
{
    struct overviews *overviews = *state;
    struct place_list places = {0};
    place_list_add(&places, "first", "a", 1);
    place_list_add(&places, "second", "b", 2);
    overviews_keep_places(overviews, &EVERYTHING, true, overviews_state(overviews), &places);
    assert_place(overviews, 0, "", 0);
    assert_place(overviews, PLACE_STEP - 1, "", PLACE_STEP - 1);
    assert_place(overviews, PLACE_STEP, "first", 0);
    assert_place(overviews, 2 * PLACE_STEP + 3, "second", 3);
    assert_place(overviews, 9 * PLACE_STEP, "second", 7 * PLACE_STEP);
}

#define KEPT(test) cmocka_unit_test_setup_teardown(test, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEPT(each_list_has_letters_of_its_own),
        KEPT(what_was_counted_before_a_change_is_not_kept),
        KEPT(long_searches_are_not_kept),
        KEPT(what_is_used_stays),
        KEPT(the_place_before_an_offset_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
