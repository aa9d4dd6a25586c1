/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intros with fake media processes: when episodes are listened to, what is kept of that, who is told. The
 * hub's clock is told to be later than it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hls/intros_keep.h"
#include "room_stage.h"

enum { LATER_MS = 10000, MUCH_LATER_MS = 100000, TUNE_ITEMS = 200 };

/* --- on the hub's loop --- */

enum act { TICK, WANT, BAD, DIE, LIE, DONE, END_ONE };

struct look {
    struct stage *stage;
    int64_t later_ms;
    enum act act;
    uint32_t tune_at; /* DONE: where the tune begins, in items */
    unsigned idle, fresh, opened;
    bool is_heard, has_ended;
};

/* Noise of its own, and from `tune_at` on the tune that all have. */
static void answer(struct fake_job *job, uint32_t tune_at)
{
    CLEANUP(str_fini) struct str bytes = {0};
    struct fingerprint film;
    fingerprint_place(400 * 1000, &film);
    film.first.count = 1000;
    film.first.items = mem_new_array(uint32_t, film.first.count);
    for (uint32_t i = 0; i < film.first.count; i++) {
        bool is_tune = i >= tune_at && i < tune_at + TUNE_ITEMS;
        uint32_t word = is_tune ? i - tune_at + 1 : (i + 7) * 977 + tune_at * 131071;
        word *= 0x9E3779B1U;
        film.first.items[i] = (word ^ word >> 15) * 0x85EBCA77U;
    }
    fingerprint_write(&film, &bytes);
    fingerprint_fini(&film);
    fake_plan(job, (const uint8_t *) bytes.at, bytes.length);
}

static void on_hub(void *arg)
{
    struct look *look = arg;
    struct media_host *host = look->stage->host;
    struct fake_job *job = fake_find_fingerprint(host);
    if (look->act == TICK)
        intros_tick(look->stage->hls, clock_mono_ms() + look->later_ms);
    else if (look->act == WANT)
        intros_want(look->stage->hls, "a");
    else if (look->act == END_ONE)
        look->has_ended = intros_end_one(look->stage->hls);
    else if (look->act == BAD)
        fake_fail(job, ERR_BAD_MEDIA, "its sound cannot be decoded");
    else if (look->act == DIE)
        fake_die(job->media, "was killed by signal 11 (SEGV)");
    else if (look->act == LIE)
        fake_plan(job, (const uint8_t *) "no fingerprint", 14);
    else if (look->act == DONE)
        answer(job, look->tune_at);
    look->idle = host->idle;
    look->fresh = host->fresh;
    look->opened = host->opened;
    look->is_heard = fake_find_fingerprint(host) != NULL;
}

static struct look act(struct stage *stage, enum act act, int64_t later_ms)
{
    struct look look = {.stage = stage, .act = act, .later_ms = later_ms};

    loop_call(stage->hls->loop, on_hub, &look);
    return look;
}

static void finish(struct stage *stage, uint32_t tune_at)
{
    struct look look = {.stage = stage, .act = DONE, .tune_at = tune_at};
    loop_call(stage->hls->loop, on_hub, &look);
}

/* Ticks, each much later than the one before, until an episode is listened to. */
static struct look until_heard(struct stage *stage)
{
    struct look look = {0};
    for (int i = 1; i < 5000; i++) {
        look = act(stage, TICK, (int64_t) i * MUCH_LATER_MS);
        if (look.is_heard)
            return look;
        usleep(1000);
    }
    fail_msg("nothing was listened to");
    return look;
}

/* As many ticks as more than suffice for that. */
static bool is_heard_ever(struct stage *stage)
{
    for (int i = 1; i < 60; i++) {
        if (act(stage, TICK, (int64_t) i * MUCH_LATER_MS).is_heard)
            return true;
        usleep(5000);
    }
    return false;
}

static unsigned marked(struct stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    unsigned count = stage->marked;
    pthread_mutex_unlock(&stage->lock);
    return count;
}

static void until_marked(struct stage *stage, unsigned count)
{
    for (int i = 1; i < 5000 && marked(stage) < count; i++) {
        act(stage, TICK, (int64_t) i * MUCH_LATER_MS);
        usleep(1000);
    }
    assert_int_equal(marked(stage), count);
}

/* What the API is told of a film: "intro 12-36 ", in whole seconds. */
static void expect(struct stage *stage, int film, const char *expected)
{
    CLEANUP(str_fini) struct str text = {0};
    const char *id = film == 0 ? "a" : "b";
    json_t *markers = hls_markers(stage->hls, id, &stage->identities[film]);
    size_t index;
    const json_t *marker;
    json_array_foreach(markers, index, marker)
    {
        str_printf(&text, "%s %.0f-%.0f ", json_string_value(json_object_get(marker, "kind")),
                   json_number_value(json_object_get(marker, "start")),
                   json_number_value(json_object_get(marker, "end")));
    }
    assert_string_equal(str_text(&text), expected);
    json_decref(markers);
}

/* --- stories --- */

static void a_season_is_listened_to_and_compared(void **state)
{
    struct stage *stage = *state;
    struct source_identity other = {.size = 1};
    assert_false(act(stage, TICK, 0).is_heard);
    struct look look = until_heard(stage);
    assert_int_equal(look.idle, 1);
    finish(stage, 100);
    until_heard(stage);
    assert_int_equal(marked(stage), 0);
    finish(stage, 300);
    until_marked(stage, 2);
    expect(stage, 0, "intro 13-38 ");
    expect(stage, 1, "intro 38-63 ");
    assert_int_equal(atomic_load(&stage->hls->counters.fingerprints), 2);
    json_t *markers = hls_markers(stage->hls, "a", &other);
    assert_int_equal(json_array_size(markers), 0); /* of other bytes */
    json_decref(markers);
    /* and not again */
    act(stage, WANT, 0);
    assert_false(is_heard_ever(stage));
    assert_int_equal(marked(stage), 2);
}

static void one_alone_is_not_listened_to(void **state)
{
    struct stage *stage = *state;
    pthread_mutex_lock(&stage->lock);
    stage->is_alone = true;
    pthread_mutex_unlock(&stage->lock);
    act(stage, WANT, 0);
    assert_false(is_heard_ever(stage));
    /* until there is another */
    pthread_mutex_lock(&stage->lock);
    stage->is_alone = false;
    pthread_mutex_unlock(&stage->lock);
    act(stage, WANT, 0);
    until_heard(stage);
}

static void what_cannot_be_heard_is_not_tried_again(void **state)
{
    struct stage *stage = *state;
    until_heard(stage);
    act(stage, BAD, 0);
    until_heard(stage);
    finish(stage, 300);
    assert_false(is_heard_ever(stage));
    act(stage, WANT, 0);
    assert_false(is_heard_ever(stage));
    assert_int_equal(marked(stage), 0);
    expect(stage, 1, "");
}

static void a_death_is_tried_once_more(void **state)
{
    struct stage *stage = *state;
    until_heard(stage);
    assert_int_equal(act(stage, DIE, 0).fresh, 0);
    assert_int_equal(until_heard(stage).fresh, 1);
    act(stage, DIE, 0);
    assert_int_equal(until_heard(stage).fresh, 1); /* the other one */
    finish(stage, 300);
    assert_false(is_heard_ever(stage));
    assert_int_equal(atomic_load(&stage->hls->counters.fingerprints), 2);
}

static void lies_are_not_kept(void **state)
{
    struct stage *stage = *state;
    until_heard(stage);
    act(stage, LIE, 0);
    until_heard(stage);
    finish(stage, 300);
    assert_false(is_heard_ever(stage));
    assert_int_equal(atomic_load(&stage->hls->counters.fingerprints), 1);
    /* another time it may be true */
    act(stage, WANT, 0);
    until_heard(stage);
    finish(stage, 100);
    until_marked(stage, 2);
}

static void it_gives_way(void **state)
{
    struct stage *stage = *state;
    assert_false(act(stage, END_ONE, 0).has_ended);
    unsigned opened = until_heard(stage).opened;
    struct look look = act(stage, END_ONE, 0);
    assert_true(look.has_ended);
    assert_false(look.is_heard);
    assert_false(act(stage, TICK, 0).is_heard);
    assert_int_equal(until_heard(stage).opened, opened + 1);
    finish(stage, 100);
    until_heard(stage);
    finish(stage, 300);
    until_marked(stage, 2);
}

static void a_film_without_a_plan_waits(void **state)
{
    struct stage *stage = *state;
    stage_without_plan(stage, 0);
    until_heard(stage);
    finish(stage, 300);
    assert_false(is_heard_ever(stage));
    stage_with_plan(stage, 0);
    act(stage, WANT, 0);
    until_heard(stage);
    finish(stage, 100);
    until_marked(stage, 2);
}

/* In the midst of it. */
static void it_can_be_stopped(void **state)
{
    struct stage *stage = *state;
    until_heard(stage);
    act(stage, WANT, 0);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, stage_set_up_intros, stage_tear_down)
    const struct CMUnitTest tests[] = {
        STORY(a_season_is_listened_to_and_compared),
        STORY(one_alone_is_not_listened_to),
        STORY(what_cannot_be_heard_is_not_tried_again),
        STORY(a_death_is_tried_once_more),
        STORY(lies_are_not_kept),
        STORY(it_gives_way),
        STORY(a_film_without_a_plan_waits),
        STORY(it_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
