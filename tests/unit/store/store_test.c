/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The database as such: opening what is there, many writers at once, a process that is killed. */
#include "store/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/sessions.h"

struct bed {
    char folder[64], path[96];
};

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-store-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    static const char *const ENDS[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", bed->path, ENDS[i]);
        unlink(path);
    }
    rmdir(bed->folder);
    free(bed);
    return 0;
}

static struct store *open_store(const struct bed *bed)
{
    struct store *store = NULL;
    struct why why = {0};
    assert_int_equal(store_open(bed->path, &store, &why), OK);
    return store;
}

static struct store_user user_called(const char *name)
{
    struct store_user user = {.role = ROLE_ADMIN, .created_ms = 5, .password = "hash"};
    store_new_id(user.id);
    snprintf(user.name, sizeof user.name, "%s", name);
    snprintf(user.folded, sizeof user.folded, "%s", name);
    return user;
}

static void keeps_what_was_written(void **state)
{
    struct store *store = open_store(*state);
    struct store_user user = user_called("anna"), found = {0};
    assert_int_equal(store_user_add(store, &user, true), OK);
    store_close(&store);
    assert_null(store);
    store = open_store(*state);
    assert_int_equal(store_user_find(store, "anna", &found), OK);
    assert_string_equal(found.id, user.id);
    assert_string_equal(found.password, "hash");
    assert_int_equal(found.role, ROLE_ADMIN);
    assert_int_equal(store_user_find(store, "berta", &found), ERR_NOT_FOUND);
    store_close(&store);
}

static void the_first_account_is_made_once(void **state)
{
    struct store *store = open_store(*state);
    struct store_user first = user_called("anna"), second = user_called("berta"), again = first;
    int64_t count = -1;
    store_new_id(again.id);
    assert_int_equal(store_user_add(store, &first, true), OK);
    assert_int_equal(store_user_add(store, &second, true), ERR_REFUSED);
    assert_int_equal(store_user_add(store, &again, false), ERR_BUSY);
    assert_int_equal(store_user_add(store, &second, false), OK);
    assert_int_equal(store_user_count(store, &count), OK);
    assert_int_equal(count, 2);
    store_close(&store);
}

enum { SEEN_SIZE = 256 };

static void note_session(void *ctx, const struct store_session *session,
                         const struct store_user *user)
{
    char *seen = ctx;
    size_t used = strlen(seen);
    snprintf(seen + used, SEEN_SIZE - used, "%s%s", session->id, user->name);
}

static void sessions_come_and_go(void **state)
{
    struct store *store = open_store(*state);
    struct store_user user = user_called("anna");
    struct store_session old = {.id = "old", .hash = {1}, .seen_ms = 10};
    struct store_session young = {.id = "young", .hash = {2}, .seen_ms = 10};
    char seen[SEEN_SIZE] = "";
    snprintf(old.user, sizeof old.user, "%s", user.id);
    snprintf(young.user, sizeof young.user, "%s", user.id);
    assert_int_equal(store_session_add(store, &old, &user), ERR_GONE); /* of nobody */
    assert_int_equal(store_user_add(store, &user, true), OK);
    assert_int_equal(store_session_add(store, &old, &user), OK);
    assert_int_equal(store_session_add(store, &young, &user), OK);
    assert_int_equal(store_session_seen(store, "young", 100), OK);
    assert_int_equal(store_sessions_expire(store, 50), OK);
    assert_int_equal(store_sessions_each(store, NULL, note_session, seen), OK);
    assert_string_equal(seen, "younganna");
    assert_int_equal(store_user_set_password(store, user.id, "other", NULL), OK);
    seen[0] = '\0';
    assert_int_equal(store_sessions_each(store, NULL, note_session, seen), OK);
    assert_string_equal(seen, "");
    assert_int_equal(store_user_set_password(store, "nobody", "other", NULL), ERR_NOT_FOUND);
    store_close(&store);
}

static void only_the_owner_may_read_it(void **state)
{
    const struct bed *bed = *state;
    struct store *store = open_store(bed);
    struct stat info;
    assert_int_equal(stat(bed->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    store_close(&store);
}

static void spoil(const char *path, off_t at, const void *bytes, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t) size);
    close(fd);
}

static void expect_refusal(const struct bed *bed, const char *words)
{
    struct store *store = NULL;
    struct why why = {0};
    assert_int_equal(store_open(bed->path, &store, &why), ERR_BAD_INPUT);
    assert_null(store);
    assert_non_null(strstr(why.text, words));
}

static void refuses_what_is_no_database(void **state)
{
    const struct bed *bed = *state;
    char text[5000];
    memset(text, 'x', sizeof text);
    spoil(bed->path, 0, text, sizeof text);
    expect_refusal(bed, "not a database");
}

static void refuses_a_damaged_database(void **state)
{
    const struct bed *bed = *state;
    struct store *store = open_store(bed);
    store_close(&store);
    char noise[8192];
    memset(noise, 0x5a, sizeof noise);
    spoil(bed->path, 4096, noise, sizeof noise);
    expect_refusal(bed, "damaged");
}

static void refuses_a_newer_database(void **state)
{
    const struct bed *bed = *state;
    struct store *store = open_store(bed);
    store_close(&store);
    const unsigned char version[4] = {0, 0, 0x27, 0x0f}; /* user_version, SQLite file format 1.3 */
    spoil(bed->path, 60, version, sizeof version);
    expect_refusal(bed, "newer matinee (its schema is 9999");
}

static void refuses_the_database_of_another_program(void **state)
{
    const struct bed *bed = *state;
    struct store *store = open_store(bed);
    store_close(&store);
    spoil(bed->path, 68, "abcd", 4); /* application_id */
    expect_refusal(bed, "not one of matinee");
}

static void refuses_a_folder(void **state)
{
    struct store *store = NULL;
    struct why why = {0};
    const struct bed *bed = *state;
    assert_int_not_equal(store_open(bed->folder, &store, &why), OK);
    assert_int_not_equal(store_open("/nowhere/at/all.db", &store, &why), OK);
    assert_null(store);
    assert_true(why.text[0] != '\0');
}

struct crowd {
    struct store *store;
    unsigned number;
    unsigned added;
};

static void *add_users(void *arg)
{
    struct crowd *crowd = arg;
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "user-%u-%u", crowd->number, i);
        struct store_user user = user_called(name), found;
        if (store_user_add(crowd->store, &user, false) == OK &&
            store_user_find(crowd->store, name, &found) == OK)
            crowd->added++;
    }
    return NULL;
}

static void many_write_and_read_at_once(void **state)
{
    struct store *store = open_store(*state);
    pthread_t threads[8];
    struct crowd crowds[8];
    unsigned added = 0;
    for (unsigned i = 0; i < 8; i++) {
        crowds[i] = (struct crowd){store, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, add_users, &crowds[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        added += crowds[i].added;
    }
    assert_int_equal(added, 160);
    assert_int_equal(store_touch(store, 1), OK);
    assert_int_equal(store_touch(store, 2), OK);
    store_close(&store);
}

/* Says each account it made, until it is killed. */
static void write_until_killed(const struct bed *bed, int pipe_end)
{
    struct store *store = NULL;
    if (store_open(bed->path, &store, NULL) != OK)
        _exit(1);
    for (unsigned i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "user-%u", i);
        struct store_user user = user_called(name);
        if (store_user_add(store, &user, false) != OK)
            _exit(2);
        if (write(pipe_end, &i, sizeof i) != sizeof i)
            _exit(3);
    }
}

static void a_kill_loses_nothing_acknowledged(void **state)
{
    const struct bed *bed = *state;
    int ends[2];
    unsigned last = 0, number;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0)
        write_until_killed(bed, ends[1]);
    close(ends[1]);
    while (last < 50 && read(ends[0], &number, sizeof number) == sizeof number)
        last = number;
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number)
        last = number;
    waitpid(child, NULL, 0);
    close(ends[0]);
    assert_true(last >= 50);
    struct store *store = open_store(bed);
    int64_t count = 0;
    assert_int_equal(store_user_count(store, &count), OK);
    assert_true(count == last + 1 || count == last + 2);
    store_close(&store);
}

static void ids_are_opaque_and_distinct(void **state)
{
    (void) state;
    char a[STORE_ID_SIZE], b[STORE_ID_SIZE];
    store_new_id(a);
    store_new_id(b);
    assert_int_equal(strlen(a), 20);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 20);
    assert_string_not_equal(a, b);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_kill_loses_nothing_acknowledged),
        IN_BED(keeps_what_was_written),
        IN_BED(the_first_account_is_made_once),
        IN_BED(sessions_come_and_go),
        IN_BED(only_the_owner_may_read_it),
        IN_BED(refuses_what_is_no_database),
        IN_BED(refuses_a_damaged_database),
        IN_BED(refuses_a_newer_database),
        IN_BED(refuses_the_database_of_another_program),
        IN_BED(refuses_a_folder),
        IN_BED(many_write_and_read_at_once),
        cmocka_unit_test(ids_are_opaque_and_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
