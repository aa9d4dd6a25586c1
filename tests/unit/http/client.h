/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of http: a client that writes raw bytes to a socket and takes replies apart, and a
 * server with the routes that the tests ask. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http.h"

enum { CLIENT_WAIT_MS = 5000 };

/* --- client --- */

struct client {
    int fd;
    struct str in; /* read, not used yet */
};
struct answer {
    int status; /* 0: the connection ended before a whole head */
    struct str head, body;
    bool is_whole; /* all of the body came, as its framing says */
};

void client_open(struct client *client, const struct http *http);
void client_close(struct client *client);
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *bytes, size_t size);
/* Reads one reply. `method` "HEAD": it has no body. */
void client_read(struct client *client, const char *method, struct answer *out);
/* True when the server ends the connection within the time. */
bool client_sees_end(struct client *client, int wait_ms);
/* True when nothing comes for that long. */
bool client_sees_silence(struct client *client, int wait_ms);
void answer_fini(struct answer *answer);
/* The value of a header (lower case); "" when it is not there. Lent until the next call. */
const char *answer_header(const struct answer *answer, const char *name);

/* One request on a connection of its own: a line "GET /x", more headers ("A: b\r\n..."), a body. A
 * Host is added when the headers have none. */
void ask(const struct http *http, const char *line, const char *headers, const char *body,
         struct answer *out);
int ask_status(const struct http *http, const char *line, const char *headers, const char *body);

/* --- server --- */

/* What the routes below did. Written by the server's loops. */
struct seen {
    _Atomic int gone;        /* on_gone calls */
    _Atomic int stream_gone; /* stream sources that ended */
    _Atomic int held;        /* requests that reached a holding route */
    _Atomic int pulls;
    _Atomic long pushed; /* bytes that stream_push took */
    _Atomic int calls;
};
extern struct seen seen;

/* Options that suit tests: port 0 on loopback, one loop, auth none, short times. */
struct http_options test_options(void);
/* Routes: see client.c. */
struct http *test_server(const struct http_options *options);
struct http *test_server_with(const struct http_options *options, const struct http_auth *auth);
/* Waits until *counter is `value`: false after CLIENT_WAIT_MS. */
bool wait_until(_Atomic int *counter, int value);
/* The value of a counter of http_metrics. */
uint64_t metric(struct http *http, const char *name);
