/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page: its files, its own addresses, its packed forms, its change while running. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client.h"

#define PAGE "<!doctype html><script src=\"/assets/app-1.js\"></script><a href=\"//x\">x</a>"

struct stage {
    char folder[64];
};

static const char *const NAMES[] = {
    "index.html",         "index.html.gz", "assets/app-1.js", "assets/app-1.js.gz",
    "assets/app-1.js.br", "icon.svg",      ".secret"};

static void write_file(const struct stage *stage, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", stage->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    struct stage *stage = mem_new(struct stage);
    char path[200];
    snprintf(stage->folder, sizeof stage->folder, "/tmp/matinee-page-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(path, sizeof path, "%s/assets", stage->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(stage, "index.html", PAGE);
    write_file(stage, "index.html.gz", "(gzip)");
    write_file(stage, "assets/app-1.js", "plain javascript");
    write_file(stage, "assets/app-1.js.gz", "(gzip js)");
    write_file(stage, "assets/app-1.js.br", "(brotli js)");
    write_file(stage, "icon.svg", "<svg/>");
    write_file(stage, ".secret", "secret");
    snprintf(path, sizeof path, "%s/passwd.txt", stage->folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    char path[200];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", stage->folder, NAMES[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/passwd.txt", stage->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/assets", stage->folder);
    rmdir(path);
    rmdir(stage->folder);
    mem_free(stage);
    return 0;
}

static struct http *page_server(const struct stage *stage, const char *base_path)
{
    struct http_options options = test_options();
    options.page_folder = stage->folder;
    options.base_path = base_path;
    return test_server(&options);
}

static void expect_body(struct http *http, const char *line, const char *headers, const char *body)
{
    struct answer answer;
    ask(http, line, headers, "", &answer);
    if (answer.status != 200 || strcmp(str_text(&answer.body), body) != 0)
        fail_msg("%s: %d \"%s\"", line, answer.status, str_text(&answer.body));
    answer_fini(&answer);
}

static void the_page_is_at_its_own_addresses(void **state)
{
    struct http *http = page_server(*state, "");
    static const char *const LINES[] = {"GET /",      "GET /watch/7?t=3", "GET /login",
                                        "GET /setup", "GET /index.html",  "GET /title/a%20b/x"};
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++)
        expect_body(http, LINES[i], "", PAGE);
    struct answer answer;
    ask(http, "GET /", "", "", &answer);
    assert_string_equal(answer_header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_string_equal(answer_header(&answer, "cache-control"), "no-cache");
    assert_non_null(strstr(answer_header(&answer, "content-security-policy"),
                           "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'"));
    assert_string_equal(answer_header(&answer, "vary"), "accept-encoding");
    answer_fini(&answer);
    expect_body(http, "GET /icon.svg", "", "<svg/>");
    http_stop(&http, 50);
}

static void nothing_else_is_the_page(void **state)
{
    struct http *http = page_server(*state, "");
    static const char *const LINES[] = {"GET /api/nothing",       "GET /hls/x/y",
                                        "GET /hello/more",        "GET /missing.js",
                                        "GET /assets/missing",    "GET /assets/",
                                        "GET /.secret",           "GET /passwd.txt",
                                        "GET /../etc/passwd",     "GET /assets/%2e%2e/index.html",
                                        "GET /assets/app-1.js.gz"};
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        struct answer answer;
        ask(http, LINES[i], "", "", &answer);
        if (answer.status != 404)
            fail_msg("%s: %d", LINES[i], answer.status);
        assert_string_equal(answer_header(&answer, "content-type"), "application/problem+json");
        answer_fini(&answer);
    }
    assert_int_equal(ask_status(http, "POST /login", "", ""), 405);
    http_stop(&http, 50);
}

static void packed_forms_are_chosen(void **state)
{
    struct http *http = page_server(*state, "");
    expect_body(http, "GET /assets/app-1.js", "", "plain javascript");
    expect_body(http, "GET /assets/app-1.js", "Accept-Encoding: gzip\r\n", "(gzip js)");
    expect_body(http, "GET /assets/app-1.js", "Accept-Encoding: gzip, br\r\n", "(brotli js)");
    expect_body(http, "GET /", "Accept-Encoding: br\r\n", PAGE);
    struct answer answer;
    char headers[200];
    ask(http, "GET /assets/app-1.js", "Accept-Encoding: br\r\n", "", &answer);
    assert_string_equal(answer_header(&answer, "content-encoding"), "br");
    assert_string_equal(answer_header(&answer, "cache-control"),
                        "public, max-age=31536000, immutable");
    snprintf(headers, sizeof headers, "If-None-Match: %s\r\nAccept-Encoding: br\r\n",
             answer_header(&answer, "etag"));
    answer_fini(&answer);
    assert_int_equal(ask_status(http, "GET /assets/app-1.js", headers, ""), 304);
    ask(http, "GET /assets/app-1.js", "Range: bytes=6-9\r\nAccept-Encoding: br\r\n", "", &answer);
    assert_int_equal(answer.status, 206);
    assert_string_equal(str_text(&answer.body), "java");
    answer_fini(&answer);
    http_stop(&http, 50);
}

static void links_follow_the_base_path(void **state)
{
    struct http *http = page_server(*state, "/films");
    expect_body(http, "GET /films/watch/7", "Accept-Encoding: gzip\r\n",
                "<!doctype html><script src=\"/films/assets/app-1.js\"></script>"
                "<a href=\"//x\">x</a>");
    expect_body(http, "GET /films/assets/app-1.js", "", "plain javascript");
    http_stop(&http, 50);
}

static bool body_becomes(struct http *http, const char *text)
{
    for (int64_t until_ms = clock_mono_ms() + 3000; clock_mono_ms() < until_ms; poll(NULL, 0, 20)) {
        struct answer answer;
        ask(http, "GET /", "", "", &answer);
        bool is_it = strcmp(str_text(&answer.body), text) == 0;
        answer_fini(&answer);
        if (is_it)
            return true;
    }
    return false;
}

static void a_new_page_is_taken_up(void **state)
{
    struct http *http = page_server(*state, "");
    expect_body(http, "GET /", "", PAGE);
    write_file(*state, "index.html", "a new page");
    assert_true(body_becomes(http, "a new page"));
    http_stop(&http, 50);
}

static void a_missing_page_is_said(void **state)
{
    (void) state;
    struct http_options options = test_options();
    options.page_folder = "/nowhere/page";
    struct http *http = test_server(&options);
    struct answer answer;
    ask(http, "GET /", "", "", &answer);
    assert_int_equal(answer.status, 404);
    assert_non_null(strstr(str_text(&answer.body), "without its page"));
    answer_fini(&answer);
    assert_int_equal(ask_status(http, "GET /hello", "", ""), 200);
    http_stop(&http, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_is_at_its_own_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_is_the_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packed_forms_are_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_follow_the_base_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_page_is_taken_up, set_up, tear_down),
        cmocka_unit_test(a_missing_page_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
