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
    size_t last_set, last_cleared; /* deadlines by the last plan */
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
    told->last_cleared = moves.cleared_count;
    for (size_t i = 0; i < moves.cleared_count; i++) {
        assert_true(told->deadline[moves.cleared[i]]);
        told->deadline[moves.cleared[i]] = false;
        told->priority[moves.cleared[i]] = 1; /* as libtorrent does */
    }
    for (size_t i = 0; i < moves.set_count; i++) {
        assert_false(told->deadline[moves.set[i].piece]);
        told->deadline[moves.set[i].piece] = true;
        told->priority[moves.set[i].piece] = 7; /* as libtorrent does */
        assert_int_equal(moves.set[i].ms, (int) i * 100);
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

static void assert_deadlines(const struct told *told, uint32_t first, uint32_t end)
{
    for (uint32_t i = 0; i < PIECES; i++)
        assert_int_equal(told->deadline[i], i >= first && i < end && !told->here[i]);
}

static void a_beginning_gets_few_deadlines(void **state)
{
    struct told *told = *state;
    const struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    assert_true(told->is_sequential);
    assert_deadlines(told, 0, 2);
    assert_priorities(told, 0, 2, 7);
    assert_priorities(told, 2, PIECES, 4); /* which come in order */
    plan(told, &read, 1, 100);
    assert_int_equal(told->last_set, 0); /* each is told once */
    come(told, 0, 1);
    plan(told, &read, 1, 200);
    assert_deadlines(told, 1, 3);
}

static void the_head_of_a_file_is_less(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    read.is_start = true;
    plan(told, &read, 1, 0);
    come(told, 0, 2);
    read = read_at(2);
    plan(told, &read, 1, 100);
    assert_int_equal(told->last_set, 0); /* its end is read as well, before the first picture */
}

static void the_end_comes_beside_the_head(void **state)
{
    struct told *told = *state;
    struct picker_read reads[] = {read_at(0), {.span = {199 * MIB, 200 * MIB}, .is_index = true}};
    reads[0].is_start = true;
    plan(told, reads, 2, 0);
    assert_deadlines(told, 0, 2);
    assert_priorities(told, 199, 200, 7);
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
    come(told, 0, 2);
    read = read_at(2);
    plan(told, &read, 1, 2990);
    /* The old place is given up at once: all before the new one waits. */
    read = read_at(120);
    plan(told, &read, 1, 3000);
    assert_deadlines(told, 120, 122);
    assert_priorities(told, 2, 120, 0);
    assert_priorities(told, 120, 122, 7);
    assert_priorities(told, 122, PIECES, 4);
}

static void an_old_place_that_is_silent_soon_after_was_left(void **state)
{
    struct told *told = *state;
    const struct picker_read reads[] = {read_at(120), read_at(20)};
    plan(told, &reads[1], 1, 0);
    come(told, 20, 24);
    plan(told, reads, 2, 1000); /* it has not been heard yet that its client left */
    assert_priorities(told, 24, 120, 4);
    plan(told, reads, 1, 1200);
    assert_priorities(told, 24, 120, 0);
}

static void a_short_seek_is_one_too(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(0);
    plan(told, &read, 1, 0);
    come(told, 0, 6);
    read = read_at(15); /* 9 MiB on, over what is missing */
    plan(told, &read, 1, 1000);
    assert_deadlines(told, 15, 17);
    read = read_at(17);
    come(told, 15, 17);
    plan(told, &read, 1, 1100);
    assert_deadlines(told, 17, 19); /* and this is going on with it */
}

static void picture_and_sound_are_one_viewer(void **state)
{
    struct told *told = *state;
    const struct picker_read reads[] = {read_at(122), read_at(120)};
    plan(told, reads, 1, 0);
    assert_deadlines(told, 122, 124);
    plan(told, reads, 2, 10); /* the sound stands a bit earlier */
    assert_deadlines(told, 120, 122);
    assert_priorities(told, 0, 120, 0);
    assert_priorities(told, 122, 123, 7); /* which is read as well */
    /* Both wait for a second, side by side. */
    come(told, 120, 121);
    const struct picker_read on[] = {read_at(122), read_at(121)};
    for (int64_t now_ms = 100; now_ms < 5000; now_ms += 100)
        plan(told, on, 2, now_ms);
    assert_true(told->deadline[121]);
}

static void what_is_made_ahead_comes_in_order(void **state)
{
    struct told *told = *state;
    const struct picker_read reads[] = {read_at(10), {.span = {13 * MIB, 14 * MIB}}};
    plan(told, reads, 2, 0);
    come(told, 10, 13);
    const struct picker_read on[] = {read_at(13), {.span = {16 * MIB, 17 * MIB}}};
    plan(told, on, 2, 100);
    assert_priorities(told, 16, 17, 4); /* out of order it would delay 13 to 15 */
}

static void who_reads_ahead_still_watches(void **state)
{
    struct told *told = *state;
    const struct picker_read reads[] = {read_at(20), read_at(120)};
    plan(told, reads, 2, 0);
    come(told, 20, 24);
    come(told, 120, 124);
    const struct picker_read on[] = {read_at(24), {.span = {124 * MIB, 125 * MIB}}};
    for (int64_t now_ms = 100; now_ms < 10000; now_ms += 100)
        plan(told, on, 2, now_ms);
    assert_priorities(told, 124, 127, 7);
}

static void a_slow_swarm_brings_little_out_of_order(void **state)
{
    struct told *told = *state;
    struct picker_moves moves;
    const struct picker_read read = read_at(198); /* at the end, where the order leads nobody */
    picker_plan(told->picker, &read, 1, true, 100000, 0, &moves);
    assert_int_equal(moves.set_count, 2);
    const struct picker_read before = read_at(100);
    picker_plan(told->picker, &before, 1, true, 100000, 5000, &moves);
    assert_int_equal(moves.set_count, 2);
}

static void nothing_waits_near_the_end(void **state)
{
    struct told *told = *state;
    const struct picker_read read = read_at(195); /* 5 MiB behind it: peers would run dry */
    plan(told, &read, 1, 0);
    assert_priorities(told, 0, 195, 4);
    assert_priorities(told, 195, 200, 7);
}

static void what_waited_comes_back_before_little_is_left(void **state)
{
    struct told *told = *state;
    struct picker_read read = read_at(150);
    plan(told, &read, 1, 0);
    assert_priorities(told, 0, 150, 0);
    come(told, 150, 193); /* less is left behind the viewer than comes in 4 s */
    read = read_at(193);
    plan(told, &read, 1, 500);
    assert_priorities(told, 0, 150, 4);
    assert_priorities(told, 193, 200, 7);
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
    assert_priorities(told, 0, 20, 0);  /* before the lower one */
    assert_priorities(told, 20, 28, 7); /* what comes in 4 s */
    assert_priorities(told, 28, 120, 4);
    assert_priorities(told, 120, 128, 7);
    /* One of them leaves. */
    plan(told, reads, 1, 5000);
    assert_priorities(told, 28, PIECES, 4);
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
    const struct picker_read hint = {.span = {150 * MIB, 152 * MIB}, .is_index = true};
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
    assert_int_equal(deadlines, 2);
}

/* The first of them cancels what was asked for elsewhere: what a peer owed that is gone is asked for now. */
static void who_waits_for_a_peer_that_is_gone_is_urged(void **state)
{
    struct told *told = *state;
    const struct picker_read read = {{0, 4 * MIB}, .is_now = true, .is_start = true};
    plan(told, &read, 1, 0);
    size_t count = told->last_set;
    assert_true(count > 0);
    plan(told, &read, 1, 100);
    assert_int_equal(told->last_set, 0);
    picker_urge(told->picker);
    plan(told, &read, 1, 200);
    assert_int_equal(told->last_cleared, count);
    assert_int_equal(told->last_set, count);
    plan(told, &read, 1, 300);
    assert_int_equal(told->last_set, 0);
}

int main(void)
{
#define RULE(test) cmocka_unit_test_setup_teardown(test, make_told, clear_told)
    const struct CMUnitTest tests[] = {
        RULE(a_beginning_gets_few_deadlines),
        RULE(the_head_of_a_file_is_less),
        RULE(the_end_comes_beside_the_head),
        RULE(going_on_needs_no_deadline_for_a_while),
        RULE(a_seek_leaves_what_was_before_it),
        RULE(an_old_place_that_is_silent_soon_after_was_left),
        RULE(a_short_seek_is_one_too),
        RULE(picture_and_sound_are_one_viewer),
        RULE(what_is_made_ahead_comes_in_order),
        RULE(who_reads_ahead_still_watches),
        RULE(a_slow_swarm_brings_little_out_of_order),
        RULE(nothing_waits_near_the_end),
        RULE(what_waited_comes_back_before_little_is_left),
        RULE(two_viewers_have_a_window_each),
        RULE(all_is_as_before_when_nobody_watches),
        RULE(unwanted_pieces_stay_so),
        RULE(a_hint_is_no_viewer),
        RULE(who_waits_for_a_peer_that_is_gone_is_urged),
        RULE(a_hundred_seeks_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
