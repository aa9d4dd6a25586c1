/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rooms with fake media processes: joins, places, deaths, making ahead, limits, the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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

/* A seek gives up one request and makes another; on its own connection the one given up may come last. */
static void one_that_was_given_up_takes_no_place(void **state)
{
    struct stage *stage = *state;
    struct asked wanted;
    struct asked given_up;
    stage_ask(stage, &wanted, ASK_SEGMENT, "a", "video-720p", 4, "p");
    assert_int_equal(stage_answer(&wanted, 1), OK);
    stage_ask(stage, &given_up, ASK_SEGMENT, "a", "video-720p", 0, "p");
    assert_int_equal(stage_answer(&given_up, 1), OK);
    stage_close(&given_up);
    usleep(1000 * 1000);
    stage_settle(stage);
    assert_int_equal(wanted.answers, 1);
    stage_close(&wanted);
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

static void nothing_is_made_ahead_of_who_has_ended(void **state)
{
    struct stage *stage = *state;
    struct asked viewers[2];
    stage_ask(stage, &viewers[0], ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_ask(stage, &viewers[1], ASK_SEGMENT, "a", "audio-1-aac", 0, "q");
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    stage_act(stage, ACT_DONE, AUDIO_AAC, 0);
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 1);
    hls_leave(stage->hls, "p");
    stage_act(stage, ACT_DONE, VIDEO_720P, 1);
    stage_act(stage, ACT_DONE, AUDIO_AAC, 1);
    stage_act(stage, ACT_NOTHING, AUDIO_AAC, 2); /* q is still there */
    assert_false(stage_has_job(stage, VIDEO_720P, 2));
    stage_close(&viewers[0]);
    stage_close(&viewers[1]);
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

/* Two viewers at one place on rungs of their own: what is made ahead for the one waits for the other. */
static void who_goes_on_together_is_decoded_once(void **state)
{
    struct stage *stage = *state;
    struct asked viewers[2];
    stage_ask(stage, &viewers[0], ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 0);
    stage_ask(stage, &viewers[1], ASK_SEGMENT, "a", "video-360p", 0, "q");
    stage_act(stage, ACT_NOTHING, VIDEO_360P, 0);
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    stage_until(&viewers[0], SEGMENT_DONE);
    stage_settle(stage);
    assert_false(stage_has_job(stage, VIDEO_720P, 1));
    stage_act(stage, ACT_DONE, VIDEO_360P, 0);
    stage_act(stage, ACT_NOTHING, VIDEO_720P, 1);
    stage_act(stage, ACT_NOTHING, VIDEO_360P, 1);
    assert_int_equal(stage_running(stage), 2);
    stage_close(&viewers[0]);
    stage_close(&viewers[1]);
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

static unsigned haves(struct stage *stage)
{
    stage_settle(stage);
    return stage->host->haves;
}

/* Decision 18: what a process sleeps for is fetched, and it hears when something came. */
static void what_a_process_waits_for_is_wanted(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    struct source_wanted wanted[2];
    stage_with_sparse(stage);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 0, "");
    stage_act(stage, ACT_WANT, VIDEO_720P, 0);
    assert_int_equal(source_wants(stage->sparse, wanted, 2), 1);
    assert_true(wanted[0].span.begin == 65536 && wanted[0].span.end == 100000);
    assert_int_equal(wanted[0].urgency, SOURCE_NOW);
    stage_fill(stage, 0, 65536);
    assert_int_equal(haves(stage), 0); /* nobody sleeps for that */
    assert_int_equal(source_wants(stage->sparse, wanted, 2), 1);
    stage_fill(stage, 65536, 100000);
    assert_int_equal(haves(stage), 1);
    assert_int_equal(source_wants(stage->sparse, wanted, 2), 0);
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    assert_int_equal(stage_answer(&asked, 1), OK);
    stage_close(&asked);
}

static void what_never_comes_fails_the_segment(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    struct why why = {0};
    stage_with_sparse(stage);
    stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", 0, "");
    stage_act(stage, ACT_WANT, VIDEO_720P, 0);
    assert_int_equal(stage_answer(&asked, 1), OK);
    why_set(&why, ERR_GONE, NULL, "the download was taken away");
    source_fail(stage->sparse, ERR_GONE, &why);
    stage_until(&asked, SEGMENT_FAILED);
    struct segment_view view;
    segment_look(asked.segment, &view);
    assert_int_equal(view.kind, ERR_IO);
    stage_close(&asked);
}

static void what_nobody_waits_for_is_wanted_no_more(void **state)
{
    struct stage *stage = *state;
    static const enum stage_act ends[] = {ACT_DONE, ACT_DIE};
    struct source_wanted wanted[2];
    stage_with_sparse(stage);
    for (uint32_t n = 0; n < 2; n++) {
        struct asked asked;
        stage_ask(stage, &asked, ASK_SEGMENT, "a", "video-720p", n, "");
        stage_act(stage, ACT_WANT, VIDEO_720P, n);
        assert_int_equal(source_wants(stage->sparse, wanted, 2), 1);
        stage_act(stage, ends[n], VIDEO_720P, n);
        stage_settle(stage);
        assert_int_equal(source_wants(stage->sparse, wanted, 2), 0);
        stage_close(&asked);
    }
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

/* The only process makes ahead for who watches "a", when somebody waits for "b". */
static void who_waits_gets_the_process_of_what_is_made_ahead(void **state)
{
    struct stage *stage = *state;
    struct asked first, second;
    stage->host->limit = 1;
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-720p", 0, "p");
    stage_act(stage, ACT_DONE, VIDEO_720P, 0);
    assert_int_equal(stage_answer(&first, 1), OK);
    stage_until(&first, SEGMENT_DONE);
    stage_close(&first);
    stage_settle(stage);
    assert_true(stage_has_job(stage, VIDEO_720P, 1));
    stage_ask(stage, &second, ASK_SEGMENT, "b", "audio-1-aac", 0, "q");
    stage_act(stage, ACT_DONE, AUDIO_AAC, 0);
    assert_int_equal(stage_answer(&second, 1), OK);
    stage_until(&second, SEGMENT_DONE);
    assert_false(stage_has_job(stage, VIDEO_720P, 1));
    stage_close(&second);
    /* Until somebody waits there again, nothing is made ahead of him. */
    stage_settle(stage);
    assert_false(stage_has_job(stage, VIDEO_720P, 1));
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-720p", 1, "p");
    stage_act(stage, ACT_DONE, VIDEO_720P, 1);
    assert_int_equal(stage_answer(&first, 1), OK);
    stage_until(&first, SEGMENT_DONE);
    stage_close(&first);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_made_once),
        TEST(what_does_not_exist_is_said),
        TEST(another_version_is_gone),
        TEST(the_newest_hold_takes_the_place),
        TEST(one_that_was_given_up_takes_no_place),
        TEST(what_is_being_sent_holds_no_place),
        TEST(a_death_costs_one_retry),
        TEST(what_cannot_be_sealed_now_is_made_later),
        TEST(sealing_holds_up_nobody),
        TEST(a_film_may_go_while_it_is_sealed),
        TEST(two_deaths_mark_it_bad),
        TEST(a_copy_that_lies_is_given_up),
        TEST(encoders_keep_ahead_and_give_way),
        TEST(nothing_is_made_ahead_of_who_has_ended),
        TEST(variants_of_one_segment_run_together),
        TEST(who_goes_on_together_is_decoded_once),
        TEST(who_leaves_may_come_back),
        TEST(what_a_process_waits_for_is_wanted),
        TEST(what_never_comes_fails_the_segment),
        TEST(what_nobody_waits_for_is_wanted_no_more),
        TEST(a_look_starts_nothing),
        TEST(idle_processes_make_room),
        TEST(transcodes_outlive_their_room),
        TEST(a_file_that_changes_ends_its_room),
        TEST(forgetting_tells_those_who_wait),
        TEST(who_waits_gets_the_process_of_what_is_made_ahead),
        TEST(warmth_starts_before_the_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
