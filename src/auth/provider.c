/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/provider.h"

#include <stdio.h>
#include <string.h>

#include "auth/jwt.h"
#include "auth/provider_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/whole.h"

enum {
    ANSWER_BYTES_MOST = 1 << 20,
    ANSWER_MS = 10 * 1000,
    KEYS_FRESH_MS = 60 * 60 * 1000,
    KEYS_AGAIN_MS = 60 * 1000
};

/* --- what is known of the kinds --- */

struct preset {
    const char *kind, *title, *authorize_url, *token_url, *userinfo_url, *emails_url, *scopes,
        *subject_field, *name_field, *email_field;
};
static const struct preset PRESETS[] = {
    {"github", "GitHub", "https://github.com/login/oauth/authorize",
     "https://github.com/login/oauth/access_token", "https://api.github.com/user",
     "https://api.github.com/user/emails", "read:user user:email", "id", "login", ""},
    {"42", "42", "https://api.intra.42.fr/oauth/authorize", "https://api.intra.42.fr/oauth/token",
     "https://api.intra.42.fr/v2/me", "", "public", "id", "login", "email"},
    {"oauth", "", "", "", "", "", "", "id", "name", "email"},
    {"oidc", "", "", "", "", "", "openid profile email", "", "", ""},
    {"access", "Cloudflare Access", "", "", "", "", "", "", "", ""},
    {"header", "", "", "", "", "", "", "", "", ""},
};

static const struct preset *preset_of(const char *kind)
{
    for (size_t i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++)
        if (strcmp(PRESETS[i].kind, kind) == 0)
            return &PRESETS[i];
    return NULL;
}

static enum provider_kind kind_of(const char *kind)
{
    if (strcmp(kind, "oidc") == 0)
        return PROVIDER_OIDC;
    if (strcmp(kind, "access") == 0)
        return PROVIDER_ACCESS;
    return strcmp(kind, "header") == 0 ? PROVIDER_HEADER : PROVIDER_OAUTH;
}

static char *text_or(const char *text, const char *standard)
{
    return mem_strdup(text != NULL && text[0] != '\0' ? text : standard);
}

static enum err need(const struct provider *provider, const char *text, const char *what,
                     struct why *why)
{
    if (text[0] != '\0')
        return OK;
    return why_set(why, ERR_BAD_INPUT, "auth.providers", "the provider %s needs %s", provider->name,
                   what);
}

static enum err check(const struct provider *provider, struct why *why)
{
    enum err err = OK;
    bool is_code = provider->kind == PROVIDER_OIDC || provider->kind == PROVIDER_OAUTH;
    if (provider->kind == PROVIDER_OIDC || provider->kind == PROVIDER_ACCESS)
        err = need(provider, provider->issuer, "an issuer", why);
    if (err == OK && is_code)
        err = need(provider, provider->client_id, "a client_id", why);
    if (err == OK && provider->kind == PROVIDER_OAUTH)
        err = need(provider, provider->authorize_url, "an authorize_url", why);
    if (err == OK && provider->kind == PROVIDER_OAUTH)
        err = need(provider, provider->token_url, "a token_url", why);
    if (err == OK && provider->kind == PROVIDER_OAUTH)
        err = need(provider, provider->userinfo_url, "a userinfo_url", why);
    if (err == OK && provider->kind == PROVIDER_ACCESS)
        err = need(provider, provider->audience, "an audience", why);
    if (err == OK && provider->kind == PROVIDER_HEADER)
        err = need(provider, provider->header, "a header", why);
    return err;
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < STORE_PROVIDER_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

enum err provider_new(const struct provider_options *options, struct fetch *fetch,
                      struct provider **out, struct why *why)
{
    const struct preset *preset = preset_of(options->kind);
    if (!is_name(options->name))
        return why_set(why, ERR_BAD_INPUT, "auth.providers",
                       "the name of a provider is of small letters, digits and hyphens");
    if (preset == NULL)
        return why_set(
            why, ERR_BAD_INPUT, "auth.providers",
            "the provider %s is of no kind that is known: oidc, github, 42, oauth, access, "
            "header",
            options->name);
    struct provider *provider = mem_new(struct provider);
    pthread_mutex_init(&provider->lock, NULL);
    provider->fetch = fetch;
    provider->kind = kind_of(options->kind);
    provider->creates = options->creates;
    provider->name = mem_strdup(options->name);
    provider->title =
        text_or(options->title, preset->title[0] != '\0' ? preset->title : options->name);
    provider->issuer = text_or(options->issuer, "");
    provider->client_id = text_or(options->client_id, "");
    provider->client_secret = text_or(options->client_secret, "");
    provider->scopes = text_or(options->scopes, preset->scopes);
    provider->authorize_url = text_or(options->authorize_url, preset->authorize_url);
    provider->token_url = text_or(options->token_url, preset->token_url);
    provider->userinfo_url = text_or(options->userinfo_url, preset->userinfo_url);
    provider->emails_url = text_or(options->emails_url, preset->emails_url);
    provider->subject_field = text_or(options->subject_field, preset->subject_field);
    provider->name_field = text_or(options->name_field, preset->name_field);
    provider->email_field = text_or(options->email_field, preset->email_field);
    provider->audience = text_or(options->audience, "");
    provider->header = text_or(options->header, "");
    enum err err = check(provider, why);
    if (err == OK)
        *out = provider;
    else
        provider_free(&provider);
    return err;
}

void provider_free(struct provider **provider)
{
    struct provider *gone = *provider;
    *provider = NULL;
    if (gone == NULL)
        return;
    char *const texts[] = {gone->name,          gone->title,         gone->issuer,
                           gone->client_id,     gone->client_secret, gone->scopes,
                           gone->authorize_url, gone->token_url,     gone->userinfo_url,
                           gone->emails_url,    gone->subject_field, gone->name_field,
                           gone->email_field,   gone->audience,      gone->header};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        mem_free(texts[i]);
    json_decref(gone->discovery);
    json_decref(gone->keys);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

const char *provider_name(const struct provider *provider)
{
    return provider->name;
}

const char *provider_title(const struct provider *provider)
{
    return provider->title;
}

enum provider_kind provider_kind(const struct provider *provider)
{
    return provider->kind;
}

bool provider_creates(const struct provider *provider)
{
    return provider->creates;
}

const char *provider_header(const struct provider *provider)
{
    return provider->header;
}

/* --- what others say --- */

void provider_take_text(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    out[0] = '\0';
    if (text != NULL && strlen(text) < size)
        snprintf(out, size, "%s", text);
}

bool provider_take_subject(const json_t *object, const char *name, char out[STORE_SUBJECT_SIZE])
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        snprintf(out, STORE_SUBJECT_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        provider_take_text(object, name, out, STORE_SUBJECT_SIZE);
    return out[0] != '\0';
}

void provider_take_email(const json_t *object, const char *name, char out[256])
{
    provider_take_text(object, name, out, 256);
    for (char *at = out; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char) (*at + ('a' - 'A'));
}

/* "https://host:port" of a URL. */
static char *origin_of(const char *url)
{
    const char *begin = strstr(url, "://");
    size_t length = begin != NULL ? (size_t) (begin + 3 - url) : 0;
    return mem_strndup(url, length + strcspn(url + length, "/?#"));
}

/* What an admin wrote leads where he wrote; what the issuer names leads there, or to the world outside. */
static bool is_written(const struct provider *provider, const char *origin)
{
    const char *const written[] = {provider->issuer, provider->token_url, provider->userinfo_url,
                                   provider->emails_url};
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        CLEANUP(mem_free_at) char *own = origin_of(written[i]);
        if (written[i][0] != '\0' && strcmp(own, origin) == 0)
            return true;
    }
    return false;
}

static enum err explain(const struct provider *provider, enum err err, const struct why *said,
                        struct why *why)
{
    log_warning("provider.failed", log_str("provider", provider->name), log_err(err),
                log_str("why", said->text));
    return why_set(why, err, NULL, "%s does not answer as it should: %s", provider->title,
                   said->text[0] != '\0' ? said->text : err_text(err));
}

/* An answer in words of OAuth (RFC 6749 5.2): why it is none. */
static enum err read_answer(const struct provider *provider, const struct fetch_answer *answer,
                            json_t **out, struct why *why)
{
    struct why said = {0};
    json_t *body = json_loadb(answer->body, answer->size, 0, NULL);
    const char *error = json_string_value(json_object_get(body, "error"));
    if (answer->status == 200 && body != NULL && error == NULL) {
        *out = body;
        return OK;
    }
    why_set(&said, ERR_REFUSED, NULL, "%s (status %d)", error != NULL ? error : "no answer in JSON",
            answer->status);
    json_decref(body);
    bool is_refusal = error != NULL || (answer->status >= 400 && answer->status < 500);
    return explain(provider, is_refusal ? ERR_REFUSED : ERR_IO, &said, why);
}

enum err provider_ask(struct provider *provider, const struct provider_question *question,
                      json_t **out, struct why *why)
{
    CLEANUP(mem_free_at) char *origin = origin_of(question->url);
    CLEANUP(str_fini) struct str authorization = {0};
    struct fetch_answer answer = {0};
    struct why said = {0};
    if (question->bearer != NULL)
        str_printf(&authorization, "Bearer %s", question->bearer);
    else if (question->basic != NULL)
        str_printf(&authorization, "Basic %s", question->basic);
    const struct fetch_order order = {
        .url = question->url,
        .origin = is_written(provider, origin) ? origin : NULL,
        .form = question->form,
        .authorization = authorization.length > 0 ? authorization.at : NULL,
        .accept = "application/json",
        .limit_bytes = ANSWER_BYTES_MOST,
        .total_ms = ANSWER_MS,
    };
    enum err err = fetch_whole(provider->fetch, &order, &answer, &said);
    err = err == OK ? read_answer(provider, &answer, out, why)
                    : explain(provider, err == ERR_REFUSED ? ERR_IO : err, &said, why);
    if (authorization.length > 0)
        explicit_bzero(authorization.at, authorization.length);
    fetch_answer_fini(&answer);
    return err;
}

/* --- keys --- */

static bool want_keys(const struct provider *provider, bool kid_is_unknown, int64_t now_ms)
{
    bool is_old = provider->keys == NULL || now_ms - provider->keys_ms > KEYS_FRESH_MS;
    bool may_ask = provider->tried_ms == 0 || now_ms - provider->tried_ms > KEYS_AGAIN_MS;
    return (is_old || kid_is_unknown) && may_ask;
}

/* What is kept stays where others cannot be had: a key is good until its issuer says otherwise. */
enum err provider_keys(struct provider *provider, const char *url, bool kid_is_unknown,
                       json_t **out, struct why *why)
{
    json_t *fresh = NULL;
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&provider->lock);
    bool wanted = want_keys(provider, kid_is_unknown, now_ms);
    if (wanted)
        provider->tried_ms = now_ms;
    pthread_mutex_unlock(&provider->lock);
    if (wanted &&
        provider_ask(provider, &(struct provider_question){.url = url}, &fresh, why) != OK)
        fresh = NULL;
    pthread_mutex_lock(&provider->lock);
    if (json_is_array(json_object_get(fresh, "keys"))) {
        json_decref(provider->keys);
        provider->keys = json_incref(fresh);
        provider->keys_ms = now_ms;
    }
    *out = json_incref(provider->keys);
    pthread_mutex_unlock(&provider->lock);
    json_decref(fresh);
    if (*out != NULL)
        return OK;
    return why_set(why, ERR_IO, NULL, "the keys of %s cannot be had", provider->title);
}

enum err provider_verify(struct provider *provider, const char *keys_url, const char *const *algs,
                         const char *audience, struct slice token, json_t **claims, struct why *why)
{
    const struct jwt_rules rules = {.algs = algs,
                                    .issuer = provider->issuer,
                                    .audience = audience,
                                    .now_s = clock_wall_ms() / 1000};
    json_t *keys = NULL;
    enum err err = provider_keys(provider, keys_url, false, &keys, why);
    if (err != OK)
        return err;
    err = jwt_verify(token, keys, &rules, claims, why);
    json_decref(keys);
    if (err != ERR_NOT_FOUND)
        return err;
    err = provider_keys(provider, keys_url, true, &keys, why);
    if (err != OK)
        return err;
    err = jwt_verify(token, keys, &rules, claims, why);
    json_decref(keys);
    return err == ERR_NOT_FOUND ? ERR_REFUSED : err;
}

/* --- Cloudflare Access --- */

enum err provider_check_access(struct provider *provider, struct slice token, struct slice email,
                               struct provider_person *out, struct why *why)
{
    static const char *const ALGS[] = {"RS256", NULL};
    CLEANUP(str_fini) struct str url = {0};
    json_t *claims = NULL;
    *out = (struct provider_person){.is_verified = true};
    str_printf(&url, "%s/cdn-cgi/access/certs", provider->issuer);
    if (token.at == NULL)
        return why_set(why, ERR_REFUSED, NULL, "the request came not through %s", provider->title);
    enum err err = provider_verify(provider, url.at, ALGS, provider->audience, token, &claims, why);
    if (err != OK)
        return err;
    char type[16];
    provider_take_text(claims, "type", type, sizeof type);
    provider_take_email(claims, "email", out->email);
    bool has_subject = provider_take_subject(claims, "sub", out->subject);
    json_decref(claims);
    if (strcmp(type, "app") != 0 || !has_subject || out->email[0] == '\0')
        return why_set(why, ERR_REFUSED, NULL, "that token is of a service, not of a person");
    if (email.at != NULL && !slice_is_nocase(email, out->email))
        return why_set(why, ERR_REFUSED, NULL, "the header beside the token names somebody else");
    snprintf(out->name, sizeof out->name, "%.*s", (int) strcspn(out->email, "@"), out->email);
    return OK;
}
