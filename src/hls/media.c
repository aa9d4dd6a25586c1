/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A film's process, from media_open to its death. Its socket exists before it does: what is said to
 * it at once waits there. Its own words are judged here and in media_job.c; whatever is wrong with
 * one of them ends it. */
#include "hls/media.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/media_private.h"
#include "segments/input.h"

static void on_message(void *ctx, struct wire_message *message);
static void on_ended(void *ctx, enum err kind, const struct why *why);

/* The map is ours and sealed against them: what they say they wait for is looked up in it. */
static enum err map_blocks(struct media *media, int map)
{
    const uint32_t block = INPUT_BLOCK_BYTES;
    uint64_t blocks = media->size / block + (media->size % block != 0);
    size_t bytes = (size_t) (blocks / 8 + 1);
    struct stat status;
    if (fstat(map, &status) != 0 || (uint64_t) status.st_size < blocks / 8 + (blocks % 8 != 0))
        return ERR_IO;
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map, 0);
    if (at == MAP_FAILED)
        return ERR_IO;
    media->map = at;
    media->map_bytes = bytes;
    return OK;
}

static void ask_for_fork(struct media *media, int *child_socket, unsigned how)
{
    struct wire_message message = {.kind = WIRE_FORK,
                                   .fork = {.id = media->id,
                                            .fresh = (how & MEDIA_FRESH) != 0,
                                            .is_idle = (how & MEDIA_IDLE) != 0},
                                   .fd_count = 1,
                                   .fds = {*child_socket}};
    channel_send(media->host->channel, &message);
    fd_close(child_socket);
}

static void send_open(struct media *media, int film, int map, int plan, size_t plan_size,
                      unsigned how)
{
    const struct media_options *options = &media->host->options;
    struct wire_message message = {.kind = WIRE_OPEN,
                                   .open = {.size = media->size,
                                            .plan_size = plan_size,
                                            .has_map = map >= 0,
                                            .has_plan = plan >= 0,
                                            .is_idle = (how & MEDIA_IDLE) != 0,
                                            .threads = options->threads,
                                            .runs = options->runs}};
    wire_text(message.open.preset, options->preset);
    wire_text(message.open.label, media->label);
    message.fds[message.fd_count++] = film;
    if (map >= 0)
        message.fds[message.fd_count++] = map;
    if (plan >= 0)
        message.fds[message.fd_count++] = plan;
    channel_send(media->channel, &message);
}

static enum err plan_file(const uint8_t *plan, size_t size, int *out)
{
    CLEANUP(fd_close) int fd = -1;
    enum err kind = fd_memory("matinee-plan", &fd);
    if (kind == OK)
        kind = fd_write_at(fd, plan, size, 0);
    if (kind != OK)
        return kind;
    /* Nobody has mapped it yet, so this is as good as F_SEAL_WRITE, for which the kernel may wait. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) != 0)
        return ERR_IO;
    *out = fd_take(&fd);
    return OK;
}

static void add(struct media_host *host, struct media *media)
{
    media->id = ++host->last_media;
    media->next = host->first;
    host->first = media;
    host->count++;
}

static enum err media_new(struct media_host *host, int map, uint64_t size, const char *label,
                          struct media **out)
{
    struct media *media = mem_new(struct media);
    media->host = host;
    media->size = size;
    media->started_us = clock_mono_us();
    wire_text(media->label, label);
    if (map >= 0 && map_blocks(media, map) != OK) {
        mem_free(media);
        return ERR_IO;
    }
    *out = media;
    return OK;
}

/* The server's end and the process's. */
static enum err make_sockets(int *ours, int *theirs)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ERR_BUSY;
    *ours = pair[0];
    *theirs = pair[1];
    return OK;
}

/* NOLINTNEXTLINE(readability-function-size): its callers name each thing once */
enum err media_open(struct media_host *host, int film, int map, uint64_t size, const uint8_t *plan,
                    size_t plan_size, const char *label, unsigned how,
                    const struct media_events *events, void *ctx, struct media **out)
{
    if (!host->is_alive || host->count >= host->options.process_limit)
        return ERR_BUSY;
    CLEANUP(fd_close) int ours = -1;
    CLEANUP(fd_close) int theirs = -1;
    CLEANUP(fd_close) int plan_fd = -1;
    if (plan != NULL && plan_file(plan, plan_size, &plan_fd) != OK)
        return ERR_BUSY;
    if (make_sockets(&ours, &theirs) != OK)
        return ERR_BUSY;
    struct media *media;
    enum err kind = media_new(host, map, size, label, &media);
    if (kind != OK)
        return kind;
    static const struct channel_events channel_events = {on_message, on_ended};
    media->events = *events;
    media->ctx = ctx;
    add(host, media);
    media->channel = channel_new(host->loop, &ours, WIRE_FROM_FILM, &channel_events, media);
    media_watch_start(media);
    ask_for_fork(media, &theirs, how);
    send_open(media, film, map, plan_fd, plan_size, how);
    *out = media;
    return OK;
}

void media_release(struct media *media)
{
    if (!media->is_released || media->is_probing)
        return;
    if (media->map != NULL)
        munmap((void *) (uintptr_t) media->map, media->map_bytes);
    mem_free(media);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct media *media = handle->data;
    media->is_released = true;
    media_release(media);
}

static void tear_down(struct media *media)
{
    media_job_drop_all(media);
    media_end_device(media);
    media_host_forget(media->host, media);
    if (media->pidfd != NULL)
        media_pidfd_kill(media->pidfd);
    media_pidfd_free(&media->pidfd);
    channel_free(&media->channel); /* an unborn one ends by this */
    uv_close((uv_handle_t *) &media->timer, on_timer_closed);
}

void media_close(struct media **media)
{
    struct media *gone = *media;
    *media = NULL;
    if (gone == NULL || gone->is_closed)
        return;
    gone->is_closed = true;
    struct why why = {0};
    why_set(&why, ERR_CANCELLED, NULL, "the film was closed");
    media_job_fail_all(gone, ERR_CANCELLED, &why);
    if (!gone->is_burying)
        tear_down(gone);
}

void media_kill(struct media *media, const char *format, ...)
{
    char text[sizeof media->death.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (media->is_closed || media->killed_ms != 0 || media->dead_ms != 0)
        return;
    why_set(&media->death, ERR_GONE, NULL, "%s", text);
    media->killed_ms = clock_mono_ms();
    if (media->pidfd != NULL)
        media_pidfd_kill(media->pidfd);
}

void media_death_words(int status, struct why *why)
{
    if (status < 0)
        why_set(why, ERR_GONE, NULL, "vanished");
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        why_set(why, ERR_GONE, NULL, "made a system call that it may not make");
    else if (WIFSIGNALED(status))
        why_set(why, ERR_GONE, NULL, "was killed by signal %d (%s)", WTERMSIG(status),
                sigabbrev_np(WTERMSIG(status)) != NULL ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        why_set(why, ERR_GONE, NULL, "ended by itself with %d", WEXITSTATUS(status));
}

void media_on_dead(struct media *media, int status)
{
    if (media->is_closed || media->is_burying)
        return;
    media->is_burying = true;
    if (media->channel != NULL)
        channel_drain(media->channel); /* what it had finished is finished */
    if (media->death.text[0] == '\0')  /* else we had a reason of our own */
        media_death_words(status, &media->death);
    log_warning("media.died", log_str("film", media->label), log_int("pid", media->pid),
                log_str("why", media->death.text));
    media_host_forget(media->host, media); /* its users may want its place now */
    media_job_fail_all(media, ERR_GONE, &media->death);
    media_job_fail_all(media, ERR_GONE, &media->death); /* asked for by those who heard it */
    if (!media->is_closed) {
        media->is_closed = true;
        media->events.died(media->ctx, &media->death);
    }
    tear_down(media);
}

static void on_pidfd_dead(void *ctx)
{
    struct media *media = ctx;
    media->dead_ms = clock_mono_ms();
    if (!media->host->is_alive)
        media_on_dead(media, -1); /* nobody will say more */
}

void media_on_forked(struct media *media, uint32_t pid, int *pidfd)
{
    media->pid = pid;
    media->pidfd = media_pidfd_new(media->host->loop, pidfd, on_pidfd_dead, media);
    if (media->killed_ms != 0)
        media_pidfd_kill(media->pidfd);
}

void media_on_unforked(struct media *media, const char *reason)
{
    media_kill(media, "could not be started: %s", reason);
    media_on_dead(media, -1);
}

/* In the ordinary way of dying the socket ends first: the words come with the zygote's DIED. */
static void on_ended(void *ctx, enum err kind, const struct why *why)
{
    struct media *media = ctx;
    if (kind != ERR_GONE) {
        media_kill(media, "broke the rules of talk: %s", why->text);
        return;
    }
    if (media->killed_ms == 0)
        media->killed_ms = clock_mono_ms();
    if (media->pidfd != NULL)
        media_pidfd_kill(media->pidfd);
}

static bool take_opened(struct media *media, uint32_t layers)
{
    if (media->is_opened)
        return false;
    media->is_opened = true;
    log_debug("media.opened", log_str("film", media->label), log_int("pid", media->pid),
              log_int("us", clock_mono_us() - media->started_us));
    if ((layers & WIRE_LAYERS_ALL) != media->host->layers) {
        char text[WIRE_LAYERS_TEXT];
        wire_layers(layers, text);
        log_warning("media.sandbox_differs", log_str("film", media->label), log_str("has", text));
    }
    return true;
}

void media_on_want(struct media *media, const struct media_want_events *events, void *ctx)
{
    media->want_events = events != NULL ? *events : (struct media_want_events){0};
    media->want_ctx = ctx;
}

/* `job` 0: not for any job of ours. */
static bool take_want(struct media *media, const struct wire_want *want)
{
    if (media->map == NULL || want->length == 0 || want->offset >= media->size ||
        want->length > media->size - want->offset)
        return false;
    struct media_job *job = media_job_find(media, want->job);
    if (job == NULL || !job->is_sent)
        return false;
    job->is_begun = true;
    job->heard_ms = clock_mono_ms();
    job->want_at = want->offset;
    job->want_length = want->length;
    if (media->want_events.want != NULL)
        media->want_events.want(media->want_ctx, job->id, want->offset, want->length);
    return true;
}

static bool take_log(struct media *media, const struct wire_log *line)
{
    if (line->level > LOG_INFO)
        return false;
    if (media->logs++ < MEDIA_LOGS_A_SECOND)
        log_at((enum log_level) line->level, "media.lib", log_str("film", media->label),
               log_str("text", line->text));
    return true;
}

static bool is_flood(struct media *media)
{
    int64_t now = clock_mono_ms();
    if (now - media->counted_ms >= 1000) {
        media->counted_ms = now;
        media->messages = media->logs = 0;
    }
    return ++media->messages > MEDIA_MESSAGES_A_SECOND;
}

static bool judge(struct media *media, struct wire_message *message, struct why *why)
{
    if (is_flood(media))
        return why_set(why, ERR_LIMIT, NULL, "it talks without end") == OK;
    if (message->kind == WIRE_OPENED)
        return take_opened(media, message->opened.layers);
    if (!media->is_opened)
        return false;
    if (message->kind == WIRE_LOG)
        return take_log(media, &message->log);
    if (message->kind == WIRE_WANT)
        return take_want(media, &message->want);
    return media_job_message(media, message, why);
}

static void on_message(void *ctx, struct wire_message *message)
{
    struct media *media = ctx;
    if (media->killed_ms != 0 && media->death.text[0] != '\0')
        return; /* its last words are not trusted */
    media->heard_ms = clock_mono_ms();
    struct why why = {0};
    if (!judge(media, message, &why) && !media->is_closed)
        media_kill(media, "broke the rules of talk: %s%s%s", wire_name(message->kind),
                   why.text[0] != '\0' ? ": " : " out of turn", why.text);
}

uint32_t media_pid(const struct media *media)
{
    return media->pid;
}
