/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of base/fd.c and base/cond.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/fd.h"
#include "base/mem.h"

/* Longer than one step of a copy, and not a whole number of them. */
enum { SIZE = 3 * 1024 * 1024 + 77 };

struct place {
    char folder[64];
    int fd; /* the folder */
};

static int make_place(void **state)
{
    struct place *place = mem_new(struct place);
    snprintf(place->folder, sizeof place->folder, "/tmp/matinee-fd-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->fd >= 0);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = {"from", "to", "taken"};
    struct place *place = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(place->fd, names[i], 0);
    close(place->fd);
    assert_int_equal(rmdir(place->folder), 0);
    mem_free(place);
    return 0;
}

static int make_file(const struct place *place, const char *name)
{
    int fd = openat(place->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static uint8_t *some_bytes(void)
{
    uint8_t *bytes = mem_new_array(uint8_t, SIZE);
    for (uint32_t i = 0, x = 1; i < SIZE; i++, x = x * 1664525 + 1013904223)
        bytes[i] = (uint8_t) (x >> 24);
    return bytes;
}

static void assert_holds(int fd, const uint8_t *bytes)
{
    uint8_t *read = mem_new_array(uint8_t, SIZE + 1);
    size_t got = 0;
    assert_int_equal(fd_read_at(fd, read, SIZE + 1, 0, &got), OK);
    assert_int_equal(got, SIZE);
    assert_memory_equal(read, bytes, SIZE);
    mem_free(read);
}

static void a_copy_is_whole(void **state)
{
    struct place *place = *state;
    CLEANUP(fd_close) int from = make_file(place, "from");
    CLEANUP(fd_close) int to = make_file(place, "to");
    /* not a file of a disk: the kernel copies nothing to it */
    CLEANUP(fd_close) int memory = -1;
    uint8_t *bytes = some_bytes();
    atomic_bool is_over = false;
    assert_int_equal(fd_memory("copy", &memory), OK);
    assert_int_equal(fd_write_at(from, bytes, SIZE, 0), OK);
    assert_int_equal(fd_copy(from, to, &is_over), OK);
    assert_holds(to, bytes);
    assert_int_equal(fd_copy(from, memory, NULL), OK);
    assert_holds(memory, bytes);
    mem_free(bytes);
}

static void a_copy_ends_where_nobody_wants_it(void **state)
{
    struct place *place = *state;
    CLEANUP(fd_close) int from = make_file(place, "from");
    CLEANUP(fd_close) int to = make_file(place, "to");
    atomic_bool is_over = true;
    assert_int_equal(fd_write_at(from, "x", 1, 0), OK);
    assert_int_equal(fd_copy(from, to, &is_over), ERR_CANCELLED);
    assert_int_equal(lseek(to, 0, SEEK_END), 0);
}

static void a_copy_tells_that_there_is_no_room(void **state)
{
    struct place *place = *state;
    CLEANUP(fd_close) int from = make_file(place, "from");
    CLEANUP(fd_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_int_equal(fd_write_at(from, "x", 1, 0), OK);
    assert_int_equal(fd_copy(from, full, NULL), ERR_LIMIT);
}

static void a_new_name_takes_nobodys(void **state)
{
    struct place *place = *state;
    char from[80];
    snprintf(from, sizeof from, "%s/from", place->folder);
    close(make_file(place, "from"));
    close(make_file(place, "taken"));
    assert_int_equal(fd_rename_new(from, place->fd, "taken"), ERR_BUSY);
    assert_int_equal(access(from, F_OK), 0);
    assert_int_equal(fd_rename_new(from, place->fd, "to"), OK);
    assert_int_equal(faccessat(place->fd, "to", F_OK, 0), 0);
    assert_int_equal(fd_rename_new(from, place->fd, "other"), ERR_IO);
}

static void a_wait_ends_in_time(void **state)
{
    (void) state;
    enum { WAIT_MS = 30 };
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    cond_init(&cond);
    pthread_mutex_lock(&lock);
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    while (cond_wait(&cond, &lock, until_ms)) /* nobody wakes it; it may wake by itself */
        continue;
    assert_true(clock_mono_ms() >= until_ms);
    assert_false(cond_wait(&cond, &lock, 0));
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_whole, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_copy_ends_where_nobody_wants_it, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_copy_tells_that_there_is_no_room, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_new_name_takes_nobodys, make_place, remove_place),
        cmocka_unit_test(a_wait_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
