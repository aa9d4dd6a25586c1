/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the server signs itself, and the keys for it. */
#include "auth/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#define NOW_S  1796000000LL
#define DAY_MS (24LL * 60 * 60 * 1000)

struct bed {
    char folder[64], path[96];
    struct store *store;
    struct tokens *tokens;
};

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_true(sodium_init() >= 0);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-tokens-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->path, &bed->store, NULL), OK);
    assert_int_equal(tokens_new(bed->store, NOW_S * 1000, &bed->tokens), OK);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    tokens_free(&bed->tokens);
    store_close(&bed->store);
    unlink(bed->path);
    assert_int_equal(rmdir(bed->folder), 0);
    free(bed);
    return 0;
}

static enum err check(struct tokens *tokens, const char *token, int64_t now_s)
{
    struct tokens_claim claim;
    enum err err = tokens_check(tokens, slice_of(token), now_s, &claim);
    if (err == OK) {
        assert_string_equal(claim.user, "anna");
        assert_string_equal(claim.session, "s1");
    }
    return err;
}

static void access_is_for_a_quarter_of_an_hour(void **state)
{
    struct bed *bed = *state;
    char token[TOKENS_ACCESS_SIZE];
    assert_int_equal(tokens_issue(bed->tokens, "anna", "s1", NOW_S, token), OK);
    for (int i = 0; i < 2; i++) /* signed, and remembered */
        assert_int_equal(check(bed->tokens, token, NOW_S + 10), OK);
    assert_int_equal(check(bed->tokens, token, NOW_S + TOKENS_ACCESS_S), OK);
    assert_int_equal(check(bed->tokens, token, NOW_S + TOKENS_ACCESS_S + 61), ERR_REFUSED);
    token[strlen(token) / 2] ^= 1;
    assert_int_equal(check(bed->tokens, token, NOW_S + 10), ERR_REFUSED);
    assert_int_equal(check(bed->tokens, "", NOW_S), ERR_REFUSED);
    assert_int_equal(check(bed->tokens, "mk_x", NOW_S), ERR_REFUSED);
}

static void another_server_signs_otherwise(void **state)
{
    struct bed *bed = *state;
    struct store *other = NULL;
    struct tokens *tokens = NULL;
    char token[TOKENS_ACCESS_SIZE], path[] = "/tmp/matinee-tokens-XXXXXX", text[TOKENS_PATH_SIZE];
    struct tokens_path out;
    close(mkstemp(path));
    assert_int_equal(store_open(path, &other, NULL), OK);
    assert_int_equal(tokens_new(other, NOW_S * 1000, &tokens), OK);
    assert_int_equal(tokens_issue(tokens, "anna", "s1", NOW_S, token), OK);
    assert_int_equal(check(bed->tokens, token, NOW_S), ERR_REFUSED);
    tokens_sign_path(tokens, &(struct tokens_path){.user = "anna"}, "film", text);
    assert_int_equal(tokens_check_path(bed->tokens, slice_of(text), SLICE("film"), &out),
                     ERR_REFUSED);
    tokens_free(&tokens);
    store_close(&other);
    unlink(path);
}

static void keys_outlive_the_process_and_are_renewed(void **state)
{
    struct bed *bed = *state;
    char token[TOKENS_ACCESS_SIZE], text[TOKENS_PATH_SIZE];
    struct tokens_path out;
    assert_int_equal(tokens_issue(bed->tokens, "anna", "s1", NOW_S, token), OK);
    tokens_sign_path(bed->tokens, &(struct tokens_path){.user = "anna"}, "film", text);
    tokens_free(&bed->tokens);
    assert_int_equal(tokens_new(bed->store, NOW_S * 1000 + 50 * DAY_MS, &bed->tokens), OK);
    assert_int_equal(check(bed->tokens, token, NOW_S), OK);
    assert_int_equal(tokens_check_path(bed->tokens, slice_of(text), SLICE("film"), &out), OK);
    /* another one signs, the one before is still known */
    tokens_free(&bed->tokens);
    assert_int_equal(tokens_new(bed->store, NOW_S * 1000 + 91 * DAY_MS, &bed->tokens), OK);
    char newer[TOKENS_ACCESS_SIZE];
    assert_int_equal(tokens_issue(bed->tokens, "anna", "s1", NOW_S, newer), OK);
    assert_memory_not_equal(newer, token, 80); /* the header, with the key's name */
    assert_int_equal(check(bed->tokens, token, NOW_S), OK);
    assert_int_equal(check(bed->tokens, newer, NOW_S), OK);
    tokens_free(&bed->tokens);
    assert_int_equal(tokens_new(bed->store, NOW_S * 1000 + 101 * DAY_MS, &bed->tokens), OK);
    assert_int_equal(check(bed->tokens, token, NOW_S), ERR_REFUSED);
    assert_int_equal(check(bed->tokens, newer, NOW_S), OK);
}

static void an_address_is_of_one_file(void **state)
{
    struct bed *bed = *state;
    char text[TOKENS_PATH_SIZE];
    struct tokens_path out;
    const struct tokens_path path = {
        .user = "anna", .session = "s1", .playback = "p1", .expires_s = NOW_S};
    tokens_sign_path(bed->tokens, &path, "film", text);
    assert_int_equal(tokens_check_path(bed->tokens, slice_of(text), SLICE("film"), &out), OK);
    assert_string_equal(out.user, "anna");
    assert_string_equal(out.session, "s1");
    assert_string_equal(out.playback, "p1");
    assert_int_equal(out.expires_s, NOW_S);
    assert_int_equal(tokens_check_path(bed->tokens, slice_of(text), SLICE("films"), &out),
                     ERR_REFUSED);
    assert_int_equal(tokens_check_path(bed->tokens, slice_of(text), SLICE(""), &out), ERR_REFUSED);
    for (size_t i = 0; i < strlen(text); i++) {
        char kept = text[i];
        bool is_last = i + 1 == strlen(text); /* two of its bits say nothing */
        text[i] = kept == 'a' ? 'b' : 'a';
        if (!is_last &&
            tokens_check_path(bed->tokens, slice_of(text), SLICE("film"), &out) != ERR_REFUSED)
            fail_msg("letter %zu of %s", i, text);
        text[i] = kept;
    }
    for (size_t length = 0; length < strlen(text); length++)
        assert_int_equal(
            tokens_check_path(bed->tokens, (struct slice){text, length}, SLICE("film"), &out),
            ERR_REFUSED);
}

static void a_challenge_is_for_one_thing_once_for_a_while(void **state)
{
    struct bed *bed = *state;
    char text[TOKENS_CHALLENGE_SIZE], other[TOKENS_CHALLENGE_SIZE];
    tokens_make_challenge(bed->tokens, "passkey of anna", NOW_S, text);
    tokens_make_challenge(bed->tokens, "passkey of anna", NOW_S, other);
    assert_int_equal(strlen(text), TOKENS_CHALLENGE_SIZE - 1);
    assert_string_not_equal(text, other);
    assert_true(tokens_check_challenge(bed->tokens, slice_of(text), "passkey of anna", NOW_S));
    assert_false(tokens_check_challenge(bed->tokens, slice_of(text), "passkey of anna", NOW_S + 1));
    assert_false(tokens_check_challenge(bed->tokens, slice_of(text), "passkey of ben", NOW_S));
    assert_false(tokens_check_challenge(bed->tokens, slice_of(text), "", NOW_S));
    for (size_t i = 0; i < strlen(text); i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        if (tokens_check_challenge(bed->tokens, slice_of(text), "passkey of anna", NOW_S))
            fail_msg("letter %zu of %s", i, text);
        text[i] = kept;
    }
    for (size_t length = 0; length < strlen(text); length++)
        assert_false(tokens_check_challenge(bed->tokens, (struct slice){text, length},
                                            "passkey of anna", NOW_S));
    assert_false(tokens_check_challenge(bed->tokens, slice_of(text), "passkey of Anna", NOW_S));
    assert_true(tokens_spend_challenge(bed->tokens, slice_of(text), NOW_S));
    assert_false(tokens_spend_challenge(bed->tokens, slice_of(text), NOW_S));
    assert_true(tokens_spend_challenge(bed->tokens, slice_of(other), NOW_S));
    assert_false(tokens_spend_challenge(bed->tokens, slice_of(text), NOW_S));
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(access_is_for_a_quarter_of_an_hour),
        IN_BED(another_server_signs_otherwise),
        IN_BED(keys_outlive_the_process_and_are_renewed),
        IN_BED(an_address_is_of_one_file),
        IN_BED(a_challenge_is_for_one_thing_once_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
