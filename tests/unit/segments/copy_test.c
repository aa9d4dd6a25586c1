/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies, on films made by ffmpeg and mkvmerge: the cases of the engine's list that concern them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "lab.h"
#include "whole.h"

/* 23.976 pictures a second, keys every 4.004 s, three B pictures in a row. */
#define PICTURES "-f lavfi -i testsrc2=s=320x180:r=24000/1001:d=21,noise=alls=40 "
#define X264     "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -crf 18 "
#define CLOSED   X264 "-x264-params keyint=96:min-keyint=96:scenecut=0:open-gop=0:b-pyramid=normal "
#define SOUND    "-f lavfi -i sine=f=440:r=48000:d=21 "

static struct lab lab;

static int setup(void **state)
{
    (void) state;
    lab_init(&lab);
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES SOUND CLOSED "-c:a aac -b:a 128k @/a.mkv");
    lab_run(&lab, "mkvmerge -q -o @/merge.mkv @/a.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy @/a.mp4");
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES "-c:v libx265 -preset ultrafast -crf 24 "
                  "-pix_fmt yuv420p -x265-params "
                  "log-level=none:keyint=96:min-keyint=96:scenecut=0:open-gop=1:bframes=3 "
                  "-tag:v hvc1 @/cra.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/cra.mkv -c copy -tag:v hvc1 @/cra.mp4");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static const char *const films[] = {"a.mkv", "merge.mkv", "a.mp4", "cra.mkv", "cra.mp4"};
#define FILM_COUNT (sizeof films / sizeof *films)

static void segment_ok(struct whole *whole, uint32_t rendition, uint32_t n, struct str *out,
                       struct recipe *recipe)
{
    struct why why = {0};

    if (whole_segment(whole, rendition, n, out, recipe, &why) != OK)
        fail_msg("%s %u: %s", whole->plan->renditions[rendition].name, n, why.text);
}

static void assert_same(const struct str *a, const struct str *b)
{
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->at, b->at, a->length);
}

/* From the start to the end with one engine, then each alone with a new one, backwards. */
static void runs_are_equal(struct whole *whole, uint32_t rendition)
{
    uint32_t count = plan_segment_count(whole->plan, rendition);
    struct str *run = mem_new_array(struct str, count);

    whole_renew(whole);
    for (uint32_t n = 0; n < count; n++)
        segment_ok(whole, rendition, n, &run[n], NULL);
    for (uint32_t n = count; n-- > 0;) {
        struct str alone = {0};
        whole_renew(whole);
        segment_ok(whole, rendition, n, &alone, NULL);
        assert_same(&alone, &run[n]);
        str_fini(&alone);
    }
    for (uint32_t n = 0; n < count; n++)
        str_fini(&run[n]);
    mem_free(run);
}

static void case_01_copy_runs_are_byte_equal(void **state)
{
    (void) state;
    for (size_t i = 0; i < FILM_COUNT; i++) {
        struct whole whole, again;
        whole_open(&whole, lab_path(&lab, films[i]));
        whole_open(&again, lab_path(&lab, films[i]));
        assert_int_equal(whole.result, OK);
        assert_true(whole.plan->copy_count >= 5);
        for (uint32_t r = 0; r < whole.plan->rendition_count; r++) {
            const struct plan_rendition *one = &whole.plan->renditions[r];
            const struct plan_rendition *two = &again.plan->renditions[r];
            assert_int_equal(one->init_size, two->init_size);
            assert_memory_equal(one->init, two->init, one->init_size);
            if (one->is_copy)
                runs_are_equal(&whole, r);
        }
        whole_close(&whole);
        whole_close(&again);
    }
}

static void case_02_copy_is_complete(void **state)
{
    (void) state;
    for (size_t i = 0; i < FILM_COUNT; i++) {
        struct whole whole;
        struct str joined = {0};
        char *source, *copy;
        whole_open(&whole, lab_path(&lab, films[i]));
        whole_join(&whole, whole_find(&whole, "video-copy"), &joined);
        lab_write(&lab, "joined.mp4", &joined);
        source = lab_frame_hashes(&lab, films[i]);
        copy = lab_frame_hashes(&lab, "joined.mp4");
        assert_true(strlen(source) > 500 * 10);
        assert_string_equal(source, copy);
        mem_free(source);
        mem_free(copy);
        str_fini(&joined);
        whole_close(&whole);
    }
}

/* Each sample is the source's packet: the same bytes, at the same time to a tick. */
static void samples_are_packets(struct whole *whole, const char *name)
{
    uint32_t r = whole_find(whole, "video-copy"), at = 0;
    const struct plan *plan = whole->plan;
    struct source_packets source;

    source_read(lab_path(&lab, name), PLAN_VIDEO, 0, &source);
    for (uint32_t n = 0; n < plan_segment_count(plan, r); n++) {
        struct str segment = {0};
        struct piece piece;
        segment_ok(whole, r, n, &segment, NULL);
        piece_read(&segment, plan->timescale, &piece);
        for (size_t i = 0; i < piece.count; i++, at++) {
            const struct piece_sample *s = &piece.samples[i];
            assert_true(at < source.count);
            assert_int_equal(s->size, source.at[at].size);
            assert_true(bytes_hash(segment.at + s->at, s->size) == source.at[at].hash);
            assert_int_equal(s->is_sync, source.at[at].is_key);
            assert_int_equal(s->pts,
                             plan_source_to_ticks(plan, source.at[at].pts_ns, plan->timescale));
        }
        assert_true(piece.samples[0].is_sync);
        piece_fini(&piece);
        str_fini(&segment);
    }
    assert_int_equal(at, source.count);
    source_fini(&source);
}

static void case_03_copy_samples_are_the_sources_packets(void **state)
{
    (void) state;
    for (size_t i = 0; i < FILM_COUNT; i++) {
        struct whole whole;
        whole_open(&whole, lab_path(&lab, films[i]));
        samples_are_packets(&whole, films[i]);
        whole_close(&whole);
    }
}

static int64_t least_pts(const struct piece *piece)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < piece->count; i++)
        least = piece->samples[i].pts < least ? piece->samples[i].pts : least;
    return least;
}

/* Durations add up to the next begin, no composition offset is negative, D is told. */
static void times_join(struct whole *whole, uint32_t r)
{
    const struct plan *plan = whole->plan;
    const struct plan_rendition *rendition = &plan->renditions[r];
    uint32_t count = plan_segment_count(plan, r);
    int64_t expected = INT64_MIN;

    for (uint32_t n = 0; n < count; n++) {
        struct str segment = {0};
        struct piece piece;
        segment_ok(whole, r, n, &segment, NULL);
        piece_read(&segment, rendition->timescale, &piece);
        if (n > 0)
            assert_int_equal(piece.samples[0].dts, expected);
        assert_int_equal(piece.samples[0].dts, least_pts(&piece) - rendition->delay);
        for (size_t i = 0; i < piece.count; i++) {
            assert_true(piece.samples[i].pts >= piece.samples[i].dts);
            assert_true(piece.samples[i].duration > 0);
        }
        expected = piece.samples[piece.count - 1].dts + piece.samples[piece.count - 1].duration;
        if (rendition->is_independent)
            assert_int_equal(least_pts(&piece),
                             n == 0 ? least_pts(&piece) : plan_segment_start(plan, r, n));
        /* decision 7: a segment may begin earlier by its leading pictures, here three */
        assert_true(least_pts(&piece) <=
                    plan_segment_start(plan, r, n) + rendition->timescale / 10);
        assert_true(least_pts(&piece) >= plan_segment_start(plan, r, n) - rendition->timescale / 7);
        piece_fini(&piece);
        str_fini(&segment);
    }
    assert_int_equal(expected, plan_segment_start(plan, r, count) - rendition->delay);
}

static void case_03_copy_times_join_to_a_tick(void **state)
{
    (void) state;
    for (size_t i = 0; i < FILM_COUNT; i++) {
        struct whole whole;
        whole_open(&whole, lab_path(&lab, films[i]));
        for (uint32_t r = 0; r < whole.plan->rendition_count; r++) {
            if (whole.plan->renditions[r].is_copy)
                times_join(&whole, r);
        }
        whole_close(&whole);
    }
}

/* libavformat has no decode times for the first packets after a seek in mkv; ours need none. */
static void case_04_a_segment_after_a_seek_has_the_times_of_the_run(void **state)
{
    struct whole run, seek;
    uint32_t r;

    (void) state;
    whole_open(&run, lab_path(&lab, "a.mkv"));
    whole_open(&seek, lab_path(&lab, "a.mkv"));
    r = whole_find(&run, "video-copy");
    for (uint32_t n = 0; n <= 3; n++) {
        struct str one = {0}, two = {0};
        struct piece a, b;
        segment_ok(&run, r, n, &one, NULL);
        if (n == 3) {
            segment_ok(&seek, r, n, &two, NULL);
            piece_read(&one, run.plan->timescale, &a);
            piece_read(&two, run.plan->timescale, &b);
            assert_int_equal(a.samples[0].dts, b.samples[0].dts);
            assert_int_equal(a.count, b.count);
            piece_fini(&a);
            piece_fini(&b);
        }
        str_fini(&one);
        str_fini(&two);
    }
    whole_close(&run);
    whole_close(&seek);
}

static void case_05_only_real_idr_are_cut_at(void **state)
{
    static const char *const refused[] = {"open.mkv", "refresh.mkv", "open.mp4"};
    struct whole whole;

    (void) state;
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES X264
                  "-x264-params keyint=96:min-keyint=48:scenecut=0:open-gop=1 @/open.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin " PICTURES X264
                  "-x264-params keyint=96:scenecut=0:intra-refresh=1 @/refresh.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/open.mkv -c copy @/open.mp4");
    for (size_t i = 0; i < 3; i++) {
        whole_open(&whole, lab_path(&lab, refused[i]));
        assert_int_equal(whole.result, OK);
        assert_false(whole_has(&whole, "video-copy"));
        assert_true(whole.plan->tracks[0].copy_refused[0] != '\0');
        assert_int_equal(whole.plan->copy_count, 0);
        assert_true(whole_has(&whole, "video-180p"));
        whole_close(&whole);
    }
    whole_open(&whole, lab_path(&lab, "a.mkv"));
    assert_true(whole_has(&whole, "video-copy"));
    assert_true(whole.plan->renditions[whole_find(&whole, "video-copy")].is_independent);
    whole_close(&whole);
    whole_open(&whole, lab_path(&lab, "cra.mkv"));
    assert_true(whole_has(&whole, "video-copy"));
    assert_false(whole.plan->renditions[whole_find(&whole, "video-copy")].is_independent);
    whole_close(&whole);
}

/* Decisions 15, 16: extents within the segment's own bytes of the file, and reads no further than
 * 64 KiB past the next key's cluster. */
static void case_06_a_segment_needs_only_its_own_bytes(void **state)
{
    struct whole whole;
    uint32_t r;

    (void) state;
    lab_run(&lab, "ffmpeg -v error -nostdin -f lavfi -i "
                  "testsrc2=s=960x540:r=25:d=17,noise=alls=60 -f lavfi -i sine=d=17 "
                  "-c:v libx264 -preset ultrafast -crf 18 -pix_fmt yuv420p "
                  "-x264-params keyint=100:min-keyint=100:scenecut=0 -c:a aac -shortest "
                  "@/big.mkv");
    whole_open(&whole, lab_path(&lab, "big.mkv"));
    r = whole_find(&whole, "video-copy");
    assert_int_equal(whole.plan->copy_count, 5);
    for (uint32_t n = 0; n + 1 < whole.plan->copy_count; n++) {
        struct str segment = {0};
        struct recipe recipe;
        segment_ok(&whole, r, n, &segment, &recipe);
        assert_true(recipe.extents > 50);
        assert_true(recipe.own_bytes < 16 * 1024);
        assert_true(recipe.least >= whole.plan->copy_pos[n]);
        assert_true(recipe.most <= whole.plan->copy_pos[n + 1]);
        assert_true(recipe.parts >= 4);
        str_fini(&segment);
    }
    whole_close(&whole);
}

static void case_06_with_and_without_an_index(void **state)
{
    static const char *const offered[] = {"front.mkv", "nocues.mkv", "live.mkv", "front.mp4",
                                          "frag.mp4"};
    struct whole whole;

    (void) state;
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy -reserve_index_space 65536 "
                  "@/front.mkv");
    lab_run(&lab, "mkvmerge -q --no-cues -o @/nocues.mkv @/a.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy -live 1 @/live.mkv");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy -movflags faststart @/front.mp4");
    lab_run(&lab, "ffmpeg -v error -nostdin -i @/a.mkv -c copy "
                  "-movflags frag_keyframe+empty_moov @/frag.mp4");
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++) {
        whole_open(&whole, lab_path(&lab, offered[i]));
        assert_int_equal(whole.result, OK);
        assert_true(whole_has(&whole, "video-copy"));
        assert_int_equal(whole.plan->copy_count, 6);
        samples_are_packets(&whole, offered[i]);
        whole_close(&whole);
    }
}

/* Either the copy shows exactly what the edit list presents, or none is offered. */
static void case_07_edit_lists_are_kept_or_refused(void **state)
{
    struct whole whole;

    (void) state;
    lab_run(&lab, "ffmpeg -v error -nostdin -ss 2.5 -i @/a.mp4 -c copy @/cut.mp4");
    whole_open(&whole, lab_path(&lab, "cut.mp4"));
    assert_int_equal(whole.result, OK);
    assert_false(whole_has(&whole, "video-copy"));
    assert_true(whole.plan->tracks[0].copy_refused[0] != '\0');
    whole_close(&whole);
    /* priming at -1024: the frame before 0 is not played, the rest stands where it stood */
    whole_open(&whole, lab_path(&lab, "a.mp4"));
    assert_true(whole_has(&whole, "audio-1-copy"));
    struct str segment = {0};
    struct piece piece;
    struct source_packets source;
    segment_ok(&whole, whole_find(&whole, "audio-1-copy"), 0, &segment, NULL);
    piece_read(&segment, 48000, &piece);
    source_read(lab_path(&lab, "a.mp4"), PLAN_AUDIO, 0, &source);
    assert_true(piece.samples[0].pts >= 0 && piece.samples[0].pts < 1024);
    for (size_t i = 0; i < source.count; i++) {
        int64_t at = plan_source_to_ticks(whole.plan, source.at[i].pts_ns, 48000);
        if (at >= 0) {
            assert_true(llabs(at - piece.samples[0].pts) <= 48);
            assert_true(bytes_hash(segment.at + piece.samples[0].at, piece.samples[0].size) ==
                        source.at[i].hash);
            break;
        }
    }
    source_fini(&source);
    piece_fini(&piece);
    str_fini(&segment);
    whole_close(&whole);
}

#define GROUP(seconds)                                                                             \
    "ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=320x180:r=25:d=" seconds                      \
    " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params "                               \
    "keyint=100:min-keyint=100:scenecut=0"

static void append_file(FILE *to, const char *name)
{
    char *path = mem_strdup(lab_path(&lab, name)), buffer[4096];
    FILE *from = fopen(path, "rb");
    size_t got;

    assert_non_null(from);
    while ((got = fread(buffer, 1, sizeof buffer, from)) > 0)
        assert_int_equal(fwrite(buffer, 1, got, to), got);
    fclose(from);
    mem_free(path);
}

static void join_raw(const char *const *names, size_t count, const char *out)
{
    FILE *file = fopen(lab_path(&lab, "joined.h264"), "wb");
    char words[256];

    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        append_file(file, names[i]);
    fclose(file);
    snprintf(words, sizeof words,
             "ffmpeg -v quiet -nostdin -y -r 25 -i @/joined.h264 -c copy -bsf:v "
             "setts=pts=N*40:dts=N*40:duration=40 @/%s",
             out);
    lab_run(&lab, words);
}

static void case_08_a_change_of_parameter_sets_ends_the_copy(void **state)
{
    static const char *const halves[] = {"p.h264", "q.h264"};
    static const char *const island[] = {"g.h264", "h.h264", "long.h264"};
    struct whole whole;
    struct str segment = {0};
    struct why why = {0};

    (void) state;
    lab_run(&lab, GROUP("12") ":bframes=0:ref=1 @/p.h264");
    lab_run(&lab, GROUP("12") ":bframes=0:ref=4 @/q.h264");
    join_raw(halves, 2, "halves.mkv");
    whole_open(&whole, lab_path(&lab, "halves.mkv"));
    assert_int_equal(whole.result, OK);
    assert_false(whole_has(&whole, "video-copy"));
    assert_non_null(strstr(whole.plan->tracks[0].copy_refused, "parameter sets"));
    whole_close(&whole);

    /* the change is where no sample looks: it is found when that segment is made (decision 12) */
    lab_run(&lab, GROUP("4") ":bframes=0:ref=1 @/g.h264");
    lab_run(&lab, GROUP("4") ":bframes=0:ref=4 @/h.h264");
    lab_run(&lab, GROUP("40") ":bframes=0:ref=1 @/long.h264");
    join_raw(island, 3, "island.mkv");
    whole_open(&whole, lab_path(&lab, "island.mkv"));
    assert_int_equal(whole.result, OK);
    assert_int_equal(whole.plan->copy_count, 12);
    assert_int_equal(
        whole_segment(&whole, whole_find(&whole, "video-copy"), 1, &segment, NULL, &why), ERR_GONE);
    assert_non_null(strstr(why.text, "parameter sets"));
    str_clear(&segment);
    segment_ok(&whole, whole_find(&whole, "video-copy"), 0, &segment, NULL);
    str_clear(&segment);
    segment_ok(&whole, whole_find(&whole, "video-copy"), 2, &segment, NULL);
    str_fini(&segment);
    whole_close(&whole);
}

/* Packets before T0 are a decoder's run-up; half a millisecond is the rounding of mkv. */
static size_t first_heard(const struct whole *whole, const struct source_packets *source)
{
    size_t at = 0;

    while (at < source->count && source->at[at].pts_ns < whole->plan->t0_ns - 500000)
        at++;
    return at;
}

/* Every packet from 0 on, once, in order, on the grid of its frames. */
static void sound_is_complete(const char *name, const char *rendition)
{
    struct whole whole;
    struct source_packets source;
    uint32_t r, size;
    size_t at = 0;
    int64_t place = -1;

    whole_open(&whole, lab_path(&lab, name));
    if (whole.result != OK)
        fail_msg("%s: %s", name, whole.why.text);
    r = whole_find(&whole, rendition);
    size = whole.plan->tracks[whole.plan->renditions[r].track].frame_size;
    source_read(lab_path(&lab, name), PLAN_AUDIO, 0, &source);
    at = first_heard(&whole, &source);
    for (uint32_t n = 0; n < plan_segment_count(whole.plan, r); n++) {
        struct str segment = {0};
        struct piece piece;
        segment_ok(&whole, r, n, &segment, NULL);
        piece_read(&segment, whole.plan->renditions[r].timescale, &piece);
        assert_int_equal(piece.samples[0].pts, plan_segment_start(whole.plan, r, n));
        for (size_t i = 0; i < piece.count; i++, at++) {
            const struct piece_sample *s = &piece.samples[i];
            assert_true(place < 0 || s->pts == place);
            assert_int_equal(s->duration, size);
            if (at >= source.count || bytes_hash(segment.at + s->at, s->size) != source.at[at].hash)
                fail_msg("%s: frame %zu of segment %u is not packet %zu", name, i, n, at);
            place = s->pts + s->duration;
        }
        piece_fini(&piece);
        str_fini(&segment);
    }
    /* what stands behind E is not played */
    assert_true(source.count - at <= 2);
    runs_are_equal(&whole, r);
    source_fini(&source);
    whole_close(&whole);
}

static void case_09_sound_is_copied_without_holes(void **state)
{
    static const struct {
        const char *name, *encoder;
        bool mp4;
    } sounds[] = {
        {"aac48", "-ar 48000 -c:a aac -b:a 128k", true},
        {"aac44", "-ar 44100 -c:a aac -b:a 128k", true},
        {"ac3", "-ar 48000 -ac 6 -c:a ac3", true},
        {"eac3", "-ar 48000 -ac 6 -c:a eac3", true},
        {"mp3", "-ar 44100 -c:a libmp3lame", true},
        {"opus", "-ar 48000 -c:a libopus -b:a 96k", true},
        {"flac", "-ar 44100 -c:a flac", true},
    };
    char words[512], name[64];

    (void) state;
    for (size_t i = 0; i < sizeof sounds / sizeof *sounds; i++) {
        snprintf(words, sizeof words,
                 "ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=64x64:r=25:d=13 -f lavfi -i "
                 "anoisesrc=d=13:a=0.2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 100 "
                 "-keyint_min 100 %s -strict -2 @/%s.mkv",
                 sounds[i].encoder, sounds[i].name);
        lab_run(&lab, words);
        snprintf(words, sizeof words, "mkvmerge -q -o @/%s-merged.mkv @/%s.mkv", sounds[i].name,
                 sounds[i].name);
        lab_run(&lab, words);
        snprintf(name, sizeof name, "%s.mkv", sounds[i].name);
        sound_is_complete(name, "audio-1-copy");
        snprintf(name, sizeof name, "%s-merged.mkv", sounds[i].name);
        sound_is_complete(name, "audio-1-copy");
        snprintf(words, sizeof words,
                 "ffmpeg -v error -nostdin -i @/%s.mkv -c copy -strict -2 @/%s.mp4", sounds[i].name,
                 sounds[i].name);
        lab_run(&lab, words);
        snprintf(name, sizeof name, "%s.mp4", sounds[i].name);
        sound_is_complete(name, "audio-1-copy");
    }
}

/* Decisions 15, 27: parts close by content alone; the first decodes with the init by itself. */
static void parts_are_cut_by_content(void **state)
{
    struct whole whole;
    struct str segment = {0}, first = {0};
    struct recipe recipe;
    struct piece piece;
    uint32_t r;
    int64_t begin = 0;

    (void) state;
    whole_open(&whole, lab_path(&lab, "a.mkv"));
    r = whole_find(&whole, "video-copy");
    segment_ok(&whole, r, 1, &segment, &recipe);
    piece_read(&segment, whole.plan->timescale, &piece);
    assert_int_equal(recipe.parts, piece.parts);
    assert_true(piece.parts >= 4);
    for (size_t i = 0; i < piece.count; i++) {
        const struct piece_sample *s = &piece.samples[i];
        if (i == 0 || s->part != piece.samples[i - 1].part)
            begin = s->dts;
        assert_true(s->dts - begin < whole.plan->timescale);
        if (i > 0 && s->part != piece.samples[i - 1].part)
            assert_true(s->dts - piece.samples[0].dts >= whole.plan->timescale);
    }
    str_append(&first, whole.plan->renditions[r].init, whole.plan->renditions[r].init_size);
    str_append(&first, segment.at, recipe.first_part);
    lab_write(&lab, "first.mp4", &first);
    lab_run(&lab, "ffmpeg -v error -xerror -nostdin -y -i @/first.mp4 -f framehash @/first.txt");
    piece_fini(&piece);
    str_fini(&first);
    str_fini(&segment);
    whole_close(&whole);
}

static void case_27_segments_stand_where_the_playlist_says(void **state)
{
    (void) state;
    for (size_t i = 0; i < FILM_COUNT; i++) {
        struct whole whole;
        whole_open(&whole, lab_path(&lab, films[i]));
        for (uint32_t r = 0; r < whole.plan->rendition_count; r++) {
            const struct plan_rendition *rendition = &whole.plan->renditions[r];
            uint32_t count = plan_segment_count(whole.plan, r);
            if (!rendition->is_copy)
                continue;
            for (uint32_t n = 0; n < count; n++) {
                struct str segment = {0};
                struct piece piece;
                int64_t off;
                segment_ok(&whole, r, n, &segment, NULL);
                piece_read(&segment, rendition->timescale, &piece);
                off =
                    piece.samples[0].dts + rendition->delay - plan_segment_start(whole.plan, r, n);
                assert_true(llabs(off) * (rendition->is_independent ? 10 : 7) <
                            rendition->timescale);
                piece_fini(&piece);
                str_fini(&segment);
            }
        }
        whole_close(&whole);
    }
}

/* A plan that does not fit the file, and segments that do not exist, are answered in words. */
static void what_does_not_fit_is_said(void **state)
{
    struct whole whole;
    struct str segment = {0};
    struct why why = {0};
    uint32_t r;

    (void) state;
    whole_open(&whole, lab_path(&lab, "a.mkv"));
    r = whole_find(&whole, "video-copy");
    assert_int_not_equal(whole_segment(&whole, r, 99, &segment, NULL, &why), OK);
    assert_true(why.text[0] != '\0');
    whole.plan->copy_cuts[2] += 7;
    assert_int_equal(whole_segment(&whole, r, 2, &segment, NULL, &why), ERR_GONE);
    assert_non_null(strstr(why.text, "key"));
    whole.plan->tracks[0].codec = CODEC_HEVC;
    whole_renew(&whole);
    assert_int_equal(whole_segment(&whole, r, 1, &segment, NULL, &why), ERR_GONE);
    str_fini(&segment);
    whole_close(&whole);
}

/* Makes an IDR picture (NAL unit type 5, H.264 7.4.1) call itself an ordinary one. */
static void spoil_key(const char *name, uint64_t at)
{
    CLEANUP(fd_close) int fd = open(lab_path(&lab, name), O_RDWR | O_CLOEXEC);
    uint8_t type = 0;
    size_t got;

    assert_int_equal(fd_read_at(fd, &type, 1, at + 4, &got), OK);
    assert_int_equal(type & 0x1f, 5);
    type = (uint8_t) ((type & 0xe0) | 1);
    assert_int_equal(fd_write_at(fd, &type, 1, at + 4), OK);
}

/* Decision 12: a boundary that is no IDR, of those that the planner did not look at, is served as
 * announced, and its verdict is told; a key within a segment is nobody's boundary. */
static void a_false_key_is_served_and_told(void **state)
{
    enum { FALSE_KEY = 5 };
    struct whole whole;
    struct recipe recipe;
    struct str before = {0}, after = {0};
    uint32_t copy;

    (void) state;
    lab_run(&lab, "ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=640x360:r=5:d=60,noise=alls=60 "
                  "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p -g 10 -sc_threshold 0 "
                  "-bf 0 @/keys.mkv");
    whole_open(&whole, lab_path(&lab, "keys.mkv"));
    assert_int_equal(whole.result, OK);
    copy = whole_find(&whole, "video-copy");
    segment_ok(&whole, copy, FALSE_KEY, &before, &recipe);
    assert_true(recipe.extents > 0 && recipe.verdict.text[0] == '\0');
    spoil_key("keys.mkv", recipe.least);
    whole_renew(&whole);
    segment_ok(&whole, copy, FALSE_KEY, &after, &recipe);
    assert_int_equal(after.length, before.length);
    assert_non_null(strstr(recipe.verdict.text, "20.000"));
    after.length = 0;
    segment_ok(&whole, copy, FALSE_KEY - 1, &after, &recipe); /* looks at it as its end */
    assert_string_equal(recipe.verdict.text, "");
    str_fini(&before);
    str_fini(&after);
    whole_close(&whole);
}

static void a_cancelled_copy_ends(void **state)
{
    static const struct sink_ops none;
    struct whole whole;
    _Atomic bool cancelled = true;
    struct engine_output output = {.sink = {&none, NULL}};

    (void) state;
    whole_open(&whole, lab_path(&lab, "a.mkv"));
    output.rendition = whole_find(&whole, "video-copy");
    engine_segment(whole.engine, 0, &output, 1, &cancelled, NULL, NULL);
    assert_int_equal(output.result, ERR_CANCELLED);
    whole_close(&whole);
}

/* --- the corpus ------------------------------------------------------------------------------- */

/* The copy's samples are the source's packets from T0 on, in order. */
static void corpus_copy_is_the_source(struct whole *whole, const char *path, uint32_t r)
{
    const struct plan_rendition *rendition = &whole->plan->renditions[r];
    const struct plan_track *track = &whole->plan->tracks[rendition->track];
    struct source_packets source;
    size_t at = 0, copied = 0;

    source_read(path, rendition->kind, track->number - 1, &source);
    if (rendition->kind == PLAN_AUDIO)
        at = first_heard(whole, &source);
    for (uint32_t n = 0; n < plan_segment_count(whole->plan, r); n++) {
        struct str segment = {0};
        struct piece piece;
        segment_ok(whole, r, n, &segment, NULL);
        piece_read(&segment, rendition->timescale, &piece);
        for (size_t i = 0; i < piece.count; i++) {
            uint64_t hash = bytes_hash(segment.at + piece.samples[i].at, piece.samples[i].size);
            if (at >= source.count || source.at[at].hash != hash)
                fail_msg("%s %s: sample %zu of segment %u is not packet %zu", path, rendition->name,
                         i, n, at);
            at++;
            copied++;
        }
        piece_fini(&piece);
        str_fini(&segment);
    }
    if (rendition->kind == PLAN_VIDEO)
        assert_int_equal(copied, source.count);
    runs_are_equal(whole, r);
    source_fini(&source);
}

static size_t look_at_copies(struct whole *whole, const char *path)
{
    size_t count = 0;
    for (uint32_t r = 0; r < whole->plan->rendition_count; r++) {
        if (!whole->plan->renditions[r].is_copy || whole->plan->renditions[r].kind == PLAN_IFRAMES)
            continue;
        corpus_copy_is_the_source(whole, path, r);
        times_join(whole, r);
        count++;
    }
    return count;
}

static void the_corpus_is_copied_exactly(void **state)
{
    (void) state;
    assert_true(whole_each_of_corpus(look_at_copies) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_01_copy_runs_are_byte_equal),
        cmocka_unit_test(case_02_copy_is_complete),
        cmocka_unit_test(case_03_copy_samples_are_the_sources_packets),
        cmocka_unit_test(case_03_copy_times_join_to_a_tick),
        cmocka_unit_test(case_04_a_segment_after_a_seek_has_the_times_of_the_run),
        cmocka_unit_test(case_05_only_real_idr_are_cut_at),
        cmocka_unit_test(case_06_a_segment_needs_only_its_own_bytes),
        cmocka_unit_test(case_06_with_and_without_an_index),
        cmocka_unit_test(case_07_edit_lists_are_kept_or_refused),
        cmocka_unit_test(case_08_a_change_of_parameter_sets_ends_the_copy),
        cmocka_unit_test(case_09_sound_is_copied_without_holes),
        cmocka_unit_test(case_27_segments_stand_where_the_playlist_says),
        cmocka_unit_test(parts_are_cut_by_content),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(a_false_key_is_served_and_told),
        cmocka_unit_test(a_cancelled_copy_ends),
        cmocka_unit_test(the_corpus_is_copied_exactly),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
