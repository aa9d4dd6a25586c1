/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000 };

static void add(struct sessions *sessions, const char *id, uint8_t hash)
{
    struct store_session session = {.hash = {hash}};
    struct store_user user = {.id = "u", .name = "anna"};
    snprintf(session.id, sizeof session.id, "%s", id);
    sessions_add(sessions, &session, &user);
}

static enum err find(struct sessions *sessions, uint8_t first, int64_t now_ms,
                     struct http_user *out)
{
    uint8_t hash[32] = {first};
    return sessions_find(sessions, hash, now_ms, out);
}

static void each_is_found_by_its_hash(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(100 * HOUR_MS);
    struct http_user user;
    for (unsigned i = 0; i < 200; i++) {
        char id[8];
        uint8_t hash = (uint8_t) (i * 77);
        snprintf(id, sizeof id, "s%u", hash);
        add(sessions, id, hash);
    }
    for (unsigned i = 0; i < 200; i++) {
        char id[8];
        uint8_t hash = (uint8_t) (i * 77);
        snprintf(id, sizeof id, "s%u", hash);
        assert_int_equal(find(sessions, hash, 1, &user), OK);
        assert_string_equal(user.session, id);
        if (i % 2 == 0)
            sessions_remove(sessions, id);
        assert_int_equal(sessions_has(sessions, id), i % 2 != 0);
    }
    sessions_free(&sessions);
}

static void unused_ones_end(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(10);
    struct http_user user;
    add(sessions, "a", 1);
    assert_int_equal(find(sessions, 1, 9, &user), OK);
    assert_int_equal(find(sessions, 1, 18, &user), OK); /* use prolongs */
    assert_int_equal(find(sessions, 1, 28, &user), ERR_NOT_FOUND);
    sessions_free(&sessions);
}

static void the_store_hears_of_use_once_an_hour(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(100 * HOUR_MS);
    struct http_user user;
    struct sessions_seen seen = {0};
    add(sessions, "a", 1);
    assert_int_equal(find(sessions, 1, HOUR_MS - 1, &user), OK);
    assert_false(sessions_want_saving(sessions));
    assert_int_equal(find(sessions, 1, HOUR_MS + 5, &user), OK);
    assert_true(sessions_want_saving(sessions));
    assert_int_equal(find(sessions, 1, HOUR_MS + 6, &user), OK);
    assert_false(sessions_want_saving(sessions)); /* somebody is at it */
    assert_int_equal(sessions_take_seen(sessions, &seen), OK);
    assert_string_equal(seen.id, "a");
    assert_false(seen.is_key);
    assert_int_equal(seen.seen_ms, HOUR_MS + 6);
    assert_int_equal(sessions_take_seen(sessions, &seen), ERR_NOT_FOUND);
    sessions_free(&sessions);
}

static void keys_last_and_count_as_what_they_are_good_for(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(10);
    struct store_key key = {.id = "k", .hash = {2}, .scopes = SCOPE_PLAY, .seen_ms = -1};
    struct store_user user = {.id = "u", .name = "anna", .role = ROLE_ADMIN};
    struct http_user found;
    struct sessions_seen seen = {0};
    add(sessions, "a", 1);
    sessions_add_key(sessions, &key, &user);
    assert_int_equal(find(sessions, 2, 50 * HOUR_MS, &found), OK);
    assert_true(found.is_key);
    assert_int_equal(found.scopes, SCOPE_PLAY);
    assert_true(sessions_want_saving(sessions));
    assert_int_equal(sessions_take_seen(sessions, &seen), OK);
    assert_true(seen.is_key);
    assert_int_equal(sessions_last_seen(sessions, "k"), 50 * HOUR_MS);
    assert_int_equal(sessions_last_seen(sessions, "x"), -1);
    sessions_remove_of(sessions, "u", NULL); /* sessions alone */
    assert_false(sessions_has(sessions, "a"));
    user.role = ROLE_MEMBER;
    sessions_change(sessions, &user);
    assert_int_equal(find(sessions, 2, 50 * HOUR_MS, &found), OK);
    assert_int_equal(found.role, ROLE_MEMBER);
    sessions_forget(sessions, "u");
    assert_int_equal(find(sessions, 2, 50 * HOUR_MS, &found), ERR_NOT_FOUND);
    sessions_free(&sessions);
}

static void the_disabled_are_not_let_in(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(10);
    struct store_user user = {.id = "u", .is_disabled = true};
    struct store_key key = {.id = "k", .hash = {2}};
    struct store_session session = {.id = "s", .hash = {1}};
    sessions_add(sessions, &session, &user);
    sessions_add_key(sessions, &key, &user);
    assert_false(sessions_has(sessions, "s") || sessions_has(sessions, "k"));
    sessions_free(&sessions);
}

static void all_but_one_end(void **state)
{
    (void) state;
    struct sessions *sessions = sessions_new(10);
    add(sessions, "a", 1);
    add(sessions, "b", 2);
    add(sessions, "c", 3);
    sessions_remove_of(sessions, "u", "b");
    assert_false(sessions_has(sessions, "a") || sessions_has(sessions, "c"));
    assert_true(sessions_has(sessions, "b"));
    sessions_free(&sessions);
}

static void only_tokens_have_hashes(void **state)
{
    (void) state;
    uint8_t a[32], b[32];
    assert_int_equal(sessions_hash(SLICE("short"), a), ERR_BAD_INPUT);
    assert_int_equal(sessions_hash(slice_of(NULL), a), ERR_BAD_INPUT);
    assert_int_equal(sessions_hash(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), a), OK);
    assert_int_equal(sessions_hash(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), b), OK);
    assert_memory_not_equal(a, b, 32);
    assert_int_equal(sessions_hash_key(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), b),
                     ERR_BAD_INPUT);
    assert_int_equal(sessions_hash_key(SLICE("mk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), b),
                     OK);
    assert_memory_not_equal(a, b, 32); /* a key is no session */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_by_its_hash),
        cmocka_unit_test(unused_ones_end),
        cmocka_unit_test(the_store_hears_of_use_once_an_hour),
        cmocka_unit_test(keys_last_and_count_as_what_they_are_good_for),
        cmocka_unit_test(the_disabled_are_not_let_in),
        cmocka_unit_test(all_but_one_end),
        cmocka_unit_test(only_tokens_have_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
