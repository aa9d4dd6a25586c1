/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real zygotes and processes with an engine that misbehaves when told to (fake_engine.c). */
#include "hls/media.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "media_fake.h"
#include "segments/fingerprint.h"

static void makes_segments(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    struct heard heard[3];
    for (uint32_t i = 0; i < 3; i++)
        ask(stage, &heard[i], FAKE_SOUND, i);
    for (uint32_t i = 0; i < 3; i++) {
        run_until_end(stage, &heard[i]);
        fake_assert_segment(&heard[i], FAKE_SOUND, i);
        heard_fini(&heard[i]);
    }
}

static void makes_a_ladder_in_one_go(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    /* Both videos of a segment wait while two others are made: the lane has two threads. */
    struct heard first, second, rungs[2];
    ask(stage, &first, FAKE_VIDEO_720, 5);
    ask(stage, &second, FAKE_VIDEO_480, 6);
    ask(stage, &rungs[0], FAKE_VIDEO_720, 7);
    ask(stage, &rungs[1], FAKE_VIDEO_480, 7);
    struct heard *all[] = {&first, &second, &rungs[0], &rungs[1]};
    const uint32_t n[] = {5, 6, 7, 7};
    for (uint32_t i = 0; i < 4; i++) {
        run_until_end(stage, all[i]);
        fake_assert_segment(all[i], i % 2 == 0 ? FAKE_VIDEO_720 : FAKE_VIDEO_480, n[i]);
        heard_fini(all[i]);
    }
}

/* A video that takes long (both of its lane's threads) holds up no sound. */
static void sound_does_not_wait_for_video(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard slow[2], sound;
    ask(stage, &slow[0], FAKE_VIDEO_720, FAKE_BAD);
    ask(stage, &slow[1], FAKE_VIDEO_480, FAKE_BAD);
    ask(stage, &sound, FAKE_SOUND, 3);
    run_until_end(stage, &sound);
    fake_assert_segment(&sound, FAKE_SOUND, 3);
    assert_false(has_ended(&slow[0]) || has_ended(&slow[1]));
    heard_fini(&sound);
    media_close(&stage->media);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(slow[i].kind, ERR_CANCELLED);
        heard_fini(&slow[i]);
    }
    assert_false(stage->is_dead);
}

static void makes_a_plan(void **state)
{
    struct stage *stage = *state;
    fake_write_film(stage, "plain");
    assert_int_equal(fake_open_with(stage, false, false), OK);
    struct heard heard;
    heard_init(&heard, stage);
    media_plan(stage->media, true, heard.out, &stage_job_events, &heard);
    run_until_end(stage, &heard);
    assert_true(heard.is_done);
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) heard.size);
    size_t got;
    assert_int_equal(fd_read_at(heard.out, bytes, (size_t) heard.size, 0, &got), OK);
    CLEANUP(plan_free) struct plan *plan = NULL;
    assert_int_equal(plan_read(bytes, got, &plan, NULL), OK);
    assert_int_equal(plan->cut_count, FAKE_SEGMENTS);
    /* The caller seals it, as the process may still hold its end. */
    assert_int_equal(fcntl(heard.out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    heard_fini(&heard);

    struct heard none;
    ask(stage, &none, FAKE_SOUND, 0);
    run_until_end(stage, &none);
    assert_int_equal(none.kind, ERR_BAD_INPUT);
    heard_fini(&none);
}

static void says_why_there_is_no_plan(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(fd_memory("film", &stage->film), OK);
    assert_int_equal(fd_write_at(stage->film, "MZ", 2, 0), OK);
    assert_int_equal(fake_open_with(stage, false, false), OK);
    struct heard heard;
    heard_init(&heard, stage);
    media_plan(stage->media, true, heard.out, &stage_job_events, &heard);
    run_until_end(stage, &heard);
    /* The file is shorter than was said at open. */
    assert_true(heard.kind == ERR_GONE || heard.kind == ERR_BAD_MEDIA);
    heard_fini(&heard);
}

static void refuses_what_the_plan_has_not(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    struct heard heard[2];
    ask(stage, &heard[0], FAKE_RENDITIONS, 0);
    ask(stage, &heard[1], FAKE_SOUND, FAKE_SEGMENTS);
    for (int i = 0; i < 2; i++) {
        run_until_end(stage, &heard[i]);
        assert_int_equal(heard[i].kind, ERR_BAD_INPUT);
        assert_true(strlen(heard[i].why.text) > 0);
        heard_fini(&heard[i]);
    }
}

static void passes_on_the_engines_reason(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "fail");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until_end(stage, &heard);
    assert_int_equal(heard.kind, ERR_BAD_MEDIA);
    assert_string_equal(heard.why.text, "no \xEF\xBF\xBD keys");
    assert_string_equal(heard.why.field, "/tracks/0");
    heard_fini(&heard);
}

/* Decision 12: the segment is whole, and what the next plan should know comes before its end. */
static void passes_on_the_engines_verdict(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "verdict");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until_end(stage, &heard);
    assert_true(heard.is_done && heard.text.length > 0);
    assert_string_equal(heard.verdict.text, "no key to start from");
    heard_fini(&heard);
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD + 1);
    run_until_end(stage, &heard);
    assert_true(heard.is_done);
    assert_string_equal(heard.verdict.text, "");
    heard_fini(&heard);
}

static void ask_for_board(struct stage *stage, struct heard *heard, const char *deed)
{
    fake_open_film(stage, deed);
    heard_init(heard, stage);
    heard->id = media_storyboard(stage->media, heard->out, &stage_job_events, heard);
    run_until_end(stage, heard);
}

static void makes_a_storyboard(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    ask_for_board(stage, &heard, "plain");
    assert_true(heard.is_done);
    assert_int_equal(heard.size, 14);
    assert_non_null(strstr(str_text(&heard.text), "0:16x9 5000:16x9 "));
    assert_non_null(strstr(str_text(&heard.text), "120000:16x9 [0+7] 125000:16x9 "));
    assert_non_null(strstr(str_text(&heard.text), "145000:16x9 [7+7] "));
    heard_fini(&heard);
}

static void makes_a_fingerprint(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    uint8_t bytes[64];
    size_t got = 0;
    struct fingerprint film;
    fake_open_film(stage, "plain");
    heard_init(&heard, stage);
    heard.id = media_fingerprint(stage->media, heard.out, &stage_job_events, &heard);
    run_until_end(stage, &heard);
    assert_true(heard.is_done);
    assert_int_equal(heard.size, 4 + 2 * 12 + 3 * 4);
    assert_int_equal(fd_read_at(heard.out, bytes, sizeof bytes, 0, &got), OK);
    assert_int_equal(fingerprint_read(bytes, got, &film, NULL), OK);
    assert_int_equal(film.first.items[1], 0x12345678);
    fingerprint_fini(&film);
    heard_fini(&heard);
}

/* Pictures that go back in time, change their size, are too many for a sheet or have none; a sheet of
 * nothing. */
static void believes_no_lies_about_pictures(void **state)
{
    static const char *const deeds[] = {"board-late", "board-size", "board-full", "board-bare",
                                        "board-none"};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        struct heard heard;
        ask_for_board(stage, &heard, deeds[i]);
        assert_true(heard.is_failed);
        assert_int_equal(heard.kind, ERR_GONE);
        run_until(stage, &stage->is_dead);
        assert_non_null(strstr(stage->death.text, "broke the rules of talk"));
        heard_fini(&heard);
    }
}

static void cancels(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard slow, next;
    ask(stage, &slow, FAKE_VIDEO_720, FAKE_BAD);
    while (slow.calls == 0)
        uv_run(&stage->loop, UV_RUN_ONCE);
    media_cancel(stage->media, slow.id);
    media_cancel(stage->media, slow.id);
    media_cancel(stage->media, 12345);
    ask(stage, &next, FAKE_VIDEO_720, 2);
    run_until_end(stage, &next);
    fake_assert_segment(&next, FAKE_VIDEO_720, 2);
    assert_false(has_ended(&slow));
    heard_fini(&slow);
    heard_fini(&next);
}

/* More jobs than a process may hold fds for: they wait on our side, some leave from there. */
static void holds_many_jobs(void **state)
{
    enum { MANY = 200 };
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    CLEANUP(mem_free_at) struct heard *heard = mem_new_array(struct heard, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        ask(stage, &heard[i], i % FAKE_RENDITIONS, i % FAKE_SEGMENTS);
    for (uint32_t i = 0; i < MANY; i += 10)
        media_cancel(stage->media, heard[i].id);
    for (uint32_t i = 0; i < MANY; i++) {
        if (i % 10 == 0) {
            heard_fini(&heard[i]);
            continue;
        }
        run_until_end(stage, &heard[i]);
        fake_assert_segment(&heard[i], i % FAKE_RENDITIONS, i % FAKE_SEGMENTS);
        heard_fini(&heard[i]);
    }
}

static void can_be_closed_in_a_callback(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard slow, waiting;
    ask(stage, &slow, FAKE_VIDEO_720, FAKE_BAD);
    ask(stage, &waiting, FAKE_VIDEO_480, FAKE_BAD);
    slow.close_in_pieces = true;
    run_until_end(stage, &slow);
    assert_int_equal(slow.kind, ERR_CANCELLED);
    assert_int_equal(waiting.kind, ERR_CANCELLED);
    assert_null(stage->media);
    run_for(stage, 50);
    assert_false(stage->is_dead);
    heard_fini(&slow);
    heard_fini(&waiting);
}

/* Asks for the segment in which the deed is done, and waits for the process's death by it. */
static void die_by(struct stage *stage, const char *deed, const char *words)
{
    fake_open_film(stage, deed);
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until(stage, &stage->is_dead);
    assert_int_equal(heard.kind, ERR_GONE);
    if (strstr(stage->death.text, words) == NULL)
        fail_msg("%s died of: %s", deed, stage->death.text);
    assert_string_equal(heard.why.text, stage->death.text);
    heard_fini(&heard);

    /* The next process works. */
    fake_open_film(stage, "plain");
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until_end(stage, &heard);
    fake_assert_segment(&heard, FAKE_SOUND, FAKE_BAD);
    heard_fini(&heard);
    media_close(&stage->media);
}

#ifdef MATINEE_SANITIZE
#define IF_BARE(words) "" /* sanitizers die in their own way */
#else
#define IF_BARE(words) words
#endif

static void survives_a_crash(void **state)
{
    die_by(*state, "crash", IF_BARE("signal 11"));
    die_by(*state, "abort", IF_BARE("signal 6"));
}

static void survives_a_kill(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard heard;
    ask(stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
    while (heard.calls == 0)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(kill((pid_t) media_pid(stage->media), SIGKILL), 0);
    run_until(stage, &stage->is_dead);
    assert_string_equal(stage->death.text, "was killed by signal 9 (KILL)");
    assert_int_equal(heard.kind, ERR_GONE);
    assert_string_equal(str_text(&heard.text), "slow\n");
    heard_fini(&heard);
}

static void ends_what_hangs(void **state)
{
    int64_t start_ms = clock_mono_ms();
    die_by(*state, "hang", "did not answer");
    assert_true(clock_mono_ms() - start_ms < 5000);
}

/* One that ticks is slow, not hung. */
static void lets_slow_ones_live(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard heard;
    ask(stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
    run_for(stage, 2000);
    assert_false(has_ended(&heard) || stage->is_dead);
    media_close(&stage->media);
    heard_fini(&heard);
}

static void ends_what_is_stopped(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "slow");
    struct heard heard;
    ask(stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
    while (heard.calls == 0)
        uv_run(&stage->loop, UV_RUN_ONCE);
    kill((pid_t) media_pid(stage->media), SIGSTOP);
    run_until(stage, &stage->is_dead);
    assert_non_null(strstr(stage->death.text, "did not answer"));
    heard_fini(&heard);
}

static int set_up_frugal(void **state)
{
    fake_set_up_with(state, &(struct media_options){.memory_limit = (uint64_t) 200 << 20});
    return 0;
}

static void ends_what_eats_memory(void **state)
{
    die_by(*state, "memory", "of memory");
}

static void refuses_system_calls(void **state)
{
    die_by(*state, "socket", IF_BARE("system call"));
    die_by(*state, "exec", IF_BARE("system call"));
    die_by(*state, "fork", IF_BARE("system call"));

    struct stage *stage = *state;
    fake_open_film(stage, "open");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until_end(stage, &heard);
    assert_string_equal(str_text(&heard.text), "Permission denied");
    heard_fini(&heard);
}

static void believes_no_lies(void **state)
{
    static const struct {
        const char *deed, *words;
    } lies[] = {
        {"garbage", "no known kind"},    {"unknown_job", "no such job"},
        {"opened_twice", "OPENED"},      {"lying_want", "WANT"},
        {"unwritten", "is not written"}, {"outside", "outside of the film"},
        {"pass_fd", "TICK with 1 fds"},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        /* A new host each time: the fake engine lies about job 1. */
        stage_fini(stage);
        stage_init(stage, FAKE_PROGRAM, &(struct media_options){0});
        die_by(stage, lies[i].deed, lies[i].words);
    }
}

static void limits_a_segments_size(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "big");
    struct heard heard;
    ask(stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
    run_until_end(stage, &heard);
    assert_int_equal(heard.kind, ERR_LIMIT);
    heard_fini(&heard);
}

static void bears_chatter(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "chatter");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    run_until_end(stage, &heard);
    fake_assert_segment(&heard, FAKE_SOUND, FAKE_BAD);
    heard_fini(&heard);
}

static void set_block(struct stage *stage, unsigned block)
{
    uint8_t *bits = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, stage->map, 0);
    assert_true(bits != MAP_FAILED);
    __atomic_or_fetch(&bits[block / 8], (uint8_t) (1U << (block % 8)), __ATOMIC_RELEASE);
    munmap(bits, 8);
}

static void waits_for_bytes(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(fd_memory("map", &stage->map), OK);
    assert_int_equal(ftruncate(stage->map, 8), 0);
    set_block(stage, 0);
    fake_open_film(stage, "read");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, FAKE_BAD);
    /* It sleeps far longer than a job may be silent, and that is well. */
    run_for(stage, 1500);
    assert_false(has_ended(&heard) || stage->is_dead);
    assert_true(stage->wants > 0);
    assert_int_equal(stage->want_at, 5 * INPUT_BLOCK_BYTES);
    set_block(stage, 4);
    media_have(stage->media);
    run_for(stage, 100);
    assert_false(has_ended(&heard));
    set_block(stage, 5);
    media_have(stage->media);
    run_until_end(stage, &heard);
    fake_assert_segment(&heard, FAKE_SOUND, FAKE_BAD);
    assert_true(stage->unwants > 0);
    heard_fini(&heard);
}

static void cancels_who_waits(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(fd_memory("map", &stage->map), OK);
    assert_int_equal(ftruncate(stage->map, 8), 0);
    set_block(stage, 0);
    fake_open_film(stage, "read");
    struct heard waits, next;
    ask(stage, &waits, FAKE_SOUND, FAKE_BAD);
    while (stage->wants == 0)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(stage->unwants, 0);
    media_cancel(stage->media, waits.id);
    assert_int_equal(stage->unwants, 1);
    ask(stage, &next, FAKE_SOUND, 0);
    run_until_end(stage, &next);
    fake_assert_segment(&next, FAKE_SOUND, 0);
    heard_fini(&waits);
    heard_fini(&next);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, fake_tear_down)

int main(void)
{
    log_set_level(getenv("MATINEE_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(makes_segments, fake_set_up),
        TEST(makes_a_ladder_in_one_go, fake_set_up),
        TEST(sound_does_not_wait_for_video, fake_set_up),
        TEST(makes_a_plan, fake_set_up),
        TEST(says_why_there_is_no_plan, fake_set_up),
        TEST(refuses_what_the_plan_has_not, fake_set_up),
        TEST(passes_on_the_engines_reason, fake_set_up),
        TEST(passes_on_the_engines_verdict, fake_set_up),
        TEST(makes_a_storyboard, fake_set_up),
        TEST(makes_a_fingerprint, fake_set_up),
        TEST(believes_no_lies_about_pictures, fake_set_up),
        TEST(cancels, fake_set_up),
        TEST(holds_many_jobs, fake_set_up),
        TEST(can_be_closed_in_a_callback, fake_set_up),
        TEST(survives_a_crash, fake_set_up),
        TEST(survives_a_kill, fake_set_up),
        TEST(ends_what_hangs, fake_set_up_impatient),
        TEST(lets_slow_ones_live, fake_set_up_impatient),
        TEST(ends_what_is_stopped, fake_set_up_impatient),
        TEST(ends_what_eats_memory, set_up_frugal),
        TEST(refuses_system_calls, fake_set_up),
        TEST(believes_no_lies, fake_set_up),
        TEST(limits_a_segments_size, fake_set_up),
        TEST(bears_chatter, fake_set_up),
        TEST(waits_for_bytes, fake_set_up_impatient),
        TEST(cancels_who_waits, fake_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
