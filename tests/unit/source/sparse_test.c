/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources that fill: what is there, waits and watches, and that nobody ever reads a hole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "source/source_private.h"

#define BLOCK ((uint64_t) MAP_BLOCK_BYTES)
enum { BLOCKS = 20, TAIL = 1000 };
#define SIZE (BLOCKS * BLOCK + TAIL)

struct bed {
    struct source *source;
    struct loop *loop;
    int file; /* for writing */
    atomic_uint wakes, closed;
};

static void on_wake(void *ctx)
{
    atomic_fetch_add(&((struct bed *) ctx)->wakes, 1);
}

static void on_closed(void *ctx)
{
    atomic_fetch_add(&((struct bed *) ctx)->closed, 1);
}

static int make_bed(void **state)
{
    struct bed *bed = mem_new(struct bed);
    const struct source_filler filler = {bed, on_wake, on_closed};
    const struct source_identity identity = {.size = SIZE, .hash = {1, 2, 3}};
    assert_int_equal(fd_memory("film", &bed->file), OK);
    assert_int_equal(ftruncate(bed->file, (off_t) SIZE), 0);
    int fd = fcntl(bed->file, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(source_new_sparse(&fd, &identity, &filler, &bed->source), OK);
    assert_int_equal(fd, -1);
    assert_int_equal(loop_start("asker", &bed->loop), OK);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    loop_stop(&bed->loop);
    source_unref(&bed->source);
    assert_int_equal(atomic_load(&bed->closed), 1);
    fd_close(&bed->file);
    mem_free(bed);
    return 0;
}

static unsigned char byte_at(uint64_t offset)
{
    return (unsigned char) (1 + offset * 31 % 251); /* never 0, which is a hole's */
}

static void put(struct bed *bed, uint64_t begin, uint64_t end)
{
    CLEANUP(mem_free_at) unsigned char *bytes = mem_zalloc(end - begin + 1);
    for (uint64_t at = begin; at < end; at++)
        bytes[at - begin] = byte_at(at);
    assert_int_equal(fd_write_at(bed->file, bytes, end - begin, begin), OK);
    source_fill(bed->source, &(struct span){begin, end});
}

static bool is_right(const unsigned char *bytes, size_t size, uint64_t offset)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(offset + i))
            return false;
    return true;
}

/* --- what is there --- */

static void a_block_is_there_when_all_of_it_is(void **state)
{
    struct bed *bed = *state;
    unsigned char bytes[100];
    size_t got = 0;
    put(bed, 10, 2 * BLOCK - 1);
    assert_true(source_has(bed->source, BLOCK - 10, 10) == false); /* bytes 0 to 9 are missing */
    assert_int_equal(source_read(bed->source, bytes, 100, 50, &got), ERR_NOT_FOUND);
    put(bed, 0, 10);
    assert_true(source_has(bed->source, 0, BLOCK));
    assert_false(source_has(bed->source, 0, BLOCK + 1));
    assert_int_equal(source_read(bed->source, bytes, 100, 50, &got), OK);
    assert_true(got == 100 && is_right(bytes, 100, 50));
    /* What lies before the hole is read: a larger buffer must not wait for what nobody waits for. */
    assert_int_equal(source_read(bed->source, bytes, 100, BLOCK - 50, &got), OK);
    assert_true(got == 50 && is_right(bytes, 50, BLOCK - 50));
    assert_int_equal(source_read(bed->source, bytes, 100, BLOCK, &got), ERR_NOT_FOUND);
    put(bed, SIZE - TAIL, SIZE);
    assert_int_equal(source_read(bed->source, bytes, 100, SIZE - 60, &got), OK);
    assert_int_equal(got, 60);
    assert_int_equal(source_read(bed->source, bytes, 100, SIZE, &got), ERR_BAD_INPUT);
    struct span here[4];
    assert_int_equal(source_here(bed->source, here, 4), 2);
    assert_true(here[0].begin == 0 && here[0].end == 2 * BLOCK - 1);
    assert_true(here[1].begin == SIZE - TAIL && here[1].end == SIZE);
    assert_true(source_is_unchanged(bed->source));
}

/* Decision 18: what a media process is given shows the bits, and cannot change them. */
static void the_map_can_be_read_and_not_written(void **state)
{
    struct bed *bed = *state;
    unsigned char bits[4] = {0};
    int fd = source_map_fd(bed->source);
    put(bed, 0, BLOCK);
    put(bed, 9 * BLOCK, 11 * BLOCK);
    assert_int_equal(pread(fd, bits, sizeof bits, 0), BLOCKS / 8 + 1);
    assert_int_equal(bits[0], 1);
    assert_int_equal(bits[1], 6);
    assert_int_equal(pwrite(fd, bits, 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_ptr_equal(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    const unsigned char *seen = mmap(NULL, 3, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    source_drop(bed->source, &(struct span){9 * BLOCK + 5, 9 * BLOCK + 6});
    assert_int_equal(seen[1], 4);
    munmap((void *) (uintptr_t) seen, 3);
}

/* --- waits --- */

struct asked {
    struct bed *bed;
    struct span span;
    enum source_urgency urgency;
    struct source_wait *wait;
    struct source_watch *watch;
    /* the loop's until told */
    sem_t told;
    unsigned calls;
    enum err kind;
    struct why why;
};

static void on_ready(void *ctx, enum err kind, const struct why *why)
{
    struct asked *asked = ctx;
    asked->calls++;
    asked->kind = kind;
    asked->why = *why;
    sem_post(&asked->told);
}

static void do_want(void *ctx)
{
    struct asked *asked = ctx;
    asked->wait = source_want(asked->bed->source, &asked->span, asked->urgency,
                              loop_mailbox(asked->bed->loop), on_ready, asked);
}

static void want(struct bed *bed, struct asked *asked, uint64_t begin, uint64_t end,
                 enum source_urgency urgency)
{
    *asked = (struct asked){.bed = bed, .span = {begin, end}, .urgency = urgency};
    sem_init(&asked->told, 0, 0);
    loop_call(bed->loop, do_want, asked);
}

static void do_unwant(void *ctx)
{
    struct asked *asked = ctx;
    source_unwant(&asked->wait);
    source_unwatch(&asked->watch);
}

static void unwant(struct asked *asked)
{
    loop_call(asked->bed->loop, do_unwant, asked);
    sem_destroy(&asked->told);
}

static void nothing(void *ctx)
{
    (void) ctx;
}

static unsigned calls(struct asked *asked)
{
    loop_call(asked->bed->loop, nothing, NULL); /* what was posted before has run */
    return asked->calls;
}

static void who_waits_is_told_when_all_of_it_is_there(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    struct source_wanted wanted[2];
    want(bed, &asked, BLOCK + 5, 2 * BLOCK + 7, SOURCE_NOW);
    assert_int_equal(atomic_load(&bed->wakes), 1);
    assert_int_equal(source_wants(bed->source, wanted, 2), 1);
    assert_true(wanted[0].span.begin == BLOCK && wanted[0].span.end == 3 * BLOCK);
    put(bed, BLOCK, 3 * BLOCK - 1);
    assert_int_equal(calls(&asked), 0);
    put(bed, 3 * BLOCK - 1, 3 * BLOCK);
    sem_wait(&asked.told);
    assert_int_equal(asked.kind, OK);
    assert_true(source_has(bed->source, BLOCK + 5, BLOCK + 2));
    assert_int_equal(source_wants(bed->source, wanted, 2), 0);
    put(bed, 0, SIZE);
    assert_int_equal(calls(&asked), 1);
    unwant(&asked);
}

static void what_is_there_is_told_at_once(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    put(bed, SIZE - TAIL - BLOCK, SIZE);
    want(bed, &asked, SIZE - 3, SIZE + 500, SOURCE_NOW); /* past the end there is nothing */
    sem_wait(&asked.told);
    assert_int_equal(asked.kind, OK);
    assert_int_equal(atomic_load(&bed->wakes), 0);
    unwant(&asked);
}

static void who_gave_up_is_not_told_and_not_fetched_for(void **state)
{
    struct bed *bed = *state;
    struct asked one, two;
    struct source_wanted wanted[4];
    want(bed, &one, 0, 1, SOURCE_AHEAD);
    want(bed, &two, 5 * BLOCK, 5 * BLOCK + 1, SOURCE_NOW);
    assert_int_equal(source_wants(bed->source, wanted, 4), 2);
    assert_int_equal(wanted[0].urgency, SOURCE_NOW);
    assert_int_equal(wanted[1].span.begin, 0);
    unsigned wakes = atomic_load(&bed->wakes);
    loop_call(bed->loop, do_unwant, &two);
    assert_int_equal(atomic_load(&bed->wakes), wakes + 1);
    assert_int_equal(source_wants(bed->source, wanted, 4), 1);
    put(bed, 0, SIZE);
    assert_int_equal(calls(&two), 0);
    assert_int_equal(calls(&one), 1);
    unwant(&one);
    sem_destroy(&two.told);
}

static void a_source_that_is_given_up_tells_all(void **state)
{
    struct bed *bed = *state;
    struct asked early, late;
    struct why why = {0};
    want(bed, &early, 0, 1, SOURCE_NOW);
    source_fail(bed->source, ERR_GONE, (why_set(&why, ERR_GONE, NULL, "taken away"), &why));
    want(bed, &late, 0, 1, SOURCE_NOW);
    sem_wait(&early.told);
    sem_wait(&late.told);
    assert_int_equal(early.kind, ERR_GONE);
    assert_int_equal(late.kind, ERR_GONE);
    assert_string_equal(late.why.text, "taken away");
    assert_false(source_is_unchanged(bed->source));
    unwant(&early);
    unwant(&late);
}

static void on_arrived(void *ctx)
{
    struct asked *asked = ctx;
    asked->calls++;
    sem_post(&asked->told);
}

static void do_watch(void *ctx)
{
    struct asked *asked = ctx;
    asked->watch =
        source_watch(asked->bed->source, loop_mailbox(asked->bed->loop), on_arrived, asked);
    /* Nothing of this is told before we return: it is one piece of news. */
    for (uint64_t i = 0; i < 5; i++)
        source_fill(asked->bed->source, &(struct span){i * BLOCK, (i + 1) * BLOCK});
}

static void who_watches_hears_of_what_comes(void **state)
{
    struct bed *bed = *state;
    struct asked asked = {.bed = bed};
    sem_init(&asked.told, 0, 0);
    loop_call(bed->loop, do_watch, &asked);
    sem_wait(&asked.told);
    assert_int_equal(calls(&asked), 1);
    put(bed, 7 * BLOCK, 8 * BLOCK);
    sem_wait(&asked.told);
    assert_int_equal(calls(&asked), 2);
    unwant(&asked);
    put(bed, 8 * BLOCK, 9 * BLOCK);
    assert_int_equal(calls(&asked), 2);
}

/* --- bytes that are taken away --- */

struct reading {
    struct bed *bed;
    unsigned seed;
    unsigned right, absent, wrong;
    atomic_bool *is_over;
};

static void *read_about(void *arg)
{
    struct reading *reading = arg;
    unsigned char *bytes = mem_zalloc(3 * MAP_BLOCK_BYTES);
    while (!atomic_load(reading->is_over)) {
        uint64_t offset = (uint64_t) rand_r(&reading->seed) % SIZE;
        size_t size = 1 + (size_t) rand_r(&reading->seed) % (3 * MAP_BLOCK_BYTES), got = 0;
        enum err err = rand_r(&reading->seed) % 2 == 0
                           ? source_read(reading->bed->source, bytes, size, offset, &got)
                           : source_read_now(reading->bed->source, bytes, size, offset, &got);
        if (err == OK && is_right(bytes, got, offset))
            reading->right++;
        else if (err == ERR_NOT_FOUND || err == ERR_AGAIN)
            reading->absent++;
        else
            reading->wrong++;
    }
    mem_free(bytes);
    return NULL;
}

/* Decision 18: whoever removes bytes clears bits first, waits for reads in flight, then punches. */
static void nobody_reads_a_hole(void **state)
{
    enum { READERS = 3, ROUNDS = 1500 };
    struct bed *bed = *state;
    struct reading readings[READERS];
    pthread_t threads[READERS];
    atomic_bool is_over = false;
    unsigned seed = 5, right = 0, absent = 0;
    put(bed, 0, SIZE);
    for (unsigned i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.bed = bed, .seed = i + 1, .is_over = &is_over};
        assert_int_equal(pthread_create(&threads[i], NULL, read_about, &readings[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = (uint64_t) rand_r(&seed) % SIZE;
        uint64_t end = begin + (uint64_t) rand_r(&seed) % (2 * BLOCK);
        struct span span = {begin, end < SIZE ? end : SIZE};
        static const unsigned char zeros[2 * MAP_BLOCK_BYTES];
        source_drop(bed->source, &span);
        assert_int_equal(fd_write_at(bed->file, zeros, span.end - span.begin, span.begin), OK);
        put(bed, span.begin, span.end);
    }
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
        right += readings[i].right;
        absent += readings[i].absent;
    }
    assert_true(right > 0 && absent > 0);
}

struct dropping {
    struct bed *bed;
    atomic_bool is_done;
};

static void *drop_first_block(void *arg)
{
    struct dropping *dropping = arg;
    source_drop(dropping->bed->source, &(struct span){0, BLOCK});
    atomic_store(&dropping->is_done, true);
    return NULL;
}

/* The same, step by step: only what began before the bits were cleared is waited for. */
static void reads_in_flight_are_waited_for(void **state)
{
    struct bed *bed = *state;
    struct sparse *sparse = bed->source->sparse;
    struct dropping dropping = {.bed = bed};
    pthread_t thread;
    put(bed, 0, SIZE);
    unsigned early = sparse_enter(sparse);
    assert_int_equal(pthread_create(&thread, NULL, drop_first_block, &dropping), 0);
    while (source_has(bed->source, 0, 1))
        usleep(1000);
    usleep(50 * 1000);
    assert_false(atomic_load(&dropping.is_done));
    unsigned late = sparse_enter(sparse);
    sparse_leave(sparse, early);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&dropping.is_done));
    sparse_leave(sparse, late);
}

static void a_whole_source_waits_for_nothing(void **state)
{
    struct bed *bed = *state;
    char path[] = "/tmp/matinee-whole-XXXXXX";
    CLEANUP(fd_close) int fd = mkstemp(path);
    struct source *whole = NULL;
    struct span here;
    struct source *sparse = bed->source;
    struct asked asked;
    assert_int_equal(write(fd, "film", 4), 4);
    assert_int_equal(source_open_local(path, &whole, NULL), OK);
    unlink(path);
    bed->source = whole;
    want(bed, &asked, 0, 4, SOURCE_NOW);
    bed->source = sparse;
    sem_wait(&asked.told);
    assert_int_equal(asked.kind, OK);
    unwant(&asked);
    assert_int_equal(source_here(whole, &here, 1), 1);
    assert_true(here.begin == 0 && here.end == 4);
    assert_int_equal(source_map_fd(whole), -1);
    source_unref(&whole);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_block_is_there_when_all_of_it_is),
        IN_BED(the_map_can_be_read_and_not_written),
        IN_BED(who_waits_is_told_when_all_of_it_is_there),
        IN_BED(what_is_there_is_told_at_once),
        IN_BED(who_gave_up_is_not_told_and_not_fetched_for),
        IN_BED(a_source_that_is_given_up_tells_all),
        IN_BED(who_watches_hears_of_what_comes),
        IN_BED(nobody_reads_a_hole),
        IN_BED(reads_in_flight_are_waited_for),
        IN_BED(a_whole_source_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
