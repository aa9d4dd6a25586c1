/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/jwt.h"

#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <string.h>

#include "base/mem.h"

enum { RSA_BYTES_LEAST = 256 /* RFC 7518 3.3 */ };

struct parts {
    struct slice header, payload, signature;
};

static enum err refuse(struct why *why, const char *words)
{
    return why_set(why, ERR_REFUSED, NULL, "%s", words);
}

/* False: not three parts of base64url with a dot between each two. */
static bool split(struct slice token, struct parts *out)
{
    struct slice parts[3] = {{NULL, 0}};
    size_t count = 0, begin = 0;
    if (token.at == NULL || token.length > JWT_BYTES_MOST)
        return false;
    for (size_t i = 0; i <= token.length; i++) {
        if (i < token.length && token.at[i] != '.')
            continue;
        if (count == 3 || i == begin)
            return false;
        parts[count++] = (struct slice){token.at + begin, i - begin};
        begin = i + 1;
    }
    *out = (struct parts){parts[0], parts[1], parts[2]};
    return count == 3;
}

/* New reference; NULL: no object. */
static json_t *decode(struct slice part)
{
    json_t *text = json_stringn(part.at, part.length);
    json_t *object = text != NULL ? jose_b64_dec_load(text) : NULL;
    json_decref(text);
    if (object != NULL && !json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_text(const json_t *object, const char *name, const char *wanted)
{
    const char *text = text_of(object, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

/* Absent, or as wanted. */
static bool is_text_if_there(const json_t *object, const char *name, const char *wanted)
{
    return json_object_get(object, name) == NULL || is_text(object, name, wanted);
}

static const char *listed(const char *const *algs, const char *alg)
{
    for (size_t i = 0; alg != NULL && algs[i] != NULL; i++)
        if (strcmp(algs[i], alg) == 0)
            return algs[i];
    return NULL;
}

/* --- keys --- */

static bool fits(const json_t *key, const char *alg)
{
    bool is_rsa = strncmp(alg, "RS", 2) == 0;
    if (!is_text_if_there(key, "use", "sig") || !is_text_if_there(key, "alg", alg))
        return false;
    if (!is_rsa)
        return is_text(key, "kty", "EC") && is_text(key, "crv", "P-256");
    const json_t *modulus = json_object_get(key, "n");
    return is_text(key, "kty", "RSA") && json_is_string(modulus) &&
           jose_b64_dec_buf(json_string_value(modulus), json_string_length(modulus), NULL, 0) >=
               RSA_BYTES_LEAST;
}

/* What of the key counts for this algorithm and no other; new reference. NULL: none has this id. */
static json_t *find_key(const json_t *keys, const char *kid, const char *alg)
{
    static const char *const MEMBERS[] = {"kty", "n", "e", "crv", "x", "y"};
    const json_t *key;
    size_t i;
    json_array_foreach(json_object_get(keys, "keys"), i, key)
    {
        if (!is_text(key, "kid", kid) || !fits(key, alg))
            continue;
        json_t *bare = json_pack("{s:s}", "alg", alg);
        for (size_t m = 0; m < sizeof MEMBERS / sizeof MEMBERS[0]; m++)
            if (json_object_get(key, MEMBERS[m]) != NULL)
                json_object_set(bare, MEMBERS[m], json_object_get(key, MEMBERS[m]));
        return bare;
    }
    return NULL;
}

static bool is_signed(const struct parts *parts, const json_t *key)
{
    json_t *jws =
        json_pack("{s:s%, s:s%, s:s%}", "protected", parts->header.at, parts->header.length,
                  "payload", parts->payload.at, parts->payload.length, "signature",
                  parts->signature.at, parts->signature.length);
    bool is = jws != NULL && jose_jws_ver(NULL, jws, NULL, key, true);
    json_decref(jws);
    return is;
}

/* --- claims --- */

static bool has_audience(const json_t *claims, const char *wanted)
{
    const json_t *aud = json_object_get(claims, "aud"), *one;
    size_t i;
    if (json_is_string(aud))
        return strcmp(json_string_value(aud), wanted) == 0;
    json_array_foreach(aud, i, one) if (json_is_string(one) &&
                                        strcmp(json_string_value(one), wanted) == 0) return true;
    return false;
}

static enum err check_times(const json_t *claims, int64_t now_s, struct why *why)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf"),
                 *iat = json_object_get(claims, "iat");
    double now = (double) now_s;
    if (!json_is_number(exp))
        return refuse(why, "the token says not until when it is good");
    if (now > json_number_value(exp) + JWT_SKEW_S)
        return refuse(why, "the token has expired");
    if ((nbf != NULL && !json_is_number(nbf)) || (iat != NULL && !json_is_number(iat)))
        return refuse(why, "the token's dates are no numbers");
    if (nbf != NULL && now < json_number_value(nbf) - JWT_SKEW_S)
        return refuse(why, "the token is not good yet");
    if (iat != NULL && now < json_number_value(iat) - JWT_SKEW_S)
        return refuse(why, "the token was made in the future");
    return OK;
}

static enum err check_claims(const json_t *claims, const struct jwt_rules *rules, struct why *why)
{
    if (!is_text(claims, "iss", rules->issuer))
        return refuse(why, "the token is of another issuer");
    if (!has_audience(claims, rules->audience))
        return refuse(why, "the token is for somebody else");
    return check_times(claims, rules->now_s, why);
}

/* --- both --- */

static enum err check_header(const json_t *header, const struct jwt_rules *rules, const char **alg,
                             const char **kid, struct why *why)
{
    *alg = listed(rules->algs, text_of(header, "alg"));
    *kid = text_of(header, "kid");
    if (*alg == NULL)
        return refuse(why, "the token is signed in a way that is not accepted");
    if (json_object_get(header, "crit") != NULL) /* RFC 7515 4.1.11 */
        return refuse(why, "the token wants more to be understood than is");
    if (rules->type != NULL && !is_text(header, "typ", rules->type))
        return refuse(why, "the token is of another type");
    return *kid != NULL ? OK : refuse(why, "the token names no key");
}

static enum err verify(const struct parts *parts, const json_t *header, const json_t *keys,
                       const struct jwt_rules *rules, json_t **claims, struct why *why)
{
    const char *alg = NULL, *kid = NULL;
    enum err err = check_header(header, rules, &alg, &kid, why);
    if (err != OK)
        return err;
    json_t *key = find_key(keys, kid, alg);
    if (key == NULL)
        return why_set(why, ERR_NOT_FOUND, NULL, "the token's key is not known");
    bool is_good = is_signed(parts, key);
    json_decref(key);
    if (!is_good)
        return refuse(why, "the token's signature is wrong");
    *claims = decode(parts->payload);
    if (*claims == NULL)
        return refuse(why, "the token holds no claims");
    err = check_claims(*claims, rules, why);
    if (err != OK) {
        json_decref(*claims);
        *claims = NULL;
    }
    return err;
}

enum err jwt_verify(struct slice token, const json_t *keys, const struct jwt_rules *rules,
                    json_t **claims, struct why *why)
{
    struct parts parts;
    *claims = NULL;
    if (!split(token, &parts))
        return refuse(why, "that is no token");
    json_t *header = decode(parts.header);
    if (header == NULL)
        return refuse(why, "that is no token");
    enum err err = verify(&parts, header, keys, rules, claims, why);
    json_decref(header);
    return err;
}

/* --- our own --- */

enum err jwt_new_key(const char *kid, json_t **out)
{
    json_t *key = json_pack("{s:s}", "alg", "ES256");
    if (!jose_jwk_gen(NULL, key)) {
        json_decref(key);
        return ERR_IO;
    }
    json_object_set_new(key, "kid", json_string(kid));
    json_object_set_new(key, "use", json_string("sig"));
    json_object_del(key, "key_ops");
    *out = key;
    return OK;
}

enum err jwt_sign(const json_t *key, const char *type, const json_t *claims, char **out)
{
    enum err err = ERR_IO;
    CLEANUP(str_fini) struct str text = {0};
    json_t *jws = json_object();
    json_t *header = json_pack("{s:{s:s, s:s, s:O}}", "protected", "alg", "ES256", "typ", type,
                               "kid", json_object_get(key, "kid"));
    json_object_set_new(jws, "payload", jose_b64_enc_dump(claims));
    if (header != NULL && jose_jws_sig(NULL, jws, header, key)) {
        str_printf(&text, "%s.%s.%s", text_of(jws, "protected"), text_of(jws, "payload"),
                   text_of(jws, "signature"));
        *out = str_take(&text);
        err = OK;
    }
    json_decref(header);
    json_decref(jws);
    return err;
}
