/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rooms with fake media processes: joins, places, deaths, making ahead, plans, limits, the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "room_stage.h"

static void a_segment_is_made_once(void **state)
{
    struct stage *stage = *state;
    struct asked first;
    struct asked second;
    struct asked third;
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-copy", 1, "");
    stage_ask(stage, &second, ASK_SEGMENT, "a", "video-copy", 1, "p2");
    assert_int_equal(stage_answer(&first, 1), OK);
    assert_int_equal(stage_answer(&second, 1), OK);
    assert_ptr_equal(first.segment, second.segment);
    stage_act(stage, ACT_PART, VIDEO_COPY, 1);
    stage_act(stage, ACT_DONE, VIDEO_COPY, 1);
    stage_until(&first, SEGMENT_DONE);
    struct segment_view view;
    segment_look(second.segment, &view);
    assert_int_equal(view.bytes, 220);
    stage_ask(stage, &third, ASK_SEGMENT, "a", "video-copy", 1, "");
    assert_int_equal(stage_answer(&third, 1), OK);
    stage_until(&third, SEGMENT_DONE);
    assert_false(stage_has_job(stage, VIDEO_COPY, 1));
    segment_look(third.segment, &view);
    assert_int_equal(view.bytes, 220);
    assert_int_equal(view.tag[0], '"');
    stage_close(&first);
    stage_close(&second);
    stage_close(&third);
}

/* Asks for a transcode whose first page then stands in a pipe: it cannot be sealed until that is
 * closed, and each try takes the kernel 150 ms. */
static void ask_held(struct stage *stage, struct asked *asked, int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    stage_ask(stage, asked, ASK_SEGMENT, "a", "video-720p", 1, "");
    assert_int_equal(stage_answer(asked, 1), OK);
    stage_act(stage, ACT_PART, VIDEO_720P, 1);
    /* what is spliced are the file's own pages */
    off_t at = 0;
    ssize_t spliced = 0;
    for (int i = 0; i < 1000 && spliced <= 0; i++) {
        spliced = splice(segment_fd(asked->segment), &at, ends[1], NULL, 8, 0);
        if (spliced == 0)
            usleep(1000);
    }
    assert_true(spliced > 0);
    stage_act(stage, ACT_DONE, VIDEO_720P, 1);
}

static void let_go(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static enum segment_state state_of(const struct asked *asked)
{
    struct segment_view view;
    segment_look(asked->segment, &view);
    return view.state;
}

/* A page that somebody still holds is no fault of the film's: later it is made again. */
static void what_cannot_be_sealed_now_is_made_later(void **state)
{
    struct stage *stage = *state;
    struct asked held;
    struct asked again;
    int ends[2];
    ask_held(stage, &held, ends);
    stage_until(&held, SEGMENT_FAILED);
    let_go(ends);
    stage_ask(stage, &again, ASK_SEGMENT, "a", "video-720p", 1, "");
    assert_int_equal(stage_answer(&again, 1), OK);
    stage_act(stage, ACT_PART, VIDEO_720P, 1);
    stage_act(stage, ACT_DONE, VIDEO_720P, 1);
    stage_until(&again, SEGMENT_DONE);
    stage_close(&held);
    stage_close(&again);
}

/* All rooms share the hub: it goes on while the kernel waits for one file. */
static void sealing_holds_up_nobody(void **state)
{
    struct stage *stage = *state;
    struct asked held;
    struct asked other;
    struct asked joined;
    int ends[2];
    ask_held(stage, &held, ends);
    stage_ask(stage, &other, ASK_SEGMENT, "b", "video-copy", 1, "");
    assert_int_equal(stage_answer(&other, 1), OK);
    stage_act(stage, ACT_PART, VIDEO_COPY, 1);
    stage_act(stage, ACT_DONE, VIDEO_COPY, 1);
    stage_until(&other, SEGMENT_DONE);
    stage_ask(stage, &joined, ASK_SEGMENT, "a", "video-720p", 1, "");
    assert_int_equal(stage_answer(&joined, 1), OK);
    assert_ptr_equal(joined.segment, held.segment);
    assert_int_equal(state_of(&held), SEGMENT_MAKING);
    let_go(ends);
    stage_until(&held, SEGMENT_DONE);
    stage_close(&held);
    stage_close(&joined);
    stage_close(&other);
}

static void a_film_may_go_while_it_is_sealed(void **state)
{
    struct stage *stage = *state;
    struct asked held;
    int ends[2];
    ask_held(stage, &held, ends);
    assert_int_equal(state_of(&held), SEGMENT_MAKING);
    hls_forget(stage->hls, "a");
    stage_until(&held, SEGMENT_FAILED);
    let_go(ends);
    stage_close(&held);
}

static void what_does_not_exist_is_said(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *file, *rendition;
        uint32_t n;
    } wrong[] = {{"zzz", "video-copy", 0},
                 {"a", "video-4k", 0},
                 {"a", "video-copy", 4},
                 {"a", "", 0},
                 {"", "video-copy", 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct asked asked;
        stage_ask(stage, &asked, ASK_SEGMENT, wrong[i].file, wrong[i].rendition, wrong[i].n, "");
        assert_int_equal(stage_answer(&asked, 1), ERR_NOT_FOUND);
        assert_string_not_equal(asked.why.text, "");
        stage_close(&asked);
    }
    assert_int_equal(stage_running(stage), 0);
}

static void another_version_is_gone(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked right;
    struct asked wrong;
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&film, 1), OK);
    stage_ask_version(stage, &right, film.film->versions[VIDEO_COPY]);
    assert_int_equal(stage_answer(&right, 1), OK);
    stage_ask_version(stage, &wrong, film.film->versions[VIDEO_720P]);
    assert_int_equal(stage_answer(&wrong, 1), ERR_GONE);
    assert_string_equal(wrong.why.field, "v");
    stage_close(&film);
    stage_close(&right);
    stage_close(&wrong);
}

/* Decision 41. */
static void the_newest_hold_takes_the_place(void **state)
{
    struct stage *stage = *state;
    struct asked video;
    struct asked audio;
    struct asked other;
    struct asked newer;
    stage_ask(stage, &video, ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_ask(stage, &audio, ASK_SEGMENT, "a", "audio-1-aac", 0, "p");
    stage_ask(stage, &other, ASK_SEGMENT, "a", "video-720p", 0, "q");
    assert_int_equal(stage_answer(&other, 1), OK);
    stage_ask(stage, &newer, ASK_SEGMENT, "a", "video-720p", 4, "p");
    assert_int_equal(stage_answer(&newer, 1), OK);
    assert_int_equal(stage_answer(&video, 2), ERR_BUSY);
    stage_settle(stage);
    assert_int_equal(audio.answers, 1);
    assert_int_equal(other.answers, 1);
    stage_close(&video);
    stage_close(&audio);
    stage_close(&other);
    stage_close(&newer);
}

static void settle_now(void *ctx)
{
    ask_settle(((struct asked *) ctx)->ask);
}

static void what_is_being_sent_holds_no_place(void **state)
{
    struct stage *stage = *state;
    struct asked sent;
    struct asked newer;
    stage_ask(stage, &sent, ASK_SEGMENT, "a", "video-720p", 0, "p");
    assert_int_equal(stage_answer(&sent, 1), OK);
    loop_call(stage->loop, settle_now, &sent);
    stage_ask(stage, &newer, ASK_SEGMENT, "a", "video-720p", 1, "p");
    assert_int_equal(stage_answer(&newer, 1), OK);
    stage_settle(stage);
    assert_int_equal(sent.answers, 1);
    stage_close(&sent);
    stage_close(&newer);
}

/* Decision 20: the one in hand is tried again, alone; those that wait do not notice. */
static void a_death_costs_one_retry(void **state)
{
    struct stage *stage = *state;
    struct asked first;
    struct asked second;
    struct asked waiting;
    struct segment_view view;
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 0);
    stage_ask(stage, &second, ASK_SEGMENT, "a", "video-720p", 2, "q");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 2);
    stage_ask(stage, &waiting, ASK_SEGMENT, "a", "video-720p", 4, "r");
    assert_int_equal(stage_answer(&waiting, 1), OK);
    assert_false(stage_has_job(stage, VIDEO_720P, 4));
    stage_act(stage, ACT_DIE, VIDEO_720P, 0);
    stage_until(&first, SEGMENT_FAILED);
    segment_look(first.segment, &view);
    assert_int_equal(view.kind, ERR_AGAIN);
    segment_look(waiting.segment, &view);
    assert_int_equal(view.state, SEGMENT_MAKING);
    stage_act(stage, ACT_DONE, VIDEO_720P, 4);
    stage_until(&waiting, SEGMENT_DONE);
    stage_close(&first);
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-720p", 0, "p");
    assert_int_equal(stage_answer(&first, 1), OK);
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    stage_until(&first, SEGMENT_DONE);
    stage_close(&second);
    stage_ask(stage, &second, ASK_SEGMENT, "a", "video-720p", 2, "q");
    stage_act(stage, ACT_DONE, VIDEO_720P, 2);
    assert_int_equal(stage_answer(&second, 1), OK);
    stage_until(&second, SEGMENT_DONE);
    stage_close(&first);
    stage_close(&second);
    stage_close(&waiting);
}

static void two_deaths_mark_it_bad(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    struct asked other;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 3, "p");
    stage_act(stage, ACT_DIE, VIDEO_720P, 3);
    stage_act(stage, ACT_DIE, VIDEO_720P, 3);
    stage_close(&asked);
    for (int i = 0; i < 2; i++) {
        stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 3, "p");
        assert_int_equal(stage_answer(&asked, 1), ERR_BAD_MEDIA);
        assert_non_null(strstr(asked.why.text, "signal 11"));
        stage_close(&asked);
    }
    /* All else goes on, and what is made ahead steps over it. */
    stage_ask(stage, &other, ASK_SEGMENT, "a", "video-720p", 2, "p");
    stage_act(stage, ACT_DONE, VIDEO_720P, 2);
    stage_act(stage, ACT_DONE, VIDEO_720P, 4);
    assert_false(stage_has_job(stage, VIDEO_720P, 3));
    stage_close(&other);
}

/* Decision 12: other media never stand under the same URL; the film gets a plan without the copy. */
static void a_copy_that_lies_is_given_up(void **state)
{
    static const enum stage_act lies[] = {ACT_BAD, ACT_GONE};
    for (size_t i = 0; i < 2; i++) {
        struct stage *stage = *state;
        const char *file = i == 0 ? "a" : "b";
        struct asked asked;
        struct asked after;
        stage_ask(stage, &asked, ASK_SEGMENT, file, "video-copy", 2, "");
        assert_int_equal(stage_answer(&asked, 1), OK);
        char before[FILM_VERSION_SIZE];
        memcpy(before, asked.film->versions[AUDIO_AAC], sizeof before);
        stage_act(stage, lies[i], VIDEO_COPY, 2);
        stage_until(&asked, SEGMENT_FAILED);
        struct segment_view view;
        segment_look(asked.segment, &view);
        assert_int_equal(view.kind, ERR_GONE);
        stage_close(&asked);
        stage_ask(stage, &after, ASK_FILM, file, NULL, 0, "");
        assert_int_equal(stage_answer(&after, 1), OK);
        assert_int_equal(plan_find(after.film->plan, "video-copy"), -1);
        int aac = plan_find(after.film->plan, "audio-1-aac");
        assert_true(aac >= 0);
        assert_string_not_equal(after.film->versions[aac], before);
        assert_string_equal(after.film->plan->tracks[0].copy_refused,
                            i == 0 ? "the key is missing" : "the parameters changed");
        stage_close(&after);
    }
}

static void encoders_keep_ahead_and_give_way(void **state)
{
    struct stage *stage = *state;
    struct asked viewer;
    struct asked second;
    struct asked third;
    stage_ask(stage, &viewer, ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 1);
    assert_int_equal(stage_running(stage), 1); /* one at a time for a viewer */
    stage_ask(stage, &second, ASK_SEGMENT, "a", "video-720p", 5, "q");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 5);
    stage_ask(stage, &third, ASK_SEGMENT, "a", "video-720p", 4, "r");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 4);
    assert_false(stage_has_job(stage, VIDEO_720P, 1)); /* gave way */
    stage_act(stage, ACT_DONE, VIDEO_720P, 5);
    stage_act(stage, ACT_DONE, VIDEO_720P, 4);
    /* 6 s from segment 0 on: it begins at 0, the others at 1, 2 and 5. */
    stage_act(stage, ACT_DONE, VIDEO_720P, 1);
    stage_act(stage, ACT_DONE, VIDEO_720P, 2);
    stage_act(stage, ACT_DONE, VIDEO_720P, 3);
    stage_close(&viewer);
    stage_close(&second);
    stage_close(&third);
}

static void variants_of_one_segment_run_together(void **state)
{
    struct stage *stage = *state;
    struct asked busy[2];
    stage_ask(stage, &busy[0], ASK_SEGMENT, "a", "video-720p", 1, "p");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 1);
    stage_ask(stage, &busy[1], ASK_SEGMENT, "a", "audio-1-aac", 1, "p");
    stage_act(stage, ACT_NOTHING, AUDIO_AAC, 1); /* sound never waits behind pictures */
    stage_close(&busy[0]);
    stage_close(&busy[1]);
}

static void who_leaves_may_come_back(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 2, "p");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 2);
    stage_close(&asked);
    assert_true(stage_has_job(stage, VIDEO_720P, 2));
    stage_act(stage, ACT_DONE, VIDEO_720P, 2);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 2, "p");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_until(&asked, SEGMENT_DONE);
    stage_close(&asked);
}

static unsigned plans_kept(struct stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    unsigned kept = stage->kept;
    pthread_mutex_unlock(&stage->lock);
    return kept;
}

/* Leaves its answers to be looked at. */
static void close_only(void *ctx)
{
    ask_close(&((struct asked *) ctx)->ask);
}

static void wait_for_plans(struct stage *stage, unsigned count)
{
    for (int i = 0; i < 5000 && plans_kept(stage) < count; i++)
        usleep(1000);
    assert_int_equal(plans_kept(stage), count);
}

static void a_film_without_plan_is_planned_first(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked segment;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_ask(stage, &segment, ASK_SEGMENT, "a", "video-copy", 0, "");
    stage_plan(stage, ACT_DONE);
    assert_int_equal(stage_answer(&film, 1), OK);
    assert_int_equal(stage_answer(&segment, 1), OK);
    stage_act(stage, ACT_DONE, VIDEO_COPY, 0);
    stage_close(&film);
    stage_close(&segment);
    wait_for_plans(stage, 1);
}

/* Decision 11: who opened the film before it was read through keeps what it has; who opens it later
 * gets the better plan. */
static void who_holds_a_first_plan_keeps_it(void **state)
{
    struct stage *stage = *state;
    struct asked early, late, old, new;
    stage->lacks_index = true;
    stage_without_plan(stage, 0);
    stage_ask(stage, &early, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_DONE);
    assert_int_equal(stage_answer(&early, 1), OK);
    assert_int_equal(plan_find(early.film->plan, "video-copy"), -1);
    wait_for_plans(stage, 1);
    stage_with_plan(stage, 0);
    hls_plan_stored(stage->hls, "a");
    stage_ask(stage, &late, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&late, 1), OK);
    assert_int_equal(plan_find(late.film->plan, "video-copy"), VIDEO_COPY);
    stage_ask_held(stage, &old, early.film, 0, 3);
    stage_ask_held(stage, &new, late.film, VIDEO_720P, 3);
    stage_act(stage, ACT_DONE, 0, 3);
    assert_int_equal(stage_answer(&old, 1), OK);
    assert_ptr_equal(old.film, early.film);
    stage_act(stage, ACT_DONE, VIDEO_720P, 3);
    assert_int_equal(stage_answer(&new, 1), OK);
    assert_ptr_equal(new.film, late.film);
    struct asked again;
    hls_plan_stored(stage->hls, "a"); /* known already */
    stage_ask(stage, &again, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&again, 1), OK);
    assert_ptr_equal(again.film, late.film);
    assert_int_equal(atomic_load(&stage->hls->counters.rooms), 2);
    hls_forget(stage->hls, "a"); /* both */
    stage_settle(stage);
    assert_int_equal(atomic_load(&stage->hls->counters.rooms), 0);
    struct asked *all[] = {&early, &late, &old, &new, &again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stage_close(all[i]);
}

static void go_idle(void *ctx)
{
    struct stage *stage = ctx;
    room_tick(stage->hls, clock_mono_ms() + 1000 * 1000);
}

static unsigned rooms_after_idling(struct stage *stage)
{
    loop_call(stage->hls->loop, go_idle, stage);
    stage_settle(stage);
    return atomic_load(&stage->hls->counters.rooms);
}

/* Decision 2: a `v` whose plan is still stored is served: after a pause, and after a restart. */
static void a_first_plan_that_is_stored_is_served(void **state)
{
    struct stage *stage = *state;
    struct asked early, old, late, wrong;
    stage->lacks_index = true;
    stage_without_plan(stage, 0);
    stage_ask(stage, &early, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_DONE);
    assert_int_equal(stage_answer(&early, 1), OK);
    wait_for_plans(stage, 1);
    loop_call(stage->loop, close_only, &early);
    assert_int_equal(rooms_after_idling(stage), 0);
    stage_with_first(stage, early.film);
    stage_with_plan(stage, 0);
    stage_ask_held(stage, &old, early.film, 0, 3); /* opens the film */
    stage_act(stage, ACT_DONE, 0, 3);
    assert_int_equal(stage_answer(&old, 1), OK);
    assert_int_equal(plan_find(old.film->plan, "video-copy"), -1);
    stage_ask(stage, &late, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&late, 1), OK);
    assert_int_equal(plan_find(late.film->plan, "video-copy"), VIDEO_COPY);
    stage_ask_version(stage, &wrong, early.film->versions[1]);
    assert_int_equal(stage_answer(&wrong, 1), ERR_GONE);
    /* It stays while the other is in use, and goes with it. */
    loop_call(stage->loop, close_only, &old);
    assert_int_equal(rooms_after_idling(stage), 2);
    loop_call(stage->loop, close_only, &late);
    loop_call(stage->loop, close_only, &wrong);
    (void) rooms_after_idling(stage);
    assert_int_equal(rooms_after_idling(stage), 0);
    struct asked *all[] = {&early, &old, &late, &wrong};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stage_close(all[i]);
}

/* What turns out to be wrong with the plan before says nothing of the one that is stored. */
static void an_old_plan_changes_no_new_one(void **state)
{
    struct stage *stage = *state;
    struct asked holder, lie, late;
    stage_ask(stage, &holder, ASK_SEGMENT, "a", "video-copy", 0, "");
    stage_act(stage, ACT_JUDGE, VIDEO_COPY, 0);
    assert_int_equal(stage_answer(&holder, 1), OK);
    wait_for_plans(stage, 1);
    stage_ask_held(stage, &lie, holder.film, AUDIO_COPY, 2);
    assert_int_equal(stage_answer(&lie, 1), OK);
    stage_act(stage, ACT_BAD, AUDIO_COPY, 2);
    stage_until(&lie, SEGMENT_FAILED);
    stage_ask(stage, &late, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&late, 1), OK);
    assert_true(plan_find(late.film->plan, "audio-1-copy") >= 0);
    assert_int_equal(atomic_load(&stage->hls->counters.rooms), 1);
    assert_int_equal(plans_kept(stage), 1);
    stage_close(&holder);
    stage_close(&lie);
    stage_close(&late);
}

/* It comes while another is still being made. */
static void a_better_plan_meets_the_first_one(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    stage->lacks_index = true;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_NOTHING);
    stage_with_plan(stage, 0);
    hls_plan_stored(stage->hls, "a");
    stage_plan(stage, ACT_DONE);
    assert_int_equal(stage_answer(&film, 1), OK);
    assert_int_equal(plan_find(film.film->plan, "video-copy"), VIDEO_COPY);
    assert_int_equal(plans_kept(stage), 0);
    stage_close(&film);
}

/* And the first cannot be made at all. */
static void a_better_plan_heals_a_failure(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_NOTHING);
    stage_with_plan(stage, 0);
    hls_plan_stored(stage->hls, "a");
    stage_plan(stage, ACT_BAD);
    assert_int_equal(stage_answer(&film, 1), OK);
    stage_close(&film);
}

/* A film that does not say how long it is has to be read through even for the first plan. */
static void who_waits_hears_how_far_a_plan_is(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_PART);
    stage_settle(stage);
    pthread_mutex_lock(&stage->lock);
    assert_int_equal(stage->progress, 1); /* signs of life are no progress */
    assert_true(stage->fraction > 0.24 && stage->fraction < 0.26);
    pthread_mutex_unlock(&stage->lock);
    stage_plan(stage, ACT_DONE);
    assert_int_equal(stage_answer(&film, 1), OK);
    stage_close(&film);
}

/* Decision 12: a boundary that is no IDR is served as announced; who opens the film later finds no
 * copy. */
static void a_verdict_is_for_the_next_plan(void **state)
{
    struct stage *stage = *state;
    struct asked holder, next, later;
    stage_ask(stage, &holder, ASK_SEGMENT, "a", "video-copy", 0, "p");
    stage_act(stage, ACT_JUDGE, VIDEO_COPY, 0);
    assert_int_equal(stage_answer(&holder, 1), OK);
    stage_until(&holder, SEGMENT_DONE);
    stage_ask_held(stage, &next, holder.film, VIDEO_COPY, 1);
    stage_act(stage, ACT_JUDGE, VIDEO_COPY, 1);
    assert_int_equal(stage_answer(&next, 1), OK);
    stage_until(&next, SEGMENT_DONE);
    assert_ptr_equal(next.film, holder.film);
    stage_ask(stage, &later, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&later, 1), OK);
    assert_int_equal(plan_find(later.film->plan, "video-copy"), -1);
    assert_int_equal(atomic_load(&stage->hls->counters.rooms), 2); /* told twice, done once */
    stage_close(&holder);
    stage_close(&next);
    stage_close(&later);
    wait_for_plans(stage, 1);
    struct plan *plan = NULL;
    pthread_mutex_lock(&stage->lock);
    assert_int_equal(plan_read(stage->plans[0], stage->plan_sizes[0], &plan, NULL), OK);
    pthread_mutex_unlock(&stage->lock);
    assert_int_equal(plan_find(plan, "video-copy"), -1);
    assert_true(plan_find(plan, "video-720p") >= 0);
    assert_string_equal(plan->tracks[0].copy_refused, "the key is none to start from");
    plan_free(&plan);
}

static void a_plan_that_kills_twice_is_bad_media(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_DIE);
    stage_plan(stage, ACT_DIE);
    assert_int_equal(stage_answer(&film, 1), ERR_BAD_MEDIA);
    assert_non_null(strstr(film.why.text, "signal 11"));
    assert_int_equal(stage->host->fresh, 1);
    stage_close(&film);
}

static void a_plan_that_fails_says_why(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    stage_without_plan(stage, 0);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_BAD);
    assert_int_equal(stage_answer(&film, 1), ERR_BAD_MEDIA);
    assert_string_equal(film.why.text, "the key is missing");
    stage_close(&film);
}

/* Decision 4. */
static void a_look_starts_nothing(void **state)
{
    struct stage *stage = *state;
    struct asked look;
    stage_ask(stage, &look, ASK_PEEK, "a", "video-copy", 0, "");
    assert_int_equal(stage_answer(&look, 1), OK);
    assert_null(look.segment);
    assert_int_equal(stage_running(stage), 0);
    stage_close(&look);
    stage_without_plan(stage, 1);
    stage_ask(stage, &look, ASK_PEEK, "b", "video-copy", 0, "");
    assert_int_equal(stage_answer(&look, 1), ERR_BUSY);
    assert_int_equal(stage->host->opened, 0);
    stage_close(&look);
}

static void idle_processes_make_room(void **state)
{
    struct stage *stage = *state;
    struct asked a;
    struct asked b;
    stage->host->limit = 1;
    stage_ask(stage, &a, ASK_SEGMENT, "a", "audio-1-copy", 0, "");
    stage_act(stage, ACT_NOTHING, AUDIO_COPY, 0);
    stage_ask(stage, &b, ASK_SEGMENT, "b", "video-720p", 0, "");
    assert_int_equal(stage_answer(&b, 1), OK);
    stage_until(&b, SEGMENT_FAILED);
    struct segment_view view;
    segment_look(b.segment, &view);
    assert_int_equal(view.kind, ERR_BUSY);
    stage_close(&b);
    stage_act(stage, ACT_DONE, AUDIO_COPY, 0);
    stage_act(stage, ACT_DONE, AUDIO_COPY, 1); /* ahead */
    stage_ask(stage, &b, ASK_SEGMENT, "b", "video-720p", 0, "");
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    assert_int_equal(stage->host->opened, 2);
    stage_close(&a);
    stage_close(&b);
}

static void transcodes_outlive_their_room(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    char tag[SEGMENT_TAG_SIZE];
    struct segment_view view;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 5, "");
    stage_act(stage, ACT_DONE, VIDEO_720P, 5);
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_until(&asked, SEGMENT_DONE);
    segment_look(asked.segment, &view);
    memcpy(tag, view.tag, sizeof tag);
    stage_close(&asked);
    for (int i = 0; i < 5000 && cache_bytes(stage->hls->cache) == 0; i++)
        usleep(1000);
    hls_forget(stage->hls, "a");
    stage_settle(stage);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 5, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_until(&asked, SEGMENT_DONE);
    segment_look(asked.segment, &view);
    assert_string_equal(view.tag, tag);
    assert_int_equal(atomic_load(&stage->hls->counters.cache_hits), 1);
    stage_close(&asked);
}

static void a_file_that_changes_ends_its_room(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    stage_ask(stage, &asked, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_close(&asked);
    assert_int_equal(truncate(stage->films[0], 50000), 0);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-copy", 0, "");
    assert_int_equal(stage_answer(&asked, 1), ERR_GONE);
    stage_close(&asked);
    /* The stored plan is not the new file's. */
    stage_ask(stage, &asked, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_BAD);
    assert_int_equal(stage_answer(&asked, 1), ERR_BAD_MEDIA);
    stage_close(&asked);
}

static void forgetting_tells_those_who_wait(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 0, "");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 0);
    assert_int_equal(stage_answer(&asked, 1), OK);
    hls_forget(stage->hls, "a");
    stage_until(&asked, SEGMENT_FAILED);
    struct segment_view view;
    segment_look(asked.segment, &view);
    assert_int_equal(view.kind, ERR_GONE);
    stage_close(&asked);
    assert_int_equal(stage_running(stage), 0);
}

static void warmth_starts_before_the_ask(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    hls_warm(stage->hls, "a", 11000, false);
    stage_act(stage, ACT_DONE, VIDEO_COPY, 2);
    stage_act(stage, ACT_NOTHING, AUDIO_COPY, 4);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-copy", 2, "p");
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_until(&asked, SEGMENT_DONE);
    stage_close(&asked);
}

struct probed {
    sem_t done;
    enum err kind;
    struct why why;
    bool has_plan;
    bool wants_scan;
    char refused[200]; /* the copy */
    unsigned told;     /* how often of its progress */
    double fraction;
};

static void on_progress(void *ctx, double fraction)
{
    struct probed *probed = ctx;
    probed->told++;
    probed->fraction = fraction;
}

static void on_probed(void *ctx, enum err kind, const struct why *why,
                      const struct source_identity *identity, const struct plan *plan,
                      const uint8_t *bytes, size_t size)
{
    struct probed *probed = ctx;
    probed->kind = kind;
    probed->why = *why;
    probed->has_plan = plan != NULL && bytes != NULL && size > 0 && identity->size == 100000;
    probed->wants_scan = plan != NULL && plan->wants_scan;
    if (plan != NULL)
        memcpy(probed->refused, plan->tracks[0].copy_refused, sizeof probed->refused);
    sem_post(&probed->done);
}

static void probe(struct stage *stage, struct probed *probed, const char *path)
{
    const struct hls_probe_job job = {.path = path,
                                      .scan = true,
                                      .done = on_probed,
                                      .progress = on_progress,
                                      .ctx = probed,
                                      .mailbox = loop_mailbox(stage->loop)};
    hls_probe(stage->hls, &job);
}

static void probes_make_plans(void **state)
{
    struct stage *stage = *state;
    struct probed probed = {0};
    sem_init(&probed.done, 0, 0);
    stage->lacks_index = true;
    probe(stage, &probed, stage->films[0]);
    stage_plan(stage, ACT_PART);
    stage_plan(stage, ACT_DONE);
    while (sem_wait(&probed.done) != 0)
        ;
    assert_int_equal(probed.kind, OK);
    assert_true(probed.has_plan);
    assert_int_equal(probed.told, 1); /* signs of life are no progress */
    assert_true(probed.fraction > 0.24 && probed.fraction < 0.26);
    probe(stage, &probed, "/nowhere");
    while (sem_wait(&probed.done) != 0)
        ;
    assert_int_equal(probed.kind, ERR_NOT_FOUND);
    assert_false(probed.has_plan);
    /* One that is under way when all stops is told so. */
    probe(stage, &probed, stage->films[1]);
    stage_plan(stage, ACT_NOTHING);
    hls_stop(&stage->hls);
    while (sem_wait(&probed.done) != 0)
        ;
    assert_int_equal(probed.kind, ERR_CANCELLED);
    sem_destroy(&probed.done);
}

static void await(struct probed *probed, enum err expected)
{
    while (sem_wait(&probed->done) != 0)
        ;
    assert_int_equal(probed->kind, expected);
}

/* Decision 30: reading films through is of low priority. */
static void a_scan_gives_way_to_viewers(void **state)
{
    struct stage *stage = *state;
    struct probed probed = {0};
    struct asked viewer;
    sem_init(&probed.done, 0, 0);
    stage->host->limit = 1;
    probe(stage, &probed, stage->films[1]);
    stage_plan(stage, ACT_NOTHING);
    stage_ask(stage, &viewer, ASK_SEGMENT, "a", "video-copy", 0, "");
    stage_act(stage, ACT_DONE, VIDEO_COPY, 0);
    assert_int_equal(stage_answer(&viewer, 1), OK);
    await(&probed, ERR_BUSY);
    stage_close(&viewer);
    sem_destroy(&probed.done);
}

static void a_film_that_cannot_be_scanned_says_so(void **state)
{
    struct stage *stage = *state;
    struct probed probed = {0};
    sem_init(&probed.done, 0, 0);
    stage->lacks_index = true;
    probe(stage, &probed, stage->films[0]);
    stage_plan(stage, ACT_BAD);
    stage_plan(stage, ACT_DONE);
    await(&probed, OK);
    assert_true(probed.has_plan);
    assert_false(probed.wants_scan);
    assert_non_null(strstr(probed.refused, "cannot be read through"));
    assert_non_null(strstr(probed.refused, "the key is missing"));
    sem_destroy(&probed.done);
}

static void scans_can_be_stopped(void **state)
{
    struct stage *stage = *state;
    struct probed probed = {0};
    sem_init(&probed.done, 0, 0);
    probe(stage, &probed, stage->films[0]);
    stage_plan(stage, ACT_NOTHING);
    hls_stop_scans(stage->hls);
    await(&probed, ERR_CANCELLED);
    stage_settle(stage);
    assert_int_equal(stage->host->open, 0);
    sem_destroy(&probed.done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_made_once),
        TEST(what_does_not_exist_is_said),
        TEST(another_version_is_gone),
        TEST(the_newest_hold_takes_the_place),
        TEST(what_is_being_sent_holds_no_place),
        TEST(a_death_costs_one_retry),
        TEST(what_cannot_be_sealed_now_is_made_later),
        TEST(sealing_holds_up_nobody),
        TEST(a_film_may_go_while_it_is_sealed),
        TEST(two_deaths_mark_it_bad),
        TEST(a_copy_that_lies_is_given_up),
        TEST(encoders_keep_ahead_and_give_way),
        TEST(variants_of_one_segment_run_together),
        TEST(who_leaves_may_come_back),
        TEST(a_film_without_plan_is_planned_first),
        TEST(who_holds_a_first_plan_keeps_it),
        TEST(a_first_plan_that_is_stored_is_served),
        TEST(an_old_plan_changes_no_new_one),
        TEST(a_better_plan_meets_the_first_one),
        TEST(a_better_plan_heals_a_failure),
        TEST(who_waits_hears_how_far_a_plan_is),
        TEST(a_verdict_is_for_the_next_plan),
        TEST(a_plan_that_kills_twice_is_bad_media),
        TEST(a_plan_that_fails_says_why),
        TEST(a_look_starts_nothing),
        TEST(idle_processes_make_room),
        TEST(transcodes_outlive_their_room),
        TEST(a_file_that_changes_ends_its_room),
        TEST(forgetting_tells_those_who_wait),
        TEST(warmth_starts_before_the_ask),
        TEST(probes_make_plans),
        TEST(a_scan_gives_way_to_viewers),
        TEST(a_film_that_cannot_be_scanned_says_so),
        TEST(scans_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
