/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/watch.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

struct watch {
    /* fixed after start */
    pthread_t thread;
    struct watch_options options;
    /* watch's thread */
    uint64_t tls_stamp, page_stamp;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_stopping;
};

static void look_at_tls(struct watch *watch)
{
    const struct watch_options *options = &watch->options;
    if (options->certificate_file == NULL)
        return;
    uint64_t stamp = tls_stamp(options->certificate_file, options->key_file);
    if (stamp == watch->tls_stamp)
        return;
    watch->tls_stamp = stamp;
    struct tls *tls = NULL;
    struct why why = {.text = ""};
    if (tls_read(options->certificate_file, options->key_file, options->http2, &tls, &why) != OK) {
        log_warning("http.certificate_kept", log_str("reason", why.text));
        return;
    }
    log_info("http.certificate_changed", log_str("file", options->certificate_file));
    options->changed_tls(options->ctx, tls);
}

static void look_at_page(struct watch *watch)
{
    const struct watch_options *options = &watch->options;
    if (options->page_folder == NULL)
        return;
    uint64_t stamp = page_stamp(options->page_folder);
    if (stamp == watch->page_stamp)
        return;
    watch->page_stamp = stamp;
    struct page *page = NULL;
    struct why why = {.text = ""};
    if (page_read(options->page_folder, options->base_path, &page, &why) != OK) {
        log_warning("http.page_kept", log_str("reason", why.text));
        return;
    }
    log_info("http.page_changed", log_str("folder", options->page_folder));
    options->changed_page(options->ctx, page);
}

/* False: it is time to stop. */
static bool wait_interval(struct watch *watch)
{
    int64_t until_ms = clock_mono_ms() + watch->options.interval_ms;
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping && cond_wait(&watch->wake, &watch->lock, until_ms))
        continue;
    bool goes_on = !watch->is_stopping;
    pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct watch *watch = arg;
    while (wait_interval(watch)) {
        look_at_tls(watch);
        look_at_page(watch);
    }
    return NULL;
}

enum err watch_start(const struct watch_options *options, struct watch **out)
{
    struct watch *watch = mem_new(struct watch);
    watch->options = *options;
    watch->tls_stamp = options->tls_stamp;
    watch->page_stamp = options->page_stamp;
    cond_init(&watch->wake);
    pthread_mutex_init(&watch->lock, NULL);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        pthread_cond_destroy(&watch->wake);
        pthread_mutex_destroy(&watch->lock);
        mem_free(watch);
        return ERR_BUSY;
    }
    pthread_setname_np(watch->thread, "http-watch");
    *out = watch;
    return OK;
}

void watch_stop(struct watch **watch)
{
    if (*watch == NULL)
        return;
    struct watch *gone = *watch;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    pthread_cond_signal(&gone->wake);
    pthread_mutex_unlock(&gone->lock);
    pthread_join(gone->thread, NULL);
    pthread_cond_destroy(&gone->wake);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
    *watch = NULL;
}
