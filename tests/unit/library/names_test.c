/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names as films bear them, and the corpus of names where it is there. */
#include "library/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

enum { THIS_YEAR = 2026 };

struct example {
    const char *file, *folder, *title;
    int year;
};

static const struct example EXAMPLES[] = {
    {"Alien.1979.Directors.Cut.1080p.BluRay.x264-GROUP.mkv", NULL, "Alien", 1979},
    {"Alien (1979).mp4", NULL, "Alien", 1979},
    {"alien_1979.avi", NULL, "alien", 1979},
    {"Blade Runner 2049 (2017) [2160p].mkv", NULL, "Blade Runner 2049", 2017},
    {"Blade.Runner.2049.2017.mkv", NULL, "Blade Runner 2049", 2017},
    {"2012.1080p.mkv", NULL, "2012", 0},
    {"2012.2009.1080p.mkv", NULL, "2012", 2009},
    {"1917 (2019).mkv", NULL, "1917", 2019},
    {"2001 A Space Odyssey (1968).mkv", NULL, "2001 A Space Odyssey", 1968},
    {"Mr. Nobody (2009).mkv", NULL, "Mr. Nobody", 2009},
    {"Charlotte's Web 2006.mkv", NULL, "Charlotte's Web", 2006},
    {"Movie.Title.WEB-DL.720p.mkv", NULL, "Movie Title", 0},
    {"[Group] Some Film [1080p].mkv", NULL, "Some Film", 0},
    {"www.example.org - Some Film (1999).mkv", NULL, "Some Film", 1999},
    {"The.French.Dispatch.2021.mkv", NULL, "The French Dispatch", 2021},
    {"Spider-Man.2002.mkv", NULL, "Spider-Man", 2002},
    {"holiday video 12.mp4", NULL, "holiday video 12", 0},
    {"movie.mkv", "Alien (1979)", "Alien", 1979},
    {"alien.mkv", "Alien (1979)", "Alien", 1979},
    {"Making of.mkv", "Alien (1979)", "Making of", 0},
    {"Brazil.1985.mkv", "Alien (1979)", "Brazil", 1985},
    {"a\nb\"c'd.mkv", NULL, "a b\"c'd", 0},
    {"caf\xe9.mkv", NULL, "caf\xef\xbf\xbd", 0},
    {"....mkv", NULL, "...", 0},
    {"(1999).mkv", NULL, "1999", 0},
    {"[].mkv", NULL, "[]", 0},
    {"Future.2031.mkv", NULL, "Future 2031", 0},
};

static void examples(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof EXAMPLES[0]; i++) {
        struct film_name name;
        names_parse(EXAMPLES[i].file, EXAMPLES[i].folder, THIS_YEAR, &name);
        if (strcmp(name.title, EXAMPLES[i].title) != 0 || name.year != EXAMPLES[i].year)
            fail_msg("%s: %s, %d", EXAMPLES[i].file, name.title, name.year);
        film_name_fini(&name);
    }
}

static void files_of_one_film_match(void **state)
{
    (void) state;
    struct film_name a, b, c;
    names_parse("L\xc3\xa9on.1994.1080p.mkv", NULL, THIS_YEAR, &a);
    names_parse("leon (1994).avi", NULL, THIS_YEAR, &b);
    names_parse("leon.avi", NULL, THIS_YEAR, &c);
    assert_string_equal(a.match, b.match);
    assert_null(c.match);
    film_name_fini(&a);
    film_name_fini(&b);
    film_name_fini(&c);
}

static void sorts_without_article(void **state)
{
    (void) state;
    struct film_name name;
    names_parse("The Third Man (1949).mkv", NULL, THIS_YEAR, &name);
    assert_string_equal(name.sort, "third man");
    assert_string_equal(name.folded, "the third man");
    assert_string_equal(name.letter, "T");
    film_name_fini(&name);
    names_parse("12 Angry Men (1957).mkv", NULL, THIS_YEAR, &name);
    assert_string_equal(name.letter, "#");
    film_name_fini(&name);
    names_parse("\xd0\xa1\xd1\x82\xd0\xb0\xd0\xbb\xd0\xba\xd0\xb5\xd1\x80 (1979).mkv", NULL,
                THIS_YEAR, &name);
    assert_string_equal(name.letter, "\xd1\x81");
    film_name_fini(&name);
}

static void long_names_are_bounded(void **state)
{
    (void) state;
    char text[20000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "ab.("[i % 4];
    text[sizeof text - 1] = '\0';
    struct film_name name;
    names_parse(text, text, THIS_YEAR, &name);
    assert_true(strlen(name.title) <= 1024);
    film_name_fini(&name);
}

static void media_are_told_by_their_ends(void **state)
{
    (void) state;
    assert_true(names_is_media("a.mkv"));
    assert_true(names_is_media("a.b.MP4"));
    assert_true(names_is_media("a.m2ts"));
    assert_true(names_is_media("a.opus"));
    assert_false(names_is_media("a.srt"));
    assert_false(names_is_media("mkv"));
    assert_false(names_is_media(".mkv"));
    assert_false(names_is_media("a."));
    assert_false(names_is_media("a.mkv.part"));
    assert_false(names_is_media(""));
}

static void fold_is(const char *text, const char *expected)
{
    struct str out = {0};
    fold(&out, slice_of(text));
    assert_string_equal(str_text(&out), expected);
    str_fini(&out);
}

static void folding(void **state)
{
    (void) state;
    fold_is("Schindler's List", "schindlers list");
    fold_is("Am\xc3\xa9lie!", "amelie");
    fold_is("Ame\xcc\x81lie", "amelie"); /* as macOS writes it */
    fold_is("STRA\xc3\x9f"
            "E \xc3\x86on",
            "strasse aeon");
    fold_is("WALL\xc2\xb7"
            "E",
            "wall e");
    fold_is("\xd0\xa1\xd0\xa2\xd0\x90\xd0\x9b\xd0\x9a\xd0\x95\xd0\xa0",
            "\xd1\x81\xd1\x82\xd0\xb0\xd0\xbb\xd0\xba\xd0\xb5\xd1\x80");
    fold_is("\xe4\xb8\x83\xe4\xba\xba", "\xe4\xb8\x83\xe4\xba\xba");
    fold_is("bad \xff\xfe bytes \xe4\xb8", "bad bytes");
    fold_is("", "");
    fold_is(" - ", "");
}

/* Letters and digits alone, as the corpus asks for. */
static void squeeze(const char *text, struct str *out)
{
    fold(out, slice_of(text));
    size_t length = 0;
    for (size_t i = 0; i < out->length; i++)
        if (out->at[i] != ' ')
            out->at[length++] = out->at[i];
    if (out->at != NULL)
        out->at[length] = '\0';
    out->length = length;
}

struct tally {
    unsigned films, titles, years, right_years;
};

static void judge_row(char *line, struct tally *tally)
{
    char *columns[5] = {0};
    for (int i = 0; i < 5 && line != NULL; i++)
        columns[i] = strsep(&line, "\t");
    if (columns[4] == NULL || columns[1][0] == '\0' || columns[3][0] != '\0' ||
        columns[4][0] != '\0' || strchr(columns[0], '/') != NULL)
        return; /* of films alone, and of names alone */
    struct film_name name;
    struct str wanted = {0}, got = {0};
    names_parse(columns[0], NULL, THIS_YEAR, &name);
    squeeze(columns[1], &wanted);
    squeeze(name.title, &got);
    tally->films++;
    tally->titles += strcmp(str_text(&wanted), str_text(&got)) == 0;
    if (strlen(columns[2]) == 4 && strcmp(columns[2], "none") != 0) {
        tally->years++;
        tally->right_years += name.year == (int) strtol(columns[2], NULL, 10);
    }
    str_fini(&wanted);
    str_fini(&got);
    film_name_fini(&name);
}

static void the_corpus_of_names(void **state)
{
    (void) state;
    FILE *file = fopen(MATINEE_SOURCE_DIR "/../shared/corpus/names/names.tsv", "re");
    if (file == NULL)
        skip();
    struct tally tally = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getline(&line, &room, file); /* the heading */
    while ((length = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        judge_row(line, &tally);
    }
    free(line);
    fclose(file);
    print_message("%u of %u titles, %u of %u years\n", tally.titles, tally.films, tally.right_years,
                  tally.years);
    assert_true(tally.films > 250);
    assert_true(tally.titles * 100 >= tally.films * 83);
    assert_true(tally.right_years * 100 >= tally.years * 97);
}

/* --- episodes --- */

static const struct {
    const char *file, *folder, *show;
    int season, number;
} EPISODES[] = {
    {"Show.Name.S01E02.1080p.WEB.mkv", NULL, "show name", 1, 2},
    {"Show Name - 1x02 - The One.mkv", NULL, "show name", 1, 2},
    {"show_name_s10e113.avi", NULL, "show name", 10, 113},
    {"Show Name S02 E05.mkv", NULL, "show name", 2, 5},
    {"Show.Name.2019.S03E04E05.mkv", NULL, "show name 2019", 3, 4},
    {"[Group] Show Name - S01E07 [1080p].mkv", NULL, "show name", 1, 7},
    {"S01E02.mkv", "Season 1", "", 1, 2},
    {"E02.mkv", "Season 04", "", 4, 2},
    {"E02 - The One.mkv", "s7", "", 7, 2},
    {"Show E02.mkv", "Films", "show", -1, 2},
};

static void episodes_are_told_by_their_names(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof EPISODES / sizeof EPISODES[0]; i++) {
        struct episode_name name;
        if (!names_episode(EPISODES[i].file, EPISODES[i].folder, &name))
            fail_msg("%s: none", EPISODES[i].file);
        if (strcmp(name.show, EPISODES[i].show) != 0 || name.season != EPISODES[i].season ||
            name.number != EPISODES[i].number)
            fail_msg("%s: \"%s\", %d, %d", EPISODES[i].file, name.show, name.season, name.number);
        episode_name_fini(&name);
    }
}

static const struct {
    const char *file, *folder, *above;
    const char *show;
    int year, season, number, last;
    const char *title;
} SHOWS[] = {
    {"Show.Name.S01E02.1080p.WEB.h264-GRP.mkv", NULL, NULL, "Show Name", 0, 1, 2, 2, ""},
    {"Show.Name.S01E02.The.Real.Thing.1080p.WEB.mkv", NULL, NULL, "Show Name", 0, 1, 2, 2,
     "The Real Thing"},
    {"Show Name - S01E02 - The One.mkv", "Season 1", "Show Name (2009)", "Show Name", 2009, 1, 2, 2,
     "The One"},
    {"Show Name - 1x02 - The One.mkv", NULL, NULL, "Show Name", 0, 1, 2, 2, "The One"},
    {"Show.Name.2019.S03E04E05.PROPER.720p.mkv", NULL, NULL, "Show Name", 2019, 3, 4, 5, ""},
    {"Show Name S03E04-E06.mkv", NULL, NULL, "Show Name", 0, 3, 4, 6, ""},
    {"Show Name S03E04-06 Title.mkv", NULL, NULL, "Show Name", 0, 3, 4, 6, "Title"},
    {"Show Name S02 E05.mkv", NULL, NULL, "Show Name", 0, 2, 5, 5, ""},
    {"[Group] Show Name - S01E07 [1080p].mkv", NULL, NULL, "Show Name", 0, 1, 7, 7, ""},
    {"S01E02.mkv", "Season 1", "Show Name", "Show Name", 0, 1, 2, 2, ""},
    {"E02 - The One.mkv", "Staffel 4", "Show Name (2009)", "Show Name", 2009, 4, 2, 2, "The One"},
    {"S02E03.mkv", "Show Name (2009)", NULL, "Show Name", 2009, 2, 3, 3, ""},
    {"Show Name - S00E01 - The Making.mkv", "Specials", "Show Name", "Show Name", 0, 0, 1, 1,
     "The Making"},
    {"E03.mkv", "Specials", "Show Name", "Show Name", 0, 0, 3, 3, ""},
    {"Show.Name.S01E05.German.DL.1080p.mkv", NULL, NULL, "Show Name", 0, 1, 5, 5, ""},
    {"1883.S01E02.mkv", NULL, NULL, "1883", 0, 1, 2, 2, ""},
    {"The.Real.World.S01E01.720p.mkv", NULL, NULL, "The Real World", 0, 1, 1, 1, ""},
    {"The.English.S01E01.mkv", NULL, NULL, "The English", 0, 1, 1, 1, ""},
    {"The Office (US) - S02E01 - The Dundies.mkv", "Season 2", "The Office (US)", "The Office US",
     0, 2, 1, 1, "The Dundies"},
    {"The Office (UK) - S02E01.mkv", NULL, NULL, "The Office UK", 0, 2, 1, 1, ""},
    {"Battlestar Galactica (2003) - S01E01 - 33.mkv", NULL, NULL, "Battlestar Galactica", 2003, 1,
     1, 1, "33"},
    {"Show - S01E02 - 1984.mkv", NULL, NULL, "Show", 0, 1, 2, 2, "1984"},
    {"Show.S01E02.The.Summer.of.1969.Begins.1080p.mkv", NULL, NULL, "Show", 0, 1, 2, 2,
     "The Summer of 1969 Begins"},
    {"Show.S01E01-720p.mkv", NULL, NULL, "Show", 0, 1, 1, 1, ""},
    {"Show.S01E01-10bit-GRP.mkv", NULL, NULL, "Show", 0, 1, 1, 1, ""},
    {"Show.S01E01-3LT0N.mkv", NULL, NULL, "Show", 0, 1, 1, 1, ""},
    {"S01E01.mkv", "Season 01 [1080p]", "Show Name (2009) {tvdb-1}", "Show Name", 2009, 1, 1, 1,
     ""},
    {"S01E01.mkv", "Season 1 (2005)", "Show Name", "Show Name", 0, 1, 1, 1, ""},
    {"E04.mkv", "Show.Name.2019.S01.1080p.WEB-DL", NULL, "Show Name", 2019, 1, 4, 4, ""},
    {"Show E02.mkv", "Films", NULL, "Show", 0, 1, 2, 2, ""},
};

static void shows_are_told_by_names_and_folders(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof SHOWS / sizeof SHOWS[0]; i++) {
        struct show_name name;
        if (!names_show(SHOWS[i].file, SHOWS[i].folder, SHOWS[i].above, 2026, &name))
            fail_msg("%s: none", SHOWS[i].file);
        if (strcmp(name.show.title, SHOWS[i].show) != 0 || name.show.year != SHOWS[i].year ||
            name.season != SHOWS[i].season || name.number != SHOWS[i].number ||
            name.last != SHOWS[i].last || strcmp(name.title, SHOWS[i].title) != 0)
            fail_msg("%s: \"%s\" (%d) %dx%d-%d \"%s\"", SHOWS[i].file, name.show.title,
                     name.show.year, name.season, name.number, name.last, name.title);
        assert_non_null(strstr(name.match, name.show.match));
        show_name_fini(&name);
    }
}

static void no_show_is_made_of_nothing(void **state)
{
    static const char *const names[] = {"Alien (1979).mkv", "S01E02.mkv", "E02.mkv", "", "S01.mkv"};
    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct show_name name;
        if (names_show(names[i], NULL, NULL, 2026, &name))
            fail_msg("%s: %s", names[i], name.show.title);
        show_name_fini(&name);
    }
    struct show_name film;
    assert_false(names_show("10x10 (2018).mkv", "10x10 (2018)", NULL, 2026, &film));
    show_name_fini(&film);
}

static void films_are_no_episodes(void **state)
{
    static const char *const names[] = {"Alien (1979).mkv",
                                        "Show S01.mkv",
                                        "1920x1080.mkv",
                                        "Se7en.mkv",
                                        "S99999E01.mkv",
                                        "",
                                        "E1.mkv"};
    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct episode_name name;
        if (names_episode(names[i], NULL, &name))
            fail_msg("%s: %d, %d", names[i], name.season, name.number);
    }
}

static void folders_of_seasons(void **state)
{
    (void) state;
    assert_int_equal(names_season("Season 1"), 1);
    assert_int_equal(names_season("season_12"), 12);
    assert_int_equal(names_season("Staffel 3"), 3);
    assert_int_equal(names_season("S04"), 4);
    assert_int_equal(names_season("Seasons"), -1);
    assert_int_equal(names_season("Season One"), -1);
    assert_int_equal(names_season("Season 1 Extras"), -1);
    assert_int_equal(names_season("Stalker"), -1);
    assert_int_equal(names_season("S"), -1);
    assert_int_equal(names_season(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(files_of_one_film_match),
        cmocka_unit_test(sorts_without_article),
        cmocka_unit_test(long_names_are_bounded),
        cmocka_unit_test(media_are_told_by_their_ends),
        cmocka_unit_test(folding),
        cmocka_unit_test(episodes_are_told_by_their_names),
        cmocka_unit_test(shows_are_told_by_names_and_folders),
        cmocka_unit_test(no_show_is_made_of_nothing),
        cmocka_unit_test(films_are_no_episodes),
        cmocka_unit_test(folders_of_seasons),
        cmocka_unit_test(the_corpus_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
