/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files beside a film are its subtitles, and what their names say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "hls/beside.h"

/* "language forced sdh format title" */
static void expect_name(const char *name, bool alone, const char *expected)
{
    struct beside_file file;
    char got[200] = "none";
    if (beside_read_name(name, "The Film (1999)", alone, &file))
        snprintf(got, sizeof got, "%s%s%s %s %s", file.language, file.is_forced ? " forced" : "",
                 file.is_sdh ? " sdh" : "", file.format, file.title);
    beside_file_fini(&file);
    assert_string_equal(got, expected);
}

static void names_say_what_they_are(void **state)
{
    (void) state;
    expect_name("The Film (1999).srt", false, "und srt ");
    expect_name("the film (1999).EN.SRT", false, "en srt ");
    expect_name("The Film (1999).de.forced.srt", false, "de forced srt ");
    expect_name("The Film (1999).sdh.ass", false, "und sdh ass ");
    expect_name("The Film (1999).eng.sdh.vtt", false, "en sdh vtt ");
    expect_name("The Film (1999).pt-BR.ssa", false, "pt-BR ass ");
    expect_name("The Film (1999).ger.Director's Cut.srt", false, "de srt Director's Cut");
    expect_name("The Film (1999)_French.srt", false, "fr srt ");
    expect_name("The Film (1999).hi.srt", false, "hi srt ");
    expect_name("The Film (1999).en.hi.srt", false, "en sdh srt ");
    expect_name("The Film (1999) 2.srt", false, "und srt 2");
    expect_name("The Film (1999)b.srt", false, "none");
    expect_name("Another.srt", false, "none");
    expect_name("The Film (1999).txt", false, "none");
    expect_name("The Film (1999).idx", false, "none");
    expect_name(".srt", true, "none");
    expect_name("2_English.srt", true, "en srt 2");
    expect_name("English [SDH].srt", true, "en sdh srt ");
    expect_name("\xff\xfe.srt", true, "und srt \xEF\xBF\xBD\xEF\xBF\xBD");
}

static char *folder;

static void write_file(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* The names found beside the film, with blanks between. */
static void expect_files(const char *film, const char *expected)
{
    char path[600], got[1000] = "";
    size_t count;
    snprintf(path, sizeof path, "%s/%s", folder, film);
    struct beside *beside = beside_find(path);
    const struct beside_file *files = beside_files(beside, &count);
    for (size_t i = 0; i < count; i++) {
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " | " : "",
                 files[i].name);
        assert_true(access(files[i].path, R_OK) == 0 && files[i].size > 0);
        assert_ptr_equal(beside_get(beside, slice_of(files[i].id)), &files[i]);
    }
    assert_string_equal(got, expected);
    assert_null(beside_get(beside, SLICE("beside-00000000")));
    beside_unref(&beside);
}

static void folders_are_searched(void **state)
{
    (void) state;
    char target[600], link[600];
    make_folder("Subs");
    make_folder("Subs/Film");
    write_file("Film.mkv", "x");
    write_file("Film.srt", "x");
    write_file("Film.en.srt", "x");
    write_file("Film.empty.srt", "");
    write_file("Film.2.srt", "x");
    write_file("Other.srt", "x");
    write_file("Subs/2_English.srt", "x");
    write_file("Subs/Film/de.srt", "x");
    snprintf(target, sizeof target, "%s/Other.srt", folder);
    snprintf(link, sizeof link, "%s/Film.link.srt", folder);
    assert_int_equal(symlink(target, link), 0);
    expect_files("Film.mkv", "Film.2.srt | Film.en.srt | Film.srt | Subs/2_English.srt | "
                             "Subs/Film/de.srt");
    /* with a second film, names must say whose they are */
    write_file("Film.2.mkv", "x");
    expect_files("Film.mkv", "Film.en.srt | Film.srt | Subs/Film/de.srt");
    expect_files("Film.2.mkv", "Film.2.srt");
    expect_files("nowhere/Film.mkv", "");
}

static int setup(void **state)
{
    (void) state;
    folder = mem_strdup("/tmp/matinee-beside-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    (void) state;
    char line[700];
    static const char *const names[] = {
        "Film.mkv",   "Film.2.mkv", "Film.srt",           "Film.en.srt",      "Film.empty.srt",
        "Film.2.srt", "Other.srt",  "Subs/2_English.srt", "Subs/Film/de.srt", "Film.link.srt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(line, sizeof line, "%s/%s", folder, names[i]);
        unlink(line);
    }
    snprintf(line, sizeof line, "%s/Subs/Film", folder);
    rmdir(line);
    snprintf(line, sizeof line, "%s/Subs", folder);
    rmdir(line);
    int left = rmdir(folder);
    mem_free(folder);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_what_they_are),
        cmocka_unit_test(folders_are_searched),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
