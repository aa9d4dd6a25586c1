/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What http_start was told, checked, copied and with the defaults in. Fixed after options_read;
 * threads: any. */
#pragma once

#include <sys/socket.h>

#include "http/host.h"
#include "http/http.h"

struct options {
    /* copies: mem_free by options_fini */
    char *certificate_file, *key_file, *base_path, *cors_origin, *page_folder;
    char *public_text;
    char **hosts;
    size_t host_count;
    char machine[2][80];                            /* this machine's name, and with .local */
    char *identity_header, *secret_header, *secret; /* all NULL: none */
    struct address_range *proxies;
    size_t proxy_count;
    /* values */
    struct sockaddr_storage listen;
    socklen_t listen_size;
    struct origin public_origin; /* where has_public; its name lies in public_text */
    bool has_public, http2;
    enum http_auth_mode auth_mode;
    unsigned loops, connections_per_address, connections;
    struct http_timeouts timeouts;
};

/* BAD_INPUT: why names the option. `out` needs options_fini, after a failure too. */
MUST_CHECK enum err options_read(const struct http_options *from, struct options *out,
                                 struct why *why);
void options_fini(struct options *options);
/* A trusted proxy. */
bool options_trust(const struct options *options, const struct address *peer);
/* Decision 33: is `host` a name of ours? */
bool options_know_host(const struct options *options, const struct host *host);
