/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The real engine in its locked-down process: films of our own, and where it is there the corpus.
 * Whatever a film holds, its process may refuse it but must not die of it. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "media_stage.h"
#include "segments/plan.h"

#define PROGRAM MATINEE_BINARY_DIR "/matinee-media"
#define CORPUS  MATINEE_SOURCE_DIR "/../shared/corpus/media"

struct film {
    struct stage *stage;
    uint64_t size;
    uint8_t *bytes; /* the plan */
    size_t plan_size;
    struct plan *plan;
};

static void film_free(struct film *film)
{
    media_close(&film->stage->media);
    fd_close(&film->stage->film);
    mem_free(film->bytes);
    plan_free(&film->plan);
}

static enum err open_it(struct film *film, const char *name)
{
    film->stage->is_dead = false;
    return media_open(film->stage->host, film->stage->film, -1, film->size, film->bytes,
                      film->plan_size, name, false, &stage_media_events, film->stage,
                      &film->stage->media);
}

/* Opens the file and has its plan made. False: it is refused, with words. */
static bool plan_film(struct stage *stage, const char *path, struct film *film)
{
    struct stat status;
    *film = (struct film){.stage = stage};
    stage->film = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(stage->film >= 0 && fstat(stage->film, &status) == 0);
    film->size = (uint64_t) status.st_size;
    const char *name = strrchr(path, '/') + 1;
    assert_int_equal(open_it(film, name), OK);
    struct heard heard;
    heard_init(&heard, stage);
    media_plan(stage->media, true, heard.out, &stage_job_events, &heard);
    run_until_end(stage, &heard);
    if (heard.is_done) {
        film->bytes = mem_zalloc((size_t) heard.size);
        assert_int_equal(
            fd_read_at(heard.out, film->bytes, (size_t) heard.size, 0, &film->plan_size), OK);
        struct why why = {0};
        if (plan_read(film->bytes, film->plan_size, &film->plan, &why) != OK)
            fail_msg("%s: %s", name, why.text);
    } else if (heard.kind == ERR_GONE && stage->is_dead) {
        fail_msg("%s: its process %s", name, stage->death.text);
    } else {
        assert_true(heard.why.text[0] != '\0');
        log_info("test.film_refused", log_str("film", name), log_str("why", heard.why.text));
    }
    heard_fini(&heard);
    media_close(&stage->media);
    return film->plan != NULL;
}

/* One segment: whole, or refused with words by a process that lives. */
static bool make_segment(struct film *film, const char *name, uint32_t rendition, uint32_t n)
{
    struct heard heard;
    ask(film->stage, &heard, rendition, n);
    run_until_end(film->stage, &heard);
    bool is_whole = heard.is_done;
    if (heard.kind == ERR_GONE && film->stage->media == NULL)
        fail_msg("%s %s %u: its process %s", name, film->plan->renditions[rendition].name, n,
                 heard.why.text);
    if (is_whole)
        assert_true(heard.part_ends > 0 && heard.text.length > 0);
    else
        assert_true(heard.why.text[0] != '\0');
    if (!is_whole)
        log_info("test.segment_refused", log_str("film", name),
                 log_str("rendition", film->plan->renditions[rendition].name), log_int("n", n),
                 log_str("why", heard.why.text));
    heard_fini(&heard);
    return is_whole;
}

/* How much of each film: the plain size of the tests makes first segments, and of videos that are
 * encoded only the smallest. */
enum amount { FEW, MANY };

static bool is_passed_over(const struct plan *plan, uint32_t rendition, enum amount amount)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    const uint32_t small = 400;
    return amount == FEW && r->kind == PLAN_VIDEO && !r->is_copy && r->height > small;
}

/* The first, middle and last segments of the renditions, in one process. */
static unsigned make_some(struct film *film, const char *name, enum amount amount)
{
    unsigned whole = 0;
    assert_int_equal(open_it(film, name), OK);
    for (uint32_t r = 0; r < film->plan->rendition_count; r++) {
        if (is_passed_over(film->plan, r, amount))
            continue;
        uint32_t count = plan_segment_count(film->plan, r);
        whole += make_segment(film, name, r, 0);
        if (amount == FEW)
            continue;
        if (count > 2)
            whole += make_segment(film, name, r, count / 2);
        if (count > 1)
            whole += make_segment(film, name, r, count - 1);
    }
    media_close(&film->stage->media);
    return whole;
}

static int set_up(void **state)
{
    struct stage *stage = mem_new(struct stage);
    stage_init(stage, PROGRAM, &(struct media_options){.preset = "ultrafast"});
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    stage_fini(stage);
    mem_free(stage);
    return 0;
}

static const char *const ffmpeg_film =
    "ffmpeg -v error -y -f lavfi -i testsrc2=size=640x360:rate=25:duration=12 "
    "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=12 -map 0 -map 1 -map 1 "
    "-c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -c:a:0 ac3 -c:a:1 aac ";

/* The path of a film of ours, made once; the caller's (mem_free). */
static char *own_film(const char *name)
{
    struct str path = {0}, command = {0};
    str_printf(&path, "%s/tests/media_films.%s", MATINEE_BINARY_DIR, name);
    str_printf(&command, "%s '%s' </dev/null", ffmpeg_film, str_text(&path));
    if (access(str_text(&path), R_OK) != 0)
        assert_int_equal(system(str_text(&command)), 0);
    str_fini(&command);
    return str_take(&path);
}

static void plays_own_films(void **state)
{
    static const char *const names[] = {"film.mkv", "film.mp4", "film.ts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP(mem_free_at) char *path = own_film(names[i]);
        struct film film;
        if (!plan_film(*state, path, &film))
            fail_msg("%s is refused", path);
        assert_true(film.plan->rendition_count >= 3);
        unsigned whole = make_some(&film, names[i], MANY);
        /* All renditions have at least three segments of twelve seconds. */
        assert_int_equal(whole, 3 * film.plan->rendition_count);
        film_free(&film);
    }
}

static uint32_t find_transcode(const struct plan *plan)
{
    for (uint32_t r = 0; r < plan->rendition_count; r++)
        if (plan->renditions[r].kind == PLAN_VIDEO && !plan->renditions[r].is_copy)
            return r;
    fail_msg("no transcode is offered");
    return 0;
}

/* SIGKILL in the midst of a segment; the next process makes it. */
static void survives_a_kill_in_mid_segment(void **state)
{
    struct stage *stage = *state;
    CLEANUP(mem_free_at) char *path = own_film("film.mkv");
    struct film film;
    assert_true(plan_film(stage, path, &film));
    uint32_t video = find_transcode(film.plan);
    assert_int_equal(open_it(&film, "kill"), OK);
    struct heard heard;
    ask(stage, &heard, video, 2);
    while (heard.calls == 0 && !has_ended(&heard))
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_false(has_ended(&heard));
    kill((pid_t) media_pid(stage->media), SIGKILL);
    run_until_end(stage, &heard);
    if (!heard.is_done) { /* it may have been quicker than us */
        assert_int_equal(heard.kind, ERR_GONE);
        run_until(stage, &stage->is_dead);
    }
    heard_fini(&heard);
    media_close(&stage->media);
    assert_int_equal(open_it(&film, "again"), OK);
    assert_true(make_segment(&film, "again", video, 2));
    film_free(&film);
}

/* Broken pieces of a good film: each is refused or played, and the process lives. */
static void survives_broken_films(void **state)
{
    static const char *const names[] = {"film.mkv", "film.mp4"};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(mem_free_at) char *path = own_film(names[i]);
        struct str broken = {0};
        str_printf(&broken, "%s/tests/media_films.broken", MATINEE_BINARY_DIR);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        size_t size = (size_t) status.st_size, got;
        CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc(size);
        CLEANUP(fd_close) int from = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(fd_read_at(from, bytes, size, 0, &got), OK);
        unsigned seed = 12345;
        for (int turn = 0; turn < 8; turn++) {
            CLEANUP(fd_close)
            int to = open(str_text(&broken), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            CLEANUP(mem_free_at) uint8_t *worse = mem_dup(bytes, size);
            for (int flip = 0; flip < 200 && turn > 1; flip++) {
                seed = seed * 1103515245 + 12345;
                worse[seed % size] ^= (uint8_t) (1U << (seed >> 16 & 7));
            }
            size_t length = turn == 0 ? size / 2 : turn == 1 ? 100 : size;
            assert_int_equal(fd_write_at(to, worse, length, 0), OK);
            struct film film;
            if (plan_film(*state, str_text(&broken), &film))
                make_some(&film, "broken", FEW);
            film_free(&film);
        }
        unlink(str_text(&broken));
        str_fini(&broken);
    }
}

static void plays_the_corpus(void **state)
{
    DIR *folder = opendir(CORPUS);
    if (folder == NULL)
        skip();
    const char *size = getenv("MATINEE_TEST_SIZE");
    enum amount amount = size != NULL && strcmp(size, "full") == 0 ? MANY : FEW;
    struct dirent *entry;
    unsigned files = 0, planned = 0, whole = 0;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, "expected") != NULL ||
            strstr(entry->d_name, ".jsonl") != NULL)
            continue;
        struct str path = {0};
        str_printf(&path, "%s/%s", CORPUS, entry->d_name);
        struct film film;
        int64_t start_ms = clock_mono_ms();
        files++;
        if (plan_film(*state, str_text(&path), &film)) {
            planned++;
            whole += make_some(&film, entry->d_name, amount);
        }
        film_free(&film);
        str_fini(&path);
        log_info("test.corpus", log_str("film", entry->d_name),
                 log_int("ms", clock_mono_ms() - start_ms));
    }
    closedir(folder);
    print_message("%u films, %u played, %u segments whole\n", files, planned, whole);
    assert_true(planned > 0 && whole > 0);
}

/* Nothing waits for a clock between asking for a process and its first words, which it says locked
 * down. How long it takes (2 to 3 ms) says bench/first_picture. The least of twenty, since other work
 * shares the machine. */
static void comes_up_at_once(void **state)
{
    struct stage *stage = *state;
    CLEANUP(mem_free_at) char *path = own_film("film.mkv");
    struct film film;
    assert_true(plan_film(stage, path, &film));
    int64_t least_us = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t start_us = clock_mono_us();
        assert_int_equal(open_it(&film, "quick"), OK);
        struct heard heard; /* a refusal is the shortest answer there is */
        ask(stage, &heard, film.plan->rendition_count, 0);
        run_until_end(stage, &heard);
        int64_t took_us = clock_mono_us() - start_us;
        least_us = took_us < least_us ? took_us : least_us;
        heard_fini(&heard);
        media_close(&stage->media);
    }
    print_message("a process answers after %lld us\n", (long long) least_us);
#ifndef MATINEE_SANITIZE
    assert_true(least_us <= 50000);
#endif
    film_free(&film);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    log_set_level(getenv("MATINEE_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(comes_up_at_once),      TEST(plays_own_films),  TEST(survives_a_kill_in_mid_segment),
        TEST(survives_broken_films), TEST(plays_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
