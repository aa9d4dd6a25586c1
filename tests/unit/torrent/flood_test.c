/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Engines whose events are lost as soon as two of them wait: a film comes from another one nevertheless, and what
 * became of many torrents is known. On 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "torrent/torrents.h"

enum {
    PIECE = 16384,
    PIECES = 300,
    SIZE = PIECE * PIECES - 1000,
    WAIT_MS = 60000,
    HASH = 20,
    MANY = 12
};

static uint8_t film[SIZE];

struct stage {
    char giver[40], taker[40], log[64];
    uint16_t port;
};

static void make_film(void)
{
    uint32_t noise = 2463534242U;
    for (size_t i = 0; i < SIZE; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        film[i] = (uint8_t) noise;
    }
}

static void make_torrent(struct str *out, unsigned number)
{
    uint8_t hash[HASH];
    str_printf(out, "d4:infod6:lengthi%de4:name10:film%02u.mkv12:piece lengthi%de6:pieces%d:", SIZE,
               number, PIECE, PIECES * HASH);
    for (size_t at = 0; at < SIZE; at += PIECE) {
        size_t size = SIZE - at < PIECE ? SIZE - at : PIECE;
        assert_int_equal(EVP_Digest(film + at, size, hash, NULL, EVP_sha1(), NULL), 1);
        str_append(out, hash, HASH);
    }
    str_puts(out, "ee");
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CLEANUP(fd_close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &length), 0);
    return ntohs(address.sin_port);
}

/* Whoever loses events is slow to take them. */
static void dawdle(void *ctx, const char *id)
{
    (void) ctx;
    (void) id;
    usleep(60000);
}

static struct torrents *start(const char *folder, uint16_t port, int most_events)
{
    char listen[32];
    struct torrents *torrents = NULL;
    struct why why = {0};
    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    const struct shim_settings settings = {
        .listen = listen, .connections = 20, .allow_local = true, .most_events = most_events};
    const struct torrents_options options = {.data_folder = folder,
                                             .settings = &settings,
                                             .ratio = 100,
                                             .seed_ms = WAIT_MS * 10,
                                             .changed = most_events > 0 ? dawdle : NULL};
    if (torrents_start(&options, &torrents, &why) != OK)
        fail_msg("%s", why.text);
    return torrents;
}

static void look(struct torrents *torrents, const char *id, struct torrent_view *out)
{
    assert_int_equal(torrents_find(torrents, id, out), OK);
    if (out->state == TORRENT_FAILED)
        fail_msg("%s", out->reason);
}

static void wait_until_complete(struct torrents *torrents, const char *id)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    for (;;) {
        struct torrent_view view;
        look(torrents, id, &view);
        bool is_complete = view.state == TORRENT_COMPLETE;
        if (clock_mono_ms() > deadline)
            fail_msg("%s: %zu of %zu bytes", torrent_state_name(view.state), (size_t) view.here,
                     (size_t) view.size);
        torrent_view_fini(&view);
        if (is_complete)
            return;
        usleep(20000);
    }
}

static void put_film(const char *folder, const char *id)
{
    char path[160];
    snprintf(path, sizeof path, "%s/torrents/%s/f/000000.mkv", folder, id);
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_at(fd, film, SIZE, 0), OK);
}

static void add_torrent(struct torrents *torrents, unsigned number, char id[STORE_ID_SIZE])
{
    bool is_new = false;
    struct str torrent = {0};
    make_torrent(&torrent, number);
    const struct torrents_wish wish = {.torrent = torrent.at, .torrent_size = torrent.length};
    assert_int_equal(torrents_add(torrents, &wish, id, &is_new, NULL), OK);
    str_fini(&torrent);
}

/* Has all of it: what was put into its folder after its end is looked at. */
static struct torrents *start_giver(struct stage *stage, char hash[SHIM_HASH_TEXT])
{
    char id[STORE_ID_SIZE];
    struct torrent_view view;
    struct torrents *giver = start(stage->giver, stage->port, 0);
    add_torrent(giver, 0, id);
    look(giver, id, &view);
    memcpy(hash, view.hash, SHIM_HASH_TEXT);
    torrent_view_fini(&view);
    torrents_stop(&giver);
    put_film(stage->giver, id);
    giver = start(stage->giver, stage->port, 0);
    wait_until_complete(giver, id);
    return giver;
}

static void is_the_film(struct torrents *torrents, const char *id)
{
    struct torrent_view view;
    look(torrents, id, &view);
    uint8_t *got = mem_zalloc(SIZE);
    size_t size = 0;
    CLEANUP(fd_close) int fd = open(view.files[0].place, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_read_at(fd, got, SIZE, 0, &size), OK);
    assert_int_equal(size, SIZE);
    assert_memory_equal(got, film, SIZE);
    mem_free(got);
    torrent_view_fini(&view);
}

static bool log_says(const struct stage *stage, const char *word)
{
    char line[1000];
    bool says = false;
    FILE *log = fopen(stage->log, "re");
    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL)
        says |= strstr(line, word) != NULL;
    fclose(log);
    return says;
}

static void all_comes_though_events_are_lost(void **state)
{
    struct stage *stage = *state;
    char hash[SHIM_HASH_TEXT];
    char magnet[200];
    char id[STORE_ID_SIZE];
    bool is_new = false;
    struct torrents *giver = start_giver(stage, hash);
    struct torrents *taker = start(stage->taker, free_port(), 2);
    snprintf(magnet, sizeof magnet, "magnet:?xt=urn:btih:%s&x.pe=127.0.0.1:%d", hash, stage->port);
    const struct torrents_wish wish = {.magnet = magnet};
    assert_int_equal(torrents_add(taker, &wish, id, &is_new, NULL), OK);
    wait_until_complete(taker, id);
    is_the_film(taker, id);
    assert_true(log_says(stage, "torrent.missed"));
    /* What was saved of it is enough: it comes back as it was. */
    torrents_stop(&taker);
    taker = start(stage->taker, free_port(), 2);
    wait_until_complete(taker, id);
    assert_int_equal(torrents_remove(taker, id), OK);
    torrents_stop(&taker);
    torrents_stop(&giver);
}

static void wait_until_gone(const char *folder, const char *id)
{
    char path[400];
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    snprintf(path, sizeof path, "%s/torrents/%s", folder, id);
    for (; access(path, F_OK) == 0; usleep(20000))
        if (clock_mono_ms() > deadline)
            fail_msg("%s is still there", path);
}

/* Many have something to say at once, and hardly any of it is heard. Nothing happens to them afterwards that
 * would make them say it again. */
static void many_are_known_though_events_are_lost(void **state)
{
    struct stage *stage = *state;
    char ids[MANY][STORE_ID_SIZE];
    struct torrents *taker = start(stage->taker, stage->port, 2);
    for (unsigned i = 0; i < MANY; i++)
        add_torrent(taker, i, ids[i]);
    torrents_stop(&taker);
    assert_false(log_says(stage, "torrent.stop")); /* what each had to save was waited for */
    for (unsigned i = 0; i < MANY; i++)
        put_film(stage->taker, ids[i]);
    taker = start(stage->taker, stage->port, 2);
    for (unsigned i = 0; i < MANY; i++)
        wait_until_complete(taker, ids[i]);
    assert_true(log_says(stage, "torrent.missed"));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(torrents_remove(taker, ids[i]), OK);
    for (unsigned i = 0; i < MANY; i++)
        wait_until_gone(stage->taker, ids[i]);
    torrents_stop(&taker);
}

static int make_stage(void **state)
{
    struct stage *stage = mem_new(struct stage);
    snprintf(stage->giver, sizeof stage->giver, "/tmp/matinee-giver-XXXXXX");
    snprintf(stage->taker, sizeof stage->taker, "/tmp/matinee-taker-XXXXXX");
    if (mkdtemp(stage->giver) == NULL || mkdtemp(stage->taker) == NULL)
        return -1;
    snprintf(stage->log, sizeof stage->log, "%s/log", stage->taker);
    log_set_level(LOG_DEBUG);
    if (freopen(stage->log, "we", stderr) == NULL)
        return -1;
    stage->port = free_port();
    make_film();
    *state = stage;
    return 0;
}

static int clear_stage(void **state)
{
    struct stage *stage = *state;
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s %s", stage->giver, stage->taker);
    mem_free(stage);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_comes_though_events_are_lost, make_stage, clear_stage),
        cmocka_unit_test_setup_teardown(many_are_known_though_events_are_lost, make_stage,
                                        clear_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
