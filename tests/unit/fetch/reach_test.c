/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which addresses are of the world outside, by IANA's registries. */
#include "fetch/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(const char *text, bool is_global)
{
    struct address address;
    assert_int_equal(address_parse(slice_of(text), &address), OK);
    if (reach_is_global(&address) != is_global)
        fail_msg("%s is %s", text, is_global ? "refused" : "let through");
}

static void what_is_global_is_let_through(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "1.1.1.1",          "8.8.8.8",           "9.255.255.255",
        "11.0.0.0",         "100.63.255.255",    "100.128.0.0",
        "126.255.255.255",  "128.0.0.0",         "169.253.255.255",
        "172.15.255.255",   "172.32.0.0",        "192.0.1.0",
        "192.167.255.255",  "192.169.0.0",       "198.17.255.255",
        "198.20.0.0",       "223.255.255.255",   "2001:4860:4860::8888",
        "2606:4700::1111",  "2a00:1450:4001::1", "::ffff:8.8.8.8",
        "64:ff9b::808:808", /* NAT64 of 8.8.8.8 */
        "2002:808:808::1",  /* 6to4 of 8.8.8.8 */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], true);
}

static void what_is_not_is_refused(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1", /* IPv4-compatible: RFC 4291 2.5.5.1 */
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1", /* translated: RFC 2765 */
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", /* local NAT64: RFC 8215 */
        "100::1",       /* discard: RFC 6666 */
        "2001::1",      /* Teredo */
        "2001:2::1",    /* benchmarks */
        "2001:10::1",   /* ORCHID */
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:c0a8:1::1",
        "2002:a9fe:a9fe::",
        "3fff::1",
        "4000::1",
        "5f00::1", /* SRv6: RFC 9602 */
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], false);
}

static void our_own_are_known(void **state)
{
    (void) state;
    struct address address;
    assert_int_equal(address_parse(SLICE("127.0.0.1"), &address), OK);
    assert_true(reach_is_own(&address));
    assert_int_equal(address_parse(SLICE("8.8.8.8"), &address), OK);
    assert_false(reach_is_own(&address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_global_is_let_through),
        cmocka_unit_test(what_is_not_is_refused),
        cmocka_unit_test(our_own_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
