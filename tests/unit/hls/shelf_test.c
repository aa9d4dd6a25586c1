/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shelf of open films: what stands there is found, what has changed or was taken off is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hls/shelf.h"
#include "plan_fixture.h"

static struct film *new_film(void)
{
    struct plan *plan = fixture_usual_plan();
    return fixture_film(&plan, "engine");
}

static struct film *find(struct shelf *shelf, const char *id)
{
    int rendition;
    return shelf_find(shelf, &(struct shelf_name){.id = slice_of(id)}, &rendition);
}

static void finds_what_stands_there(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *film = new_film();
    assert_null(find(shelf, "film"));
    shelf_put(shelf, film, false);
    int64_t before_ms = clock_mono_ms();
    CLEANUP(film_unref) struct film *found = find(shelf, "film");
    assert_ptr_equal(found, film);
    assert_true(atomic_load(&film->used_ms) >= before_ms);
    assert_null(find(shelf, "fil"));
    assert_null(find(shelf, "films"));
    int rendition;
    assert_null(shelf_find(shelf, &(struct shelf_name){0}, &rendition));
}

static void forgets_what_is_taken_off(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *old = new_film();
    CLEANUP(film_unref) struct film *new = new_film();
    shelf_put(shelf, old, false);
    shelf_remove(shelf, new); /* another one of that id */
    CLEANUP(film_unref) struct film *found = find(shelf, "film");
    assert_ptr_equal(found, old);
    shelf_remove(shelf, old);
    assert_null(find(shelf, "film"));
    assert_int_equal(atomic_load(&old->references), 2); /* ours, and what was found */
    shelf_put(shelf, new, false);
    CLEANUP(film_unref) struct film *next = find(shelf, "film");
    assert_ptr_equal(next, new);
}

static void hands_out_no_changed_file(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *film = new_film();
    char path[32];
    shelf_put(shelf, film, false);
    snprintf(path, sizeof path, "/proc/self/fd/%d", source_fd(film->source));
    assert_int_equal(truncate(path, 10), 0);
    assert_null(find(shelf, "film"));
    assert_int_equal(atomic_load(&film->references), 2);
}

static struct film *find_version(struct shelf *shelf, const char *rendition, const char *version,
                                 int *index)
{
    struct shelf_name name = {.id = SLICE("film"), .rendition = slice_of(rendition)};
    if (version != NULL)
        name.version = slice_of(version);
    return shelf_find(shelf, &name, index);
}

static void expect_version(struct shelf *shelf, const char *rendition, const char *version,
                           const struct film *expected)
{
    int index = -1;
    CLEANUP(film_unref) struct film *found = find_version(shelf, rendition, version, &index);
    assert_ptr_equal(found, expected);
    if (expected != NULL)
        assert_string_equal(expected->plan->renditions[index].name, rendition);
}

/* Decision 11: what a newer plan replaced is found by who holds it, and by nobody else. */
static void keeps_old_plans_for_those_who_hold_them(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    struct plan *first = fixture_first_plan();
    CLEANUP(film_unref) struct film *old = fixture_film(&first, "engine");
    CLEANUP(film_unref) struct film *new = new_film();
    shelf_put(shelf, old, true);
    assert_null(find(shelf, "film"));
    shelf_remove(shelf, old);
    shelf_put(shelf, old, false);
    shelf_retire(shelf, old);
    assert_null(find(shelf, "film"));
    shelf_put(shelf, new, false);
    CLEANUP(film_unref) struct film *found = find(shelf, "film");
    assert_ptr_equal(found, new);
    expect_version(shelf, "video-720p", NULL, new);
    expect_version(shelf, "video-720p", old->versions[0], old);
    expect_version(shelf, "video-720p", new->versions[1], new);
    expect_version(shelf, "video-copy", new->versions[0], new);
    expect_version(shelf, "video-copy", old->versions[0], NULL);
    expect_version(shelf, "video-480p", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_old_plans_for_those_who_hold_them),
        cmocka_unit_test(finds_what_stands_there),
        cmocka_unit_test(forgets_what_is_taken_off),
        cmocka_unit_test(hands_out_no_changed_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
