/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request from the socket to a handler and back: routing, methods, replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client.h"

static int start(void **state)
{
    struct http_options options = test_options();
    *state = test_server(&options);
    return 0;
}

static int stop(void **state)
{
    http_stop((struct http **) state, 100);
    return 0;
}

static void expect_echo(struct http *http, const char *line, const char *text)
{
    struct answer answer;
    ask(http, line, "", "", &answer);
    assert_int_equal(answer.status, 200);
    if (strstr(str_text(&answer.body), text) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"", line, text, str_text(&answer.body));
    answer_fini(&answer);
}

static void routes_find_their_handlers(void **state)
{
    expect_echo(*state, "GET /api/echo/one", "param=one\n");
    expect_echo(*state, "GET /api/echo/a%20b+c", "param=a b+c\n");
    expect_echo(*state, "GET /%61pi/echo/one", "param=one\n");
    expect_echo(*state, "GET /api/echo/one/pre-7.m4s", "second=7\n");
    expect_echo(*state, "GET /api/rest/a/b/c%20", "param=a/b/c \n");
    expect_echo(*state, "GET /api/rest/", "param=\n");
    expect_echo(*state, "GET /hls/~secret/f/master.m3u8", "param=secret\nsecond=f/master.m3u8\n");
    expect_echo(*state, "GET http://localhost/api/echo/one?q=2", "param=one\n");
    assert_int_equal(ask_status(*state, "GET /api/echo/special", "", ""), 204);
}

static void queries_are_decoded(void **state)
{
    expect_echo(*state, "GET /api/echo/x?q=a%26b+c&q=2", "q=a&b+c\n");
    expect_echo(*state, "GET /api/echo/x?q", "q=\n");
    expect_echo(*state, "GET /api/echo/x?Q=1&qq=2", "q=(absent)\n");
    assert_int_equal(ask_status(*state, "GET /api/echo/x?q=%zz", "", ""), 400);
    assert_int_equal(ask_status(*state, "GET /api/echo/x?q=%00", "", ""), 400);
    assert_int_equal(ask_status(*state, "GET /api/echo/x?q=%4", "", ""), 400);
}

static void wrong_addresses_are_refused(void **state)
{
    assert_int_equal(ask_status(*state, "GET /api/echo/a%2Fb", "", ""), 400);
    assert_int_equal(ask_status(*state, "GET /api/echo/a%00b", "", ""), 400);
    assert_int_equal(ask_status(*state, "GET /api/echo/%g0", "", ""), 400);
    assert_int_equal(ask_status(*state, "GET /api/echo/one/", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET //api/echo/one", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api//echo/one", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api/echo/..", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api/echo/%2e%2E", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api/echo/one/two", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api/echo/one/pre-.m4s", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET /api", "", ""), 404);
    assert_int_equal(ask_status(*state, "GET api", "", ""), 400);
    assert_int_equal(ask_status(*state, "OPTIONS *", "", ""), 400);
}

static void wrong_methods_are_told_the_right_ones(void **state)
{
    struct answer answer;
    ask(*state, "PUT /api/echo/one", "", "", &answer);
    assert_int_equal(answer.status, 405);
    assert_string_equal(answer_header(&answer, "allow"), "GET, HEAD, POST, DELETE");
    answer_fini(&answer);
    ask(*state, "BREW /hello", "", "", &answer);
    assert_int_equal(answer.status, 405);
    assert_string_equal(answer_header(&answer, "allow"), "GET, HEAD");
    answer_fini(&answer);
}

static void head_is_get_without_the_body(void **state)
{
    struct client client;
    struct answer get, head;
    ask(*state, "GET /hello?plain", "", "", &get);
    client_open(&client, *state);
    client_send(&client, "HEAD /hello?plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_read(&client, "HEAD", &head);
    assert_int_equal(head.status, 200);
    assert_string_equal(answer_header(&head, "content-length"), "1024");
    assert_int_equal(head.head.length, get.head.length);
    assert_true(client_sees_silence(&client, 50));
    client_close(&client);
    answer_fini(&get);
    answer_fini(&head);
}

static void every_reply_bears_the_safe_headers(void **state)
{
    static const char *const LINES[] = {"GET /hello", "GET /nothing", "POST /hello",
                                        "GET /api/echo/%00", "GET /api/problem"};
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        struct answer answer;
        ask(*state, LINES[i], "", "", &answer);
        assert_string_equal(answer_header(&answer, "x-content-type-options"), "nosniff");
        assert_string_equal(answer_header(&answer, "referrer-policy"), "no-referrer");
        assert_string_equal(answer_header(&answer, "cross-origin-resource-policy"), "same-origin");
        assert_string_not_equal(answer_header(&answer, "permissions-policy"), "");
        assert_string_equal(answer_header(&answer, "server"), "matinee");
        answer_fini(&answer);
    }
}

static void connections_are_kept(void **state)
{
    struct client client;
    int before = seen.gone;
    client_open(&client, *state);
    for (int i = 0; i < 5; i++) {
        struct answer answer;
        client_send(&client, "GET /hello?plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client_read(&client, "GET", &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.length, 1024);
        answer_fini(&answer);
    }
    assert_int_equal(metric(*state, "matinee_http_connections"), 1);
    client_close(&client);
    assert_true(wait_until(&seen.gone, before + 5));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct client client;
    struct answer answer;
    client_open(&client, *state);
    client_send(&client, "GET /api/echo/one HTTP/1.1\r\nHost: localhost\r\n\r\n"
                         "POST /api/echo/two HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                         "Content-Type: application/octet-stream\r\n\r\nabc"
                         "GET /api/echo/three HTTP/1.1\r\nHost: localhost\r\n\r\n");
    static const char *const EXPECTED[] = {"param=one\n", "body=abc\n", "param=three\n"};
    for (size_t i = 0; i < 3; i++) {
        client_read(&client, "GET", &answer);
        assert_int_equal(answer.status, 200);
        assert_non_null(strstr(str_text(&answer.body), EXPECTED[i]));
        answer_fini(&answer);
    }
    client_close(&client);
}

static void chunked_bodies_are_read(void **state)
{
    struct answer answer;
    struct client client;
    client_open(&client, *state);
    client_send(&client, "POST /api/echo/x HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Type: application/octet-stream\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    client_read(&client, "GET", &answer);
    assert_non_null(strstr(str_text(&answer.body), "body=abcde\n"));
    answer_fini(&answer);
    client_close(&client);
    client_open(&client, *state);
    client_send(&client, "POST /api/echo/x HTTP/1.1\r\nHost: localhost\r\n"
                         "Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    client_read(&client, "GET", &answer);
    assert_int_equal(answer.status, 400);
    answer_fini(&answer);
    client_close(&client);
}

static int json_status(struct http *http, const char *body, const char *detail)
{
    struct answer answer;
    ask(http, "POST /api/json", "Content-Type: application/json; charset=utf-8\r\n", body, &answer);
    if (strstr(str_text(&answer.body), detail) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"", body, detail, str_text(&answer.body));
    answer_fini(&answer);
    return answer.status;
}

static void json_bodies_are_objects(void **state)
{
    assert_int_equal(json_status(*state, "{\"a\":[1,\"\xc3\xa9\"]}", "{\"a\":[1,\"\xc3\xa9\"]}"),
                     201);
    /* Reals come back as people write them: no 23.975999999999999. */
    assert_int_equal(
        json_status(*state, "{\"a\":[23.976,0.1,2.0,13.514]}", "[23.976,0.1,2.0,13.514]"), 201);
    assert_int_equal(json_status(*state, "[1]", "not an object"), 400);
    assert_int_equal(json_status(*state, "{\"a\":1,\"a\":2}", "duplicate"), 400);
    assert_int_equal(json_status(*state, "{\"a\":", "line 1"), 400);
    assert_int_equal(json_status(*state, "{\"a\":\"\\u0000\"}", "not JSON"), 400);
    assert_int_equal(json_status(*state, "{\"a\":\"\xff\"}", "not JSON"), 400);
    assert_int_equal(json_status(*state, "", "empty"), 400);
    char deep[40000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(json_status(*state, deep, "depth"), 400);
}

static void problems_say_what_is_wrong(void **state)
{
    struct answer answer;
    ask(*state, "GET /api/problem", "", "", &answer);
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_header(&answer, "content-type"), "application/problem+json");
    assert_string_equal(answer_header(&answer, "cache-control"), "no-store");
    assert_string_equal(answer_header(&answer, "retry-after"), "1");
    json_t *body = json_loads(str_text(&answer.body), 0, NULL);
    assert_non_null(body);
    assert_string_equal(json_string_value(json_object_get(body, "type")), "about:blank");
    assert_string_equal(json_string_value(json_object_get(body, "title")), "Service Unavailable");
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 503);
    assert_string_equal(json_string_value(json_object_get(body, "detail")),
                        "no room for \xef\xbf\xbd now");
    assert_string_equal(json_string_value(json_object_get(body, "field")), "/name");
    json_decref(body);
    answer_fini(&answer);
}

static void unpack(const struct str *packed, struct str *out)
{
    char buffer[8192];
    z_stream zip = {.next_in = (void *) packed->at, .avail_in = (uInt) packed->length};
    zip.next_out = (void *) buffer;
    zip.avail_out = sizeof buffer;
    assert_int_equal(inflateInit2(&zip, 15 + 16), Z_OK);
    assert_int_equal(inflate(&zip, Z_FINISH), Z_STREAM_END);
    str_append(out, buffer, sizeof buffer - zip.avail_out);
    inflateEnd(&zip);
}

static void bodies_are_packed_and_tagged(void **state)
{
    struct answer plain, packed;
    struct str unpacked;
    str_init(&unpacked);
    ask(*state, "GET /hello", "", "", &plain);
    ask(*state, "GET /hello", "Accept-Encoding: br, gzip\r\n", "", &packed);
    assert_string_equal(answer_header(&plain, "content-encoding"), "");
    assert_string_equal(answer_header(&packed, "content-encoding"), "gzip");
    assert_string_equal(answer_header(&plain, "vary"), "accept-encoding");
    assert_string_equal(answer_header(&packed, "vary"), "accept-encoding");
    assert_true(packed.body.length < plain.body.length);
    unpack(&packed.body, &unpacked);
    assert_string_equal(str_text(&unpacked), str_text(&plain.body));
    char tag[100];
    snprintf(tag, sizeof tag, "%s", answer_header(&plain, "etag"));
    assert_string_not_equal(tag, answer_header(&packed, "etag"));
    assert_int_equal(ask_status(*state, "GET /hello", "Accept-Encoding: gzip;q=0\r\n", ""), 200);
    str_fini(&unpacked);
    answer_fini(&plain);
    answer_fini(&packed);
}

static void known_bodies_are_not_sent_again(void **state)
{
    static const char *const CODINGS[] = {"", "Accept-Encoding: gzip\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct answer answer;
        char headers[300], tag[100];
        ask(*state, "GET /hello", CODINGS[i], "", &answer);
        snprintf(tag, sizeof tag, "%s", answer_header(&answer, "etag"));
        answer_fini(&answer);
        snprintf(headers, sizeof headers, "%sIf-None-Match: \"x\", W/%s\r\n", CODINGS[i], tag);
        ask(*state, "GET /hello", headers, "", &answer);
        assert_int_equal(answer.status, 304);
        assert_int_equal(answer.body.length, 0);
        assert_string_equal(answer_header(&answer, "etag"), tag);
        assert_string_equal(answer_header(&answer, "content-length"), "");
        assert_string_equal(answer_header(&answer, "cache-control"), "private, no-cache");
        answer_fini(&answer);
    }
    assert_int_equal(ask_status(*state, "GET /hello", "If-None-Match: \"other\"\r\n", ""), 200);
    assert_int_equal(ask_status(*state, "GET /hello", "If-None-Match: *\r\n", ""), 304);
}

static void ranges_are_cut(void **state)
{
    struct answer answer;
    ask(*state, "GET /hello", "Range: bytes=26-28\r\nAccept-Encoding: gzip\r\n", "", &answer);
    assert_int_equal(answer.status, 206);
    assert_string_equal(str_text(&answer.body), "abc");
    assert_string_equal(answer_header(&answer, "content-range"), "bytes 26-28/1024");
    assert_string_equal(answer_header(&answer, "content-length"), "3");
    answer_fini(&answer);
    ask(*state, "GET /hello", "Range: bytes=1024-\r\n", "", &answer);
    assert_int_equal(answer.status, 416);
    assert_string_equal(answer_header(&answer, "content-range"), "bytes */1024");
    answer_fini(&answer);
    assert_int_equal(ask_status(*state, "GET /hello", "Range: bytes=-5\r\n", ""), 206);
    assert_int_equal(ask_status(*state, "GET /hello", "Range: bytes=0-1,4-5\r\n", ""), 200);
    assert_int_equal(
        ask_status(*state, "GET /hello", "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n", ""), 200);
    ask(*state, "HEAD /hello", "Range: bytes=0-1\r\n", "", &answer);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
}

static void long_targets_are_refused(void **state)
{
    struct str line;
    str_init(&line);
    str_puts(&line, "GET /api/echo/");
    while (line.length < 100000)
        str_puts(&line, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(ask_status(*state, str_text(&line), "", ""), 414);
    while (line.length < 1000000)
        str_puts(&line, "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    int status = ask_status(*state, str_text(&line), "", "");
    assert_true(status == 400 || status == 0);
    str_fini(&line);
    assert_int_equal(ask_status(*state, "GET /hello", "", ""), 200);
}

static void garbage_is_survived(void **state)
{
    static const char *const GARBAGE[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /api/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        ("POST /api/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
         "99999999999999999999\r\n\r\n"),
        "POST /api/json HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof GARBAGE / sizeof GARBAGE[0]; i++) {
        struct client client;
        struct answer answer;
        client_open(&client, *state);
        client_send(&client, GARBAGE[i]);
        shutdown(client.fd, SHUT_WR);
        client_read(&client, "GET", &answer);
        assert_true(answer.status == 0 || answer.status >= 400);
        answer_fini(&answer);
        client_close(&client);
    }
    assert_int_equal(ask_status(*state, "GET /hello", "", ""), 200);
}

static void loops_answer_and_count(void **state)
{
    assert_true(http_is_alive(*state, 1000));
    uint64_t before = metric(*state, "matinee_http_requests_total{status=\"2xx\"}");
    assert_int_equal(ask_status(*state, "GET /hello", "", ""), 200);
    assert_int_equal(metric(*state, "matinee_http_requests_total{status=\"2xx\"}"), before + 1);
    assert_true(metric(*state, "matinee_http_sent_bytes_total") >= 1024);
}

static void all_loops_share_one_port(void **state)
{
    (void) state;
    struct http_options options = test_options();
    options.loops = 4;
    struct http *http = test_server(&options);
    for (int i = 0; i < 40; i++)
        assert_int_equal(ask_status(http, "GET /hello", "", ""), 200);
    assert_true(http_is_alive(http, 1000));
    struct http *second = NULL;
    struct why why;
    options.listen = http_url(http) + strlen("http://");
    static const struct http_route NONE[] = {{NULL, NULL, 0, NULL, 0, NULL, NULL}};
    assert_int_equal(http_start(&options, NULL, NONE, &second, &why), ERR_IO);
    assert_string_equal(why.field, "http.listen");
    http_stop(&http, 100);
}

static void wrong_options_are_named(void **state)
{
    (void) state;
    static const char *const BAD_HOSTS[] = {"a b", NULL};
    static const char *const BAD_PROXIES[] = {"10.0.0.0/99", NULL};
    struct http_options wrong[9];
    static const char *const FIELDS[9] = {
        "http.listen",     "http.listen",          "http.listen",
        "http.hosts",      "http.trusted_proxies", "http.tls",
        "http.public_url", "http.base_path",       "http.cors_origin"};
    for (size_t i = 0; i < 9; i++)
        wrong[i] = test_options();
    wrong[0].listen = "nowhere";
    wrong[1].listen = "127.0.0.1:70000";
    wrong[2].listen = "0.0.0.0:0";
    wrong[3].hosts = BAD_HOSTS;
    wrong[4].trusted_proxies = BAD_PROXIES;
    wrong[5].certificate_file = "/tmp/cert.pem";
    wrong[6].public_url = "films.example";
    wrong[7].base_path = "films";
    wrong[8].cors_origin = "*";
    for (size_t i = 0; i < 9; i++) {
        struct http *http = NULL;
        struct why why = {.field = ""};
        static const struct http_route NONE[] = {{NULL, NULL, 0, NULL, 0, NULL, NULL}};
        assert_int_equal(http_start(&wrong[i], NULL, NONE, &http, &why), ERR_BAD_INPUT);
        assert_string_equal(why.field, FIELDS[i]);
        assert_null(http);
    }
}

static void six_is_listened_on(void **state)
{
    (void) state;
    struct http_options options = test_options();
    options.listen = "[::]:0";
    options.auth_mode = AUTH_ACCOUNTS;
    struct http *http = test_server(&options);
    struct answer answer;
    ask(http, "GET /api/echo/x", "", "", &answer);
    assert_non_null(strstr(str_text(&answer.body), "peer=127.0.0.1\n"));
    answer_fini(&answer);
    http_stop(&http, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_find_their_handlers),
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(wrong_methods_are_told_the_right_ones),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(every_reply_bears_the_safe_headers),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(chunked_bodies_are_read),
        cmocka_unit_test(json_bodies_are_objects),
        cmocka_unit_test(problems_say_what_is_wrong),
        cmocka_unit_test(bodies_are_packed_and_tagged),
        cmocka_unit_test(known_bodies_are_not_sent_again),
        cmocka_unit_test(ranges_are_cut),
        cmocka_unit_test(long_targets_are_refused),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(loops_answer_and_count),
        cmocka_unit_test(all_loops_share_one_port),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(six_is_listened_on),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
