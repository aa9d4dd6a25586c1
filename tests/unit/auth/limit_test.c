/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void a_burst_and_then_one_at_a_time(void **state)
{
    (void) state;
    struct limit *limit = limit_new(3, 1000);
    int64_t retry_ms = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), ERR_LIMIT);
    assert_int_equal(retry_ms, 1000);
    assert_int_equal(limit_try(limit, "a", 5400, &retry_ms), ERR_LIMIT);
    assert_int_equal(retry_ms, 600);
    assert_int_equal(limit_try(limit, "b", 5400, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 6000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 6000, &retry_ms), ERR_LIMIT);
    limit_free(&limit);
    assert_null(limit);
}

static void a_good_try_does_not_count(void **state)
{
    (void) state;
    struct limit *limit = limit_new(2, 1000);
    int64_t retry_ms = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
        limit_forgive(limit, "a", 5000);
    }
    assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), ERR_LIMIT);
    limit_free(&limit);
}

static void a_flood_of_keys_forgives_nobody(void **state)
{
    (void) state;
    struct limit *limit = limit_new(5, 1000);
    int64_t retry_ms = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(limit_try(limit, "busy", 0, &retry_ms), OK);
    for (int i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(limit_try(limit, key, 0, &retry_ms), OK);
    }
    assert_int_equal(limit_try(limit, "busy", 0, &retry_ms), ERR_LIMIT);
    limit_free(&limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_one_at_a_time),
        cmocka_unit_test(a_good_try_does_not_count),
        cmocka_unit_test(a_flood_of_keys_forgives_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
