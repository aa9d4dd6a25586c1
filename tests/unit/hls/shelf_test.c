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

static void finds_what_stands_there(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *film = new_film();
    assert_null(shelf_find(shelf, SLICE("film")));
    shelf_put(shelf, film);
    int64_t before_ms = clock_mono_ms();
    CLEANUP(film_unref) struct film *found = shelf_find(shelf, SLICE("film"));
    assert_ptr_equal(found, film);
    assert_true(atomic_load(&film->used_ms) >= before_ms);
    assert_null(shelf_find(shelf, SLICE("fil")));
    assert_null(shelf_find(shelf, SLICE("films")));
    assert_null(shelf_find(shelf, (struct slice){NULL, 0}));
}

static void forgets_what_is_taken_off(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *old = new_film();
    CLEANUP(film_unref) struct film *new = new_film();
    shelf_put(shelf, old);
    shelf_remove(shelf, new); /* another one of that id */
    CLEANUP(film_unref) struct film *found = shelf_find(shelf, SLICE("film"));
    assert_ptr_equal(found, old);
    shelf_remove(shelf, old);
    assert_null(shelf_find(shelf, SLICE("film")));
    assert_int_equal(atomic_load(&old->references), 2); /* ours, and what was found */
    shelf_put(shelf, new);
    CLEANUP(film_unref) struct film *next = shelf_find(shelf, SLICE("film"));
    assert_ptr_equal(next, new);
}

static void hands_out_no_changed_file(void **state)
{
    (void) state;
    CLEANUP(shelf_free) struct shelf *shelf = shelf_new();
    CLEANUP(film_unref) struct film *film = new_film();
    char path[32];
    shelf_put(shelf, film);
    snprintf(path, sizeof path, "/proc/self/fd/%d", source_fd(film->source));
    assert_int_equal(truncate(path, 10), 0);
    assert_null(shelf_find(shelf, SLICE("film")));
    assert_int_equal(atomic_load(&film->references), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_stands_there),
        cmocka_unit_test(forgets_what_is_taken_off),
        cmocka_unit_test(hands_out_no_changed_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
