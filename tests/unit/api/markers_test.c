/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which chapters are an intro or credits, and what was found where none is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/inside.h"
#include "base/mem.h"

/* A film of 1400 s with one chapter. */
static json_t *film(const char *title, double start, double end)
{
    return json_pack("{s:f, s:[{s:f, s:f, s:s}]}", "duration", 1400.0, "chapters", "start", start,
                     "end", end, "title", title);
}

/* Takes both; "intro 60-150 ". */
static void expect(json_t *media, json_t *found, const char *expected)
{
    CLEANUP(str_fini) struct str text = {0};
    json_t *markers = markers_json(media, found);
    size_t index;
    const json_t *marker;
    json_array_foreach(markers, index, marker)
    {
        str_printf(&text, "%s %.0f-%.0f ", json_string_value(json_object_get(marker, "kind")),
                   json_number_value(json_object_get(marker, "start")),
                   json_number_value(json_object_get(marker, "end")));
    }
    assert_string_equal(str_text(&text), expected);
    json_decref(markers);
    json_decref(media);
    json_decref(found);
}

static void chapters_are_told_by_their_names(void **state UNUSED)
{
    static const char *const intros[] = {
        "Intro", "OPENING", "Op", "OP 2", "Opening 1", "Main Title", "Opening Credits", "Intro."};
    static const char *const credits[] = {"Credits",  "End Credits", "ED",
                                          "Ending 2", "Outro",       "Closing credits"};
    for (size_t i = 0; i < sizeof intros / sizeof *intros; i++)
        expect(film(intros[i], 60, 150), NULL, "intro 60-150 ");
    for (size_t i = 0; i < sizeof credits / sizeof *credits; i++)
        expect(film(credits[i], 1300, 1390), NULL, "credits 1300-1390 ");
    expect(film("Credits", 1000, 1400), NULL, "credits 1000-1400 ");
}

static void others_of_such_names_are_not_meant(void **state UNUSED)
{
    expect(film("Introductions", 60, 150), NULL, "");
    expect(film("The opening of the door", 60, 150), NULL, "");
    expect(film("Chapter 1", 60, 150), NULL, "");
    expect(film("", 60, 150), NULL, "");
    expect(film("Opening", 0, 300), NULL, ""); /* a scene */
    expect(film("Opening", 60, 62), NULL, "");
    expect(film("Opening", 1300, 1390), NULL, ""); /* of the next film */
    expect(film("Ending", 1100, 1400), NULL, "");  /* a scene */
    expect(film("Credits", 60, 150), NULL, "");
    expect(NULL, NULL, "");
}

static void what_was_found_stands_in_for_a_chapter(void **state UNUSED)
{
    json_t *found = json_pack("[{s:s, s:f, s:f}, {s:s, s:f, s:f}]", "kind", "intro", "start", 61.0,
                              "end", 149.0, "kind", "credits", "start", 1290.0, "end", 1400.0);
    json_t *again = json_deep_copy(found);
    expect(film("Opening", 60, 150), found, "intro 60-150 credits 1290-1400 ");
    expect(NULL, again, "intro 61-149 credits 1290-1400 ");
    expect(film("Credits", 1300, 1400), NULL, "credits 1300-1400 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chapters_are_told_by_their_names),
        cmocka_unit_test(others_of_such_names_are_not_meant),
        cmocka_unit_test(what_was_found_stands_in_for_a_chapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
