/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far people are, as kept, and as it is merged in memory before. */
#include "store/progress.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/comments.h"
#include "store/films.h"
#include "store/positions.h"
#include "store/watchlist.h"

#define HOUR_MS (60LL * 60 * 1000)

struct bed {
    char folder[64], path[96];
    struct store *store;
    char alien[STORE_ID_SIZE], brazil[STORE_ID_SIZE]; /* titles of the files "a" and "b" */
};

static const struct store_name ALIEN = {.kind = "film",
                                        .title = "Alien",
                                        .year = 1979,
                                        .sort = "alien",
                                        .folded = "alien",
                                        .letter = "A",
                                        .match = "alien 1979"};
static const struct store_name BRAZIL = {.kind = "film",
                                         .title = "Brazil",
                                         .year = 1985,
                                         .sort = "brazil",
                                         .folded = "brazil",
                                         .letter = "B",
                                         .match = "brazil 1985"};

static void change(struct bed *bed, enum store_change_kind kind, const char *id,
                   const struct store_name *name, char title[STORE_ID_SIZE])
{
    char path[32];
    struct store_change change = {.kind = kind, .name = name};
    snprintf(path, sizeof path, "/films/%s.mkv", id);
    snprintf(change.file.id, sizeof change.file.id, "%s", id);
    change.file.folder = (char *) "/films";
    change.file.path = path;
    change.file.name = (char *) "name.mkv";
    change.file.missing_ms = 1000;
    assert_int_equal(store_files_change(bed->store, &change, 1), OK);
    if (title != NULL)
        memcpy(title, change.file.title, STORE_ID_SIZE);
}

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-progress-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->path, &bed->store, NULL), OK);
    change(bed, STORE_ADD, "a", &ALIEN, bed->alien);
    change(bed, STORE_ADD, "b", &BRAZIL, bed->brazil);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    store_close(&bed->store);
    unlink(bed->path);
    assert_int_equal(rmdir(bed->folder), 0);
    free(bed);
    return 0;
}

static struct store_report report_of(const char *user, const char *item, int64_t position_ms,
                                     int64_t at_ms)
{
    struct store_report report = {
        .progress = {
            .position_ms = position_ms, .duration_ms = 2 * HOUR_MS, .at_ms = at_ms, .file = "a"}};
    snprintf(report.user, sizeof report.user, "%s", user);
    snprintf(report.progress.item, sizeof report.progress.item, "%s", item);
    return report;
}

static void tell(struct bed *bed, const char *user, const char *item, int64_t position_ms,
                 int64_t at_ms)
{
    struct store_report report = report_of(user, item, position_ms, at_ms);
    assert_int_equal(store_reports_put(bed->store, &report, 1), OK);
}

/* -1: nothing is known. */
static int64_t position(struct bed *bed, const char *user, const char *item)
{
    struct store_progress progress;
    enum err err = store_progress_find(bed->store, user, item, &progress);
    assert_true(err == OK || err == ERR_NOT_FOUND);
    return err == OK ? progress.position_ms : -1;
}

static void note_begun(void *ctx, const struct store_progress *progress,
                       const struct store_item *item)
{
    (void) progress;
    strcat(ctx, item->title);
    strcat(ctx, " ");
}

static void assert_begun(struct bed *bed, const struct store_viewer *viewer, const char *expected)
{
    char seen[100] = "";
    assert_int_equal(store_progress_each(bed->store, viewer, 10, note_begun, seen), OK);
    assert_string_equal(seen, expected);
}

static void note_sitting(void *ctx, const struct store_sitting *sitting,
                         const struct store_item *item)
{
    char *seen = ctx;
    sprintf(seen + strlen(seen), "%s:%lld-%lld%s ", item->title,
            (long long) (sitting->began_ms / HOUR_MS),
            (long long) (sitting->progress.at_ms / HOUR_MS), sitting->is_whole ? "!" : "");
}

static void assert_history(struct bed *bed, const struct store_viewer *viewer, const char *expected)
{
    char seen[200] = "";
    assert_int_equal(store_history_each(bed->store, viewer, 0, 10, note_sitting, seen), OK);
    assert_string_equal(seen, expected);
}

static bool is_watched(struct bed *bed, const struct store_viewer *viewer, const char *title)
{
    struct store_title found;
    assert_int_equal(store_title_find(bed->store, title, viewer, &found), OK);
    bool is = found.is_watched;
    store_title_fini(&found);
    return is;
}

static const struct store_viewer ANNA = {.user = "anna"}, BEN = {.user = "ben"};

static void of_two_devices_the_later_counts(void **state)
{
    struct bed *bed = *state;
    tell(bed, "anna", bed->alien, 600000, 100);
    tell(bed, "anna", bed->alien, 900000, 90);
    assert_int_equal(position(bed, "anna", bed->alien), 600000);
    tell(bed, "anna", bed->alien, 300000, 110);
    assert_int_equal(position(bed, "anna", bed->alien), 300000);
    assert_int_equal(position(bed, "ben", bed->alien), -1);
}

static void what_was_seen_to_its_end_is_watched(void **state)
{
    struct bed *bed = *state;
    tell(bed, "anna", bed->alien, HOUR_MS, 100);
    assert_false(is_watched(bed, &ANNA, bed->alien));
    tell(bed, "anna", bed->alien, 2 * HOUR_MS * 92 / 100, 200);
    assert_true(is_watched(bed, &ANNA, bed->alien));
    assert_false(is_watched(bed, &BEN, bed->alien));
    assert_int_equal(position(bed, "anna", bed->alien), -1);
    /* again: it stays watched */
    tell(bed, "anna", bed->alien, HOUR_MS, 300);
    assert_true(is_watched(bed, &ANNA, bed->alien));
    assert_int_equal(position(bed, "anna", bed->alien), HOUR_MS);
    assert_int_equal(store_watched_remove(bed->store, &ANNA, bed->alien, -1), OK);
    assert_int_equal(store_watched_remove(bed->store, &ANNA, bed->alien, -1), ERR_NOT_FOUND);
    assert_int_equal(store_watched_put(bed->store, &ANNA, bed->alien, -1, 400), OK);
    assert_int_equal(position(bed, "anna", bed->alien), -1);
    struct store_report credits = report_of("ben", bed->alien, HOUR_MS, 500);
    credits.is_whole = true;
    assert_int_equal(store_reports_put(bed->store, &credits, 1), OK);
    assert_true(is_watched(bed, &BEN, bed->alien));
}

static void what_was_begun_can_be_hidden(void **state)
{
    struct bed *bed = *state;
    tell(bed, "anna", bed->alien, 600000, 100);
    tell(bed, "anna", bed->brazil, 600000, 200);
    assert_begun(bed, &ANNA, "Brazil Alien ");
    assert_begun(bed, &BEN, "");
    assert_int_equal(store_progress_hide(bed->store, "anna", bed->brazil, true), OK);
    assert_begun(bed, &ANNA, "Alien ");
    assert_int_equal(position(bed, "anna", bed->brazil), 600000);
    assert_int_equal(store_progress_hide(bed->store, "anna", bed->brazil, false), OK);
    assert_begun(bed, &ANNA, "Brazil Alien ");
    assert_int_equal(store_progress_hide(bed->store, "anna", bed->brazil, true), OK);
    tell(bed, "anna", bed->brazil, 700000, 300); /* it is watched again */
    assert_begun(bed, &ANNA, "Brazil Alien ");
    assert_int_equal(store_progress_hide(bed->store, "ben", bed->brazil, true), ERR_NOT_FOUND);
    tell(bed, "ben", bed->alien, 29000, 100); /* not worth going on with */
    assert_begun(bed, &BEN, "");
    /* a child hears of what is for it */
    const struct store_viewer child = {.user = "anna", .ages = {.is_limited = true, .most = 12}};
    assert_int_equal(store_title_rate(bed->store, bed->alien, 12), OK);
    assert_begun(bed, &child, "Alien ");
    assert_history(bed, &child, "Alien:0-0 ");
}

static void a_sitting_is_one_entry(void **state)
{
    struct bed *bed = *state;
    tell(bed, "anna", bed->alien, 10000, 0); /* only looked at */
    assert_history(bed, &ANNA, "");
    tell(bed, "anna", bed->alien, 40000, 1 * HOUR_MS);
    tell(bed, "anna", bed->alien, HOUR_MS, 2 * HOUR_MS);
    assert_history(bed, &ANNA, "Alien:1-2 ");
    tell(bed, "anna", bed->alien, HOUR_MS + 60000, 9 * HOUR_MS);
    assert_history(bed, &ANNA, "Alien:9-9 Alien:1-2 ");
    tell(bed, "anna", bed->alien, 2 * HOUR_MS, 10 * HOUR_MS);
    assert_history(bed, &ANNA, "Alien:9-10! Alien:1-2 ");
    tell(bed, "anna", bed->alien, 60000, 11 * HOUR_MS); /* from the beginning */
    assert_history(bed, &ANNA, "Alien:11-11 Alien:9-10! Alien:1-2 ");
    assert_int_equal(store_history_remove(bed->store, "ben", 1), ERR_NOT_FOUND);
    assert_int_equal(store_history_remove(bed->store, "anna", 1), OK);
    assert_history(bed, &ANNA, "Alien:11-11 Alien:9-10! ");
}

static void note_wish(void *ctx, const struct store_item *item, int64_t added_ms)
{
    char *seen = ctx;
    sprintf(seen + strlen(seen), "%s:%lld%s ", item->title, (long long) added_ms,
            item->is_here ? "" : "?");
}

static void it_outlives_the_files(void **state)
{
    struct bed *bed = *state;
    char seen[100] = "", title[STORE_ID_SIZE];
    tell(bed, "anna", bed->alien, 600000, 100);
    assert_int_equal(store_watchlist_put(bed->store, "anna", bed->alien, 7), OK);
    assert_int_equal(store_watchlist_put(bed->store, "anna", bed->alien, 8), OK);
    change(bed, STORE_MISSING, "a", NULL, NULL);
    assert_int_equal(store_files_purge(bed->store, 2000), OK);
    assert_int_equal(position(bed, "anna", bed->alien), 600000);
    assert_begun(bed, &ANNA, ""); /* there is nothing to play */
    assert_int_equal(store_watchlist_each(bed->store, &ANNA, note_wish, seen), OK);
    assert_string_equal(seen, "Alien:7? ");
    assert_history(bed, &ANNA, "Alien:0-0 ");
    change(bed, STORE_ADD, "c", &ALIEN, title); /* another release of it */
    assert_string_equal(title, bed->alien);
    assert_begun(bed, &ANNA, "Alien ");
    assert_int_equal(store_watchlist_remove(bed->store, "anna", bed->alien), OK);
    assert_int_equal(store_watchlist_remove(bed->store, "anna", bed->alien), ERR_NOT_FOUND);
    /* a title that nobody has anything of goes with its file */
    change(bed, STORE_MISSING, "b", NULL, NULL);
    assert_int_equal(store_files_purge(bed->store, 2000), OK);
    struct store_place place;
    assert_int_equal(store_item_place(bed->store, bed->brazil, &ANNA, &place), ERR_NOT_FOUND);
}

/* A file that was called by nothing is found out to be one of a film that is there. */
static void it_goes_along_with_the_last_file(void **state)
{
    struct bed *bed = *state;
    const struct store_name unknown = {.kind = "other",
                                       .title = "x",
                                       .year = 0,
                                       .sort = "x",
                                       .folded = "x",
                                       .letter = "X",
                                       .match = NULL};
    char title[STORE_ID_SIZE];
    change(bed, STORE_ADD, "c", &unknown, title);
    tell(bed, "anna", title, 600000, 100);
    assert_int_equal(store_title_rate(bed->store, title, 12), OK);
    change(bed, STORE_PLACE, "c", &ALIEN, NULL);
    assert_int_equal(position(bed, "anna", bed->alien), 600000);
    assert_int_equal(position(bed, "anna", title), -1);
    assert_begun(bed, &ANNA, "Alien ");
    struct store_title found;
    assert_int_equal(store_title_find(bed->store, bed->alien, NULL, &found), OK);
    assert_int_equal(found.age, 12);
    store_title_fini(&found);
}

/* --- in memory --- */

static void note_fresh(void *ctx, const struct store_report *report)
{
    *(int64_t *) ctx += report->progress.position_ms;
}

static void positions_are_merged_before_they_are_written(void **state)
{
    struct bed *bed = *state;
    struct positions *positions = NULL;
    struct store_report report, found;
    int64_t sum = 0;
    assert_int_equal(positions_start(bed->store, 60 * 60 * 1000, &positions), OK);
    for (int i = 1; i <= 100; i++) {
        report = report_of("anna", bed->alien, i * 1000, 100 + i);
        assert_int_equal(positions_report(positions, &report), OK);
        report = report_of("ben", bed->alien, i * 2000, 100 - i); /* older each time */
        assert_int_equal(positions_report(positions, &report), OK);
    }
    assert_int_equal(position(bed, "anna", bed->alien), -1);
    assert_int_equal(positions_find(positions, "anna", bed->alien, &found), OK);
    assert_int_equal(found.progress.position_ms, 100000);
    assert_int_equal(positions_find(positions, "ben", bed->alien, &found), OK);
    assert_int_equal(found.progress.position_ms, 2000);
    assert_int_equal(positions_find(positions, "anna", bed->brazil, &found), ERR_NOT_FOUND);
    positions_each(positions, "anna", note_fresh, &sum);
    assert_int_equal(sum, 100000);
    assert_int_equal(positions_write(positions), OK);
    assert_int_equal(position(bed, "anna", bed->alien), 100000);
    assert_int_equal(position(bed, "ben", bed->alien), 2000);
    assert_int_equal(positions_find(positions, "anna", bed->alien, &found), ERR_NOT_FOUND);
    report = report_of("anna", bed->alien, 5000, 500);
    assert_int_equal(positions_report(positions, &report), OK);
    positions_stop(&positions); /* writes what is left */
    assert_int_equal(position(bed, "anna", bed->alien), 5000);
}

static void positions_are_written_by_themselves(void **state)
{
    struct bed *bed = *state;
    struct positions *positions = NULL;
    struct store_report report = report_of("anna", bed->alien, 5000, 500);
    assert_int_equal(positions_start(bed->store, 20, &positions), OK);
    assert_int_equal(positions_report(positions, &report), OK);
    for (int i = 0; i < 500 && position(bed, "anna", bed->alien) < 0; i++)
        usleep(10000);
    assert_int_equal(position(bed, "anna", bed->alien), 5000);
    positions_stop(&positions);
}

enum { TELLERS = 4, TOLD = 2000 };

struct teller {
    struct positions *positions;
    const char *item;
    int number;
};

static void *tell_many(void *arg)
{
    const struct teller *teller = arg;
    char user[16];
    for (int i = 0; i < TOLD; i++) {
        struct store_report found;
        snprintf(user, sizeof user, "u%d", i % 50);
        struct store_report report = report_of(user, teller->item, i, i);
        assert_int_equal(positions_report(teller->positions, &report), OK);
        /* It is in memory or, from then on, in the store: here it is enough that nothing is torn. */
        if (positions_find(teller->positions, user, teller->item, &found) == OK)
            assert_string_equal(found.progress.item, teller->item);
    }
    return NULL;
}

static void many_tell_while_it_is_written(void **state)
{
    struct bed *bed = *state;
    struct positions *positions = NULL;
    struct teller tellers[TELLERS];
    pthread_t threads[TELLERS];
    assert_int_equal(positions_start(bed->store, 1, &positions), OK);
    for (int i = 0; i < TELLERS; i++) {
        tellers[i] = (struct teller){positions, bed->alien, i};
        assert_int_equal(pthread_create(&threads[i], NULL, tell_many, &tellers[i]), 0);
    }
    for (int i = 0; i < TELLERS; i++)
        pthread_join(threads[i], NULL);
    positions_stop(&positions);
    for (int i = 0; i < 50; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(position(bed, user, bed->alien), TOLD - 50 + i);
    }
}

/* --- comments --- */

static void note_comment(void *ctx, const struct store_comment *comment)
{
    char *seen = ctx;
    sprintf(seen + strlen(seen), "%s:%s ", comment->name, comment->text);
}

static void comments_come_in_pages(void **state)
{
    struct bed *bed = *state;
    char seen[400] = "";
    struct store_comment comment = {.user = "anna", .name = "Anna", .position_ms = -1}, found;
    for (int i = 1; i <= 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "c%d", i);
        snprintf(comment.id, sizeof comment.id, "id%d", i);
        memcpy(comment.item, bed->alien, sizeof comment.item);
        comment.text = text;
        assert_int_equal(store_comment_add(bed->store, &comment), OK);
    }
    assert_int_equal(store_comments_each(bed->store, bed->alien, 0, 2, note_comment, seen), OK);
    assert_string_equal(seen, "Anna:c5 Anna:c4 ");
    seen[0] = '\0';
    assert_int_equal(store_comments_each(bed->store, bed->alien, 4, 10, note_comment, seen), OK);
    assert_string_equal(seen, "Anna:c3 Anna:c2 Anna:c1 ");
    assert_int_equal(store_comment_find(bed->store, "id3", &found), OK);
    assert_string_equal(found.user, "anna");
    assert_int_equal(store_comment_remove(bed->store, "id3"), OK);
    assert_int_equal(store_comment_remove(bed->store, "id3"), ERR_NOT_FOUND);
    assert_int_equal(store_comment_find(bed->store, "id3", &found), ERR_NOT_FOUND);
    seen[0] = '\0';
    assert_int_equal(store_comments_of(bed->store, "anna", note_comment, seen), OK);
    assert_string_equal(seen, "Anna:c5 Anna:c4 Anna:c2 Anna:c1 ");
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(of_two_devices_the_later_counts),
        IN_BED(what_was_seen_to_its_end_is_watched),
        IN_BED(what_was_begun_can_be_hidden),
        IN_BED(a_sitting_is_one_entry),
        IN_BED(it_outlives_the_files),
        IN_BED(it_goes_along_with_the_last_file),
        IN_BED(positions_are_merged_before_they_are_written),
        IN_BED(positions_are_written_by_themselves),
        IN_BED(many_tell_while_it_is_written),
        IN_BED(comments_come_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
