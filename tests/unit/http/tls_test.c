/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTPS: certificates and their change, ALPN, HTTP/2 where it is on. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client.h"

struct stage {
    char folder[64], certificate[100], key[100];
};

/* --- certificates --- */

static void write_pair(const struct stage *stage, const char *name)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *) name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    assert_true(X509_sign(certificate, pair, EVP_sha256()) > 0);
    FILE *file = fopen(stage->certificate, "w");
    assert_non_null(file);
    PEM_write_X509(file, certificate);
    fclose(file);
    file = fopen(stage->key, "w");
    PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(pair);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    struct stage *stage = mem_new(struct stage);
    snprintf(stage->folder, sizeof stage->folder, "/tmp/matinee-tls-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->certificate, sizeof stage->certificate, "%s/cert.pem", stage->folder);
    snprintf(stage->key, sizeof stage->key, "%s/key.pem", stage->folder);
    write_pair(stage, "first");
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    unlink(stage->certificate);
    unlink(stage->key);
    rmdir(stage->folder);
    mem_free(stage);
    return 0;
}

static struct http *tls_server(const struct stage *stage, bool http2)
{
    struct http_options options = test_options();
    options.certificate_file = stage->certificate;
    options.key_file = stage->key;
    options.http2 = http2;
    return test_server(&options);
}

/* --- a client --- */

struct secure {
    struct client client;
    SSL_CTX *context;
    SSL *ssl;
};

static bool secure_open(struct secure *secure, const struct http *http, const char *protocols)
{
    struct timeval wait = {.tv_sec = 3};
    client_open(&secure->client, http);
    setsockopt(secure->client.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    secure->context = SSL_CTX_new(TLS_client_method());
    secure->ssl = SSL_new(secure->context);
    SSL_set_fd(secure->ssl, secure->client.fd);
    if (protocols != NULL)
        SSL_set_alpn_protos(secure->ssl, (const unsigned char *) protocols,
                            (unsigned) strlen(protocols));
    return SSL_connect(secure->ssl) == 1;
}

static void secure_close(struct secure *secure, bool says_goodbye)
{
    if (says_goodbye)
        SSL_shutdown(secure->ssl);
    SSL_free(secure->ssl);
    SSL_CTX_free(secure->context);
    client_close(&secure->client);
}

static void expect_secure_answer(struct secure *secure, const char *path, const char *text)
{
    char buffer[8192] = "";
    size_t length = 0;
    int sent = snprintf(buffer, sizeof buffer, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(SSL_write(secure->ssl, buffer, sent), sent);
    buffer[0] = '\0';
    while (strstr(buffer, text) == NULL) {
        int got = SSL_read(secure->ssl, buffer + length, (int) (sizeof buffer - 1 - length));
        if (got <= 0)
            fail_msg("no \"%s\" in \"%s\"", text, buffer);
        length += (size_t) got;
        buffer[length] = '\0';
    }
}

/* The name in the certificate that the server shows to a new connection. */
static void shown_name(const struct http *http, char *out, int room)
{
    struct secure secure;
    assert_true(secure_open(&secure, http, NULL));
    X509 *certificate = SSL_get1_peer_certificate(secure.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out, room);
    X509_free(certificate);
    secure_close(&secure, true);
}

static bool shows_name(const struct http *http, const char *name)
{
    char shown[64];
    for (int64_t until_ms = clock_mono_ms() + 3000; clock_mono_ms() < until_ms; poll(NULL, 0, 20)) {
        shown_name(http, shown, sizeof shown);
        if (strcmp(shown, name) == 0)
            return true;
    }
    return false;
}

/* --- tests --- */

/* h2o keeps up to 16 buffers for the next HTTP/2 reply of a thread, out of our reach, and loses
 * them with the thread. Nothing of ours allocates there. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\n";
}

static void requests_are_answered_over_tls(void **state)
{
    struct http *http = tls_server(*state, false);
    struct secure secure;
    assert_memory_equal(http_url(http), "https://127.0.0.1:", 18);
    assert_true(secure_open(&secure, http, NULL));
    expect_secure_answer(&secure, "/api/echo/x", "secure=1");
    expect_secure_answer(&secure, "/hello?plain", "\r\n\r\nabcdef");
    secure_close(&secure, true);
    http_stop(&http, 100);
}

static void who_leaves_a_held_request_over_tls_is_noticed(void **state)
{
    struct http *http = tls_server(*state, false);
    struct secure secure;
    const char *text = "GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_true(secure_open(&secure, http, NULL));
    assert_int_equal(SSL_write(secure.ssl, text, (int) strlen(text)), (int) strlen(text));
    assert_true(wait_until(&seen.held, 1));
    secure_close(&secure, true); /* its goodbye is there to be read, and is not */
    assert_true(wait_until(&seen.gone, 1));
    http_stop(&http, 100);
}

static void a_new_certificate_is_taken_up(void **state)
{
    const struct stage *stage = *state;
    struct http *http = tls_server(stage, false);
    struct secure early;
    assert_true(secure_open(&early, http, NULL));
    assert_true(shows_name(http, "first"));
    write_pair(stage, "second");
    assert_true(shows_name(http, "second"));
    expect_secure_answer(&early, "/hello", "HTTP/1.1 200 OK"); /* goes on with the old one */
    write_text(stage->key, "this is no key\n");
    poll(NULL, 0, 400);
    assert_true(shows_name(http, "second")); /* kept */
    write_pair(stage, "third");
    assert_true(shows_name(http, "third"));
    secure_close(&early, true);
    http_stop(&http, 100);
}

static void bad_certificates_are_said_at_start(void **state)
{
    const struct stage *stage = *state;
    struct http_options options = test_options();
    static const struct http_route NONE[] = {{NULL, NULL, 0, NULL, 0, NULL, NULL}};
    struct http *http = NULL;
    struct why why;
    options.certificate_file = stage->certificate;
    options.key_file = "/nowhere/key.pem";
    assert_int_equal(http_start(&options, NULL, NONE, &http, &why), ERR_BAD_INPUT);
    assert_string_equal(why.field, "http.tls.key");
    options.key_file = stage->key;
    write_text(stage->certificate, "no certificate\n");
    assert_int_equal(http_start(&options, NULL, NONE, &http, &why), ERR_BAD_INPUT);
    assert_string_equal(why.field, "http.tls.certificate");
}

static void broken_handshakes_are_survived(void **state)
{
    struct http *http = tls_server(*state, false);
    static const struct slice GARBAGE[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\x16\x03\x01\x00\x05hello", 10},
        {"\x16\x03\x01\x02", 4}, /* and no more: waits for the handshake's time */
    };
    for (size_t i = 0; i < 3; i++) {
        struct client client;
        client_open(&client, http);
        client_send_bytes(&client, GARBAGE[i].at, GARBAGE[i].length);
        if (i < 2)
            assert_true(client_sees_end(&client, 10000));
        client_close(&client);
    }
    struct secure secure;
    assert_true(secure_open(&secure, http, NULL));
    client_send_bytes(&secure.client, "\x17\x03\x03\x00\x05junk!",
                      10); /* a record that fits nothing */
    assert_true(client_sees_end(&secure.client, 10000));
    secure_close(&secure, false);
    assert_true(secure_open(&secure, http, NULL));
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(secure.client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    secure_close(&secure, false);
    assert_true(secure_open(&secure, http, NULL));
    expect_secure_answer(&secure, "/hello", "HTTP/1.1 200 OK");
    secure_close(&secure, true);
    http_stop(&http, 100);
}

static void reset_connections_are_not_kept(void **state)
{
    const struct stage *stage = *state;
    struct http_options options = test_options();
    options.certificate_file = stage->certificate;
    options.key_file = stage->key;
    options.timeouts = (struct http_timeouts){.header_ms = 150, .tick_ms = 20};
    struct http *http = test_server(&options);
    for (int i = 0; i < 20; i++) {
        struct secure secure;
        assert_true(secure_open(&secure, http, NULL));
        expect_secure_answer(&secure, "/hello", "HTTP/1.1 200 OK");
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        setsockopt(secure.client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        secure_close(&secure, false);
    }
    int64_t until_ms = clock_mono_ms() + 3000;
    while (metric(http, "matinee_http_connections") > 0 && clock_mono_ms() < until_ms)
        poll(NULL, 0, 10);
    assert_int_equal(metric(http, "matinee_http_connections"), 0);
    http_stop(&http, 100);
}

static void reset_connections_do_not_delay_the_stop(void **state)
{
    struct http *http = tls_server(*state, false);
    struct secure secure;
    assert_true(secure_open(&secure, http, NULL));
    expect_secure_answer(&secure, "/hello", "HTTP/1.1 200 OK");
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(secure.client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    secure_close(&secure, false);
    int64_t from_ms = clock_mono_ms();
    http_stop(&http, 100);
    assert_in_range(clock_mono_ms() - from_ms, 0, 2000);
}

static void chosen_protocol(struct http *http, const char *offered, const char *expected)
{
    struct secure secure;
    const unsigned char *name;
    unsigned length;
    assert_true(secure_open(&secure, http, offered));
    SSL_get0_alpn_selected(secure.ssl, &name, &length);
    assert_int_equal(length, strlen(expected));
    if (length > 0)
        assert_memory_equal(name, expected, length);
    secure_close(&secure, true);
}

static void http2_is_off_until_it_is_on(void **state)
{
    struct http *http = tls_server(*state, false);
    chosen_protocol(http, "\x02h2\x08http/1.1", "http/1.1");
    chosen_protocol(http, "\x02h2", "");
    http_stop(&http, 100);
    http = tls_server(*state, true);
    chosen_protocol(http, "\x08http/1.1\x02h2", "h2");
    chosen_protocol(http, "\x08http/1.1", "http/1.1");
    http_stop(&http, 100);
}

/* --- HTTP/2 (RFC 9113), as little of it as a test needs --- */

enum { FRAME_DATA, FRAME_HEADERS, FRAME_RST_STREAM = 3, FRAME_SETTINGS };

static void send_frame(struct secure *secure, unsigned char type, unsigned char flags,
                       unsigned stream, const void *payload, size_t size)
{
    unsigned char frame[300] = {0, (unsigned char) (size >> 8), (unsigned char) size, type, flags};
    frame[7] = (unsigned char) (stream >> 8);
    frame[8] = (unsigned char) stream;
    memcpy(frame + 9, payload, size);
    assert_int_equal(SSL_write(secure->ssl, frame, (int) size + 9), (int) size + 9);
}

static void open_http2(struct secure *secure, struct http *http)
{
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_true(secure_open(secure, http, "\x02h2"));
    assert_int_equal(SSL_write(secure->ssl, PREFACE, sizeof PREFACE - 1), sizeof PREFACE - 1);
    send_frame(secure, FRAME_SETTINGS, 0, 0, "", 0);
}

/* HEADERS with indexed fields of HPACK's static table (RFC 7541, appendix A). */
static void ask_http2(struct secure *secure, unsigned stream, const char *path)
{
    char block[200];
    int length = snprintf(block, sizeof block, "\x82\x87\x04%c%s\x01\x09localhost",
                          (int) strlen(path), path);
    send_frame(secure, FRAME_HEADERS, 4 | 1, stream, block, (size_t) length);
}

static void read_all(struct secure *secure, unsigned char *into, size_t size)
{
    for (size_t got = 0; got < size;) {
        int more = SSL_read(secure->ssl, into + got, (int) (size - got));
        assert_true(more > 0);
        got += (size_t) more;
    }
}

/* Reads frames until the stream ends: the type of its last one; *bytes of DATA. */
static unsigned char read_http2(struct secure *secure, size_t *bytes)
{
    static unsigned char payload[1 << 17];
    unsigned char head[9];
    *bytes = 0;
    for (;;) {
        read_all(secure, head, sizeof head);
        size_t size = (size_t) head[0] << 16 | (size_t) head[1] << 8 | head[2];
        assert_true(size <= sizeof payload);
        read_all(secure, payload, size);
        if (head[3] == FRAME_DATA)
            *bytes += size;
        if (head[3] == FRAME_RST_STREAM || (head[3] <= FRAME_HEADERS && (head[4] & 1) != 0))
            return head[3];
    }
}

static void http2_answers(void **state)
{
    struct http *http = tls_server(*state, true);
    struct secure secure;
    size_t bytes;
    open_http2(&secure, http);
    ask_http2(&secure, 1, "/hello?plain");
    assert_int_equal(read_http2(&secure, &bytes), FRAME_DATA);
    assert_int_equal(bytes, 1024);
    ask_http2(&secure, 3, "/stream?size=50000");
    assert_int_equal(read_http2(&secure, &bytes), FRAME_DATA);
    assert_int_equal(bytes, 50000);
    ask_http2(&secure, 5, "/stream?size=1000&break=500");
    assert_int_equal(read_http2(&secure, &bytes), FRAME_RST_STREAM);
    ask_http2(&secure, 7, "/short");
    assert_int_equal(read_http2(&secure, &bytes), FRAME_RST_STREAM);
    assert_true(wait_until(&seen.stream_gone, 3));
    secure_close(&secure, true);
    http_stop(&http, 100);
}

static void who_leaves_over_http2_is_noticed(void **state)
{
    struct http *http = tls_server(*state, true);
    struct secure secure;
    open_http2(&secure, http);
    ask_http2(&secure, 1, "/held");
    ask_http2(&secure, 3, "/held");
    ask_http2(&secure, 5, "/stream?size=1000&wait=400");
    assert_true(wait_until(&seen.held, 3));
    assert_true(wait_until(&seen.pulls, 2));
    send_frame(&secure, FRAME_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    assert_true(wait_until(&seen.gone, 1));
    send_frame(&secure, FRAME_RST_STREAM, 0, 5, "\0\0\0\x08", 4);
    assert_true(wait_until(&seen.stream_gone, 1));
    secure_close(&secure, true);
    assert_true(wait_until(&seen.gone, 2));
    http_stop(&http, 100);
}

/* False: the server has ended the connection. */
static bool ask_and_reset(struct secure *secure, unsigned stream)
{
    static const unsigned char BOTH[] = {0,
                                         0,
                                         14,
                                         FRAME_HEADERS,
                                         5,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0x82,
                                         0x87,
                                         0x84,
                                         0x01,
                                         9,
                                         'l',
                                         'o',
                                         'c',
                                         'a',
                                         'l',
                                         'h',
                                         'o',
                                         's',
                                         't',
                                         0,
                                         0,
                                         4,
                                         FRAME_RST_STREAM,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         8};
    enum { SECOND = 23 };
    unsigned char frames[sizeof BOTH];
    memcpy(frames, BOTH, sizeof BOTH);
    frames[7] = frames[SECOND + 7] = (unsigned char) (stream >> 8);
    frames[8] = frames[SECOND + 8] = (unsigned char) stream;
    return SSL_write(secure->ssl, frames, sizeof frames) == sizeof frames;
}

/* CVE-2023-44487. Others go on. */
static void who_opens_streams_and_resets_them_is_thrown_out(void **state)
{
    struct http *http = tls_server(*state, true);
    struct secure flooder, other;
    unsigned sent = 0;
    size_t bytes;
    open_http2(&other, http);
    open_http2(&flooder, http);
    while (sent < 20000 && ask_and_reset(&flooder, 2 * sent + 1))
        sent++;
    assert_true(sent >= 400);
    assert_true(sent < 20000);
    for (unsigned stream = 1; stream < 60; stream += 2) {
        ask_http2(&other, stream, "/hello?plain");
        assert_int_equal(read_http2(&other, &bytes), FRAME_DATA);
    }
    secure_close(&flooder, false);
    secure_close(&other, true);
    http_stop(&http, 100);
}

static void http2_is_stopped(void **state)
{
    struct http *http = tls_server(*state, true);
    struct secure secure;
    open_http2(&secure, http);
    ask_http2(&secure, 1, "/held");
    ask_http2(&secure, 3, "/stream?size=1000&wait=400");
    assert_true(wait_until(&seen.held, 2));
    http_stop(&http, 100);
    assert_int_equal(seen.gone, 1);
    assert_int_equal(seen.stream_gone, 1);
    secure_close(&secure, false);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* of those that were thrown out */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_answered_over_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_leaves_a_held_request_over_tls_is_noticed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_new_certificate_is_taken_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_certificates_are_said_at_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_handshakes_are_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reset_connections_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reset_connections_do_not_delay_the_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http2_is_off_until_it_is_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http2_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_leaves_over_http2_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_opens_streams_and_resets_them_is_thrown_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(http2_is_stopped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
