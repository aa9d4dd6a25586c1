/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokens of an issuer, each of its claims spoiled in turn. */
#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>

#include "base/mem.h"

#define NOW_S 1796000000

struct bed {
    json_t *rsa, *old, *ec, *stranger; /* private keys */
    json_t *keys;                      /* what the issuer shows of the first three */
};

static json_t *make_key(const char *alg, const char *kid)
{
    json_t *key = json_pack("{s:s}", "alg", alg);
    assert_true(jose_jwk_gen(NULL, key));
    json_object_set_new(key, "kid", json_string(kid));
    return key;
}

static json_t *shown(const json_t *key)
{
    json_t *copy = json_deep_copy(key);
    assert_true(jose_jwk_pub(NULL, copy));
    json_object_set_new(copy, "use", json_string("sig"));
    return copy;
}

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    bed->rsa = make_key("RS256", "new");
    bed->old = make_key("RS256", "old");
    bed->ec = make_key("ES256", "ec");
    bed->stranger = make_key("RS256", "new"); /* the same name, another key */
    bed->keys =
        json_pack("{s:[o, o, o]}", "keys", shown(bed->rsa), shown(bed->old), shown(bed->ec));
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    json_decref(bed->rsa);
    json_decref(bed->old);
    json_decref(bed->ec);
    json_decref(bed->stranger);
    json_decref(bed->keys);
    free(bed);
    return 0;
}

static json_t *claims_of(const char *changes)
{
    json_t *claims = json_pack("{s:s, s:[s, s], s:s, s:i, s:i, s:i}", "iss", "https://team.example",
                               "aud", "other", "mine", "sub", "somebody", "iat", NOW_S - 10, "nbf",
                               NOW_S - 10, "exp", NOW_S + 60);
    json_t *more = json_loads(changes, 0, NULL), *value;
    const char *name;
    assert_non_null(more);
    json_object_foreach(more, name, value)
    {
        if (json_is_null(value))
            json_object_del(claims, name);
        else
            json_object_set(claims, name, value);
    }
    json_decref(more);
    return claims;
}

/* Signed by `key`, whatever the header says of it; takes both. */
static char *sign(const json_t *key, json_t *header, json_t *claims)
{
    struct str text = {0};
    json_t *jws = json_object();
    json_t *sig = json_pack("{s:o}", "protected", header);
    json_object_set_new(jws, "payload", jose_b64_enc_dump(claims));
    assert_true(jose_jws_sig(NULL, jws, sig, key));
    str_printf(&text, "%s.%s.%s", json_string_value(json_object_get(jws, "protected")),
               json_string_value(json_object_get(jws, "payload")),
               json_string_value(json_object_get(jws, "signature")));
    json_decref(sig);
    json_decref(jws);
    json_decref(claims);
    return str_take(&text);
}

static json_t *header_of(const char *alg, const char *kid)
{
    return json_pack("{s:s, s:s, s:s}", "alg", alg, "kid", kid, "typ", "JWT");
}

static enum err check(const json_t *keys, const char *token, const char *type, struct why *why)
{
    static const char *const ALGS[] = {"RS256", "ES256", NULL};
    const struct jwt_rules rules = {.algs = ALGS,
                                    .issuer = "https://team.example",
                                    .audience = "mine",
                                    .type = type,
                                    .now_s = NOW_S};
    json_t *claims = NULL;
    enum err err = jwt_verify(slice_of(token), keys, &rules, &claims, why);
    assert_int_equal(err == OK, claims != NULL);
    if (err == OK)
        assert_string_equal(json_string_value(json_object_get(claims, "sub")), "somebody");
    json_decref(claims);
    return err;
}

static void good_ones_are_accepted(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    CLEANUP(mem_free_at) char *rsa = sign(bed->rsa, header_of("RS256", "new"), claims_of("{}"));
    CLEANUP(mem_free_at) char *old = sign(bed->old, header_of("RS256", "old"), claims_of("{}"));
    CLEANUP(mem_free_at)
    char *ec = sign(bed->ec, header_of("ES256", "ec"), claims_of("{\"aud\": \"mine\"}"));
    assert_int_equal(check(bed->keys, rsa, NULL, &why), OK);
    assert_int_equal(check(bed->keys, old, "JWT", &why), OK); /* before the key was another one */
    assert_int_equal(check(bed->keys, ec, NULL, &why), OK);
    assert_int_equal(check(bed->keys, ec, "at+jwt", &why), ERR_REFUSED);
}

/* Clocks differ by up to a minute. */
static void claims_must_hold(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *changes;
        const char *words; /* NULL: it is accepted */
    } CASES[] = {
        {"{\"exp\": 1795999950}", NULL},
        {"{\"exp\": 1795999930}", "expired"},
        {"{\"exp\": null}", "until when"},
        {"{\"exp\": \"1796000060\"}", "until when"},
        {"{\"nbf\": 1796000050}", NULL},
        {"{\"nbf\": 1796000070}", "not good yet"},
        {"{\"nbf\": \"x\"}", "no numbers"},
        {"{\"iat\": 1796000050}", NULL},
        {"{\"iat\": 1796000070}", "future"},
        {"{\"iss\": \"https://team.example/\"}", "another issuer"},
        {"{\"iss\": null}", "another issuer"},
        {"{\"aud\": \"other\"}", "somebody else"},
        {"{\"aud\": [\"other\"]}", "somebody else"},
        {"{\"aud\": []}", "somebody else"},
        {"{\"aud\": null}", "somebody else"},
        {"{\"aud\": {\"mine\": 1}}", "somebody else"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct why why = {0};
        CLEANUP(mem_free_at)
        char *token = sign(bed->rsa, header_of("RS256", "new"), claims_of(CASES[i].changes));
        enum err err = check(bed->keys, token, NULL, &why);
        if ((err == OK) != (CASES[i].words == NULL) ||
            (err != OK && strstr(why.text, CASES[i].words) == NULL))
            fail_msg("%s: %d, %s", CASES[i].changes, (int) err, why.text);
    }
}

static char *with_header(const char *header, const char *token)
{
    struct str text = {0};
    json_t *raw = json_string(header);
    json_t *encoded = jose_b64_enc(header, strlen(header));
    str_printf(&text, "%s%s", json_string_value(encoded), strchr(token, '.'));
    json_decref(raw);
    json_decref(encoded);
    return str_take(&text);
}

static void signatures_must_be_the_keys(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    CLEANUP(mem_free_at) char *good = sign(bed->rsa, header_of("RS256", "new"), claims_of("{}"));
    CLEANUP(mem_free_at)
    char *stranger = sign(bed->stranger, header_of("RS256", "new"), claims_of("{}"));
    assert_int_equal(check(bed->keys, stranger, NULL, &why), ERR_REFUSED);
    CLEANUP(mem_free_at)
    char *unknown = sign(bed->rsa, header_of("RS256", "newer"), claims_of("{}"));
    assert_int_equal(check(bed->keys, unknown, NULL, &why), ERR_NOT_FOUND);
    /* a key of another kind, or one that is there for something else */
    CLEANUP(mem_free_at) char *crossed = sign(bed->ec, header_of("ES256", "new"), claims_of("{}"));
    assert_int_equal(check(bed->keys, crossed, NULL, &why), ERR_NOT_FOUND);
    json_t *other = json_deep_copy(bed->keys);
    json_object_set_new(json_array_get(json_object_get(other, "keys"), 0), "use",
                        json_string("enc"));
    assert_int_equal(check(other, good, NULL, &why), ERR_NOT_FOUND);
    json_decref(other);
    static const char *const HEADERS[] = {
        "{\"alg\":\"none\",\"kid\":\"new\"}",
        "{\"alg\":\"None\",\"kid\":\"new\"}",
        "{\"alg\":\"HS256\",\"kid\":\"new\"}",
        "{\"alg\":\"RS384\",\"kid\":\"new\"}",
        "{\"alg\":[\"RS256\"],\"kid\":\"new\"}",
        "{\"kid\":\"new\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":5}",
        "{\"alg\":\"RS256\",\"kid\":\"new\",\"crit\":[\"x\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"new\",\"x\":1}", /* not what was signed */
        "[]",
        "not JSON",
    };
    for (size_t i = 0; i < sizeof HEADERS / sizeof HEADERS[0]; i++) {
        CLEANUP(mem_free_at) char *token = with_header(HEADERS[i], good);
        if (check(bed->keys, token, NULL, &why) != ERR_REFUSED)
            fail_msg("%s was accepted", HEADERS[i]);
    }
    assert_int_equal(check(bed->keys, good, NULL, &why), OK);
}

/* HMAC with what the issuer shows of its key, which everybody knows. */
static void a_public_key_is_no_secret(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    const json_t *modulus = json_object_get(bed->rsa, "n");
    json_t *secret = json_pack("{s:s, s:s, s:O}", "kty", "oct", "alg", "HS256", "k", modulus);
    CLEANUP(mem_free_at) char *token = sign(secret, header_of("HS256", "new"), claims_of("{}"));
    assert_int_equal(check(bed->keys, token, NULL, &why), ERR_REFUSED);
    json_decref(secret);
}

static void what_was_changed_is_refused(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    CLEANUP(mem_free_at) char *good = sign(bed->ec, header_of("ES256", "ec"), claims_of("{}"));
    size_t length = strlen(good);
    for (size_t i = 0; i < length; i++) {
        char kept = good[i];
        good[i] = kept == 'A' ? 'B' : 'A';
        /* the last letter of a part may say nothing in its lowest bits */
        bool is_last = i + 1 == length || good[i + 1] == '.';
        if (check(bed->keys, good, NULL, &why) == OK && !is_last)
            fail_msg("letter %zu was another one", i);
        good[i] = kept;
    }
    static const char *const WRONG[] = {"",        ".",    "..",   "...", "a.b",
                                        "a.b.c.d", "a..c", ".b.c", "a.b."};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_int_equal(check(bed->keys, WRONG[i], NULL, &why), ERR_REFUSED);
    CLEANUP(mem_free_at) char *longest = mem_zalloc(JWT_BYTES_MOST + 100);
    memset(longest, 'A', JWT_BYTES_MOST + 50);
    longest[100] = longest[200] = '.';
    assert_int_equal(check(bed->keys, longest, NULL, &why), ERR_REFUSED);
}

static void a_short_key_counts_for_nothing(void **state)
{
    struct bed *bed = *state;
    struct why why = {0};
    json_t *weak = json_pack("{s:s, s:s, s:i}", "kty", "RSA", "alg", "RS256", "bits", 1024);
    if (!jose_jwk_gen(NULL, weak)) { /* the library makes none: then it is not to be feared */
        json_decref(weak);
        (void) bed;
        return;
    }
    json_object_set_new(weak, "kid", json_string("weak"));
    json_t *keys = json_pack("{s:[o]}", "keys", shown(weak));
    CLEANUP(mem_free_at) char *token = sign(weak, header_of("RS256", "weak"), claims_of("{}"));
    assert_int_equal(check(keys, token, NULL, &why), ERR_NOT_FOUND);
    json_decref(keys);
    json_decref(weak);
}

static void our_own_are_good(void **state)
{
    (void) state;
    struct why why = {0};
    json_t *key = NULL, *claims = claims_of("{}");
    CLEANUP(mem_free_at) char *token = NULL;
    assert_int_equal(jwt_new_key("k1", &key), OK);
    assert_int_equal(jwt_sign(key, "at+jwt", claims, &token), OK);
    json_t *keys = json_pack("{s:[O]}", "keys", key);
    assert_int_equal(check(keys, token, "at+jwt", &why), OK);
    assert_int_equal(check(keys, token, "JWT", &why), ERR_REFUSED);
    json_decref(keys);
    json_decref(claims);
    json_decref(key);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(good_ones_are_accepted),      IN_BED(claims_must_hold),
        IN_BED(signatures_must_be_the_keys), IN_BED(a_public_key_is_no_secret),
        IN_BED(what_was_changed_is_refused), IN_BED(a_short_key_counts_for_nothing),
        cmocka_unit_test(our_own_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
