/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The demuxer opens films and nothing else, stops when told, and says what it lacks. */
#include <fcntl.h>
#include <libavcodec/packet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "lab.h"
#include "segments/decode.h"
#include "segments/demux.h"

static struct lab lab;

static int set_up(void **state)
{
    (void) state;
    lab_init(&lab);
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=64x64:r=25:d=8 -f lavfi -i sine=d=8 -c:v "
                  "libx264 -g 25 -preset ultrafast -c:a aac @/film.mkv");
    lab_run(&lab, "ffmpeg -v error -i @/film.mkv -c copy @/film.mp4");
    lab_run(&lab, "ffmpeg -v error -i @/film.mkv -c copy @/film.ts");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static struct input *open_path(const char *path, int *map, const struct input_ops *ops, void *ctx)
{
    struct stat status;
    struct input *input = NULL;
    int none = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(
        input_open(&file, map != NULL ? map : &none, (uint64_t) status.st_size, ops, ctx, &input),
        OK);
    return input;
}

static struct input *open_film(const char *name)
{
    char path[LAB_MAX_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", lab.folder, name);
    return open_path(path, NULL, NULL, NULL);
}

static void write_film(const char *name, const void *bytes, size_t size)
{
    char path[LAB_MAX_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", lab.folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum err try_open(const char *name, struct why *why)
{
    struct demux *demux = NULL;
    struct input *input = open_film(name);
    struct reader reader = {.input = input};
    enum err err = demux_open(&reader, true, &demux, why);
    demux_close(&demux);
    input_close(&input);
    return err;
}

/* A playlist, a concat script, an image, a description of a stream: whatever the name says. */
static void opens_nothing_but_films(void **state)
{
    (void) state;
    CLEANUP(str_fini) struct str hls = {0};
    CLEANUP(str_fini) struct str concat = {0};
    static const char sdp[] = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\n"
                              "t=0 0\r\nm=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
    static const char dash[] = "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\""
                               "><Period><AdaptationSet><Representation><BaseURL>film.mp4"
                               "</BaseURL></Representation></AdaptationSet></Period></MPD>";
    str_printf(&hls,
               "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n%s/film.ts\n"
               "#EXT-X-ENDLIST\n",
               lab.folder);
    str_printf(&concat, "ffconcat version 1.0\nfile %s/film.mkv\n", lab.folder);
    write_film("hls.mp4", hls.at, hls.length);
    write_film("concat.mp4", concat.at, concat.length);
    write_film("sdp.mkv", sdp, sizeof sdp - 1);
    write_film("dash.mp4", dash, sizeof dash - 1);
    write_film("text.mkv", "To be, or not to be\n", 20);
    write_film("empty.mkv", "", 0);
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=64x64 -frames:v 1 -c:v png -f image2 "
                  "-update 1 @/image.mp4");
    static const char *const names[] = {"hls.mp4",  "concat.mp4", "sdp.mkv",  "dash.mp4",
                                        "text.mkv", "empty.mkv",  "image.mp4"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct why why = {{0}, {0}};
        if (try_open(names[i], &why) != ERR_BAD_MEDIA)
            fail_msg("%s was opened", names[i]);
        assert_true(strlen(why.text) > 0);
    }
    assert_int_equal(try_open("film.mkv", NULL), OK);
    assert_int_equal(try_open("film.mp4", NULL), OK);
    assert_int_equal(try_open("film.ts", NULL), OK);
}

/* Garbage at every place of a film: an answer each time, whichever. */
static void garbage_is_answered(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "film.mp4", "film.ts"};
    for (size_t i = 0; i < 3; i++) {
        struct input *input = open_film(names[i]);
        struct reader reader = {.input = input};
        size_t size = (size_t) input_size(input), got = 0;
        uint8_t *bytes = mem_zalloc(size);
        assert_int_equal(reader_read(&reader, bytes, size, 0, &got), OK);
        input_close(&input);
        srand(1);
        for (int round = 0; round < 20; round++) {
            struct demux *demux = NULL;
            for (int k = 0; k < 64; k++)
                bytes[(size_t) rand() % (round % 2 ? size : 4096)] = (uint8_t) rand();
            write_film("garbage", bytes, round < 10 ? size : size * (size_t) round / 20);
            input = open_film("garbage");
            reader.input = input;
            enum err err = demux_open(&reader, false, &demux, NULL);
            AVPacket *packet = av_packet_alloc();
            for (int k = 0; k < 5000 && err == OK; k++) {
                err = demux_read(demux, packet);
                av_packet_unref(packet);
            }
            assert_true(err == OK || err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND);
            av_packet_free(&packet);
            demux_close(&demux);
            input_close(&input);
        }
        mem_free(bytes);
    }
}

struct sleeper {
    struct input *input;
    _Atomic bool cancelled;
    _Atomic int wants;
    enum err err;
};

static void note_want(void *ctx, uint64_t offset, uint64_t length)
{
    struct sleeper *sleeper = ctx;
    (void) offset;
    (void) length;
    atomic_fetch_add(&sleeper->wants, 1);
}

static void *open_and_sleep(void *ctx)
{
    struct sleeper *sleeper = ctx;
    struct demux *demux = NULL;
    struct reader reader = {.input = sleeper->input, .cancelled = &sleeper->cancelled};
    sleeper->err = demux_open(&reader, false, &demux, NULL);
    demux_close(&demux);
    return NULL;
}

/* A read that waits for bytes that never come ends when its asker goes. */
static void case_22_blocked_read_is_cancelled(void **state)
{
    (void) state;
    static const struct input_ops ops = {note_want};
    struct sleeper sleeper = {.err = OK};
    char path[LAB_MAX_PATH + 32];
    int map = -1;
    pthread_t thread;
    const char zeros[64] = {0};
    snprintf(path, sizeof path, "%s/film.mkv", lab.folder);
    assert_int_equal(fd_memory("map", &map), OK);
    assert_int_equal(fd_write_at(map, zeros, sizeof zeros, 0), OK);
    sleeper.input = open_path(path, &map, &ops, &sleeper);
    assert_int_equal(pthread_create(&thread, NULL, open_and_sleep, &sleeper), 0);
    while (atomic_load(&sleeper.wants) == 0)
        sched_yield();
    int64_t began = clock_mono_us();
    atomic_store(&sleeper.cancelled, true);
    input_wake(sleeper.input);
    pthread_join(thread, NULL);
    assert_int_equal(sleeper.err, ERR_CANCELLED);
    assert_in_range(clock_mono_us() - began, 0, 100000); /* segment-engine.md 14.22 */
    input_close(&sleeper.input);
}

/* Seeks lead to a key at or before the wanted time, in each container. */
static void seeks_go_back_to_a_key(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "film.mp4"};
    for (size_t i = 0; i < 2; i++) {
        struct input *input = open_film(names[i]);
        struct reader reader = {.input = input};
        struct demux *demux = NULL;
        AVPacket *packet = av_packet_alloc();
        assert_int_equal(demux_open(&reader, false, &demux, NULL), OK);
        assert_int_equal(demux_select(demux, 0), OK);
        for (int64_t ms = 7500; ms > 0; ms -= 1300) {
            assert_int_equal(demux_seek(demux, 0, ms * 1000000), OK);
            assert_int_equal(demux_read(demux, packet), OK);
            int64_t at = demux_ns(demux_stream(demux, 0), packet->pts);
            assert_true((packet->flags & AV_PKT_FLAG_KEY) != 0);
            assert_true(at <= ms * 1000000 && at > (ms - 1100) * 1000000);
            av_packet_unref(packet);
        }
        assert_int_equal(demux_rewind(demux), OK);
        assert_int_equal(demux_read(demux, packet), OK);
        assert_true(demux_ns(demux_stream(demux, 0), packet->pts) < 100000000);
        assert_int_equal(demux_select(demux, 99), ERR_BAD_MEDIA);
        av_packet_free(&packet);
        demux_close(&demux);
        input_close(&input);
    }
}

static void knows_what_it_can_decode(void **state)
{
    (void) state;
    assert_true(decoder_exists("h264"));
    assert_true(decoder_exists("dts"));
    assert_false(decoder_exists("pcm"));
    assert_false(decoder_exists(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_nothing_but_films),
        cmocka_unit_test(garbage_is_answered),
        cmocka_unit_test(case_22_blocked_read_is_cancelled),
        cmocka_unit_test(seeks_go_back_to_a_key),
        cmocka_unit_test(knows_what_it_can_decode),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
