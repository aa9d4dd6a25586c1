/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The real engine on a film that arrives while it is read, block by block as it is wanted: the plan and
 * the segments are those of the whole film, to the byte, and nobody ever reads what is not there. */
#include <fcntl.h>
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
#include "base/mem.h"
#include "hls/wants.h"
#include "media_stage.h"
#include "segments/plan.h"
#include "source/map.h"

#define PROGRAM MATINEE_BINARY_DIR "/matinee-media"

struct arriving {
    struct stage stage; /* its `film` is the whole one */
    struct mailbox *mailbox;
    uint64_t size;
    int file; /* what has arrived, for writing; the rest of it is zeros */
    struct source *source;
    struct wants *wants;
    bool is_woken;
    unsigned blocks; /* that came */
};

static void on_died(void *ctx, const struct why *why)
{
    (void) ctx;
    fail_msg("its process %s", why->text);
}

static const struct media_events events = {on_died};

static void on_wake(void *ctx)
{
    struct arriving *arriving = ctx;
    arriving->is_woken = true;
}

/* The first missing block of what is wanted most. */
static void bring_block(struct arriving *arriving)
{
    struct source_wanted wanted;
    if (source_wants(arriving->source, &wanted, 1) == 0) {
        arriving->is_woken = false;
        return;
    }
    assert_true(arriving->is_woken);
    uint64_t at = wanted.span.begin;
    while (source_has(arriving->source, at, 1))
        at += MAP_BLOCK_BYTES;
    assert_true(at < wanted.span.end);
    uint64_t length = arriving->size - at < MAP_BLOCK_BYTES ? arriving->size - at : MAP_BLOCK_BYTES;
    static uint8_t bytes[MAP_BLOCK_BYTES];
    size_t got = 0;
    assert_int_equal(fd_read_at(arriving->stage.film, bytes, length, at, &got), OK);
    assert_int_equal(fd_write_at(arriving->file, bytes, got, at), OK);
    source_fill(arriving->source, &(struct span){at, at + got});
    arriving->blocks++;
}

static void run_to_end(struct arriving *arriving, const struct heard *heard)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (!has_ended(heard)) {
        uv_run(&arriving->stage.loop, UV_RUN_ONCE);
        if (arriving->source != NULL)
            bring_block(arriving);
        assert_true(clock_mono_ms() < deadline);
    }
    if (!heard->is_done)
        fail_msg("%s", heard->why.text);
}

/* `plan` NULL: for making one. Of the whole film where nothing is arriving. */
static void open_film(struct arriving *arriving, const uint8_t *plan, size_t plan_size)
{
    struct source *source = arriving->source;
    int film = source != NULL ? source_fd(source) : arriving->stage.film;
    int map = source != NULL ? source_map_fd(source) : -1;
    assert_int_equal(media_open(arriving->stage.host, film, map, arriving->size, plan, plan_size,
                                "film", false, &events, arriving, &arriving->stage.media),
                     OK);
    if (source != NULL)
        arriving->wants = wants_new(source, arriving->stage.media, arriving->mailbox);
}

static void close_film(struct arriving *arriving)
{
    wants_free(&arriving->wants);
    media_close(&arriving->stage.media);
}

static void make_plan(struct arriving *arriving, struct str *out)
{
    struct heard heard;
    open_film(arriving, NULL, 0);
    heard_init(&heard, &arriving->stage);
    media_plan(arriving->stage.media, true, heard.out, &stage_job_events, &heard);
    run_to_end(arriving, &heard);
    CLEANUP(mem_free_at) char *bytes = mem_zalloc((size_t) heard.size);
    size_t got = 0;
    assert_int_equal(fd_read_at(heard.out, bytes, (size_t) heard.size, 0, &got), OK);
    str_clear(out);
    str_append(out, bytes, got);
    heard_fini(&heard);
    close_film(arriving);
}

/* One segment in a process that has made nothing before it. */
static void make_segment(struct arriving *arriving, const struct str *plan, uint32_t rendition,
                         uint32_t n, struct str *out)
{
    struct heard heard;
    open_film(arriving, (const uint8_t *) plan->at, plan->length);
    ask(&arriving->stage, &heard, rendition, n);
    run_to_end(arriving, &heard);
    str_clear(out);
    str_append(out, heard.text.at, heard.text.length);
    heard_fini(&heard);
    close_film(arriving);
}

/* Nothing of it is there, again. */
static void begin_arriving(struct arriving *arriving)
{
    const struct source_filler filler = {.ctx = arriving, .wake = on_wake};
    const struct source_identity identity = {.size = arriving->size};
    source_unref(&arriving->source);
    fd_close(&arriving->file);
    assert_int_equal(fd_memory("arriving", &arriving->file), OK);
    assert_int_equal(ftruncate(arriving->file, (off_t) arriving->size), 0);
    int fd = fcntl(arriving->file, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(source_new_sparse(&fd, &identity, &filler, &arriving->source), OK);
    arriving->blocks = 0;
}

static void end_arriving(struct arriving *arriving)
{
    source_unref(&arriving->source);
    fd_close(&arriving->file);
}

static int set_up(void **state)
{
    struct arriving *arriving = mem_new(struct arriving);
    stage_init(&arriving->stage, PROGRAM, &(struct media_options){.preset = "ultrafast"});
    arriving->mailbox = mailbox_new(&arriving->stage.loop);
    arriving->file = -1;
    *state = arriving;
    return 0;
}

static int tear_down(void **state)
{
    struct arriving *arriving = *state;
    end_arriving(arriving);
    uv_run(&arriving->stage.loop, UV_RUN_NOWAIT);
    mailbox_free(&arriving->mailbox);
    stage_fini(&arriving->stage);
    mem_free(arriving);
    return 0;
}

/* About 12 MB, so that much of it need not be read for a plan or a segment. */
static void open_whole(struct arriving *arriving, const char *name)
{
    static const char *const words =
        "ffmpeg -v error -y -f lavfi -i testsrc2=size=640x360:rate=25:duration=30,noise=alls=30 "
        "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=30 -c:v libx264 -preset "
        "ultrafast -b:v 3M -maxrate 3M -bufsize 3M -g 50 -pix_fmt yuv420p -c:a aac ";
    struct str path = {0}, command = {0};
    struct stat status;
    str_printf(&path, "%s/tests/arriving.%s", MATINEE_BINARY_DIR, name);
    str_printf(&command, "%s '%s' </dev/null", words, str_text(&path));
    if (access(str_text(&path), R_OK) != 0)
        assert_int_equal(system(str_text(&command)), 0);
    fd_close(&arriving->stage.film);
    arriving->stage.film = open(str_text(&path), O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(arriving->stage.film, &status), 0);
    arriving->size = (uint64_t) status.st_size;
    str_fini(&path);
    str_fini(&command);
}

static void assert_same(const struct str *one, const struct str *two, const char *what)
{
    if (one->length != two->length || memcmp(one->at, two->at, one->length) != 0)
        fail_msg("%s differs: %zu bytes, and %zu", what, one->length, two->length);
}

/* Copied sound needs what stands between its own keys, and no key before; a picture to scrub by, itself. */
static void assert_needs_its_own(const struct arriving *arriving, const struct plan *plan,
                                 uint32_t rendition, uint32_t n)
{
    const uint64_t slack =
        6 * (uint64_t) MAP_BLOCK_BYTES; /* half of what a key and its pictures take */
    uint32_t count = plan_segment_count(plan, rendition);
    int64_t begin = plan_segment_start(plan, rendition, n);
    int64_t end = plan_segment_start(plan, rendition, n + 1);
    int64_t all = plan_segment_start(plan, rendition, count);
    uint64_t share = arriving->size * (uint64_t) (end - begin) / (uint64_t) all;
    assert_in_range(arriving->blocks * MAP_BLOCK_BYTES, 1, share + slack);
}

/* The far segment first. Transcodes are compared by their length: an encoder with two threads does not
 * say the same bytes twice (segment-engine.md 5). */
static void compare_segments(struct arriving *arriving, const struct str *bytes)
{
    struct plan *plan = NULL;
    struct str whole = {0}, arrived = {0};
    assert_int_equal(plan_read((const uint8_t *) bytes->at, bytes->length, &plan, NULL), OK);
    for (uint32_t r = 0; r < plan->rendition_count; r++) {
        const struct plan_rendition *rendition = &plan->renditions[r];
        uint32_t n = plan_segment_count(plan, r) * 3 / 4;
        if (rendition->kind == PLAN_VIDEO && !rendition->is_copy && rendition->height > 240)
            continue;
        struct source *source = arriving->source;
        arriving->source = NULL;
        make_segment(arriving, bytes, r, n, &whole);
        arriving->source = source;
        begin_arriving(arriving);
        make_segment(arriving, bytes, r, n, &arrived);
        if (rendition->kind == PLAN_AUDIO || rendition->is_copy)
            assert_same(&whole, &arrived, rendition->name);
        if (rendition->is_copy && rendition->kind != PLAN_VIDEO)
            assert_needs_its_own(arriving, plan, r, n);
        assert_true(arrived.length > 0);
        if (plan->container != CONTAINER_OTHER)
            assert_true(arriving->blocks * MAP_BLOCK_BYTES < arriving->size / 2);
    }
    str_fini(&whole);
    str_fini(&arrived);
    plan_free(&plan);
}

static void a_film_that_arrives_is_the_film(void **state)
{
    static const char *const names[] = {"film.mkv", "film.mp4", "film.ts"};
    struct arriving *arriving = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str whole = {0}, arrived = {0};
        open_whole(arriving, names[i]);
        make_plan(arriving, &whole);
        begin_arriving(arriving);
        make_plan(arriving, &arrived);
        assert_same(&whole, &arrived, names[i]);
        /* decision 9: the head, the index, and the first of the sampled keys */
        if (strstr(names[i], ".ts") == NULL)
            assert_true(arriving->blocks * MAP_BLOCK_BYTES < arriving->size / 2);
        compare_segments(arriving, &whole);
        end_arriving(arriving);
        str_fini(&whole);
        str_fini(&arrived);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_film_that_arrives_is_the_film, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
