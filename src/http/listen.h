/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets that listen. Threads: any. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/why.h"

/* `count` sockets on one address and port (SO_REUSEPORT), each listening; port 0 becomes the same
 * free port for all, and `address` says which. The fds are the caller's. IO, REFUSED: why. */
MUST_CHECK enum err listen_open(struct sockaddr_storage *address, socklen_t size, int *fds,
                                unsigned count, struct why *why);
/* "127.0.0.1:8080", "[::1]:8080". For "all addresses" those of this machine. */
void listen_text(const struct sockaddr_storage *address, char *out, size_t room);
