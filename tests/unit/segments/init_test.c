/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Initial segments against what ffmpeg's own muxer writes of the same film. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"
#include "segments/box.h"
#include "segments/codec.h"
#include "segments/init.h"
#include "whole.h"

static struct lab lab;

static int setup(void **state)
{
    (void) state;
    lab_init(&lab);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static struct str read_file(const char *name)
{
    FILE *file = fopen(lab_path(&lab, name), "rb");
    struct str bytes = {0};
    char buffer[4096];
    size_t got;

    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        str_append(&bytes, buffer, got);
    fclose(file);
    return bytes;
}

/* The first box of the type anywhere in the bytes, its header included. */
static struct slice find_box(const uint8_t *bytes, size_t size, const char *type)
{
    for (size_t i = 4; i + 4 <= size; i++) {
        if (memcmp(bytes + i, type, 4) == 0) {
            struct bytes head = {bytes + i - 4, 4, false};
            uint32_t length = bytes_number(&head, 4);
            if (length >= 8 && length <= size - (i - 4))
                return (struct slice){(const char *) bytes + i - 4, length};
        }
    }
    return (struct slice){NULL, 0};
}

struct form {
    const char *words, *rendition, *box, *codecs;
};

static void is_as_ffmpeg_writes(const struct form *form)
{
    char words[512];
    struct whole whole;
    struct str reference;
    const struct plan_rendition *r;
    struct slice ours, theirs;

    snprintf(words, sizeof words, "ffmpeg -v error -nostdin -y %s -strict -2 @/form.mkv",
             form->words);
    lab_run(&lab, words);
    lab_run(&lab, "ffmpeg -v error -nostdin -y -i @/form.mkv -c copy -strict -2 -movflags "
                  "+frag_keyframe+delay_moov -use_editlist 0 @/form.mp4");
    whole_open(&whole, lab_path(&lab, "form.mkv"));
    if (whole.result != OK)
        fail_msg("%s: %s", form->words, whole.why.text);
    r = &whole.plan->renditions[whole_find(&whole, form->rendition)];
    assert_string_equal(r->codecs, form->codecs);
    reference = read_file("form.mp4");
    ours = find_box(r->init, r->init_size, form->box);
    theirs = find_box((const uint8_t *) reference.at, reference.length, form->box);
    assert_non_null(ours.at);
    assert_non_null(theirs.at);
    if (ours.length != theirs.length || memcmp(ours.at, theirs.at, ours.length) != 0)
        fail_msg("%s differs from ffmpeg's (%zu and %zu bytes)", form->box, ours.length,
                 theirs.length);
    str_fini(&reference);
    whole_close(&whole);
}

#define FILM  "-f lavfi -i testsrc2=s=320x180:r=25:d=1,format=yuv420p "
#define SOUND "-f lavfi -i sine=d=1 "

static void case_10_codec_boxes_are_those_of_ffmpeg(void **state)
{
    static const struct form forms[] = {
        {FILM "-c:v libx264 -preset ultrafast", "video-copy", "avcC", "avc1.42C00C"},
        {FILM "-c:v libx264 -preset veryfast", "video-copy", "avcC", "avc1.64000C"},
        {FILM "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "video-copy", "vpcC",
         "vp09.00.11.08"},
        {SOUND "-ac 6 -c:a ac3", "audio-1-copy", "dac3", "ac-3"},
        {SOUND "-ac 2 -ar 44100 -c:a ac3", "audio-1-copy", "dac3", "ac-3"},
        {SOUND "-ac 6 -c:a eac3", "audio-1-copy", "dec3", "ec-3"},
        {SOUND "-c:a flac", "audio-1-copy", "dfLa", "fLaC"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        is_as_ffmpeg_writes(&forms[i]);
}

static int serve(void *ctx, uint8_t *into, int size)
{
    struct bytes *bytes = ctx;
    size_t take = (size_t) size < bytes->left ? (size_t) size : bytes->left;

    if (take == 0)
        return AVERROR_EOF;
    memcpy(into, bytes->at, take);
    bytes_skip(bytes, take);
    return (int) take;
}

/* libavformat reads the initial segment alone: codec, size, rate and channels are there, and no
 * edit list or sample is. */
static void reads_back(const struct plan_rendition *r, const struct plan_track *track)
{
    struct bytes bytes = {r->init, r->init_size, false};
    AVFormatContext *format = avformat_alloc_context();
    uint8_t *buffer = av_malloc(4096);
    const AVCodecParameters *par;

    format->pb = avio_alloc_context(buffer, 4096, 0, &bytes, serve, NULL, NULL);
    assert_int_equal(avformat_open_input(&format, NULL, NULL, NULL), 0);
    assert_int_equal(format->nb_streams, 1);
    par = format->streams[0]->codecpar;
    if (r->is_copy)
        assert_string_equal(avcodec_get_name(par->codec_id), track->codec_name);
    if (r->kind != PLAN_AUDIO) {
        assert_int_equal(par->height, r->is_copy ? track->height : r->height);
    } else {
        assert_int_equal(par->sample_rate, r->timescale);
        assert_int_equal(par->ch_layout.nb_channels, r->channels);
    }
    assert_int_equal(format->streams[0]->time_base.den, r->timescale);
    assert_null(find_box(r->init, r->init_size, "elst").at);
    av_freep(&format->pb->buffer);
    avio_context_free(&format->pb);
    avformat_close_input(&format);
}

static void libav_reads_every_initial_segment(void **state)
{
    static const char *const films[] = {
        FILM SOUND "-c:v libx264 -c:a aac",
        FILM SOUND "-c:v libx265 -x265-params log-level=none -tag:v hvc1 -c:a ac3 -ac 6",
        FILM SOUND "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
        FILM SOUND "-c:v libx264 -c:a flac",
        FILM SOUND "-c:v libx264 -c:a libmp3lame",
    };
    char words[512];

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        snprintf(words, sizeof words, "ffmpeg -v error -nostdin -y %s @/read.mkv", films[i]);
        lab_run(&lab, words);
        whole_open(&whole, lab_path(&lab, "read.mkv"));
        assert_int_equal(whole.result, OK);
        assert_true(whole_has(&whole, "video-copy"));
        assert_true(whole_has(&whole, "audio-1-copy"));
        for (uint32_t r = 0; r < whole.plan->rendition_count; r++) {
            const struct plan_rendition *one = &whole.plan->renditions[r];
            reads_back(one, &whole.plan->tracks[one->track]);
        }
        whole_close(&whole);
    }
}

/* Apple stops at SEI in hvcC; sets must be complete for hvc1. */
/* Bits of a frame's head, written one field behind the other. */
struct writer {
    uint8_t bytes[64];
    size_t bits;
};

static void put(struct writer *writer, unsigned value, unsigned count)
{
    for (unsigned i = count; i-- > 0; writer->bits++)
        if ((value >> i & 1) != 0)
            writer->bytes[writer->bits / 8] |= (uint8_t) (0x80 >> writer->bits % 8);
}

/* With every field that may be there, or with none: an independent frame of 5.1, 64 bytes long. */
static void put_head(struct writer *writer, bool is_full)
{
    put(writer, 0x0b77, 16);
    put(writer, 0, 2 + 3);
    put(writer, 31, 11);
    put(writer, 0, 2);
    put(writer, is_full ? 2 : 3, 2); /* blocks: 3 or 6 */
    put(writer, 7, 3);
    put(writer, 1, 1);
    put(writer, 16, 5);
    put(writer, 27, 5);
    put(writer, is_full, 1); /* compre */
    put(writer, 0xff, is_full ? 8 : 0);
    put(writer, is_full, 1); /* mixmdate */
    if (is_full) {
        put(writer, 0xff, 2 + 6);
        put(writer, 0x3f, 6);
        put(writer, 0x3f, 1 + 5); /* lfemixlevcod */
        put(writer, 0x7f, 1 + 6); /* pgmscl */
        put(writer, 0x7f, 1 + 6); /* extpgmscl */
        put(writer, 3, 2);        /* mixdef */
        put(writer, 1, 5);        /* mixdeflen: 24 bits */
        put(writer, 0xffffff, 24);
        put(writer, 1, 1); /* frmmixcfginfoe */
        put(writer, 0x3f, 6);
        put(writer, 0, 1);
        put(writer, 0x3f, 6);
    }
    put(writer, is_full, 1); /* infomdate */
    if (is_full) {
        put(writer, 0x1f, 5);
        put(writer, 3, 2);
        put(writer, 0x1ff, 9); /* audprodi */
        put(writer, 1, 1);
        put(writer, 1, 1); /* convsync */
    }
}

static uint8_t objects_of(bool is_full, const unsigned *fields, const unsigned *counts,
                          size_t count)
{
    struct writer writer = {.bits = 0};
    put_head(&writer, is_full);
    for (size_t i = 0; i < count; i++)
        put(&writer, fields[i], counts[i]);
    return codec_eac3_objects(writer.bytes, sizeof writer.bytes);
}

static void objects_are_found_where_they_are(void **state)
{
    (void) state;
    static const unsigned counts[] = {1, 6, 7, 1, 8};
    static const unsigned joc[] = {1, 1, 0, 1, 16}, none[] = {1, 1, 0, 0, 16},
                          nothing[] = {0, 63, 127, 1, 16}, wrong[] = {1, 1, 0, 1, 200};
    for (int is_full = 0; is_full < 2; is_full++) {
        assert_int_equal(objects_of(is_full != 0, joc, counts, 5), 16);
        assert_int_equal(objects_of(is_full != 0, none, counts, 5), 0);
        assert_int_equal(objects_of(is_full != 0, nothing, counts, 5), 0);
        assert_int_equal(objects_of(is_full != 0, wrong, counts, 5), 0);
    }
    assert_int_equal(codec_eac3_objects(NULL, 0), 0);
    struct writer writer = {.bits = 0};
    put_head(&writer, true);
    for (size_t size = 0; size < sizeof writer.bytes; size++)
        assert_int_equal(codec_eac3_objects(writer.bytes, size), 0);
}

static void an_hvcc_holds_parameter_sets_alone(void **state)
{
    static const uint8_t config[] = {
        1,    1,    0x60, 0,    0,    0,    0x90, 0, 0, 0,    0, 0,
        90,   0xf0, 0,    0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 4, /* arrays */
        0x20, 0,    1,    0,    2,    0x40, 1,                   /* VPS */
        0x27, 0,    1,    0,    3,    0x4e, 1,    5,             /* SEI */
        0x21, 0,    1,    0,    2,    0x42, 1,                   /* SPS */
        0xa2, 0,    1,    0,    2,    0x44, 1};                  /* PPS */
    struct init_track track = {.kind = PLAN_VIDEO,
                               .codec = CODEC_HEVC,
                               .config = config,
                               .config_size = sizeof config,
                               .width = 16,
                               .height = 16,
                               .timescale = 90000};
    struct str out = {0};
    struct why why = {0};
    struct slice box;
    char codecs[INIT_CODECS_SIZE];

    (void) state;
    assert_int_equal(init_write(&track, &out, &why), OK);
    box = find_box((const uint8_t *) out.at, out.length, "hvcC");
    assert_int_equal(box.length, 8 + 23 + 3 * 7);
    assert_int_equal(box.at[8 + 22], 3);
    assert_memory_equal(box.at + 8 + 23, "\xa0\0\1\0\2\x40\1\xa1\0\1\0\2\x42\1\xa2\0\1\0\2\x44\1",
                        21);
    assert_int_equal(init_codecs((const uint8_t *) out.at, out.length, codecs), OK);
    assert_string_equal(codecs, "hvc1.1.6.L90.90");
    track.config_size--;
    str_clear(&out);
    assert_int_equal(init_write(&track, &out, &why), ERR_BAD_MEDIA);
    str_fini(&out);
}

static void codecs_follow_the_headers(void **state)
{
    static const struct {
        uint8_t config[8];
        size_t size;
        const char *codecs;
        uint32_t rate, samples;
    } sounds[] = {
        {{0x11, 0x90}, 2, "mp4a.40.2", 48000, 1024},             /* LC 48 kHz stereo */
        {{0x2b, 0x11, 0x88, 0x00}, 4, "mp4a.40.5", 48000, 2048}, /* HE, 24 kHz core */
        {{0xeb, 0x09, 0x88, 0x00}, 4, "mp4a.40.29", 48000, 2048},
        {{0x13, 0x10, 0x56, 0xe5, 0x98}, 5, "mp4a.40.5", 48000, 2048}, /* told late */
    };

    (void) state;
    for (size_t i = 0; i < sizeof sounds / sizeof *sounds; i++) {
        struct init_track track = {.kind = PLAN_AUDIO,
                                   .codec = CODEC_AAC,
                                   .config = sounds[i].config,
                                   .config_size = sounds[i].size,
                                   .timescale = 48000,
                                   .rate = sounds[i].rate,
                                   .channels = 2};
        struct str out = {0};
        struct why why = {0};
        char codecs[INIT_CODECS_SIZE];
        uint32_t samples = 0;
        if (init_write(&track, &out, &why) != OK)
            fail_msg("%zu: %s", i, why.text);
        assert_int_equal(init_codecs((const uint8_t *) out.at, out.length, codecs), OK);
        assert_string_equal(codecs, sounds[i].codecs);
        assert_int_equal(init_frame_size(&track, &samples, &why), OK);
        assert_int_equal(samples, sounds[i].samples);
        str_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_10_codec_boxes_are_those_of_ffmpeg),
        cmocka_unit_test(libav_reads_every_initial_segment),
        cmocka_unit_test(objects_are_found_where_they_are),
        cmocka_unit_test(an_hvcc_holds_parameter_sets_alone),
        cmocka_unit_test(codecs_follow_the_headers),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
