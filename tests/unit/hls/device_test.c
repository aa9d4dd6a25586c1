/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device encodes (decision 23): in plans, in playlists, in promises, in rooms when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hls/admission.h"
#include "hls/hardware.h"
#include "hls/playlist.h"
#include "plan_fixture.h"
#include "room_stage.h"

static const struct film_device device = {
    .name = "fake:x", .words = "h264_fake on x", .plan = {.flags = 0x0c, .speed = 1000000000}};

static const struct film_device both = {
    .name = "fake+hevc:x",
    .words = "hevc_fake and h264_fake on x",
    .plan = {.flags = 0x0c, .speed = 1000000000, .hevc = "hvc1.1.6.L60.90"}};

/* --- plans and films --- */

static void a_plan_takes_a_device_and_lets_go_of_it(void **state)
{
    (void) state;
    CLEANUP(plan_free) struct plan *plan = fixture_ladder_plan();
    CLEANUP(plan_free) struct plan *again = NULL;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct why why = {0};
    size_t size = 0;
    uint32_t count = plan->rendition_count;
    plan_add_device(plan, &device.plan);
    plan_add_device(plan, &device.plan); /* once is enough */
    assert_int_equal(plan->rendition_count, count + 2);
    const struct plan_rendition *on = &plan->renditions[count];
    assert_string_equal(on->name, "video-720p-gpu");
    assert_string_equal(on->codecs, "avc1.640c20");
    assert_null(on->init);
    assert_true(plan_is_on_device(on));
    assert_false(plan_is_on_device(&plan->renditions[1]));
    assert_int_equal(plan_device_twin(plan, 1), count);
    assert_int_equal(plan_device_twin(plan, 0), -1);
    assert_int_equal(plan_segment_count(plan, count), plan_segment_count(plan, 1));
    /* A media process is handed it. */
    plan_write(plan, &bytes, &size);
    assert_int_equal(plan_read(bytes, size, &again, &why), OK);
    assert_int_equal(again->rendition_count, count + 2);
    plan_drop_device(again);
    assert_int_equal(again->rendition_count, count);
    assert_int_equal(plan_device_twin(again, 1), -1);
}

/* Which pictures it makes is said once for both; HEVC takes two thirds of the bits. */
static void a_device_may_make_hevc_too(void **state)
{
    (void) state;
    CLEANUP(plan_free) struct plan *plan = fixture_ladder_plan();
    CLEANUP(plan_free) struct plan *again = NULL;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct why why = {0};
    size_t size = 0;
    uint32_t count = plan->rendition_count;
    plan_add_device(plan, &both.plan);
    plan_add_device(plan, &both.plan);
    assert_int_equal(plan->rendition_count, count + 4);
    int hevc = plan_find(plan, "video-720p-gpu-hevc");
    assert_true(hevc >= 0);
    const struct plan_rendition *r = &plan->renditions[hevc];
    assert_string_equal(r->codecs, "hvc1.1.6.L93.90");
    assert_int_equal(plan_coded(r), CODEC_HEVC);
    assert_true(plan_is_on_device(r));
    assert_int_equal(plan_coded(&plan->renditions[count]), CODEC_H264);
    assert_int_equal(r->bitrate / 2, plan->renditions[VIDEO_720P].bitrate / 3);
    assert_true(r->bandwidth < plan->renditions[VIDEO_720P].bandwidth);
    assert_int_equal(plan_hevc_twin(plan, VIDEO_720P), hevc);
    assert_int_equal(plan_hevc_twin(plan, (uint32_t) plan_find(plan, "video-720p-gpu")), hevc);
    assert_int_equal(plan_hevc_twin(plan, (uint32_t) hevc), -1);
    plan_write(plan, &bytes, &size);
    assert_int_equal(plan_read(bytes, size, &again, &why), OK);
    plan_drop_device(again);
    assert_int_equal(again->rendition_count, count);
}

static void a_device_says_nothing_else_of_hevc(void **state)
{
    (void) state;
    static const char *const lies[] = {"",
                                       "hvc1",
                                       "hvc1.1.6.H93.90",
                                       "hvc1.1.6.L.90",
                                       "avc1.640028",
                                       "hvc1.1.6.L93\"",
                                       "hvc1.1.6.L93\n#EXT"};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        CLEANUP(plan_free) struct plan *plan = fixture_ladder_plan();
        struct plan_device lying = device.plan;
        snprintf(lying.hevc, sizeof lying.hevc, "%s", lies[i]);
        assert_false(plan_is_hevc_codecs(lies[i]));
        plan_add_device(plan, &lying);
        assert_int_equal(plan_find(plan, "video-720p-gpu-hevc"), -1);
        assert_true(plan_find(plan, "video-720p-gpu") >= 0);
    }
}

/* ITU-T H.265 tables A.8 and A.9. */
static void levels_of_hevc_follow_from_size_and_rate(void **state)
{
    (void) state;
    assert_int_equal(plan_hevc_level(640, 360, 24, 1, 500000), 63);
    assert_int_equal(plan_hevc_level(1280, 720, 25, 1, 2000000), 93);
    assert_int_equal(plan_hevc_level(1280, 720, 50, 1, 3000000), 120);
    assert_int_equal(plan_hevc_level(1920, 1080, 24000, 1001, 4000000), 120);
    assert_int_equal(plan_hevc_level(1920, 1080, 60, 1, 4000000), 123);
    assert_int_equal(plan_hevc_level(1920, 1080, 24, 1, 15000000), 123);
    assert_int_equal(plan_hevc_level(3840, 2160, 24, 1, 12000000), 150);
    assert_int_equal(plan_hevc_level(3840, 2160, 60, 1, 12000000), 153);
    assert_int_equal(plan_hevc_level(3000, 100, 24, 1, 500000), 120); /* too wide for less */
    assert_int_equal(plan_hevc_level(16000, 9000, 60, 1, 1), 186);
}

/* A quarter faster than it plays: 1280x720 at 25 frames are 23 million samples a second. */
static void what_is_too_much_for_a_device_is_not_its(void **state)
{
    (void) state;
    CLEANUP(plan_free) struct plan *plan = fixture_ladder_plan();
    const struct plan_device slow = {.speed = 28000000}, slower = {.speed = 5000000};
    plan_add_device(plan, &slower);
    assert_int_equal(plan_find(plan, "video-360p-gpu"), -1);
    plan_add_device(plan, &slow);
    assert_int_equal(plan_find(plan, "video-720p-gpu"), -1);
    assert_true(plan_find(plan, "video-360p-gpu") >= 0);
}

static struct film *film_with(const struct film_device *with)
{
    struct plan *plan = fixture_ladder_plan();
    struct film *film = fixture_film(&plan, "x264-1");
    if (with != NULL)
        film_add_device(film, with);
    return film;
}

/* The same film's file. */
static struct film *again_with(const struct film *film, const struct film_device *with)
{
    struct plan *plan = fixture_ladder_plan();
    struct source *source = source_ref(film->source);
    uint8_t *bytes = NULL;
    size_t size = 0;
    plan_write(plan, &bytes, &size);
    struct film *again = film_new("film", &source, &plan, &bytes, size, "x264-1");
    film_add_device(again, with);
    return again;
}

static void its_renditions_have_versions_of_their_own(void **state)
{
    (void) state;
    struct film_device other = device, faster = device;
    other.plan.headers++;
    faster.plan.speed *= 2;
    struct film *without = film_with(NULL), *with = again_with(without, &device);
    struct film *another = again_with(without, &other), *measured = again_with(without, &faster);
    for (uint32_t i = 0; i < without->plan->rendition_count; i++)
        assert_string_equal(with->versions[i], without->versions[i]);
    assert_string_not_equal(with->versions[DEVICE_720P], with->versions[VIDEO_720P]);
    assert_string_not_equal(with->versions[DEVICE_720P], with->versions[DEVICE_360P]);
    assert_string_not_equal(with->versions[DEVICE_720P], another->versions[DEVICE_720P]);
    assert_string_equal(with->versions[DEVICE_720P], measured->versions[DEVICE_720P]);
    /* It fails: they are versions of nothing. */
    const struct slice v = slice_of(with->versions[DEVICE_720P]);
    assert_true(film_is_version(with, DEVICE_720P, v));
    atomic_store(&with->is_device_off, true);
    assert_false(film_is_version(with, DEVICE_720P, v));
    assert_false(film_is_version(with, DEVICE_720P, (struct slice){0}));
    assert_true(film_is_version(with, VIDEO_720P, slice_of(with->versions[VIDEO_720P])));
    film_unref(&without);
    film_unref(&with);
    film_unref(&another);
    film_unref(&measured);
}

/* The names of all variants of pictures, with blanks between. */
static void variants_for(struct film *film, const struct playlist_client *client, struct str *out)
{
    CLEANUP(str_fini) struct str text = {0};
    str_clear(out);
    assert_true(playlist_master(film, client, &text));
    for (const char *at = str_text(&text); (at = strstr(at, "\nvideo-")) != NULL;) {
        size_t length = strcspn(++at, "/");
        str_append(out, at, length);
        str_putc(out, ' ');
    }
}

static void variants_of(struct film *film, bool is_native, struct str *out)
{
    const struct playlist_client client = {
        .is_native = is_native, .caps = CAP_H264 | CAP_AAC, .playback = ""};
    variants_for(film, &client, out);
}

/* A media process could write anything into a plan. */
static void who_claims_a_device_has_none(void **state)
{
    (void) state;
    struct plan *plan = fixture_ladder_plan();
    plan_add_device(plan, &device.plan);
    struct film *film = fixture_film(&plan, "x264-1");
    assert_false(film_has_device(film));
    assert_false(film_is_version(film, DEVICE_720P, slice_of(film->versions[DEVICE_720P])));
    CLEANUP(str_fini) struct str names = {0};
    variants_of(film, false, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p video-360p ");
    film_unref(&film);
}

/* --- playlists --- */

static void it_is_offered_in_place_of_x264(void **state)
{
    (void) state;
    struct film *film = film_with(&device);
    CLEANUP(str_fini) struct str names = {0};
    variants_of(film, false, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p-gpu video-360p-gpu ");
    variants_of(film, true, &names);
    assert_string_equal(str_text(&names),
                        "video-copy video-720p-gpu video-360p-gpu video-720p video-360p ");
    atomic_store(&film->is_device_off, true);
    variants_of(film, false, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p video-360p ");
    variants_of(film, true, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p video-360p ");
    film_unref(&film);
}

static void hevc_is_for_who_plays_it(void **state)
{
    (void) state;
    struct film *film = film_with(&both);
    struct playlist_client client = {.caps = CAP_H264 | CAP_AAC, .playback = ""};
    CLEANUP(str_fini) struct str names = {0};
    variants_for(film, &client, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p-gpu video-360p-gpu ");
    client.caps |= CAP_HEVC;
    variants_for(film, &client, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p-gpu-hevc video-360p-gpu-hevc ");
    client.levels[CAP_BIT_HEVC] = 90; /* less than 720p of it */
    variants_for(film, &client, &names);
    assert_string_equal(str_text(&names), "video-copy video-360p-gpu-hevc video-720p-gpu ");
    client.levels[CAP_BIT_HEVC] = 0;
    client.is_native = true;
    variants_for(film, &client, &names);
    assert_string_equal(str_text(&names),
                        "video-copy video-720p-gpu-hevc video-360p-gpu-hevc video-720p-gpu "
                        "video-360p-gpu video-720p video-360p ");
    atomic_store(&film->is_device_off, true);
    variants_for(film, &client, &names);
    assert_string_equal(str_text(&names), "video-copy video-720p video-360p ");
    film_unref(&film);
}

/* --- promises --- */

static void a_device_costs_little(void **state)
{
    (void) state;
    struct film *film = film_with(&device);
    const struct plan *plan = film->plan;
    double x264 = admission_encode_units(plan, VIDEO_720P);
    assert_true(admission_encode_units(plan, DEVICE_720P) < x264 / 5);
    /* One core, of which x264 would take two, and the decoder a little. */
    struct admission *admission = admission_new(1);
    struct admission_offer offer;
    struct admission_viewer who = {
        .playback = "p", .film = "film", .plan = plan, .position_ms = -1};
    admission_measured(admission, NULL, x264, 2);
    admission_offer(admission, &who, 0, &offer);
    assert_int_equal(offer.most_pixels, 1280 * 720);
    /* It fails: what was promised was promised of it. */
    who.is_device_off = true;
    admission_offer(admission, &who, 1, &offer);
    assert_int_equal(offer.most_pixels, 640 * 360);
    admission_free(&admission);
    film_unref(&film);
}

/* --- rooms --- */

static unsigned devices(struct stage *stage)
{
    stage_settle(stage);
    return stage->host->devices;
}

static void a_segment_is_made_on_the_device(void **state)
{
    struct stage *stage = *state;
    struct asked init, first, plain;
    stage_ask(stage, &init, ASK_SEGMENT, "a", "video-720p-gpu", ASK_INIT, "p");
    assert_int_equal(stage_answer(&init, 1), OK);
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-720p-gpu", 1, "p");
    assert_int_equal(stage_answer(&first, 1), OK);
    uint32_t count = plan_segment_count(init.film->plan, DEVICE_720P);
    assert_true(stage_has_job(stage, DEVICE_720P, count));
    stage_act(stage, ACT_PART, DEVICE_720P, count);
    stage_act(stage, ACT_DONE, DEVICE_720P, count);
    stage_until(&init, SEGMENT_DONE);
    stage_act(stage, ACT_PART, DEVICE_720P, 1);
    stage_act(stage, ACT_DONE, DEVICE_720P, 1);
    stage_until(&first, SEGMENT_DONE);
    assert_int_equal(devices(stage), 1); /* one for both */
    /* Nothing else has such an init segment, or needs the device. */
    stage_ask(stage, &plain, ASK_SEGMENT, "a", "video-720p", ASK_INIT, "");
    assert_int_equal(stage_answer(&plain, 1), ERR_NOT_FOUND);
    stage_close(&init);
    stage_close(&first);
    stage_close(&plain);
}

static void one_failure_is_one_new_session(void **state)
{
    struct stage *stage = *state;
    struct asked asked, again;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p-gpu", 1, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_act(stage, ACT_REFUSED, DEVICE_720P, 1);
    stage_until(&asked, SEGMENT_FAILED);
    struct segment_view view;
    segment_look(asked.segment, &view);
    assert_int_equal(view.kind, ERR_AGAIN); /* who was sent nothing asks again */
    assert_int_equal(devices(stage), 2);
    assert_int_equal(stage->host->devices_ended, 1);
    stage_ask(stage, &again, ASK_SEGMENT, "a", "video-720p-gpu", 1, "");
    assert_int_equal(stage_answer(&again, 1), OK);
    stage_act(stage, ACT_PART, DEVICE_720P, 1);
    stage_act(stage, ACT_DONE, DEVICE_720P, 1);
    stage_until(&again, SEGMENT_DONE);
    assert_false(atomic_load(&again.film->is_device_off));
    stage_close(&asked);
    stage_close(&again);
}

/* Two segments at once, which one session failed. */
static void what_one_session_fails_is_one_failure(void **state)
{
    struct stage *stage = *state;
    struct asked one, two;
    stage_ask(stage, &one, ASK_SEGMENT, "a", "video-720p-gpu", 1, "p");
    stage_ask(stage, &two, ASK_SEGMENT, "a", "video-360p-gpu", 3, "q");
    assert_int_equal(stage_answer(&one, 1), OK);
    assert_int_equal(stage_answer(&two, 1), OK);
    assert_true(stage_has_job(stage, DEVICE_360P, 3));
    stage_act(stage, ACT_REFUSED, DEVICE_720P, 1);
    stage_act(stage, ACT_REFUSED, DEVICE_360P, 3);
    stage_until(&one, SEGMENT_FAILED);
    stage_until(&two, SEGMENT_FAILED);
    assert_false(atomic_load(&one.film->is_device_off));
    stage_close(&one);
    stage_close(&two);
}

static void fail_twice(struct stage *stage, const char *file, struct film **film)
{
    struct asked asked;
    stage_ask(stage, &asked, ASK_SEGMENT, file, "video-720p-gpu", 1, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_act(stage, ACT_REFUSED, DEVICE_720P, 1);
    stage_until(&asked, SEGMENT_FAILED);
    stage_close(&asked);
    stage_ask(stage, &asked, ASK_SEGMENT, file, "video-720p-gpu", 1, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_act(stage, ACT_REFUSED, DEVICE_720P, 1);
    stage_until(&asked, SEGMENT_FAILED);
    struct segment_view view;
    segment_look(asked.segment, &view);
    assert_int_equal(view.kind, ERR_GONE);
    *film = film_ref(asked.film);
    stage_close(&asked);
}

static void the_next_failure_is_the_last(void **state)
{
    struct stage *stage = *state;
    struct asked late, plain, other;
    struct film_device found;
    struct film *film = NULL;
    fail_twice(stage, "a", &film);
    assert_true(atomic_load(&film->is_device_off));
    assert_false(hardware_for(stage->hls->hardware, "a", &found));
    stage_ask(stage, &late, ASK_SEGMENT, "a", "video-720p-gpu", 2, "");
    assert_int_equal(stage_answer(&late, 1), ERR_GONE);
    assert_string_equal(late.why.field, "v");
    /* x264 goes on, and so does the device elsewhere. */
    stage_ask(stage, &plain, ASK_SEGMENT, "a", "video-720p", 2, "");
    assert_int_equal(stage_answer(&plain, 1), OK);
    assert_true(stage_has_job(stage, VIDEO_720P, 2));
    assert_true(hardware_for(stage->hls->hardware, "b", &found));
    stage_ask(stage, &other, ASK_SEGMENT, "b", "video-720p-gpu", 1, "");
    assert_int_equal(stage_answer(&other, 1), OK);
    stage_close(&late);
    stage_close(&plain);
    stage_close(&other);
    film_unref(&film);
}

/* What a device sends may kill the film's own process, twice: the film is good without it. */
static void deaths_are_failures_too(void **state)
{
    struct stage *stage = *state;
    struct asked one, two;
    for (int i = 0; i < 2; i++) {
        stage_ask(stage, &one, ASK_SEGMENT, "a", "video-720p-gpu", 1, "p");
        stage_ask(stage, &two, ASK_SEGMENT, "a", "video-360p-gpu", 1, "q");
        assert_int_equal(stage_answer(&one, 1), OK);
        assert_int_equal(stage_answer(&two, 1), OK);
        assert_true(stage_has_job(stage, DEVICE_720P, 1));
        stage_act(stage, ACT_DIE, DEVICE_720P, 1);
        stage_until(&one, SEGMENT_FAILED);
        stage_until(&two, SEGMENT_FAILED);
        if (i == 0) {
            stage_close(&one);
            stage_close(&two);
        }
    }
    assert_true(atomic_load(&one.film->is_device_off));
    struct segment_view view;
    segment_look(one.segment, &view);
    assert_int_equal(view.kind, ERR_GONE);
    stage_close(&one);
    stage_close(&two);
    stage_ask(stage, &one, ASK_SEGMENT, "a", "video-720p", 1, "p");
    assert_int_equal(stage_answer(&one, 1), OK);
    assert_true(stage_has_job(stage, VIDEO_720P, 1));
    stage_close(&one);
}

static void a_device_that_fails_film_after_film_is_off(void **state)
{
    struct stage *stage = *state;
    struct hardware *hardware = stage->hls->hardware;
    struct film_device found;
    CLEANUP(str_fini) struct str words = {0};
    hardware_give_up(hardware, "a");
    hardware_give_up(hardware, "b");
    hardware_worked(hardware);
    hardware_give_up(hardware, "c");
    hardware_give_up(hardware, "d");
    assert_true(hardware_for(hardware, "x", &found));
    assert_false(hardware_for(hardware, "c", &found));
    hardware_give_up(hardware, "e");
    assert_false(hardware_for(hardware, "x", &found));
    hls_hardware(stage->hls, &words);
    assert_string_equal(str_text(&words), "fake failed 3 films, one after the other");
}

/* The zygote may be dead in the moment when a device is to be tried. */
static void a_device_waits_for_who_tries_it(void **state)
{
    struct stage *stage = *state;
    struct film_device found;
    for (int i = 0; i < 1000 && !hardware_for(stage->hls->hardware, "x", &found); i++)
        usleep(5000);
    assert_true(hardware_for(stage->hls->hardware, "x", &found));
}

/* What the copy turns out to be makes a new plan, which is stored: without the device. */
static void no_plan_with_a_device_is_stored(void **state)
{
    struct stage *stage = *state;
    struct asked asked, after;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-copy", 1, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_act(stage, ACT_BAD, VIDEO_COPY, 1);
    stage_until(&asked, SEGMENT_FAILED);
    stage_ask(stage, &after, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&after, 1), OK);
    assert_true(plan_find(after.film->plan, "video-copy") < 0);
    assert_true(plan_find(after.film->plan, "video-720p-gpu") >= 0);
    stage_settle(stage);
    struct plan *stored = NULL;
    struct why why = {0};
    for (int i = 0; i < 200 && stored == NULL; i++) {
        usleep(5000);
        pthread_mutex_lock(&stage->lock);
        enum err kind = plan_read(stage->plans[0], stage->plan_sizes[0], &stored, &why);
        pthread_mutex_unlock(&stage->lock);
        assert_int_equal(kind, OK);
        if (plan_find(stored, "video-copy") >= 0)
            plan_free(&stored);
    }
    assert_non_null(stored);
    assert_true(plan_find(stored, "video-720p-gpu") < 0);
    plan_free(&stored);
    stage_close(&asked);
    stage_close(&after);
}

#define ROOM(name) cmocka_unit_test_setup_teardown(name, stage_set_up_device, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_takes_a_device_and_lets_go_of_it),
        cmocka_unit_test(a_device_may_make_hevc_too),
        cmocka_unit_test(a_device_says_nothing_else_of_hevc),
        cmocka_unit_test(levels_of_hevc_follow_from_size_and_rate),
        cmocka_unit_test(hevc_is_for_who_plays_it),
        cmocka_unit_test(what_is_too_much_for_a_device_is_not_its),
        cmocka_unit_test(its_renditions_have_versions_of_their_own),
        cmocka_unit_test(who_claims_a_device_has_none),
        cmocka_unit_test(it_is_offered_in_place_of_x264),
        cmocka_unit_test(a_device_costs_little),
        ROOM(a_segment_is_made_on_the_device),
        ROOM(one_failure_is_one_new_session),
        ROOM(what_one_session_fails_is_one_failure),
        ROOM(the_next_failure_is_the_last),
        ROOM(deaths_are_failures_too),
        ROOM(a_device_that_fails_film_after_film_is_off),
        ROOM(no_plan_with_a_device_is_stored),
        cmocka_unit_test_setup_teardown(a_device_waits_for_who_tries_it, stage_set_up_device_late,
                                        stage_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
