/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Local sources: what is opened, what is refused, identity, reads of files that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "source/source.h"

struct folder {
    char path[64];
};

static const char *in(const struct folder *folder, const char *name, struct str *out)
{
    str_clear(out);
    str_printf(out, "%s/%s", folder->path, name);
    return str_text(out);
}

static void write_file(const char *path, size_t size, unsigned char seed)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    unsigned char block[4096];
    for (size_t at = 0; at < size; at += sizeof block) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (unsigned char) (seed + at / sizeof block + i);
        size_t step = size - at < sizeof block ? size - at : sizeof block;
        assert_int_equal(fd_write_at(fd, block, step, at), OK);
    }
    close(fd);
}

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    snprintf(folder->path, sizeof folder->path, "/tmp/matinee-source-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    static const char *const names[] = {"a", "b", "link", "fifo", "dir"};
    struct str path = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(in(folder, names[i], &path));
    remove(folder->path);
    str_fini(&path);
    free(folder);
    return 0;
}

static void opens_a_file_and_reads_it(void **state)
{
    struct str path = {0};
    write_file(in(*state, "a", &path), 200000, 3);
    struct source *source = NULL;
    assert_int_equal(source_open_local(str_text(&path), &source, NULL), OK);
    assert_int_equal(source_size(source), 200000);
    assert_true(source_is_unchanged(source));
    unsigned char bytes[8] = {0};
    size_t got = 0;
    assert_int_equal(source_read(source, bytes, 8, 4096, &got), OK);
    assert_int_equal(got, 8);
    assert_int_equal(bytes[0], 4);
    /* Just written: in the page cache. tmpfs and others may not know RWF_NOWAIT. */
    enum err now = source_read_now(source, bytes, 8, 199996, &got);
    assert_true(now == ERR_AGAIN || (now == OK && got == 4));
    assert_int_equal(source_read_now(source, bytes, 8, 200000, &got), ERR_BAD_INPUT);
    assert_int_equal(source_read(source, bytes, 8, UINT64_MAX, &got), ERR_BAD_INPUT);
    source_unref(&source);
    assert_null(source);
    str_fini(&path);
}

static void knows_what_is_inside(void **state)
{
    struct str path = {0};
    write_file(in(*state, "a", &path), 1000, 3);
    struct source *source = NULL;
    assert_int_equal(source_open_local(str_text(&path), &source, NULL), OK);
    assert_true(source_has(source, 0, 1000));
    assert_true(source_has(source, 1000, 0));
    assert_false(source_has(source, 1, 1000));
    assert_false(source_has(source, UINT64_MAX, 2));
    assert_false(source_has(source, 2, UINT64_MAX));
    source_unref(&source);
    str_fini(&path);
}

static void refuses_what_is_no_file(void **state)
{
    struct str path = {0};
    struct str other = {0};
    struct source *source = NULL;
    struct why why = {0};
    assert_int_equal(source_open_local(in(*state, "none", &path), &source, &why), ERR_NOT_FOUND);
    assert_int_equal(mkfifo(in(*state, "fifo", &path), 0600), 0);
    assert_int_equal(source_open_local(str_text(&path), &source, &why), ERR_REFUSED);
    assert_int_equal(mkdir(in(*state, "dir", &path), 0700), 0);
    assert_int_equal(source_open_local(str_text(&path), &source, &why), ERR_REFUSED);
    assert_string_equal(why.text, "it is a folder, not a file");
    write_file(in(*state, "a", &path), 10, 1);
    assert_int_equal(symlink(str_text(&path), in(*state, "link", &other)), 0);
    assert_int_equal(source_open_local(str_text(&other), &source, &why), ERR_REFUSED);
    assert_int_equal(source_open_local("/dev/null", &source, &why), ERR_REFUSED);
    assert_null(source);
    str_fini(&path);
    str_fini(&other);
}

static void identity_follows_the_bytes_not_the_name(void **state)
{
    struct str a = {0};
    struct str b = {0};
    write_file(in(*state, "a", &a), 300000, 1);
    struct source *first = NULL;
    assert_int_equal(source_open_local(str_text(&a), &first, NULL), OK);
    struct source_identity before = *source_identity(first);
    source_unref(&first);
    assert_int_equal(rename(str_text(&a), in(*state, "b", &b)), 0);
    assert_int_equal(source_open_local(str_text(&b), &first, NULL), OK);
    assert_true(source_identity_equal(&before, source_identity(first)));
    source_unref(&first);
    write_file(str_text(&b), 300000, 2);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
    times[1].tv_sec = before.mtime_ns / 1000000000;
    times[1].tv_nsec = (long) (before.mtime_ns % 1000000000);
    assert_int_equal(utimensat(AT_FDCWD, str_text(&b), times, 0), 0);
    assert_int_equal(source_open_local(str_text(&b), &first, NULL), OK);
    assert_false(source_identity_equal(&before, source_identity(first)));
    source_unref(&first);
    str_fini(&a);
    str_fini(&b);
}

static void notices_a_file_that_changed(void **state)
{
    struct str path = {0};
    write_file(in(*state, "a", &path), 100000, 1);
    struct source *source = NULL;
    assert_int_equal(source_open_local(str_text(&path), &source, NULL), OK);
    assert_int_equal(truncate(str_text(&path), 50000), 0);
    assert_false(source_is_unchanged(source));
    unsigned char bytes[16];
    size_t got = 0;
    assert_int_equal(source_read(source, bytes, 16, 60000, &got), ERR_GONE);
    source_unref(&source);
    str_fini(&path);
}

static void takes_an_empty_file(void **state)
{
    struct str path = {0};
    write_file(in(*state, "a", &path), 0, 1);
    struct source *source = NULL;
    assert_int_equal(source_open_local(str_text(&path), &source, NULL), OK);
    assert_int_equal(source_size(source), 0);
    assert_true(source_has(source, 0, 0));
    source_unref(&source);
    source_unref(&source);
    str_fini(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_a_file_and_reads_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(knows_what_is_inside, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(identity_follows_the_bytes_not_the_name, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(notices_a_file_that_changed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(takes_an_empty_file, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
