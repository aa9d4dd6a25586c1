/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is let in, while others change it: what ends in the store ends in memory, and the other way round. */
#include "auth/people.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/sessions.h"

struct bed {
    char folder[64], database[96];
    struct store *store;
    struct auth *auth;
    struct http_user anna; /* an administrator */
};

static const struct bounds NO_BOUNDS = {0};

static struct auth_wish wish_of(const char *name, const char *password, const char *code)
{
    return (struct auth_wish){.username = slice_of(name),
                              .password = slice_of(password),
                              .code = slice_of(code),
                              .peer = SLICE("192.0.2.7"),
                              .is_loopback = true};
}

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    struct auth_answer answer;
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-people-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->database, sizeof bed->database, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->database, &bed->store, NULL), OK);
    const struct auth_options options = {.mode = AUTH_ACCOUNTS, .data_folder = bed->folder};
    assert_int_equal(auth_start(&options, bed->store, &bed->auth, NULL), OK);
    struct auth_wish wish = wish_of("Anna", "correct horse", NULL);
    assert_int_equal(auth_set_up(bed->auth, &wish, &answer, NULL), OK);
    bed->anna = answer.user;
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    auth_stop(&bed->auth);
    store_close(&bed->store);
    unlink(bed->database);
    assert_int_equal(rmdir(bed->folder), 0);
    free(bed);
    return 0;
}

static enum err who(struct bed *bed, const char *token, struct http_user *out)
{
    struct http_auth http = auth_http(bed->auth);
    return http.user(http.ctx, slice_of(token), slice_of(NULL), out);
}

static void a_key_is_of_a_person(void **state)
{
    struct bed *bed = *state;
    struct http_auth http = auth_http(bed->auth);
    struct store_key key;
    struct http_user found;
    char secret[AUTH_KEY_SIZE];
    struct why why = {0};
    assert_int_equal(
        people_make_key(bed->auth, &bed->anna, SLICE("my\nscript"), SCOPE_READ, &key, secret, &why),
        ERR_BAD_INPUT);
    assert_string_equal(why.field, "name");
    assert_int_equal(
        people_make_key(bed->auth, &bed->anna, SLICE("my script"), SCOPE_READ, &key, secret, &why),
        OK);
    assert_int_equal(http.user(http.ctx, slice_of(NULL), slice_of(secret), &found), OK);
    assert_string_equal(found.id, bed->anna.id);
    assert_true(found.is_key);
    assert_int_equal(found.scopes, SCOPE_READ);
    assert_true(auth_session_lives(bed->auth, found.session));
    assert_true(people_last_seen(bed->auth, key.id, -1) > 0);
    const struct http_user other = {.id = "somebody"};
    assert_int_equal(people_end_key(bed->auth, &other, key.id), ERR_NOT_FOUND);
    assert_int_equal(people_end_key(bed->auth, &bed->anna, key.id), OK);
    assert_int_equal(http.user(http.ctx, slice_of(NULL), slice_of(secret), &found), ERR_NOT_FOUND);
    assert_false(auth_session_lives(bed->auth, key.id));
}

static void a_link_signs_in_and_out(void **state)
{
    struct bed *bed = *state;
    struct store_user ben;
    struct auth_answer first, second;
    struct http_user user;
    struct why why = {0};
    char code[AUTH_TOKEN_SIZE];
    int64_t expires_ms = 0;
    assert_int_equal(
        people_add(bed->auth, SLICE("ben"), slice_of(NULL), ROLE_MEMBER, &NO_BOUNDS, &ben, &why),
        OK);
    assert_int_equal(
        people_add(bed->auth, SLICE("BEN"), slice_of(NULL), ROLE_MEMBER, &NO_BOUNDS, &ben, &why),
        ERR_BUSY);
    assert_int_equal(store_user_find(bed->store, "ben", &ben), OK);
    assert_int_equal(people_make_reset(bed->auth, ben.id, code, &expires_ms, &why), OK);
    struct auth_wish wish = wish_of(NULL, "a password", code);
    assert_int_equal(people_use_reset(bed->auth, &wish, &first, &why), OK);
    assert_int_equal(who(bed, first.token, &user), OK);
    assert_string_equal(user.name, "ben");
    assert_int_equal(people_make_reset(bed->auth, ben.id, code, &expires_ms, &why), OK);
    assert_int_equal(people_use_reset(bed->auth, &wish, &second, &why), OK);
    assert_int_equal(who(bed, first.token, &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, second.token, &user), OK);
    assert_int_equal(people_make_reset(bed->auth, "nobody", code, &expires_ms, &why),
                     ERR_NOT_FOUND);
}

enum { ROUNDS = 12 };

struct race {
    struct bed *bed;
    char user[STORE_ID_SIZE];
};

static void *sign_in_often(void *arg)
{
    struct race *race = arg;
    struct auth_wish wish = wish_of("ben", "a password", NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct auth_answer answer;
        enum err err = auth_sign_in(race->bed->auth, &wish, &answer, NULL);
        assert_true(err == OK || err == ERR_REFUSED || err == ERR_LIMIT);
    }
    return NULL;
}

static void *disable_often(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < 40 * ROUNDS; i++) {
        const bool is_disabled = i % 2 == 0;
        struct store_user user;
        assert_int_equal(people_change(race->bed->auth, race->user,
                                       &(struct people_change){.is_disabled = &is_disabled}, &user,
                                       NULL),
                         OK);
    }
    return NULL;
}

static void count_live(void *ctx, const struct store_session *session,
                       const struct store_user *user)
{
    (void) user;
    struct race *race = ctx;
    assert_true(auth_session_lives(race->bed->auth, session->id));
}

/* Whoever is disabled while he signs in is not signed in: neither in the store nor in memory. */
static void store_and_memory_agree(void **state)
{
    struct race race = {.bed = *state};
    struct auth *auth = race.bed->auth;
    struct store_user ben;
    pthread_t threads[2];
    const bool yes = true;
    struct auth_answer answer;
    assert_int_equal(
        people_add(auth, SLICE("ben"), SLICE("a password"), ROLE_MEMBER, &NO_BOUNDS, &ben, NULL),
        OK);
    memcpy(race.user, ben.id, sizeof race.user);
    assert_int_equal(pthread_create(&threads[0], NULL, sign_in_often, &race), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, disable_often, &race), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(store_sessions_each(race.bed->store, ben.id, count_live, &race), OK);
    const bool no = false;
    assert_int_equal(
        people_change(auth, ben.id, &(struct people_change){.is_disabled = &no}, &ben, NULL), OK);
    struct auth_wish wish = wish_of("ben", "a password", NULL);
    wish.peer = SLICE("192.0.2.8");
    assert_int_equal(auth_sign_in(auth, &wish, &answer, NULL), OK);
    assert_int_equal(
        people_change(auth, ben.id, &(struct people_change){.is_disabled = &yes}, &ben, NULL), OK);
    struct http_user user;
    assert_int_equal(who(race.bed, answer.token, &user), ERR_NOT_FOUND);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_key_is_of_a_person),
        IN_BED(a_link_signs_in_and_out),
        IN_BED(store_and_memory_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
