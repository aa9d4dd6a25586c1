/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "segments/film.h"
#include "segments/sandbox.h"
#include "segments/segments.h"
#include "segments/wire.h"

enum {
    CHILD_LIMIT = 64, /* the server's own limit is far below */
    CHILD_NICE = 5,   /* above the server's own: encoders yield to its loops */
    SPARE_MS = 150,   /* of quiet, before one is forked: not beside what is opened now */
    SPARE_DEATHS = 8, /* of unused ones, one after the other: then there are no more */
};

struct child {
    uint64_t id;
    pid_t pid;
};

/* One that is locked down already, and waits for its film: what is opened does not wait for the fork. */
struct spare {
    pid_t pid; /* 0: there is none */
    int socket;
    unsigned deaths;
};

struct zygote {
    int socket, signals;
    struct child children[CHILD_LIMIT];
    size_t count;
    struct spare spare;
};

/* The server ends us by the socket or by SIGKILL. What a terminal or a service manager sends to the
 * whole group is the server's to answer, or we would be gone before it has closed its films. */
static void ignore_group_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_IGN);
}

/* A child locks itself down and says by its end what it got: so the server knows it before the
 * first film. */
static uint32_t try_sandbox(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit((int) sandbox_enter());
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return 0;
    return (uint32_t) WEXITSTATUS(status);
}

static enum err say_hello(const struct zygote *zygote)
{
    struct wire_message message = {.kind = WIRE_HELLO,
                                   .hello = {.version = WIRE_VERSION, .layers = try_sandbox()}};
    wire_text(message.hello.engine, engine_version());
    return wire_send(zygote->socket, &message);
}

static enum err say_unforked(const struct zygote *zygote, uint64_t id, const char *reason)
{
    struct wire_message message = {.kind = WIRE_UNFORKED, .unforked = {.id = id}};
    wire_text(message.unforked.reason, reason);
    return wire_send(zygote->socket, &message);
}

/* In the child: all that is left of the zygote is its libraries, and the socket, as `fd`. */
static void settle(pid_t zygote, int socket, int fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != zygote || dup2(socket, fd) != fd ||
        close_range((unsigned) fd + 1, ~0U, 0) != 0)
        _exit(1);
    int niceness UNUSED = nice(CHILD_NICE); /* refused, it is no harm */
}

__attribute__((noreturn)) static void become(pid_t zygote, int socket,
                                             const struct wire_fork *request)
{
    settle(zygote, socket, WIRE_FD);
    if (request->device[0] != '\0')
        execl("/proc/self/exe", "matinee-media", "gpu", request->device, (char *) NULL);
    else if (request->fresh)
        execl("/proc/self/exe", "matinee-media", "film", (char *) NULL);
    else
        _exit(film_run(WIRE_FD));
    _exit(1);
}

/* pidfd_open is as safe as CLONE_PIDFD here, for only we reap: until then the number is nobody else's. A
 * bare clone would leave glibc with the zygote's thread id in the child. */
static enum err say_forked(struct zygote *zygote, uint64_t id, pid_t pid)
{
    CLEANUP(fd_close) int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        kill(pid, SIGKILL);
        return say_unforked(zygote, id, "no process descriptor to be had");
    }
    zygote->children[zygote->count++] = (struct child){id, pid};
    struct wire_message message = {.kind = WIRE_FORKED,
                                   .forked = {.id = id, .pid = (uint32_t) pid},
                                   .fds = {pidfd},
                                   .fd_count = 1};
    return wire_send(zygote->socket, &message);
}

static enum err fork_child(struct zygote *zygote, const struct wire_message *request)
{
    uint64_t id = request->fork.id;
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(self, request->fds[0], &request->fork);
    if (pid < 0)
        return say_unforked(zygote, id, strerror(errno));
    return say_forked(zygote, id, pid);
}

/* --- the spare one --- */

static void prepare_spare(struct zygote *zygote)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return;
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        settle(self, pair[1], WIRE_FD + 1);
        close(WIRE_FD); /* where its film's will be */
        _exit(film_wait(WIRE_FD + 1));
    }
    close(pair[1]);
    if (pid < 0)
        close(pair[0]);
    else
        zygote->spare = (struct spare){pid, pair[0], zygote->spare.deaths};
}

static bool can_be_spare(const struct wire_fork *request)
{
    return !request->fresh && !request->is_idle && request->device[0] == '\0';
}

/* It may have died, and we not know it: a film is not handed to the dead. */
static bool hand_to_spare(struct zygote *zygote, const struct wire_message *request)
{
    return zygote->spare.pid > 0 && can_be_spare(&request->fork) &&
           wire_send(zygote->spare.socket, request) == OK;
}

static enum err make_child(struct zygote *zygote, const struct wire_message *request)
{
    if (zygote->count == CHILD_LIMIT)
        return say_unforked(zygote, request->fork.id, "too many processes");
    if (!hand_to_spare(zygote, request))
        return fork_child(zygote, request);
    pid_t pid = zygote->spare.pid;
    close(zygote->spare.socket);
    zygote->spare = (struct spare){0};
    return say_forked(zygote, request->fork.id, pid);
}

static void bury_spare(struct zygote *zygote)
{
    close(zygote->spare.socket);
    zygote->spare = (struct spare){.deaths = zygote->spare.deaths + 1};
}

/* --- what comes --- */

/* One signal may stand for several deaths. */
static enum err reap(struct zygote *zygote)
{
    struct signalfd_siginfo info;
    if (read(zygote->signals, &info, sizeof info) < 0 && errno != EAGAIN)
        return ERR_IO;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == zygote->spare.pid)
            bury_spare(zygote);
        for (size_t i = 0; i < zygote->count; i++) {
            if (zygote->children[i].pid != pid)
                continue;
            struct wire_message message = {
                .kind = WIRE_DIED,
                .died = {.id = zygote->children[i].id, .status = (uint32_t) status}};
            zygote->children[i] = zygote->children[--zygote->count];
            enum err kind = wire_send(zygote->socket, &message);
            if (kind != OK)
                return kind;
            break;
        }
    }
    return OK;
}

static enum err say_pong(const struct zygote *zygote, uint64_t turn)
{
    struct wire_message message = {.kind = WIRE_PONG, .pong = {.turn = turn}};
    return wire_send(zygote->socket, &message);
}

static enum err answer(struct zygote *zygote)
{
    struct wire_message message;
    enum err kind = wire_receive(zygote->socket, WIRE_TO_ZYGOTE, &message, NULL);
    if (kind != OK)
        return kind;
    if (message.kind == WIRE_PING)
        kind = say_pong(zygote, message.ping.turn);
    else
        kind = make_child(zygote, &message); /* no third one goes this way */
    wire_close_fds(&message);
    return kind;
}

static int serve(struct zygote *zygote)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = zygote->socket, .events = POLLIN},
                               {.fd = zygote->signals, .events = POLLIN}};
        bool wants_spare = zygote->spare.pid == 0 && zygote->spare.deaths < SPARE_DEATHS;
        int ready = poll(fds, 2, wants_spare ? SPARE_MS : -1);
        if (ready < 0 && errno != EINTR)
            return 1;
        enum err kind = OK;
        if (ready == 0)
            prepare_spare(zygote);
        if (fds[1].revents != 0)
            kind = reap(zygote);
        if (kind == OK && fds[0].revents != 0)
            kind = answer(zygote);
        if (kind != OK)
            return kind == ERR_GONE ? 0 : 1;
    }
}

int zygote_run(int socket)
{
    struct zygote zygote = {.socket = socket};
    prctl(PR_SET_NAME, "matinee-zygote");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ignore_group_signals();
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    /* A server that opened something before us has left nothing for the films to find. */
    if (close_range((unsigned) socket + 1, ~0U, 0) != 0)
        return 1;
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    zygote.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (zygote.signals < 0)
        return 1;
    film_prepare();
    malloc_trim(0);
    if (say_hello(&zygote) != OK)
        return 1;
    return serve(&zygote);
}
