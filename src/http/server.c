/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server as a whole: start, drain, stop, health, counters. */
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fd.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/listen.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/server.h"
#include "http/watch.h"
#include "http/worker.h"

/* h2o's one timer for idling, headers and body is the last resort behind our own three. */
enum { H2O_SLACK_MS = 5000, WATCH_MS = 2000 };
/* A body up to this is read whole and refused in words; h2o itself refuses what is larger. */
#define ENTITY_BYTES_LEAST ((size_t) 1 << 20)

/* --- start --- */

static size_t largest_body(const struct http_route *routes)
{
    size_t most = ENTITY_BYTES_LEAST;
    for (; routes->method != NULL; routes++)
        if (routes->body_limit > most)
            most = routes->body_limit;
    return most;
}

static void configure(struct http *http, const struct http_route *routes)
{
    const struct http_timeouts *timeouts = &http->options.timeouts;
    h2o_globalconf_t *config = &http->config;
    h2o_config_init(config);
    config->server_name = h2o_iovec_init(H2O_STRLIT("matinee"));
    config->max_request_entity_size = largest_body(routes);
    config->handshake_timeout = (uint64_t) timeouts->header_ms;
    config->http1.req_timeout =
        (uint64_t) (timeouts->idle_ms + timeouts->header_ms + timeouts->body_ms + H2O_SLACK_MS);
    config->http1.upgrade_to_http2 = 0;
    config->http2.idle_timeout = (uint64_t) timeouts->idle_ms;
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init("matinee", 7), 65535);
    MUST(host != NULL);
    host->http2.push_preload = 0;
    /* The fallback has no path, so h2o neither matches nor redirects: routing is ours. */
    h2o_pathconf_t *all = &host->fallback_path;
    h2o_create_handler(all, sizeof(h2o_handler_t))->on_req = request_begin;
    h2o_create_filter(all, sizeof(h2o_filter_t))->on_setup_ostream = reply_add_common;
}

static void make_key(struct http *http)
{
    unsigned char bytes[(KEY_SIZE - 1) / 2];
    MUST(getrandom(bytes, sizeof bytes, 0) == (ssize_t) sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(http->key + 2 * i, 3, "%02x", bytes[i]);
}

static void make_urls(struct http *http)
{
    char address[80];
    listen_text(&http->options.listen, address, sizeof address);
    snprintf(http->url, sizeof http->url, "%s://%s",
             http->options.certificate_file != NULL ? "https" : "http", address);
    bool has_key = http->options.auth_mode == AUTH_KEY;
    snprintf(http->start_url, sizeof http->start_url, "%.200s%.60s/%s%s", http->url,
             http->options.base_path, has_key ? "?key=" : "", has_key ? http->key : "");
}

struct change {
    struct worker *worker;
    struct tls *tls;
    struct page *page;
};

static void take_change(void *arg)
{
    struct change *change = arg;
    struct worker *worker = change->worker;
    if (!worker->is_empty && change->tls != NULL) {
        tls_unref(&worker->tls);
        worker->tls = tls_ref(change->tls);
    }
    if (!worker->is_empty && change->page != NULL) {
        page_unref(&worker->page);
        worker->page = page_ref(change->page);
    }
    tls_unref(&change->tls);
    page_unref(&change->page);
    mem_free(change);
}

static void tell_workers(struct http *http, struct tls *tls, struct page *page)
{
    for (unsigned i = 0; i < http->worker_count; i++) {
        struct change *change = mem_new(struct change);
        *change = (struct change){&http->workers[i], tls_ref(tls), page_ref(page)};
        mailbox_post(loop_mailbox(http->workers[i].loop), take_change, change);
    }
    tls_unref(&tls);
    page_unref(&page);
}

static void on_changed_tls(void *http, struct tls *tls)
{
    tell_workers(http, tls, NULL);
}

static void on_changed_page(void *http, struct page *page)
{
    tell_workers(http, NULL, page);
}

/* A page that is missing is said, not a reason not to start: the API works without. */
static struct page *read_page(const struct options *options)
{
    struct page *page = NULL;
    struct why why = {.text = ""};
    if (options->page_folder != NULL &&
        page_read(options->page_folder, options->base_path, &page, &why) != OK)
        log_warning("http.no_page", log_str("reason", why.text));
    return page;
}

static enum err start_watch(struct http *http, uint64_t tls_stamp_then, uint64_t page_stamp_then)
{
    const struct options *options = &http->options;
    if (options->certificate_file == NULL && options->page_folder == NULL)
        return OK;
    int64_t tick_ms = options->timeouts.tick_ms;
    struct watch_options watch = {
        .certificate_file = options->certificate_file,
        .key_file = options->key_file,
        .page_folder = options->page_folder,
        .base_path = options->base_path,
        .http2 = options->http2,
        .interval_ms = tick_ms * 2 < WATCH_MS ? tick_ms * 2 : WATCH_MS,
        .changed_tls = on_changed_tls,
        .changed_page = on_changed_page,
        .ctx = http,
        .tls_stamp = tls_stamp_then,
        .page_stamp = page_stamp_then,
    };
    return watch_start(&watch, &http->watch);
}

/* How many there are, fewer than wanted where no thread is to be had. */
static unsigned make_loops(struct http *http, const int *fds)
{
    for (unsigned i = 0; i < http->options.loops; i++) {
        struct worker *worker = &http->workers[i];
        char name[16];
        snprintf(name, sizeof name, "http-%u", i % 1000);
        *worker = (struct worker){.http = http, .listen_fd = fds[i]};
        if (loop_start(name, &worker->loop) != OK)
            return i;
    }
    return http->options.loops;
}

/* All of them stand before the first one serves: each looks at what the others count. */
static enum err start_workers(struct http *http, const int *fds, struct tls *tls, struct page *page)
{
    unsigned made = make_loops(http, fds);
    if (made < http->options.loops) {
        for (unsigned i = 0; i < made; i++)
            loop_stop(&http->workers[i].loop);
        return ERR_BUSY;
    }
    http->worker_count = made;
    for (unsigned i = 0; i < made; i++) {
        struct worker *worker = &http->workers[i];
        worker->tls = tls_ref(tls);
        worker->page = page_ref(page);
        loop_call(worker->loop, worker_begin, worker);
    }
    return OK;
}

/* Reads the files, opens the sockets, starts the loops. */
static enum err start_serving(struct http *http, struct why *why)
{
    const struct options *options = &http->options;
    CLEANUP(tls_unref) struct tls *tls = NULL;
    CLEANUP(page_unref) struct page *page = NULL;
    uint64_t tls_then = 0, page_then = 0;
    enum err err = OK;
    if (options->certificate_file != NULL) {
        tls_then = tls_stamp(options->certificate_file, options->key_file);
        err = tls_read(options->certificate_file, options->key_file, options->http2, &tls, why);
    }
    if (err != OK)
        return err;
    page_then = options->page_folder != NULL ? page_stamp(options->page_folder) : 0;
    page = read_page(options);
    CLEANUP(mem_free_at) int *fds = mem_new_array(int, options->loops);
    err = listen_open(&http->options.listen, options->listen_size, fds, options->loops, why);
    if (err != OK)
        return err;
    make_urls(http);
    err = start_workers(http, fds, tls, page);
    if (err == OK)
        err = start_watch(http, tls_then, page_then);
    if (err != OK) {
        for (unsigned i = http->worker_count; i < options->loops; i++)
            fd_close(&fds[i]);
        return why_set(why, err, NULL, "no thread is to be had");
    }
    return OK;
}

enum err http_start(const struct http_options *options, const struct http_auth *auth,
                    const struct http_route *routes, struct http **out, struct why *why)
{
    struct http *http = mem_new(struct http);
    if (auth != NULL)
        http->auth = *auth;
    enum err err = options_read(options, &http->options, why);
    if (err == OK)
        err = router_new(routes, &http->router, why);
    if (err != OK) {
        options_fini(&http->options);
        mem_free(http);
        return err;
    }
    signal(SIGPIPE, SIG_IGN);
    make_key(http);
    configure(http, routes);
    http->limits = limits_new(http->options.connections, http->options.connections_per_address);
    http->workers = mem_new_array(struct worker, http->options.loops);
    err = start_serving(http, why);
    if (err != OK)
        http_stop(&http, 0);
    else
        *out = http;
    return err;
}

const char *http_url(const struct http *http)
{
    return http->url;
}

const char *http_start_url(const struct http *http)
{
    return http->start_url;
}

/* --- stop --- */

struct drain {
    struct worker *worker;
    int64_t grace_ms;
    sem_t *done;
};

static void on_drained(void *ctx)
{
    sem_post(ctx);
}

static void begin_drain(void *arg)
{
    struct drain *drain = arg;
    drain->worker->drained = on_drained;
    drain->worker->drained_ctx = drain->done;
    worker_drain(drain->worker, drain->grace_ms);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

void http_drain(struct http *http, int64_t grace_ms)
{
    sem_t done;
    if (http->is_drained)
        return;
    http->is_drained = true;
    watch_stop(&http->watch);
    sem_init(&done, 0, 0);
    for (unsigned i = 0; i < http->worker_count; i++) {
        struct drain drain = {&http->workers[i], grace_ms, &done};
        loop_call(http->workers[i].loop, begin_drain, &drain);
    }
    for (unsigned i = 0; i < http->worker_count; i++)
        wait_for(&done);
    sem_destroy(&done);
}

void http_stop(struct http **http, int64_t grace_ms)
{
    struct http *gone = *http;
    if (gone == NULL)
        return;
    http_drain(gone, grace_ms);
    for (unsigned i = 0; i < gone->worker_count; i++)
        loop_stop(&gone->workers[i].loop);
    mem_free(gone->workers);
    h2o_config_dispose(&gone->config);
    limits_free(&gone->limits);
    router_free(&gone->router);
    options_fini(&gone->options);
    OPENSSL_cleanse(gone->key, sizeof gone->key);
    mem_free(gone);
    *http = NULL;
}

/* --- health --- */

static void answer_heartbeat(void *arg)
{
    struct heartbeat *heartbeat = arg;
    heartbeat_answer(&heartbeat, true);
}

bool http_is_alive(struct http *http, int64_t timeout_ms)
{
    struct heartbeat *heartbeat = heartbeat_new(http->worker_count);
    for (unsigned i = 0; i < http->worker_count; i++)
        mailbox_post(loop_mailbox(http->workers[i].loop), answer_heartbeat, heartbeat);
    return heartbeat_wait(&heartbeat, timeout_ms);
}

/* --- counters --- */

static uint64_t sum_of(const struct http *http, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < http->worker_count; i++) {
        const char *counters = (const char *) &http->workers[i].counters;
        sum += atomic_load_explicit((const _Atomic uint64_t *) (const void *) (counters + offset),
                                    memory_order_relaxed);
    }
    return sum;
}

#define SUM(http, member) sum_of(http, offsetof(struct worker_counters, member))

static void print_counter(struct str *out, const char *name, const char *kind, const char *help,
                          uint64_t value)
{
    str_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, kind, name,
               (unsigned long long) value);
}

void http_metrics(struct http *http, struct str *out)
{
    str_puts(out, "# HELP matinee_http_requests_total Requests answered, by class of status.\n"
                  "# TYPE matinee_http_requests_total counter\n");
    for (size_t group = 2; group < 6; group++)
        str_printf(out, "matinee_http_requests_total{status=\"%zuxx\"} %llu\n", group,
                   (unsigned long long) sum_of(http, offsetof(struct worker_counters, answers) +
                                                         group * sizeof(uint64_t)));
    print_counter(out, "matinee_http_sent_bytes_total", "counter", "Bytes of bodies sent.",
                  SUM(http, bytes));
    print_counter(out, "matinee_http_requests_held", "gauge", "Requests not answered yet.",
                  SUM(http, held));
    print_counter(out, "matinee_http_connections", "gauge", "Connections open.",
                  limits_open(http->limits));
    print_counter(out, "matinee_http_unfinished_bytes", "gauge",
                  "Bytes of bodies of strangers that are not whole yet.", SUM(http, unfinished));
}
