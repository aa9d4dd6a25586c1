/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of config.c: layers, errors that name their line, and conf/matinee.yaml itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config.h"

static enum err read_text(struct config *config, const char *text, struct why *why)
{
    char path[] = "/tmp/matinee-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
    enum err err = config_read_file(config, path, why);
    unlink(path);
    return err;
}

static void the_shipped_file_holds_every_setting_with_its_default(void **state)
{
    (void) state;
    struct config *standard = config_new();
    struct config *read = config_new();
    struct why why = {0};
    /* A default that the file does not carry would survive this. */
    for (size_t i = 0; config_key(i) != NULL; i++) {
        static const char *const others[] = {"x",      "1",      "true", "none", "debug",
                                             "medium", "200MiB", "7",    "9"};
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            if (config_set(read, config_key(i), others[k], "test", NULL) == OK)
                break;
    }
    enum err err = config_read_file(read, MATINEE_SOURCE_DIR "/conf/matinee.yaml", &why);
    assert_string_equal(why.text, "");
    assert_int_equal(err, OK);
    for (size_t i = 0; config_key(i) != NULL; i++) {
        char *expected = config_text(standard, config_key(i));
        char *got = config_text(read, config_key(i));
        if (strcmp(expected, got) != 0)
            fail_msg("%s is \"%s\" in the file, \"%s\" by default", config_key(i), got, expected);
        mem_free(expected);
        mem_free(got);
    }
    config_free(&standard);
    config_free(&read);
}

static void a_wrong_line_is_named(void **state)
{
    (void) state;
    static const struct {
        const char *text, *line, *word;
    } wrong[] = {
        {"log_level: info\nhttp:\n  listenn: x\n", "line 3", "http.listenn"},
        {"http:\n  loops: many\n", "line 2", "http.loops"},
        {"media:\n  threads: 99\n", "line 2", "media.threads"},
        {"hls:\n  ahead_s: -1\n", "line 2", "hls.ahead_s"},
        {"auth:\n\n  mode: never\n", "line 3", "auth.mode"},
        {"http: [1, 2]\n", "line 1", "http"},
        {"library:\n  folders:\n    - a\n    - {b: c}\n", "line 4", "library.folders"},
        {"http:\n  listen:\n    port: 80\n", "line 3", "http.listen"},
        {"a: [1\nb: 2\n", "line 2", ""},
        {"- a\n- b\n", "line 1", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct config *config = config_new();
        struct why why = {0};
        assert_int_equal(read_text(config, wrong[i].text, &why), ERR_BAD_INPUT);
        if (strstr(why.text, wrong[i].line) == NULL || strstr(why.text, wrong[i].word) == NULL)
            fail_msg("case %zu says: %s", i, why.text);
        config_free(&config);
    }
}

static void later_layers_win_and_lists_are_replaced(void **state)
{
    (void) state;
    struct config *config = config_new();
    assert_int_equal(read_text(config,
                               "library:\n  folders: [/a, \"/b, c\"]\nhls:\n"
                               "  cache_bytes: 2 GiB\n",
                               NULL),
                     OK);
    assert_int_equal(config->library.folders.count, 2);
    assert_string_equal(config->library.folders.items[1], "/b, c");
    assert_int_equal(config->hls.cache_bytes, 2LL << 30);
    const char *environment[] = {"PATH=/bin", "MATINEE_LIBRARY_FOLDERS=/c", "MATINEE_HLS_AHEAD_S=7",
                                 "MATINEE_BIN=/x", NULL};
    assert_int_equal(config_read_environment(config, environment, NULL), OK);
    assert_int_equal(config->library.folders.count, 1);
    assert_string_equal(config->library.folders.items[0], "/c");
    assert_null(config->library.folders.items[1]);
    assert_int_equal(config->hls.ahead_s, 7);
    assert_int_equal(config_set(config, "hls.ahead_s", "8", "--set", NULL), OK);
    assert_int_equal(config->hls.ahead_s, 8);
    config_free(&config);
}

static void a_wrong_variable_is_named(void **state)
{
    (void) state;
    struct config *config = config_new();
    struct why why = {0};
    const char *environment[] = {"MATINEE_HTTP_HTTP2=perhaps", NULL};
    assert_int_equal(config_read_environment(config, environment, &why), ERR_BAD_INPUT);
    assert_non_null(strstr(why.text, "MATINEE_HTTP_HTTP2"));
    config_free(&config);
}

static void no_sign_in_is_refused_beyond_loopback(void **state)
{
    (void) state;
    static const struct {
        const char *listen;
        enum err verdict;
    } cases[] = {{"127.0.0.1:8080", OK},     {"[::1]:0", OK},
                 {"localhost:80", OK},       {"0.0.0.0:8080", ERR_REFUSED},
                 {"[::]:8080", ERR_REFUSED}, {"192.168.1.2:80", ERR_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *config = config_new();
        assert_int_equal(config_set(config, "auth.mode", "none", "test", NULL), OK);
        assert_int_equal(config_set(config, "http.listen", cases[i].listen, "test", NULL), OK);
        assert_int_equal(config_check(config, NULL), cases[i].verdict);
        config_free(&config);
    }
}

static void hardware_is_named_by_kind_and_node(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        enum err kind;
    } said[] = {{"auto", OK},
                {"off", OK},
                {"auto+hevc", OK},
                {"vaapi:/dev/dri/renderD128", OK},
                {"vaapi+hevc:/dev/dri/renderD128,qsv:/dev/dri/renderD128", OK},
                {"auto+av1", ERR_BAD_INPUT},
                {"vaapi+av1:/dev/dri/renderD128", ERR_BAD_INPUT},
                {"+hevc:/dev/dri/renderD128", ERR_BAD_INPUT},
                {"nvenc:/dev/nvidia0,v4l2m2m:/dev/video11", OK},
                {"", ERR_BAD_INPUT},
                {"on", ERR_BAD_INPUT},
                {"vaapi", ERR_BAD_INPUT},
                {"vaapi:renderD128", ERR_BAD_INPUT},
                {"/dev/dri/renderD128", ERR_BAD_INPUT},
                {"vaapi:/dev/dri/renderD128,", ERR_BAD_INPUT}};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct config *config = config_new();
        struct why why = {0};
        assert_int_equal(config_set(config, "media.hardware", said[i].text, "--set", &why), OK);
        assert_int_equal(config_check(config, &why), said[i].kind);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_file_holds_every_setting_with_its_default),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(later_layers_win_and_lists_are_replaced),
        cmocka_unit_test(a_wrong_variable_is_named),
        cmocka_unit_test(hardware_is_named_by_kind_and_node),
        cmocka_unit_test(no_sign_in_is_refused_beyond_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
