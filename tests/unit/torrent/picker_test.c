/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which pieces first: what torrent-engine 3 measured to be right, rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "torrent/picker.h"

#define MIB ((uint64_t) 1024 * 1024)
enum { PIECES = 200, RATE = 2000000 };

/* What libtorrent would have been told, piece by piece. */
struct told {
    struct picker *picker;
    uint8_t priority[PIECES];
    bool deadline[PIECES], here[PIECES];
    bool is_sequential;
    size_t last_set; /* deadlines by the last plan */
};

static int make_told(void **state)
{
    struct told *told = mem_new(struct told);
    told->picker = picker_new(PIECES, (uint32_t) MIB, PIECES * MIB);
    for (uint32_t i = 0; i < PIECES; i++) {
        picker_want(told->picker, i, true);
        told->priority[i] = 4;
    }
    picker_begin(told->picker);
    *state = told;
    return 0;
}

static int clear_told(void **state)
{
    struct told *told = *state;
    picker_free(&told->picker);
    mem_free(told);
    return 0;
}

static void plan(struct told *told, const struct picker_read *reads, size_t count, int64_t now_ms)
{
    struct picker_moves moves;
    picker_plan(told->picker, reads, count, true, RATE, now_ms, &moves);
    told->is_sequential = moves.is_sequential;
    told->last_set = moves.set_count;
    for (size_t i = 0; i < moves.set_count; i++) {
        assert_false(told->deadline[moves.set[i].piece]);
        told->deadline[moves.set[i].piece] = true;
        told->priority[moves.set[i].piece] = 7; /* as libtorrent does */
        assert_int_equal(moves.set[i].ms, (int) i * 100);
    }
    for (size_t i = 0; i < moves.cleared_count; i++) {
        assert_true(told->deadline[moves.cleared[i]]);
        told->deadline[moves.cleared[i]] = false;
        told->priority[moves.cleared[i]] = 1; /* as libtorrent does */
    }
    for (size_t i = 0; i < moves.priority_count; i++) {
        assert_int_not_equal(told->priority[moves.priorities[i].piece],
                             moves.priorities[i].priority);
        told->priority[moves.priorities[i].piece] = moves.priorities[i].priority;
    }
    for (uint32_t i = 0; i < PIECES; i++)
        assert_int_not_equal(told->priority[i], 1); /* never left where a deadline left it */
}

static void come(struct told *told, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        picker_have(told->picker, i, true);
        told->here[i] = true;
        told->deadline[i] = false;
    }
}

static struct picker_read read_at(uint64_t piece)
{
    return (struct picker_read){.span = {piece * MIB, piece * MIB + 65536}, .is_now = true};
}

static void assert_priorities(const struct told *told, uint32_t first, uint32_t end,
                              uint8_t priority)
{
    for (uint32_t i = first; i < end; i++)
        if (!told->here[i])
            assert_int_equal(told->priority[i], priority);
}

static void a_beginning_gets_few_deadlines(void **state)
{
    struct told *told = *state;
    const struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    assert_true(told->is_sequential);
    assert_int_equal(told->last_set, 4); /* 4 MiB */
    assert_priorities(told, 0, 4, 7);
    assert_priorities(told, 4, PIECES, 4);
    plan(told, &read, 1, 100);
    assert_int_equal(told->last_set, 0); /* each is told once */
}

static void the_head_of_a_file_is_less(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    read.is_start = true;
    plan(told, &read, 1, 0);
    assert_int_equal(told->last_set, 2); /* its end is read as well, before the first picture */
}

static void going_on_needs_no_deadline_for_a_while(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    come(told, 0, 4);
    plan(told, &read, 1, 50);
    read = read_at(4);
    plan(told, &read, 1, 100);
    assert_int_equal(told->last_set, 0);
    assert_int_equal(told->priority[4], 7); /* what is read now comes before the rest */
    plan(told, &read, 1, 1200); /* it waits for a second: something is wrong with the peer */
    assert_int_equal(told->last_set, 4);
    assert_true(told->deadline[4]);
}

static void a_seek_leaves_what_was_before_it(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    come(told, 0, 10);
    read = read_at(120);
    plan(told, &read, 1, 3000);
    for (uint32_t i = 120; i < 124; i++)
        assert_true(told->deadline[i]);
    /* The old place is given up after its grace: all before the new one waits. */
    plan(told, &read, 1, 6000);
    assert_priorities(told, 10, 120, 0);
    assert_priorities(told, 120, 124, 7);
    assert_priorities(told, 124, PIECES, 4);
}

static void a_short_seek_is_one_too(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    come(told, 0, 6);
    read = read_at(15); /* 9 MiB on, over what is missing */
    plan(told, &read, 1, 1000);
    for (uint32_t i = 15; i < 19; i++)
        assert_true(told->deadline[i]);
    read = read_at(18);
    plan(told, &read, 1, 1100);
    assert_int_equal(told->last_set, 0); /* and this is going on */
}

static void nothing_waits_near_the_end(void **state)
{
    struct told *told = *state;
    const struct picker_read read = read_at(190); /* 10 MiB behind it: peers would run dry */
    plan(told, &read, 1, 0);
    assert_priorities(told, 0, 190, 4);
    assert_priorities(told, 190, 194, 7);
}

static void what_waited_comes_back_before_little_is_left(void **state)
{
    struct told *told = *state;
    const struct picker_read read = read_at(150);
    plan(told, &read, 1, 0);
    assert_priorities(told, 0, 150, 0);
    come(told, 150, 177); /* 23 MiB are left behind the viewer */
    plan(told, &read, 1, 500);
    assert_priorities(told, 0, 150, 4);
}

static void two_viewers_have_a_window_each(void **state)
{
    struct told *told = *state;
    const struct picker_read reads[] = {read_at(20), read_at(120)};
    plan(told, reads, 2, 0);
    assert_priorities(told, 24, 120, 4); /* first what they need to begin */
    come(told, 20, 24);
    come(told, 120, 124);
    plan(told, reads, 2, 100);
    assert_priorities(told, 0, 20, 0); /* before the lower one */
    assert_priorities(told, 20, 36, 7);
    assert_priorities(told, 36, 120, 4);
    assert_priorities(told, 120, 136, 7);
    /* One of them leaves. */
    plan(told, reads, 1, 5000);
    assert_priorities(told, 36, PIECES, 4);
}

static void all_is_as_before_when_nobody_watches(void **state)
{
    struct told *told = *state;
    struct picker_moves moves;
    const struct picker_read read = read_at(100);
    plan(told, &read, 1, 0);
    picker_plan(told->picker, NULL, 0, false, RATE, 100, &moves);
    assert_false(moves.is_sequential);
    for (size_t i = 0; i < moves.cleared_count; i++)
        told->priority[moves.cleared[i]] = 1;
    for (size_t i = 0; i < moves.priority_count; i++)
        told->priority[moves.priorities[i].piece] = moves.priorities[i].priority;
    assert_priorities(told, 0, PIECES, 4);
}

static void unwanted_pieces_stay_so(void **state)
{
    struct told *told = *state;
    for (uint32_t i = 0; i < 100; i++)
        picker_want(told->picker, i, false);
    picker_begin(told->picker);
    memset(told->priority, 0, 100);
    const struct picker_read read = read_at(110);
    plan(told, &read, 1, 0);
    assert_priorities(told, 0, 100, 0);
    assert_priorities(told, 100, 110, 0);
    plan(told, NULL, 0, 100);
    assert_priorities(told, 114, PIECES, 4);
}

static void a_hint_is_no_viewer(void **state)
{
    struct told *told = *state;
    const struct picker_read hint = {.span = {150 * MIB, 152 * MIB}};
    plan(told, &hint, 1, 0);
    assert_int_equal(told->last_set, 0);
    assert_priorities(told, 150, 152, 7);
    assert_priorities(told, 0, 150, 4);
}

static void a_hundred_seeks_leave_nothing_behind(void **state)
{
    struct told *told = *state;
    for (int i = 0; i < 100; i++) {
        const struct picker_read read = read_at((uint64_t) (i * 37) % PIECES);
        plan(told, &read, 1, i * 100);
    }
    const struct picker_read last = read_at(60);
    plan(told, &last, 1, 20000);
    plan(told, &last, 1, 25000);
    size_t deadlines = 0;
    for (uint32_t i = 0; i < PIECES; i++)
        deadlines += told->deadline[i] ? 1 : 0;
    assert_int_equal(deadlines, 4);
}

int main(void)
{
#define RULE(test) cmocka_unit_test_setup_teardown(test, make_told, clear_told)
    const struct CMUnitTest tests[] = {
        RULE(a_beginning_gets_few_deadlines),
        RULE(the_head_of_a_file_is_less),
        RULE(going_on_needs_no_deadline_for_a_while),
        RULE(a_seek_leaves_what_was_before_it),
        RULE(a_short_seek_is_one_too),
        RULE(nothing_waits_near_the_end),
        RULE(what_waited_comes_back_before_little_is_left),
        RULE(two_viewers_have_a_window_each),
        RULE(all_is_as_before_when_nobody_watches),
        RULE(unwanted_pieces_stay_so),
        RULE(a_hint_is_no_viewer),
        RULE(a_hundred_seeks_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
