/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts that know nothing of sockets: paths and queries, hosts and origins, addresses, ranges,
 * entity tags, cookies, routes, the table of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/encode.h"
#include "http/host.h"
#include "http/limits.h"
#include "http/peer.h"
#include "http/query.h"
#include "http/range.h"
#include "http/router.h"
#include "http/status.h"

static void assert_slice(struct slice slice, const char *text)
{
    if (!slice_is(slice, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int) slice.length, slice.at, text);
}

static void paths_are_split(void **state)
{
    (void) state;
    struct path path;
    char buffer[300];
    assert_int_equal(path_split(SLICE("/"), buffer, &path), OK);
    assert_int_equal(path.count, 1);
    assert_slice(path.segments[0], "");
    assert_int_equal(path_split(SLICE("/a%20b//%c3%A9/"), buffer, &path), OK);
    assert_int_equal(path.count, 4);
    assert_slice(path.segments[0], "a b");
    assert_slice(path.segments[1], "");
    assert_slice(path.segments[2], "\xc3\xa9");
    assert_slice(path.all, "/a b//\xc3\xa9/");
    assert_int_equal(path_split(SLICE(""), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("a"), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("/%"), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("/%2"), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("/%2f"), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("/a\0b"), buffer, &path), ERR_BAD_INPUT);
    assert_int_equal(path_split(SLICE("/a/./b"), buffer, &path), ERR_NOT_FOUND);
    assert_int_equal(path_split(SLICE("/%2E."), buffer, &path), ERR_NOT_FOUND);
    assert_int_equal(path_split(SLICE("////////////////////////////"), buffer, &path),
                     ERR_NOT_FOUND);
}

static void queries_are_searched(void **state)
{
    (void) state;
    assert_slice(query_find(SLICE("a=1&b=2&b=3"), "b"), "2");
    assert_slice(query_find(SLICE("a%62=1"), "ab"), "1");
    assert_slice(query_find(SLICE("&&a"), "a"), "");
    assert_slice(query_find(SLICE("a=b=c"), "a"), "b=c");
    assert_null(query_find(SLICE("ab=1"), "a").at);
    assert_null(query_find(SLICE(""), "a").at);
    assert_null(query_find(SLICE("%=1"), "a").at);
    assert_true(query_is_well_formed(SLICE("a=%41&&==&b")));
    assert_false(query_is_well_formed(SLICE("a=%4")));
    assert_false(query_is_well_formed(SLICE("a=%00")));
    struct str out;
    str_init(&out);
    query_without(SLICE("key=1&a=2&&key=3&b"), "key", &out);
    assert_string_equal(str_text(&out), "?a=2&b");
    str_fini(&out);
}

static void hosts_are_parsed(void **state)
{
    (void) state;
    struct host host;
    assert_int_equal(host_parse(SLICE("Films.LAN.:8080"), &host), OK);
    assert_slice(host.name, "Films.LAN");
    assert_int_equal(host.port, 8080);
    assert_false(host.is_address);
    assert_int_equal(host_parse(SLICE("[::1]:1"), &host), OK);
    assert_true(host.is_address && host_is_loopback(&host));
    assert_int_equal(host_parse(SLICE("127.1.2.3"), &host), OK);
    assert_true(host_is_loopback(&host));
    assert_int_equal(host_parse(SLICE("LOCALHOST"), &host), OK);
    assert_true(host_is_loopback(&host));
    assert_int_equal(host_parse(SLICE("[::ffff:127.0.0.1]"), &host), OK);
    assert_true(host_is_loopback(&host));
    static const char *const WRONG[] = {
        "",     ":80",    "a:",     "a:0", "a:65536", "a:b", "a/b",       "a b",
        "[::1", "[::1]x", "[::1]:", "[]",  "a@b",     "::1", "[1.2.3.4]", "[fe80::1%eth0]"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        if (host_parse(slice_of(WRONG[i]), &host) != ERR_BAD_INPUT)
            fail_msg("\"%s\" is taken for a host", WRONG[i]);
}

static void origins_are_compared(void **state)
{
    (void) state;
    struct origin a, b;
    assert_int_equal(origin_parse(SLICE("https://Films.example"), &a), OK);
    assert_int_equal(origin_parse(SLICE("https://films.example:443"), &b), OK);
    assert_true(origins_are_equal(&a, &b));
    assert_int_equal(origin_parse(SLICE("http://films.example:443"), &b), OK);
    assert_false(origins_are_equal(&a, &b));
    assert_int_equal(origin_parse(SLICE("https://films.example:444"), &b), OK);
    assert_false(origins_are_equal(&a, &b));
    assert_int_equal(origin_parse(SLICE("null"), &a), ERR_BAD_INPUT);
    assert_int_equal(origin_parse(SLICE("https://films.example/"), &a), ERR_BAD_INPUT);
    assert_int_equal(origin_parse(SLICE("ftp://films.example"), &a), ERR_BAD_INPUT);
}

static bool is_in(const char *address, const char *range)
{
    struct address parsed;
    struct address_range parsed_range;
    assert_int_equal(address_parse(slice_of(address), &parsed), OK);
    assert_int_equal(address_range_parse(slice_of(range), &parsed_range), OK);
    return address_in(&parsed, &parsed_range);
}

static void addresses_lie_in_ranges(void **state)
{
    (void) state;
    assert_true(is_in("10.1.2.3", "10.0.0.0/8"));
    assert_false(is_in("11.1.2.3", "10.0.0.0/8"));
    assert_true(is_in("10.1.2.3", "10.1.2.3"));
    assert_true(is_in("192.168.129.1", "192.168.128.0/17"));
    assert_false(is_in("192.168.127.1", "192.168.128.0/17"));
    assert_true(is_in("fd00::7", "fd00::/8"));
    assert_true(is_in("::ffff:10.0.0.1", "10.0.0.0/8"));
    assert_true(is_in("1.2.3.4", "0.0.0.0/0"));
    assert_false(is_in("2001:db8::1", "0.0.0.0/0"));
    struct address_range range;
    assert_int_equal(address_range_parse(SLICE("10.0.0.0/33"), &range), ERR_BAD_INPUT);
    assert_int_equal(address_range_parse(SLICE("10.0.0.0/"), &range), ERR_BAD_INPUT);
    assert_int_equal(address_range_parse(SLICE("10.0.0"), &range), ERR_BAD_INPUT);
}

static void ranges_are_parsed(void **state)
{
    (void) state;
    static const struct {
        const char *header;
        uint64_t size;
        enum err err;
        uint64_t first, length;
        bool is_partial;
    } CASES[] = {
        {"bytes=0-0", 10, OK, 0, 1, true},
        {"bytes=0-", 10, OK, 0, 10, true},
        {"BYTES=3-99", 10, OK, 3, 7, true},
        {"bytes=-3", 10, OK, 7, 3, true},
        {"bytes=-30", 10, OK, 0, 10, true},
        {"bytes=9-18446744073709551615", 10, OK, 9, 1, true},
        {"bytes=9-99999999999999999999999", 10, OK, 9, 1, true},
        {"bytes= 1-2 ", 10, OK, 1, 2, true},
        {"bytes=10-", 10, ERR_BAD_INPUT, 0, 0, false},
        {"bytes=99999999999999999999999-", 10, ERR_BAD_INPUT, 0, 0, false},
        {"bytes=-0", 10, ERR_BAD_INPUT, 0, 0, false},
        {"bytes=0-", 0, ERR_BAD_INPUT, 0, 0, false},
        {"bytes=5-4", 10, OK, 0, 10, false},
        {"bytes=0-1,3-4", 10, OK, 0, 10, false},
        {"bytes=a-b", 10, OK, 0, 10, false},
        {"bytes=-", 10, OK, 0, 10, false},
        {"bytes=", 10, OK, 0, 10, false},
        {"lines=0-1", 10, OK, 0, 10, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct range range;
        enum err err = range_parse(slice_of(CASES[i].header), CASES[i].size, &range);
        if (err != CASES[i].err)
            fail_msg("%s: %s", CASES[i].header, err_name(err));
        if (err != OK)
            continue;
        if (range.first != CASES[i].first || range.length != CASES[i].length ||
            range.is_partial != CASES[i].is_partial)
            fail_msg("%s is wrong", CASES[i].header);
    }
}

static void codings_and_tags_are_matched(void **state)
{
    (void) state;
    char tag[ETAG_SIZE], other[ETAG_SIZE];
    etag_make("abc", 3, "-gz", tag);
    assert_string_equal(tag, "\"ba7816bf8f01cfea414140de5dae2223-gz\""); /* FIPS 180-2, B.1 */
    etag_make("abd", 3, "-gz", other);
    assert_string_not_equal(tag, other);
    assert_true(etag_list_has(SLICE("\"a\" , W/\"b\""), "\"b\""));
    assert_false(etag_list_has(SLICE("\"a\", \"bc\""), "\"b\""));
    assert_true(etag_list_has(SLICE("*"), "\"b\""));
    assert_false(etag_list_has(SLICE(""), "\"b\""));
    assert_false(etag_is(SLICE("W/\"b\""), "\"b\""));
    assert_true(encoding_is_accepted(SLICE("deflate, GZIP;q=0.5"), "gzip"));
    assert_false(encoding_is_accepted(SLICE("gzip;q=0.000, *"), "gzip"));
    assert_false(encoding_is_accepted(SLICE("gzip; q=0"), "gzip"));
    assert_true(encoding_is_accepted(SLICE("*;q=0.1"), "gzip"));
    assert_false(encoding_is_accepted(SLICE("identity"), "gzip"));
    assert_false(encoding_is_accepted((struct slice){NULL, 0}, "gzip"));
}

static void cookies_are_found(void **state)
{
    (void) state;
    assert_slice(peer_cookie(SLICE("a=1; s=2; s=3"), "s"), "2");
    assert_slice(peer_cookie(SLICE("s="), "s"), "");
    assert_null(peer_cookie(SLICE("ss=1;;xs=2;s"), "s").at);
    assert_null(peer_cookie((struct slice){NULL, 0}, "s").at);
}

static void nothing(struct request *request, void *ctx)
{
    (void) request;
    (void) ctx;
}

static void routes_are_checked(void **state)
{
    (void) state;
    static const struct http_route WRONG[][2] = {
        {{"GET", "no-slash", 0, NULL, 0, nothing, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
        {{"HEAD", "/", 0, NULL, 0, nothing, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
        {{"GET", "/{", 0, NULL, 0, nothing, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
        {{"GET", "/{}", 0, NULL, 0, nothing, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
        {{"GET", "/{a...}/b", 0, NULL, 0, nothing, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
        {{"GET", "/x", 0, NULL, 0, NULL, NULL}, {NULL, NULL, 0, NULL, 0, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct router *router = NULL;
        struct why why;
        assert_int_equal(router_new(WRONG[i], &router, &why), ERR_BAD_INPUT);
        assert_null(router);
    }
}

static void the_most_literal_route_wins(void **state)
{
    (void) state;
    static const struct http_route ROUTES[] = {
        {"GET", "/{rest...}", 0, NULL, 0, nothing, NULL},
        {"GET", "/a/{x}", 0, NULL, 0, nothing, NULL},
        {"GET", "/a/n{x}", 0, NULL, 0, nothing, NULL},
        {"GET", "/a/new", 0, NULL, 0, nothing, NULL},
        {"POST", "/a/{x}", 0, NULL, 0, nothing, NULL},
        {NULL, NULL, 0, NULL, 0, NULL, NULL},
    };
    static const struct {
        const char *path;
        unsigned method;
        size_t route;
    } CASES[] = {{"/a/new", METHOD_GET, 3},  {"/a/next", METHOD_GET, 2}, {"/a/old", METHOD_GET, 1},
                 {"/a/new", METHOD_POST, 4}, {"/a/b/c", METHOD_GET, 0},  {"/", METHOD_GET, 0}};
    struct router *router;
    struct why why;
    assert_int_equal(router_new(ROUTES, &router, &why), OK);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct path path;
        char buffer[100];
        struct router_match match;
        assert_int_equal(path_split(slice_of(CASES[i].path), buffer, &path), OK);
        assert_int_equal(router_find(router, CASES[i].method, &path, &match), OK);
        assert_ptr_equal(match.route, &ROUTES[CASES[i].route]);
    }
    router_free(&router);
    assert_null(router);
}

static void connections_are_counted_by_household(void **state)
{
    (void) state;
    struct limits *limits = limits_new(6, 2);
    struct address four, six, neighbour;
    assert_int_equal(address_parse(SLICE("192.0.2.1"), &four), OK);
    assert_int_equal(address_parse(SLICE("2001:db8::1"), &six), OK);
    assert_int_equal(address_parse(SLICE("2001:db8::2"), &neighbour), OK);
    assert_true(limits_enter(limits, &four, false));
    assert_true(limits_enter(limits, &four, false));
    assert_false(limits_enter(limits, &four, false));
    assert_true(limits_enter(limits, &four, true)); /* a trusted proxy is not counted so */
    assert_true(limits_enter(limits, &six, false));
    assert_true(limits_enter(limits, &neighbour, false));
    assert_false(limits_enter(limits, &six, false)); /* one /64 */
    assert_true(limits_enter(limits, &six, true));
    assert_false(limits_enter(limits, &six, true)); /* six in all */
    assert_int_equal(limits_open(limits), 6);
    limits_leave(limits, &four, false);
    assert_true(limits_enter(limits, &four, false));
    limits_leave(limits, &four, false);
    limits_leave(limits, &four, false);
    limits_leave(limits, &four, true);
    limits_leave(limits, &six, false);
    limits_leave(limits, &six, false);
    limits_leave(limits, &six, true);
    assert_int_equal(limits_open(limits), 0);
    limits_free(&limits);
    assert_null(limits);
    assert_true(limits_of_process() >= 64);
}

static void every_kind_of_error_has_a_status(void **state)
{
    (void) state;
    for (int kind = OK + 1; kind < ERR_COUNT; kind++) {
        int status = status_of_err((enum err) kind);
        assert_in_range(status, 400, 599);
        assert_string_not_equal(status_phrase(status), "Status");
    }
    assert_int_equal(status_of_err(ERR_NOT_FOUND), 404);
    assert_int_equal(status_of_err(ERR_BUSY), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_split),
        cmocka_unit_test(queries_are_searched),
        cmocka_unit_test(hosts_are_parsed),
        cmocka_unit_test(origins_are_compared),
        cmocka_unit_test(addresses_lie_in_ranges),
        cmocka_unit_test(ranges_are_parsed),
        cmocka_unit_test(codings_and_tags_are_matched),
        cmocka_unit_test(cookies_are_found),
        cmocka_unit_test(routes_are_checked),
        cmocka_unit_test(the_most_literal_route_wins),
        cmocka_unit_test(connections_are_counted_by_household),
        cmocka_unit_test(every_kind_of_error_has_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
