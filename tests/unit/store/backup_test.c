/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Backups: what is in them, which are kept, and how one takes the place of what was. */
#include "store/backups.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/accounts.h"
#include "store/sql.h"
#include "store/store.h"

#define HOUR_MS (60LL * 60 * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define TORRENT "abcdefghijklmnopqrst"
#define NOW_MS  1796000000000LL /* 2026-11-29T... */

struct bed {
    char data[64], path[128], copy[128];
    struct store *store;
};

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->data, sizeof bed->data, "/tmp/matinee-backup-XXXXXX");
    assert_non_null(mkdtemp(bed->data));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->data);
    snprintf(bed->copy, sizeof bed->copy, "%s/copy.db", bed->data);
    assert_int_equal(store_open(bed->path, &bed->store, NULL), OK);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    char command[128];
    store_close(&bed->store);
    snprintf(command, sizeof command, "rm -r %s", bed->data);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    free(bed);
    return 0;
}

static void add_user(struct store *store, const char *name)
{
    struct store_user user = {.role = ROLE_ADMIN, .password = "hash"};
    store_new_id(user.id);
    snprintf(user.name, sizeof user.name, "%s", name);
    snprintf(user.folded, sizeof user.folded, "%s", name);
    assert_int_equal(store_user_add(store, &user, false), OK);
}

static bool has_user(struct store *store, const char *name)
{
    struct store_user user;
    return store_user_find(store, name, &user) == OK;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
}

static void assert_file(const char *path, const char *text)
{
    char got[100] = "";
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof got - 1) >= 0);
    assert_string_equal(got, text);
    close(fd);
}

static const char *in(const struct bed *bed, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", bed->data, name);
    return path;
}

/* Of a download, its resume data and one of its bytes. */
static void add_download(const struct bed *bed, const char *resume)
{
    mkdir(in(bed, "torrents"), 0700);
    mkdir(in(bed, "torrents/" TORRENT), 0700);
    mkdir(in(bed, "torrents/" TORRENT "/f"), 0700);
    write_file(in(bed, "torrents/" TORRENT "/resume"), resume);
    write_file(in(bed, "torrents/" TORRENT "/f/0"), "film");
    mkdir(in(bed, "torrents/not one of ours"), 0700);
    write_file(in(bed, "torrents/not one of ours/resume"), "x");
}

/* The store closed, what was laid ready taken, and opened again. */
static void restart(struct bed *bed, bool expected)
{
    bool was_restored = !expected;
    store_close(&bed->store);
    assert_int_equal(backup_settle(bed->data, &was_restored, NULL), OK);
    assert_int_equal(was_restored, expected);
    assert_int_equal(store_open(bed->path, &bed->store, NULL), OK);
}

static void a_backup_takes_the_place_of_what_is(void **state)
{
    struct bed *bed = *state;
    struct backup_facts facts;
    struct why why = {0};
    add_user(bed->store, "anna");
    add_download(bed, "resume data");
    assert_int_equal(backup_make(bed->data, bed->copy, &why), OK);
    assert_int_equal(backup_make(bed->data, bed->copy, &why), ERR_BUSY);
    assert_int_equal(backup_check(bed->copy, &facts, &why), OK);
    assert_int_equal(facts.users, 1);
    assert_int_equal(facts.schema, schema_newest());
    struct stat info;
    assert_int_equal(stat(bed->copy, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    restart(bed, false); /* nothing was laid ready */
    add_user(bed->store, "ben");
    char command[200];
    snprintf(command, sizeof command, "rm -r %s/torrents", bed->data);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    assert_int_equal(backup_stage(bed->data, bed->copy, &why), OK);
    assert_true(has_user(bed->store, "ben")); /* until the next start */
    restart(bed, true);
    assert_true(has_user(bed->store, "anna"));
    assert_false(has_user(bed->store, "ben"));
    assert_file(in(bed, "torrents/" TORRENT "/resume"), "resume data");
    assert_int_not_equal(access(in(bed, "torrents/not one of ours"), F_OK), 0);
    assert_int_not_equal(access(in(bed, "restore"), F_OK), 0);
    restart(bed, false);
    assert_true(has_user(bed->store, "anna"));
}

static void what_was_is_kept_beside_it(void **state)
{
    struct bed *bed = *state;
    char pattern[200];
    add_user(bed->store, "anna");
    assert_int_equal(backup_make(bed->data, bed->copy, NULL), OK);
    add_user(bed->store, "ben");
    add_download(bed, "newer");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(backup_stage(bed->data, bed->copy, NULL), OK);
        restart(bed, true);
        assert_false(has_user(bed->store, "ben"));
    }
    assert_file(in(bed, "torrents/" TORRENT "/resume"), "newer");
    snprintf(pattern, sizeof pattern, "test $(ls -d %s/before-restore-* | wc -l) = 3", bed->data);
    assert_int_equal(system(pattern), 0); /* NOLINT(cert-env33-c) */
}

static void an_old_database_can_be_brought_back(void **state)
{
    struct bed *bed = *state;
    char command[300];
    add_user(bed->store, "anna");
    assert_int_equal(backup_make(bed->data, bed->copy, NULL), OK);
    add_user(bed->store, "ben");
    assert_int_equal(backup_stage(bed->data, bed->copy, NULL), OK);
    restart(bed, true);
    snprintf(command, sizeof command, "mv %s/before-restore-*/matinee.db %s/old.db", bed->data,
             bed->data);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    assert_int_equal(backup_stage(bed->data, in(bed, "old.db"), NULL), OK);
    restart(bed, true);
    assert_true(has_user(bed->store, "ben"));
}

/* An end in the middle of taking it: the next start goes on. */
static void an_interrupted_restore_is_finished(void **state)
{
    struct bed *bed = *state;
    add_user(bed->store, "anna");
    assert_int_equal(backup_make(bed->data, bed->copy, NULL), OK);
    add_user(bed->store, "ben");
    assert_int_equal(backup_stage(bed->data, bed->copy, NULL), OK);
    store_close(&bed->store);
    mkdir(in(bed, "before-restore-2026-01-01"), 0700);
    char old[256];
    snprintf(old, sizeof old, "%s", in(bed, "before-restore-2026-01-01/matinee.db"));
    assert_int_equal(rename(bed->path, old), 0); /* so far it came */
    restart(bed, true);
    assert_true(has_user(bed->store, "anna"));
    assert_false(has_user(bed->store, "ben"));
}

static void what_is_no_backup_is_refused(void **state)
{
    struct bed *bed = *state;
    struct backup_facts facts;
    struct why why = {0};
    struct conn *conn = NULL;
    assert_int_equal(backup_check(in(bed, "nosuch"), &facts, &why), ERR_IO);
    write_file(in(bed, "text"),
               "this is no database, but long enough to be one, one might think ....");
    assert_int_equal(backup_stage(bed->data, in(bed, "text"), &why), ERR_BAD_INPUT);
    add_user(bed->store, "anna");
    assert_int_equal(backup_make(bed->data, bed->copy, &why), OK);
    /* a newer program's */
    assert_int_equal(conn_open_plain(bed->copy, true, &conn, &why), OK);
    assert_int_equal(conn_run(conn, "PRAGMA user_version=1000"), OK);
    conn_close(&conn);
    assert_int_equal(backup_stage(bed->data, bed->copy, &why), ERR_BAD_INPUT);
    assert_non_null(strstr(why.text, "1000"));
    /* damaged: bytes of its middle are others */
    assert_int_equal(unlink(bed->copy), 0);
    assert_int_equal(backup_make(bed->data, bed->copy, &why), OK);
    int fd = open(bed->copy, O_WRONLY);
    char garbage[3000];
    memset(garbage, 0x5a, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, 4096), (ssize_t) sizeof garbage);
    close(fd);
    assert_int_equal(backup_stage(bed->data, bed->copy, &why), ERR_BAD_INPUT);
    restart(bed, false);
    assert_true(has_user(bed->store, "anna"));
    assert_int_equal(backup_make(in(bed, "no folder"), in(bed, "x.db"), &why), ERR_NOT_FOUND);
}

/* What a backup says lies where it may not is left out. */
static void paths_in_a_backup_lead_nowhere_else(void **state)
{
    struct bed *bed = *state;
    struct conn *conn = NULL;
    add_user(bed->store, "anna");
    assert_int_equal(backup_make(bed->data, bed->copy, NULL), OK);
    assert_int_equal(conn_open_plain(bed->copy, true, &conn, NULL), OK);
    assert_int_equal(conn_run(conn, "INSERT INTO kept_file VALUES('../../evil', x'41'), ('" TORRENT
                                    "/../evil', x'41'),"
                                    "('" TORRENT "/other', x'41'), ('/etc/evil', x'41'), ('" TORRENT
                                    "', x'41'),"
                                    "('" TORRENT "/resume', x'42')"),
                     OK);
    conn_close(&conn);
    assert_int_equal(backup_stage(bed->data, bed->copy, NULL), OK);
    restart(bed, true);
    assert_file(in(bed, "torrents/" TORRENT "/resume"), "B");
    assert_int_not_equal(access(in(bed, "torrents/" TORRENT "/other"), F_OK), 0);
    assert_int_not_equal(access(in(bed, "torrents/evil"), F_OK), 0);
    assert_int_not_equal(access(in(bed, "evil"), F_OK), 0);
}

/* --- while it is written --- */

struct crowd {
    struct store *store;
    atomic_int done; /* users that are in */
    atomic_bool stop;
};

static void *write_all_the_time(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; !atomic_load(&crowd->stop); i++) {
        char name[32];
        snprintf(name, sizeof name, "u%d", i);
        add_user(crowd->store, name);
        atomic_store(&crowd->done, i + 1);
    }
    return NULL;
}

static void a_backup_holds_all_that_was_committed(void **state)
{
    struct bed *bed = *state;
    struct crowd crowd = {.store = bed->store};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_all_the_time, &crowd), 0);
    for (int i = 0; i < 5; i++) {
        struct backup_facts facts;
        usleep(100000);
        int before = atomic_load(&crowd.done);
        assert_int_equal(backup_make(bed->data, bed->copy, NULL), OK);
        int after = atomic_load(&crowd.done);
        assert_int_equal(backup_check(bed->copy, &facts, NULL), OK);
        assert_in_range(facts.users, before, after + 1);
        assert_int_equal(unlink(bed->copy), 0);
    }
    atomic_store(&crowd.stop, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&crowd.done) > 20);
}

/* --- the folder --- */

static void old_ones_are_let_go(void **state)
{
    struct bed *bed = *state;
    struct backup *backups = NULL, made;
    size_t count = 0;
    char *path = NULL;
    add_user(bed->store, "anna");
    for (int day = 0; day < 60; day++)
        assert_int_equal(
            backups_make(bed->data, BACKUP_NIGHTLY, NOW_MS + day * DAY_MS, &made, NULL), OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            backups_make(bed->data, BACKUP_UPGRADE, NOW_MS + i * DAY_MS + HOUR_MS, &made, NULL),
            OK);
    assert_int_equal(backups_make(bed->data, BACKUP_MANUAL, NOW_MS, &made, NULL), OK);
    assert_int_equal(backups_list(bed->data, &backups, &count), OK);
    size_t nights = 0, others = 0;
    int64_t oldest_ms = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        nights += backups[i].kind == BACKUP_NIGHTLY;
        others += backups[i].kind == BACKUP_UPGRADE;
        if (backups[i].kind == BACKUP_NIGHTLY)
            oldest_ms = backups[i].made_ms;
        assert_true(i == 0 || strcmp(backups[i - 1].id, backups[i].id) > 0);
        assert_true(backups[i].size > 0);
    }
    assert_int_equal(nights, 7 + 4);
    assert_int_equal(others, 3);
    assert_true(oldest_ms < NOW_MS + (59 - 7 - 21) * DAY_MS); /* some weeks back */
    assert_true(oldest_ms > NOW_MS + (59 - 7 - 35) * DAY_MS);
    assert_int_equal(backups_path(bed->data, made.id, &path), OK);
    char *good = backups_last_good(bed->data);
    assert_non_null(strstr(good, backups[0].id));
    write_file(good, "damaged");
    mem_free(good);
    good = backups_last_good(bed->data);
    assert_non_null(strstr(good, backups[1].id));
    mem_free(good);
    mem_free(path);
    mem_free(backups);
    static const char *const WRONG[] = {"",
                                        "..",
                                        "../matinee",
                                        "20261129T000000Z-other",
                                        "20269929T000000Z-manual",
                                        "20261129T000000Z-manual/../x"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_int_equal(backups_path(bed->data, WRONG[i], &path), ERR_NOT_FOUND);
}

static void one_is_due_each_night(void **state)
{
    (void) state;
    assert_true(backups_is_due(0, NOW_MS, 12, 3));
    assert_false(backups_is_due(NOW_MS - 23 * HOUR_MS, NOW_MS, 2, 3));
    assert_true(backups_is_due(NOW_MS - 24 * HOUR_MS, NOW_MS, 3, 3));
    assert_false(backups_is_due(NOW_MS - HOUR_MS / 2, NOW_MS, 3, 3));
    assert_false(backups_is_due(NOW_MS - 30 * HOUR_MS, NOW_MS, 9, 3));
    assert_true(backups_is_due(NOW_MS - 36 * HOUR_MS, NOW_MS, 15, 3));
    assert_true(backups_is_due(NOW_MS + HOUR_MS, NOW_MS, 15, 3)); /* the clock was wrong */
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_backup_takes_the_place_of_what_is),   IN_BED(what_was_is_kept_beside_it),
        IN_BED(an_old_database_can_be_brought_back),   IN_BED(an_interrupted_restore_is_finished),
        IN_BED(what_is_no_backup_is_refused),          IN_BED(paths_in_a_backup_lead_nowhere_else),
        IN_BED(a_backup_holds_all_that_was_committed), IN_BED(old_ones_are_let_go),
        cmocka_unit_test(one_is_due_each_night),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
