/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The code flow: the browser goes to the provider and comes back with a code, for which we get a token (OpenID
 * Connect Core 1.0 section 3.1; RFC 6749 4.1; RFC 7636 for the verifier; RFC 9207 for `iss`). */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "auth/provider.h"
#include "auth/provider_inside.h"
#include "base/clock.h"
#include "base/mem.h"

enum { DISCOVERY_FRESH_MS = 60 * 60 * 1000, SECRET_BYTES = 32, CODE_MOST = 2048 };

static void draw(char out[44])
{
    unsigned char secret[SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(out, 44, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* As a form has it: all but letters, digits and -._~ (RFC 3986 2.3). */
static void put_encoded(struct str *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                        (*at >= '0' && *at <= '9') || strchr("-._~", *at) != NULL;
        if (is_plain)
            str_putc(out, *at);
        else
            str_printf(out, "%%%02X", (unsigned char) *at);
    }
}

static void put_pair(struct str *out, const char *name, const char *value)
{
    str_printf(out, "%s%s=", out->length > 0 ? "&" : "", name);
    put_encoded(out, value);
}

/* --- where things are --- */

static enum err no_endpoint(const struct provider *provider, const char *name, struct why *why)
{
    return why_set(why, ERR_IO, NULL, "%s names no %s", provider->title, name);
}

/* What is not as it should be is not kept: it may be soon. */
static enum err check_discovery(const struct provider *provider, const json_t *said,
                                struct why *why)
{
    static const char *const NEEDED[] = {"authorization_endpoint", "token_endpoint", "jwks_uri"};
    const char *issuer = json_string_value(json_object_get(said, "issuer"));
    if (issuer == NULL || strcmp(issuer, provider->issuer) != 0)
        return why_set(why, ERR_IO, NULL, "%s says that it is another issuer", provider->title);
    for (size_t i = 0; i < sizeof NEEDED / sizeof NEEDED[0]; i++)
        if (json_string_length(json_object_get(said, NEEDED[i])) == 0)
            return no_endpoint(provider, NEEDED[i], why);
    return OK;
}

/* Of the issuer, at most an hour old; new reference. */
static enum err discover(struct provider *provider, json_t **out, struct why *why)
{
    CLEANUP(str_fini) struct str url = {0};
    json_t *fresh = NULL;
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&provider->lock);
    bool is_fresh =
        provider->discovery != NULL && now_ms - provider->discovered_ms < DISCOVERY_FRESH_MS;
    *out = is_fresh ? json_incref(provider->discovery) : NULL;
    pthread_mutex_unlock(&provider->lock);
    if (is_fresh)
        return OK;
    size_t length = strlen(provider->issuer);
    bool has_slash = length > 0 && provider->issuer[length - 1] == '/';
    str_printf(&url, "%s%s.well-known/openid-configuration", provider->issuer,
               has_slash ? "" : "/");
    enum err err = provider_ask(provider, &(struct provider_question){.url = url.at}, &fresh, why);
    if (err != OK)
        return err;
    err = check_discovery(provider, fresh, why);
    if (err != OK) {
        json_decref(fresh);
        return err;
    }
    pthread_mutex_lock(&provider->lock);
    json_decref(provider->discovery);
    provider->discovery = json_incref(fresh);
    provider->discovered_ms = now_ms;
    pthread_mutex_unlock(&provider->lock);
    *out = fresh;
    return OK;
}

/* The address of one of its parts: the caller's (mem_free); NULL: it has none. */
static char *endpoint(const struct provider *provider, const json_t *discovery, const char *name,
                      const char *written)
{
    if (provider->kind == PROVIDER_OAUTH)
        return written[0] != '\0' ? mem_strdup(written) : NULL;
    const char *url = json_string_value(json_object_get(discovery, name));
    return url != NULL && url[0] != '\0' ? mem_strdup(url) : NULL;
}

/* --- there --- */

static void put_challenge(struct str *out, const char *verifier)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[44];
    crypto_hash_sha256(hash, (const unsigned char *) verifier, strlen(verifier));
    sodium_bin2base64(text, sizeof text, hash, sizeof hash,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    put_pair(out, "code_challenge", text);
    put_pair(out, "code_challenge_method", "S256");
}

enum err provider_begin(struct provider *provider, struct provider_flow *flow, char **url,
                        struct why *why)
{
    json_t *discovery = NULL;
    CLEANUP(str_fini) struct str query = {0}, target = {0};
    enum err err = provider->kind == PROVIDER_OIDC ? discover(provider, &discovery, why) : OK;
    if (err != OK)
        return err;
    CLEANUP(mem_free_at)
    char *place = endpoint(provider, discovery, "authorization_endpoint", provider->authorize_url);
    json_decref(discovery);
    if (place == NULL)
        return no_endpoint(provider, "authorization_endpoint", why);
    draw(flow->state);
    draw(flow->nonce);
    draw(flow->verifier);
    put_pair(&query, "response_type", "code");
    put_pair(&query, "client_id", provider->client_id);
    put_pair(&query, "redirect_uri", flow->redirect_uri);
    put_pair(&query, "scope", provider->scopes);
    put_pair(&query, "state", flow->state);
    if (provider->kind == PROVIDER_OIDC)
        put_pair(&query, "nonce", flow->nonce);
    put_challenge(&query, flow->verifier);
    str_printf(&target, "%s%c%s", place, strchr(place, '?') != NULL ? '&' : '?', query.at);
    *url = str_take(&target);
    return OK;
}

/* --- and back --- */

/* In the header where the issuer says nothing of it or names it, else in the form (Core 1.0 section 9). */
static bool wants_basic(const struct provider *provider, const json_t *discovery)
{
    const json_t *methods = json_object_get(discovery, "token_endpoint_auth_methods_supported");
    const json_t *method;
    size_t i;
    if (provider->client_secret[0] == '\0' || provider->kind != PROVIDER_OIDC)
        return false;
    json_array_foreach(methods, i, method) if (json_is_string(method) &&
                                               strcmp(json_string_value(method),
                                                      "client_secret_basic") == 0) return true;
    return methods == NULL;
}

static char *basic_of(const struct provider *provider)
{
    CLEANUP(str_fini) struct str pair = {0};
    put_encoded(&pair, provider->client_id);
    str_putc(&pair, ':');
    put_encoded(&pair, provider->client_secret);
    size_t size = sodium_base64_encoded_len(pair.length, sodium_base64_VARIANT_ORIGINAL);
    char *text = mem_zalloc(size);
    sodium_bin2base64(text, size, (const unsigned char *) pair.at, pair.length,
                      sodium_base64_VARIANT_ORIGINAL);
    explicit_bzero(pair.at, pair.length);
    return text;
}

static enum err exchange(struct provider *provider, const json_t *discovery,
                         const struct provider_flow *flow, const char *code, json_t **out,
                         struct why *why)
{
    CLEANUP(str_fini) struct str form = {0};
    CLEANUP(mem_free_at)
    char *url = endpoint(provider, discovery, "token_endpoint", provider->token_url);
    CLEANUP(mem_free_at) char *basic = NULL;
    if (url == NULL)
        return no_endpoint(provider, "token_endpoint", why);
    put_pair(&form, "grant_type", "authorization_code");
    put_pair(&form, "code", code);
    put_pair(&form, "redirect_uri", flow->redirect_uri);
    put_pair(&form, "code_verifier", flow->verifier);
    if (wants_basic(provider, discovery)) {
        basic = basic_of(provider);
    } else {
        put_pair(&form, "client_id", provider->client_id);
        if (provider->client_secret[0] != '\0')
            put_pair(&form, "client_secret", provider->client_secret);
    }
    const struct provider_question question = {.url = url, .basic = basic, .form = form.at};
    enum err err = provider_ask(provider, &question, out, why);
    explicit_bzero(form.at, form.length);
    return err;
}

static bool is_true(const json_t *value)
{
    const char *text = json_string_value(value);
    return json_is_true(value) || (text != NULL && strcmp(text, "true") == 0);
}

static void take_person(const json_t *claims, struct provider_person *out)
{
    provider_take_text(claims, "preferred_username", out->name, sizeof out->name);
    if (out->name[0] == '\0')
        provider_take_text(claims, "name", out->name, sizeof out->name);
    provider_take_email(claims, "email", out->email);
    out->is_verified = out->email[0] != '\0' && is_true(json_object_get(claims, "email_verified"));
}

/* Of several audiences the token must be ours by name (Core 1.0, 3.1.3.7). */
static enum err check_id_token(const struct provider *provider, const struct provider_flow *flow,
                               const json_t *claims, struct why *why)
{
    const json_t *aud = json_object_get(claims, "aud");
    const char *azp = json_string_value(json_object_get(claims, "azp"));
    const char *nonce = json_string_value(json_object_get(claims, "nonce"));
    if (nonce == NULL || strcmp(nonce, flow->nonce) != 0)
        return why_set(why, ERR_REFUSED, NULL, "the token is of another sign-in");
    bool is_shared = json_is_array(aud) && json_array_size(aud) > 1;
    if ((is_shared || azp != NULL) && (azp == NULL || strcmp(azp, provider->client_id) != 0))
        return why_set(why, ERR_REFUSED, NULL, "the token is for somebody else");
    return OK;
}

static enum err ask_userinfo(struct provider *provider, const char *url, const json_t *tokens,
                             json_t **out, struct why *why)
{
    const char *access = json_string_value(json_object_get(tokens, "access_token"));
    if (access == NULL || strpbrk(access, "\r\n") != NULL)
        return why_set(why, ERR_IO, NULL, "%s gives no access_token", provider->title);
    return provider_ask(provider, &(struct provider_question){.url = url, .bearer = access}, out,
                        why);
}

/* What the ID token leaves out; its subject must be the same (Core 1.0, 5.3.2). */
static enum err add_userinfo(struct provider *provider, const json_t *discovery,
                             const json_t *tokens, struct provider_person *person, struct why *why)
{
    json_t *info = NULL;
    char subject[STORE_SUBJECT_SIZE];
    CLEANUP(mem_free_at) char *url = endpoint(provider, discovery, "userinfo_endpoint", "");
    if (url == NULL || (person->email[0] != '\0' && person->name[0] != '\0'))
        return OK;
    enum err err = ask_userinfo(provider, url, tokens, &info, why);
    if (err != OK)
        return err;
    provider_take_text(info, "sub", subject, sizeof subject);
    if (strcmp(subject, person->subject) == 0)
        take_person(info, person);
    else
        err = why_set(why, ERR_REFUSED, NULL, "%s speaks of two people", provider->title);
    json_decref(info);
    return err;
}

static enum err read_id_token(struct provider *provider, const json_t *discovery,
                              const struct provider_flow *flow, const json_t *tokens,
                              struct provider_person *out, struct why *why)
{
    static const char *const ALGS[] = {"RS256", "ES256", NULL};
    const char *token = json_string_value(json_object_get(tokens, "id_token"));
    CLEANUP(mem_free_at) char *keys_url = endpoint(provider, discovery, "jwks_uri", "");
    json_t *claims = NULL;
    if (token == NULL)
        return why_set(why, ERR_IO, NULL, "%s gives no id_token", provider->title);
    if (keys_url == NULL)
        return no_endpoint(provider, "jwks_uri", why);
    enum err err = provider_verify(provider, keys_url, ALGS, provider->client_id, slice_of(token),
                                   &claims, why);
    if (err != OK)
        return err;
    err = check_id_token(provider, flow, claims, why);
    if (err == OK && !provider_take_subject(claims, "sub", out->subject))
        err = why_set(why, ERR_REFUSED, NULL, "the token names nobody");
    if (err == OK)
        take_person(claims, out);
    json_decref(claims);
    return err == OK ? add_userinfo(provider, discovery, tokens, out, why) : err;
}

/* GitHub tells addresses apart: the first one that is verified, the primary one before others. */
static void take_listed_email(const json_t *list, struct provider_person *out)
{
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        bool is_better = out->email[0] == '\0' || is_true(json_object_get(one, "primary"));
        if (!is_true(json_object_get(one, "verified")) || !is_better)
            continue;
        provider_take_email(one, "email", out->email);
        out->is_verified = out->email[0] != '\0';
    }
}

static enum err read_userinfo(struct provider *provider, const json_t *tokens,
                              struct provider_person *out, struct why *why)
{
    json_t *info = NULL, *emails = NULL;
    enum err err = ask_userinfo(provider, provider->userinfo_url, tokens, &info, why);
    if (err != OK)
        return err;
    if (!provider_take_subject(info, provider->subject_field, out->subject))
        err = why_set(why, ERR_REFUSED, NULL, "%s names nobody", provider->title);
    provider_take_text(info, provider->name_field, out->name, sizeof out->name);
    if (provider->email_field[0] != '\0')
        provider_take_email(info, provider->email_field, out->email);
    json_decref(info);
    if (err == OK && provider->emails_url[0] != '\0' &&
        ask_userinfo(provider, provider->emails_url, tokens, &emails, why) == OK)
        take_listed_email(emails, out);
    json_decref(emails);
    return err;
}

enum err provider_finish(struct provider *provider, const struct provider_flow *flow,
                         struct slice code, struct slice iss, struct provider_person *out,
                         struct why *why)
{
    json_t *discovery = NULL, *tokens = NULL;
    *out = (struct provider_person){.subject = ""};
    if (code.at == NULL || code.length > CODE_MOST)
        return why_set(why, ERR_REFUSED, "code", "%s sent no code", provider->title);
    if (iss.at != NULL && provider->kind == PROVIDER_OIDC && !slice_is(iss, provider->issuer))
        return why_set(why, ERR_REFUSED, "iss", "the answer is of another issuer");
    CLEANUP(mem_free_at) char *text = mem_strndup(code.at, code.length);
    enum err err = provider->kind == PROVIDER_OIDC ? discover(provider, &discovery, why) : OK;
    if (err == OK)
        err = exchange(provider, discovery, flow, text, &tokens, why);
    if (err == OK)
        err = provider->kind == PROVIDER_OIDC
                  ? read_id_token(provider, discovery, flow, tokens, out, why)
                  : read_userinfo(provider, tokens, out, why);
    json_decref(discovery);
    json_decref(tokens);
    return err;
}
