/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disk's cache: keeps, finds, evicts, survives restarts, mistrusts what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "hls/cache.h"

enum { SIZE = 10000, MANY = 1 << 20 };

struct test {
    char folder[64];
};

static int set_up(void **state)
{
    struct test *test = calloc(1, sizeof *test);
    snprintf(test->folder, sizeof test->folder, "/tmp/matinee-cache-XXXXXX");
    assert_non_null(mkdtemp(test->folder));
    *state = test;
    return 0;
}

/* Calls `each` (may be NULL) on every file; returns how many there are. */
static unsigned for_each_file(const struct test *test, void (*each)(const char *path))
{
    unsigned count = 0;
    DIR *folder = opendir(test->folder);
    for (struct dirent *item; (item = readdir(folder)) != NULL;) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", test->folder, item->d_name);
        if (each != NULL)
            each(path);
        count++;
    }
    closedir(folder);
    return count;
}

static void remove_file(const char *path)
{
    unlink(path);
}

static int tear_down(void **state)
{
    struct test *test = *state;
    for_each_file(test, remove_file);
    rmdir(test->folder);
    free(test);
    return 0;
}

static struct cache *open_cache(const struct test *test, uint64_t budget)
{
    struct cache *cache = NULL;
    struct why why = {0};
    if (cache_open(test->folder, budget, &cache, &why) != OK)
        fail_msg("%s", why.text);
    return cache;
}

static struct cache_key key_of(uint8_t n)
{
    struct cache_key key = {{0}};
    key.hash[0] = n;
    return key;
}

static enum err put(struct cache *cache, uint8_t n)
{
    CLEANUP(fd_close) int fd = -1;
    uint8_t bytes[SIZE];
    memset(bytes, n, sizeof bytes);
    assert_int_equal(fd_memory("test", &fd), OK);
    assert_int_equal(fd_write_at(fd, bytes, sizeof bytes, 0), OK);
    struct cache_key key = key_of(n);
    return cache_put(cache, &key, fd, SIZE, "\"a-tag\"");
}

/* True when it is held, and whole. */
static bool find(struct cache *cache, uint8_t n)
{
    struct cache_key key = key_of(n);
    struct segment *segment = NULL;
    if (cache_find(cache, &key, &segment) != OK)
        return false;
    struct segment_view view;
    segment_look(segment, &view);
    assert_int_equal(view.state, SEGMENT_DONE);
    assert_int_equal(view.bytes, SIZE);
    assert_string_equal(view.tag, "\"a-tag\"");
    uint8_t bytes[SIZE];
    size_t got = 0;
    assert_int_equal(segment_read(segment, bytes, SIZE, 0, &got), OK);
    assert_int_equal(got, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(bytes[i], n);
    segment_unref(&segment);
    return true;
}

static void keeps_and_finds(void **state)
{
    struct cache *cache = open_cache(*state, MANY);
    struct cache_key key = key_of(1);
    assert_false(cache_has(cache, &key));
    assert_false(find(cache, 1));
    assert_int_equal(put(cache, 1), OK);
    assert_true(cache_has(cache, &key));
    assert_true(find(cache, 1));
    assert_false(find(cache, 2));
    cache_close(&cache);
    cache_close(&cache);
}

static void survives_a_restart_without_temporary_files(void **state)
{
    struct test *test = *state;
    struct cache *cache = open_cache(test, MANY);
    assert_int_equal(put(cache, 1), OK);
    cache_close(&cache);
    char left[128];
    snprintf(left, sizeof left, "%s/.new-7", test->folder);
    int fd = open(left, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    cache = open_cache(test, MANY);
    assert_int_equal(for_each_file(test, NULL), 1);
    assert_true(find(cache, 1));
    assert_true(cache_bytes(cache) >= SIZE);
    cache_close(&cache);
}

static void least_recently_used_goes_first(void **state)
{
    struct cache *cache = open_cache(*state, 3 * (SIZE + 200));
    for (uint8_t n = 1; n <= 3; n++)
        assert_int_equal(put(cache, n), OK);
    assert_true(find(cache, 1));
    assert_int_equal(put(cache, 4), OK);
    assert_true(find(cache, 1));
    assert_false(find(cache, 2));
    assert_true(find(cache, 3));
    assert_true(find(cache, 4));
    assert_true(cache_bytes(cache) <= 3 * (SIZE + 200));
    cache_close(&cache);
}

static void what_is_larger_than_the_budget_is_not_kept(void **state)
{
    struct cache *cache = open_cache(*state, SIZE);
    assert_int_equal(put(cache, 1), ERR_LIMIT);
    assert_int_equal(for_each_file(*state, NULL), 0);
    cache_close(&cache);
}

static void flip_a_byte(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    close(fd);
}

static void flip_a_tag(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\n", 1, 81), 1);
    close(fd);
}

static void cut_short(const char *path)
{
    assert_int_equal(truncate(path, 5000), 0);
}

static void cut_to_nothing(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void damage_is_found_and_dropped(void **state)
{
    static void (*const damages[])(const char *) = {flip_a_byte, flip_a_tag, cut_short,
                                                    cut_to_nothing, remove_file};
    struct test *test = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct cache *cache = open_cache(test, MANY);
        assert_int_equal(put(cache, 1), OK);
        cache_close(&cache);
        cache = open_cache(test, MANY);
        for_each_file(test, damages[i]);
        assert_false(find(cache, 1));
        assert_int_equal(for_each_file(test, NULL), 0);
        assert_int_equal(cache_bytes(cache), 0);
        assert_int_equal(put(cache, 1), OK);
        assert_true(find(cache, 1));
        cache_close(&cache);
        for_each_file(test, remove_file);
    }
}

/* A file under another's name is not that other's. */
static void the_name_alone_is_not_believed(void **state)
{
    struct test *test = *state;
    struct cache *cache = open_cache(test, MANY);
    assert_int_equal(put(cache, 1), OK);
    cache_close(&cache);
    struct str from = {0};
    struct str to = {0};
    str_printf(&from, "%s/01%062d", test->folder, 0);
    str_printf(&to, "%s/02%062d", test->folder, 0);
    assert_int_equal(rename(str_text(&from), str_text(&to)), 0);
    cache = open_cache(test, MANY);
    assert_false(find(cache, 2));
    cache_close(&cache);
    str_fini(&from);
    str_fini(&to);
}

/* A full disk, played by a limit on file sizes: nothing half-written stays, others are evicted. */
static void a_full_disk_leaves_nothing_behind(void **state)
{
    struct cache *cache = open_cache(*state, MANY);
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(put(cache, 1), OK);
    int fd = -1;
    assert_int_equal(fd_memory("test", &fd), OK);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    struct rlimit small = {5000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct cache_key key = key_of(9);
    enum err kind = cache_put(cache, &key, fd, SIZE, "\"t\"");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(kind, ERR_LIMIT);
    assert_int_equal(for_each_file(*state, NULL), 0);
    assert_int_equal(cache_bytes(cache), 0);
    assert_int_equal(put(cache, 2), OK);
    assert_true(find(cache, 2));
    fd_close(&fd);
    cache_close(&cache);
}

static void a_folder_that_cannot_be_is_said(void **state)
{
    (void) state;
    struct cache *cache = NULL;
    struct why why = {0};
    assert_int_not_equal(cache_open("/nowhere/at/all", MANY, &cache, &why), OK);
    assert_non_null(strstr(why.text, "/nowhere/at/all"));
    assert_null(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_and_finds),
        TEST(survives_a_restart_without_temporary_files),
        TEST(least_recently_used_goes_first),
        TEST(what_is_larger_than_the_budget_is_not_kept),
        TEST(damage_is_found_and_dropped),
        TEST(the_name_alone_is_not_believed),
        TEST(a_full_disk_leaves_nothing_behind),
        TEST(a_folder_that_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
