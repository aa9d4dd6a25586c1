/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transfers from a server of our own that behaves as its paths say, well and badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "fetch/fetch.h"

enum { PLAIN_BYTES = 1000, BIG_BYTES = 3 * 1000 * 1000 };

/* --- the server --- */

#define MOST_CALLS 256

struct server {
    int fd, port;
    pthread_t thread, calls[MOST_CALLS]; /* joined by the first */
    atomic_uint requests, sent_kb;
    pthread_mutex_t guard;
    char last[2048]; /* the last request; guard; of tests with one */
};

struct call {
    struct server *server;
    int fd;
};

static void say(int fd, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void) !send(fd, text, (size_t) length, MSG_NOSIGNAL);
}

static void send_pattern(struct server *server, int fd, size_t first, size_t size)
{
    char bytes[1000];
    for (size_t at = 0; at < size; at += sizeof bytes) {
        size_t step = size - at < sizeof bytes ? size - at : sizeof bytes;
        for (size_t i = 0; i < step; i++)
            bytes[i] = (char) ((first + at + i) * 7);
        if (send(fd, bytes, step, MSG_NOSIGNAL) < 0)
            return;
        atomic_fetch_add(&server->sent_kb, 1);
    }
}

static void answer_range(struct server *server, int fd, const char *request)
{
    unsigned first = 0, last = PLAIN_BYTES - 1;
    const char *range = strcasestr(request, "\r\nrange: bytes=");
    if (range == NULL || sscanf(range, "\r\n%*[Rr]ange: bytes=%u-%u", &first, &last) < 1)
        return;
    say(fd,
        "HTTP/1.1 206 Some\r\nContent-Length: %u\r\nContent-Range: bytes %u-%u/%u\r\n"
        "ETag: \"tag\"\r\nConnection: close\r\n\r\n",
        last - first + 1, first, last, PLAIN_BYTES);
    send_pattern(server, fd, first, last - first + 1);
}

static void answer(struct server *server, int fd, const char *request)
{
    char path[1024] = "", to[1024] = "";
    sscanf(request, "%*s %1023s", path);
    if (strcmp(path, "/plain") == 0) {
        say(fd,
            "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n"
            "Accept-Ranges: bytes\r\nLast-Modified: today\r\nConnection: close\r\n\r\n",
            PLAIN_BYTES);
        if (strncmp(request, "HEAD", 4) != 0)
            send_pattern(server, fd, 0, PLAIN_BYTES);
    } else if (strcmp(path, "/range") == 0) {
        answer_range(server, fd, request);
    } else if (sscanf(path, "/to?%1023s", to) == 1) {
        say(fd,
            "HTTP/1.1 302 There\r\nLocation: %s\r\nContent-Length: 4\r\n"
            "Connection: close\r\n\r\ngone",
            to);
    } else if (strcmp(path, "/short") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        send_pattern(server, fd, 0, PLAIN_BYTES);
    } else if (strcmp(path, "/big") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        send_pattern(server, fd, 0, BIG_BYTES);
    } else if (strcmp(path, "/liar") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
                "Connection: close\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
    } else if (strcmp(path, "/keep") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkeep");
    } else if (strcmp(path, "/silent") == 0) {
        char byte;
        (void) !recv(fd, &byte, 1, 0); /* until the other end has enough */
    } else {
        say(fd, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

static void *serve_one(void *arg)
{
    struct call call = *(struct call *) arg;
    char request[2048] = "";
    size_t length = 0;
    mem_free(arg);
    while (length + 1 < sizeof request && strstr(request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(call.fd, request + length, sizeof request - 1 - length, 0);
        if (got <= 0)
            break;
        length += (size_t) got;
    }
    while (length > 0 && strncmp(request, "GET /keep ", 10) == 0) {
        atomic_fetch_add(&call.server->requests, 1);
        answer(call.server, call.fd, request);
        ssize_t got = recv(call.fd, request, sizeof request - 1, 0); /* each in one packet */
        length = got > 0 ? (size_t) got : 0;
        request[length] = '\0';
    }
    if (length > 0) {
        pthread_mutex_lock(&call.server->guard);
        memcpy(call.server->last, request, sizeof request);
        pthread_mutex_unlock(&call.server->guard);
        atomic_fetch_add(&call.server->requests, 1);
        answer(call.server, call.fd, request);
    }
    close(call.fd);
    return NULL;
}

static const char *last_request(struct server *server)
{
    pthread_mutex_lock(&server->guard);
    pthread_mutex_unlock(&server->guard); /* it has been written, and there is no other */
    return server->last;
}

static void *serve(void *arg)
{
    struct server *server = arg;
    unsigned count = 0;
    int fd;
    while ((fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct call *call = mem_new(struct call);
        *call = (struct call){server, fd};
        assert_in_range(count, 0, MOST_CALLS - 1);
        assert_int_equal(pthread_create(&server->calls[count++], NULL, serve_one, call), 0);
    }
    while (count > 0)
        pthread_join(server->calls[--count], NULL);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&server->guard, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *) &address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* --- the bed --- */

struct bed {
    struct server server;
    struct fetch *fetch;
    struct loop *loop;
};

static int set_up_with(void **state, const struct fetch_options *options)
{
    struct bed *bed = mem_new(struct bed);
    struct why why = {0};
    server_start(&bed->server);
    assert_int_equal(fetch_start(options, &bed->fetch, &why), OK);
    assert_int_equal(loop_start("asker", &bed->loop), OK);
    *state = bed;
    return 0;
}

static int set_up(void **state)
{
    static const char *const allowed[] = {"127.0.0.1", NULL};
    return set_up_with(state, &(struct fetch_options){.id = "abc", .allowed = allowed});
}

static int set_up_strict(void **state)
{
    static const char *const resolve[] = {"good.example:8080:127.0.0.1",
                                          "good.example:8081:10.1.2.3,169.254.169.254",
                                          "six.example:8080:[::1]", NULL};
    return set_up_with(state, &(struct fetch_options){.id = "abc", .resolve = resolve});
}

static int set_up_proxied(void **state)
{
    return set_up_with(state, &(struct fetch_options){.id = "abc", .proxy = "http://127.0.0.1:1"});
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    fetch_stop(&bed->fetch);
    loop_stop(&bed->loop);
    shutdown(bed->server.fd, SHUT_RDWR);
    pthread_join(bed->server.thread, NULL);
    close(bed->server.fd);
    pthread_mutex_destroy(&bed->server.guard);
    mem_free(bed);
    return 0;
}

struct asked {
    struct bed *bed;
    struct fetch_order order;
    struct str url;
    struct fetch_transfer *transfer;
    /* the loop's until `over` */
    sem_t over, held;
    unsigned heads, dones;
    struct fetch_head head;
    char type[64], etag[64], modified[64], end_url[200];
    struct str body;
    size_t hold_at; /* says it has enough then; 0: never */
    bool ends_in_data;
    enum err kind;
    struct why why;
};

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct asked *asked = ctx;
    asked->heads++;
    asked->head = *head;
    snprintf(asked->type, sizeof asked->type, "%s", head->type);
    snprintf(asked->etag, sizeof asked->etag, "%s", head->etag);
    snprintf(asked->modified, sizeof asked->modified, "%s", head->modified);
    snprintf(asked->end_url, sizeof asked->end_url, "%s", head->url);
}

static bool on_data(void *ctx, const uint8_t *bytes, size_t size)
{
    struct asked *asked = ctx;
    assert_int_equal(asked->heads, 1);
    str_append(&asked->body, bytes, size);
    if (asked->ends_in_data) {
        fetch_end(&asked->transfer);
        sem_post(&asked->over);
        return true;
    }
    if (asked->hold_at == 0 || asked->body.length < asked->hold_at)
        return true;
    asked->hold_at = 0;
    sem_post(&asked->held);
    return false;
}

static void on_done(void *ctx, enum err kind, const struct why *why)
{
    struct asked *asked = ctx;
    asked->dones++;
    asked->kind = kind;
    asked->why = *why;
    sem_post(&asked->over);
}

static const struct fetch_events events = {on_head, on_data, on_done};

static void begin(void *arg)
{
    struct asked *asked = arg;
    asked->order.url = str_text(&asked->url);
    asked->order.events = &events;
    asked->order.ctx = asked;
    asked->order.mailbox = loop_mailbox(asked->bed->loop);
    asked->transfer = fetch_begin(asked->bed->fetch, &asked->order);
}

PRINTF_LIKE(3, 4)
static void prepare(struct bed *bed, struct asked *asked, const char *format, ...)
{
    char path[1500];
    va_list args;
    *asked = (struct asked){.bed = bed};
    sem_init(&asked->over, 0, 0);
    sem_init(&asked->held, 0, 0);
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    if (path[0] == '/')
        str_printf(&asked->url, "http://127.0.0.1:%d", bed->server.port);
    str_puts(&asked->url, path);
}

static void start(struct asked *asked)
{
    loop_call(asked->bed->loop, begin, asked);
}

static enum err wait_for(struct asked *asked)
{
    while (sem_wait(&asked->over) != 0)
        ;
    return asked->kind;
}

static void end_now(void *arg)
{
    struct asked *asked = arg;
    fetch_end(&asked->transfer);
}

static void drop(struct asked *asked)
{
    loop_call(asked->bed->loop, end_now, asked);
    str_fini(&asked->url);
    str_fini(&asked->body);
    sem_destroy(&asked->over);
    sem_destroy(&asked->held);
}

static enum err get(struct asked *asked)
{
    start(asked);
    return wait_for(asked);
}

static void expect_pattern(const struct asked *asked, size_t first, size_t size)
{
    assert_int_equal(asked->body.length, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal((uint8_t) asked->body.at[i], (uint8_t) ((first + i) * 7));
}

/* --- what works --- */

static void a_body_comes_with_its_head(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/plain");
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.heads, 1);
    assert_int_equal(asked.head.status, 200);
    assert_int_equal(asked.head.length, PLAIN_BYTES);
    assert_true(asked.head.accepts_ranges);
    assert_int_equal(asked.head.first, FETCH_UNKNOWN);
    assert_string_equal(asked.type, "video/mp4");
    assert_string_equal(asked.modified, "today");
    assert_string_equal(asked.etag, "");
    expect_pattern(&asked, 0, PLAIN_BYTES);
    assert_non_null(strstr(last_request(&bed->server), "\r\nVia: 1.1 matinee-abc\r\n"));
    drop(&asked);
}

static void a_head_has_no_body(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/plain");
    asked.order.is_head = true;
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.heads, 1);
    assert_int_equal(asked.head.length, PLAIN_BYTES);
    assert_int_equal(asked.body.length, 0);
    drop(&asked);
}

static void a_range_says_where_it_stands(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/range");
    asked.order.range = "200-299";
    asked.order.if_range = "\"tag\"";
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.head.status, 206);
    assert_int_equal(asked.head.first, 200);
    assert_int_equal(asked.head.total, PLAIN_BYTES);
    assert_string_equal(asked.etag, "\"tag\"");
    expect_pattern(&asked, 200, 100);
    assert_non_null(strcasestr(last_request(&bed->server), "\r\nRange: bytes=200-299\r\n"));
    assert_non_null(strstr(last_request(&bed->server), "\r\nIf-Range: \"tag\"\r\n"));
    drop(&asked);
}

static void redirects_are_followed(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/to?/to?/plain");
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.heads, 1);
    assert_int_equal(asked.head.status, 200);
    assert_non_null(strstr(asked.end_url, "/plain"));
    expect_pattern(&asked, 0, PLAIN_BYTES);
    drop(&asked);
}

/* RFC 9112 6.3: chunks count, and a length beside them is no promise of ours. */
static void a_length_beside_chunks_is_not_told(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/liar");
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.head.length, FETCH_UNKNOWN);
    assert_int_equal(asked.body.length, 10);
    drop(&asked);
}

/* What the environment says of proxies counts for nothing. */
static void the_environment_leads_nobody_past_the_proxy(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/plain");
    setenv("no_proxy", "127.0.0.1", 1);
    setenv("http_proxy", "http://127.0.0.1:2", 1);
    enum err kind = get(&asked);
    unsetenv("no_proxy");
    unsetenv("http_proxy");
    assert_int_equal(kind, ERR_IO); /* the proxy that was set is not there */
    assert_int_equal(atomic_load(&bed->server.requests), 0);
    drop(&asked);
}

static void an_error_is_an_answer(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/nothing");
    assert_int_equal(get(&asked), OK);
    assert_int_equal(asked.head.status, 404);
    drop(&asked);
}

static void more(void *arg)
{
    struct asked *asked = arg;
    fetch_more(asked->transfer);
}

/* Who takes no more holds the sender back: what waits is a window's worth. */
static void a_slow_reader_holds_the_sender_back(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/big");
    asked.hold_at = 10000;
    start(&asked);
    sem_wait(&asked.held);
    unsigned before, now = 0;
    do { /* until the sender stands still */
        before = now;
        usleep(200 * 1000);
        now = atomic_load(&bed->server.sent_kb);
    } while (now != before);
    size_t held = asked.body.length;
    assert_true(held < BIG_BYTES / 2);
    assert_int_equal(asked.dones, 0);
    loop_call(bed->loop, more, &asked);
    assert_int_equal(wait_for(&asked), OK);
    expect_pattern(&asked, 0, BIG_BYTES);
    drop(&asked);
}

static void who_ends_hears_no_more(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/big");
    asked.ends_in_data = true;
    start(&asked);
    (void) wait_for(&asked);
    size_t held = asked.body.length;
    usleep(100 * 1000);
    assert_int_equal(asked.dones, 0);
    assert_int_equal(asked.body.length, held);
    drop(&asked);
}

/* --- what does not --- */

static void expect_failure(struct asked *asked, enum err kind, const char *words)
{
    if (get(asked) != kind)
        fail_msg("%s: %s %s", str_text(&asked->url), err_name(asked->kind), asked->why.text);
    if (strstr(asked->why.text, words) == NULL)
        fail_msg("%s: %s", str_text(&asked->url), asked->why.text);
    assert_int_equal(asked->dones, 1);
    drop(asked);
}

static void bad_servers_are_told_apart(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/short");
    expect_failure(&asked, ERR_IO, "ended");
    prepare(bed, &asked, "/silent");
    asked.order.idle_ms = 1000;
    expect_failure(&asked, ERR_TIMEOUT, "does not answer");
    prepare(bed, &asked, "/big");
    asked.order.limit_bytes = 50000;
    expect_failure(&asked, ERR_LIMIT, "50000");
    prepare(bed, &asked, "/to?/to?/to?/to?/to?/to?/to?/plain");
    expect_failure(&asked, ERR_REFUSED, "redirects");
    prepare(bed, &asked, "/to?ftp://127.0.0.1/");
    expect_failure(&asked, ERR_BAD_INPUT, "http");
    prepare(bed, &asked, "http://127.0.0.1:1/");
    expect_failure(&asked, ERR_IO, "reached");
}

static void stopping_ends_what_is_under_way(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    prepare(bed, &asked, "/silent");
    start(&asked);
    for (int i = 0; i < 5000 && atomic_load(&bed->server.requests) == 0; i++)
        usleep(1000);
    fetch_stop(&bed->fetch);
    assert_int_equal(wait_for(&asked), ERR_CANCELLED);
    assert_int_equal(asked.dones, 1);
    drop(&asked);
}

/* --- who may not be asked --- */

static void tricks_reach_nobody(void **state)
{
    static const struct {
        const char *url;
        enum err kind;
    } tricks[] = {
        {"http://127.0.0.1:%d/plain", ERR_REFUSED},
        {"http://localhost:%d/plain", ERR_REFUSED},
        {"http://LOCALHOST:%d/plain", ERR_REFUSED},
        {"http://2130706433:%d/plain", ERR_REFUSED}, /* decimal */
        {"http://0x7f000001:%d/plain", ERR_REFUSED}, /* hexadecimal */
        {"http://0177.0.0.1:%d/plain", ERR_REFUSED}, /* octal */
        {"http://017700000001:%d/plain", ERR_REFUSED},
        {"http://127.1:%d/plain", ERR_REFUSED},
        {"http://127.0.1:%d/plain", ERR_REFUSED},
        {"http://127.000.000.001:%d/plain", ERR_REFUSED},
        {"http://0:%d/plain", ERR_REFUSED},
        {"http://0.0.0.0:%d/plain", ERR_REFUSED},
        {"http://[::1]:%d/plain", ERR_REFUSED},
        {"http://[::]:%d/plain", ERR_REFUSED},
        {"http://[0:0:0:0:0:0:0:1]:%d/plain", ERR_REFUSED},
        {"http://[::ffff:127.0.0.1]:%d/plain", ERR_REFUSED},
        {"http://[::ffff:7f00:1]:%d/plain", ERR_REFUSED},
        {"http://[::127.0.0.1]:%d/plain", ERR_REFUSED},
        {"http://[64:ff9b::7f00:1]:%d/plain", ERR_REFUSED},
        {"http://[2002:7f00:1::]:%d/plain", ERR_REFUSED},
        {"http://[fe80::1]:%d/plain", ERR_REFUSED},
        {"http://[fc00::1]:%d/plain", ERR_REFUSED},
        {"http://[ff02::1]:%d/plain", ERR_REFUSED},
        {"http://10.0.0.1:%d/", ERR_REFUSED},
        {"http://172.16.0.1:%d/", ERR_REFUSED},
        {"http://192.168.1.1:%d/", ERR_REFUSED},
        {"http://100.64.0.1:%d/", ERR_REFUSED},
        {"http://169.254.169.254:%d/latest/meta-data/", ERR_REFUSED},
        {"http://198.18.0.1:%d/", ERR_REFUSED},
        {"http://224.0.0.1:%d/", ERR_REFUSED},
        {"http://255.255.255.255:%d/", ERR_REFUSED},
        {"http://good.example:8080/plain", ERR_REFUSED}, /* a name that leads to us */
        {"http://good.example:8081/plain", ERR_REFUSED}, /* one with two addresses */
        {"http://six.example:8080/plain", ERR_REFUSED},
        {"http://user@127.0.0.1:%d/plain", ERR_REFUSED},
        {"http://user:word@127.0.0.1:%d/plain", ERR_REFUSED},
        {"http://8.8.8.8@127.0.0.1:%d/plain", ERR_REFUSED},
        {"http://127.0.0.1:%d#@8.8.8.8/", ERR_REFUSED},
        {"http://127.0.0.1:22/", ERR_REFUSED},
        {"http://8.8.8.8:25/", ERR_REFUSED},
        {"file:///etc/passwd", ERR_BAD_INPUT},
        {"ftp://127.0.0.1/", ERR_BAD_INPUT},
        {"gopher://127.0.0.1:%d/_GET", ERR_BAD_INPUT},
        {"dict://127.0.0.1:%d/", ERR_BAD_INPUT},
        {"ldap://127.0.0.1/", ERR_BAD_INPUT},
        {"jar:http://127.0.0.1:%d/plain", ERR_BAD_INPUT},
        {"javascript:alert(1)", ERR_BAD_INPUT},
        {"data:text/html,x", ERR_BAD_INPUT},
        {"http://", ERR_BAD_INPUT},
        {"http://127.0.0.1:99999/", ERR_BAD_INPUT},
        {"http://a b/", ERR_BAD_INPUT},
        {"http://[::1/", ERR_BAD_INPUT},
        {"//127.0.0.1/", ERR_BAD_INPUT},
        {"", ERR_BAD_INPUT},
    };
    struct bed *bed = *state;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        struct asked asked;
        prepare(bed, &asked, "%s", "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        str_printf(&asked.url, tricks[i].url, bed->server.port);
#pragma GCC diagnostic pop
        expect_failure(&asked, tricks[i].kind, "");
    }
    assert_int_equal(atomic_load(&bed->server.requests), 0);
}

/* An admin's URL leads to its origin alone; what was opened for it carries nobody else's. */
static void what_an_admin_wrote_leads_there_alone(void **state)
{
    struct bed *bed = *state;
    struct asked asked;
    char origin[64];
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d", bed->server.port);
    prepare(bed, &asked, "/plain");
    asked.order.origin = origin;
    assert_int_equal(get(&asked), OK);
    drop(&asked);
    prepare(bed, &asked, "/to?/plain");
    asked.order.origin = origin;
    assert_int_equal(get(&asked), OK);
    drop(&asked);
    static const char *const elsewhere[] = {"/to?http://127.0.0.2:8080/", "/to?http://localhost/",
                                            "/to?https://127.0.0.1/"};
    for (size_t i = 0; i < 3; i++) {
        prepare(bed, &asked, "%s", elsewhere[i]);
        asked.order.origin = origin;
        expect_failure(&asked, ERR_REFUSED, "leads to");
    }
    prepare(bed, &asked, "/keep"); /* its connection stays open */
    asked.order.origin = origin;
    assert_int_equal(get(&asked), OK);
    drop(&asked);
    unsigned before = atomic_load(&bed->server.requests);
    prepare(bed, &asked, "/keep"); /* somebody else's */
    expect_failure(&asked, ERR_REFUSED, "127.0.0.1");
    assert_int_equal(atomic_load(&bed->server.requests), before);
}

int main(void)
{
#define TEST(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define STRICT(test) cmocka_unit_test_setup_teardown(test, set_up_strict, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_body_comes_with_its_head),
        TEST(a_head_has_no_body),
        TEST(a_range_says_where_it_stands),
        TEST(redirects_are_followed),
        TEST(an_error_is_an_answer),
        TEST(a_slow_reader_holds_the_sender_back),
        TEST(who_ends_hears_no_more),
        TEST(bad_servers_are_told_apart),
        TEST(stopping_ends_what_is_under_way),
        TEST(a_length_beside_chunks_is_not_told),
        cmocka_unit_test_setup_teardown(the_environment_leads_nobody_past_the_proxy, set_up_proxied,
                                        tear_down),
        STRICT(tricks_reach_nobody),
        STRICT(what_an_admin_wrote_leads_there_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
