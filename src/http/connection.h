/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of one worker: accepted within the limits, looked at once a tick (who trickles, who
 * does not read, who is idle, who left while we hold his request). h2o has one timer for all of a
 * request and none for replies; that is why. Worker's loop. */
#pragma once

#include "http/server.h"

/* For uv_listen. The listener's data is the worker. */
void connection_accept(uv_stream_t *listener, int status);
/* For SSL_CTX_set_info_callback: remembers whose it is, as h2o does not show it. */
void connection_on_tls(const SSL *ssl, int where, int value);
/* One look at all of them. */
void connections_look(struct worker *worker);
/* One more stream of HTTP/2 was opened. True: so many in so short a time that they are not to be looked at; the
 * first time the connection is reset. To open streams and reset them at once costs a client nothing
 * (CVE-2023-44487), and h2o of this age does not count. */
bool connection_floods(struct connection *connection);
/* Ends it from below, so that h2o finds it closed at its next turn: the one way that is safe at
 * any moment. */
void connection_break(struct connection *connection);
/* The same, and what the kernel still has to send is dropped. */
void connection_reset(struct connection *connection);
/* Breaks those without a request; with `all`, the rest too. */
void connections_break(struct worker *worker, bool all);
