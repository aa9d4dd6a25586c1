/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of bytes against a plain array of flags. */
#include "source/spans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BYTES = 200 };

static void check_shape(const struct spans *spans)
{
    for (size_t i = 0; i < spans->count; i++) {
        assert_true(spans->items[i].begin < spans->items[i].end);
        assert_true(i == 0 || spans->items[i - 1].end < spans->items[i].begin);
    }
}

static void check_missing(const struct spans *spans, const bool *flags, struct span span)
{
    struct span missing = {0};
    uint64_t begin = span.begin, end;
    while (begin < span.end && flags[begin])
        begin++;
    for (end = begin; end < span.end && !flags[end]; end++)
        ;
    assert_int_equal(spans_missing(spans, span, &missing), begin < span.end);
    assert_int_equal(spans_has(spans, span), begin >= span.end);
    if (begin < span.end) {
        assert_int_equal(missing.begin, begin);
        assert_int_equal(missing.end, end);
    }
}

static struct span any_span(unsigned *seed)
{
    uint64_t begin = (uint64_t) rand_r(seed) % BYTES;
    uint64_t length = (uint64_t) rand_r(seed) % 20;
    return (struct span){begin, begin + length < BYTES ? begin + length : BYTES};
}

static void they_are_what_flags_are(void **state)
{
    (void) state;
    for (unsigned seed = 1; seed < 300; seed++) {
        struct spans spans = {0};
        bool flags[BYTES] = {false};
        unsigned chance = seed;
        for (int step = 0; step < 60; step++) {
            struct span span = any_span(&chance);
            bool is_added = rand_r(&chance) % 5 < 3;
            if (is_added)
                spans_add(&spans, span);
            else
                spans_remove(&spans, span);
            for (uint64_t at = span.begin; at < span.end; at++)
                flags[at] = is_added;
            check_shape(&spans);
            check_missing(&spans, flags, any_span(&chance));
        }
        check_missing(&spans, flags, (struct span){0, BYTES});
        spans_fini(&spans);
        assert_int_equal(spans.count, 0);
    }
}

static void neighbours_are_one(void **state)
{
    (void) state;
    struct spans spans = {0};
    spans_add(&spans, (struct span){0, 10});
    spans_add(&spans, (struct span){20, 30});
    spans_add(&spans, (struct span){10, 20});
    assert_int_equal(spans.count, 1);
    assert_int_equal(spans.items[0].end, 30);
    spans_remove(&spans, (struct span){10, 20});
    assert_int_equal(spans.count, 2);
    spans_fini(&spans);
}

static void nothing_is_nothing(void **state)
{
    (void) state;
    struct spans spans = {0};
    struct span missing;
    spans_add(&spans, (struct span){5, 5});
    spans_remove(&spans, (struct span){0, 100});
    assert_int_equal(spans.count, 0);
    assert_true(spans_has(&spans, (struct span){7, 7}));
    assert_true(spans_missing(&spans, (struct span){7, 8}, &missing));
    spans_fini(&spans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_what_flags_are),
        cmocka_unit_test(neighbours_are_one),
        cmocka_unit_test(nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
