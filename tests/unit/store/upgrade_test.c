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

#include "base/mem.h"
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
        for (int part = 0; part < OLD_SCHEMA_PARTS && OLD_SCHEMAS[i].tables[part] != NULL; part++)
            assert_int_equal(conn_run(conn, OLD_SCHEMAS[i].tables[part]), OK);
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

static void check_personal(struct store *store, const char *path)
{
    const struct store_viewer anna = {.user = "u1"};
    struct store_title title = {0};
    struct conn *conn = NULL;
    assert_int_equal(store_title_find(store, "t1", &anna, &title), OK);
    assert_int_equal(title.age, 6);
    assert_true(title.has_progress);
    assert_int_equal(title.progress.position_ms, 30000);
    store_title_fini(&title);
    assert_int_equal(conn_open(path, false, &conn, NULL), OK);
    struct query query = query_on(
        conn, "SELECT (SELECT count(*) FROM watched WHERE user = 'u2') + (SELECT count(*) "
              "FROM watchlist) + (SELECT count(*) FROM comment) + (SELECT count(*) FROM "
              "identity) + (SELECT count(*) FROM passkey) + (SELECT count(*) FROM history)");
    assert_int_equal(query_step(&query), OK);
    assert_int_equal(query_get_int(&query), 6);
    query_end(&query);
    conn_close(&conn);
}

/* What the database is made of, in words: mem_free. */
static char *describe(const char *path)
{
    struct conn *conn = NULL;
    assert_int_equal(conn_open(path, false, &conn, NULL), OK);
    struct query query = query_on(
        conn, "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema WHERE sql IS "
              "NOT NULL ORDER BY type, name)");
    assert_int_equal(query_step(&query), OK);
    char *text = query_get_text(&query);
    query_end(&query);
    conn_close(&conn);
    return text;
}

static char *describe_new(void)
{
    char path[] = "/tmp/matinee-new-XXXXXX";
    struct store *store = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(store_open(path, &store, NULL), OK);
    store_close(&store);
    char *text = describe(path);
    unlink(path);
    return text;
}

/* Those of old are as they were when they were released: a step that is changed later makes another database of
 * them than of nothing. */
static void every_earlier_schema_is_brought_up_to_date(void **state)
{
    CLEANUP(mem_free_at) char *newest = describe_new();
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
        if (OLD_SCHEMAS[count - 1].version >= 5)
            check_personal(store, path);
        store_close(&store);
        assert_int_equal(store_open(path, &store, &why), OK); /* and again */
        store_close(&store);
        CLEANUP(mem_free_at) char *made = describe(path);
        if (strcmp(made, newest) != 0)
            fail_msg("schema %d became\n%s\nwhere a new one is\n%s", count, made, newest);
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
