/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gains as a function of place alone: whatever a run began with, what it makes is the same. */
#include "segments/dynamics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

enum { RATE = 48000, COUNT = 10 * RATE / DYNAMICS_BLOCK * DYNAMICS_BLOCK };

/* Bass, speech and blows: loud and soft in turns, far beyond full scale now and then. */
static void make(float *left, float *right)
{
    for (int i = 0; i < COUNT; i++) {
        double t = (double) i / RATE;
        double loud = fmod(t, 3) < 1.5 ? 0.01 : 0.5;
        left[i] = (float) (loud * sin(2 * M_PI * 440 * t) + 0.9 * loud * sin(2 * M_PI * 40 * t));
        right[i] = (float) (loud * sin(2 * M_PI * 1000 * t));
        if (i % 30000 < 40)
            left[i] += 1.7F;
    }
}

static void the_same_wherever_it_is_begun(enum dynamics kind)
{
    CLEANUP(mem_free_at) float *whole = mem_new_array(float, 2 * COUNT);
    CLEANUP(mem_free_at) float *part = mem_new_array(float, 2 * COUNT);
    size_t margin = dynamics_margin(kind, RATE);
    assert_int_equal(margin % DYNAMICS_BLOCK, 0);
    make(whole, whole + COUNT);
    dynamics_apply(kind, RATE, (float *const[]){whole, whole + COUNT}, 2, COUNT);
    for (size_t begin = 0; begin + 4 * margin < COUNT; begin += 1024 * 31) {
        size_t count = 2 * margin + 1024 * 20;
        if (begin + count > COUNT)
            break;
        make(part, part + COUNT);
        float *const channels[] = {part + begin, part + COUNT + begin};
        dynamics_apply(kind, RATE, channels, 2, count);
        for (size_t c = 0; c < 2; c++)
            assert_memory_equal(channels[c] + margin, whole + c * COUNT + begin + margin,
                                (count - 2 * margin) * sizeof(float));
    }
}

static void gains_know_no_past(void **state)
{
    (void) state;
    the_same_wherever_it_is_begun(DYNAMICS_LIMIT);
    the_same_wherever_it_is_begun(DYNAMICS_NIGHT);
    assert_int_equal(dynamics_margin(DYNAMICS_NONE, RATE), 0);
}

static void nothing_is_more_than_full(void **state)
{
    (void) state;
    CLEANUP(mem_free_at) float *samples = mem_new_array(float, 2 * COUNT);
    for (enum dynamics kind = DYNAMICS_LIMIT; kind <= DYNAMICS_NIGHT; kind++) {
        make(samples, samples + COUNT);
        dynamics_apply(kind, RATE, (float *const[]){samples, samples + COUNT}, 2, COUNT);
        float most = 0;
        for (size_t i = 0; i < 2 * COUNT; i++)
            most = fabsf(samples[i]) > most ? fabsf(samples[i]) : most;
        assert_true(most <= 0.8911F && most > 0.6F);
    }
}

/* To the bit, and by one gain for both channels. */
static void what_fits_is_left_alone(void **state)
{
    (void) state;
    CLEANUP(mem_free_at) float *samples = mem_new_array(float, 2 * COUNT);
    CLEANUP(mem_free_at) float *before = mem_new_array(float, 2 * COUNT);
    make(samples, samples + COUNT);
    for (size_t i = 0; i < 2 * COUNT; i++)
        samples[i] *= 0.3F;
    memcpy(before, samples, 2 * COUNT * sizeof(float));
    dynamics_apply(DYNAMICS_LIMIT, RATE, (float *const[]){samples, samples + COUNT}, 2, COUNT);
    assert_memory_equal(before, samples, 2 * COUNT * sizeof(float));
    make(samples, samples + COUNT);
    make(before, before + COUNT);
    dynamics_apply(DYNAMICS_LIMIT, RATE, (float *const[]){samples, samples + COUNT}, 2, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        if (fabsf(before[i]) > 1e-3F && fabsf(before[COUNT + i]) > 1e-3F)
            assert_true(fabsf(samples[i] / before[i] - samples[COUNT + i] / before[COUNT + i]) <
                        1e-4F);
}

static double level(const float *samples, double from_s, double to_s)
{
    double sum = 0;
    size_t from = (size_t) (from_s * RATE), to = (size_t) (to_s * RATE);
    for (size_t i = from; i < to; i++)
        sum += (double) samples[i] * samples[i];
    return 10 * log10(sum / (double) (to - from));
}

/* 34 dB apart before; noise that nobody should hear stays where it was. */
static void the_night_is_even(void **state)
{
    (void) state;
    CLEANUP(mem_free_at) float *samples = mem_new_array(float, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        samples[i] = (float) ((i / RATE % 4 < 2 ? 0.01 : 0.5) * sin((double) i / 20));
    dynamics_apply(DYNAMICS_NIGHT, RATE, (float *const[]){samples}, 1, COUNT);
    double soft = level(samples, 4.5, 5.5), loud = level(samples, 6.5, 7.5);
    assert_true(loud - soft > 8 && loud - soft < 14);
    assert_true(fabs(loud - -24 + 5) < 10 && soft > -36);
    for (size_t i = 0; i < COUNT; i++)
        samples[i] = (float) (2e-4 * sin((double) i / 20));
    dynamics_apply(DYNAMICS_NIGHT, RATE, (float *const[]){samples}, 1, COUNT);
    assert_true(level(samples, 4, 6) < -76);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_know_no_past),
        cmocka_unit_test(nothing_is_more_than_full),
        cmocka_unit_test(what_fits_is_left_alone),
        cmocka_unit_test(the_night_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
