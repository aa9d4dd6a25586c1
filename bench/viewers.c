/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many people can watch? N simulated HLS viewers of one film, in one process, on one epoll
 * loop: each fetches a media playlist once, then its segments in order from a place of its own, as a
 * player with a full buffer does: one segment per segment duration. A viewer stalls when the next
 * segment is not whole before the one before has played.
 *     viewers HOST:PORT PLAYLIST-PATH VIEWERS SECONDS [ARRIVE-SECONDS]
 * They come one after the other over ARRIVE-SECONDS, usually those of one segment.
 * Prints one JSON line: viewers, segments, bytes, stalls, late (worst lateness in ms), p50/p99 of
 * the time to a whole segment, errors. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { BUFFERED_S = 8, HEAD_MAX = 8192, READ_STEP = 256 * 1024, EVENTS = 256 };

struct segment {
    char *uri;
    double duration_s;
};

struct list {
    struct segment *segments;
    size_t count, room;
};

enum phase { WAITING, SENT, BODY };

struct viewer {
    int fd;
    enum phase phase;
    size_t next;    /* segment asked for now, or next */
    int64_t due_us; /* when the next request is made */
    int64_t asked_us;
    double ready_s;   /* media fetched so far */
    int64_t began_us; /* when playing began; 0 = not yet */
    char head[HEAD_MAX];
    size_t head_length;
    int64_t left;  /* of the body; -1 = chunked */
    uint32_t tail; /* the last 4 bytes, to see a chunked body's end */
    bool ended_zero;
};

struct run {
    struct sockaddr_in server;
    char host[64];
    char base[1024];
    struct list list;
    struct viewer *viewers;
    size_t count;
    int epoll;
    int64_t end_us;
    uint64_t bytes, segments, stalls, errors;
    int64_t worst_late_us;
    int64_t *times;
    size_t time_count, time_room;
    char *scratch;
};

static void fail(const char *what)
{
    fprintf(stderr, "viewers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(const struct run *run)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (const struct sockaddr *) &run->server, sizeof run->server) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_request(const struct run *run, int fd, const char *path)
{
    struct str request = {0};
    str_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, run->host);
    if (send(fd, request.at, request.length, MSG_NOSIGNAL) != (ssize_t) request.length)
        fail("send");
    str_fini(&request);
}

/* The playlist, by a connection of its own. */
static void read_playlist(struct run *run, const char *path)
{
    int fd = dial(run);
    struct str request = {0};
    str_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
               run->host);
    if (send(fd, request.at, request.length, MSG_NOSIGNAL) < 0)
        fail("send");
    str_fini(&request);
    struct str text = {0};
    ssize_t got;
    while ((got = recv(fd, run->scratch, READ_STEP, 0)) > 0)
        str_append(&text, run->scratch, (size_t) got);
    close(fd);
    double duration_s = 0;
    char *save = NULL;
    for (char *line = strtok_r(text.at, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "#EXTINF:", 8) == 0)
            duration_s = strtod(line + 8, NULL);
        else if (line[0] != '#' && duration_s > 0 && strstr(line, ".m4s") != NULL) {
            line[strcspn(line, "\r")] = '\0';
            mem_grow(run->list.segments, run->list.count, run->list.room);
            run->list.segments[run->list.count++] = (struct segment){mem_strdup(line), duration_s};
            duration_s = 0;
        }
    }
    str_fini(&text);
    if (run->list.count == 0) {
        fprintf(stderr, "viewers: no segments in %s\n", path);
        exit(1);
    }
}

static void ask_next(struct run *run, struct viewer *viewer, int64_t now_us)
{
    struct str path = {0};
    str_printf(&path, "%s%s", run->base, run->list.segments[viewer->next].uri);
    send_request(run, viewer->fd, str_text(&path));
    str_fini(&path);
    viewer->phase = SENT;
    viewer->head_length = 0;
    viewer->asked_us = now_us;
}

static void finish_segment(struct run *run, struct viewer *viewer, int64_t now_us)
{
    double duration_s = run->list.segments[viewer->next].duration_s;
    if (viewer->began_us == 0)
        viewer->began_us = now_us;
    int64_t needed_us = viewer->began_us + (int64_t) (viewer->ready_s * 1e6);
    if (viewer->ready_s > 0 && now_us > needed_us) {
        run->stalls++;
        if (now_us - needed_us > run->worst_late_us)
            run->worst_late_us = now_us - needed_us;
        viewer->began_us += now_us - needed_us;
    }
    mem_grow(run->times, run->time_count, run->time_room);
    run->times[run->time_count++] = now_us - viewer->asked_us;
    run->segments++;
    viewer->ready_s += duration_s;
    viewer->next = (viewer->next + 1) % run->list.count;
    viewer->phase = WAITING;
    viewer->due_us = viewer->began_us + (int64_t) ((viewer->ready_s - BUFFERED_S) * 1e6);
    if (viewer->due_us < now_us)
        viewer->due_us = now_us;
}

/* The head is whole: how long is the body? */
static bool parse_head(struct run *run, struct viewer *viewer)
{
    if (strncmp(viewer->head, "HTTP/1.1 200", 12) != 0) {
        run->errors++;
        return false;
    }
    const char *length = strcasestr(viewer->head, "\ncontent-length:");
    viewer->left = length != NULL ? strtoll(length + 16, NULL, 10) : -1;
    viewer->tail = 0;
    viewer->phase = BODY;
    return true;
}

/* True when the body ended with these bytes. A chunked body ends with "0\r\n\r\n", which a length
 * prefix cannot hold, and payload that looks like it is cut off by more bytes behind it. */
static bool take_body(struct run *run, struct viewer *viewer, const char *bytes, size_t size)
{
    run->bytes += size;
    if (viewer->left >= 0) {
        viewer->left -= (int64_t) size;
        return viewer->left <= 0;
    }
    for (size_t i = size > 5 ? size - 5 : 0; i < size; i++) {
        viewer->ended_zero = (viewer->tail >> 24) == '0';
        viewer->tail = viewer->tail << 8 | (unsigned char) bytes[i];
    }
    return viewer->tail == 0x0D0A0D0A && viewer->ended_zero;
}

static bool take_head(struct run *run, struct viewer *viewer, const char *bytes, size_t size,
                      size_t *used)
{
    size_t room = HEAD_MAX - 1 - viewer->head_length;
    size_t step = size < room ? size : room;
    size_t before = viewer->head_length;
    memcpy(viewer->head + before, bytes, step);
    viewer->head[before + step] = '\0';
    viewer->head_length += step;
    char *end = strstr(viewer->head, "\r\n\r\n");
    *used = step;
    if (end == NULL)
        return step == size && viewer->head_length < HEAD_MAX - 1;
    *used = (size_t) (end + 4 - viewer->head) - before;
    end[2] = '\0';
    return parse_head(run, viewer);
}

static void restart(struct run *run, struct viewer *viewer)
{
    run->errors++;
    close(viewer->fd);
    viewer->fd = dial(run);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = viewer};
    epoll_ctl(run->epoll, EPOLL_CTL_ADD, viewer->fd, &event);
    viewer->phase = WAITING;
    viewer->due_us = clock_mono_us() + 100000;
}

static void on_readable(struct run *run, struct viewer *viewer)
{
    ssize_t got = recv(viewer->fd, run->scratch, READ_STEP, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || viewer->phase == WAITING) {
        restart(run, viewer);
        return;
    }
    size_t used = 0;
    if (viewer->phase == SENT && !take_head(run, viewer, run->scratch, (size_t) got, &used)) {
        restart(run, viewer);
        return;
    }
    if (viewer->phase == BODY && (size_t) got > used &&
        take_body(run, viewer, run->scratch + used, (size_t) got - used))
        finish_segment(run, viewer, clock_mono_us());
}

static void start_viewers(struct run *run, double arrive_s)
{
    int64_t now_us = clock_mono_us();
    for (size_t i = 0; i < run->count; i++) {
        struct viewer *viewer = &run->viewers[i];
        viewer->fd = dial(run);
        viewer->next = i * 7919 % run->list.count;
        /* People do not all press play in the same moment. */
        viewer->due_us = now_us + (int64_t) (arrive_s * 1e6 * (double) i / (double) run->count);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = viewer};
        epoll_ctl(run->epoll, EPOLL_CTL_ADD, viewer->fd, &event);
    }
}

static void watch(struct run *run)
{
    struct epoll_event events[EVENTS];
    while (clock_mono_us() < run->end_us) {
        int count = epoll_wait(run->epoll, events, EVENTS, 2);
        for (int i = 0; i < count; i++)
            on_readable(run, events[i].data.ptr);
        int64_t now_us = clock_mono_us();
        for (size_t i = 0; i < run->count; i++)
            if (run->viewers[i].phase == WAITING && run->viewers[i].due_us <= now_us)
                ask_next(run, &run->viewers[i], now_us);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a;
    int64_t y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

static void report(struct run *run, double seconds)
{
    qsort(run->times, run->time_count, sizeof *run->times, by_value);
    double p50 = run->time_count > 0 ? (double) run->times[run->time_count / 2] / 1000 : 0;
    double p99 = run->time_count > 0 ? (double) run->times[run->time_count * 99 / 100] / 1000 : 0;
    printf("{\"viewers\":%zu,\"seconds\":%.1f,\"segments\":%llu,\"bytes\":%llu,"
           "\"mbit_per_s\":%.0f,\"stalls\":%llu,\"worst_late_ms\":%.1f,\"errors\":%llu,"
           "\"segment_ms_p50\":%.1f,\"segment_ms_p99\":%.1f}\n",
           run->count, seconds, (unsigned long long) run->segments, (unsigned long long) run->bytes,
           (double) run->bytes * 8 / 1e6 / seconds, (unsigned long long) run->stalls,
           (double) run->worst_late_us / 1000, (unsigned long long) run->errors, p50, p99);
}

static void parse_target(struct run *run, const char *target, const char *path)
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
    snprintf(run->host, sizeof run->host, "%s", target);
    const char *query = strchr(path, '?');
    size_t length = query != NULL ? (size_t) (query - path) : strlen(path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    snprintf(run->base, sizeof run->base, "%.*s", (int) length, path);
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fprintf(stderr,
                "usage: viewers HOST:PORT PLAYLIST-PATH VIEWERS SECONDS [ARRIVE-SECONDS]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct run run = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    run.scratch = mem_zalloc(READ_STEP);
    parse_target(&run, argv[1], argv[2]);
    read_playlist(&run, argv[2]);
    run.count = strtoul(argv[3], NULL, 10);
    run.viewers = mem_new_array(struct viewer, run.count);
    double seconds = strtod(argv[4], NULL);
    start_viewers(&run, argc > 5 ? strtod(argv[5], NULL) : run.list.segments[0].duration_s);
    run.end_us = clock_mono_us() + (int64_t) (seconds * 1e6);
    watch(&run);
    report(&run, seconds);
    return run.errors > 0 ? 1 : 0;
}
