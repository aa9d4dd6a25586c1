/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intros and credits found in fingerprints that are made up: bits of noise, which stand for moments
 * around the item's own as chromaprint's do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hls/intro_match.h"

enum {
    STEP_MS = 124, /* of an item, about */
    WINDOW = 19,   /* items whose sound is in one */
    NEAR_MS = 1200 /* how exact edges are, of noise */
};

/* What is heard from `from_s` on: tune `tune` from its begin. 0: silence; below 0: a noise. */
struct scene {
    double from_s;
    int tune;
};

static uint32_t mix(uint32_t word)
{
    word ^= word >> 16;
    word *= 0x7feb352dU;
    word ^= word >> 15;
    word *= 0x846ca68bU;
    return word ^ word >> 16;
}

static const struct scene *scene_at(const struct scene *scenes, double s)
{
    const struct scene *found = scenes;
    while (found[1].from_s > 0 && found[1].from_s <= s)
        found++;
    return found;
}

/* A bit of what is heard in item `row`. */
static uint32_t bit_of(const struct scene *scenes, int row, unsigned bit)
{
    const double step_s = (double) FINGERPRINT_STEP / FINGERPRINT_RATE;
    const struct scene *scene = scene_at(scenes, row * step_s);
    int at = row - (int) (scene->from_s / step_s);
    if (scene->tune == 0)
        return bit % 3 == 0;
    return mix((uint32_t) scene->tune * 7919U + (uint32_t) at * 64U + bit) & 1U;
}

/* `noise`: how many bits of a hundred are wrong. */
static struct fingerprint_part hear(const struct scene *scenes, int64_t begin_ms, int64_t end_ms,
                                    unsigned noise, uint32_t seed)
{
    struct fingerprint_part part = {.begin_ms = begin_ms, .end_ms = end_ms};
    int first = (int) (begin_ms * FINGERPRINT_RATE / 1000 / FINGERPRINT_STEP);
    int all = (int) ((end_ms - begin_ms) * FINGERPRINT_RATE / 1000 / FINGERPRINT_STEP);
    part.count = all > WINDOW ? (uint32_t) (all - WINDOW) : 0;
    part.items = mem_new_array(uint32_t, (size_t) part.count + 1);
    for (uint32_t i = 0; i < part.count; i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            int row = first + (int) i + (int) (bit * WINDOW / 32);
            uint32_t wrong = mix(seed * 31U + i * 32U + bit) % 100 < noise;
            part.items[i] |= (bit_of(scenes, row, bit) ^ wrong) << bit;
        }
    }
    return part;
}

static struct fingerprint film_of(const struct scene *scenes, int64_t film_s, unsigned noise,
                                  uint32_t seed)
{
    struct fingerprint film;
    fingerprint_place(film_s * 1000, &film);
    film.first = hear(scenes, film.first.begin_ms, film.first.end_ms, noise, seed);
    film.last = hear(scenes, film.last.begin_ms, film.last.end_ms, noise, seed + 1);
    return film;
}

static void near_s(int64_t ms, double s)
{
    if (llabs(ms - (int64_t) (s * 1000)) > NEAR_MS)
        fail_msg("%lld ms is not %.1f s", (long long) ms, s);
}

/* Markers of the first film, held against the others. */
static size_t match(struct fingerprint *films, size_t count, struct marker out[MARKERS_MOST])
{
    const struct fingerprint *others[MATCH_OTHERS + 2] = {NULL};
    for (size_t i = 1; i < count; i++)
        others[i - 1] = &films[i];
    size_t found = match_markers(&films[0], others, count - 1, out);
    for (size_t i = 0; i < count; i++)
        fingerprint_fini(&films[i]);
    return found;
}

/* --- stories --- */

static void an_intro_and_the_credits_are_found(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {61, 5}, {91, -2}, {1340, 6}, {0, 0}};
    const struct scene b[] = {{0, -3}, {12.4, 5}, {42.4, -4}, {1340, 6}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 1400, 6, 1), film_of(b, 1400, 6, 9)};
    assert_int_equal(match(films, 2, markers), 2);
    assert_int_equal(markers[0].kind, MARKER_INTRO);
    near_s(markers[0].start_ms, 61);
    near_s(markers[0].end_ms, 91);
    assert_int_equal(markers[1].kind, MARKER_CREDITS);
    near_s(markers[1].start_ms, 1340);
    assert_int_equal(markers[1].end_ms, 1400 * 1000);
}

static void one_at_the_very_begin_is_whole(void **state UNUSED)
{
    const struct scene a[] = {{0, 5}, {30, -2}, {0, 0}};
    const struct scene b[] = {{0, 5}, {30, -4}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9)};
    assert_int_equal(match(films, 2, markers), 1);
    assert_int_equal(markers[0].start_ms, 0);
    near_s(markers[0].end_ms, 30);
}

/* A voice speaks into the tune for two seconds. */
static void a_short_pause_does_not_end_it(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {20, 5}, {35, -7}, {0, 0}};
    const struct scene b[] = {{0, -3}, {40, 5}, {55, -8}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9)};
    const uint32_t at = 37000 / STEP_MS, shift = 20000 / STEP_MS + 1;
    for (uint32_t i = 0; i < 100; i++) /* 12 s more behind the pause */
        films[0].first.items[at + i] = films[1].first.items[at + shift + i];
    assert_int_equal(match(films, 2, markers), 1);
    near_s(markers[0].start_ms, 20);
    assert_true(markers[0].end_ms > 48000);
}

static void films_of_nothing_in_common_have_none(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {0, 0}};
    const struct scene b[] = {{0, -2}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 3000, 3, 1), film_of(b, 3000, 3, 9)};
    assert_int_equal(match(films, 2, markers), 0);
}

static void silence_is_no_intro(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {30, 0}, {90, -2}, {840, 0}, {0, 0}};
    const struct scene b[] = {{0, -3}, {50, 0}, {120, -4}, {830, 0}, {0, 0}};
    const struct scene c[] = {{0, 0}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 0, 1), film_of(b, 900, 0, 9)};
    assert_int_equal(match(films, 2, markers), 0);
    struct fingerprint silent[] = {film_of(c, 900, 0, 1), film_of(c, 900, 0, 9)};
    assert_int_equal(match(silent, 2, markers), 0);
}

/* A studio's sign of seven seconds; a recap of three minutes that both have. */
static void what_is_too_short_or_too_long_is_none(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {30, 5}, {37, -2}, {0, 0}};
    const struct scene b[] = {{0, -3}, {10, 5}, {17, -4}, {0, 0}};
    const struct scene c[] = {{0, -1}, {30, 5}, {210, -2}, {0, 0}};
    const struct scene d[] = {{0, -3}, {10, 5}, {190, -4}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint brief[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9)};
    assert_int_equal(match(brief, 2, markers), 0);
    struct fingerprint endless[] = {film_of(c, 1500, 3, 1), film_of(d, 1500, 3, 9)};
    assert_int_equal(match(endless, 2, markers), 0);
}

/* One of them has a scene twice: the tune that the others have too is longer known, if shorter. */
static void of_two_candidates_most_decide(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {20, 5}, {45, -2}, {90, 8}, {150, -3}, {0, 0}};
    const struct scene b[] = {{0, -4}, {40, 5}, {65, -5}, {100, 8}, {160, -6}, {0, 0}};
    const struct scene c[] = {{0, -7}, {33, 5}, {58, -8}, {0, 0}};
    const struct scene d[] = {{0, -9}, {11, 5}, {36, -10}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9),
                                  film_of(c, 900, 3, 17), film_of(d, 900, 3, 25)};
    assert_int_equal(match(films, 4, markers), 1);
    near_s(markers[0].start_ms, 20);
    near_s(markers[0].end_ms, 45);
}

static void fewer_than_half_are_not_enough(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {20, 5}, {45, -2}, {0, 0}};
    const struct scene b[] = {{0, -4}, {40, 5}, {65, -5}, {0, 0}};
    const struct scene c[] = {{0, -7}, {0, 0}};
    const struct scene d[] = {{0, -9}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9),
                                  film_of(c, 900, 3, 17), film_of(d, 900, 3, 25)};
    assert_int_equal(match(films, 4, markers), 0);
    struct fingerprint two[] = {film_of(a, 900, 3, 1), film_of(b, 900, 3, 9),
                                film_of(c, 900, 3, 17)};
    assert_int_equal(match(two, 3, markers), 1);
}

static void one_alone_has_none(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {20, 5}, {45, -2}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[] = {film_of(a, 900, 3, 1)};
    assert_int_equal(match(films, 1, markers), 0);
    struct fingerprint none[] = {{{0}, {0}}, {{0}, {0}}};
    assert_int_equal(match(none, 2, markers), 0);
}

/* The end of both films' scenes in the midst of the last part. */
static void what_is_far_from_the_end_is_no_credits(void **state UNUSED)
{
    const struct scene a[] = {{0, -1}, {1150, 5}, {1190, -2}, {0, 0}};
    const struct scene b[] = {{0, -3}, {1160, 5}, {1200, -4}, {0, 0}};
    const struct scene c[] = {{0, -1}, {1300, 5}, {1370, -2}, {0, 0}};
    const struct scene d[] = {{0, -3}, {1310, 5}, {1380, -4}, {0, 0}};
    struct marker markers[MARKERS_MOST];
    struct fingerprint far[] = {film_of(a, 1400, 3, 1), film_of(b, 1400, 3, 9)};
    assert_int_equal(match(far, 2, markers), 0);
    struct fingerprint near_end[] = {film_of(c, 1400, 3, 1), film_of(d, 1400, 3, 9)};
    assert_int_equal(match(near_end, 2, markers), 1);
    assert_int_equal(markers[0].kind, MARKER_CREDITS);
    near_s(markers[0].start_ms, 1300);
    near_s(markers[0].end_ms, 1370);
}

/* Any numbers: they come from a process that read the film. */
static void worst_cases_end(void **state UNUSED)
{
    struct marker markers[MARKERS_MOST];
    struct fingerprint films[3];
    for (unsigned i = 0; i < 3; i++) {
        fingerprint_place(3600 * 1000, &films[i]);
        films[i].first.count = FINGERPRINT_MOST;
        films[i].last.count = 0;
        films[i].first.items = mem_new_array(uint32_t, FINGERPRINT_MOST);
        for (uint32_t k = 0; k < FINGERPRINT_MOST; k++)
            films[i].first.items[k] = k % 2 == 0 ? 0xAAAAAAAAU : 0x55555555U + (k % 128 << 16);
    }
    (void) !match(films, 3, markers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intro_and_the_credits_are_found),
        cmocka_unit_test(one_at_the_very_begin_is_whole),
        cmocka_unit_test(a_short_pause_does_not_end_it),
        cmocka_unit_test(films_of_nothing_in_common_have_none),
        cmocka_unit_test(silence_is_no_intro),
        cmocka_unit_test(what_is_too_short_or_too_long_is_none),
        cmocka_unit_test(of_two_candidates_most_decide),
        cmocka_unit_test(fewer_than_half_are_not_enough),
        cmocka_unit_test(one_alone_has_none),
        cmocka_unit_test(what_is_far_from_the_end_is_no_credits),
        cmocka_unit_test(worst_cases_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
