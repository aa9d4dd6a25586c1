/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask what: Host, origins, bodies, sign-in, proxies, cross-origin sharing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client.h"

/* --- accounts as the guard sees them --- */

struct accounts {
    atomic_bool exist; /* read by the loops */
};

static enum err find_user(void *ctx, struct slice cookie, struct slice bearer,
                          struct http_user *out)
{
    (void) ctx;
    if (slice_is(cookie, "anna") || slice_is(bearer, "mk_anna"))
        *out =
            (struct http_user){.id = "u1", .name = "anna", .role = ROLE_ADMIN, .scopes = SCOPE_ALL};
    else if (slice_is(cookie, "ben") || slice_is(bearer, "mk_ben"))
        *out = (struct http_user){.id = "u2", .name = "ben", .scopes = SCOPE_ALL};
    else if (slice_is(bearer, "mk_reader"))
        *out = (struct http_user){.id = "u1", .role = ROLE_ADMIN, .scopes = SCOPE_READ};
    else
        return ERR_NOT_FOUND;
    out->is_key = bearer.at != NULL;
    return OK;
}

static bool has_accounts(void *ctx)
{
    const struct accounts *accounts = ctx;
    return accounts->exist;
}

static struct http *accounts_server(struct http_options *options, struct accounts *accounts)
{
    struct http_auth auth = {.ctx = accounts, .user = find_user, .has_accounts = has_accounts};
    options->auth_mode = AUTH_ACCOUNTS;
    return test_server_with(options, &auth);
}

#define ANNA   "Cookie: a=b; matinee_session=anna\r\n"
#define BEN    "Cookie: matinee_session=ben; c=d\r\n"
#define READER "Authorization: Bearer mk_reader\r\n"
#define BINARY "Content-Type: application/octet-stream\r\n"

static void only_names_of_ours_are_answered(void **state)
{
    (void) state;
    static const char *const HOSTS[] = {"films.lan", NULL};
    struct http_options options = test_options();
    struct accounts accounts = {true};
    options.hosts = HOSTS;
    options.public_url = "https://films.example/path";
    struct http *http = accounts_server(&options, &accounts);
    static const struct {
        const char *host;
        int status;
    } CASES[] = {
        {"Host: localhost:1234\r\n", 200},
        {"Host: 127.0.0.1\r\n", 200},
        {"Host: [::1]:80\r\n", 200},
        {"Host: 192.0.2.7:8080\r\n", 200},
        {"Host: FILMS.lan.\r\n", 200},
        {"Host: films.example\r\n", 200},
        {"Host: evil.example\r\n", 421},
        {"Host: films.lan.evil.example\r\n", 421},
        {"Host: localhost.evil.example\r\n", 421},
        {"Host: 127.0.0.1.evil.example\r\n", 421},
        {"Host: user@localhost\r\n", 400},
        {"Host: local host\r\n", 400},
        {"Host: \r\n", 400},
        {"Host: [::1\r\n", 400},
        {"Host: localhost:99999\r\n", 400},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (ask_status(http, "GET /hello", CASES[i].host, "") != CASES[i].status)
            fail_msg("%s is not answered with %d", CASES[i].host, CASES[i].status);
    struct answer answer;
    ask(http, "GET /hello", "Host: evil.example\r\n", "", &answer);
    assert_non_null(strstr(str_text(&answer.body), "http.hosts"));
    answer_fini(&answer);
    assert_int_equal(ask_status(http, "GET http://evil.example/hello", "", ""), 421);
    http_stop(&http, 100);
}

static void a_host_is_needed_since_1_1(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct http *http = test_server(&options);
    struct client client;
    struct answer answer;
    client_open(&client, http);
    client_send(&client, "GET /hello HTTP/1.1\r\n\r\n");
    client_read(&client, "GET", &answer);
    assert_int_equal(answer.status, 400);
    answer_fini(&answer);
    client_close(&client);
    client_open(&client, http);
    client_send(&client, "GET /hello HTTP/1.0\r\n\r\n");
    client_read(&client, "GET", &answer);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    client_close(&client);
    http_stop(&http, 100);
}

static void without_sign_in_only_this_machine_asks(void **state)
{
    (void) state;
    static const char *const HOSTS[] = {"films.lan", NULL};
    struct http_options options = test_options();
    options.hosts = HOSTS;
    struct http *http = test_server(&options);
    static const struct {
        const char *headers;
        int status;
    } CASES[] = {
        {"Host: localhost\r\n", 200},
        {"Host: 127.0.0.1:80\r\n", 200},
        {"Host: [::1]\r\n", 200},
        {"Host: films.lan\r\n", 421},
        {"Host: 192.168.1.2\r\n", 421},
        {"X-Forwarded-For: 1.2.3.4\r\n", 421},
        {"X-Forwarded-Anything: 1\r\n", 421},
        {"Forwarded: for=1.2.3.4\r\n", 421},
        {"Via: 1.1 tunnel\r\n", 421},
        {"Cf-Ray: 1\r\n", 421},
        {"Sec-Fetch-Site: cross-site\r\n", 403},
        {"Sec-Fetch-Site: same-origin\r\n", 200},
        {"Sec-Fetch-Site: none\r\n", 200},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (ask_status(http, "GET /api/mine", CASES[i].headers, "") != CASES[i].status)
            fail_msg("%s is not answered with %d", CASES[i].headers, CASES[i].status);
    struct answer answer;
    ask(http, "GET /api/mine", "", "", &answer);
    assert_non_null(strstr(str_text(&answer.body), "loopback=1 secure=0 user=local admin=1\n"));
    answer_fini(&answer);
    http_stop(&http, 100);
}

static void pages_of_others_cannot_change_anything(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct accounts accounts = {true};
    struct http *http = accounts_server(&options, &accounts);
    static const struct {
        const char *headers;
        int status;
    } CASES[] = {
        {BINARY, 200},
        {BINARY ANNA, 200},
        {BINARY "Origin: http://localhost\r\n", 200},
        {BINARY "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n", 200},
        {BINARY "Host: LOCALHOST:80\r\nOrigin: http://localhost\r\n", 200},
        {BINARY "Origin: https://localhost\r\n", 403},
        {BINARY "Origin: http://localhost:81\r\n", 403},
        {BINARY "Origin: http://evil.example\r\n", 403},
        {BINARY "Origin: null\r\n", 403},
        {BINARY ANNA "Sec-Fetch-Site: same-origin\r\n", 200},
        {BINARY ANNA "Sec-Fetch-Site: none\r\n", 200},
        {BINARY ANNA "Sec-Fetch-Site: same-site\r\n", 403},
        {BINARY ANNA "Sec-Fetch-Site: cross-site\r\n", 403},
        {BINARY "Sec-Fetch-Site: cross-site\r\n", 200},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (ask_status(http, "POST /api/echo/x", CASES[i].headers, "abc") != CASES[i].status)
            fail_msg("%s is not answered with %d", CASES[i].headers, CASES[i].status);
    const char *handshake =
        "Connection: upgrade\r\nUpgrade: websocket\r\nOrigin: http://evil.example\r\n";
    assert_int_equal(ask_status(http, "GET /hello", handshake, ""), 403);
    assert_int_equal(ask_status(http, "GET /hello", "Origin: http://evil.example\r\n", ""), 200);
    assert_int_equal(ask_status(http, "GET /api/outward", "", ""), 200);
    assert_int_equal(ask_status(http, "GET /api/outward", "Sec-Fetch-Site: cross-site\r\n", ""),
                     403);
    http_stop(&http, 100);
}

static void bodies_are_of_the_right_type_and_size(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct http *http = test_server(&options);
    const char *json = "Content-Type: application/json\r\n";
    assert_int_equal(ask_status(http, "POST /api/json", json, "{}"), 201);
    assert_int_equal(
        ask_status(http, "POST /api/json", "Content-Type: APPLICATION/JSON ;x\r\n", "{}"), 201);
    assert_int_equal(ask_status(http, "POST /api/json", "Content-Type: text/plain\r\n", "{}"), 415);
    assert_int_equal(ask_status(http, "POST /api/json", "", "{}"), 415);
    assert_int_equal(ask_status(http, "GET /hello", json, "{}"), 415);
    assert_int_equal(ask_status(http, "DELETE /api/echo/x", json, "{}"), 415);
    struct str body;
    str_init(&body);
    str_puts(&body, "{\"a\":\"");
    while (body.length < 65536)
        str_puts(&body, "xxxxxxxxxxxxxxxx");
    str_puts(&body, "\"}");
    assert_int_equal(ask_status(http, "POST /api/json", json, str_text(&body)), 413);
    while (body.length < 1500000)
        str_puts(&body, "xxxxxxxxxxxxxxxx");
    assert_int_equal(ask_status(http, "POST /api/echo/x", BINARY, str_text(&body)), 200);
    while (body.length < 4000000)
        str_puts(&body, "xxxxxxxxxxxxxxxx");
    int status = ask_status(http, "POST /api/echo/x", BINARY, str_text(&body));
    assert_true(status == 413 || status == 0);
    str_fini(&body);
    http_stop(&http, 100);
}

static void routes_ask_for_who_may_use_them(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct accounts accounts = {true};
    struct http *http = accounts_server(&options, &accounts);
    static const struct {
        const char *line, *headers;
        int status;
    } CASES[] = {
        {"GET /hello", "", 200},
        {"GET /api/mine", "", 401},
        {"GET /api/mine", "Cookie: matinee_session=nobody\r\n", 401},
        {"GET /api/mine", "Cookie: xmatinee_session=anna\r\n", 401},
        {"GET /api/mine", ANNA, 200},
        {"GET /api/mine", "Cookie: a=b\r\nCookie: matinee_session=ben\r\n", 200},
        {"GET /api/mine", "Authorization: Bearer mk_ben\r\n", 200},
        {"GET /api/mine", "Authorization: bearer mk_anna\r\n", 200},
        {"GET /api/mine", "Authorization: Basic mk_anna\r\n", 401},
        {"GET /api/admin", "", 401},
        {"GET /api/admin", BEN, 403},
        {"GET /api/admin", ANNA, 200},
        {"DELETE /api/echo/x", "", 401},
        {"DELETE /api/echo/x", BEN, 200},
        {"GET /api/local", "", 200},
        {"GET /api/local", "Host: 192.0.2.1\r\n", 401},
        {"GET /api/local", "X-Forwarded-For: 1.2.3.4\r\n", 401},
        {"GET /api/local", "Via: x\r\n" BEN, 403},
        {"GET /api/local", "Via: x\r\nAuthorization: Bearer mk_ben\r\n", 200},
        {"GET /api/local", "Via: x\r\n" ANNA, 200},
        {"GET /api/local", "Via: x\r\n" READER, 403},
        {"GET /api/mine", READER, 200},
        {"GET /api/admin", READER, 403}, /* an administrator's, but not for that */
        {"GET /api/admin", "Authorization: Bearer mk_anna\r\n", 200},
        {"GET /api/play", READER, 403},
        {"GET /api/play", "Authorization: Bearer mk_ben\r\n", 200},
        {"GET /api/play", BEN, 200},
        {"GET /api/person", "Authorization: Bearer mk_anna\r\n", 403},
        {"GET /api/person", BEN, 200},
        {"GET /hello", READER, 200},
        {"GET /hls/~t/x", "", 200},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (ask_status(http, CASES[i].line, CASES[i].headers, "") != CASES[i].status)
            fail_msg("%s %s is not answered with %d", CASES[i].line, CASES[i].headers,
                     CASES[i].status);
    struct answer answer;
    ask(http, "GET /api/mine", "", "", &answer);
    assert_string_equal(answer_header(&answer, "www-authenticate"), "Bearer");
    assert_string_equal(answer_header(&answer, "cache-control"), "no-store");
    answer_fini(&answer);
    http_stop(&http, 100);
}

static void before_setup_nothing_else_answers(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct accounts accounts = {false};
    struct http *http = accounts_server(&options, &accounts);
    assert_int_equal(ask_status(http, "GET /hello", "", ""), 200); /* has ROUTE_SETUP */
    assert_int_equal(ask_status(http, "GET /api/echo/x", "", ""), 401);
    assert_int_equal(ask_status(http, "GET /api/local", "", ""), 401);
    assert_int_equal(ask_status(http, "GET /hls/~t/x", "", ""), 401);
    assert_int_equal(ask_status(http, "GET /api/mine", ANNA, ""), 401);
    accounts.exist = true;
    assert_int_equal(ask_status(http, "GET /api/mine", ANNA, ""), 200);
    http_stop(&http, 100);
}

static void a_key_opens_the_house(void **state)
{
    (void) state;
    struct http_options options = test_options();
    options.auth_mode = AUTH_KEY;
    options.base_path = "/films";
    struct http *http = test_server(&options);
    const char *key = strstr(http_start_url(http), "/films/?key=");
    assert_non_null(key);
    key += strlen("/films/?key=");
    assert_int_equal(strlen(key), 32);
    assert_null(strstr(http_url(http), key));
    assert_int_equal(ask_status(http, "GET /films/api/mine", "", ""), 401);
    struct answer answer;
    char line[200], cookie[200];
    snprintf(line, sizeof line, "GET /films/watch/7?a=b&key=%s&t=3", key);
    ask(http, line, "", "", &answer);
    assert_int_equal(answer.status, 303);
    assert_string_equal(answer_header(&answer, "location"), "/films/watch/7?a=b&t=3");
    snprintf(cookie, sizeof cookie, "matinee_session=%s; Path=/films/; HttpOnly; SameSite=Lax",
             key);
    assert_string_equal(answer_header(&answer, "set-cookie"), cookie);
    assert_string_equal(answer_header(&answer, "cache-control"), "no-store");
    answer_fini(&answer);
    snprintf(line, sizeof line, "GET /films//evil.example?key=%s", key);
    ask(http, line, "", "", &answer);
    assert_int_equal(answer.status, 303);
    assert_string_equal(answer_header(&answer, "location"), "/films/");
    answer_fini(&answer);
    snprintf(cookie, sizeof cookie, "Cookie: matinee_session=%s\r\n", key);
    assert_int_equal(ask_status(http, "GET /films/api/mine", cookie, ""), 200);
    snprintf(cookie, sizeof cookie, "Authorization: Bearer %s\r\n", key);
    assert_int_equal(ask_status(http, "GET /films/api/mine", cookie, ""), 200);
    assert_int_equal(ask_status(http, "GET /films/?key=0123456789abcdef0123456789abcdef", "", ""),
                     404); /* no page here; and no redirect */
    http_stop(&http, 100);
}

static void a_base_path_is_taken_off(void **state)
{
    (void) state;
    struct http_options options = test_options();
    options.base_path = "/films/";
    struct http *http = test_server(&options);
    struct answer answer;
    assert_int_equal(ask_status(http, "GET /films/hello", "", ""), 200);
    assert_int_equal(ask_status(http, "GET /hello", "", ""), 404);
    assert_int_equal(ask_status(http, "GET /filmshello", "", ""), 404);
    ask(http, "GET /films", "", "", &answer);
    assert_int_equal(answer.status, 308);
    assert_string_equal(answer_header(&answer, "location"), "/films/");
    answer_fini(&answer);
    http_stop(&http, 100);
}

static void expect_echo(struct http *http, const char *headers, const char *text)
{
    struct answer answer;
    ask(http, "GET /api/echo/x", headers, "", &answer);
    if (strstr(str_text(&answer.body), text) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"", headers, text, str_text(&answer.body));
    answer_fini(&answer);
}

static void trusted_proxies_are_believed(void **state)
{
    (void) state;
    static const char *const PROXIES[] = {"127.0.0.0/8", "10.0.0.0/8", NULL};
    struct http_options options = test_options();
    struct accounts accounts = {true};
    options.trusted_proxies = PROXIES;
    options.public_url = "https://films.example";
    struct http *http = accounts_server(&options, &accounts);
    expect_echo(http, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1\r\n", "peer=1.2.3.4\n");
    expect_echo(http, "X-Forwarded-For: junk\r\n", "peer=127.0.0.1\n");
    expect_echo(http, "X-Forwarded-For: 2001:db8::7\r\n", "peer=2001:db8::7\n");
    expect_echo(http, "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n",
                "loopback=0 secure=1");
    const char *right = BINARY "X-Forwarded-Proto: https\r\nOrigin: https://films.example\r\n";
    assert_int_equal(ask_status(http, "POST /api/echo/x", right, "a"), 200);
    const char *wrong = BINARY "X-Forwarded-Proto: https\r\nOrigin: https://localhost\r\n";
    assert_int_equal(ask_status(http, "POST /api/echo/x", wrong, "a"), 403);
    http_stop(&http, 100);
    options.trusted_proxies = NULL;
    http = accounts_server(&options, &accounts);
    expect_echo(http, "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n",
                "peer=127.0.0.1\n");
    expect_echo(http, "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n",
                "loopback=0 secure=0");
    http_stop(&http, 100);
}

#define APP "Origin: https://app.example\r\n"

static void one_other_origin_may_share(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct accounts accounts = {true};
    options.cors_origin = "https://app.example";
    struct http *http = accounts_server(&options, &accounts);
    struct answer answer;
    ask(http, "GET /api/mine", APP ANNA, "", &answer);
    assert_string_equal(answer_header(&answer, "access-control-allow-origin"),
                        "https://app.example");
    assert_string_equal(answer_header(&answer, "access-control-allow-credentials"), "true");
    assert_string_equal(answer_header(&answer, "access-control-expose-headers"),
                        "content-range, retry-after, x-hold-ms");
    assert_string_equal(answer_header(&answer, "vary"), "origin");
    answer_fini(&answer);
    ask(http, "GET /hello", "Origin: https://evil.example\r\n", "", &answer);
    assert_string_equal(answer_header(&answer, "access-control-allow-origin"), "");
    assert_string_equal(answer_header(&answer, "vary"), "accept-encoding, origin");
    answer_fini(&answer);
    ask(http, "OPTIONS /api/echo/x", APP "Access-Control-Request-Method: DELETE\r\n", "", &answer);
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer_header(&answer, "access-control-allow-methods"),
                        "GET, HEAD, POST, DELETE");
    assert_string_equal(answer_header(&answer, "access-control-max-age"), "86400");
    answer_fini(&answer);
    assert_int_equal(ask_status(http, "POST /api/echo/x", BINARY APP ANNA, "a"), 200);
    assert_int_equal(ask_status(http, "OPTIONS /api/echo/x",
                                "Origin: https://evil.example\r\n"
                                "Access-Control-Request-Method: DELETE\r\n",
                                ""),
                     405);
    http_stop(&http, 100);
}

static void tokens_share_with_everybody(void **state)
{
    (void) state;
    struct http_options options = test_options();
    struct http *http = test_server(&options);
    struct answer answer;
    ask(http, "GET /hls/~t/x", "Origin: https://tv.example\r\nSec-Fetch-Site: cross-site\r\n", "",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_header(&answer, "access-control-allow-origin"), "*");
    assert_string_equal(answer_header(&answer, "access-control-allow-credentials"), "");
    assert_string_equal(answer_header(&answer, "cross-origin-resource-policy"), "cross-origin");
    answer_fini(&answer);
    ask(http, "OPTIONS /hls/~t/x",
        "Origin: https://tv.example\r\nAccess-Control-Request-Method: GET\r\n", "", &answer);
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer_header(&answer, "access-control-allow-origin"), "*");
    answer_fini(&answer);
    ask(http, "GET /hello", "Origin: https://tv.example\r\n", "", &answer);
    assert_string_equal(answer_header(&answer, "access-control-allow-origin"), "");
    answer_fini(&answer);
    http_stop(&http, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_names_of_ours_are_answered),
        cmocka_unit_test(a_host_is_needed_since_1_1),
        cmocka_unit_test(without_sign_in_only_this_machine_asks),
        cmocka_unit_test(pages_of_others_cannot_change_anything),
        cmocka_unit_test(bodies_are_of_the_right_type_and_size),
        cmocka_unit_test(routes_ask_for_who_may_use_them),
        cmocka_unit_test(before_setup_nothing_else_answers),
        cmocka_unit_test(a_key_opens_the_house),
        cmocka_unit_test(a_base_path_is_taken_off),
        cmocka_unit_test(trusted_proxies_are_believed),
        cmocka_unit_test(one_other_origin_may_share),
        cmocka_unit_test(tokens_share_with_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
