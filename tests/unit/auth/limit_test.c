/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct limit_rule RULE = {3, 1000, 6000, 100000};

static void each_wait_is_longer_up_to_a_most(void **state)
{
    (void) state;
    struct limit *limit = limit_new(&RULE);
    int64_t retry_ms = 0, now_ms = 5000;
    static const int64_t WAITS[] = {1000, 2000, 4000, 6000, 6000};
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_try(limit, "a", now_ms, &retry_ms), OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(limit_try(limit, "a", now_ms, &retry_ms), ERR_LIMIT);
        assert_int_equal(retry_ms, WAITS[i]);
        assert_int_equal(limit_try(limit, "a", now_ms + WAITS[i] - 1, &retry_ms), ERR_LIMIT);
        assert_int_equal(retry_ms, 1);
        now_ms += WAITS[i];
        assert_int_equal(limit_look(limit, "a", now_ms, &retry_ms), OK); /* does not count */
        assert_int_equal(limit_look(limit, "a", now_ms, &retry_ms), OK);
        assert_int_equal(limit_try(limit, "a", now_ms, &retry_ms), OK);
    }
    assert_int_equal(limit_try(limit, "b", now_ms, &retry_ms), OK); /* each for itself */
    limit_free(&limit);
    assert_null(limit);
}

static void the_wait_begins_when_a_try_has_failed(void **state)
{
    (void) state;
    struct limit *limit = limit_new(&RULE);
    int64_t retry_ms = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limit_try(limit, "a", 4000 * i, &retry_ms), OK);
        limit_again(limit, "a", 4000 * i + 1000);
    }
    assert_int_equal(limit_try(limit, "a", 9999, &retry_ms), ERR_LIMIT);
    assert_int_equal(limit_try(limit, "a", 10000, &retry_ms), OK);
    limit_again(limit, "b", 10000); /* forgotten meanwhile: nothing to wait for */
    assert_int_equal(limit_try(limit, "b", 10000, &retry_ms), OK);
    limit_free(&limit);
}

static void who_stays_away_begins_anew(void **state)
{
    (void) state;
    struct limit *limit = limit_new(&RULE);
    int64_t retry_ms = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_try(limit, "a", 0, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 999, &retry_ms), ERR_LIMIT);
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_try(limit, "a", 100000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 100000, &retry_ms), ERR_LIMIT);
    limit_free(&limit);
}

static void a_good_try_does_not_count(void **state)
{
    (void) state;
    struct limit *limit = limit_new(&RULE);
    int64_t retry_ms = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
        limit_forgive(limit, "a", 5000);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), OK);
    assert_int_equal(limit_try(limit, "a", 5000, &retry_ms), ERR_LIMIT);
    limit_free(&limit);
}

static void a_flood_of_keys_forgives_nobody(void **state)
{
    (void) state;
    struct limit *limit = limit_new(&RULE);
    int64_t retry_ms = 0;
    for (int i = 0; i < 3; i++)
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
        cmocka_unit_test(each_wait_is_longer_up_to_a_most),
        cmocka_unit_test(the_wait_begins_when_a_try_has_failed),
        cmocka_unit_test(who_stays_away_begins_anew),
        cmocka_unit_test(a_good_try_does_not_count),
        cmocka_unit_test(a_flood_of_keys_forgives_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
