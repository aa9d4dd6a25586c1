/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's process, seen from the server: it is exec'ed by the zygote and talks to the film's process,
 * or to us while it is tried. Its death needs no answer: who talks to it sees the socket end. We end it
 * with its film, or when it does not work any more.
 * Life: asked for -> (forked) -> gone; one that is tried has a word for who waits in between. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/media_private.h"

enum {
    TRY_FRAMES = 24,
    TRY_MS = 20000, /* a device that needs longer for a second of film in each codec is none */
    MOST_ANSWER_MS = 10000, /* for a picture, the first one after the device was opened */
};

static void on_message(void *ctx, struct wire_message *message);
static void on_ended(void *ctx, enum err kind, const struct why *why);

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void gpu_free(struct media_gpu *gpu)
{
    for (struct media_gpu **at = &gpu->host->gpus; *at != NULL; at = &(*at)->next) {
        if (*at != gpu)
            continue;
        *at = gpu->next;
        break;
    }
    if (gpu->media != NULL)
        gpu->media->gpu = NULL;
    if (gpu->pidfd != NULL)
        media_pidfd_kill(gpu->pidfd);
    media_pidfd_free(&gpu->pidfd);
    channel_free(&gpu->channel);
    uv_close((uv_handle_t *) &gpu->timer, on_timer_closed);
}

/* Asks for the process; our end of its socket is the caller's. */
static enum err gpu_new(struct media_host *host, const char *device, struct media_gpu **out,
                        int *socket)
{
    int pair[2];
    MUST(device[0] != '\0'); /* it would be a film's */
    if (!host->is_alive || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ERR_BUSY;
    struct media_gpu *gpu = mem_new(struct media_gpu);
    gpu->host = host;
    gpu->id = ++host->last_media;
    gpu->next = host->gpus;
    host->gpus = gpu;
    uv_timer_init(host->loop, &gpu->timer);
    gpu->timer.data = gpu;
    struct wire_message message = {
        .kind = WIRE_FORK, .fork = {.id = gpu->id}, .fd_count = 1, .fds = {pair[1]}};
    wire_text(message.fork.device, device);
    channel_send(host->channel, &message);
    fd_close(&pair[1]);
    *socket = pair[0];
    *out = gpu;
    return OK;
}

/* --- of a film --- */

/* Who waits for an answer hears of a hang before the server takes him for hung himself. */
static void set_patience(int socket, int64_t hang_ms)
{
    int64_t ms = hang_ms / 2 < MOST_ANSWER_MS ? hang_ms / 2 : MOST_ANSWER_MS;
    struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

enum err media_give_device(struct media *media, const char *device)
{
    CLEANUP(fd_close) int ours = -1;
    struct media_gpu *gpu = NULL;
    media_end_device(media);
    enum err kind = gpu_new(media->host, device, &gpu, &ours);
    if (kind != OK)
        return kind;
    gpu->media = media;
    media->gpu = gpu;
    set_patience(ours, media->host->options.hang_ms);
    struct wire_message message = {
        .kind = WIRE_GPU, .gpu = {++media->gpu_turn}, .fd_count = 1, .fds = {ours}};
    channel_send(media->channel, &message);
    return OK;
}

void media_end_device(struct media *media)
{
    if (media->gpu != NULL)
        gpu_free(media->gpu);
}

bool media_has_device(const struct media *media)
{
    return media->gpu != NULL;
}

/* --- one that is tried --- */

static void finish_try(struct media_gpu *gpu, const struct media_device *device,
                       const struct why *why)
{
    media_tried_fn *done = gpu->done;
    void *ctx = gpu->ctx;
    gpu_free(gpu);
    done(ctx, device, why);
}

PRINTF_LIKE(2, 3) static void fail_try(struct media_gpu *gpu, const char *format, ...);

static void fail_try(struct media_gpu *gpu, const char *format, ...)
{
    struct why why = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, sizeof why.text, format, args);
    va_end(args);
    finish_try(gpu, NULL, &why);
}

static void on_timeout(uv_timer_t *timer)
{
    fail_try(timer->data, "it does not answer");
}

static void on_message(void *ctx, struct wire_message *message)
{
    struct media_gpu *gpu = ctx;
    struct media_device device = {0};
    if (message->kind == WIRE_UNENCODED) {
        fail_try(gpu, "%s", message->unencoded.reason);
        return;
    }
    if (message->kind != WIRE_TRIED) {
        fail_try(gpu, "its process broke the rules of talk");
        return;
    }
    const struct wire_tried *told = &message->tried;
    char layers[WIRE_LAYERS_TEXT];
    wire_layers(told->layers & WIRE_LAYERS_ALL, layers);
    log_debug("media.device", log_str("name", told->name), log_str("sandbox", layers));
    snprintf(device.words, sizeof device.words, "%.150s", told->name);
    device.plan = (struct plan_device){
        .flags = (uint8_t) told->flags, .speed = told->speed, .headers = told->headers};
    if (plan_is_hevc_codecs(told->hevc))
        snprintf(device.plan.hevc, sizeof device.plan.hevc, "%.47s", told->hevc);
    finish_try(gpu, &device, NULL);
}

/* Of a death the zygote brings the words. */
static void on_ended(void *ctx, enum err kind, const struct why *why UNUSED)
{
    if (kind != ERR_GONE)
        fail_try(ctx, "its process broke the rules of talk");
}

enum err media_host_try(struct media_host *host, const char *device, media_tried_fn *done,
                        void *ctx)
{
    static const struct channel_events events = {on_message, on_ended};
    CLEANUP(fd_close) int ours = -1;
    struct media_gpu *gpu = NULL;
    enum err kind = gpu_new(host, device, &gpu, &ours);
    if (kind != OK)
        return kind;
    gpu->done = done;
    gpu->ctx = ctx;
    gpu->channel = channel_new(host->loop, &ours, WIRE_FROM_GPU, &events, gpu);
    uv_timer_start(&gpu->timer, on_timeout, TRY_MS, 0);
    struct wire_message message = {.kind = WIRE_TRY, .try = {.frames = TRY_FRAMES}};
    channel_send(gpu->channel, &message);
    return OK;
}

/* --- what the zygote tells --- */

static struct media_gpu *find(const struct media_host *host, uint64_t id)
{
    struct media_gpu *gpu = host->gpus;
    while (gpu != NULL && gpu->id != id)
        gpu = gpu->next;
    return gpu;
}

static void on_dead(void *ctx UNUSED)
{
}

bool media_gpu_forked(struct media_host *host, uint64_t id, uint32_t pid, int *pidfd)
{
    struct media_gpu *gpu = find(host, id);
    if (gpu == NULL || gpu->pidfd != NULL)
        return false;
    gpu->pid = pid;
    gpu->pidfd = media_pidfd_new(host->loop, pidfd, on_dead, gpu);
    return true;
}

bool media_gpu_gone(struct media_host *host, uint64_t id, const char *words, int status)
{
    struct media_gpu *gpu = find(host, id);
    struct why why = {0};
    if (gpu == NULL)
        return false;
    if (gpu->channel != NULL)
        channel_drain(gpu->channel); /* what it has still said */
    gpu = find(host, id);
    if (gpu == NULL)
        return true;
    if (words != NULL)
        why_set(&why, ERR_GONE, NULL, "could not be started: %s", words);
    else
        media_death_words(status, &why);
    log_warning("media.device_died", log_int("pid", gpu->pid), log_str("why", why.text));
    if (gpu->media == NULL)
        fail_try(gpu, "its process %s", why.text);
    else
        gpu_free(gpu);
    return true;
}

void media_gpu_end_all(struct media_host *host, bool is_told)
{
    while (host->gpus != NULL) {
        struct media_gpu *gpu = host->gpus;
        if (is_told && gpu->media == NULL)
            fail_try(gpu, "the media process is being started again");
        else
            gpu_free(gpu);
    }
}
