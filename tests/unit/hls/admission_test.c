/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is promised what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "hls/admission.h"

/* 1920x1080 H.264 at 24 frames a second, with rungs of 1080, 720, 480 and 360 lines. */
struct stage {
    struct plan plan;
    struct plan_track track;
    struct plan_rendition renditions[5];
    struct admission *admission;
};

enum { RUNGS = 4 };
static const uint32_t widths[RUNGS] = {1920, 1280, 854, 640};
static const uint32_t heights[RUNGS] = {1080, 720, 480, 360};

static int set_up(void **state)
{
    struct stage *stage = mem_new(struct stage);
    stage->track = (struct plan_track){
        .kind = PLAN_VIDEO, .codec = CODEC_H264, .width = 1920, .height = 1080, .bit_depth = 8};
    stage->renditions[0] = (struct plan_rendition){
        .kind = PLAN_VIDEO, .is_copy = true, .width = 1920, .height = 1080, .timescale = 90000};
    for (int i = 0; i < RUNGS; i++)
        stage->renditions[i + 1] = (struct plan_rendition){
            .kind = PLAN_VIDEO, .width = widths[i], .height = heights[i], .timescale = 90000};
    stage->plan = (struct plan){.fps_num = 24,
                                .fps_den = 1,
                                .tracks = &stage->track,
                                .track_count = 1,
                                .renditions = stage->renditions,
                                .rendition_count = RUNGS + 1};
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    admission_free(&stage->admission);
    mem_free(stage);
    return 0;
}

/* A machine on which the film's decode and largest rung take `cores` of its `all`. */
static void set_cost(struct stage *stage, unsigned all, double cores)
{
    double units =
        admission_decode_units(&stage->plan, 0) + admission_encode_units(&stage->plan, 1);
    stage->admission = admission_new(all);
    admission_measured(stage->admission, NULL, units, cores);
}

static struct admission_viewer viewer(struct stage *stage, const char *playback, const char *film,
                                      int64_t position_ms)
{
    return (struct admission_viewer){
        .playback = playback, .film = film, .plan = &stage->plan, .position_ms = position_ms};
}

static uint64_t offer(struct stage *stage, const char *playback, const char *film, int64_t now_ms)
{
    struct admission_viewer who = viewer(stage, playback, film, -1);
    struct admission_offer out;
    admission_offer(stage->admission, &who, now_ms, &out);
    assert_int_equal(out.most_pixels == 1920 * 1080, out.why.text[0] == '\0');
    return out.most_pixels;
}

static enum err enter(struct stage *stage, const char *playback, uint32_t rendition,
                      int64_t position_ms, int64_t now_ms)
{
    struct admission_viewer who = viewer(stage, playback, "film", position_ms);
    struct why why = {0};
    enum err err = admission_enter(stage->admission, &who, rendition, now_ms, &why);
    assert_int_equal(err == OK, why.text[0] == '\0');
    return err;
}

static void all_fits_on_a_fast_machine(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 2, 0.3);
    assert_int_equal(offer(stage, "a", "film", 0), 1920 * 1080);
    assert_int_equal(offer(stage, "b", "other", 0), 1920 * 1080);
}

static void what_is_too_slow_is_not_offered(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 2, 2.2); /* 1.7 are to be had */
    assert_int_equal(offer(stage, "a", "film", 0), 1280 * 720);
    assert_int_equal(enter(stage, "a", 1, 0, 0), ERR_BUSY);
    assert_int_equal(enter(stage, "a", 2, 0, 0), OK);
}

static void alone_the_smallest_is_always_had(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 1, 50);
    assert_int_equal(offer(stage, "a", "film", 0), 640 * 360);
    assert_int_equal(enter(stage, "a", 4, 0, 0), OK);
    assert_int_equal(offer(stage, "b", "other", 0), 0);
}

static void who_comes_later_gets_what_is_left(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 2, 0.9);
    assert_int_equal(offer(stage, "a", "one", 0), 1920 * 1080);
    uint64_t second = offer(stage, "b", "two", 0);
    assert_true(second > 0 && second < 1920 * 1080);
    uint64_t last = second;
    char name[8] = "c0";
    for (char c = '0'; c <= '9' && last > 0; c++) {
        name[1] = c;
        uint64_t next = offer(stage, name, name, 0);
        assert_true(next <= last);
        last = next;
    }
    assert_int_equal(last, 0);
    /* And the first still has his. */
    assert_int_equal(offer(stage, "a", "one", 1), 1920 * 1080);
}

static void a_promise_is_kept_renewed_and_lapses(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 1, 0.8);
    assert_int_equal(offer(stage, "a", "film", 0), 1920 * 1080);
    assert_int_equal(offer(stage, "b", "other", ADMISSION_OFFER_MS - 1), 0);
    assert_int_equal(enter(stage, "a", 1, 0, 0), OK);
    assert_int_equal(offer(stage, "b", "other", ADMISSION_LIFE_MS - 1), 0);
    assert_int_equal(enter(stage, "a", 1, 0, ADMISSION_LIFE_MS - 1), OK);
    assert_int_equal(offer(stage, "b", "other", ADMISSION_LIFE_MS), 0);
    assert_int_equal(offer(stage, "b", "other", 2 * ADMISSION_LIFE_MS), 1920 * 1080);
    assert_int_equal(enter(stage, "a", 1, 0, 2 * ADMISSION_LIFE_MS), ERR_BUSY);
}

static void what_is_given_back_is_free(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 1, 0.8);
    assert_int_equal(offer(stage, "a", "film", 0), 1920 * 1080);
    admission_leave(stage->admission, "b");
    assert_int_equal(offer(stage, "b", "other", 0), 0);
    admission_leave(stage->admission, "a");
    assert_int_equal(offer(stage, "b", "other", 0), 1920 * 1080);
    /* Another film of the same playback takes the place of the one before. */
    assert_int_equal(offer(stage, "b", "next", 0), 1920 * 1080);
}

static void viewers_at_one_place_share(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 2, 1.0);
    struct admission_viewer a = viewer(stage, "a", "film", 60000);
    struct admission_viewer b = viewer(stage, "b", "film", 70000);
    struct admission_viewer c = viewer(stage, "c", "film", 600000);
    struct admission_offer out;
    admission_offer(stage->admission, &a, 0, &out);
    assert_int_equal(out.most_pixels, 1920 * 1080);
    admission_offer(stage->admission, &b, 0, &out);
    assert_int_equal(out.most_pixels, 1920 * 1080);
    admission_offer(stage->admission, &c, 0, &out);
    assert_true(out.most_pixels < 1920 * 1080);
}

static void films_without_playback_share_a_promise(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 1, 0.8);
    assert_int_equal(offer(stage, "", "film", 0), 1920 * 1080);
    assert_int_equal(offer(stage, "", "film", 1), 1920 * 1080);
    assert_int_equal(offer(stage, "", "other", 1), 0);
}

static void a_refusal_keeps_what_was_promised(void **state)
{
    struct stage *stage = *state;
    set_cost(stage, 2, 1.0);
    assert_int_equal(enter(stage, "a", 3, 0, 0), OK);
    assert_int_equal(offer(stage, "b", "other", 0), 1920 * 1080);
    assert_int_equal(enter(stage, "a", 1, 0, 0), ERR_BUSY);
    assert_int_equal(enter(stage, "a", 3, 4000, 0), OK);
}

static void costs_are_learnt_by_film(void **state)
{
    struct stage *stage = *state;
    double units =
        admission_decode_units(&stage->plan, 0) + admission_encode_units(&stage->plan, 1);
    set_cost(stage, 1, 0.5);
    assert_int_equal(offer(stage, "a", "film", 0), 1920 * 1080);
    admission_leave(stage->admission, "a");
    for (int i = 0; i < 40; i++)
        admission_measured(stage->admission, "film", units, 1.2);
    assert_true(offer(stage, "a", "film", 0) < 1920 * 1080);
    admission_leave(stage->admission, "a");
    admission_measured(stage->admission, NULL, units, 0.5);
    assert_int_equal(offer(stage, "a", "other", 0), 1920 * 1080);
    CLEANUP(str_fini) struct str text = {0};
    admission_metrics(stage->admission, 0, &text);
    assert_non_null(strstr(str_text(&text), "matinee_convert_promised_cores 0.500\n"));
}

static void many_promises_make_room(void **state)
{
    struct stage *stage = *state;
    char name[16];
    set_cost(stage, 1024, 0.001);
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(offer(stage, name, "film", i), 1920 * 1080);
    }
    CLEANUP(str_fini) struct str text = {0};
    admission_metrics(stage->admission, 0, &text);
    assert_non_null(strstr(str_text(&text), "matinee_convert_viewers 256"));
}

static uint64_t offer_on_device(struct stage *stage, const char *playback, uint64_t speed)
{
    struct admission_viewer who = viewer(stage, playback, playback, -1);
    struct admission_offer out;
    who.device_speed = speed;
    admission_offer(stage->admission, &who, 0, &out);
    return out.most_pixels;
}

static void a_device_has_its_own_limit(void **state)
{
    static const struct plan_device device = {.flags = 12, .speed = 1000 * 1000 * 1000};
    struct stage *stage = *state;
    const uint64_t large = 1920 * 1080;
    stage->plan.renditions = mem_dup(stage->renditions, sizeof stage->renditions);
    for (uint32_t i = 0; i < stage->plan.rendition_count; i++) {
        struct plan_rendition *r = &stage->plan.renditions[i];
        snprintf(r->name, sizeof r->name, i == 0 ? "video-copy" : "video-%up", r->height);
        snprintf(r->codecs, sizeof r->codecs, "avc1.640028");
    }
    plan_add_device(&stage->plan, &device);
    set_cost(stage, 8, 0.01);
    assert_int_equal(offer_on_device(stage, "a", large * 24 * 3 / 2), large);
    assert_int_equal(offer_on_device(stage, "b", large * 24 * 3 / 2), 1280 * 720);
    assert_int_equal(offer_on_device(stage, "c", 0), large);
    mem_free(stage->plan.renditions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_fits_on_a_fast_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_slow_is_not_offered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alone_the_smallest_is_always_had, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_later_gets_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_promise_is_kept_renewed_and_lapses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_back_is_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(viewers_at_one_place_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(films_without_playback_share_a_promise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_keeps_what_was_promised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(costs_are_learnt_by_film, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_has_its_own_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_promises_make_room, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
