/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The zygote, seen from the server: started before anything else is, started again when it dies,
 * and the messenger of its children's births and deaths. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/media_private.h"

enum { HELLO_MS = 10 * 1000, SANE_PROCESSES = 8, SANE_HANG_MS = 30 * 1000 };
#define SANE_MEMORY_BYTES ((uint64_t) 3 << 29) /* 1.5 GiB */

static void on_pidfd(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
    struct media_pidfd *pidfd = poll->data;
    uv_poll_stop(poll);
    pidfd->dead(pidfd->ctx);
}

struct media_pidfd *media_pidfd_new(uv_loop_t *loop, int *fd, void (*dead)(void *), void *ctx)
{
    struct media_pidfd *pidfd = mem_new(struct media_pidfd);
    pidfd->fd = fd_take(fd);
    pidfd->dead = dead;
    pidfd->ctx = ctx;
    pidfd->poll.data = pidfd;
    MUST(uv_poll_init(loop, &pidfd->poll, pidfd->fd) == 0);
    uv_poll_start(&pidfd->poll, UV_READABLE, on_pidfd);
    return pidfd;
}

static void on_pidfd_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void media_pidfd_free(struct media_pidfd **pidfd)
{
    struct media_pidfd *gone = *pidfd;
    *pidfd = NULL;
    if (gone == NULL)
        return;
    uv_close((uv_handle_t *) &gone->poll, on_pidfd_closed);
    fd_close(&gone->fd);
}

void media_pidfd_kill(const struct media_pidfd *pidfd)
{
    /* It may be dead already: that is as good. */
    pidfd_send_signal(pidfd->fd, SIGKILL, NULL, 0);
}

/* Nothing of the server's environment (secrets stand there) but what sanitizers are told. Films work
 * in large frames that are new with every segment: huge pages halve the page faults (measured: 12
 * instead of 23 thousand for the first second at 1080p). Other libcs do not mind the variable. */
static char **child_environment(void)
{
#ifdef MATINEE_SANITIZE
    return environ;
#else
    static char tunables[] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
    static char *const tuned[] = {tunables, NULL};
    return (char **) tuned;
#endif
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int socket)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    failed |= posix_spawnattr_setsigdefault(attributes, &all);
    failed |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed |= posix_spawn_file_actions_adddup2(actions, socket, WIRE_FD);
    failed |= posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    failed |= posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    return failed;
}

static int spawn(const char *program, int socket, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = set_up(&actions, &attributes, socket);
    char name[] = "matinee-media", role[] = "zygote";
    char *arguments[] = {name, role, NULL};
    if (failed == 0)
        failed = posix_spawn(pid, program, &actions, &attributes, arguments, child_environment());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void end_zygote(struct media_host *host)
{
    if (host->zygote <= 0)
        return;
    kill(host->zygote, SIGKILL); /* not reaped yet, so the number is still its own */
    while (waitpid(host->zygote, NULL, 0) < 0 && errno == EINTR)
        ;
    host->zygote = 0;
}

static enum err start_zygote(struct media_host *host, struct why *why)
{
    CLEANUP(fd_close) int ours = -1;
    CLEANUP(fd_close) int theirs = -1;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return why_set(why, ERR_IO, NULL, "no sockets to be had: %s", strerror(errno));
    ours = pair[0];
    theirs = pair[1];
    pid_t pid;
    int failed = spawn(host->program, theirs, &pid);
    if (failed != 0)
        return why_set(why, ERR_IO, NULL, "%s cannot be started: %s", host->program,
                       strerror(failed));
    host->zygote = pid;
    host->pidfd = pidfd_open(pid, 0);
    if (host->pidfd < 0) {
        end_zygote(host);
        return why_set(why, ERR_IO, NULL, "no process descriptor to be had");
    }
    host->socket = fd_take(&ours);
    return OK;
}

static enum err take_hello(struct media_host *host, const struct wire_message *message,
                           struct why *why)
{
    if (message->kind != WIRE_HELLO || message->hello.version != WIRE_VERSION)
        return why_set(why, ERR_IO, NULL, "%s is of another build", host->program);
    /* The engine stands in the URLs that are out. */
    if (host->engine[0] != '\0' && strcmp(host->engine, message->hello.engine) != 0)
        return why_set(why, ERR_IO, NULL, "%s was replaced while running", host->program);
    wire_text(host->engine, message->hello.engine);
    host->layers = message->hello.layers & WIRE_LAYERS_ALL;
    wire_layers(host->layers, host->layers_text);
    host->is_alive = true;
    log_info("media.zygote", log_int("pid", host->zygote), log_str("sandbox", host->layers_text),
             log_str("engine", host->engine));
    if (host->layers != WIRE_LAYERS_ALL)
        log_warning("media.sandbox_is_weak", log_str("has_only", host->layers_text));
    return OK;
}

static enum err await_hello(struct media_host *host, struct why *why)
{
    int64_t deadline = clock_mono_ms() + HELLO_MS;
    for (;;) {
        struct pollfd poll_fd = {.fd = host->socket, .events = POLLIN};
        int64_t left = deadline - clock_mono_ms();
        int ready = left > 0 ? poll(&poll_fd, 1, (int) left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return why_set(why, ERR_TIMEOUT, NULL, "%s says nothing", host->program);
        struct wire_message message;
        enum err kind = wire_receive(host->socket, WIRE_FROM_ZYGOTE, &message, why);
        if (kind != OK)
            return why_set(why, ERR_IO, NULL, "%s ended at once", host->program);
        kind = take_hello(host, &message, why);
        wire_close_fds(&message);
        return kind;
    }
}

static unsigned core_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned) count : 1;
}

static struct media_host *host_new(const struct media_options *options)
{
    struct media_host *host = mem_new(struct media_host);
    host->options = *options;
    host->options.program = host->program = mem_strdup(options->program);
    host->preset = mem_strdup(options->preset != NULL ? options->preset : "");
    host->options.preset = host->preset;
    if (host->options.runs == 0)
        host->options.runs = core_count();
    if (host->options.process_limit == 0)
        host->options.process_limit = SANE_PROCESSES;
    if (host->options.memory_limit == 0)
        host->options.memory_limit = SANE_MEMORY_BYTES;
    if (host->options.hang_ms == 0)
        host->options.hang_ms = SANE_HANG_MS;
    host->socket = host->pidfd = -1;
    wire_layers(0, host->layers_text);
    return host;
}

static void host_free(struct media_host *host)
{
    fd_close(&host->socket);
    fd_close(&host->pidfd);
    mem_free(host->program);
    mem_free(host->preset);
    mem_free(host);
}

enum err media_host_start(const struct media_options *options, struct media_host **out,
                          struct why *why)
{
    struct media_host *host = host_new(options);
    enum err kind = start_zygote(host, why);
    if (kind == OK)
        kind = await_hello(host, why);
    if (kind != OK) {
        end_zygote(host);
        host_free(host);
        return kind;
    }
    host->tries_ms[MEDIA_TRIES - 1] = clock_mono_ms();
    *out = host;
    return OK;
}

/* --- pings --- */

enum err media_host_ping(struct media_host *host, media_pinged_fn *done, void *ctx)
{
    if (!host->is_alive)
        return ERR_BUSY;
    if (host->pings == NULL) {
        struct wire_message message = {.kind = WIRE_PING, .ping = {.turn = ++host->last_ping}};
        channel_send(host->channel, &message);
    }
    struct media_ping *ping = mem_new(struct media_ping);
    *ping = (struct media_ping){host->pings, done, ctx};
    host->pings = ping;
    return OK;
}

static void answer_pings(struct media_host *host, bool answered)
{
    struct media_ping *ping = host->pings;
    host->pings = NULL;
    while (ping != NULL) {
        struct media_ping *gone = ping;
        ping = ping->next;
        gone->done(gone->ctx, answered);
        mem_free(gone);
    }
}

/* --- deaths and starts --- */

static void try_later(struct media_host *host);

/* Those it had not forked yet will never be; the others hear of their end by their own pidfds. */
static void bury_unborn(struct media_host *host)
{
    for (struct media *media = host->first; media != NULL;) {
        if (media->pidfd != NULL) {
            media = media->next;
            continue;
        }
        media_on_dead(media, -1);
        media = host->first; /* its users may have changed the list */
    }
}

static void on_zygote_dead(void *ctx)
{
    struct media_host *host = ctx;
    if (host->channel != NULL)
        channel_drain(host->channel); /* births and deaths it has still told */
    log_warning("media.zygote_died", log_int("pid", host->zygote));
    host->is_alive = false;
    end_zygote(host);
    channel_free(&host->channel);
    media_pidfd_free(&host->watch);
    answer_pings(host, false);
    media_gpu_end_all(host, true);
    bury_unborn(host);
    try_later(host);
}

static struct media *find(const struct media_host *host, uint64_t id)
{
    struct media *media = host->first;
    while (media != NULL && media->id != id)
        media = media->next;
    return media;
}

/* A film that was closed before it was born. */
static void kill_orphan(int pidfd)
{
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
}

static void on_message(void *ctx, struct wire_message *message)
{
    struct media_host *host = ctx;
    struct why why = {0};
    struct media *media;
    if (message->kind == WIRE_HELLO) {
        if (host->is_alive || take_hello(host, message, &why) != OK) {
            log_error("media.zygote_refused", log_str("why", why.text));
            media_pidfd_kill(host->watch);
        }
    } else if (message->kind == WIRE_FORKED) {
        media = find(host, message->forked.id);
        if (media != NULL && media->pidfd == NULL)
            media_on_forked(media, message->forked.pid, &message->fds[0]);
        else if (!media_gpu_forked(host, message->forked.id, message->forked.pid, &message->fds[0]))
            kill_orphan(message->fds[0]);
    } else if (message->kind == WIRE_UNFORKED) {
        media = find(host, message->unforked.id);
        if (media != NULL)
            media_on_unforked(media, message->unforked.reason);
        else
            media_gpu_gone(host, message->unforked.id, message->unforked.reason, 0);
    } else if (message->kind == WIRE_DIED) {
        media = find(host, message->died.id);
        if (media != NULL)
            media_on_dead(media, (int) message->died.status);
        else
            media_gpu_gone(host, message->died.id, NULL, (int) message->died.status);
    } else if (message->kind == WIRE_PONG && message->pong.turn == host->last_ping) {
        answer_pings(host, true);
    }
}

static void on_ended(void *ctx, enum err kind UNUSED, const struct why *why UNUSED)
{
    struct media_host *host = ctx;
    host->is_alive = false;
    media_pidfd_kill(host->watch); /* then on_zygote_dead */
}

static void watch_zygote(struct media_host *host)
{
    static const struct channel_events events = {on_message, on_ended};
    host->channel = channel_new(host->loop, &host->socket, WIRE_FROM_ZYGOTE, &events, host);
    host->watch = media_pidfd_new(host->loop, &host->pidfd, on_zygote_dead, host);
}

static void on_hello_late(uv_timer_t *timer)
{
    struct media_host *host = timer->data;
    if (!host->is_alive && host->watch != NULL)
        media_pidfd_kill(host->watch);
}

static void on_try(uv_timer_t *timer)
{
    struct media_host *host = timer->data;
    memmove(host->tries_ms, host->tries_ms + 1, sizeof host->tries_ms - sizeof *host->tries_ms);
    host->tries_ms[MEDIA_TRIES - 1] = clock_mono_ms();
    struct why why = {0};
    if (start_zygote(host, &why) != OK) {
        log_error("media.zygote_failed", log_str("why", why.text));
        try_later(host);
        return;
    }
    watch_zygote(host);
    uv_timer_start(&host->timer, on_hello_late, HELLO_MS, 0);
}

/* At once, or when the oldest of the last tries is a minute old. */
static void try_later(struct media_host *host)
{
    int64_t oldest = host->tries_ms[0];
    int64_t wait = oldest == 0 ? 0 : oldest + MEDIA_TRIES_MS - clock_mono_ms();
    if (wait > 0)
        log_error("media.zygote_rests", log_int("ms", wait));
    uv_timer_start(&host->timer, on_try, wait > 0 ? (uint64_t) wait : 0, 0);
}

void media_host_attach(struct media_host *host, struct uv_loop_s *loop)
{
    MUST(host->loop == NULL);
    host->loop = loop;
    uv_timer_init(loop, &host->timer);
    host->timer.data = host;
    watch_zygote(host);
}

static void on_timer_closed(uv_handle_t *handle)
{
    host_free(handle->data);
}

void media_host_stop(struct media_host **host)
{
    struct media_host *gone = *host;
    *host = NULL;
    if (gone == NULL)
        return;
    while (gone->first != NULL) {
        struct media *media = gone->first;
        media_close(&media);
    }
    media_gpu_end_all(gone, false);
    gone->is_alive = false;
    answer_pings(gone, false);
    end_zygote(gone);
    if (gone->loop == NULL) {
        host_free(gone);
        return;
    }
    channel_free(&gone->channel);
    media_pidfd_free(&gone->watch);
    uv_close((uv_handle_t *) &gone->timer, on_timer_closed);
}

void media_host_forget(struct media_host *host, struct media *media)
{
    for (struct media **at = &host->first; *at != NULL; at = &(*at)->next) {
        if (*at != media)
            continue;
        *at = media->next;
        host->count--;
        return;
    }
}

void media_host_suspect(struct media_host *host)
{
    log_error("media.zygote_hangs", log_int("pid", host->zygote));
    if (host->watch != NULL)
        media_pidfd_kill(host->watch);
}

bool media_host_is_alive(const struct media_host *host)
{
    return host->is_alive;
}

const char *media_host_sandbox(const struct media_host *host)
{
    return host->layers_text;
}

const char *media_host_engine(const struct media_host *host)
{
    return host->engine;
}
