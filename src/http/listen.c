/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/address.h"

enum { BACKLOG = 4096 };

static enum err say_errno(struct why *why, const struct sockaddr_storage *address)
{
    int number = errno;
    char text[80], reason[100];
    listen_text(address, text, sizeof text);
    log_error("http.cannot_listen", log_str("address", text), log_int("errno", number));
    enum err kind = number == EACCES ? ERR_REFUSED : ERR_IO;
    return why_set(why, kind, "http.listen", "cannot listen on %s: %s", text,
                   strerror_r(number, reason, sizeof reason));
}

static bool set_on(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static int open_socket(const struct sockaddr_storage *address, socklen_t size, bool is_shared)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    bool fine = set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                (!is_shared || set_on(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                (address->ss_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                bind(fd, (const struct sockaddr *) address, size) == 0 && listen(fd, BACKLOG) == 0;
    if (fine)
        return fd;
    int number = errno;
    fd_close(&fd);
    errno = number;
    return -1;
}

static in_port_t *port_of(struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return &((struct sockaddr_in *) address)->sin_port;
    return &((struct sockaddr_in6 *) address)->sin6_port;
}

/* With SO_REUSEPORT a second server of the same user would silently take half of the clients; one
 * socket without it finds out whether the port is taken. */
static enum err try_alone(const struct sockaddr_storage *address, socklen_t size, struct why *why)
{
    CLEANUP(fd_close) int fd = open_socket(address, size, false);
    return fd < 0 ? say_errno(why, address) : OK;
}

enum err listen_open(struct sockaddr_storage *address, socklen_t size, int *fds, unsigned count,
                     struct why *why)
{
    if (*port_of(address) != 0 && try_alone(address, size, why) != OK)
        return ERR_IO;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = open_socket(address, size, true);
        socklen_t got = sizeof *address;
        if (fds[i] >= 0 && getsockname(fds[i], (struct sockaddr *) address, &got) == 0)
            continue;
        enum err err = say_errno(why, address);
        for (unsigned j = 0; j <= i; j++)
            fd_close(&fds[j]);
        return err;
    }
    return OK;
}

void listen_text(const struct sockaddr_storage *address, char *out, size_t room)
{
    struct sockaddr_storage copy = *address;
    struct address parsed;
    char text[ADDRESS_TEXT_SIZE];
    MUST(address_from_sockaddr((const struct sockaddr *) address, &parsed) == OK);
    unsigned port = ntohs(*port_of(&copy));
    address_text(&parsed, text);
    if (address_is_any(&parsed))
        snprintf(out, room, "127.0.0.1:%u", port);
    else
        snprintf(out, room, address_is_v4(&parsed) ? "%s:%u" : "[%s]:%u", text, port);
}
