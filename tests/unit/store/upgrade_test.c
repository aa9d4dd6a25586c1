/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Databases of every earlier schema open, and hold what they held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "old_schemas.h"
#include "store/films.h"
#include "store/links.h"
#include "store/sessions.h"
#include "store/sql.h"

/* As the program of that schema left it. */
static void make_old(char *path, int count)
{
    struct conn *conn = NULL;
    char marks[96];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(conn_open(path, false, &conn, NULL), OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(conn_run(conn, OLD_SCHEMAS[i].tables), OK);
        assert_int_equal(conn_run(conn, OLD_SCHEMAS[i].rows), OK);
    }
    snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%d;", 0x4d74696e,
             OLD_SCHEMAS[count - 1].version);
    assert_int_equal(conn_run(conn, marks), OK);
    conn_close(&conn);
}

static void count_session(void *ctx, const struct store_session *session,
                          const struct store_user *user)
{
    int *count = ctx;
    assert_string_equal(session->id, "s1");
    assert_int_equal(session->seen_ms, 40);
    assert_string_equal(user->id, "u1");
    *count += 1;
}

static void count_link(void *ctx, const struct store_link *link)
{
    int *count = ctx;
    assert_string_equal(link->remote.url, "https://films.example/a.mkv");
    *count += 1;
}

static void check_people(struct store *store)
{
    struct store_user user;
    int sessions = 0;
    assert_int_equal(store_user_find(store, "anna", &user), OK);
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_string_equal(user.password, "hash of anna");
    assert_false(user.is_disabled);
    assert_int_equal(store_user_find(store, "ben", &user), OK);
    assert_int_equal(user.role, ROLE_MEMBER);
    assert_int_equal(store_sessions_each(store, NULL, count_session, &sessions), OK);
    assert_int_equal(sessions, 1);
}

static void check_films(struct store *store)
{
    struct store_title title = {0};
    struct store_plans plans = {0};
    assert_int_equal(store_title_find(store, "t1", NULL, &title), OK);
    assert_string_equal(title.title, "A Film");
    assert_int_equal(title.file_count, 1);
    assert_int_equal(title.files[0].duration_ms, 60000);
    store_title_fini(&title);
    assert_int_equal(store_plans_find(store, "f1", 1, "engine", &plans), OK);
    assert_int_equal(plans.size, 4);
    assert_memory_equal(plans.bytes, "\x0b\xad\xc0\xde", 4);
    store_plans_fini(&plans);
}

static void every_earlier_schema_is_brought_up_to_date(void **state)
{
    (void) state;
    for (int count = 1; count <= OLD_SCHEMA_COUNT; count++) {
        char path[] = "/tmp/matinee-upgrade-XXXXXX";
        struct store *store = NULL;
        struct why why = {0};
        int links = 0;
        make_old(path, count);
        if (store_open(path, &store, &why) != OK)
            fail_msg("schema %d: %s", count, why.text);
        check_people(store);
        check_films(store);
        assert_int_equal(store_links_each(store, "u1", count_link, &links), OK);
        assert_int_equal(links, OLD_SCHEMAS[count - 1].version >= 3);
        store_close(&store);
        assert_int_equal(store_open(path, &store, &why), OK); /* and again */
        store_close(&store);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_earlier_schema_is_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
