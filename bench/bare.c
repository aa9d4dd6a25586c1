/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The least that has to be done to send a file in pieces: pread into memory, send. One thread, one
 * epoll loop, HTTP as far as the load generators need it; knows neither films nor segments.
 *     bare FILE
 * Prints its port, then answers "GET /OFFSET-LENGTH" until its standard input ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { BUFFER = 512 * 1024, REQUEST_MAX = 4096, EVENTS = 64 };

struct peer {
    int fd;
    size_t request_length;
    char request[REQUEST_MAX];
    off_t offset;
    size_t left;      /* not read yet */
    size_t from, end; /* of the buffer: not sent yet */
    char *buffer;
};

static void fail(const char *what)
{
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void drop(struct peer *peer)
{
    close(peer->fd);
    mem_free(peer->buffer);
    mem_free(peer);
}

/* False: the connection is to be dropped. */
static bool send_on(struct peer *peer, int file)
{
    while (peer->from < peer->end || peer->left > 0) {
        if (peer->from == peer->end) {
            ssize_t got =
                pread(file, peer->buffer, peer->left < BUFFER ? peer->left : BUFFER, peer->offset);
            if (got <= 0)
                return false;
            peer->offset += got;
            peer->left -= (size_t) got;
            peer->from = 0;
            peer->end = (size_t) got;
        }
        ssize_t sent = send(peer->fd, peer->buffer + peer->from, peer->end - peer->from,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        peer->from += (size_t) sent;
    }
    return true;
}

static bool answer(struct peer *peer, int file)
{
    char *save = NULL;
    const char *offset = strtok_r(peer->request + 5, "-", &save);
    const char *length = strtok_r(NULL, " ", &save);
    if (offset == NULL || length == NULL)
        return false;
    peer->offset = strtoll(offset, NULL, 10);
    peer->left = strtoull(length, NULL, 10);
    peer->request_length = 0;
    peer->from = 0;
    peer->end = (size_t) snprintf(peer->buffer, BUFFER,
                                  "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", peer->left);
    return send_on(peer, file);
}

static bool read_request(struct peer *peer, int file)
{
    ssize_t got = recv(peer->fd, peer->request + peer->request_length,
                       REQUEST_MAX - 1 - peer->request_length, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    peer->request_length += (size_t) got;
    peer->request[peer->request_length] = '\0';
    if (strstr(peer->request, "\r\n\r\n") == NULL)
        return peer->request_length < REQUEST_MAX - 1;
    return strncmp(peer->request, "GET /", 5) == 0 && answer(peer, file);
}

static void welcome(int epoll, int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct peer *peer = mem_new(struct peer);
    peer->fd = fd;
    peer->buffer = mem_zalloc(BUFFER);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = peer};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof address) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *) &address, &length) != 0)
        fail("listen");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static bool is_input_over(void)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) <= 0;
}

/* What epoll was told to hand back. */
static void watch(int epoll, int fd, void *who)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void serve_peer(struct peer *peer, int file)
{
    bool is_sending = peer->from < peer->end || peer->left > 0;
    if (!(is_sending ? send_on(peer, file) : read_request(peer, file)))
        drop(peer);
}

int main(int argc, char **argv)
{
    int file = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        fail("usage: bare FILE");
    int listener = listen_somewhere();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS];
    watch(epoll, listener, &listener);
    watch(epoll, STDIN_FILENO, &file);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            void *who = events[i].data.ptr;
            if (who == &listener)
                welcome(epoll, listener);
            else if (who != &file)
                serve_peer(who, file);
            else if (is_input_over())
                return 0;
        }
    }
}
