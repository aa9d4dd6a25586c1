/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libavformat as the reference for our own readers: both read the same file, track by track, and
 * must say the same packets. Included by tests of readers only. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segments/container.h"

/* A film opened by our reader. */
struct film {
    struct input *input;
    struct reader reader;
    struct container *container;
    enum err result;
    struct why why;
};

static UNUSED void open_film(const char *path, struct film *film)
{
    struct stat status;
    int map = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    *film = (struct film){0};
    assert_int_equal(input_open(&fd, &map, (uint64_t) status.st_size, NULL, NULL, &film->input),
                     OK);
    film->reader.input = film->input;
    film->result = container_open(&film->reader, &film->container, &film->why);
}

static UNUSED void close_film(struct film *film)
{
    container_close(&film->container);
    input_close(&film->input);
}

static UNUSED AVFormatContext *open_reference(const char *path)
{
    AVFormatContext *format = avformat_alloc_context();
    assert_non_null(format);
    format->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
    return avformat_open_input(&format, path, NULL, NULL) == 0 ? format : NULL;
}

/* What was compared, so that a test can tell that it compared something. */
struct comparison {
    unsigned packets, untimed, keys, differences, differences_before;
    int64_t worst_ns;
};

static UNUSED void differ(struct comparison *comparison, const char *path, uint32_t track,
                          unsigned packet, const char *what, int64_t ours, int64_t theirs)
{
    if (comparison->differences++ < comparison->differences_before + 5)
        print_error("%s: track %u packet %u: %s: ours %" PRId64 ", libavformat %" PRId64 "\n",
                    strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path, track, packet, what,
                    ours, theirs);
}

static UNUSED bool same_bytes(struct reader *reader, const struct packet *ours,
                              const AVPacket *theirs)
{
    uint8_t *bytes = mem_zalloc((size_t) ours->prefix_size + ours->size + 1);
    size_t got = 0;
    if (ours->prefix_size > 0)
        memcpy(bytes, ours->prefix, ours->prefix_size);
    bool is_same =
        reader_read(reader, bytes + ours->prefix_size, ours->size, ours->offset, &got) == OK &&
        got == ours->size && memcmp(bytes, theirs->data, (size_t) theirs->size) == 0;
    mem_free(bytes);
    return is_same;
}

static UNUSED void compare_packet(struct film *film, const char *path, unsigned number,
                                  const struct packet *ours, const AVPacket *theirs,
                                  AVRational base, int64_t slack_ns, struct comparison *comparison)
{
    comparison->packets++;
    if ((int) (ours->prefix_size + ours->size) != theirs->size)
        differ(comparison, path, ours->track, number, "size", ours->size, theirs->size);
    else if (!same_bytes(&film->reader, ours, theirs))
        differ(comparison, path, ours->track, number, "bytes", 0, 0);
    uint32_t count;
    bool is_mp4 = container_kind(film->container) == CONTAINER_MP4;
    bool is_video = container_tracks(film->container, &count)[ours->track].kind == PLAN_VIDEO;
    if (is_video && ours->is_key != ((theirs->flags & AV_PKT_FLAG_KEY) != 0))
        differ(comparison, path, ours->track, number, "key", ours->is_key,
               theirs->flags & AV_PKT_FLAG_KEY);
    comparison->keys += ours->is_key;
    if (theirs->pts == AV_NOPTS_VALUE) {
        comparison->untimed++;
        return;
    }
    int64_t pts = av_rescale_q(theirs->pts, base, (AVRational){1, 1000000000});
    int64_t off = llabs(ours->pts_ns - pts);
    if (is_video || is_mp4)
        slack_ns = 0;
    if (off > comparison->worst_ns)
        comparison->worst_ns = off;
    if (off > slack_ns)
        differ(comparison, path, ours->track, number, "pts", ours->pts_ns, pts);
}

/* libavformat counts a laced block's frames in whole milliseconds, each cut off, we in ns. */
#define LACE_SLACK_NS INT64_C(3000000)

/* Compares all packets of one of our tracks with those of libavformat's stream. */
static UNUSED void compare_track(struct film *film, const char *path, uint32_t track,
                                 struct comparison *comparison)
{
    uint32_t count;
    const struct plan_track *tracks = container_tracks(film->container, &count);
    AVFormatContext *format = open_reference(path);
    assert_non_null(format);
    assert_true(tracks[track].stream_index < format->nb_streams);
    const AVStream *stream = format->streams[tracks[track].stream_index];
    struct cursor *cursor = NULL;
    assert_int_equal(cursor_open(film->container, &film->reader, UINT64_C(1) << track, 0, &cursor),
                     OK);
    AVPacket *theirs = av_packet_alloc();
    struct packet ours;
    unsigned number = 0;
    bool is_over = false;
    comparison->differences_before = comparison->differences;
    while (av_read_frame(format, theirs) >= 0) {
        if (theirs->stream_index == (int) tracks[track].stream_index) {
            is_over = is_over || cursor_next(cursor, &ours) != OK;
            if (is_over)
                differ(comparison, path, track, number, "count", number, number + 1);
            else
                compare_packet(film, path, number, &ours, theirs, stream->time_base, LACE_SLACK_NS,
                               comparison);
            number++;
        }
        av_packet_unref(theirs);
    }
    if (!is_over && cursor_next(cursor, &ours) == OK)
        differ(comparison, path, track, number, "count", number + 1, number);
    cursor_close(&cursor);
    av_packet_free(&theirs);
    avformat_close_input(&format);
}

/* The fields of a track that libavformat knows without decoding. */
static UNUSED void compare_fields(struct film *film, const char *path, uint32_t track,
                                  struct comparison *comparison)
{
    uint32_t count;
    const struct plan_track *ours = &container_tracks(film->container, &count)[track];
    AVFormatContext *format = open_reference(path);
    const AVStream *stream = format->streams[ours->stream_index];
    const AVCodecParameters *theirs = stream->codecpar;
    static const enum AVMediaType types[] = {AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO,
                                             AVMEDIA_TYPE_SUBTITLE};
    if (theirs->codec_type != types[ours->kind] && ours->kind != PLAN_SUBTITLE)
        differ(comparison, path, track, 0, "kind", ours->kind, theirs->codec_type);
    const char *name = avcodec_get_name(theirs->codec_id);
    if (strcmp(name, ours->codec_name) != 0 && ours->kind != PLAN_SUBTITLE &&
        strncmp(name, "pcm", 3) != 0) {
        print_error("%s: codec ours %s, libavformat %s\n", path, ours->codec_name, name);
        comparison->differences++;
    }
    if (ours->kind == PLAN_VIDEO && theirs->width != 0 &&
        (theirs->width != (int) ours->width || theirs->height != (int) ours->height))
        differ(comparison, path, track, 0, "width", ours->width, theirs->width);
    if (ours->kind == PLAN_AUDIO && ours->codec != CODEC_OTHER && theirs->sample_rate != 0 &&
        theirs->sample_rate != (int) ours->rate)
        differ(comparison, path, track, 0, "rate", ours->rate, theirs->sample_rate);
    if (ours->codec != CODEC_OTHER && ours->codec != CODEC_AC3 && ours->codec != CODEC_EAC3 &&
        ours->codec != CODEC_VP9 &&
        (theirs->extradata_size != (int) ours->extradata_size ||
         (ours->extradata_size > 0 &&
          memcmp(theirs->extradata, ours->extradata, ours->extradata_size) != 0)))
        differ(comparison, path, track, 0, "extradata", ours->extradata_size,
               theirs->extradata_size);
    avformat_close_input(&format);
}

/* A file of the corpus beside the source tree, or NULL where there is none. */
static UNUSED char *corpus_folder(void)
{
    char *folder = mem_strdup(MATINEE_SOURCE_DIR "/../shared/corpus/media");
    if (access(folder, R_OK) != 0)
        mem_free_at(&folder);
    return folder;
}

static UNUSED bool has_ending(const char *name, const char *const *endings)
{
    size_t length = strlen(name);
    for (; *endings != NULL; endings++) {
        size_t size = strlen(*endings);
        if (length > size && strcmp(name + length - size, *endings) == 0)
            return true;
    }
    return false;
}

/* Runs a command line in `folder`; false when it failed. The tests' own words only. */
static UNUSED bool run(const char *folder, const char *format, ...)
{
    char line[4096], whole[4200];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "cd '%s' && { %s; } >>log 2>&1", folder, line);
    char *const words[] = {(char[]){"sh"}, (char[]){"-c"}, whole, NULL};
    pid_t child = 0;
    int status = -1;
    if (posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ) != 0)
        return false;
    return waitpid(child, &status, 0) == child && status == 0;
}

/* A folder for generated films, removed by drop_folder. */
static UNUSED char *make_folder(void)
{
    char *folder = mem_strdup("/tmp/matinee-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static UNUSED void drop_folder(char **folder)
{
    assert_true(run("/tmp", "rm -r '%s'", *folder));
    mem_free_at(folder);
}

/* A film of which only some blocks are there; a want of another ends the test. */
struct sparse {
    uint8_t map[512];
    struct input *input;
    unsigned wants;
    _Atomic bool cancelled;
};

static UNUSED void sparse_want(void *ctx, uint64_t offset, uint64_t length)
{
    struct sparse *sparse = ctx;
    print_error("wanted %" PRIu64 "+%" PRIu64 "\n", offset, length);
    sparse->wants++;
    atomic_store(&sparse->cancelled, true);
}

static UNUSED void sparse_allow(struct sparse *sparse, uint64_t from, uint64_t to)
{
    for (uint64_t block = from / INPUT_BLOCK_BYTES; block * INPUT_BLOCK_BYTES < to; block++)
        sparse->map[block / 8] = (uint8_t) (sparse->map[block / 8] | 1U << block % 8);
}

static UNUSED void sparse_open(struct sparse *sparse, const char *path)
{
    static const struct input_ops ops = {sparse_want};
    struct stat status;
    int film = open(path, O_RDONLY | O_CLOEXEC);
    int map = memfd_create("map", MFD_CLOEXEC);
    assert_true(film >= 0 && map >= 0 && fstat(film, &status) == 0);
    assert_true((uint64_t) status.st_size < sizeof sparse->map * 8 * INPUT_BLOCK_BYTES);
    assert_int_equal(write(map, sparse->map, sizeof sparse->map), sizeof sparse->map);
    assert_int_equal(
        input_open(&film, &map, (uint64_t) status.st_size, &ops, sparse, &sparse->input), OK);
}

/* Segment `n` of a film of which only the index and the bytes from key n to 64 KiB past the start of
 * key n+1 are there (segment-engine.md 14.6): nothing else is wanted. */
static UNUSED void read_sparsely(const char *path, size_t n)
{
    struct film whole;
    struct key *keys = NULL;
    size_t count = 0;
    struct sparse sparse = {.wants = 0};
    open_film(path, &whole);
    uint64_t size = input_size(whole.input);
    assert_int_equal(container_keys(whole.container, &whole.reader, 0, &keys, &count, NULL), OK);
    assert_true(count > n + 1);
    bool is_mkv = container_kind(whole.container) == CONTAINER_MKV;
    uint64_t from = is_mkv ? keys[n].pos : keys[n].offset;
    uint64_t to = is_mkv ? keys[n + 1].pos : keys[n + 1].offset;
    sparse_allow(&sparse, 0, 1);
    sparse_allow(&sparse, size - 65536, size);
    sparse_allow(&sparse, from, to + 65536);
    sparse_open(&sparse, path);
    struct reader reader = {.input = sparse.input, .cancelled = &sparse.cancelled};
    struct container *container = NULL;
    struct cursor *cursor = NULL;
    struct packet packet;
    struct key *again = NULL;
    assert_int_equal(container_open(&reader, &container, NULL), OK);
    assert_int_equal(container_keys(container, &reader, 0, &again, &count, NULL), OK);
    assert_int_equal(cursor_open(container, &reader, 1, again[n].pos, &cursor), OK);
    unsigned packets = 0;
    do {
        assert_int_equal(cursor_next(cursor, &packet), OK);
        packets++;
    } while (!packet.is_key || packet.pts_ns < keys[n + 1].pts_ns);
    assert_int_equal(packets, 25);
    assert_int_equal(sparse.wants, 0);
    assert_false(input_is_whole(sparse.input));
    cursor_close(&cursor);
    container_close(&container);
    input_close(&sparse.input);
    mem_free(again);
    mem_free(keys);
    close_film(&whole);
}
