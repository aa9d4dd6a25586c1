/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/options.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/limits.h"

enum { LOOPS_MOST = 64, PER_ADDRESS = 64, HEADER_MS = 10000, BODY_MS = 30000, WAIT_MS = 60000 };

/* "127.0.0.1:8080", "[::]:8080", "localhost:0", ":8080" (every address, both kinds of IP). */
static enum err read_listen(const char *text, struct options *out, struct why *why)
{
    struct slice all = slice_of(text);
    const char *colon = strrchr(text, ':');
    uint64_t port;
    struct host host = {.port = 0};
    enum err err = ERR_BAD_INPUT;
    if (colon != NULL)
        err = slice_number(slice_of(colon + 1), UINT16_MAX, &port);
    struct slice name = {text, err == OK ? (size_t) (colon - text) : 0};
    if (err == OK && name.length == 0)
        name = SLICE("[::]");
    else if (err == OK && slice_is_nocase(name, "localhost"))
        name = SLICE("127.0.0.1");
    if (err == OK)
        err = host_parse(name, &host);
    if (err != OK || !host.is_address || host.port != 0)
        return why_set(why, ERR_BAD_INPUT, "http.listen",
                       "\"%.*s\" is not an address and port to listen on, like 127.0.0.1:8080",
                       (int) all.length, all.at);
    if (address_is_v4(&host.address)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
        memcpy(&v4.sin_addr, host.address.bytes + 12, 4);
        memcpy(&out->listen, &v4, sizeof v4);
        out->listen_size = sizeof v4;
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t) port)};
        memcpy(&v6.sin6_addr, host.address.bytes, 16);
        memcpy(&out->listen, &v6, sizeof v6);
        out->listen_size = sizeof v6;
    }
    if (out->auth_mode == AUTH_NONE && !address_is_loopback(&host.address))
        return why_set(why, ERR_BAD_INPUT, "http.listen",
                       "without sign-in (auth none) only a loopback address may be listened on");
    return OK;
}

static enum err read_hosts(const struct http_options *from, struct options *out, struct why *why)
{
    size_t count = 0;
    while (from->hosts != NULL && from->hosts[count] != NULL)
        count++;
    out->hosts = mem_new_array(char *, count + 1);
    for (; out->host_count < count; out->host_count++) {
        const char *name = from->hosts[out->host_count];
        struct host host;
        if (host_parse(slice_of(name), &host) != OK)
            return why_set(why, ERR_BAD_INPUT, "http.hosts", "\"%s\" is not a host name", name);
        out->hosts[out->host_count] = mem_strndup(host.name.at, host.name.length);
    }
    return OK;
}

static enum err read_proxies(const struct http_options *from, struct options *out, struct why *why)
{
    size_t count = 0;
    while (from->trusted_proxies != NULL && from->trusted_proxies[count] != NULL)
        count++;
    out->proxies = mem_new_array(struct address_range, count + 1);
    for (; out->proxy_count < count; out->proxy_count++) {
        const char *text = from->trusted_proxies[out->proxy_count];
        if (address_range_parse(slice_of(text), &out->proxies[out->proxy_count]) != OK)
            return why_set(why, ERR_BAD_INPUT, "http.trusted_proxies",
                           "\"%s\" is not an address or a range like 10.0.0.0/8", text);
    }
    return OK;
}

/* An origin, perhaps with a path after it, which is cut off. */
static enum err read_public_url(const char *text, struct options *out, struct why *why)
{
    if (text == NULL)
        return OK;
    const char *host = strstr(text, "://");
    size_t length = host != NULL ? 3 + (size_t) (host - text) : 0;
    length += strcspn(text + length, "/");
    out->public_text = mem_strndup(text, length);
    if (origin_parse(slice_of(out->public_text), &out->public_origin) != OK)
        return why_set(why, ERR_BAD_INPUT, "http.public_url",
                       "\"%s\" is not a URL like https://films.example", text);
    out->has_public = true;
    return OK;
}

static enum err read_base_path(const char *text, struct options *out, struct why *why)
{
    size_t length = text == NULL ? 0 : strlen(text);
    if (length > 0 && text[length - 1] == '/')
        length--;
    bool right = length == 0 || (text[0] == '/' && strstr(text, "//") == NULL);
    for (size_t i = 0; i < length && right; i++)
        right = strchr("/-._~", text[i]) != NULL || (text[i] >= '0' && text[i] <= '9') ||
                (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
    if (!right)
        return why_set(why, ERR_BAD_INPUT, "http.base_path",
                       "\"%s\" is not a path like /films (letters, digits and -._~)", text);
    out->base_path = mem_strndup(text != NULL ? text : "", length);
    return OK;
}

static enum err read_cors(const char *text, struct options *out, struct why *why)
{
    struct origin origin;
    if (text == NULL)
        return OK;
    if (origin_parse(slice_of(text), &origin) != OK)
        return why_set(why, ERR_BAD_INPUT, "http.cors_origin",
                       "\"%s\" is not an origin like https://app.example", text);
    out->cors_origin = mem_strdup(text);
    return OK;
}

static enum err read_identity(const struct http_options *from, struct options *out, struct why *why)
{
    if (from->identity_header == NULL)
        return OK;
    if (from->secret_header == NULL || from->secret == NULL || from->secret[0] == '\0')
        return why_set(why, ERR_BAD_INPUT, "auth.providers",
                       "a header that names people needs a secret_header and a secret beside it");
    if (out->proxy_count == 0)
        return why_set(
            why, ERR_BAD_INPUT, "auth.providers",
            "a header that names people counts from http.trusted_proxies alone, and there are "
            "none");
    out->identity_header = mem_strdup(from->identity_header);
    out->secret_header = mem_strdup(from->secret_header);
    out->secret = mem_strdup(from->secret);
    return OK;
}

static enum err read_tls(const struct http_options *from, struct options *out, struct why *why)
{
    if ((from->certificate_file == NULL) != (from->key_file == NULL))
        return why_set(why, ERR_BAD_INPUT, "http.tls",
                       "TLS needs both a certificate file and a key file");
    if (from->certificate_file != NULL) {
        out->certificate_file = mem_strdup(from->certificate_file);
        out->key_file = mem_strdup(from->key_file);
    }
    out->http2 = from->http2 && from->certificate_file != NULL;
    return OK;
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static void read_numbers(const struct http_options *from, struct options *out)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    out->loops = from->loops != 0 ? from->loops : (unsigned) (cores > 0 ? cores : 1);
    if (out->loops > LOOPS_MOST)
        out->loops = LOOPS_MOST;
    unsigned per_address = from->connections_per_address;
    out->connections_per_address = per_address != 0 ? per_address : PER_ADDRESS;
    out->connections = from->connections != 0 ? from->connections : limits_of_process();
    out->timeouts = (struct http_timeouts){
        .header_ms = or_default(from->timeouts.header_ms, HEADER_MS),
        .body_ms = or_default(from->timeouts.body_ms, BODY_MS),
        .stalled_ms = or_default(from->timeouts.stalled_ms, WAIT_MS),
        .idle_ms = or_default(from->timeouts.idle_ms, WAIT_MS),
        .tick_ms = or_default(from->timeouts.tick_ms, 1000),
    };
}

static void read_machine(struct options *out)
{
    char name[64];
    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    snprintf(out->machine[0], sizeof out->machine[0], "%s", name);
    size_t first_label = strcspn(name, ".");
    snprintf(out->machine[1], sizeof out->machine[1], "%.*s.local", (int) first_label, name);
}

enum err options_read(const struct http_options *from, struct options *out, struct why *why)
{
    *out = (struct options){.auth_mode = from->auth_mode};
    read_numbers(from, out);
    read_machine(out);
    if (from->page_folder != NULL)
        out->page_folder = mem_strdup(from->page_folder);
    enum err err = read_listen(from->listen != NULL ? from->listen : "", out, why);
    if (err == OK)
        err = read_hosts(from, out, why);
    if (err == OK)
        err = read_proxies(from, out, why);
    if (err == OK)
        err = read_public_url(from->public_url, out, why);
    if (err == OK)
        err = read_base_path(from->base_path, out, why);
    if (err == OK)
        err = read_cors(from->cors_origin, out, why);
    if (err == OK)
        err = read_identity(from, out, why);
    if (err == OK)
        err = read_tls(from, out, why);
    return err;
}

void options_fini(struct options *options)
{
    for (size_t i = 0; i < options->host_count; i++)
        mem_free(options->hosts[i]);
    mem_free(options->hosts);
    mem_free(options->proxies);
    mem_free(options->certificate_file);
    mem_free(options->key_file);
    mem_free(options->base_path);
    mem_free(options->cors_origin);
    mem_free(options->page_folder);
    mem_free(options->public_text);
    mem_free(options->identity_header);
    mem_free(options->secret_header);
    mem_free(options->secret);
    *options = (struct options){.loops = 0};
}

bool options_trust(const struct options *options, const struct address *peer)
{
    for (size_t i = 0; i < options->proxy_count; i++)
        if (address_in(peer, &options->proxies[i]))
            return true;
    return false;
}

bool options_know_host(const struct options *options, const struct host *host)
{
    if (options->auth_mode == AUTH_NONE)
        return host_is_loopback(host);
    if (host->is_address || host_is_loopback(host))
        return true;
    for (size_t i = 0; i < 2; i++)
        if (host_names_are_equal(host->name, slice_of(options->machine[i])))
            return true;
    for (size_t i = 0; i < options->host_count; i++)
        if (host_names_are_equal(host->name, slice_of(options->hosts[i])))
            return true;
    return options->has_public &&
           host_names_are_equal(host->name, options->public_origin.host.name);
}
