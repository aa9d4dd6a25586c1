/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP API: one file per resource, the table of all routes, and what ties the parts together
 * (what hls asks of the library, what the library asks of hls, news for the page).
 * Life: api_new -> hls_start with api_hls_library -> api_set_hls -> library_start with api_prober
 * and api_listener -> http_start with api_routes -> api_set_http -> ... -> api_end_streams ->
 * http_drain -> library_stop -> api_stop -> http_stop -> hls_stop -> torrents_stop and remotes_stop ->
 * library_free -> api_free.
 * Threads: handlers on the http loops; what waits for the disk on a pool of its own. */
#pragma once

#include <stdbool.h>

#include "auth/auth.h"
#include "auth/others.h"
#include "base/err.h"
#include "fetch/fetch.h"
#include "fetch/mail.h"
#include "fetch/remotes.h"
#include "hls/hls.h"
#include "http/http.h"
#include "library/library.h"
#include "store/positions.h"
#include "store/store.h"
#include "torrent/torrents.h"

struct api;

struct api_options {
    struct store *store; /* all borrowed until api_free */
    struct auth *auth;
    struct library *library;
    struct fetch *fetch;
    struct positions *positions;
    struct others *others;
    struct mail *mail;          /* NULL: no letters are sent */
    const char *public_url;     /* http.public_url; "" */
    const char *sandbox;        /* the layers that guard media processes, joined by commas */
    const char *base_path;      /* http.base_path; "" or "/films" */
    bool files_downloads;       /* downloads go to the library when they are whole */
    const char *fetched_folder; /* of downloads by URL; made */
    const char *data_folder;
    void (*restart)(void *ctx); /* the server is to end and start again; any thread */
    void *restart_ctx;
};

MUST_CHECK enum err api_new(const struct api_options *options, struct api **out, struct why *why);
/* Each once, before the first request needs it. */
void api_set_hls(struct api *api, struct hls *hls);
void api_set_http(struct api *api, struct http *http);
/* Before http_drain, which would wait for streams of news that never end: ends them. */
void api_end_streams(struct api *api);
/* Between http_drain and http_stop: waits for what is under way; nothing is posted to the http
 * loops afterwards. */
void api_stop(struct api *api);
void api_free(struct api **api);

/* For http_start; ends with a NULL method. Lent until api_free. */
const struct http_route *api_routes(const struct api *api);

struct hls_library api_hls_library(struct api *api);
/* Needs api_set_hls. */
struct library_prober api_prober(struct api *api);
struct library_listener api_listener(struct api *api);
/* As torrents_options.changed; ctx is the struct api, from api_new until api_free. */
void api_download_changed(void *api, const char *id);
/* Once, before the first request. */
void api_set_torrents(struct api *api, struct torrents *torrents);
/* As remotes_options.changed; as api_download_changed. */
void api_remote_changed(void *api, const char *id);
/* Once, before the first request. */
void api_set_remotes(struct api *api, struct remotes *remotes);
