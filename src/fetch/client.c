/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libcurl's multi interface on a loop of ours. Threads: fetch's loop, but for start and stop. */
#include <string.h>

#include "base/mem.h"
#include "fetch/inside.h"

struct watch {
    uv_poll_t poll;
    struct hub *hub;
    curl_socket_t fd;
};

static void take_ends(struct hub *hub)
{
    const CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(hub->multi, &left)) != NULL) {
        struct fetch_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer_ended(transfer, code);
    }
}

static void act(struct hub *hub, curl_socket_t fd, int flags)
{
    int running = 0;
    curl_multi_socket_action(hub->multi, fd, flags, &running);
    take_ends(hub);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    /* What is wrong curl learns by reading: told here that it failed, it would not ask again where a
     * server had closed a connection that was to be used once more. */
    int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(watch->hub, watch->fd, flags);
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static struct watch *watch_new(struct hub *hub, curl_socket_t fd)
{
    struct watch *watch = mem_new(struct watch);
    watch->hub = hub;
    watch->fd = fd;
    watch->poll.data = watch;
    MUST(uv_poll_init_socket(loop_uv(hub->fetch->loop), &watch->poll, fd) == 0);
    curl_multi_assign(hub->multi, fd, watch);
    return watch;
}

static int on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            uv_close((uv_handle_t *) &watch->poll, on_poll_closed);
        return 0;
    }
    if (watch == NULL)
        watch = watch_new(ctx, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, events, on_poll);
    return 0;
}

static void on_timeout(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi UNUSED, long timeout_ms, void *ctx)
{
    struct hub *hub = ctx;
    if (timeout_ms < 0)
        uv_timer_stop(&hub->timer);
    else
        uv_timer_start(&hub->timer, on_timeout, (uint64_t) timeout_ms, 0);
    return 0;
}

static void open_hubs(void *arg)
{
    struct fetch *fetch = arg;
    for (int i = 0; i < HUB_COUNT; i++) {
        struct hub *hub = &fetch->hubs[i];
        hub->fetch = fetch;
        hub->multi = curl_multi_init();
        MUST(hub->multi != NULL);
        MUST(uv_timer_init(loop_uv(fetch->loop), &hub->timer) == 0);
        hub->timer.data = hub;
        curl_multi_setopt(hub->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(hub->multi, CURLMOPT_SOCKETDATA, hub);
        curl_multi_setopt(hub->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(hub->multi, CURLMOPT_TIMERDATA, hub);
    }
}

static void close_hubs(void *arg)
{
    struct fetch *fetch = arg;
    struct fetch_transfer *transfer;
    struct why why;
    enum err kind = why_set(&why, ERR_CANCELLED, NULL, "the server is stopping");
    while ((transfer = TAILQ_FIRST(&fetch->transfers)) != NULL)
        transfer_finish(transfer, kind, &why);
    for (int i = 0; i < HUB_COUNT; i++) {
        curl_multi_cleanup(fetch->hubs[i].multi);
        uv_close((uv_handle_t *) &fetch->hubs[i].timer, NULL);
    }
}

static char **copy_list(const char *const *list)
{
    size_t count = 0;
    while (list != NULL && list[count] != NULL)
        count++;
    char **copy = mem_new_array(char *, count + 1);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(list[i]);
    return copy;
}

static void fetch_free(struct fetch *fetch)
{
    for (char **name = fetch->allowed; *name != NULL; name++)
        mem_free(*name);
    mem_free(fetch->allowed);
    curl_slist_free_all(fetch->resolve);
    mem_free(fetch->via);
    mem_free(fetch->proxy);
    mem_free(fetch->ca_file);
    mem_free(fetch);
}

bool fetch_is_ours(const struct fetch *fetch, struct slice via)
{
    const char *name = strrchr(fetch->via, ' ') + 1;
    return via.length > 0 && memmem(via.at, via.length, name, strlen(name)) != NULL;
}

enum err fetch_start(const struct fetch_options *options, struct fetch **out, struct why *why)
{
    struct str via = {0};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return why_set(why, ERR_IO, NULL, "libcurl does not start");
    struct fetch *fetch = mem_new(struct fetch);
    TAILQ_INIT(&fetch->transfers);
    str_printf(&via, "Via: 1.1 matinee-%s", options->id);
    fetch->via = str_take(&via);
    fetch->proxy = mem_strdup_or_null(options->proxy);
    fetch->ca_file = mem_strdup_or_null(options->ca_file);
    fetch->allowed = copy_list(options->allowed);
    for (const char *const *name = options->resolve; name != NULL && *name != NULL; name++)
        fetch->resolve = curl_slist_append(fetch->resolve, *name);
    if (loop_start("fetch", &fetch->loop) != OK) {
        fetch_free(fetch);
        return why_set(why, ERR_BUSY, NULL, "no thread can be started");
    }
    loop_call(fetch->loop, open_hubs, fetch);
    *out = fetch;
    return OK;
}

void fetch_stop(struct fetch **fetch)
{
    struct fetch *gone = *fetch;
    *fetch = NULL;
    if (gone == NULL)
        return;
    loop_call(gone->loop, close_hubs, gone);
    loop_stop(&gone->loop);
    fetch_free(gone);
}
