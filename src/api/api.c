/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "api/api.h"

#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum { POOL_THREADS = 3, POOL_QUEUE = 256 }; /* one fewer than the store has readers */
enum { OUTWARD_THREADS = 2, OUTWARD_QUEUE = 16 };
enum { TORRENT_BYTES_MOST = 10 * 1024 * 1024 };

#define JSON   "application/json"
#define OPENED (ROUTE_OPEN | ROUTE_SETUP)

/* In the order of conf/openapi.yaml, which a test holds this table against. */
static const struct http_route ROUTES[] = {
    {.method = "GET", .path = "/healthz", .flags = OPENED, .handler = health_get},
    {.method = "GET", .path = "/metrics", .flags = ROUTE_LOCAL, .handler = metrics_get},
    {.method = "GET", .path = "/api/v1/status", .flags = OPENED, .handler = status_get},
    {.method = "POST",
     .path = "/api/v1/setup",
     .flags = OPENED,
     .body = JSON,
     .handler = setup_post},
    {.method = "POST",
     .path = "/api/v1/session",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = session_post},
    {.method = "DELETE",
     .path = "/api/v1/session",
     .flags = ROUTE_PERSON,
     .handler = session_delete},
    {.method = "POST",
     .path = "/api/v1/token",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = token_post},
    {.method = "POST",
     .path = "/api/v1/register",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = register_post},
    {.method = "POST",
     .path = "/api/v1/reset",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = reset_post},
    {.method = "POST",
     .path = "/api/v1/verify",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = verify_post},
    {.method = "POST",
     .path = "/api/v1/passkeys/options",
     .flags = ROUTE_OPEN,
     .handler = passkeys_options_post},
    {.method = "POST",
     .path = "/api/v1/passkeys",
     .flags = ROUTE_OPEN,
     .body = JSON,
     .handler = passkeys_post},
    {.method = "GET",
     .path = "/auth/{provider}/start",
     .flags = ROUTE_OPEN | ROUTE_OUTWARD,
     .handler = others_start_get},
    {.method = "GET",
     .path = "/auth/{provider}/callback",
     .flags = ROUTE_OPEN,
     .handler = others_callback_get},
    {.method = "GET",
     .path = "/api/v1/auth/identities",
     .flags = ROUTE_PERSON,
     .handler = identities_get},
    {.method = "DELETE",
     .path = "/api/v1/auth/identities/{id}",
     .flags = ROUTE_PERSON,
     .handler = identity_delete},
    {.method = "GET", .path = "/api/v1/me", .handler = me_get},
    {.method = "PATCH",
     .path = "/api/v1/me",
     .flags = ROUTE_PERSON,
     .body = JSON,
     .handler = me_patch},
    {.method = "GET", .path = "/api/v1/me/export", .flags = ROUTE_PERSON, .handler = me_export_get},
    {.method = "PUT",
     .path = "/api/v1/me/password",
     .flags = ROUTE_PERSON,
     .body = JSON,
     .handler = me_password_put},
    {.method = "PUT",
     .path = "/api/v1/me/email",
     .flags = ROUTE_PERSON,
     .body = JSON,
     .handler = me_email_put},
    {.method = "DELETE",
     .path = "/api/v1/me/email",
     .flags = ROUTE_PERSON,
     .handler = me_email_delete},
    {.method = "GET",
     .path = "/api/v1/me/passkeys",
     .flags = ROUTE_PERSON,
     .handler = me_passkeys_get},
    {.method = "POST",
     .path = "/api/v1/me/passkeys/options",
     .flags = ROUTE_PERSON,
     .handler = me_passkeys_options_post},
    {.method = "POST",
     .path = "/api/v1/me/passkeys",
     .flags = ROUTE_PERSON,
     .body = JSON,
     .handler = me_passkeys_post},
    {.method = "DELETE",
     .path = "/api/v1/me/passkeys/{id}",
     .flags = ROUTE_PERSON,
     .handler = me_passkey_delete},
    {.method = "GET",
     .path = "/api/v1/me/sessions",
     .flags = ROUTE_PERSON,
     .handler = me_sessions_get},
    {.method = "DELETE",
     .path = "/api/v1/me/sessions/{id}",
     .flags = ROUTE_PERSON,
     .handler = me_session_delete},
    {.method = "GET", .path = "/api/v1/me/keys", .flags = ROUTE_PERSON, .handler = me_keys_get},
    {.method = "POST",
     .path = "/api/v1/me/keys",
     .flags = ROUTE_PERSON,
     .body = JSON,
     .handler = me_keys_post},
    {.method = "DELETE",
     .path = "/api/v1/me/keys/{id}",
     .flags = ROUTE_PERSON,
     .handler = me_key_delete},
    {.method = "GET", .path = "/api/v1/users", .flags = ROUTE_ADMIN, .handler = users_get},
    {.method = "POST",
     .path = "/api/v1/users",
     .flags = ROUTE_ADMIN,
     .body = JSON,
     .handler = users_post},
    {.method = "PATCH",
     .path = "/api/v1/users/{id}",
     .flags = ROUTE_ADMIN,
     .body = JSON,
     .handler = user_patch},
    {.method = "DELETE",
     .path = "/api/v1/users/{id}",
     .flags = ROUTE_ADMIN,
     .handler = user_delete},
    {.method = "POST",
     .path = "/api/v1/users/{id}/reset",
     .flags = ROUTE_ADMIN,
     .handler = user_reset_post},
    {.method = "GET", .path = "/api/v1/invites", .flags = ROUTE_ADMIN, .handler = invites_get},
    {.method = "POST",
     .path = "/api/v1/invites",
     .flags = ROUTE_ADMIN,
     .body = JSON,
     .handler = invites_post},
    {.method = "DELETE",
     .path = "/api/v1/invites/{id}",
     .flags = ROUTE_ADMIN,
     .handler = invite_delete},
    {.method = "GET", .path = "/api/v1/audit", .flags = ROUTE_ADMIN, .handler = audit_get},
    {.method = "GET", .path = "/api/v1/backups", .flags = ROUTE_ADMIN, .handler = backups_get},
    {.method = "POST", .path = "/api/v1/backups", .flags = ROUTE_ADMIN, .handler = backups_post},
    {.method = "GET",
     .path = "/api/v1/backups/{id}",
     .flags = ROUTE_ADMIN | ROUTE_PERSON,
     .handler = backup_get},
    {.method = "POST",
     .path = "/api/v1/restore",
     .flags = ROUTE_ADMIN | ROUTE_PERSON,
     .body = JSON,
     .handler = restore_post},
    {.method = "GET", .path = "/api/v1/library", .handler = library_get},
    {.method = "GET", .path = "/api/v1/library/scan", .flags = ROUTE_MEMBER, .handler = scan_get},
    {.method = "POST", .path = "/api/v1/library/scan", .flags = ROUTE_ADMIN, .handler = scan_post},
    {.method = "DELETE",
     .path = "/api/v1/library/scan",
     .flags = ROUTE_ADMIN,
     .handler = scan_delete},
    {.method = "GET", .path = "/api/v1/titles/{id}", .handler = title_get},
    {.method = "PATCH",
     .path = "/api/v1/titles/{id}",
     .flags = ROUTE_ADMIN,
     .body = JSON,
     .handler = title_patch},
    {.method = "GET", .path = "/api/v1/titles/{id}/episodes", .handler = episodes_get},
    {.method = "GET", .path = "/api/v1/items/{id}/next", .flags = ROUTE_PLAY, .handler = next_get},
    {.method = "GET",
     .path = "/api/v1/progress/{id}",
     .flags = ROUTE_PLAY,
     .handler = progress_get},
    {.method = "PUT",
     .path = "/api/v1/progress/{id}",
     .flags = ROUTE_PLAY,
     .body = JSON,
     .handler = progress_put},
    {.method = "POST",
     .path = "/api/v1/progress/{id}",
     .flags = ROUTE_PLAY,
     .body = JSON,
     .handler = progress_put},
    {.method = "DELETE",
     .path = "/api/v1/progress/{id}",
     .flags = ROUTE_PLAY,
     .handler = progress_delete},
    {.method = "PUT", .path = "/api/v1/watched/{id}", .flags = ROUTE_PLAY, .handler = watched_put},
    {.method = "DELETE",
     .path = "/api/v1/watched/{id}",
     .flags = ROUTE_PLAY,
     .handler = watched_delete},
    {.method = "GET", .path = "/api/v1/history", .flags = ROUTE_PLAY, .handler = history_get},
    {.method = "DELETE",
     .path = "/api/v1/history/{id}",
     .flags = ROUTE_PLAY,
     .handler = history_delete},
    {.method = "GET", .path = "/api/v1/continue", .flags = ROUTE_PLAY, .handler = continue_get},
    {.method = "PUT",
     .path = "/api/v1/continue/{id}",
     .flags = ROUTE_PLAY,
     .handler = continue_put},
    {.method = "DELETE",
     .path = "/api/v1/continue/{id}",
     .flags = ROUTE_PLAY,
     .handler = continue_delete},
    {.method = "GET", .path = "/api/v1/watchlist", .flags = ROUTE_PLAY, .handler = watchlist_get},
    {.method = "PUT",
     .path = "/api/v1/watchlist/{id}",
     .flags = ROUTE_PLAY,
     .handler = watchlist_put},
    {.method = "DELETE",
     .path = "/api/v1/watchlist/{id}",
     .flags = ROUTE_PLAY,
     .handler = watchlist_delete},
    {.method = "GET",
     .path = "/api/v1/items/{id}/comments",
     .flags = ROUTE_PLAY,
     .handler = comments_get},
    {.method = "POST",
     .path = "/api/v1/items/{id}/comments",
     .flags = ROUTE_PLAY,
     .body = JSON,
     .handler = comments_post},
    {.method = "DELETE",
     .path = "/api/v1/comments/{id}",
     .flags = ROUTE_PLAY,
     .handler = comment_delete},
    {.method = "POST",
     .path = "/api/v1/playback",
     .body = JSON,
     .flags = ROUTE_PLAY,
     .handler = playback_post},
    {.method = "GET", .path = "/api/v1/playback", .flags = ROUTE_PLAY, .handler = playback_list},
    {.method = "GET",
     .path = "/api/v1/playback/{id}",
     .flags = ROUTE_PLAY,
     .handler = playback_get},
    {.method = "PUT",
     .path = "/api/v1/playback/{id}",
     .body = JSON,
     .flags = ROUTE_PLAY,
     .handler = playback_put},
    {.method = "DELETE",
     .path = "/api/v1/playback/{id}",
     .flags = ROUTE_PLAY,
     .handler = playback_delete},
    {.method = "GET",
     .path = "/api/v1/downloads",
     .flags = ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = downloads_get},
    {.method = "POST",
     .path = "/api/v1/downloads",
     .flags = ROUTE_ADMIN | ROUTE_DOWNLOAD,
     .body = JSON "|application/x-bittorrent",
     .body_limit = TORRENT_BYTES_MOST,
     .handler = downloads_post},
    {.method = "GET",
     .path = "/api/v1/downloads/{id}",
     .flags = ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = download_get},
    {.method = "PATCH",
     .path = "/api/v1/downloads/{id}",
     .flags = ROUTE_ADMIN | ROUTE_DOWNLOAD,
     .body = JSON,
     .handler = download_patch},
    {.method = "DELETE",
     .path = "/api/v1/downloads/{id}",
     .flags = ROUTE_ADMIN | ROUTE_DOWNLOAD,
     .handler = download_delete},
    {.method = "GET",
     .path = "/api/v1/links",
     .flags = ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = links_get},
    {.method = "POST",
     .path = "/api/v1/links",
     .flags = ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .body = JSON,
     .handler = links_post},
    {.method = "DELETE",
     .path = "/api/v1/links/{id}",
     .flags = ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = link_delete},
    {.method = "GET", .path = "/api/v1/events", .handler = events_get},
    {.method = "GET",
     .path = "/stream",
     .flags = ROUTE_OUTWARD | ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = stream_get},
    {.method = "GET",
     .path = "/api/validate",
     .flags = ROUTE_OUTWARD | ROUTE_MEMBER | ROUTE_DOWNLOAD,
     .handler = validate_get},
};

static void raw_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_raw(request, atomic_load(&api->hls));
}

static void subtitles_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_subtitles(request, atomic_load(&api->hls));
}

static void subtitle_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_subtitle(request, atomic_load(&api->hls));
}

static void font_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_font(request, atomic_load(&api->hls));
}

static void master_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_master(request, atomic_load(&api->hls));
}

static void storyboard_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_storyboard(request, atomic_load(&api->hls));
}

static void media_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    hls_serve_media(request, atomic_load(&api->hls));
}

/* Of a film, by its file: what is_stream counts as watching it. */
static const struct film_route {
    struct http_route route;
    bool is_stream;
} FILM_ROUTES[] = {
    {{.method = "GET", .path = "/api/v1/files/{id}", .handler = file_get_one}, false},
    {{.method = "GET", .path = "/api/v1/files/{id}/availability", .handler = availability_get},
     false},
    {{.method = "GET", .path = "/api/v1/files/{id}/raw", .flags = ROUTE_PLAY, .handler = raw_get},
     true},
    {{.method = "GET",
      .path = "/api/v1/files/{id}/subtitles",
      .flags = ROUTE_PLAY,
      .handler = subtitles_get},
     false},
    {{.method = "GET",
      .path = "/api/v1/files/{id}/subtitles/{name}",
      .flags = ROUTE_PLAY,
      .handler = subtitle_get},
     false},
    {{.method = "GET",
      .path = "/api/v1/files/{id}/fonts/{n}",
      .flags = ROUTE_PLAY,
      .handler = font_get},
     false},
    {{.method = "GET",
      .path = "/hls/{file}/master.m3u8",
      .flags = ROUTE_PLAY,
      .handler = master_get},
     true},
    {{.method = "GET",
      .path = "/hls/{file}/storyboard.vtt",
      .flags = ROUTE_PLAY,
      .handler = storyboard_get},
     false},
    {{.method = "GET",
      .path = "/hls/{file}/{rendition}/{name}",
      .flags = ROUTE_PLAY,
      .handler = media_get},
     true},
};

enum {
    OWN_COUNT = sizeof ROUTES / sizeof ROUTES[0],
    FILM_COUNT = sizeof FILM_ROUTES / sizeof FILM_ROUTES[0]
};

/* As those of /hls above, for who brings a token in the address and no cookie. */
static const struct film_route TOKEN_ROUTES[] = {
    {{.method = "GET",
      .path = "/hls/~{token}/{file}/master.m3u8",
      .flags = ROUTE_TOKEN,
      .handler = master_get},
     true},
    {{.method = "GET",
      .path = "/hls/~{token}/{file}/storyboard.vtt",
      .flags = ROUTE_TOKEN,
      .handler = storyboard_get},
     false},
    {{.method = "GET",
      .path = "/hls/~{token}/{file}/{rendition}/{name}",
      .flags = ROUTE_TOKEN,
      .handler = media_get},
     true},
};
enum { TOKEN_COUNT = sizeof TOKEN_ROUTES / sizeof TOKEN_ROUTES[0] };

/* `enter` stands before the handlers. */
static void add_film_routes(struct api *api, size_t *count, struct gate **gate,
                            const struct film_route *films, size_t film_count,
                            http_handler_fn *enter)
{
    for (size_t i = 0; i < film_count; i++) {
        struct http_route *route = &api->routes[(*count)++];
        **gate = (struct gate){api, films[i].route.handler, films[i].is_stream};
        *route = films[i].route;
        route->handler = enter;
        route->ctx = (*gate)++;
    }
}

static void make_routes(struct api *api)
{
    size_t count = OWN_COUNT;
    api->routes = mem_new_array(struct http_route, OWN_COUNT + FILM_COUNT + TOKEN_COUNT + 1);
    api->gates = mem_new_array(struct gate, FILM_COUNT + TOKEN_COUNT);
    memcpy(api->routes, ROUTES, sizeof ROUTES);
    for (size_t i = 0; i < OWN_COUNT; i++)
        api->routes[i].ctx = api;
    struct gate *gate = api->gates;
    add_film_routes(api, &count, &gate, FILM_ROUTES, FILM_COUNT, gate_enter);
    add_film_routes(api, &count, &gate, TOKEN_ROUTES, TOKEN_COUNT, gate_enter_by_token);
}

enum err api_new(const struct api_options *options, struct api **out, struct why *why)
{
    struct api *api = mem_new(struct api);
    api->store = options->store;
    api->auth = options->auth;
    api->library = options->library;
    api->fetch = options->fetch;
    api->positions = options->positions;
    api->mail = options->mail;
    api->others = options->others;
    api->public_url = mem_strdup(options->public_url);
    api->streams = streams_new();
    api->files_downloads = options->files_downloads;
    api->sandbox = mem_strdup(options->sandbox != NULL ? options->sandbox : "");
    api->fetched_folder = mem_strdup(options->fetched_folder);
    api->data_folder = mem_strdup(options->data_folder);
    api->restart = options->restart;
    api->restart_ctx = options->restart_ctx;
    api->base_path = mem_strdup(options->base_path != NULL ? options->base_path : "");
    api->events = events_new();
    api->playbacks = playbacks_new();
    api->downloads = downloads_new();
    api->filings = filings_new();
    api->arriving = arriving_new();
    pthread_mutex_init(&api->lock, NULL);
    pthread_cond_init(&api->idle, NULL);
    make_routes(api);
    if (pool_new("api", POOL_THREADS, POOL_QUEUE, &api->pool) != OK ||
        pool_new("filing", 1, POOL_QUEUE, &api->filing) != OK ||
        pool_new("outward", OUTWARD_THREADS, OUTWARD_QUEUE, &api->outward) != OK ||
        pool_new("letters", OUTWARD_THREADS, OUTWARD_QUEUE, &api->letters) != OK) {
        api_free(&api);
        return why_set(why, ERR_BUSY, NULL, "no thread can be started");
    }
    *out = api;
    return OK;
}

void api_set_hls(struct api *api, struct hls *hls)
{
    atomic_store(&api->hls, hls);
}

void api_set_torrents(struct api *api, struct torrents *torrents)
{
    atomic_store(&api->torrents, torrents);
    downloads_remember_all(api);
}

void api_set_http(struct api *api, struct http *http)
{
    atomic_store(&api->http, http);
}

void api_end_streams(struct api *api)
{
    events_stop(api->events);
}

void api_stop(struct api *api)
{
    if (api == NULL)
        return;
    events_stop(api->events);
    pthread_mutex_lock(&api->lock);
    api->is_stopping = true;
    while (api->jobs > 0)
        pthread_cond_wait(&api->idle, &api->lock);
    pthread_mutex_unlock(&api->lock);
}

void api_free(struct api **api)
{
    if (*api == NULL)
        return;
    struct api *gone = *api;
    pool_free(&gone->pool);
    pool_free(&gone->filing);
    pool_free(&gone->outward);
    pool_free(&gone->letters);
    playbacks_free(&gone->playbacks);
    downloads_free(&gone->downloads);
    filings_free(&gone->filings);
    arriving_free(&gone->arriving);
    streams_free(&gone->streams);
    events_free(&gone->events);
    pthread_cond_destroy(&gone->idle);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->routes);
    mem_free(gone->gates);
    mem_free(gone->sandbox);
    mem_free(gone->base_path);
    mem_free(gone->fetched_folder);
    mem_free(gone->data_folder);
    mem_free(gone->public_url);
    mem_free(gone);
    *api = NULL;
}

const struct http_route *api_routes(const struct api *api)
{
    return api->routes;
}
