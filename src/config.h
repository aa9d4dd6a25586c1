/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings. One table (config.c) says of each: its key, kind, default and limits; the file
 * matinee.yaml, the environment (MATINEE_HTTP_LISTEN for http.listen) and the command line
 * (--listen, --set http.listen=...) all fill the same struct, the later of these over the earlier
 * ones. A wrong setting is named with where it stands. Threads: made once by main, then read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

struct config_list {
    char **items; /* ends with NULL; never NULL itself after config_new */
    size_t count;
};

/* Who vouches for people (auth/provider.h); texts that are not set are "". */
struct config_provider {
    char *name, *title, *kind, *issuer, *client_id, *client_secret, *client_secret_file, *scopes,
        *authorize_url, *token_url, *userinfo_url, *emails_url, *subject_field, *name_field,
        *email_field, *audience, *header, *secret_header, *secret, *secret_file, *create;
};

struct config {
    struct {
        char *listen;
        char *base_path;
        char *public_url; /* "" = not set; so for all texts */
        struct config_list hosts;
        struct config_list trusted_proxies;
        char *cors_origin;
        bool http2;
        int64_t loops;
        int64_t connections_per_address;
        char *page;
    } http;
    struct {
        char *certificate;
        char *key;
    } tls;
    struct {
        char *mode; /* "accounts", "none" or "key" */
        char *admin_name;
        char *admin_password_file;
        char *registration; /* "invite", "open" or "closed" */
        struct config_list emails;
        bool link_by_email;
        struct config_provider *providers; /* only in the file */
        size_t provider_count;
    } auth;
    struct {
        char *url;
        char *from;
        char *username;
        char *password_file;
        bool clear_text;
        int64_t retry_s;
    } mail;
    struct {
        struct config_list folders;
        int64_t rescan_s;
        int64_t settle_s;
    } library;
    struct {
        char *program;
        char *preset;
        int64_t threads;
        int64_t cores;
        int64_t runs;
        int64_t processes;
        int64_t memory_bytes;
        int64_t hang_ms;
        char *hardware;
    } media;
    struct {
        int64_t cache_bytes;
        int64_t storyboard_bytes;
        int64_t fingerprint_bytes;
        int64_t send_buffer_bytes;
        int64_t ahead_s;
        int64_t idle_s;
        int64_t hold_ms;
        int64_t heartbeat_ms;
    } hls;
    struct {
        char *proxy;
        struct config_list allow;
        char *ca_file;
        int64_t keep_bytes;
    } fetch;
    struct {
        bool enabled;
        bool into_library;
        char *listen;
        char *interface;
        char *proxy;
        int64_t download_rate;
        int64_t upload_rate;
        int64_t connections;
        bool encrypted_only;
        bool dht;
        bool lsd;
        bool upnp;
        bool allow_local;
        int64_t spare_bytes;
        int64_t ratio_percent;
        int64_t seed_s;
    } torrent;
    struct {
        int64_t hour; /* 24: none by themselves */
    } backup;
    char *data;
    char *log_level;
};

struct config *config_new(void); /* all defaults */
void config_free(struct config **config);

/* Sets one setting from text ("4GiB", "true", "a, b" for lists: replaces). `place` is said in the
 * error ("matinee.yaml line 12", "--set"). NOT_FOUND: no such key; BAD_INPUT: a wrong value. */
MUST_CHECK enum err config_set(struct config *config, const char *key, const char *value,
                               const char *place, struct why *why);
/* Adds one to a list setting; the first one given in a `layer` replaces what was there before. */
MUST_CHECK enum err config_add(struct config *config, const char *key, const char *value,
                               const char *place, struct why *why);
MUST_CHECK enum err config_read_file(struct config *config, const char *path, struct why *why);
/* Every MATINEE_... variable; unknown ones are warned of, so that a typing mistake shows. */
MUST_CHECK enum err config_read_environment(struct config *config, const char *const *environment,
                                            struct why *why);
/* What no single setting can tell: a key without a certificate, auth none beyond loopback. */
MUST_CHECK enum err config_check(const struct config *config, struct why *why);

/* The table, for tests and documents: keys in order, NULL past the last. */
const char *config_key(size_t index);
/* The value of a key as text, as config_set takes it: the caller's (mem_free). */
char *config_text(const struct config *config, const char *key);
