/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/mem.h"

enum {
    URL_MAX = 8192,
    NAME_MAX_BYTES = 254, /* RFC 1035 2.3.4, as text, with the dot of the root */
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PORT_FREE = 1024
};

struct parts {
    CURLU *handle;
    char *scheme, *host, *port, *url;
};

static void parts_fini(struct parts *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_free(parts->url);
    curl_url_cleanup(parts->handle);
}

static bool is_web(const struct parts *parts)
{
    return strcasecmp(parts->scheme, "http") == 0 || strcasecmp(parts->scheme, "https") == 0;
}

static CURLUcode take_apart(const char *url, struct parts *out)
{
    out->handle = curl_url();
    MUST(out->handle != NULL);
    CURLUcode code = curl_url_set(out->handle, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_get(out->handle, CURLUPART_SCHEME, &out->scheme, 0);
    if (code == CURLUE_OK && !is_web(out)) /* such as file, which has no host */
        return CURLUE_UNSUPPORTED_SCHEME;
    if (code == CURLUE_OK)
        code = curl_url_get(out->handle, CURLUPART_HOST, &out->host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(out->handle, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK)
        code = curl_url_get(out->handle, CURLUPART_URL, &out->url, 0);
    return code;
}

/* A name of letters, digits, dashes and dots; or [an address]. */
static bool is_plain(const char *host)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return host[0] == '[' || host[strspn(host, chars)] == '\0';
}

static bool is_web_port(const char *text)
{
    long port = strtol(text, NULL, 10);
    return port == PORT_HTTP || port == PORT_HTTPS || port >= PORT_FREE;
}

/* "host" or "host:port". */
static bool is_named(const struct parts *parts, const char *name)
{
    size_t length = strlen(parts->host);
    if (strncasecmp(name, parts->host, length) != 0)
        return false;
    return name[length] == '\0' ||
           (name[length] == ':' && strcmp(name + length + 1, parts->port) == 0);
}

static bool is_allowed(const struct parts *parts, const char *const *allowed)
{
    for (; allowed != NULL && *allowed != NULL; allowed++)
        if (is_named(parts, *allowed))
            return true;
    return false;
}

static bool is_of(const struct parts *parts, const char *origin)
{
    struct parts other = {0};
    bool is_same = take_apart(origin, &other) == CURLUE_OK &&
                   strcasecmp(other.scheme, parts->scheme) == 0 &&
                   strcasecmp(other.host, parts->host) == 0 && strcmp(other.port, parts->port) == 0;
    parts_fini(&other);
    return is_same;
}

/* What is judged is what libcurl asks for, which reads the URL once more: a host that was written in code
 * is a number only then, as %33 is 3, and that is 0.0.0.3. */
static bool is_read_the_same_again(const struct parts *parts)
{
    struct parts again = {0};
    bool is_same =
        take_apart(parts->url, &again) == CURLUE_OK && strcmp(again.host, parts->host) == 0;
    parts_fini(&again);
    return is_same;
}

static enum err judge_host(const struct parts *parts, struct why *why)
{
    if (strlen(parts->host) > NAME_MAX_BYTES)
        return why_set(why, ERR_BAD_INPUT, "url", "no name of a server is that long");
    /* libcurl would translate by the locale, and digits of other scripts to an address. */
    if (!is_plain(parts->host))
        return why_set(
            why, ERR_BAD_INPUT, "url",
            "a server's name holds letters of ASCII, digits and dots: write others as xn--");
    if (!is_read_the_same_again(parts))
        return why_set(why, ERR_BAD_INPUT, "url", "the server's name can be read in two ways");
    return OK;
}

static enum err judge(const struct parts *parts, const char *origin, const char *const *allowed,
                      bool *is_unchecked, struct why *why)
{
    enum err kind = judge_host(parts, why);
    if (kind != OK)
        return kind;
    if (origin != NULL && !is_of(parts, origin))
        return why_set(why, ERR_REFUSED, "url", "it leads to %.200s, not to %.100s", parts->host,
                       origin);
    *is_unchecked = origin != NULL || is_allowed(parts, allowed);
    if (!*is_unchecked && !is_web_port(parts->port))
        return why_set(why, ERR_REFUSED, "url", "port %.10s is not asked", parts->port);
    return OK;
}

enum err target_judge(const char *url, const char *origin, const char *const *allowed,
                      struct target *out, struct why *why)
{
    struct parts parts = {0};
    if (strlen(url) > URL_MAX)
        return why_set(why, ERR_BAD_INPUT, "url", "the URL is longer than %d bytes", URL_MAX);
    CURLUcode code = take_apart(url, &parts);
    enum err kind = OK;
    if (code == CURLUE_USER_NOT_ALLOWED)
        kind = why_set(why, ERR_REFUSED, "url", "a URL with a user or a password is not asked");
    else if (code == CURLUE_UNSUPPORTED_SCHEME || code == CURLUE_BAD_SCHEME)
        kind = why_set(why, ERR_BAD_INPUT, "url",
                       "only a URL that begins with http:// or https:// is asked");
    else if (code != CURLUE_OK)
        kind = why_set(why, ERR_BAD_INPUT, "url", "this is no URL: %s", curl_url_strerror(code));
    else
        kind = judge(&parts, origin, allowed, &out->is_unchecked, why);
    if (kind == OK)
        out->url = mem_strdup(parts.url);
    parts_fini(&parts);
    return kind;
}

void target_fini(struct target *target)
{
    mem_free(target->url);
    *target = (struct target){0};
}
