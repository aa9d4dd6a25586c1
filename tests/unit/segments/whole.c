/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "whole.h"

#include <dirent.h>
#include <fcntl.h>
#include <libavformat/avformat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/box.h"

void whole_open(struct whole *whole, const char *path)
{
    static const struct engine_options options = {0};
    static const struct engine_plan_job job = {.scan = true};
    struct stat status;
    int film = open(path, O_RDONLY | O_CLOEXEC), map = -1;

    av_log_set_level(AV_LOG_QUIET);
    *whole = (struct whole){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    assert_true(film >= 0 && whole->fd >= 0 && fstat(film, &status) == 0);
    assert_int_equal(input_open(&film, &map, (uint64_t) status.st_size, NULL, NULL, &whole->input),
                     OK);
    whole->result = engine_plan(whole->input, &options, &job, &whole->plan, &whole->why);
    if (whole->result == OK)
        assert_int_equal(engine_open(whole->input, whole->plan, &options, &whole->engine), OK);
    else
        assert_null(whole->plan);
}

void whole_renew(struct whole *whole)
{
    static const struct engine_options options = {0};

    engine_close(&whole->engine);
    assert_int_equal(engine_open(whole->input, whole->plan, &options, &whole->engine), OK);
}

void whole_close(struct whole *whole)
{
    engine_close(&whole->engine);
    plan_free(&whole->plan);
    input_close(&whole->input);
    fd_close(&whole->fd);
}

bool whole_has(const struct whole *whole, const char *name)
{
    return plan_find(whole->plan, name) >= 0;
}

uint32_t whole_find(const struct whole *whole, const char *name)
{
    int found = plan_find(whole->plan, name);

    if (found < 0)
        fail_msg("no %s", name);
    return (uint32_t) found;
}

struct gather {
    struct whole *whole;
    struct str *out;
    size_t begin;
    struct recipe recipe;
};

static enum err take_bytes(void *ctx, const void *bytes, size_t size)
{
    struct gather *gather = ctx;

    str_append(gather->out, bytes, size);
    gather->recipe.own_bytes += size;
    return OK;
}

static enum err take_extent(void *ctx, uint64_t offset, uint64_t length)
{
    struct gather *gather = ctx;
    struct recipe *recipe = &gather->recipe;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t got;

    assert_true(length > 0 && length < 1u << 30);
    assert_true(offset + length <= input_size(gather->whole->input));
    bytes = mem_zalloc(length);
    assert_int_equal(fd_read_at(gather->whole->fd, bytes, length, offset, &got), OK);
    assert_int_equal(got, length);
    str_append(gather->out, bytes, length);
    recipe->least = recipe->extents == 0 || offset < recipe->least ? offset : recipe->least;
    recipe->most = offset + length > recipe->most ? offset + length : recipe->most;
    recipe->extent_bytes += length;
    recipe->extents++;
    return OK;
}

static enum err take_flush(void *ctx)
{
    struct gather *gather = ctx;

    if (gather->recipe.parts++ == 0)
        gather->recipe.first_part = gather->out->length - gather->begin;
    return OK;
}

enum err whole_segment(struct whole *whole, uint32_t rendition, uint32_t n, struct str *out,
                       struct recipe *recipe, struct why *why)
{
    static const struct sink_ops ops = {take_bytes, take_extent, take_flush};
    struct gather gather = {.whole = whole, .out = out, .begin = out->length};
    struct engine_output output = {.rendition = rendition, .sink = {&ops, &gather}};

    engine_segment(whole->engine, n, &output, 1, NULL, NULL, NULL);
    gather.recipe.verdict = output.verdict;
    if (recipe != NULL)
        *recipe = gather.recipe;
    if (why != NULL)
        *why = output.why;
    return output.result;
}

void whole_join(struct whole *whole, uint32_t rendition, struct str *out)
{
    const struct plan_rendition *r = &whole->plan->renditions[rendition];
    struct why why;

    str_append(out, r->init, r->init_size);
    for (uint32_t n = 0; n < plan_segment_count(whole->plan, rendition); n++) {
        if (whole_segment(whole, rendition, n, out, NULL, &why) != OK)
            fail_msg("%s %u: %s", r->name, n, why.text);
    }
}

static struct piece_sample *add_sample(struct piece *piece)
{
    mem_grow(piece->samples, piece->count, piece->room);
    memset(&piece->samples[piece->count], 0, sizeof *piece->samples);
    return &piece->samples[piece->count++];
}

/* One moof: tfhd has no defaults of its own in what we write. */
static void read_moof(struct bytes moof, size_t moof_at, int64_t offset, struct piece *out)
{
    char type[5];
    struct bytes traf = {0}, box = {0};
    int64_t dts = 0;

    assert_true(bytes_box(&moof, type, &box) && strcmp(type, "mfhd") == 0);
    assert_true(bytes_box(&moof, type, &traf) && strcmp(type, "traf") == 0);
    assert_true(bytes_box(&traf, type, &box) && strcmp(type, "tfhd") == 0);
    assert_int_equal(bytes_number(&box, 4), 0x020000);
    assert_int_equal(bytes_number(&box, 4), 1);
    assert_true(bytes_box(&traf, type, &box) && strcmp(type, "tfdt") == 0);
    assert_int_equal(bytes_number(&box, 4), 0x01000000);
    dts = (int64_t) ((uint64_t) bytes_number(&box, 4) << 32);
    dts += bytes_number(&box, 4);
    dts -= offset;
    assert_true(bytes_box(&traf, type, &box) && strcmp(type, "trun") == 0);
    uint32_t flags = bytes_number(&box, 4), count = bytes_number(&box, 4);
    size_t at = moof_at + bytes_number(&box, 4);
    assert_true(flags == 0x01000F01 || flags == 0x01000301);
    for (uint32_t i = 0; i < count; i++) {
        struct piece_sample *s = add_sample(out);
        s->duration = bytes_number(&box, 4);
        s->size = bytes_number(&box, 4);
        s->is_sync = flags == 0x01000301 || bytes_number(&box, 4) == 0x02000000;
        s->dts = dts;
        s->pts = dts + (flags == 0x01000F01 ? (int32_t) bytes_number(&box, 4) : 0);
        s->at = at;
        s->part = out->parts;
        at += s->size;
        dts += s->duration;
    }
    assert_false(box.is_short);
    assert_int_equal(box.left, 0);
    out->parts++;
}

void piece_read(const struct str *segment, uint32_t timescale, struct piece *out)
{
    struct bytes all = {(const uint8_t *) segment->at, segment->length, false}, box = {0};
    char type[5];

    *out = (struct piece){0};
    assert_true(bytes_box(&all, type, &box));
    assert_string_equal(type, "styp");
    while (all.left > 0) {
        size_t at = segment->length - all.left, before = out->count, end;
        assert_true(bytes_box(&all, type, &box));
        assert_string_equal(type, "moof");
        read_moof(box, at, (int64_t) timescale * PLAN_OFFSET_S, out);
        assert_true(bytes_box(&all, type, &box));
        assert_string_equal(type, "mdat");
        assert_true(out->count > before);
        end = out->samples[out->count - 1].at + out->samples[out->count - 1].size;
        assert_int_equal(out->samples[before].at, segment->length - all.left - box.left);
        assert_int_equal(end, segment->length - all.left);
    }
}

void piece_fini(struct piece *piece)
{
    mem_free(piece->samples);
    *piece = (struct piece){0};
}

uint64_t bytes_hash(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

static int find_stream(const AVFormatContext *format, enum plan_kind kind, uint32_t number)
{
    enum AVMediaType type = kind == PLAN_VIDEO ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;

    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type == type && number-- == 0)
            return (int) i;
    }
    return -1;
}

void source_read(const char *path, enum plan_kind kind, uint32_t number, struct source_packets *out)
{
    AVFormatContext *format = avformat_alloc_context();
    AVPacket *packet = av_packet_alloc();
    int stream;

    *out = (struct source_packets){0};
    assert_true(format != NULL && packet != NULL);
    format->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    stream = find_stream(format, kind, number);
    assert_true(stream >= 0);
    while (av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == stream && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
            mem_grow(out->at, out->count, out->room);
            /* only the first packet of a lace has a time of its own */
            out->at[out->count++] = (struct source_packet){
                packet->pts == AV_NOPTS_VALUE
                    ? INT64_MAX
                    : av_rescale_q(packet->pts, format->streams[stream]->time_base,
                                   (AVRational){1, 1000000000}),
                (packet->flags & AV_PKT_FLAG_KEY) != 0,
                bytes_hash(packet->data, (size_t) packet->size), (uint32_t) packet->size};
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
}

void source_fini(struct source_packets *packets)
{
    mem_free(packets->at);
    *packets = (struct source_packets){0};
}

bool corpus_path(char *out, size_t room, const char *name)
{
    snprintf(out, room, "%s/../shared/corpus/media/%s", MATINEE_SOURCE_DIR, name);
    return access(out, R_OK) == 0;
}

size_t whole_each_of_corpus(size_t (*look)(struct whole *whole, const char *path))
{
    char path[1024];
    DIR *folder = NULL;
    size_t count = 0;
    if (!corpus_path(path, sizeof path, ".") || (folder = opendir(path)) == NULL)
        skip();
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct whole whole;
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".tsv") != NULL ||
            strstr(entry->d_name, ".jsonl") != NULL)
            continue;
        assert_true(corpus_path(path, sizeof path, entry->d_name));
        whole_open(&whole, path);
        if (whole.result == OK)
            count += look(&whole, path);
        whole_close(&whole);
    }
    closedir(folder);
    return count;
}
