/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

struct seen seen;

/* --- client --- */

static uint16_t port_of(const struct http *http)
{
    const char *colon = strrchr(http_url(http), ':');
    return (uint16_t) strtoul(colon + 1, NULL, 10);
}

void client_open(struct client *client, const struct http *http)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port_of(http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *) &address, sizeof address), 0);
    str_init(&client->in);
}

void client_close(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    str_fini(&client->in);
}

void client_send_bytes(struct client *client, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(client->fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server may refuse to read on */
        at += sent;
        size -= (size_t) sent;
    }
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

/* False: the end, or nothing for too long. */
static bool read_more(struct client *client, int wait_ms)
{
    char buffer[65536];
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    if (poll(&poll_fd, 1, wait_ms) != 1)
        return false;
    ssize_t got = recv(client->fd, buffer, sizeof buffer, 0);
    if (got <= 0)
        return false;
    str_append(&client->in, buffer, (size_t) got);
    return true;
}

static void use(struct client *client, size_t count, struct str *into)
{
    if (into != NULL)
        str_append(into, client->in.at, count);
    size_t rest = client->in.length - count;
    char *copy = mem_dup(client->in.at + count, rest + 1);
    str_clear(&client->in);
    str_append(&client->in, copy, rest);
    mem_free(copy);
}

static bool use_line(struct client *client, struct str *into)
{
    const char *end;
    while ((end = strstr(str_text(&client->in), "\r\n")) == NULL)
        if (!read_more(client, CLIENT_WAIT_MS))
            return false;
    use(client, (size_t) (end - client->in.at) + 2, into);
    return true;
}

static bool use_bytes(struct client *client, size_t count, struct str *into)
{
    while (client->in.length < count)
        if (!read_more(client, CLIENT_WAIT_MS)) {
            use(client, client->in.length, into);
            return false;
        }
    if (count > 0)
        use(client, count, into);
    return true;
}

static bool read_chunks(struct client *client, struct str *into)
{
    for (;;) {
        struct str line;
        str_init(&line);
        bool fine = use_line(client, &line);
        size_t size = fine ? strtoul(str_text(&line), NULL, 16) : 0;
        str_fini(&line);
        if (!fine || !use_bytes(client, size, into) || !use_bytes(client, 2, NULL))
            return false;
        if (size == 0)
            return true;
    }
}

static bool read_body(struct client *client, const char *method, struct answer *out)
{
    const char *length = answer_header(out, "content-length");
    if (strcmp(method, "HEAD") == 0 || out->status == 204 || out->status == 304)
        return true;
    if (strcasecmp(answer_header(out, "transfer-encoding"), "chunked") == 0)
        return read_chunks(client, &out->body);
    length = answer_header(out, "content-length");
    if (length[0] != '\0')
        return use_bytes(client, strtoul(length, NULL, 10), &out->body);
    while (read_more(client, CLIENT_WAIT_MS))
        ;
    use(client, client->in.length, &out->body);
    return true;
}

void client_read(struct client *client, const char *method, struct answer *out)
{
    *out = (struct answer){.status = 0};
    do {
        size_t before = out->head.length;
        if (!use_line(client, &out->head))
            return;
        if (out->head.length == before + 2)
            break;
    } while (true);
    out->status = (int) strtol(str_text(&out->head) + 9, NULL, 10);
    out->is_whole = read_body(client, method, out);
}

bool client_sees_end(struct client *client, int wait_ms)
{
    int64_t until_ms = clock_mono_ms() + wait_ms;
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
        if (left_ms < 0 || poll(&poll_fd, 1, (int) left_ms) != 1)
            return false;
        if (!read_more(client, 0))
            return true;
    }
}

bool client_sees_silence(struct client *client, int wait_ms)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    return poll(&poll_fd, 1, wait_ms) == 0;
}

void answer_fini(struct answer *answer)
{
    str_fini(&answer->head);
    str_fini(&answer->body);
}

const char *answer_header(const struct answer *answer, const char *name)
{
    static char value[2048];
    size_t length = strlen(name);
    value[0] = '\0';
    for (const char *line = str_text(&answer->head); line != NULL && line[0] != '\0';) {
        const char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *from = line + length + 2;
            snprintf(value + strlen(value), sizeof value - strlen(value), "%s%.*s",
                     value[0] != '\0' ? ", " : "", (int) (end - from), from);
        }
        line = end != NULL ? end + 2 : NULL;
    }
    return value;
}

void ask(const struct http *http, const char *line, const char *headers, const char *body,
         struct answer *out)
{
    struct client client;
    struct str text;
    str_init(&text);
    str_printf(&text, "%s HTTP/1.1\r\n%s", line, headers);
    if (strstr(headers, "Host:") == NULL)
        str_puts(&text, "Host: localhost\r\n");
    if (body[0] != '\0')
        str_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    str_printf(&text, "\r\n%s", body);
    client_open(&client, http);
    client_send(&client, str_text(&text));
    client_read(&client, strncmp(line, "HEAD ", 5) == 0 ? "HEAD" : "GET", out);
    client_close(&client);
    str_fini(&text);
}

int ask_status(const struct http *http, const char *line, const char *headers, const char *body)
{
    struct answer answer;
    ask(http, line, headers, body, &answer);
    answer_fini(&answer);
    return answer.status;
}

/* --- the routes --- */

static char pattern_bytes[1 << 20];

static void note_gone(void *ctx)
{
    (void) ctx;
    seen.gone++;
}

/* GET /hello: a kilobyte, with all that reply_bytes can. */
static void serve_hello(struct request *request, void *ctx)
{
    (void) ctx;
    const struct reply_bytes_options options = {
        .content_type = "text/plain",
        .cache_control = "private, no-cache",
        .compressible = request_query(request, "plain").at == NULL,
        .etag = true,
        .ranges = true,
    };
    char bytes[1024];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) ('a' + i % 26);
    seen.calls++;
    request_on_gone(request, note_gone, NULL);
    reply_bytes(request, 200, &options, bytes, sizeof bytes);
}

static void add(struct str *out, const char *name, struct slice value)
{
    if (value.at == NULL)
        str_printf(out, "%s=(absent)\n", name);
    else
        str_printf(out, "%s=%.*s\n", name, (int) value.length, value.at);
}

/* Anything below /echo: what the request looks like from here. */
static void serve_echo(struct request *request, void *ctx)
{
    (void) ctx;
    struct str text;
    const struct http_user *user = request_user(request);
    const struct reply_bytes_options options = {.content_type = "text/plain"};
    str_init(&text);
    add(&text, "method", request_method(request));
    add(&text, "param", request_param(request, 0));
    add(&text, "second", request_param(request, 1));
    add(&text, "q", request_query(request, "q"));
    add(&text, "peer", request_peer(request));
    add(&text, "body", request_body(request));
    str_printf(&text, "loopback=%d secure=%d user=%s admin=%d\n", request_is_loopback(request),
               request_is_secure(request), user->id, http_user_is_admin(user));
    seen.calls++;
    reply_bytes(request, 200, &options, text.at, text.length);
    str_fini(&text);
}

static void serve_json(struct request *request, void *ctx)
{
    (void) ctx;
    json_t *body;
    struct why why = {.text = ""};
    enum err err = request_json(request, &body, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        reply_json(request, 201, json_incref(body));
}

static void serve_problem(struct request *request, void *ctx)
{
    (void) ctx;
    struct why why;
    (void) why_set(&why, ERR_BUSY, "/name", "no room for \xff now");
    reply_header(request, "cache-control", "public");
    reply_problem(request, 0, ERR_BUSY, &why);
}

/* GET /held: never answered. */
static void serve_held(struct request *request, void *ctx)
{
    (void) ctx;
    request_on_gone(request, note_gone, NULL);
    seen.held++;
}

struct body {
    int64_t left;
    int64_t waits_after; /* stops writing when so much is left */
    int64_t breaks_after;
};

static void pull_body(void *ctx, struct stream *stream)
{
    struct body *body = ctx;
    int64_t size = body->left < (int64_t) sizeof pattern_bytes / 2
                       ? body->left
                       : (int64_t) sizeof pattern_bytes / 2;
    seen.pulls++;
    if (body->left <= body->waits_after)
        return;
    if (body->left <= body->breaks_after) {
        stream_break(stream);
        return;
    }
    int64_t stays = body->waits_after > body->breaks_after ? body->waits_after : body->breaks_after;
    if (stays > 0 && size > body->left - stays)
        size = body->left - stays;
    body->left -= size;
    stream_write(stream, pattern_bytes, (size_t) size, body->left == 0);
}

static void body_gone(void *ctx)
{
    mem_free(ctx);
    seen.stream_gone++;
}

static int64_t number(struct request *request, const char *name, int64_t otherwise)
{
    struct slice text = request_query(request, name);
    uint64_t value;
    if (text.at == NULL || slice_number(text, INT64_MAX, &value) != OK)
        return otherwise;
    return (int64_t) value;
}

/* GET /stream?size=&length=&wait=&break=: size bytes; Content-Length where length is 1; stops with
 * `wait` bytes left, breaks with `break` left. */
static void serve_stream(struct request *request, void *ctx)
{
    (void) ctx;
    static const struct stream_source SOURCE = {pull_body, body_gone};
    struct body *body = mem_new(struct body);
    body->left = number(request, "size", 100);
    body->waits_after = number(request, "wait", 0);
    body->breaks_after = number(request, "break", 0);
    if (body->waits_after == 0 && body->breaks_after == 0)
        body->waits_after = -1;
    int64_t length = number(request, "length", 0) == 1 ? body->left : -1;
    seen.held++;
    stream_start(request, 200, "video/mp4", length, &SOURCE, body);
}

/* GET /pushed?size=&length=: pieces of memory and of a file, in turn; byte i of the file, and of the body, is
 * i * 7. */
enum { PUSHED_STEP = 700001, PUSHED_WORD = 5 };

struct pushed {
    int file;
    size_t at, size;
    uint8_t tail[512];
    uint8_t words[8][PUSHED_WORD];
};

static size_t list_pushed(struct pushed *pushed, struct stream_piece *pieces, size_t room)
{
    size_t count = 0, words = 0;
    for (size_t at = pushed->at; at < pushed->size && count < room; count++) {
        size_t next = (at / PUSHED_STEP + 1) * PUSHED_STEP;
        bool is_word = at % PUSHED_STEP < PUSHED_WORD && words < 8;
        size_t end = is_word ? at - at % PUSHED_STEP + PUSHED_WORD : next;
        end = end < pushed->size ? end : pushed->size;
        pieces[count] = (struct stream_piece){NULL, pushed->file, at, end - at};
        for (size_t i = at; is_word && i < end; i++)
            pushed->words[words][i - at] = (uint8_t) (i * 7);
        if (is_word)
            pieces[count].bytes = pushed->words[words++];
        at = end;
    }
    return count;
}

static void pull_pushed(void *ctx, struct stream *stream)
{
    struct pushed *pushed = ctx;
    struct stream_piece pieces[8];
    size_t sent = 0, size = sizeof pushed->tail;
    size_t count = list_pushed(pushed, pieces, 8);
    assert_true(stream_can_push(stream));
    assert_int_equal(stream_push(stream, pieces, count, &sent), OK);
    seen.pushed += sent;
    pushed->at += sent;
    size = size < stream_owed(stream) ? size : stream_owed(stream);
    size = size < pushed->size - pushed->at ? size : pushed->size - pushed->at;
    for (size_t i = 0; i < size; i++)
        pushed->tail[i] = (uint8_t) ((pushed->at + i) * 7);
    pushed->at += size;
    stream_write(stream, pushed->tail, size, pushed->at == pushed->size);
}

static void pushed_gone(void *ctx)
{
    struct pushed *pushed = ctx;
    fd_close(&pushed->file);
    body_gone(pushed);
}

static void serve_pushed(struct request *request, void *ctx)
{
    (void) ctx;
    static const struct stream_source SOURCE = {pull_pushed, pushed_gone};
    struct pushed *pushed = mem_new(struct pushed);
    pushed->size = (size_t) number(request, "size", 5000000);
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc(pushed->size);
    for (size_t i = 0; i < pushed->size; i++)
        bytes[i] = (uint8_t) (i * 7);
    assert_int_equal(fd_memory("test", &pushed->file), OK);
    assert_int_equal(fd_write_at(pushed->file, bytes, pushed->size, 0), OK);
    int64_t length = number(request, "length", 0) == 1 ? (int64_t) pushed->size : -1;
    seen.held++;
    stream_start(request, 200, "video/mp4", length, &SOURCE, pushed);
}

/* GET /short: says 10 bytes, ends after 4. */
static void pull_short(void *ctx, struct stream *stream)
{
    (void) ctx;
    stream_write(stream, "four", 4, true);
}

static void serve_short(struct request *request, void *ctx)
{
    (void) ctx;
    static const struct stream_source SOURCE = {pull_short, body_gone};
    stream_start(request, 200, "video/mp4", 10, &SOURCE, NULL);
}

static void serve_empty(struct request *request, void *ctx)
{
    (void) ctx;
    reply_empty(request, 204);
}

static const struct http_route ROUTES[] = {
    {"GET", "/hello", ROUTE_OPEN | ROUTE_SETUP, NULL, 0, serve_hello, NULL},
    {"GET", "/api/echo/{x}", ROUTE_OPEN, NULL, 0, serve_echo, NULL},
    {"GET", "/api/echo/special", ROUTE_OPEN, NULL, 0, serve_empty, NULL},
    {"GET", "/api/echo/{x}/pre-{y}.m4s", ROUTE_OPEN, NULL, 0, serve_echo, NULL},
    {"GET", "/api/rest/{rest...}", ROUTE_OPEN, NULL, 0, serve_echo, NULL},
    {"POST", "/api/echo/{x}", ROUTE_OPEN, "application/octet-stream", 2 << 20, serve_echo, NULL},
    {"POST", "/api/json", ROUTE_OPEN, "application/json", 0, serve_json, NULL},
    {"DELETE", "/api/echo/{x}", 0, NULL, 0, serve_echo, NULL},
    {"GET", "/api/mine", 0, NULL, 0, serve_echo, NULL},
    {"GET", "/api/admin", ROUTE_ADMIN, NULL, 0, serve_echo, NULL},
    {"GET", "/api/local", ROUTE_LOCAL, NULL, 0, serve_echo, NULL},
    {"GET", "/api/play", ROUTE_PLAY, NULL, 0, serve_echo, NULL},
    {"GET", "/api/person", ROUTE_PERSON, NULL, 0, serve_echo, NULL},
    {"GET", "/api/outward", ROUTE_OPEN | ROUTE_OUTWARD, NULL, 0, serve_echo, NULL},
    {"GET", "/api/problem", ROUTE_OPEN, NULL, 0, serve_problem, NULL},
    {"GET", "/hls/~{token}/{rest...}", ROUTE_TOKEN, NULL, 0, serve_echo, NULL},
    {"GET", "/held", ROUTE_OPEN, NULL, 0, serve_held, NULL},
    {"GET", "/stream", ROUTE_OPEN, NULL, 0, serve_stream, NULL},
    {"GET", "/pushed", ROUTE_OPEN, NULL, 0, serve_pushed, NULL},
    {"GET", "/short", ROUTE_OPEN, NULL, 0, serve_short, NULL},
    {NULL, NULL, 0, NULL, 0, NULL, NULL},
};

/* --- the server --- */

struct http_options test_options(void)
{
    return (struct http_options){
        .listen = "127.0.0.1:0",
        .auth_mode = AUTH_NONE,
        .loops = 1,
        .timeouts = {.tick_ms = 50},
    };
}

struct http *test_server_with(const struct http_options *options, const struct http_auth *auth)
{
    struct http *http = NULL;
    struct why why = {.text = ""};
    seen.gone = seen.stream_gone = seen.held = seen.pulls = seen.calls = 0;
    enum err err = http_start(options, auth, ROUTES, &http, &why);
    if (err != OK)
        fail_msg("http_start: %s: %s", why.field, why.text);
    return http;
}

struct http *test_server(const struct http_options *options)
{
    return test_server_with(options, NULL);
}

bool wait_until(_Atomic int *counter, int value)
{
    int64_t until_ms = clock_mono_ms() + CLIENT_WAIT_MS;
    while (*counter != value) {
        if (clock_mono_ms() > until_ms)
            return false;
        poll(NULL, 0, 2);
    }
    return true;
}

uint64_t metric(struct http *http, const char *name)
{
    struct str text;
    str_init(&text);
    http_metrics(http, &text);
    char line[200];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(str_text(&text), line);
    assert_non_null(at);
    uint64_t value = strtoull(at + strlen(line), NULL, 10);
    str_fini(&text);
    return value;
}
