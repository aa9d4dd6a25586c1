/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads of a film that is still filling. */
#include "segments/input.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define BLOCKS      20
#define FILM_BYTES  (BLOCKS * INPUT_BLOCK_BYTES - 1000)
#define CYCLE_COUNT 1000

/* A film in memory, its map, and a thread that brings blocks. */
struct scene {
    int film, map;
    uint8_t *bits;
    struct input *input;
    uint8_t *bytes;
    _Atomic uint64_t want_count, want_at, want_length;
    _Atomic bool is_done;
    _Atomic uint64_t reads;
};

static void on_want(void *ctx, uint64_t offset, uint64_t length)
{
    struct scene *scene = ctx;
    atomic_store(&scene->want_at, offset);
    atomic_store(&scene->want_length, length);
    atomic_fetch_add(&scene->want_count, 1);
}
static const struct input_ops ops = {on_want};

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->bytes = mem_zalloc(FILM_BYTES);
    for (size_t i = 0; i < FILM_BYTES; i += 32)
        scene->bytes[i] = (uint8_t) (i / 32 * 7 + i / INPUT_BLOCK_BYTES);
    assert_int_equal(fd_memory("film", &scene->film), OK);
    assert_int_equal(fd_memory("map", &scene->map), OK);
    assert_int_equal(ftruncate(scene->film, FILM_BYTES), 0);
    assert_int_equal(ftruncate(scene->map, 4096), 0);
    scene->bits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, scene->map, 0);
    assert_true(scene->bits != MAP_FAILED);
    int film = dup(scene->film), map = dup(scene->map);
    assert_int_equal(input_open(&film, &map, FILM_BYTES, &ops, scene, &scene->input), OK);
    assert_int_equal(film, -1);
    assert_int_equal(map, -1);
}

static void scene_fini(struct scene *scene)
{
    input_close(&scene->input);
    munmap(scene->bits, 4096);
    fd_close(&scene->film);
    fd_close(&scene->map);
    mem_free(scene->bytes);
}

static void bring(struct scene *scene, unsigned block)
{
    size_t at = (size_t) block * INPUT_BLOCK_BYTES;
    size_t size = FILM_BYTES - at < INPUT_BLOCK_BYTES ? FILM_BYTES - at : INPUT_BLOCK_BYTES;
    assert_int_equal(fd_write_at(scene->film, scene->bytes + at, size, at), OK);
    __atomic_fetch_or(&scene->bits[block / 8], (uint8_t) (1U << block % 8), __ATOMIC_RELEASE);
    input_wake(scene->input);
}

static void whole_file_needs_no_map(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    int film = dup(scene.film), none = -1;
    struct input *input = NULL;
    uint8_t bytes[100];
    size_t got = 0;
    bring(&scene, BLOCKS - 1);
    assert_int_equal(input_open(&film, &none, FILM_BYTES, NULL, NULL, &input), OK);
    struct reader reader = {.input = input};
    assert_true(input_is_whole(input));
    assert_true(reader_has(&reader, 0, FILM_BYTES));
    assert_false(reader_has(&reader, 0, FILM_BYTES + 1));
    assert_false(reader_has(&reader, FILM_BYTES, 0));
    assert_false(reader_has(&reader, UINT64_MAX, UINT64_MAX));
    assert_int_equal(reader_read(&reader, bytes, sizeof bytes, FILM_BYTES - 60, &got), OK);
    assert_int_equal(got, 60);
    assert_memory_equal(bytes, scene.bytes + FILM_BYTES - 60, 60);
    assert_int_equal(reader_read(&reader, bytes, sizeof bytes, FILM_BYTES, &got), OK);
    assert_int_equal(got, 0);
    assert_int_equal(reader_read(&reader, bytes, sizeof bytes, UINT64_MAX, &got), OK);
    assert_int_equal(got, 0);
    assert_int_equal(reader.bytes_read, 60);
    input_close(&input);
    scene_fini(&scene);
}

static void shorter_file_is_gone(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    int film = dup(scene.film), none = -1;
    struct input *input = NULL;
    uint8_t bytes[100];
    size_t got = 0;
    assert_int_equal(input_open(&film, &none, FILM_BYTES, NULL, NULL, &input), OK);
    struct reader reader = {.input = input};
    assert_int_equal(ftruncate(scene.film, 1000), 0);
    assert_int_equal(reader_read(&reader, bytes, sizeof bytes, 950, &got), ERR_GONE);
    input_close(&input);
    scene_fini(&scene);
}

static void too_small_a_map_is_refused(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    int film = dup(scene.film), map = dup(scene.map);
    struct input *input = NULL;
    assert_int_equal(
        input_open(&film, &map, UINT64_C(8) * 4096 * INPUT_BLOCK_BYTES + 1, NULL, NULL, &input),
        ERR_IO);
    assert_int_equal(film, -1);
    assert_null(input);
    scene_fini(&scene);
}

struct reading {
    struct scene *scene;
    uint64_t at;
    size_t size;
    _Atomic bool cancelled;
    enum err result;
    bool is_right;
};

static void *read_in_thread(void *arg)
{
    struct reading *reading = arg;
    struct reader reader = {.input = reading->scene->input, .cancelled = &reading->cancelled};
    uint8_t *bytes = mem_zalloc(reading->size);
    size_t got = 0;
    reading->result = reader_read(&reader, bytes, reading->size, reading->at, &got);
    reading->is_right = reading->result == OK && got == reading->size &&
                        memcmp(bytes, reading->scene->bytes + reading->at, got) == 0;
    mem_free(bytes);
    return NULL;
}

static void wait_for_want(struct scene *scene, uint64_t count)
{
    int64_t deadline = clock_mono_ms() + 5000;
    while (atomic_load(&scene->want_count) < count && clock_mono_ms() < deadline)
        usleep(200);
    assert_true(atomic_load(&scene->want_count) >= count);
}

static void read_wants_what_is_missing(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    bring(&scene, 2);
    bring(&scene, 6);
    struct reading reading = {
        .scene = &scene, .at = 2 * INPUT_BLOCK_BYTES + 5, .size = 4 * INPUT_BLOCK_BYTES};
    pthread_t thread;
    pthread_create(&thread, NULL, read_in_thread, &reading);
    wait_for_want(&scene, 1);
    assert_int_equal(scene.want_at, 3 * INPUT_BLOCK_BYTES);
    assert_int_equal(scene.want_length, 3 * INPUT_BLOCK_BYTES);
    bring(&scene, 4);
    bring(&scene, 3);
    wait_for_want(&scene, 2);
    bring(&scene, 5);
    pthread_join(thread, NULL);
    assert_int_equal(reading.result, OK);
    assert_true(reading.is_right);
    assert_false(input_is_whole(scene.input));
    scene_fini(&scene);
}

static void *bring_all(void *arg)
{
    struct scene *scene = arg;
    for (unsigned i = 0; i < BLOCKS; i++) {
        bring(scene, i * 7 % BLOCKS);
        usleep(500);
    }
    return NULL;
}

static void many_readers_while_it_fills(void **state)
{
    (void) state;
    struct scene scene;
    struct reading readings[8];
    pthread_t readers[8], filler;
    scene_init(&scene);
    for (unsigned i = 0; i < 8; i++) {
        readings[i] = (struct reading){.scene = &scene, .at = i * 100000, .size = 200000 + i};
        pthread_create(&readers[i], NULL, read_in_thread, &readings[i]);
    }
    pthread_create(&filler, NULL, bring_all, &scene);
    pthread_join(filler, NULL);
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(readers[i], NULL);
        assert_true(readings[i].is_right);
    }
    assert_true(input_is_whole(scene.input));
    scene_fini(&scene);
}

/* Takes block 0 away, the bit first, and brings it back when a reader has noticed, over and over. */
static void *evict_and_bring(void *arg)
{
    struct scene *scene = arg;
    uint8_t *zeros = mem_zalloc(INPUT_BLOCK_BYTES);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t wants = atomic_load(&scene->want_count);
        __atomic_fetch_and(&scene->bits[0], (uint8_t) ~1U, __ATOMIC_SEQ_CST);
        assert_int_equal(fd_write_at(scene->film, zeros, INPUT_BLOCK_BYTES, 0), OK);
        wait_for_want(scene, wants + 1);
        uint64_t reads = atomic_load(&scene->reads);
        bring(scene, 0);
        while (atomic_load(&scene->reads) == reads)
            sched_yield();
    }
    mem_free(zeros);
    atomic_store(&scene->is_done, true);
    return NULL;
}

static void evicted_bytes_are_never_handed_out(void **state)
{
    (void) state;
    struct scene scene;
    pthread_t thread;
    scene_init(&scene);
    bring(&scene, 0);
    pthread_create(&thread, NULL, evict_and_bring, &scene);
    while (!atomic_load(&scene.is_done)) {
        struct reading reading = {.scene = &scene, .at = 100, .size = 60000};
        read_in_thread(&reading);
        assert_true(reading.is_right);
        atomic_fetch_add(&scene.reads, 1);
    }
    pthread_join(thread, NULL);
    scene_fini(&scene);
}

static void what_came_and_went_is_wanted_again(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    struct reading reading = {.scene = &scene, .at = 0, .size = 1000};
    pthread_t thread;
    pthread_create(&thread, NULL, read_in_thread, &reading);
    wait_for_want(&scene, 1);
    wait_for_want(&scene, 2); /* nothing came: said again after a second */
    bring(&scene, 0);
    pthread_join(thread, NULL);
    assert_true(reading.is_right);
    scene_fini(&scene);
}

/* segment-engine.md 14.22 */
static void case_22_blocked_read_is_cancelled_at_once(void **state)
{
    (void) state;
    struct scene scene;
    scene_init(&scene);
    struct reading reading = {.scene = &scene, .at = 0, .size = 1000};
    pthread_t thread;
    pthread_create(&thread, NULL, read_in_thread, &reading);
    wait_for_want(&scene, 1);
    int64_t start = clock_mono_ms();
    atomic_store(&reading.cancelled, true);
    input_wake(scene.input);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - start < 100);
    assert_int_equal(reading.result, ERR_CANCELLED);
    read_in_thread(&reading);
    assert_int_equal(reading.result, ERR_CANCELLED);
    scene_fini(&scene);
}

static long resident_kb(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * 4;
}

static unsigned count_fds(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void case_22_thousand_aborted_reads_leak_nothing(void **state)
{
    (void) state;
    struct scene scene;
    long before = 0;
    unsigned fds = count_fds();
    for (int i = 0; i < CYCLE_COUNT; i++) {
        scene_init(&scene);
        struct reading reading = {.scene = &scene, .at = 0, .size = 1000};
        pthread_t thread;
        pthread_create(&thread, NULL, read_in_thread, &reading);
        if (i % 2 == 0)
            wait_for_want(&scene, 1);
        atomic_store(&reading.cancelled, true);
        input_wake(scene.input);
        pthread_join(thread, NULL);
        assert_int_equal(reading.result, ERR_CANCELLED);
        scene_fini(&scene);
        if (i == 100)
            before = resident_kb();
    }
    assert_int_equal(count_fds(), fds);
#ifndef MATINEE_SANITIZE /* sanitizers keep freed memory for a while; they look for leaks themselves */
    assert_true(resident_kb() - before < 4096);
#else
    (void) before;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file_needs_no_map),
        cmocka_unit_test(shorter_file_is_gone),
        cmocka_unit_test(too_small_a_map_is_refused),
        cmocka_unit_test(read_wants_what_is_missing),
        cmocka_unit_test(many_readers_while_it_fills),
        cmocka_unit_test(evicted_bytes_are_never_handed_out),
        cmocka_unit_test(what_came_and_went_is_wanted_again),
        cmocka_unit_test(case_22_blocked_read_is_cancelled_at_once),
        cmocka_unit_test(case_22_thousand_aborted_reads_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
