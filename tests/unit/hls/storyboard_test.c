/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Storyboards with fake media processes: when they are made, what of them is kept, and as what text. The
 * hub's clock is told to be later than it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "room_stage.h"

enum { LATER_MS = 10000, MUCH_LATER_MS = 100000 };

/* --- on the hub's loop --- */

struct look {
    struct stage *stage;
    int64_t later_ms;
    enum { TICK, BAD, DIE, DONE, END_ONE } act;
    unsigned idle, fresh, opened;
    bool is_made, has_ended;
};

static void on_hub(void *arg)
{
    struct look *look = arg;
    struct media_host *host = look->stage->host;
    struct fake_job *job = fake_find_storyboard(host);
    if (look->act == TICK)
        storyboards_tick(look->stage->hls, clock_mono_ms() + look->later_ms);
    else if (look->act == END_ONE)
        look->has_ended = storyboards_end_one(look->stage->hls);
    else if (look->act == BAD)
        fake_fail(job, ERR_BAD_MEDIA, "no key frame of it could be decoded");
    else if (look->act == DIE)
        fake_die(job->media, "was killed by signal 11 (SEGV)");
    else if (look->act == DONE) {
        fake_sheet(job, 0, 25, "first sheet");
        fake_sheet(job, 125000, 3, "second sheet");
        fake_done(job);
    }
    look->idle = host->idle;
    look->fresh = host->fresh;
    look->opened = host->opened;
    look->is_made = fake_find_storyboard(host) != NULL;
}

static struct look act(struct stage *stage, int act, int64_t later_ms)
{
    struct look look = {.stage = stage, .later_ms = later_ms};
    look.act = act;
    loop_call(stage->hls->loop, on_hub, &look);
    return look;
}

static bool is_made_later(struct stage *stage, int64_t later_ms)
{
    return act(stage, TICK, later_ms).is_made;
}

/* Opens the film, and keeps it. */
static struct film *open_film(struct stage *stage, struct asked *asked, const char *name)
{
    stage_ask(stage, asked, ASK_FILM, name, NULL, 0, "");
    assert_int_equal(stage_answer(asked, 1), OK);
    return asked->film;
}

/* The text that is kept of a film, once it is; the caller's. */
static char *text_of(struct stage *stage, const struct film *film)
{
    struct cache_key key;
    struct segment *segment = NULL;
    struct segment_view view;
    size_t got = 0;
    storyboard_key(film, &key);
    for (int i = 0; i < 5000 && !cache_has(stage->hls->pictures, &key); i++)
        usleep(1000);
    assert_int_equal(cache_find(stage->hls->pictures, &key, &segment), OK);
    segment_look(segment, &view);
    char *text = mem_zalloc((size_t) view.bytes + 1);
    assert_int_equal(segment_read(segment, text, (size_t) view.bytes, 0, &got), OK);
    assert_int_equal(got, view.bytes);
    segment_unref(&segment);
    return text;
}

/* --- stories --- */

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        found++;
    return found;
}

static void it_is_made_when_all_is_quiet(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    const struct film *film = open_film(stage, &asked, "a");
    assert_false(is_made_later(stage, 0));
    struct look look = act(stage, TICK, LATER_MS);
    assert_true(look.is_made);
    assert_int_equal(look.idle, 1);
    act(stage, DONE, 0);
    CLEANUP(mem_free_at) char *text = text_of(stage, film);
    assert_int_equal(strncmp(text, "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nstoryboard/", 49), 0);
    assert_non_null(strstr(text, "00:02:00.000 --> 00:02:05.000\nstoryboard/"));
    assert_non_null(strstr(text, ".jpg#xywh=640,360,160,90\n"));
    assert_non_null(strstr(text, "00:02:10.000 --> 00:02:15.000\n"));
    assert_non_null(
        strstr(text, ".jpg#xywh=320,0,160,90\n")); /* up to the film's end: the fixture's */
    assert_int_equal(count(text, "-->"), 28);
    assert_true(storyboard_is_whole(stage->hls->pictures, "a", slice_of(text)));
    assert_false(storyboard_is_whole(stage->hls->pictures, "b", slice_of(text)));
    for (int i = 0; i < 5000 && atomic_load(&stage->hls->counters.storyboards) == 0; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&stage->hls->counters.storyboards), 1);
    /* and not again */
    struct asked again;
    open_film(stage, &again, "a");
    assert_false(is_made_later(stage, MUCH_LATER_MS));
    stage_close(&asked);
    stage_close(&again);
}

/* A picture is named after what is in it. */
static void sheets_are_found_by_their_hash(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    const struct film *film = open_film(stage, &asked, "a");
    act(stage, TICK, LATER_MS);
    act(stage, DONE, 0);
    CLEANUP(mem_free_at) char *text = text_of(stage, film);
    const char *name = strstr(text, "storyboard/") + strlen("storyboard/");
    struct cache_key key;
    struct segment *segment = NULL;
    char bytes[32] = "";
    size_t got = 0;
    storyboard_sheet_key("a", (struct slice){name, STORYBOARD_NAME_SIZE - 1}, &key);
    assert_int_equal(cache_find(stage->hls->pictures, &key, &segment), OK);
    assert_int_equal(segment_read(segment, bytes, sizeof bytes - 1, 0, &got), OK);
    assert_int_equal(strncmp(bytes, "first sheet", 11), 0);
    segment_unref(&segment);
    stage_close(&asked);
}

static void nobody_waits_for_it(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked waits;
    open_film(stage, &film, "a");
    stage_ask(stage, &waits, ASK_SEGMENT, "a", "video-720p", 0, "");
    assert_int_equal(stage_answer(&waits, 1), OK);
    assert_false(is_made_later(stage, MUCH_LATER_MS));
    stage_close(&waits);
    stage_settle(stage);
    assert_true(is_made_later(stage, MUCH_LATER_MS));
    stage_close(&film);
}

static void one_film_at_a_time(void **state)
{
    struct stage *stage = *state;
    struct asked a;
    struct asked b;
    const struct film *first = open_film(stage, &a, "a");
    const struct film *second = open_film(stage, &b, "b");
    assert_true(is_made_later(stage, LATER_MS));
    assert_int_equal(act(stage, TICK, LATER_MS).idle, 1);
    act(stage, DONE, 0);
    mem_free(text_of(stage, first));
    for (int i = 0; i < 5000 && !is_made_later(stage, LATER_MS); i++)
        usleep(1000);
    act(stage, DONE, 0);
    mem_free(text_of(stage, second));
    stage_close(&a);
    stage_close(&b);
}

/* Its process is the first to go where there are no more to be had, and it is begun anew. */
static void it_gives_way_to_viewers(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    const struct film *film = open_film(stage, &asked, "a");
    assert_false(act(stage, END_ONE, 0).has_ended);
    assert_true(is_made_later(stage, LATER_MS));
    struct look look = act(stage, END_ONE, 0);
    assert_true(look.has_ended);
    assert_false(look.is_made);
    assert_true(is_made_later(stage, LATER_MS));
    act(stage, DONE, 0);
    mem_free(text_of(stage, film));
    stage_close(&asked);
}

/* An empty one says that there is none to be had. */
static void what_has_none_is_not_tried_again(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    const struct film *film = open_film(stage, &asked, "a");
    assert_true(is_made_later(stage, LATER_MS));
    act(stage, BAD, 0);
    CLEANUP(mem_free_at) char *text = text_of(stage, film);
    assert_string_equal(text, "WEBVTT\n");
    struct asked again;
    open_film(stage, &again, "a");
    assert_false(is_made_later(stage, MUCH_LATER_MS));
    stage_close(&asked);
    stage_close(&again);
}

/* Decision 20, in its own measure: once more, by a process that is exec'ed. */
static void two_deaths_are_enough(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    const struct film *film = open_film(stage, &asked, "a");
    assert_true(is_made_later(stage, LATER_MS));
    assert_int_equal(act(stage, DIE, 0).fresh, 0);
    struct look look = act(stage, TICK, LATER_MS);
    assert_true(look.is_made);
    assert_int_equal(look.fresh, 1);
    act(stage, DIE, 0);
    CLEANUP(mem_free_at) char *text = text_of(stage, film);
    assert_string_equal(text, "WEBVTT\n");
    stage_close(&asked);
}

/* It would want bytes that nobody watches. */
static void a_download_has_none_before_it_is_there(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    stage_with_sparse(stage);
    open_film(stage, &asked, "a");
    assert_false(is_made_later(stage, MUCH_LATER_MS));
    stage_close(&asked);
}

/* What is under way when the server stops is let go. */
static void a_stop_ends_it(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    open_film(stage, &asked, "a");
    assert_true(is_made_later(stage, LATER_MS));
    stage_close(&asked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_set_up_storyboards, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_made_when_all_is_quiet),
        TEST(sheets_are_found_by_their_hash),
        TEST(nobody_waits_for_it),
        TEST(one_film_at_a_time),
        TEST(it_gives_way_to_viewers),
        TEST(what_has_none_is_not_tried_again),
        TEST(two_deaths_are_enough),
        TEST(a_download_has_none_before_it_is_there),
        TEST(a_stop_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
