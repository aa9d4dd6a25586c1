/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The folder of a torrent: what is put is got back, the journal over crashes, links lead nowhere. */
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
#include "base/mem.h"
#include "torrent/keep.h"

struct place {
    char root[64], outside[80];
    struct keep *keep;
};

static int make_place(void **state)
{
    struct place *place = mem_new(struct place);
    snprintf(place->root, sizeof place->root, "/tmp/matinee-keep-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    snprintf(place->outside, sizeof place->outside, "%s/outside", place->root);
    assert_int_equal(keep_open(place->root, "one", &place->keep, NULL), OK);
    *state = place;
    return 0;
}

static int clear_place(void **state)
{
    struct place *place = *state;
    keep_remove(&place->keep);
    unlink(place->outside);
    assert_int_equal(rmdir(place->root), 0);
    mem_free(place);
    return 0;
}

static void again(struct place *place)
{
    keep_close(&place->keep);
    assert_int_equal(keep_open(place->root, "one", &place->keep, NULL), OK);
}

static void what_is_put_is_got_back(void **state)
{
    struct place *place = *state;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(keep_get(place->keep, "resume", 100, &bytes, &size), ERR_NOT_FOUND);
    assert_int_equal(keep_put(place->keep, "resume", "first", 5), OK);
    assert_int_equal(keep_put(place->keep, "resume", "second", 6), OK);
    again(place);
    assert_int_equal(keep_get(place->keep, "resume", 3, &bytes, &size), ERR_LIMIT);
    assert_int_equal(keep_get(place->keep, "resume", 100, &bytes, &size), OK);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "second", 6);
}

static void the_journal_outlives_what_it_is_of(void **state)
{
    struct place *place = *state;
    uint8_t have[10] = {0};
    keep_note_piece(place->keep, 3);
    keep_note_piece(place->keep, 7);
    keep_turn_pieces(place->keep); /* a resume is being made */
    keep_note_piece(place->keep, 9);
    keep_note_piece(place->keep, 4000000);
    again(place); /* the process died before it was kept */
    keep_noted_pieces(place->keep, have, 10);
    assert_memory_equal(have, ((uint8_t[]){0, 0, 0, 1, 0, 0, 0, 1, 0, 1}), 10);
    keep_turn_pieces(place->keep); /* another one; the first journal is still of nothing kept */
    keep_forget_pieces(place->keep);
    memset(have, 0, sizeof have);
    keep_noted_pieces(place->keep, have, 10);
    assert_int_equal(have[9], 1); /* it came after the first turn: never lost */
}

static void a_state_comes_back(void **state)
{
    struct place *place = *state;
    struct keep_file files[2] = {{"first", true}, {"second", false}};
    struct keep_state said = {.added_ms = 12345,
                              .magnet = (char[]){"magnet:?xt=1"},
                              .name = (char[]){"A \"film\""},
                              .is_paused = true,
                              .priority = TORRENT_LOW,
                              .limits = {-1, 0, 150, -1},
                              .boot = "boot",
                              .files = files,
                              .file_count = 2};
    struct keep_state got;
    assert_int_equal(keep_get_state(place->keep, &got), ERR_NOT_FOUND);
    assert_int_equal(keep_put_state(place->keep, &said), OK);
    again(place);
    assert_int_equal(keep_get_state(place->keep, &got), OK);
    assert_string_equal(got.magnet, said.magnet);
    assert_string_equal(got.name, said.name);
    assert_true(got.is_paused && !got.is_clean);
    assert_int_equal(got.added_ms, 12345);
    assert_int_equal(got.priority, TORRENT_LOW);
    assert_memory_equal(&got.limits, &said.limits, sizeof said.limits);
    assert_int_equal(got.file_count, 2);
    assert_string_equal(got.files[1].id, "second");
    assert_true(got.files[0].is_wanted && !got.files[1].is_wanted);
    keep_state_fini(&got);
}

/* As versions wrote it that knew of neither. */
static void a_state_without_limits_is_as_usual(void **state)
{
    static const char text[] =
        "{\"version\": 1, \"added_ms\": 5, \"name\": \"a film\", \"paused\": false, "
        "\"clean\": true, \"boot\": \"boot\", \"files\": []}";
    const struct torrent_limits usual = LIMITS_ALL(LIMIT_USUAL);
    struct keep_state got;
    (void) state;
    assert_int_equal(keep_state_read(text, sizeof text - 1, &got), OK);
    assert_int_equal(got.priority, TORRENT_NORMAL);
    assert_memory_equal(&got.limits, &usual, sizeof usual);
    keep_state_fini(&got);
}

static void a_broken_state_is_an_error(void **state)
{
    struct place *place = *state;
    static const char *const texts[] = {"", "{", "[]", "{\"version\":2}", "nonsense"};
    struct keep_state got;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(keep_put(place->keep, "state.json", texts[i], strlen(texts[i])), OK);
        assert_int_equal(keep_get_state(place->keep, &got), ERR_BAD_INPUT);
    }
}

static void links_lead_nowhere(void **state)
{
    struct place *place = *state;
    char link[160];
    int fd = -1;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    FILE *outside = fopen(place->outside, "we");
    assert_non_null(outside);
    fputs("mine", outside);
    fclose(outside);
    snprintf(link, sizeof link, "%s/f/000000.mkv", keep_folder(place->keep));
    assert_int_equal(symlink(place->outside, link), 0);
    assert_int_not_equal(keep_open_file(place->keep, "f/000000.mkv", 100, &fd), OK);
    assert_false(keep_is_untouched(place->keep, false));
    assert_int_not_equal(faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(keep_is_untouched(place->keep, false));
    snprintf(link, sizeof link, "%s/resume", keep_folder(place->keep));
    assert_int_equal(symlink(place->outside, link), 0);
    assert_int_not_equal(keep_get(place->keep, "resume", 100, &bytes, &size), OK);
    assert_int_equal(keep_put(place->keep, "resume", "ours", 4), OK);
    keep_remove(&place->keep);
    struct stat status;
    assert_int_equal(stat(place->outside, &status), 0);
    assert_int_equal(status.st_size, 4); /* still "mine" */
    assert_int_equal(keep_open(place->root, "one", &place->keep, NULL), OK);
}

static void a_file_is_made_as_long_as_it_will_be(void **state)
{
    struct place *place = *state;
    struct stat status;
    CLEANUP(fd_close) int fd = -1;
    assert_int_equal(keep_open_file(place->keep, "f/000001.mkv", 5000000, &fd), OK);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 5000000);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(keep_is_untouched(place->keep, false));
}

static void set_written(int fd, struct timespec when)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, when};
    assert_int_equal(futimens(fd, times), 0);
}

static void what_was_written_to_after_the_end_is_seen(void **state)
{
    struct place *place = *state;
    const struct keep_state said = {.name = (char *) "a film"};
    char path[160];
    struct stat word;
    CLEANUP(fd_close) int fd = -1;
    assert_int_equal(keep_open_file(place->keep, "f/000001.mkv", 5000, &fd), OK);
    assert_int_equal(keep_put_state(place->keep, &said), OK);
    snprintf(path, sizeof path, "%s/" KEEP_STATE, keep_folder(place->keep));
    assert_int_equal(stat(path, &word), 0);
    const struct timespec before = {word.st_mtim.tv_sec - 1, word.st_mtim.tv_nsec};
    set_written(fd, before);
    assert_true(keep_is_untouched(place->keep, true));
    set_written(fd, (struct timespec){.tv_sec = INT32_MAX});
    assert_false(keep_is_untouched(place->keep, true));
    set_written(fd, word.st_mtim); /* within one tick of its clock */
    assert_false(keep_is_untouched(place->keep, true));
    assert_true(keep_is_untouched(place->keep, false));
}

static void what_lies_in_place_of_the_folder_of_files_goes(void **state)
{
    struct place *place = *state;
    char path[160];
    CLEANUP(fd_close) int fd = -1;
    snprintf(path, sizeof path, "%s/f", keep_folder(place->keep));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_false(keep_is_untouched(place->keep, false));
    assert_int_equal(keep_open_file(place->keep, "f/000001.mkv", 10, &fd), OK);
    assert_true(keep_is_untouched(place->keep, false));
}

static void nothing_is_put_into_what_was_abandoned(void **state)
{
    struct place *place = *state;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(keep_put(place->keep, KEEP_STATE, "{}", 2), OK);
    keep_abandon(place->keep);
    assert_int_equal(keep_put(place->keep, KEEP_STATE, "{}", 2), ERR_GONE);
    assert_int_equal(keep_get(place->keep, KEEP_STATE, 10, &bytes, &size), ERR_NOT_FOUND);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, clear_place)
    const struct CMUnitTest tests[] = {
        IN_PLACE(what_is_put_is_got_back),
        IN_PLACE(the_journal_outlives_what_it_is_of),
        IN_PLACE(a_state_comes_back),
        IN_PLACE(a_state_without_limits_is_as_usual),
        IN_PLACE(a_broken_state_is_an_error),
        IN_PLACE(links_lead_nowhere),
        IN_PLACE(a_file_is_made_as_long_as_it_will_be),
        IN_PLACE(what_was_written_to_after_the_end_is_seen),
        IN_PLACE(what_lies_in_place_of_the_folder_of_files_goes),
        IN_PLACE(nothing_is_put_into_what_was_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
