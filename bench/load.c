/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How fast does a server give out many different things? Some connections that stay, in one process
 * on one epoll loop; each asks for the next path of a list as soon as it has the one before, so that
 * every path is asked for once. The bytes are received as a player does, into memory.
 *     load HOST:PORT CONNECTIONS < PATHS
 * Prints one JSON line: requests, bytes, seconds, p50/p99 of the time to a whole answer, errors, and
 * the CPU that this program took. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { READ_STEP = 256 * 1024, EVENTS = 64, REQUEST_MAX = 2048, PATH_MAX_LENGTH = 1024 };

struct peer {
    int fd;
    int64_t asked_us;
    struct answer answer;
};

struct run {
    struct sockaddr_in server;
    const char *host;
    int epoll;
    char **paths;
    size_t path_count, path_room, next, done;
    struct peer *peers;
    size_t peer_count, open;
    int64_t *times;
    uint64_t bytes, errors;
    char *scratch;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void parse_target(struct run *run, const char *target)
{
    const char *colon = strrchr(target, ':');
    char address[48] = "";
    if (colon == NULL || (size_t) (colon - target) >= sizeof address)
        fail("HOST:PORT");
    memcpy(address, target, (size_t) (colon - target));
    run->server.sin_family = AF_INET;
    run->server.sin_port = htons((uint16_t) strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, address, &run->server.sin_addr) != 1)
        fail("HOST");
    run->host = target;
}

static void read_paths(struct run *run)
{
    char line[PATH_MAX_LENGTH];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
        mem_grow(run->paths, run->path_count, run->path_room);
        run->paths[run->path_count++] = mem_strdup(line);
    }
    if (run->path_count == 0)
        fail("no paths");
    run->times = mem_new_array(int64_t, run->path_count);
}

static void leave(struct run *run, struct peer *peer)
{
    close(peer->fd);
    run->open--;
}

static void ask(struct run *run, struct peer *peer)
{
    char request[REQUEST_MAX];
    if (run->next == run->path_count) {
        leave(run, peer);
        return;
    }
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                          run->paths[run->next++], run->host);
    peer->answer = (struct answer){.state = ANSWER_HEAD};
    peer->asked_us = clock_mono_us();
    if (send(peer->fd, request, (size_t) length, MSG_NOSIGNAL) != length)
        fail("send");
}

static void on_readable(struct run *run, struct peer *peer)
{
    ssize_t got = recv(peer->fd, run->scratch, READ_STEP, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    enum answer_state state =
        got > 0 ? answer_take(&peer->answer, run->scratch, (size_t) got) : ANSWER_WRONG;
    if (state == ANSWER_WRONG) {
        run->errors++;
        leave(run, peer);
    } else if (state == ANSWER_WHOLE) {
        run->bytes += peer->answer.bytes;
        run->times[run->done++] = clock_mono_us() - peer->asked_us;
        ask(run, peer);
    }
}

static void start_peers(struct run *run, size_t count)
{
    run->peers = mem_new_array(struct peer, count);
    run->peer_count = run->open = count;
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = &run->peers[i];
        int one = 1;
        peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (peer->fd < 0 ||
            connect(peer->fd, (const struct sockaddr *) &run->server, sizeof run->server) != 0)
            fail("connect");
        setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        epoll_ctl(run->epoll, EPOLL_CTL_ADD, peer->fd, &event);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a;
    int64_t y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

static void report(const struct run *run, double seconds)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double) (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    qsort(run->times, run->done, sizeof *run->times, by_value);
    size_t last = run->done > 0 ? run->done - 1 : 0;
    printf("{\"requests\":%zu,\"bytes\":%llu,\"seconds\":%.4f,\"ms_p50\":%.3f,\"ms_p99\":%.3f,"
           "\"errors\":%llu,\"client_cpu_s\":%.3f}\n",
           run->done, (unsigned long long) run->bytes, seconds,
           (double) run->times[run->done / 2] / 1000, (double) run->times[last * 99 / 100] / 1000,
           (unsigned long long) run->errors, cpu_s);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: load HOST:PORT CONNECTIONS < PATHS\n");
        return 2;
    }
    struct run run = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct epoll_event events[EVENTS];
    run.scratch = mem_zalloc(READ_STEP);
    parse_target(&run, argv[1]);
    read_paths(&run);
    start_peers(&run, strtoul(argv[2], NULL, 10));
    int64_t began_us = clock_mono_us();
    for (size_t i = 0; i < run.peer_count; i++)
        ask(&run, &run.peers[i]);
    while (run.open > 0) {
        int count = epoll_wait(run.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            on_readable(&run, events[i].data.ptr);
    }
    report(&run, (double) (clock_mono_us() - began_us) / 1e6);
    return run.errors > 0 || run.done < run.path_count ? 1 : 0;
}
