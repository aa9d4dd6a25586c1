/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files are episodes of one season: rows as walks and looks left them. */
#include "library/library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

/* Their ids are their places here: "00000000000000000007". */
static const struct {
    const char *path;
    enum store_file_state state;
} FILES[] = {
    {"/f/Show.S01E02.mkv", STORE_FILE_READY},       {"/f/Show.S01E01.mkv", STORE_FILE_READY},
    {"/f/Show.S01E10.mkv", STORE_FILE_READY},       {"/f/Show.S02E01.mkv", STORE_FILE_READY},
    {"/f/Other.S01E01.mkv", STORE_FILE_READY},      {"/f/Alien.1979.mkv", STORE_FILE_READY},
    {"/f/Box/Season 1/E01.mkv", STORE_FILE_READY},  {"/f/Box/S1/E02.mkv", STORE_FILE_READY},
    {"/f/Box/Season 2/E01.mkv", STORE_FILE_READY},  {"/f/Boxes/S1/E03.mkv", STORE_FILE_READY},
    {"/f/Show.S01E03.mkv", STORE_FILE_UNREADABLE},  {"/f/Show.S01E04.mkv", STORE_FILE_WAITING},
    {"/f/Show.S01E05/E05.mkv", STORE_FILE_READY},   {"/f0/Show.S01E06.mkv", STORE_FILE_READY},
    {"/f/Twice.S01E01.720p.mkv", STORE_FILE_READY}, {"/f/Twice.S01E01.1080p.mkv", STORE_FILE_READY},
};
enum { FILE_COUNT = sizeof FILES / sizeof FILES[0] };

struct bed {
    char folder[64], database[96];
    struct store *store;
    struct library *library;
};

static void id_of(size_t file, char out[STORE_ID_SIZE])
{
    snprintf(out, STORE_ID_SIZE, "%020zu", file);
}

static void add(const struct bed *bed, size_t file)
{
    const struct store_name name = {.kind = "film",
                                    .title = "X",
                                    .year = 0,
                                    .sort = "x",
                                    .folded = "x",
                                    .letter = "X",
                                    .match = NULL};
    struct store_change change = {.kind = STORE_ADD, .name = &name};
    id_of(file, change.file.id);
    change.file.folder = (char *) "/f";
    change.file.path = mem_strdup(FILES[file].path);
    change.file.name = (char *) "name.mkv";
    change.file.size = 1000 + file;
    change.file.state = FILES[file].state;
    change.file.has_hash = true;
    memset(change.file.hash, (int) file + 1, sizeof change.file.hash);
    assert_int_equal(store_files_change(bed->store, &change, 1), OK);
    mem_free(change.file.path);
}

static int make_bed(void **state)
{
    static const char *const folders[] = {NULL};
    const struct library_options options = {
        .folders = folders, .plan_version = 1, .engine = "test"};
    struct bed *bed = mem_new(struct bed);
    struct why why;
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-season-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->database, sizeof bed->database, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->database, &bed->store, &why), OK);
    assert_int_equal(library_new(&options, bed->store, &bed->library, &why), OK);
    for (size_t i = 0; i < FILE_COUNT; i++)
        add(bed, i);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    library_free(&bed->library);
    store_close(&bed->store);
    unlink(bed->database);
    rmdir(bed->folder);
    mem_free(bed);
    return 0;
}

/* The numbers of the season of a file: "1 2 3". */
static void expect(const struct bed *bed, size_t file, const char *numbers)
{
    CLEANUP(str_fini) struct str text = {0};
    struct library_episode *episodes = NULL;
    char id[STORE_ID_SIZE];
    size_t count = 0;
    id_of(file, id);
    assert_int_equal(library_season(bed->library, id, &episodes, &count), OK);
    for (size_t i = 0; i < count; i++) {
        uint64_t of = episodes[i].size - 1000;
        str_printf(&text, "%s%d", i > 0 ? " " : "", episodes[i].number);
        assert_int_equal(episodes[i].hash[31], of + 1);
        id_of((size_t) of, id);
        assert_string_equal(episodes[i].id, id);
    }
    if (strcmp(str_text(&text), numbers) != 0)
        fail_msg("%s: %s", FILES[file].path, str_text(&text));
    mem_free(episodes);
}

static void a_season_is_told_by_names_and_folders(void **state)
{
    const struct bed *bed = *state;
    expect(bed, 0, "1 2 10");
    expect(bed, 2, "1 2 10");
    expect(bed, 3, "1");
    expect(bed, 4, "1");
    expect(bed, 5, "");
    expect(bed, 6, "1 2");
    expect(bed, 8, "1");
    expect(bed, 9, "3");
    expect(bed, 10, "1 2 10"); /* it cannot be played itself */
    expect(bed, 12, "5");
    expect(bed, 13, "6");
    expect(bed, 14, "1 1");
}

static void what_is_no_file_has_none(void **state)
{
    const struct bed *bed = *state;
    struct library_episode *episodes = NULL;
    size_t count = 0;
    assert_int_equal(library_season(bed->library, "none", &episodes, &count), ERR_NOT_FOUND);
}

static void note(void *ctx, const char *id)
{
    str_printf(ctx, "%s ", id + strspn(id, "0"));
}

/* Its last one, of those that have two. */
static void of_each_season_one_is_told(void **state)
{
    const struct bed *bed = *state;
    CLEANUP(str_fini) struct str text = {0};
    assert_int_equal(library_seasons(bed->library, note, &text), OK);
    assert_string_equal(str_text(&text), "2 7 ");
}

int main(void)
{
#define IN_BED(name) cmocka_unit_test_setup_teardown(name, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_season_is_told_by_names_and_folders),
        IN_BED(what_is_no_file_has_none),
        IN_BED(of_each_season_one_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
