/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/looks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void add(struct looks *looks, const char *id, enum look_rank rank)
{
    struct look look = {.rank = rank, .path = mem_strdup(id)};
    snprintf(look.id, sizeof look.id, "%s", id);
    looks_add(looks, &look);
    assert_null(look.path);
}

static void expect(struct looks *looks, int64_t now_ms, const char *id)
{
    struct look look;
    int64_t due_ms;
    assert_true(looks_take(looks, LOOK_SCAN, now_ms, &look, &due_ms));
    assert_string_equal(look.id, id);
    look_fini(&look);
}

static void new_films_come_before_old_plans(void **state)
{
    (void) state;
    struct looks looks = {0};
    struct look look;
    int64_t due_ms = 0;
    add(&looks, "low", LOOK_OLD);
    add(&looks, "a", LOOK_NEW);
    add(&looks, "b", LOOK_NEW);
    expect(&looks, 0, "a");
    expect(&looks, 0, "b");
    expect(&looks, 0, "low");
    assert_false(looks_take(&looks, LOOK_SCAN, 0, &look, &due_ms));
    assert_int_equal(due_ms, -1);
    looks_fini(&looks);
}

static void scans_come_last_and_only_where_asked_for(void **state)
{
    (void) state;
    struct looks looks = {0};
    struct look look;
    int64_t due_ms = 0;
    add(&looks, "scan", LOOK_SCAN);
    add(&looks, "old", LOOK_OLD);
    assert_true(looks_take(&looks, LOOK_OLD, 0, &look, &due_ms));
    assert_string_equal(look.id, "old");
    look_fini(&look);
    assert_false(looks_take(&looks, LOOK_OLD, 0, &look, &due_ms));
    assert_int_equal(due_ms, -1);
    expect(&looks, 0, "scan");
    looks_fini(&looks);
}

static void failures_wait_longer_each_time_and_end(void **state)
{
    (void) state;
    struct looks looks = {0};
    struct look look;
    int64_t due_ms = 0, now_ms = 0;
    add(&looks, "a", LOOK_NEW);
    for (int64_t wait_ms = 5000; wait_ms <= 40000; wait_ms *= 2) {
        assert_true(looks_take(&looks, LOOK_SCAN, now_ms, &look, &due_ms));
        assert_true(looks_retry(&looks, &look, now_ms));
        assert_false(looks_take(&looks, LOOK_SCAN, now_ms + wait_ms - 1, &look, &due_ms));
        assert_int_equal(due_ms, now_ms + wait_ms);
        now_ms = due_ms;
    }
    assert_true(looks_take(&looks, LOOK_SCAN, now_ms, &look, &due_ms));
    assert_false(looks_retry(&looks, &look, now_ms));
    look_fini(&look);
    looks_fini(&looks);
}

static void a_new_list_remembers_tries_of_the_same_bytes(void **state)
{
    (void) state;
    struct looks looks = {0}, fresh = {0};
    struct look look;
    int64_t due_ms = 0;
    for (int i = 0; i < 2; i++) {
        add(&looks, i == 0 ? "a" : "b", LOOK_NEW);
        assert_true(looks_take(&looks, LOOK_SCAN, 0, &look, &due_ms));
        assert_true(looks_retry(&looks, &look, 0));
    }
    add(&fresh, "a", LOOK_NEW);
    struct look other = {.id = "b", .path = mem_strdup("b"), .identity = {.size = 5}};
    looks_add(&fresh, &other);
    looks_replace(&looks, &fresh);
    assert_int_equal(looks_count(&fresh), 0);
    assert_int_equal(looks_count(&looks), 2);
    expect(&looks, 0, "b");
    assert_false(looks_take(&looks, LOOK_SCAN, 0, &look, &due_ms));
    assert_int_equal(due_ms, 5000);
    looks_fini(&looks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_films_come_before_old_plans),
        cmocka_unit_test(scans_come_last_and_only_where_asked_for),
        cmocka_unit_test(failures_wait_longer_each_time_and_end),
        cmocka_unit_test(a_new_list_remembers_tries_of_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
