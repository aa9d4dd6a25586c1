/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the setup code to signing out, against a real store. */
#include "auth/auth.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

struct bed {
    char folder[64], database[96], code_path[96], password_path[96];
    struct store *store;
    struct auth *auth;
    char shown[AUTH_CODE_SIZE]; /* the code last shown */
    int shown_count;
};

static void show(void *ctx, const char *code)
{
    struct bed *bed = ctx;
    snprintf(bed->shown, sizeof bed->shown, "%s", code);
    bed->shown_count++;
}

static void start(struct bed *bed, struct auth_options options)
{
    struct why why = {0};
    options.data_folder = bed->folder;
    options.show_code = show;
    options.show_ctx = bed;
    assert_int_equal(store_open(bed->database, &bed->store, &why), OK);
    assert_int_equal(auth_start(&options, bed->store, &bed->auth, &why), OK);
}

static void stop(struct bed *bed)
{
    auth_stop(&bed->auth);
    store_close(&bed->store);
}

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-auth-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->database, sizeof bed->database, "%s/matinee.db", bed->folder);
    snprintf(bed->code_path, sizeof bed->code_path, "%s/setup-code", bed->folder);
    snprintf(bed->password_path, sizeof bed->password_path, "%s/password", bed->folder);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    stop(bed);
    unlink(bed->database);
    unlink(bed->code_path);
    unlink(bed->password_path);
    assert_int_equal(rmdir(bed->folder), 0); /* nothing else was left there */
    free(bed);
    return 0;
}

static struct auth_wish wish_of(const char *name, const char *password, const char *code)
{
    return (struct auth_wish){.username = slice_of(name),
                              .password = slice_of(password),
                              .code = slice_of(code),
                              .peer = SLICE("192.0.2.7")};
}

static enum err set_up(struct bed *bed, const char *code, struct auth_answer *out, struct why *why)
{
    struct auth_wish wish = wish_of("Anna", "correct horse", code);
    return auth_set_up(bed->auth, &wish, out, why);
}

static enum err sign_in(struct bed *bed, const char *name, const char *password,
                        struct auth_answer *out)
{
    struct auth_wish wish = wish_of(name, password, NULL);
    return auth_sign_in(bed->auth, &wish, out, NULL);
}

static enum err who(struct bed *bed, const char *token, struct http_user *out)
{
    struct http_auth http = auth_http(bed->auth);
    return http.user(http.ctx, slice_of(token), slice_of(NULL), out);
}

static void the_code_makes_the_first_account(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer = {0};
    struct http_user user;
    struct why why = {0};
    char file[16] = "";
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_false(auth_has_accounts(bed->auth));
    int fd = open(bed->code_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, file, sizeof file), 9);
    close(fd);
    assert_memory_equal(file, bed->shown, 8);
    assert_int_equal(set_up(bed, NULL, &answer, &why), ERR_REFUSED);
    assert_string_equal(why.field, "code");
    assert_int_equal(set_up(bed, "WRONGONE", &answer, &why), ERR_REFUSED);
    char typed[16]; /* as people type it */
    snprintf(typed, sizeof typed, "%.4s-%s ", bed->shown, bed->shown + 4);
    typed[0] = (char) (typed[0] >= 'A' ? typed[0] + 32 : typed[0]);
    assert_int_equal(set_up(bed, typed, &answer, &why), OK);
    assert_true(auth_has_accounts(bed->auth));
    assert_true(http_user_is_admin(&answer.user));
    assert_string_equal(answer.user.name, "Anna");
    assert_int_equal(who(bed, answer.token, &user), OK);
    assert_string_equal(user.id, answer.user.id);
    assert_int_equal(access(bed->code_path, F_OK), -1);
    assert_int_equal(set_up(bed, bed->shown, &answer, &why), ERR_GONE);
}

static void ten_wrong_codes_make_a_new_one(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer;
    struct why why;
    char first[AUTH_CODE_SIZE];
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    memcpy(first, bed->shown, sizeof first);
    for (int i = 0; i < 10; i++) {
        struct auth_wish wish = wish_of("Anna", "correct horse", "AAAAAAAAA");
        wish.is_loopback = true; /* a code that is given is judged there too */
        assert_int_equal(auth_set_up(bed->auth, &wish, &answer, &why), ERR_REFUSED);
    }
    assert_int_equal(bed->shown_count, 2);
    assert_string_not_equal(first, bed->shown);
    assert_int_equal(set_up(bed, first, &answer, &why), ERR_REFUSED);
    assert_int_equal(set_up(bed, bed->shown, &answer, &why), OK);
}

static void loopback_needs_no_code(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    struct auth_wish wish = wish_of("Anna", "short", NULL);
    struct why why = {0};
    wish.is_loopback = true;
    assert_int_equal(auth_set_up(bed->auth, &wish, &answer, &why), ERR_BAD_INPUT);
    assert_string_equal(why.field, "password");
    wish.password = slice_of("long enough");
    wish.username = slice_of("line\nbreak");
    assert_int_equal(auth_set_up(bed->auth, &wish, &answer, &why), ERR_BAD_INPUT);
    assert_string_equal(why.field, "username");
    wish.username = slice_of("Zo\xc3\xab");
    assert_int_equal(auth_set_up(bed->auth, &wish, &answer, &why), OK);
}

static void sessions_outlive_a_restart_until_signed_out(void **state)
{
    struct bed *bed = *state;
    struct auth_answer first, second;
    struct http_user user;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(set_up(bed, bed->shown, &first, NULL), OK);
    assert_int_equal(sign_in(bed, "aNNa", "correct horse", &second), OK);
    assert_string_not_equal(first.token, second.token);
    stop(bed);
    int shown = bed->shown_count;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(bed->shown_count, shown); /* no code where there is an account */
    assert_int_equal(who(bed, first.token, &user), OK);
    assert_true(auth_session_lives(bed->auth, user.session));
    assert_int_equal(auth_sign_out(bed->auth, user.session), OK);
    assert_int_equal(auth_sign_out(bed->auth, user.session), OK);
    assert_false(auth_session_lives(bed->auth, user.session));
    assert_int_equal(who(bed, first.token, &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, second.token, &user), OK);
    stop(bed);
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(who(bed, first.token, &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, second.token, &user), OK);
    assert_int_equal(who(bed, "", &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, NULL, &user), ERR_NOT_FOUND);
}

static void guessing_is_slowed_down(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(set_up(bed, bed->shown, &answer, NULL), OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sign_in(bed, "anna", "a guess", &answer), ERR_REFUSED);
    assert_int_equal(sign_in(bed, "aNNa", "correct horse", &answer), ERR_LIMIT);
    assert_in_range(answer.retry_after_s, 1, 5);
    struct auth_wish wish = wish_of("anna", "correct horse", NULL);
    assert_int_equal(auth_look_at_tries(bed->auth, &wish, &answer.retry_after_s, NULL), ERR_LIMIT);
    assert_int_equal(sign_in(bed, "nobody", "a guess", &answer), ERR_REFUSED); /* each for itself */
    wish.peer = SLICE("2001:db8::1"); /* from elsewhere it is possible */
    assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), OK);
    wish.password = SLICE("a guess");
    for (int i = 0; i < 10; i++)
        assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), ERR_REFUSED);
    wish.peer = SLICE("2001:db8:0:0:ffff::2"); /* the same household */
    assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), ERR_LIMIT);
}

static void a_browser_that_is_known_has_tries_of_its_own(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer, first;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(set_up(bed, bed->shown, &answer, NULL), OK);
    assert_int_equal(sign_in(bed, "anna", "correct horse", &first), OK);
    assert_int_equal(strlen(first.known), TOKENS_BROWSER_SIZE - 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sign_in(bed, "anna", "a guess", &answer), ERR_REFUSED);
    assert_int_equal(sign_in(bed, "anna", "correct horse", &answer), ERR_LIMIT);
    /* what it was given is good as it is, and for its name alone */
    char spoiled[TOKENS_BROWSER_SIZE];
    struct auth_wish wish = wish_of("anna", "correct horse", NULL);
    for (size_t i = 0; i < sizeof spoiled - 1; i++) {
        memcpy(spoiled, first.known, sizeof spoiled);
        spoiled[i] = spoiled[i] == 'A' ? 'B' : 'A';
        wish.known = slice_of(spoiled);
        assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), ERR_LIMIT);
    }
    wish.known = slice_of(first.known);
    assert_int_equal(auth_look_at_tries(bed->auth, &wish, &answer.retry_after_s, NULL), OK);
    assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), OK);
    assert_string_not_equal(answer.known, first.known);
    wish.username = SLICE("aNNa");
    wish.password = SLICE("a guess");
    for (int i = 0; i < 10; i++)
        assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), ERR_REFUSED);
    assert_int_equal(auth_sign_in(bed->auth, &wish, &answer, NULL), ERR_LIMIT); /* it waits too */
}

static void the_password_file_makes_the_admin(void **state)
{
    struct bed *bed = *state;
    struct auth_answer answer;
    int fd = open(bed->password_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "secret from file\n", 17), 17);
    close(fd);
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS,
                                     .admin_password_file = bed->password_path,
                                     .admin_name = "Zara"});
    assert_true(auth_has_accounts(bed->auth));
    assert_int_equal(bed->shown_count, 0);
    assert_int_equal(sign_in(bed, "zara", "secret from file", &answer), OK);
    assert_int_equal(sign_in(bed, "zara", "secret from file\n", &answer), ERR_REFUSED);
}

static void a_missing_password_file_is_named(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    struct auth_options options = {.data_folder = bed->folder, .admin_password_file = "/no/file"};
    assert_int_equal(store_open(bed->database, &bed->store, &why), OK);
    assert_int_equal(auth_start(&options, bed->store, &bed->auth, &why), ERR_BAD_INPUT);
    assert_string_equal(why.field, "auth.admin_password_file");
    assert_null(bed->auth);
}

static void an_account_made_elsewhere_is_noticed(void **state)
{
    struct bed *bed = *state;
    struct store_user user;
    struct why why = {0};
    struct auth_answer answer;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    assert_int_equal(auth_add_user(bed->store, SLICE("berta"), SLICE("by command"), ROLE_ADMIN,
                                   NULL, false, &user, &why),
                     OK);
    assert_int_equal(auth_add_user(bed->store, SLICE("BERTA"), SLICE("by command"), ROLE_ADMIN,
                                   NULL, false, &user, &why),
                     ERR_BUSY);
    assert_false(auth_has_accounts(bed->auth));
    auth_look_again(bed->auth);
    assert_true(auth_has_accounts(bed->auth));
    assert_int_equal(set_up(bed, bed->shown, &answer, &why), ERR_GONE);
}

static void modes_without_accounts(void **state)
{
    struct bed *bed = *state;
    struct http_user user;
    start(bed, (struct auth_options){.mode = AUTH_NONE});
    assert_int_equal(who(bed, NULL, &user), OK);
    assert_true(http_user_is_admin(&user));
    assert_true(auth_has_accounts(bed->auth));
    assert_string_equal(auth_key(bed->auth), "");
    stop(bed);
    start(bed, (struct auth_options){.mode = AUTH_KEY});
    assert_int_equal(strlen(auth_key(bed->auth)), 43);
    assert_int_equal(who(bed, NULL, &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, "", &user), ERR_NOT_FOUND);
    assert_int_equal(who(bed, auth_key(bed->auth), &user), OK);
    struct http_auth http = auth_http(bed->auth);
    assert_int_equal(http.user(http.ctx, slice_of(NULL), slice_of(auth_key(bed->auth)), &user), OK);
    assert_int_equal(bed->shown_count, 0);
}

static void *set_up_once(void *arg)
{
    struct bed *bed = arg;
    struct auth_wish wish = wish_of("Anna", "correct horse", NULL);
    struct auth_answer answer;
    wish.is_loopback = true;
    return auth_set_up(bed->auth, &wish, &answer, NULL) == OK ? bed : NULL;
}

static void of_several_setups_at_once_one_succeeds(void **state)
{
    struct bed *bed = *state;
    pthread_t threads[4];
    int made = 0;
    start(bed, (struct auth_options){.mode = AUTH_ACCOUNTS});
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_up_once, bed), 0);
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        made += result != NULL;
    }
    assert_int_equal(made, 1);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(the_code_makes_the_first_account),
        IN_BED(ten_wrong_codes_make_a_new_one),
        IN_BED(loopback_needs_no_code),
        IN_BED(sessions_outlive_a_restart_until_signed_out),
        IN_BED(guessing_is_slowed_down),
        IN_BED(a_browser_that_is_known_has_tries_of_its_own),
        IN_BED(the_password_file_makes_the_admin),
        IN_BED(a_missing_password_file_is_named),
        IN_BED(an_account_made_elsewhere_is_noticed),
        IN_BED(modes_without_accounts),
        IN_BED(of_several_setups_at_once_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
