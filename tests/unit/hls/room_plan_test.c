/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rooms and their plans: made, stored, replaced, held on to; and plans for the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "room_stage.h"

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

/* A film that is still on its way may stop coming while its plan is made. */
static void a_plan_hears_what_never_comes(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct why why = {0};
    stage_without_plan(stage, 0);
    stage_with_sparse(stage);
    stage_ask(stage, &film, ASK_FILM, "a", NULL, 0, "");
    stage_plan(stage, ACT_WANT);
    why_set(&why, ERR_GONE, NULL, "the download was taken away");
    source_fail(stage->sparse, ERR_GONE, &why);
    assert_int_equal(stage_answer(&film, 1), ERR_IO);
    assert_string_equal(film.why.text, "the download was taken away");
    stage_close(&film);
    stage_settle(stage);
    assert_int_equal(stage->host->open, 0);
}

/* Nobody waits for it, and it waits for a swarm: others may have its process. */
static void a_plan_that_sleeps_gives_way(void **state)
{
    struct stage *stage = *state;
    struct asked viewer;
    stage->host->limit = 1;
    stage_without_plan(stage, 0);
    stage_with_sparse(stage);
    hls_warm(stage->hls, "a", 0, false);
    stage_plan(stage, ACT_WANT);
    stage_ask(stage, &viewer, ASK_SEGMENT, "b", "video-copy", 0, "");
    stage_act(stage, ACT_DONE, VIDEO_COPY, 0);
    assert_int_equal(stage_answer(&viewer, 1), OK);
    assert_int_equal(atomic_load(&stage->hls->counters.rooms), 1);
    stage_close(&viewer);
}

static void assert_wants(struct stage *stage, unsigned now, unsigned ahead)
{
    struct source_wanted wanted[8];
    stage_settle(stage);
    size_t count = source_wants(stage->sparse, wanted, 8);
    assert_int_equal(count, now + ahead);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(wanted[i].urgency, i < now ? SOURCE_NOW : SOURCE_AHEAD);
}

/* Bytes that somebody waits for come before those of what is made ahead; when somebody waits for that as
 * well, they are as urgent. */
static void what_is_made_ahead_is_less_urgent(void **state)
{
    struct stage *stage = *state;
    struct asked first;
    struct asked next;
    stage_with_sparse(stage);
    stage_ask(stage, &first, ASK_SEGMENT, "a", "video-copy", 0, "p");
    assert_int_equal(stage_answer(&first, 1), OK);
    stage_act(stage, ACT_WANT, VIDEO_COPY, 0);
    assert_wants(stage, 1, 0);
    stage_act(stage, ACT_WANT, VIDEO_COPY, 1);
    assert_wants(stage, 1, 1);
    stage_ask(stage, &next, ASK_SEGMENT, "a", "video-copy", 1, "q");
    assert_int_equal(stage_answer(&next, 1), OK);
    stage_act(stage, ACT_WANT, VIDEO_COPY, 2);
    assert_wants(stage, 2, 1);
    stage_close(&next);
    assert_wants(stage, 1, 2);
    stage_close(&first);
}

/* A seek: what sleeps where the viewer was would bring bytes for nobody, whether its client is known to
 * have left or not. */
static void what_sleeps_where_a_viewer_was_is_dropped(void **state)
{
    struct stage *stage = *state;
    struct asked before;
    struct asked sought;
    stage_with_sparse(stage);
    stage_ask(stage, &before, ASK_SEGMENT, "a", "video-copy", 0, "p");
    assert_int_equal(stage_answer(&before, 1), OK);
    ask_settle(before.ask);
    stage_act(stage, ACT_WANT, VIDEO_COPY, 0);
    stage_act(stage, ACT_WANT, VIDEO_COPY, 1);
    assert_wants(stage, 1, 1);
    usleep(400 * 1000); /* in one moment either may have overtaken the other */
    stage_ask(stage, &sought, ASK_SEGMENT, "a", "video-copy", 3, "p");
    assert_int_equal(stage_answer(&sought, 1), OK);
    assert_wants(stage, 0, 0);
    assert_false(stage_has_job(stage, VIDEO_COPY, 0));
    assert_false(stage_has_job(stage, VIDEO_COPY, 1));
    stage_act(stage, ACT_WANT, VIDEO_COPY, 3);
    assert_wants(stage, 1, 0);
    stage_until(&before, SEGMENT_FAILED);
    stage_close(&before);
    stage_close(&sought);
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
        TEST(a_plan_hears_what_never_comes),
        TEST(a_plan_that_sleeps_gives_way),
        TEST(what_is_made_ahead_is_less_urgent),
        TEST(what_sleeps_where_a_viewer_was_is_dropped),
        TEST(probes_make_plans),
        TEST(a_scan_gives_way_to_viewers),
        TEST(a_film_that_cannot_be_scanned_says_so),
        TEST(scans_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
