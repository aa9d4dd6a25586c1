/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures to scrub by: each segment one I-frame, that of the source at its time, alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mathematics.h>

#include "base/mem.h"
#include "lab.h"
#include "segments/encode.h"
#include "whole.h"

#define NS_PER_S 1000000000
#define PICTURES "-f lavfi -i testsrc2=s=320x180:r=24000/1001:d=14 "
#define X264     "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -crf 20 "
#define GOPS     "-x264-params keyint=30:min-keyint=30:scenecut=0:open-gop=0 "

static struct lab lab;

static int setup(void **state)
{
    (void) state;
    lab_init(&lab);
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES X264 GOPS "@/a.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy @/a.mp4");
    /* pictures left out here and there: their distance varies */
    lab_run(&lab,
            "ffmpeg -v error -nostdin " PICTURES "-vf select=lt(mod(n\\,7)\\,4),setpts=PTS+0.01 "
            "-fps_mode vfr " X264 "-force_key_frames expr:gte(t,n_forced*1.5) @/vfr.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES "-c:v libx265 -preset ultrafast -crf 24 "
                  "-pix_fmt yuv420p -x265-params log-level=none:keyint=48:min-keyint=48:scenecut=0:"
                  "open-gop=1:bframes=3 -tag:v hvc1 @/cra.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/cra.mkv -c copy -tag:v hvc1 @/cra.mp4");
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES X264 "-g 10000 -sc_threshold 0 @/long.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES "-c:v mpeg2video -q:v 3 @/mpeg2.ts");
    lab_run(&lab, "ffmpeg -v error -nostdin -f lavfi -i "
                  "nullsrc=s=640x360:r=24:d=4,geq=random(1)*255:128:128 " X264 "-g 24 @/noise.mkv");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static void segment_ok(struct whole *whole, uint32_t rendition, uint32_t n, struct str *out)
{
    struct why why = {0};

    if (whole_segment(whole, rendition, n, out, NULL, &why) != OK)
        fail_msg("%s %u: %s", whole->plan->renditions[rendition].name, n, why.text);
}

/* One picture, one sample, up to the next; `pts` of it. */
static int64_t one_sample(const struct whole *whole, uint32_t r, uint32_t n,
                          const struct str *segment, struct piece_sample *out)
{
    const struct plan *plan = whole->plan;
    struct piece piece;

    piece_read(segment, plan->timescale, &piece);
    assert_int_equal(piece.parts, 1);
    assert_int_equal(piece.count, 1);
    *out = piece.samples[0];
    piece_fini(&piece);
    assert_true(out->is_sync);
    assert_int_equal(out->pts - out->dts, plan->renditions[r].delay);
    assert_int_equal(out->pts + out->duration, plan_segment_start(plan, r, n + 1));
    return out->pts;
}

static void with_init(const struct whole *whole, uint32_t r, const struct str *segment,
                      struct str *out)
{
    const struct plan_rendition *rendition = &whole->plan->renditions[r];

    str_append(out, rendition->init, rendition->init_size);
    str_append(out, segment->at, segment->length);
}

/* --- copies ----------------------------------------------------------------------------------- */

static const struct source_packet *packet_at(const struct source_packets *source,
                                             const struct plan *plan, int64_t ticks)
{
    for (size_t i = 0; i < source->count; i++)
        if (source->at[i].is_key &&
            plan_source_to_ticks(plan, source->at[i].pts_ns, plan->timescale) == ticks)
            return &source->at[i];
    return NULL;
}

static void keys_are_packets(struct whole *whole, const char *path)
{
    uint32_t r = whole_find(whole, "iframes-video-copy");
    const struct plan *plan = whole->plan;
    const struct plan_track *track = &plan->tracks[plan->renditions[r].track];
    struct source_packets source;

    source_read(path, PLAN_VIDEO, track->number - 1, &source);
    for (uint32_t n = 0; n < plan_segment_count(plan, r); n++) {
        struct str segment = {0};
        struct piece_sample sample;
        int64_t pts;
        segment_ok(whole, r, n, &segment);
        pts = one_sample(whole, r, n, &segment, &sample);
        if (n > 0)
            assert_int_equal(pts, plan_segment_start(plan, r, n));
        const struct source_packet *packet = packet_at(&source, plan, pts);
        if (packet == NULL || bytes_hash(segment.at + sample.at, sample.size) != packet->hash)
            fail_msg("%s: picture %u is not the source's key", path, n);
        str_fini(&segment);
    }
    source_fini(&source);
}

/* Every picture decodes alone, and is the one that decoding all of the film shows there. */
static void keys_decode_alone(struct whole *whole, const char *path)
{
    uint32_t r = whole_find(whole, "iframes-video-copy"), at = 0;
    struct pictures_seen all, one;
    struct str joined = {0};

    (void) path;
    whole_join(whole, whole_find(whole, "video-copy"), &joined);
    seen_bytes(&joined, &all);
    for (uint32_t n = 0; n < plan_segment_count(whole->plan, r); n++) {
        struct str segment = {0}, film = {0};
        segment_ok(whole, r, n, &segment);
        with_init(whole, r, &segment, &film);
        seen_bytes(&film, &one);
        assert_int_equal(one.errors, 0);
        assert_int_equal(one.count, 1);
        while (at < all.count && all.at[at].pts < one.at[0].pts)
            at++;
        assert_true(at < all.count && all.at[at].pts == one.at[0].pts);
        assert_memory_equal(all.at[at].luma, one.at[0].luma,
                            (size_t) one.at[0].width * (size_t) one.at[0].height);
        seen_fini(&one);
        str_fini(&segment);
        str_fini(&film);
    }
    seen_fini(&all);
    str_fini(&joined);
}

static void copies_are_single_keys(void **state)
{
    static const char *const films[] = {"a.mkv", "a.mp4", "vfr.mkv", "cra.mkv", "cra.mp4"};

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        whole_open(&whole, lab_path(&lab, films[i]));
        assert_int_equal(whole.result, OK);
        keys_are_packets(&whole, lab_path(&lab, films[i]));
        keys_decode_alone(&whole, lab_path(&lab, films[i]));
        whole_close(&whole);
    }
}

/* Key frames every 1.25 s: all of them, and every cut of the copy among them. */
static void they_stand_as_close_as_the_index_knows(void **state)
{
    struct whole whole;

    (void) state;
    whole_open(&whole, lab_path(&lab, "a.mkv"));
    uint32_t cut = 0;
    assert_int_equal(whole.plan->key_count, 11);
    for (uint32_t i = 0; i < whole.plan->key_count; i++)
        cut += cut < whole.plan->copy_count && whole.plan->keys[i] == whole.plan->copy_cuts[cut];
    assert_int_equal(cut, whole.plan->copy_count);
    whole_close(&whole);
}

static void chosen(const int64_t *keys, size_t count, int64_t end, const uint32_t *cuts,
                   uint32_t cut_count, const char *expected)
{
    uint32_t *indexes = NULL, found = 0;
    struct str text = {0};

    plan_choose_keys(keys, count, end, 10, cuts, cut_count, &indexes, &found);
    for (uint32_t i = 0; i < found; i++)
        str_printf(&text, "%u ", indexes[i]);
    assert_string_equal(str_text(&text), expected);
    str_fini(&text);
    mem_free(indexes);
}

static void keys_are_a_second_apart(void **state)
{
    static const int64_t keys[] = {0, 4, 8, 12, 16, 20, 38, 41, 47, 55, 57};
    static const uint32_t cuts[] = {0, 7};

    (void) state;
    /* 35 is too near to the cut at 41, 55 too near to the end */
    chosen(keys, sizeof keys / sizeof *keys, 60, cuts, 2, "0 3 7 ");
    chosen(keys, sizeof keys / sizeof *keys, 60, cuts, 1, "0 3 6 ");
    chosen(keys, 1, 60, cuts, 1, "0 ");
    /* a film of two days: no more than a plan holds */
    enum { MANY = 200000 };
    int64_t *many = mem_new_array(int64_t, MANY);
    uint32_t *indexes = NULL, found = 0;
    for (int64_t i = 0; i < MANY; i++)
        many[i] = i * 10;
    plan_choose_keys(many, MANY, MANY * 10, 10, cuts, 1, &indexes, &found);
    assert_in_range(found, PLAN_MAX_CUTS / 4, PLAN_MAX_CUTS / 2 + 1);
    mem_free(indexes);
    mem_free(many);
}

static size_t look_at_keys(struct whole *whole, const char *path)
{
    if (!whole_has(whole, "iframes-video-copy"))
        return 0;
    keys_are_packets(whole, path);
    return 1;
}

static void the_corpus_holds_its_keys(void **state)
{
    (void) state;
    assert_true(whole_each_of_corpus(look_at_keys) > 20);
}

/* --- transcodes ------------------------------------------------------------------------------- */

static uint32_t find_stills(const struct whole *whole)
{
    for (uint32_t i = 0; i < whole->plan->rendition_count; i++)
        if (whole->plan->renditions[i].kind == PLAN_IFRAMES && !whole->plan->renditions[i].is_copy)
            return i;
    fail_msg("no pictures");
    return 0;
}

/* The one that is shown at `s` seconds of the film: the last that is not later. */
static const struct picture *shown_at(const struct pictures_seen *seen, double begin_s, double s,
                                      double tick_s)
{
    const struct picture *shown = &seen->at[0];

    for (size_t i = 0; i < seen->count; i++)
        if ((double) seen->at[i].pts * tick_s - begin_s <= s + 0.021)
            shown = &seen->at[i];
    return shown;
}

/* Reference: the film made H.264 of few bits lost, by ffmpeg, times kept. */
static void stills_show_the_film(const char *name)
{
    struct whole whole;
    struct pictures_seen all, one;
    char words[512];

    snprintf(words, sizeof words,
             "ffmpeg -v error -nostdin -y -i @/%s -fps_mode passthrough -c:v libx264 -preset "
             "ultrafast -crf 12 -bf 0 -video_track_timescale 90000 @/like.mp4",
             name);
    lab_run(&lab, words);
    seen_file(lab_path(&lab, "like.mp4"), 320, 180, &all);
    whole_open(&whole, lab_path(&lab, name));
    assert_int_equal(whole.result, OK);
    uint32_t r = find_stills(&whole);
    const struct plan_rendition *rendition = &whole.plan->renditions[r];
    double begin_s = (double) all.at[0].pts / 90000;
    for (uint32_t n = 0; n < plan_segment_count(whole.plan, r); n++) {
        struct str segment = {0}, film = {0};
        struct piece_sample sample;
        segment_ok(&whole, r, n, &segment);
        assert_int_equal(one_sample(&whole, r, n, &segment, &sample),
                         plan_segment_start(whole.plan, r, n));
        assert_true((uint64_t) sample.size * 8 <= rendition->bitrate);
        with_init(&whole, r, &segment, &film);
        seen_bytes(&film, &one);
        assert_int_equal(one.errors, 0);
        assert_int_equal(one.count, 1);
        double at_s = (double) plan_segment_start(whole.plan, r, n) / whole.plan->timescale;
        const struct picture *like = shown_at(&all, begin_s, at_s, 1.0 / 90000);
        double ssim = picture_ssim(like, &one.at[0]);
        if (ssim < 0.93)
            fail_msg("%s: picture %u at %.3f s is not the film's (%.3f)", name, n, at_s, ssim);
        seen_fini(&one);
        str_fini(&segment);
        str_fini(&film);
    }
    whole_close(&whole);
    seen_fini(&all);
}

static void transcodes_show_the_moment(void **state)
{
    static const char *const films[] = {"a.mkv",   "a.mp4",    "vfr.mkv", "cra.mkv",
                                        "cra.mp4", "long.mkv", "mpeg2.ts"};

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++)
        stills_show_the_film(films[i]);
}

/* BANDWIDTH is a promise: what would be larger is made with fewer bits, under the same headers. */
static void noise_is_kept_within_its_bound(void **state)
{
    struct whole whole;
    struct str segment = {0}, film = {0};
    struct piece_sample sample;
    struct pictures_seen one;

    (void) state;
    whole_open(&whole, lab_path(&lab, "noise.mkv"));
    assert_int_equal(whole.result, OK);
    uint32_t r = find_stills(&whole);
    segment_ok(&whole, r, 1, &segment);
    one_sample(&whole, r, 1, &segment, &sample);
    assert_true((uint64_t) sample.size * 8 <= whole.plan->renditions[r].bitrate);
    assert_true((uint64_t) sample.size * 40 > whole.plan->renditions[r].bitrate);
    with_init(&whole, r, &segment, &film);
    seen_bytes(&film, &one);
    assert_int_equal(one.errors, 0);
    assert_int_equal(one.count, 1);
    seen_fini(&one);
    str_fini(&segment);
    str_fini(&film);
    whole_close(&whole);
}

static void config_of(uint32_t crf, uint8_t **bytes, size_t *size)
{
    const struct encode_video settings = {.width = 640,
                                          .height = 360,
                                          .fps_num = 24,
                                          .fps_den = 1,
                                          .preset = "veryfast",
                                          .threads = 1,
                                          .crf = crf};
    AVCodecContext *encoder = NULL;

    assert_int_equal(encode_video_open(&settings, &encoder, NULL), OK);
    assert_int_equal(encode_video_config(encoder, bytes, size), OK);
    assert_int_equal(encode_video_reorder(encoder), 0);
    encode_close(&encoder);
}

static void headers_do_not_depend_on_quality(void **state)
{
    uint8_t *one = NULL, *two = NULL;
    size_t one_size = 0, two_size = 0;

    (void) state;
    config_of(ENCODE_STILL_CRF, &one, &one_size);
    config_of(ENCODE_STILL_LAST, &two, &two_size);
    assert_int_equal(one_size, two_size);
    assert_memory_equal(one, two, one_size);
    mem_free(one);
    mem_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_a_second_apart),
        cmocka_unit_test(copies_are_single_keys),
        cmocka_unit_test(they_stand_as_close_as_the_index_knows),
        cmocka_unit_test(the_corpus_holds_its_keys),
        cmocka_unit_test(transcodes_show_the_moment),
        cmocka_unit_test(noise_is_kept_within_its_bound),
        cmocka_unit_test(headers_do_not_depend_on_quality),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
