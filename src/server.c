/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "auth/auth.h"
#include "auth/others.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "fetch/mail.h"
#include "fetch/remotes.h"
#include "hls/hls.h"
#include "http/http.h"
#include "library/library.h"
#include "store/backups.h"
#include "store/positions.h"
#include "store/store.h"
#include "torrent/torrents.h"

/* How long requests in flight may take after SIGTERM (architecture.md, command line). */
enum { STOP_GRACE_MS = 10000, FEW_FILES = 16384 };

/* Everything that runs, in the order it was started. */
struct server {
    const struct config *config;
    char *data;
    int lock;
    struct media_host *host;
    struct store *store;
    struct positions *positions;
    struct backups *backups;
    struct auth *auth;
    struct library *library;
    struct hls *hls;
    struct fetch *fetch;
    struct others *others;
    struct mail *mail;     /* NULL: no letters are sent */
    char *identity_secret; /* of a proxy that names people; NULL: there is none */
    struct remotes *remotes;
    struct torrents *torrents;
    struct api *api;
    struct http *http;
};

/* --- folders and programs --- */

/* The folder this program stands in. */
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return mem_strdup(".");
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    *(slash != NULL ? slash : path) = '\0';
    return mem_strdup(path);
}

/* The first of the two places, below the program's folder, that is there; or NULL. */
static char *beside(const char *near, const char *installed)
{
    CLEANUP(mem_free_at) char *folder = own_folder();
    const char *const places[] = {near, installed};
    for (size_t i = 0; i < 2; i++) {
        struct str path = {0};
        str_printf(&path, "%s/%s", folder, places[i]);
        if (access(str_text(&path), R_OK) == 0)
            return str_take(&path);
        str_fini(&path);
    }
    return NULL;
}

enum err server_media_options(const struct config *config, struct media_options *out,
                              struct why *why)
{
    char *program = config->media.program[0] != '\0'
                        ? mem_strdup(config->media.program)
                        : beside("matinee-media", "../libexec/matinee-media");
    if (program == NULL)
        return why_set(why, ERR_IO, "media.program",
                       "matinee-media is not beside matinee; media.program can name its place");
    *out = (struct media_options){
        .program = program,
        .preset = config->media.preset,
        .threads = (unsigned) config->media.threads,
        .runs = (unsigned) config->media.runs,
        .process_limit = (unsigned) config->media.processes,
        .memory_limit = (uint64_t) config->media.memory_bytes,
        .hang_ms = config->media.hang_ms,
    };
    return OK;
}

void server_media_options_fini(struct media_options *options)
{
    mem_free((void *) (uintptr_t) options->program);
    options->program = NULL;
}

static enum err make_folder(const char *path, struct why *why)
{
    CLEANUP(mem_free_at) char *step = mem_strdup(path);
    for (char *slash = step + 1; *slash != '\0'; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        if (mkdir(step, 0755) != 0 && errno != EEXIST)
            return why_set(why, err_from_errno(errno), "data", "cannot make %s: %s", step,
                           strerror(errno));
        *slash = '/';
    }
    if (mkdir(step, 0700) != 0 && errno != EEXIST)
        return why_set(why, err_from_errno(errno), "data", "cannot make %s: %s", step,
                       strerror(errno));
    return OK;
}

enum err server_data_folder(const struct config *config, char **out, struct why *why)
{
    struct str path = {0};
    const char *base = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (config->data[0] != '\0')
        str_puts(&path, config->data);
    else if (geteuid() == 0)
        str_puts(&path, "/var/lib/matinee");
    else if (base != NULL && base[0] == '/')
        str_printf(&path, "%s/matinee", base);
    else if (home != NULL && home[0] == '/')
        str_printf(&path, "%s/.local/share/matinee", home);
    else
        return why_set(why, ERR_BAD_INPUT, "data", "there is no HOME: say --data FOLDER");
    enum err err = make_folder(str_text(&path), why);
    if (err == OK)
        *out = str_take(&path);
    str_fini(&path);
    return err;
}

/* Two servers on one data folder would fight over its database. Whoever looks finds in it who we are. */
static enum err lock_data(struct server *server, struct why *why)
{
    char pid[24];
    CLEANUP(str_fini) struct str path = {0};
    str_printf(&path, "%s/lock", server->data);
    server->lock = open(path.at, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (server->lock < 0)
        return why_set(why, err_from_errno(errno), "data", "cannot write in %s: %s", server->data,
                       strerror(errno));
    if (flock(server->lock, LOCK_EX | LOCK_NB) != 0)
        return why_set(why, ERR_BUSY, "data", "another matinee is using %s", server->data);
    snprintf(pid, sizeof pid, "%ld\n", (long) getpid());
    if (ftruncate(server->lock, 0) != 0)
        log_debug("server.lock", log_str("why", strerror(errno)));
    return fd_write_at(server->lock, pid, strlen(pid), 0);
}

bool server_tell(const char *data_folder, int signal_number)
{
    char text[24] = "";
    size_t got = 0;
    uint64_t pid = 0;
    CLEANUP(str_fini) struct str path = {0};
    str_printf(&path, "%s/lock", data_folder);
    CLEANUP(fd_close) int fd = open(path.at, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) /* nobody holds it */
        return false;
    if (fd_read_at(fd, text, sizeof text - 1, 0, &got) != OK)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return slice_number(slice_of(text), INT_MAX, &pid) == OK && pid > 1 &&
           kill((pid_t) pid, signal_number) == 0;
}

/* --- limits and signals --- */

static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < FEW_FILES)
        log_warning("server.few_files", log_int("limit", (int64_t) files.rlim_cur),
                    log_str("hint", "raise RLIMIT_NOFILE for many viewers"));
}

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    sigaddset(signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* --- parts, in order --- */

static void show_code(void *ctx, const char *code)
{
    (void) ctx;
    fprintf(stderr, "matinee: the code for the first account is %s\n", code);
}

static enum http_auth_mode auth_mode_of(const struct config *config)
{
    if (strcmp(config->auth.mode, "none") == 0)
        return AUTH_NONE;
    return strcmp(config->auth.mode, "key") == 0 ? AUTH_KEY : AUTH_ACCOUNTS;
}

static enum auth_registration registration_of(const struct config *config)
{
    if (strcmp(config->auth.registration, "open") == 0)
        return AUTH_OPEN;
    return strcmp(config->auth.registration, "closed") == 0 ? AUTH_CLOSED : AUTH_BY_INVITE;
}

static const char *set_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static enum err start_positions(struct server *server, struct why *why)
{
    enum err err = positions_start(server->store, 0, &server->positions);
    return err == OK ? OK : why_set(why, err, NULL, "no thread can be started");
}

/* Before the schema is another one, a copy as it was. */
static enum err back_up_before_upgrade(const struct server *server, const char *path,
                                       struct why *why)
{
    struct backup made;
    if (!store_wants_upgrade(path))
        return OK;
    return backups_make(server->data, BACKUP_UPGRADE, clock_wall_ms(), &made, why);
}

/* A damaged database is touched by nothing; what could take its place is said. */
static enum err offer_backup(const struct server *server, enum err err, struct why *why)
{
    CLEANUP(mem_free_at) char *backup = backups_last_good(server->data);
    struct why said = *why;
    if (err != ERR_BAD_INPUT || backup == NULL)
        return err;
    return why_set(
        why, err, said.field,
        "%s; nothing was changed. The last good backup is %s: `matinee restore` takes it, and "
        "keeps what is there beside it",
        said.text, backup);
}

static int backup_hour(const struct config *config)
{
    return config->backup.hour < 24 ? (int) config->backup.hour : -1;
}

static enum err open_store(struct server *server, struct why *why)
{
    bool was_restored = false;
    CLEANUP(str_fini) struct str path = {0};
    str_printf(&path, "%s/matinee.db", server->data);
    enum err err = backup_settle(server->data, &was_restored, why);
    if (err == OK)
        err = back_up_before_upgrade(server, path.at, why);
    if (err == OK)
        err = store_open(path.at, &server->store, why);
    if (err != OK)
        return offer_backup(server, err, why);
    err = backups_start(server->data, backup_hour(server->config), &server->backups);
    return err == OK ? OK : why_set(why, err, NULL, "no thread can be started");
}

static enum err start_store(struct server *server, struct why *why)
{
    enum err err = open_store(server, why);
    if (err != OK)
        return err;
    const struct auth_options options = {
        .mode = auth_mode_of(server->config),
        .data_folder = server->data,
        .admin_name = server->config->auth.admin_name,
        .admin_password_file = set_or_null(server->config->auth.admin_password_file),
        .show_code = show_code,
        .registration = registration_of(server->config),
    };
    err = auth_start(&options, server->store, &server->auth, why);
    return err == OK ? start_positions(server, why) : err;
}

/* --- library, hls, api, http --- */

static enum err start_library(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    const struct library_options options = {
        .folders = (const char *const *) config->library.folders.items,
        .rescan_ms = config->library.rescan_s * 1000,
        .settle_ms = config->library.settle_s * 1000,
        .plan_version = PLAN_VERSION,
        .engine = media_host_engine(server->host),
    };
    return library_new(&options, server->store, &server->library, why);
}

static enum err start_hls(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    const struct hls_library library = api_hls_library(server->api);
    const struct hls_options options = {
        .host = server->host,
        .data_folder = server->data,
        .cache_bytes = (uint64_t) config->hls.cache_bytes,
        .storyboard_bytes = (uint64_t) config->hls.storyboard_bytes,
        .fingerprint_bytes = (uint64_t) config->hls.fingerprint_bytes,
        .send_buffer_bytes = (uint64_t) config->hls.send_buffer_bytes,
        .ahead_s = (unsigned) config->hls.ahead_s,
        .cores = (unsigned) config->media.cores,
        .hardware = config->media.hardware,
        .trial = true,
        .idle_ms = config->hls.idle_s * 1000,
        .hold_ms = config->hls.hold_ms,
        .heartbeat_ms = config->hls.heartbeat_ms,
    };
    enum err err = hls_start(&options, &library, &server->hls, why);
    if (err != OK)
        return err;
    server->host = NULL; /* hls has it now */
    api_set_hls(server->api, server->hls);
    return OK;
}

static enum err start_fetch(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    char id[STORE_ID_SIZE];
    store_new_id(id);
    const struct fetch_options options = {
        .id = id,
        .proxy = set_or_null(config->fetch.proxy),
        .allowed = (const char *const *) config->fetch.allow.items,
        .ca_file = set_or_null(config->fetch.ca_file),
    };
    return fetch_start(&options, &server->fetch, why);
}

/* --- those who vouch for people --- */

/* What is set, or the first line of the file that is named. The caller's (mem_free). */
static enum err read_secret(const char *text, const char *path, const char *setting, char **out,
                            struct why *why)
{
    char line[1024] = "";
    if (path[0] == '\0') {
        *out = mem_strdup(text);
        return OK;
    }
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (!is_read)
        return why_set(why, ERR_BAD_INPUT, setting, "%s cannot be read", path);
    line[strcspn(line, "\r\n")] = '\0';
    *out = mem_strdup(line);
    explicit_bzero(line, sizeof line);
    return OK;
}

static enum err read_provider(struct server *server, const struct config_provider *from,
                              struct provider_options *to, char **secret, struct why *why)
{
    *to = (struct provider_options){
        .name = from->name,
        .title = from->title,
        .kind = from->kind,
        .issuer = from->issuer,
        .client_id = from->client_id,
        .scopes = from->scopes,
        .authorize_url = from->authorize_url,
        .token_url = from->token_url,
        .userinfo_url = from->userinfo_url,
        .emails_url = from->emails_url,
        .subject_field = from->subject_field,
        .name_field = from->name_field,
        .email_field = from->email_field,
        .audience = from->audience,
        .header = from->header,
        .creates = strcmp(from->create, "true") == 0,
    };
    enum err err =
        read_secret(from->client_secret, from->client_secret_file, "auth.providers", secret, why);
    if (err == OK && strcmp(from->kind, "header") == 0 && server->identity_secret == NULL)
        err = read_secret(from->secret, from->secret_file, "auth.providers",
                          &server->identity_secret, why);
    to->client_secret = *secret;
    return err;
}

static enum err start_others(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    size_t count = config->auth.provider_count;
    CLEANUP(mem_free_at)
    struct provider_options *providers = mem_new_array(struct provider_options, count + 1);
    CLEANUP(mem_free_at) char **secrets = mem_new_array(char *, count + 1);
    enum err err = OK;
    for (size_t i = 0; i < count && err == OK; i++)
        err = read_provider(server, &config->auth.providers[i], &providers[i], &secrets[i], why);
    const struct others_options options = {.providers = providers,
                                           .count = count,
                                           .links_by_email = config->auth.link_by_email,
                                           .emails =
                                               (const char *const *) config->auth.emails.items};
    if (err == OK)
        err = others_new(&options, server->auth, server->fetch, &server->others, why);
    for (size_t i = 0; i < count; i++) {
        if (secrets[i] != NULL)
            explicit_bzero(secrets[i], strlen(secrets[i]));
        mem_free(secrets[i]);
    }
    return err;
}

static enum err start_mail(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    CLEANUP(mem_free_at) char *password = NULL;
    if (config->mail.url[0] == '\0')
        return OK;
    if (config->http.public_url[0] == '\0')
        return why_set(why, ERR_BAD_INPUT, "http.public_url",
                       "http.public_url is empty: letters hold links to it, so mail.url needs it");
    enum err err =
        read_secret("", config->mail.password_file, "mail.password_file", &password, why);
    if (err != OK)
        return err;
    const struct mail_options options = {
        .url = config->mail.url,
        .from = config->mail.from,
        .username = config->mail.username,
        .password = password,
        .allows_clear = config->mail.clear_text,
        .ca_file = set_or_null(config->fetch.ca_file),
        .retry_ms = config->mail.retry_s * 1000,
    };
    err = mail_new(&options, &server->mail, why);
    explicit_bzero(password, strlen(password));
    return err;
}

/* The proxy that names people; NULL: none does. */
static const struct config_provider *find_header(const struct config *config)
{
    for (size_t i = 0; i < config->auth.provider_count; i++)
        if (strcmp(config->auth.providers[i].kind, "header") == 0)
            return &config->auth.providers[i];
    return NULL;
}

/* As a program beside it does (server_tell). */
static void ask_to_restart(void *ctx)
{
    (void) ctx;
    kill(getpid(), SIGUSR1);
}

static enum err start_api(struct server *server, struct why *why)
{
    CLEANUP(str_fini) struct str fetched = {0};
    str_printf(&fetched, "%s/fetched", server->data);
    enum err err = make_folder(str_text(&fetched), why);
    if (err != OK)
        return err;
    const struct api_options options = {
        .store = server->store,
        .auth = server->auth,
        .library = server->library,
        .fetch = server->fetch,
        .positions = server->positions,
        .others = server->others,
        .mail = server->mail,
        .public_url = server->config->http.public_url,
        .sandbox = media_host_sandbox(server->host),
        .base_path = server->config->http.base_path,
        .files_downloads =
            server->config->torrent.into_library && server->config->library.folders.count > 0,
        .fetched_folder = str_text(&fetched),
        .data_folder = server->data,
        .restart = ask_to_restart,
    };
    return api_new(&options, &server->api, why);
}

/* After what its news go to. */
static enum err start_remotes(struct server *server, struct why *why)
{
    CLEANUP(str_fini) struct str folder = {0};
    str_printf(&folder, "%s/remote", server->data);
    const struct remotes_options options = {
        .fetch = server->fetch,
        .folder = str_text(&folder),
        .budget_bytes = (uint64_t) server->config->fetch.keep_bytes,
        .changed = api_remote_changed,
        .ctx = server->api,
    };
    enum err err = remotes_start(&options, &server->remotes, why);
    if (err == OK)
        api_set_remotes(server->api, server->remotes);
    return err;
}

static enum err start_torrents(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    if (!config->torrent.enabled)
        return OK;
    const struct shim_settings settings = {
        .listen = config->torrent.listen,
        .interface = set_or_null(config->torrent.interface),
        .proxy = set_or_null(config->torrent.proxy),
        .download_rate = config->torrent.download_rate,
        .upload_rate = config->torrent.upload_rate,
        .connections = (int) config->torrent.connections,
        .dht = config->torrent.dht,
        .lsd = config->torrent.lsd,
        .upnp = config->torrent.upnp,
        .encrypted_only = config->torrent.encrypted_only,
        .allow_local = config->torrent.allow_local,
    };
    const struct torrents_options options = {
        .data_folder = server->data,
        .settings = &settings,
        .spare_bytes = (uint64_t) config->torrent.spare_bytes,
        .ratio = (double) config->torrent.ratio_percent / 100,
        .seed_ms = config->torrent.seed_s * 1000,
        .changed = api_download_changed,
        .ctx = server->api,
    };
    enum err err = torrents_start(&options, &server->torrents, why);
    if (err == OK)
        api_set_torrents(server->api, server->torrents);
    return err;
}

static enum err start_http(struct server *server, struct why *why)
{
    const struct config *config = server->config;
    CLEANUP(mem_free_at)
    char *page = config->http.page[0] != '\0' ? mem_strdup(config->http.page)
                                              : beside("player", "../share/matinee/page");
    const struct config_provider *header = find_header(config);
    const struct http_options options = {
        .listen = config->http.listen,
        .certificate_file = set_or_null(config->tls.certificate),
        .key_file = set_or_null(config->tls.key),
        .http2 = config->http.http2,
        .hosts = (const char *const *) config->http.hosts.items,
        .public_url = set_or_null(config->http.public_url),
        .trusted_proxies = (const char *const *) config->http.trusted_proxies.items,
        .identity_header = header != NULL ? header->header : NULL,
        .secret_header = header != NULL ? set_or_null(header->secret_header) : NULL,
        .secret = server->identity_secret,
        .base_path = config->http.base_path,
        .cors_origin = set_or_null(config->http.cors_origin),
        .page_folder = page,
        .auth_mode = auth_mode_of(config),
        .loops = (unsigned) config->http.loops,
        .connections_per_address = (unsigned) config->http.connections_per_address,
    };
    const struct http_auth auth = auth_http(server->auth);
    enum err err = http_start(&options, &auth, api_routes(server->api), &server->http, why);
    if (err == OK)
        api_set_http(server->api, server->http);
    return err;
}

static void start_scan(struct server *server)
{
    const struct library_prober prober = api_prober(server->api);
    const struct library_listener listener = api_listener(server->api);
    library_start(server->library, &prober, &listener);
}

/* The zygote first: it must hold no file and no thread of ours. */
static enum err start_all(struct server *server, const struct media_options *media, struct why *why)
{
    enum err err = media_host_start(media, &server->host, why);
    if (err == OK)
        err = start_store(server, why);
    if (err == OK)
        err = start_library(server, why);
    if (err == OK)
        err = start_fetch(server, why);
    if (err == OK)
        err = start_others(server, why);
    if (err == OK)
        err = start_mail(server, why);
    if (err == OK)
        err = start_api(server, why);
    if (err == OK)
        err = start_hls(server, why);
    if (err == OK)
        err = start_remotes(server, why);
    if (err == OK)
        err = start_torrents(server, why);
    if (err == OK)
        err = start_http(server, why);
    if (err == OK)
        start_scan(server);
    return err;
}

/* In the order that api.h gives: no new request, no news, no answers, no rooms, no memory. */
static void stop_all(struct server *server)
{
    mail_halt(server->mail);
    if (server->api != NULL)
        api_end_streams(server->api);
    if (server->http != NULL)
        http_drain(server->http, STOP_GRACE_MS);
    if (server->library != NULL)
        library_stop(server->library);
    if (server->api != NULL)
        api_stop(server->api);
    remotes_halt(server->remotes);
    fetch_stop(&server->fetch);
    http_stop(&server->http, 0);
    hls_stop(&server->hls);
    torrents_stop(&server->torrents);
    remotes_stop(&server->remotes);
    library_free(&server->library);
    api_free(&server->api);
    others_free(&server->others);
    mail_free(&server->mail);
    if (server->identity_secret != NULL)
        explicit_bzero(server->identity_secret, strlen(server->identity_secret));
    mem_free(server->identity_secret);
    positions_stop(&server->positions);
    backups_stop(&server->backups);
    auth_stop(&server->auth);
    store_close(&server->store);
    media_host_stop(&server->host);
}

static void say_listening(const struct server *server)
{
    printf("listening on %s\n", http_start_url(server->http));
    fflush(stdout);
}

/* Until it is to end; true: and to start again. */
static bool wait_for_end(struct server *server, const sigset_t *signals)
{
    int signal_number = 0;
    do {
        sigwait(signals, &signal_number);
        if (signal_number == SIGUSR2)
            auth_reload(server->auth);
    } while (signal_number == SIGUSR2);
    log_info("server.stop", log_str("signal", strsignal(signal_number)));
    return signal_number == SIGUSR1;
}

enum err server_run(const struct config *config, const struct media_options *media,
                    bool *is_to_restart, struct why *why)
{
    struct server server = {.config = config, .lock = -1};
    sigset_t signals;
    *is_to_restart = false;
    block_signals(&signals);
    raise_file_limit();
    if (geteuid() == 0)
        log_warning("server.root", log_str("hint", "matinee needs no root: run it as a user"));
    enum err err = server_data_folder(config, &server.data, why);
    if (err == OK)
        err = lock_data(&server, why);
    if (err == OK)
        err = start_all(&server, media, why);
    if (err == OK) {
        say_listening(&server);
        *is_to_restart = wait_for_end(&server, &signals);
    }
    stop_all(&server);
    fd_close(&server.lock);
    mem_free(server.data);
    return err;
}
