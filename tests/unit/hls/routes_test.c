/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /hls/... and /raw over real HTTP, with fake media processes: what is held, sent, refused, broken
 * (decisions 2, 4, 20, 25, 41-43, 46; rules 72-76). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/http.h"
#include "room_stage.h"

struct server {
    struct stage *stage;
    struct http *http;
    struct http_route routes[4];
    int port;
};

/* An answer as it came: headers in lower case as sent, the body without its chunks. */
struct answer {
    int status;
    struct str headers, body;
    bool is_whole; /* ended as it said it would */
    int64_t headers_ms;
};

static enum err no_user(void *ctx UNUSED, struct slice cookie UNUSED, struct slice bearer UNUSED,
                        struct http_user *out UNUSED)
{
    return ERR_NOT_FOUND;
}

static bool has_accounts(void *ctx UNUSED)
{
    return true;
}

static int set_up(void **state)
{
    static const char *const none[] = {NULL};
    struct server *server = mem_new(struct server);
    struct why why = {0};
    void *stage = NULL;
    assert_int_equal(stage_set_up(&stage), 0);
    server->stage = stage;
    struct hls *hls = server->stage->hls;
    server->routes[0] = (struct http_route){.method = "GET",
                                            .path = "/hls/{file}/master.m3u8",
                                            .handler = hls_serve_master,
                                            .ctx = hls};
    server->routes[1] = (struct http_route){.method = "GET",
                                            .path = "/hls/{file}/{rendition}/{name}",
                                            .handler = hls_serve_media,
                                            .ctx = hls};
    server->routes[2] = (struct http_route){
        .method = "GET", .path = "/api/v1/files/{id}/raw", .handler = hls_serve_raw, .ctx = hls};
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .hosts = none,
                                         .trusted_proxies = none,
                                         .base_path = "",
                                         .auth_mode = AUTH_NONE,
                                         .loops = 1};
    const struct http_auth auth = {.ctx = NULL, .user = no_user, .has_accounts = has_accounts};
    if (http_start(&options, &auth, server->routes, &server->http, &why) != OK)
        fail_msg("%s", why.text);
    server->port = atoi(strrchr(http_url(server->http), ':') + 1);
    *state = server;
    return 0;
}

static int tear_down(void **state)
{
    struct server *server = *state;
    void *stage = server->stage;
    http_stop(&server->http, 100);
    stage_tear_down(&stage);
    mem_free(server);
    return 0;
}

/* --- a client --- */

static int request(const struct server *server, const char *method, const char *path,
                   const char *headers)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) server->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof address), 0);
    struct str text = {0};
    str_printf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s\r\n", method,
               path, headers);
    assert_int_equal(write(fd, text.at, text.length), text.length);
    str_fini(&text);
    return fd;
}

static const char *header(const struct answer *answer, const char *name)
{
    static char value[200];
    struct str line = {0};
    str_printf(&line, "\n%s: ", name);
    const char *at = strcasestr(str_text(&answer->headers), str_text(&line));
    size_t skip = line.length;
    str_fini(&line);
    if (at == NULL)
        return NULL;
    snprintf(value, sizeof value, "%.*s", (int) strcspn(at + skip, "\r"), at + skip);
    return value;
}

/* Takes the chunks off (RFC 9112 7.1). False: the last one did not come. */
static bool unchunk(const struct str *raw, struct str *out)
{
    size_t at = 0;
    while (at < raw->length) {
        char *end = NULL;
        size_t size = strtoul(raw->at + at, &end, 16);
        at = (size_t) (end - raw->at) + 2;
        if (size == 0)
            return true;
        if (at + size > raw->length)
            return false;
        str_append(out, raw->at + at, size);
        at += size + 2;
    }
    return false;
}

static void read_answer(int fd, bool is_head, struct answer *out)
{
    struct str all = {0};
    char bytes[4096];
    ssize_t got;
    int64_t began = clock_mono_ms();
    size_t split = 0;
    *out = (struct answer){0};
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        str_append(&all, bytes, (size_t) got);
        const char *end = split == 0 ? strstr(all.at, "\r\n\r\n") : NULL;
        if (end != NULL) {
            split = (size_t) (end - all.at) + 4;
            out->headers_ms = clock_mono_ms() - began;
        }
    }
    close(fd);
    assert_true(split > 0);
    str_append(&out->headers, all.at, split);
    out->status = atoi(all.at + 9);
    struct str raw = {0};
    str_append(&raw, all.at + split, all.length - split);
    const char *length = header(out, "content-length");
    if (is_head) {
        out->is_whole = raw.length == 0;
    } else if (length != NULL) {
        str_append(&out->body, raw.at, raw.length);
        out->is_whole = raw.length == strtoul(length, NULL, 10);
    } else {
        out->is_whole = unchunk(&raw, &out->body);
    }
    str_fini(&raw);
    str_fini(&all);
}

static void drop(struct answer *answer)
{
    str_fini(&answer->headers);
    str_fini(&answer->body);
}

static void get(struct server *server, const char *path, const char *headers, struct answer *out)
{
    read_answer(request(server, "GET", path, headers), false, out);
}

static void expect_header(const struct answer *answer, const char *name, const char *value)
{
    const char *found = header(answer, name);
    if (found == NULL || strcmp(found, value) != 0)
        fail_msg("%s is %s, not %s", name, found != NULL ? found : "absent", value);
}

static int get_status(struct server *server, const char *path)
{
    struct answer answer;
    get(server, path, "", &answer);
    int status = answer.status;
    if (status >= 400)
        expect_header(&answer, "cache-control", "no-store");
    drop(&answer);
    return status;
}

/* The `v` of a rendition, out of the multivariant playlist. */
static void version_of(struct server *server, const char *rendition, char out[9])
{
    struct answer answer;
    struct str pattern = {0};
    get(server, "/hls/a/master.m3u8?client=mse", "", &answer);
    str_printf(&pattern, "%s/index.m3u8?v=", rendition);
    const char *at = strstr(str_text(&answer.body), str_text(&pattern));
    assert_non_null(at);
    memcpy(out, at + pattern.length, 8);
    out[8] = '\0';
    str_fini(&pattern);
    drop(&answer);
}

/* --- tests --- */

static void playlists_are_text_with_a_tag(void **state)
{
    struct server *server = *state;
    struct answer answer;
    get(server, "/hls/a/master.m3u8?client=mse&p=abc", "", &answer);
    assert_int_equal(answer.status, 200);
    expect_header(&answer, "content-type", "application/vnd.apple.mpegurl");
    expect_header(&answer, "cache-control", "private, no-cache");
    assert_non_null(strstr(str_text(&answer.body), "&client=mse&p=abc"));
    char again[200];
    snprintf(again, sizeof again, "If-None-Match: %s\r\n", header(&answer, "etag"));
    drop(&answer);
    get(server, "/hls/a/master.m3u8?client=mse&p=abc", again, &answer);
    assert_int_equal(answer.status, 304);
    drop(&answer);
    /* Long enough to be worth it. */
    get(server,
        "/hls/a/video-720p/index.m3u8?client=native"
        "&p=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "Accept-Encoding: gzip\r\n", &answer);
    assert_int_equal(answer.status, 200);
    expect_header(&answer, "content-encoding", "gzip");
    expect_header(&answer, "cache-control", "no-store"); /* no `v` */
    drop(&answer);
    /* Decision 4: without `client`, what a script fetches is mse, all else native. */
    get(server, "/hls/a/master.m3u8", "Sec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n",
        &answer);
    assert_non_null(strstr(str_text(&answer.body), "client=mse"));
    drop(&answer);
    get(server, "/hls/a/master.m3u8", "", &answer);
    assert_non_null(strstr(str_text(&answer.body), "client=native"));
    drop(&answer);
}

static void wrong_urls_have_right_answers(void **state)
{
    struct server *server = *state;
    static const struct {
        const char *path;
        int status;
    } cases[] = {
        {"/hls/zzz/master.m3u8", 404},
        {"/hls/a/video-4k/index.m3u8", 404},
        {"/hls/a/video-copy/4.m4s", 404},
        {"/hls/a/video-copy/99999999999999999999.m4s", 404},
        {"/hls/a/video-copy/-1.m4s", 404},
        {"/hls/a/video-copy/01.m4s", 404},
        {"/hls/a/video-copy/.m4s", 404},
        {"/hls/a/video-copy/0.vtt", 404},
        {"/hls/a/video-copy/0.ts", 404},
        {"/hls/a/video-copy/0.m4s?v=00000000", 410},
        {"/hls/a/video-copy/0.m4s?v=", 410},
        {"/hls/a/video-copy/index.m3u8?v=00000000000000000000000000000000000000", 410},
        {"/hls/a/video-copy/init.mp4?v=00000000", 410},
        {"/hls/a/video-4k/0.m4s?v=00000000", 410},
        {"/hls/a/master.m3u8?client=vlc", 400},
        {"/hls/a/master.m3u8?p=a%20b", 400},
        {"/api/v1/files/zzz/raw", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = get_status(server, cases[i].path);
        if (status != cases[i].status)
            fail_msg("%s: %d, not %d", cases[i].path, status, cases[i].status);
    }
}

static void a_held_segment_says_how_long(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int fd = request(server, "GET", "/hls/a/video-copy/1.m4s?client=mse", "Range: bytes=0-1\r\n");
    stage_act(server->stage, ACT_NOTHING, VIDEO_COPY, 1);
    usleep(100000);
    stage_act(server->stage, ACT_PART, VIDEO_COPY, 1);
    usleep(100000);
    stage_act(server->stage, ACT_DONE, VIDEO_COPY, 1);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200); /* growing: no ranges (RFC 9110 14.2) */
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.length, 220);
    assert_null(header(&answer, "etag"));
    assert_null(header(&answer, "content-length"));
    expect_header(&answer, "cache-control", "no-store");
    expect_header(&answer, "content-type", "video/mp4");
    int held = atoi(header(&answer, "x-hold-ms"));
    assert_true(held >= 90 && held < 1200);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal((uint8_t) answer.body.at[10 + i], (uint8_t) ((100 + i) * 7));
    drop(&answer);
}

static void a_whole_segment_has_ranges_and_a_tag(void **state)
{
    struct server *server = *state;
    struct answer answer;
    char v[9];
    char path[100];
    char tag[100];
    version_of(server, "video-copy", v);
    snprintf(path, sizeof path, "/hls/a/video-copy/1.m4s?client=mse&v=%s", v);
    int fd = request(server, "GET", path, "");
    stage_act(server->stage, ACT_DONE, VIDEO_COPY, 1);
    read_answer(fd, false, &answer);
    drop(&answer);
    get(server, path, "", &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    expect_header(&answer, "content-length", "110");
    expect_header(&answer, "cache-control", "private, max-age=86400, immutable");
    expect_header(&answer, "accept-ranges", "bytes");
    assert_null(header(&answer, "x-hold-ms"));
    snprintf(tag, sizeof tag, "If-None-Match: %s\r\n", header(&answer, "etag"));
    drop(&answer);
    get(server, path, tag, &answer);
    assert_int_equal(answer.status, 304);
    drop(&answer);
    get(server, path, "Range: bytes=5-19\r\n", &answer);
    assert_int_equal(answer.status, 206);
    expect_header(&answer, "content-range", "bytes 5-19/110");
    assert_int_equal(answer.body.length, 15);
    assert_memory_equal(answer.body.at, "typxy", 5);
    assert_int_equal((uint8_t) answer.body.at[5], (uint8_t) (100 * 7));
    drop(&answer);
    get(server, path, "Range: bytes=110-\r\n", &answer);
    assert_int_equal(answer.status, 416);
    expect_header(&answer, "content-range", "bytes */110");
    drop(&answer);
    read_answer(request(server, "HEAD", path, ""), true, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    expect_header(&answer, "content-length", "110");
    drop(&answer);
}

/* Decision 4: HEAD starts nothing. */
static void head_of_what_is_not_there(void **state)
{
    struct server *server = *state;
    struct answer answer;
    read_answer(request(server, "HEAD", "/hls/a/video-720p/2.m4s?client=native", ""), true,
                &answer);
    assert_int_equal(answer.status, 200);
    assert_null(header(&answer, "content-length"));
    expect_header(&answer, "cache-control", "no-store");
    drop(&answer);
    assert_int_equal(stage_running(server->stage), 0);
}

static void a_hold_ends_with_503(void **state)
{
    struct server *server = *state;
    struct answer answer;
    get(server, "/hls/a/video-720p/0.m4s?client=mse", "", &answer);
    assert_int_equal(answer.status, 503);
    expect_header(&answer, "retry-after", "1");
    expect_header(&answer, "cache-control", "no-store");
    expect_header(&answer, "content-type", "application/problem+json");
    assert_true(answer.headers_ms >= STAGE_HOLD_MS - 50);
    drop(&answer);
    /* The segment is still being made. */
    assert_true(stage_has_job(server->stage, VIDEO_720P, 0));
}

/* player.md 5: headers and styp within a second, then free boxes; the segment's own styp once. */
static void native_players_hear_a_heartbeat(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int fd = request(server, "GET", "/hls/a/video-720p/0.m4s?client=native", "");
    stage_act(server->stage, ACT_NOTHING, VIDEO_720P, 0);
    usleep(1500000);
    stage_act(server->stage, ACT_DONE, VIDEO_720P, 0);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_memory_equal(answer.body.at + 4, "styp", 4);
    size_t at = 28;
    unsigned beats = 0;
    for (; memcmp(answer.body.at + at,
                  "\0\0\0\x08"
                  "free",
                  8) == 0;
         beats++)
        at += 8;
    assert_true(beats >= 3);
    assert_int_equal(answer.body.length - at, 2);
    assert_memory_equal(answer.body.at + at, "xy", 2);
    drop(&answer);
    /* What is whole now has no heartbeat in it. */
    get(server, "/hls/a/video-720p/0.m4s?client=native", "", &answer);
    assert_int_equal(answer.body.length, 10);
    expect_header(&answer, "content-length", "10");
    drop(&answer);
}

/* player.md 1.2: never a clean end that is short. */
static void a_body_that_fails_is_broken(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int fd = request(server, "GET", "/hls/a/video-720p/3.m4s?client=mse", "");
    stage_act(server->stage, ACT_PART, VIDEO_720P, 3);
    usleep(50000);
    stage_act(server->stage, ACT_DIE, VIDEO_720P, 3);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_false(answer.is_whole);
    drop(&answer);
}

static void a_death_before_the_first_part_is_not_noticed(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int fd = request(server, "GET", "/hls/a/video-720p/3.m4s?client=mse", "");
    stage_act(server->stage, ACT_DIE, VIDEO_720P, 3);
    stage_act(server->stage, ACT_DONE, VIDEO_720P, 3);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.length, 10);
    drop(&answer);
}

static void two_deaths_are_502_with_the_reason(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int fd = request(server, "GET", "/hls/a/video-720p/3.m4s?client=mse", "");
    stage_act(server->stage, ACT_DIE, VIDEO_720P, 3);
    stage_act(server->stage, ACT_DIE, VIDEO_720P, 3);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 502);
    assert_non_null(strstr(str_text(&answer.body), "signal 11"));
    drop(&answer);
}

static void a_newer_hold_sends_the_older_503_at_once(void **state)
{
    struct server *server = *state;
    struct answer answer;
    int older = request(server, "GET", "/hls/a/video-720p/0.m4s?client=mse&p=x", "");
    stage_act(server->stage, ACT_NOTHING, VIDEO_720P, 0);
    usleep(400 * 1000); /* in one moment either may have overtaken the other */
    int newer = request(server, "GET", "/hls/a/video-720p/4.m4s?client=mse&p=x", "");
    read_answer(older, false, &answer);
    assert_int_equal(answer.status, 503);
    assert_true(answer.headers_ms < STAGE_HOLD_MS / 2);
    drop(&answer);
    stage_act(server->stage, ACT_DONE, VIDEO_720P, 4);
    read_answer(newer, false, &answer);
    assert_int_equal(answer.status, 200);
    drop(&answer);
}

static void clients_that_leave_leave_nothing(void **state)
{
    struct server *server = *state;
    for (int i = 0; i < 20; i++) {
        int fd = request(server, "GET", "/hls/a/video-720p/1.m4s?client=mse", "");
        stage_act(server->stage, ACT_NOTHING, VIDEO_720P, 1);
        close(fd);
    }
    int fd = request(server, "GET", "/hls/a/video-720p/1.m4s?client=mse", "");
    stage_act(server->stage, ACT_DONE, VIDEO_720P, 1);
    struct answer answer;
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    drop(&answer);
}

static void init_segments_come_from_the_plan(void **state)
{
    struct server *server = *state;
    struct answer answer;
    get(server, "/hls/a/audio-1-aac/init.mp4", "Range: bytes=4-7\r\n", &answer);
    assert_int_equal(answer.status, 206);
    expect_header(&answer, "content-type", "audio/mp4");
    assert_memory_equal(answer.body.at, "ftyp", 4);
    drop(&answer);
    assert_int_equal(stage_running(server->stage), 0);
}

static void the_original_comes_in_ranges(void **state)
{
    struct server *server = *state;
    struct answer answer;
    get(server, "/api/v1/files/a/raw", "", &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.length, 100000);
    for (size_t i = 0; i < 100000; i++)
        if ((uint8_t) answer.body.at[i] != (uint8_t) (i * 7))
            fail_msg("byte %zu differs", i);
    /* The fixture's name has no suffix that we know. */
    expect_header(&answer, "content-type", "application/octet-stream");
    expect_header(&answer, "content-disposition", "attachment");
    expect_header(&answer, "content-security-policy", "sandbox; default-src 'none'");
    drop(&answer);
    get(server, "/api/v1/files/a/raw", "Range: bytes=-10\r\n", &answer);
    assert_int_equal(answer.status, 206);
    expect_header(&answer, "content-range", "bytes 99990-99999/100000");
    assert_int_equal((uint8_t) answer.body.at[0], (uint8_t) (99990U * 7));
    drop(&answer);
}

/* Decision 15: a copy of which the bytes are still to come is held as what is still to be made. */
static void a_copy_is_held_until_its_first_bytes_are_there(void **state)
{
    struct server *server = *state;
    struct answer answer;
    stage_with_sparse(server->stage);
    int fd = request(server, "GET", "/hls/a/video-copy/1.m4s?client=mse", "");
    stage_act(server->stage, ACT_DONE, VIDEO_COPY, 1);
    usleep(200 * 1000);
    assert_int_equal(recv(fd, &answer, 1, MSG_DONTWAIT), -1); /* not a word */
    stage_fill(server->stage, 0, 65536);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.length, 110);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal((uint8_t) answer.body.at[10 + i], (uint8_t) ((100 + i) * 7));
    drop(&answer);
}

static void what_does_not_come_is_503(void **state)
{
    struct server *server = *state;
    struct answer answer;
    struct source_wanted wanted[2];
    stage_with_sparse(server->stage);
    int fd = request(server, "GET", "/hls/a/video-copy/1.m4s?client=mse", "");
    stage_act(server->stage, ACT_DONE, VIDEO_COPY, 1);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 503);
    assert_non_null(header(&answer, "retry-after"));
    assert_int_equal(source_wants(server->stage->sparse, wanted, 2), 0);
    drop(&answer);
}

/* A native player hears headers and a heartbeat meanwhile. */
static void native_players_hear_a_heartbeat_while_bytes_come(void **state)
{
    struct server *server = *state;
    struct answer answer;
    stage_with_sparse(server->stage);
    int fd = request(server, "GET", "/hls/a/video-copy/1.m4s?client=native", "");
    stage_act(server->stage, ACT_DONE, VIDEO_COPY, 1);
    usleep(1300 * 1000);
    stage_fill(server->stage, 0, 100000);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_memory_equal(answer.body.at + 4, "styp", 4);
    assert_memory_equal(answer.body.at + 32, "free", 4);
    assert_true(answer.body.length > 28 + 8 + 100);
    assert_int_equal((uint8_t) answer.body.at[answer.body.length - 1], (uint8_t) (199 * 7));
    drop(&answer);
}

static void the_original_comes_as_it_arrives(void **state)
{
    struct server *server = *state;
    struct answer answer;
    struct source_wanted wanted[2];
    stage_with_sparse(server->stage);
    int fd = request(server, "GET", "/api/v1/files/a/raw", "");
    for (int i = 0; i < 5000 && source_wants(server->stage->sparse, wanted, 2) == 0; i++)
        usleep(1000);
    assert_int_equal(wanted[0].span.begin, 0);
    stage_fill(server->stage, 0, 65536);
    usleep(50 * 1000);
    stage_fill(server->stage, 65536, 100000);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.length, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal((uint8_t) answer.body.at[i], (uint8_t) (i * 7));
    drop(&answer);
}

static void a_body_that_will_never_be_whole_is_broken(void **state)
{
    struct server *server = *state;
    struct answer answer;
    struct why why = {0};
    stage_with_sparse(server->stage);
    stage_fill(server->stage, 0, 65536);
    int fd = request(server, "GET", "/api/v1/files/a/raw", "");
    usleep(50 * 1000);
    why_set(&why, ERR_GONE, NULL, "the download was taken away");
    source_fail(server->stage->sparse, ERR_GONE, &why);
    read_answer(fd, false, &answer);
    assert_false(answer.is_whole);
    drop(&answer);
}

static void a_film_that_is_still_looked_at_is_503(void **state)
{
    struct server *server = *state;
    struct answer answer;
    stage_without_plan(server->stage, 1);
    get(server, "/hls/b/master.m3u8?client=mse&p=page", "", &answer);
    assert_int_equal(answer.status, 503);
    assert_true(answer.headers_ms < STAGE_HOLD_MS);
    drop(&answer);
    stage_plan(server->stage, ACT_DONE);
    assert_int_equal(get_status(server, "/hls/b/master.m3u8?client=mse&p=page"), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(playlists_are_text_with_a_tag),
        TEST(wrong_urls_have_right_answers),
        TEST(a_held_segment_says_how_long),
        TEST(a_whole_segment_has_ranges_and_a_tag),
        TEST(head_of_what_is_not_there),
        TEST(a_hold_ends_with_503),
        TEST(native_players_hear_a_heartbeat),
        TEST(a_body_that_fails_is_broken),
        TEST(a_death_before_the_first_part_is_not_noticed),
        TEST(two_deaths_are_502_with_the_reason),
        TEST(a_newer_hold_sends_the_older_503_at_once),
        TEST(clients_that_leave_leave_nothing),
        TEST(init_segments_come_from_the_plan),
        TEST(the_original_comes_in_ranges),
        TEST(a_copy_is_held_until_its_first_bytes_are_there),
        TEST(what_does_not_come_is_503),
        TEST(native_players_hear_a_heartbeat_while_bytes_come),
        TEST(the_original_comes_as_it_arrives),
        TEST(a_body_that_will_never_be_whole_is_broken),
        TEST(a_film_that_is_still_looked_at_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
