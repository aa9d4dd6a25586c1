/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans of films made by ffmpeg, of bad files, and of the corpus. */
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

#define FFMPEG "ffmpeg -v error -nostdin "
#define X264   "-c:v libx264 -preset ultrafast -pix_fmt yuv420p "

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

static void make(const char *name, const char *words)
{
    struct str all = {0};

    str_printf(&all, FFMPEG "-y %s @/%s", words, name);
    lab_run(&lab, all.at);
    str_fini(&all);
}

static void open_good(struct whole *whole, const char *name)
{
    whole_open(whole, lab_path(&lab, name));
    if (whole->result != OK)
        fail_msg("%s: %s", name, whole->why.text);
}

static double seconds(const struct plan *plan)
{
    return (double) plan->end / plan->timescale;
}

/* No enlarging; between rungs its own height unless one is near below; even sizes. */
static void the_rungs_follow_from_the_picture(void **state)
{
    static const struct {
        const char *size;
        const char *rungs[5];
    } films[] = {
        {"1920x1080", {"video-1080p 1920", "video-720p 1280", "video-480p 854", "video-360p 640"}},
        {"1920x800", {"video-720p 1728", "video-480p 1152", "video-360p 864"}},
        {"1920x804", {"video-804p 1920", "video-720p 1720", "video-480p 1146", "video-360p 860"}},
        {"854x480", {"video-480p 854", "video-360p 640"}},
        {"320x242", {"video-242p 320"}},
        {"161x121", {"video-120p 160"}},
        {"2560x1440", {"video-1080p 1920", "video-720p 1280", "video-480p 854", "video-360p 640"}},
    };
    char words[256];

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        uint32_t videos = 0, expected = 0;
        snprintf(words, sizeof words, "-f lavfi -i color=s=%s:r=25:d=0.2 -c:v mpeg4",
                 films[i].size);
        make("rungs.mkv", words);
        open_good(&whole, "rungs.mkv");
        for (uint32_t r = 0; r < whole.plan->rendition_count; r++)
            videos += whole.plan->renditions[r].kind == PLAN_VIDEO;
        for (; films[i].rungs[expected] != NULL; expected++) {
            char name[24];
            unsigned width;
            const struct plan_rendition *r;
            assert_int_equal(sscanf(films[i].rungs[expected], "%23s %u", name, &width), 2);
            r = &whole.plan->renditions[whole_find(&whole, name)];
            assert_int_equal(r->width, width);
            assert_string_equal(r->video_range, "SDR");
        }
        assert_int_equal(videos, expected);
        whole_close(&whole);
    }
}

static void the_grid_is_that_of_the_pictures(void **state)
{
    static const struct {
        const char *rate;
        uint32_t num, den, timescale;
    } films[] = {{"24000/1001", 24000, 1001, 24000},
                 {"24", 24, 1, 90000},
                 {"25", 25, 1, 90000},
                 {"30000/1001", 30000, 1001, 30000},
                 {"30", 30, 1, 90000},
                 {"48", 48, 1, 90000},
                 {"50", 50, 1, 90000},
                 {"60000/1001", 60000, 1001, 60000},
                 {"60", 60, 1, 90000},
                 {"12", 12, 1, 90000},
                 {"25/2", 25, 2, 90000},
                 {"15", 15, 1, 90000},
                 {"15000/1001", 30000, 1001, 30000},
                 {"20", 20, 1, 90000},
                 {"10", 20, 1, 90000},
                 {"8", 24, 1, 90000},
                 {"5", 15, 1, 90000}};
    static const char *const ends[] = {"fps.mkv", "fps.mp4", "fps.ts"};
    char words[256];

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        snprintf(words, sizeof words, "-f lavfi -i testsrc2=s=64x64:r=%s:d=3 " X264 "-bf 2",
                 films[i].rate);
        for (size_t e = 0; e < 3; e += films[i].num < 24 || films[i].den == 2 ? 2 : 1) {
            struct whole whole;
            make(ends[e], words);
            open_good(&whole, ends[e]);
            assert_int_equal(whole.plan->fps_num, films[i].num);
            assert_int_equal(whole.plan->fps_den, films[i].den);
            assert_int_equal(whole.plan->timescale, films[i].timescale);
            assert_true(seconds(whole.plan) > 2.97 && seconds(whole.plan) < 3.05); /* 38 of 12.5 */
            whole_close(&whole);
        }
    }
}

/* Decision 8: one delay for all renditions of the picture, whole milliseconds at least. */
static void one_delay_serves_all_renditions(void **state)
{
    struct whole whole;
    uint32_t delay;

    (void) state;
    make("delay.mkv", "-f lavfi -i testsrc2=s=640x480:r=25:d=3 -c:v libx264 -preset veryfast "
                      "-pix_fmt yuv420p -bf 5 -x264-params b-pyramid=normal");
    open_good(&whole, "delay.mkv");
    delay = whole.plan->renditions[whole_find(&whole, "video-copy")].delay;
    for (uint32_t r = 0; r < whole.plan->rendition_count; r++) {
        if (whole.plan->renditions[r].kind == PLAN_VIDEO)
            assert_int_equal(whole.plan->renditions[r].delay, delay);
    }
    assert_true(delay >= 2 * 90000 / 25 && delay < 90000);
    whole_close(&whole);
}

static void assert_refused(const struct whole *whole, const char *part)
{
    for (uint32_t i = 0; i < whole->plan->track_count; i++) {
        if (strstr(whole->plan->tracks[i].copy_refused, part) != NULL)
            return;
    }
    fail_msg("nothing is refused for \"%s\"", part);
}

static void what_cannot_be_copied_is_said(void **state)
{
    static const struct {
        const char *name, *words, *reason;
    } films[] = {
        {"long.mkv", "-f lavfi -i testsrc2=s=64x64:r=25:d=30 " X264 "-g 1000", "12 s apart"},
        {"ten.mkv",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt "
         "yuv420p10le",
         "8 bit"},
        {"444.mp4",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv444p",
         "4:2:0"},
        {"inter.mkv",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=1 " X264 "-flags +ilme+ildct -x264-params tff=1",
         "interlaced"},
        {"mpeg2.mkv", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v mpeg2video", "codec"},
        {"late.mkv",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=3 -itsoffset 1.5 -f lavfi -i sine=d=2 " X264
         "-c:a aac",
         "1.5 s after"},
        {"early.mkv", "-f lavfi -i testsrc2=s=64x64:r=25:d=9 -f lavfi -i sine=d=3 " X264 "-c:a aac",
         "ends before"},
        {"vorbis.mkv", "-f lavfi -i sine=d=2 -c:a libvorbis", "no place"},
        {"film.ts", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 " X264, "only Matroska"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        make(films[i].name, films[i].words);
        open_good(&whole, films[i].name);
        assert_refused(&whole, films[i].reason);
        whole_close(&whole);
    }
}

static void a_turned_film_is_not_copied(void **state)
{
    struct whole whole;

    (void) state;
    make("flat.mp4", "-f lavfi -i testsrc2=s=640x360:r=25:d=1 " X264);
    make("turned.mp4", "-i @/flat.mp4 -c copy -metadata:s:v:0 rotate=90");
    open_good(&whole, "turned.mp4");
    assert_refused(&whole, "upright");
    assert_int_equal(whole.plan->renditions[whole_find(&whole, "video-640p")].width, 360);
    whole_close(&whole);
}

static void a_cover_is_no_film(void **state)
{
    struct whole whole;

    (void) state;
    make("cover.png", "-f lavfi -i color=s=64x64:d=1 -frames:v 1");
    make("song.mp3", "-f lavfi -i sine=d=3 -i @/cover.png -map 1 -map 0 -c:v copy "
                     "-disposition:v attached_pic -c:a libmp3lame");
    open_good(&whole, "song.mp3");
    assert_int_equal(whole.plan->rendition_count, 2);
    assert_true(whole_has(&whole, "audio-1-aac") && whole_has(&whole, "audio-1-aac-low"));
    assert_true(seconds(whole.plan) > 2.9 && seconds(whole.plan) < 3.2);
    whole_close(&whole);
}

/* Decision 7: E is the picture's end, but sound is never cut by more than half a second. */
static void the_film_ends_with_its_picture(void **state)
{
    struct whole whole;

    (void) state;
    make("short-sound.mp4",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=6 -f lavfi -i sine=d=4 " X264 "-c:a aac");
    open_good(&whole, "short-sound.mp4");
    assert_true(seconds(whole.plan) > 5.99 && seconds(whole.plan) < 6.01);
    whole_close(&whole);
    make("long-sound.mp4",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=4 -f lavfi -i sine=d=4.2 " X264 "-c:a aac");
    open_good(&whole, "long-sound.mp4");
    assert_true(seconds(whole.plan) > 3.99 && seconds(whole.plan) < 4.01);
    whole_close(&whole);
    make("longer-sound.mp4",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=4 -f lavfi -i sine=d=7 " X264 "-c:a aac");
    open_good(&whole, "longer-sound.mp4");
    assert_true(seconds(whole.plan) > 6.99 && seconds(whole.plan) < 7.03);
    whole_close(&whole);
}

static void tiny_films_are_films(void **state)
{
    static const char *const names[] = {"tiny.mkv", "tiny.mp4", "tiny.ts", "tiny.avi"};

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        struct whole whole;
        make(names[i], "-f lavfi -i testsrc2=s=64x64:r=25 -frames:v 1 " X264);
        open_good(&whole, names[i]);
        assert_true(whole_has(&whole, "video-64p"));
        assert_int_equal(plan_segment_count(whole.plan, 0), 1);
        assert_true(seconds(whole.plan) > 0.03 && seconds(whole.plan) < 0.09);
        whole_close(&whole);
    }
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(lab_path(&lab, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void refuse_file(const char *name)
{
    struct whole whole;

    whole_open(&whole, lab_path(&lab, name));
    if (whole.result != ERR_BAD_MEDIA || whole.why.text[0] == '\0')
        fail_msg("%s: %s \"%s\"", name, err_name(whole.result), whole.why.text);
    whole_close(&whole);
}

static void bad_files_are_refused_in_words(void **state)
{
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/passwd\n"
                                   "#EXT-X-ENDLIST\n";
    static const char concat[] = "ffconcat version 1.0\nfile /etc/passwd\n";
    uint8_t noise[65536];
    uint32_t seed = 1;

    (void) state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t) ((seed = seed * 1664525u + 1013904223u) >> 24);
    write_file("empty.mkv", noise, 0);
    write_file("noise.mkv", noise, sizeof noise);
    write_file("noise.mp4", noise, sizeof noise);
    write_file("text.mkv", "hello\n", 6);
    write_file("playlist.mp4", playlist, sizeof playlist - 1);
    write_file("concat.mp4", concat, sizeof concat - 1);
    write_file("magic.mkv", "\x1a\x45\xdf\xa3", 4);
    write_file("magic.mp4",
               "\0\0\0\x18"
               "ftypisom\0\0\0\0isomiso2",
               24);
    refuse_file("empty.mkv");
    refuse_file("noise.mkv");
    refuse_file("noise.mp4");
    refuse_file("text.mkv");
    refuse_file("playlist.mp4");
    refuse_file("concat.mp4");
    refuse_file("magic.mkv");
    refuse_file("magic.mp4");
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

/* A film that breaks off is refused, or planned as far as it goes; it never crashes or hangs. */
static void cut_films_are_played_in_part_or_refused(void **state)
{
    static const char *const names[] = {"whole.mkv", "whole.mp4", "whole.ts", "whole.avi"};

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        struct str bytes;
        make(names[i], "-f lavfi -i testsrc2=s=128x128:r=25:d=9 -f lavfi -i sine=d=9 " X264
                       "-g 100 -c:a aac");
        bytes = read_file(names[i]);
        for (size_t part = 0; part < 32; part++) {
            struct whole whole;
            write_file("cut", bytes.at, bytes.length * part / 32);
            whole_open(&whole, lab_path(&lab, "cut"));
            if (whole.result == OK)
                assert_true(seconds(whole.plan) < 9.2);
            else
                assert_int_equal(whole.result, ERR_BAD_MEDIA);
            whole_close(&whole);
        }
        str_fini(&bytes);
    }
}

/* Bits turned over in the headers and the index. */
static void case_23_damaged_films_do_no_harm(void **state)
{
    static const char *const names[] = {"whole.mkv", "whole.mp4"};
    uint32_t seed = 7;

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct str bytes = read_file(names[i]);
        for (int round = 0; round < 60; round++) {
            struct whole whole;
            struct str segment = {0};
            char *copy = mem_dup(bytes.at, bytes.length);
            for (int k = 0; k < 20; k++) {
                seed = seed * 1664525u + 1013904223u;
                size_t at = (seed >> 8) % 4096;
                copy[k % 2 == 0 ? at : bytes.length - 1 - at] ^= (char) (1 << (seed & 7));
            }
            write_file("damaged", copy, bytes.length);
            whole_open(&whole, lab_path(&lab, "damaged"));
            for (uint32_t r = 0; whole.result == OK && r < whole.plan->rendition_count; r++) {
                if (whole.plan->renditions[r].is_copy)
                    (void) whole_segment(&whole, r, 0, &segment, NULL, NULL);
            }
            mem_free(copy);
            str_fini(&segment);
            whole_close(&whole);
        }
        str_fini(&bytes);
    }
}

static void timestamps_that_run_away_are_refused(void **state)
{
    struct whole whole;

    (void) state;
    make("jump.mkv", "-f lavfi -i testsrc2=s=64x64:r=25:d=4 " X264
                     "-bsf:v setts=ts=if(gte(N\\,50)\\,TS+140000000\\,TS)");
    whole_open(&whole, lab_path(&lab, "jump.mkv"));
    assert_int_equal(whole.result, ERR_BAD_MEDIA);
    assert_non_null(strstr(whole.why.text, "timestamps"));
    whole_close(&whole);
}

static void a_cancelled_plan_ends(void **state)
{
    struct whole whole;
    _Atomic bool cancelled = true;
    struct plan *plan = NULL;

    (void) state;
    open_good(&whole, "whole.mkv");
    const struct engine_plan_job job = {.cancelled = &cancelled};
    assert_int_equal(engine_plan(whole.input, &(struct engine_options){0}, &job, &plan, NULL),
                     ERR_CANCELLED);
    assert_null(plan);
    whole_close(&whole);
}

static const struct plan_rendition *rendition_of(const struct whole *whole, const char *name)
{
    return &whole->plan->renditions[whole_find(whole, name)];
}

/* A rung is told no more than such a source can use, and announces what follows from that. */
static void rungs_take_no_more_than_the_source_gives(void **state)
{
    static const struct {
        const char *name, *words;
        uint32_t least, most; /* of the 720p rung's encoder, bit/s */
    } films[] = {/* about 0.9 Mbit/s: of H.264 half as much again, where keys stand closer */
                 {"small.mkv", X264 "-b:v 900k -maxrate 900k -bufsize 900k -g 50", 900000, 1800000},
                 {"small.mp4", X264 "-b:v 900k -maxrate 900k -bufsize 900k -g 50", 900000, 1800000},
                 {"small.ts", X264 "-b:v 900k -maxrate 900k -bufsize 900k -g 50", 1500000, 3000000},
                 /* HEVC says more in a bit */
                 {"hevc.mkv",
                  "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -b:v 800k -x265-params "
                  "log-level=none:vbv-maxrate=800:vbv-bufsize=800:keyint=50",
                  1600000, 3000000},
                 /* more than enough: what the size needs */
                 {"large.mkv", X264 "-qp 8 -g 50", 3000000, 3000000},
                 /* next to nothing: a picture every few seconds must still be sharp */
                 {"still.mkv", X264 "-crf 50 -g 200", 750000, 900000}};

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        const struct plan_rendition *r;
        CLEANUP(str_fini) struct str words = {0};
        str_printf(&words, "-f lavfi -i testsrc2=s=1280x720:r=25:d=12 %s", films[i].words);
        make(films[i].name, words.at);
        open_good(&whole, films[i].name);
        r = rendition_of(&whole, "video-720p");
        if (r->bitrate < films[i].least || r->bitrate > films[i].most)
            fail_msg("%s: %u bit/s", films[i].name, r->bitrate);
        assert_true(r->bandwidth > r->bitrate && r->bandwidth < 2 * r->bitrate);
        assert_true(r->average_bandwidth < r->bandwidth);
        assert_true(rendition_of(&whole, "video-480p")->bitrate < r->bitrate);
        assert_true(rendition_of(&whole, "video-360p")->bitrate < r->bitrate);
        whole_close(&whole);
    }
}

/* Rule 36. */
static void sound_is_offered_for_the_road(void **state)
{
    struct whole whole;

    (void) state;
    make("sounds.mkv", "-f lavfi -i sine=440:r=48000:d=5 -f lavfi -i sine=440:r=8000:d=5 -map 0 "
                       "-map 1 -c:a ac3 -c:a:1 pcm_s16le");
    open_good(&whole, "sounds.mkv");
    assert_int_equal(rendition_of(&whole, "audio-1-aac")->bitrate, TRANSCODE_AUDIO_BITRATE);
    assert_int_equal(rendition_of(&whole, "audio-1-aac-low")->bitrate, TRANSCODE_AUDIO_LOW_BITRATE);
    assert_true(rendition_of(&whole, "audio-1-aac-low")->bandwidth <= 192000);
    /* the second is never more than that */
    assert_true(rendition_of(&whole, "audio-2-aac")->bandwidth <= 192000);
    assert_false(whole_has(&whole, "audio-2-aac-low"));
    whole_close(&whole);
    /* what the coder may borrow is much in a film of a tenth of a second */
    make("blink.mkv", "-f lavfi -i sine=440:r=48000:d=0.1 -c:a ac3");
    open_good(&whole, "blink.mkv");
    assert_true(rendition_of(&whole, "audio-1-aac")->bandwidth > 192000);
    assert_in_range(rendition_of(&whole, "audio-1-aac-low")->bandwidth, 1, 192000);
    whole_close(&whole);
}

/* A 1.26: what stands between the pictures is not theirs. */
static void subtitles_do_not_count_as_picture(void **state)
{
    struct whole whole;
    struct str lines = {0};
    uint32_t alone, beside;

    (void) state;
    for (unsigned i = 1; i < 60; i++)
        str_printf(&lines, "%u\n00:00:0%u,%u00 --> 00:00:0%u,%u90\n%01500u\n\n", i, i / 10, i % 10,
                   i / 10, i % 10, i);
    write_file("wordy.srt", lines.at, lines.length);
    str_fini(&lines);
    make("wordless.mkv", "-f lavfi -i testsrc2=s=640x360:r=25:d=6 " X264);
    open_good(&whole, "wordless.mkv");
    alone = rendition_of(&whole, "video-copy")->average_bandwidth;
    whole_close(&whole);
    make("wordy.mkv", "-i @/wordless.mkv -i @/wordy.srt -c:v copy -c:s srt");
    open_good(&whole, "wordy.mkv");
    beside = rendition_of(&whole, "video-copy")->average_bandwidth;
    assert_true(rendition_of(&whole, "video-copy")->bandwidth > alone + 100000);
    assert_in_range(beside, alone * 97 / 100, alone * 103 / 100);
    whole_close(&whole);
}

struct heard {
    unsigned calls;
    double last, widest; /* step */
    bool is_falling;
};

static void hear(void *ctx, double fraction)
{
    struct heard *heard = ctx;

    heard->calls++;
    heard->is_falling = heard->is_falling || fraction < heard->last;
    if (fraction - heard->last > heard->widest)
        heard->widest = fraction - heard->last;
    heard->last = fraction;
}

static uint64_t plan_heard(const char *name, struct heard *heard)
{
    struct whole whole;
    struct plan *plan = NULL;
    uint64_t size;

    open_good(&whole, name);
    size = input_size(whole.input);
    *heard = (struct heard){0};
    const struct engine_plan_job job = {.scan = true, .progress = hear, .ctx = heard};
    assert_int_equal(engine_plan(whole.input, &(struct engine_options){0}, &job, &plan, &whole.why),
                     OK);
    plan_free(&plan);
    whole_close(&whole);
    return size;
}

static struct plan *plan_at_once(struct whole *whole)
{
    const struct engine_plan_job job = {.scan = false};
    struct plan *plan = NULL;

    assert_int_equal(
        engine_plan(whole->input, &(struct engine_options){0}, &job, &plan, &whole->why), OK);
    return plan;
}

/* Decision 11: without an index a plan is there at once, of transcodes alone; the one that comes when
 * the film was read through is of the same length and grids, with the copy. */
static void what_has_no_index_is_planned_at_once(void **state)
{
    struct whole whole;
    struct plan *first;

    (void) state;
    make("indexed.mkv",
         "-f lavfi -i testsrc2=s=64x64:r=25:d=20 -f lavfi -i sine=440:d=20 " X264 "-g 50 -c:a aac");
    lab_run(&lab, "mkvmerge -q -o @/once.mkv --cues 0:none --cues 1:none @/indexed.mkv");
    open_good(&whole, "once.mkv");
    assert_false(whole.plan->wants_scan);
    assert_true(whole_has(&whole, "video-copy"));
    first = plan_at_once(&whole);
    assert_true(first->wants_scan);
    assert_int_equal(first->copy_count, 0);
    assert_int_equal(plan_find(first, "video-copy"), -1);
    assert_true(plan_find(first, "audio-1-copy") >= 0);
    assert_non_null(strstr(first->tracks[0].copy_refused, "no index"));
    assert_int_equal(first->t0_ns, whole.plan->t0_ns);
    assert_int_equal(first->end, whole.plan->end);
    assert_int_equal(first->fps_num, whole.plan->fps_num);
    assert_int_equal(first->cuts[3], 4 * first->timescale); /* the free grid: 0, 1, 2, 4, 8 s */
    plan_free(&first);
    whole_close(&whole);

    open_good(&whole, "indexed.mkv");
    first = plan_at_once(&whole);
    assert_false(first->wants_scan);
    assert_true(plan_find(first, "video-copy") >= 0);
    plan_free(&first);
    whole_close(&whole);
}

/* Decision 11. On a slow disk a scan takes minutes: whoever waits hears how far it is, and that it
 * goes on, with every 64 KiB read. */
static void a_scan_tells_how_far_it_is(void **state)
{
    struct heard heard;
    uint64_t size;

    (void) state;
    make("long.mkv", "-f lavfi -i testsrc2=s=320x180:r=25:d=60 -f lavfi -i sine=440:d=60 " X264
                     "-qp 12 -g 50 -c:a aac");
    lab_run(&lab, "mkvmerge -q -o @/scanned.mkv --cues 0:none --cues 1:none @/long.mkv");
    size = plan_heard("scanned.mkv", &heard);
    assert_true(size > 4000000);
    assert_true(heard.calls > size / 65536);
    assert_true(heard.last > 0.95 && heard.last <= 1);
    assert_false(heard.is_falling);
    assert_true(heard.widest < 0.05);
    /* with an index there is nothing to read through; the reads of the head are heard all the same */
    plan_heard("long.mkv", &heard);
    assert_true(heard.calls > 5 && heard.last == 0);
}

/* The same where libavformat reads and nothing says how long the film is. */
static void a_film_read_to_its_end_tells_how_far_it_is(void **state)
{
    struct heard heard;

    (void) state;
    make("through.ts", "-f lavfi -i testsrc2=s=320x180:r=25:d=20 " X264 "-qp 12 -g 50");
    plan_heard("through.ts", &heard);
    assert_true(heard.calls > 20 && heard.last > 0.9 && !heard.is_falling);
}

/* It comes back from its bytes, and is small. */
static void a_made_plan_comes_back_from_its_bytes(void **state)
{
    struct whole whole;
    struct plan *again = NULL;
    uint8_t *bytes;
    size_t size;

    (void) state;
    open_good(&whole, "whole.mkv");
    plan_write(whole.plan, &bytes, &size);
    assert_int_equal(plan_read(bytes, size, &again, NULL), OK);
    assert_true(size < 64 * 1024);
    mem_free(bytes);
    plan_free(&again);
    whole_close(&whole);
}

/* --- the corpus ------------------------------------------------------------------------------- */

static double number(const char *text)
{
    return text[0] == '-' && text[1] == '\0' ? 0 : strtod(text, NULL);
}

static void check_clean(const char *name, const struct whole *whole, double video, double audio)
{
    double longest = video > audio ? video : audio;

    if (whole->result != OK)
        fail_msg("%s: %s", name, whole->why.text);
    if (seconds(whole->plan) < longest - 0.5 || seconds(whole->plan) > longest + 0.5)
        fail_msg("%s ends at %.3f, not %.3f", name, seconds(whole->plan), longest);
    if (video > 0 && whole->plan->renditions[0].kind != PLAN_VIDEO)
        fail_msg("%s: its picture is not offered", name);
    for (uint32_t i = 0; i < whole->plan->rendition_count; i++) {
        const struct plan_rendition *r = &whole->plan->renditions[i];
        assert_true(r->bandwidth >= r->average_bandwidth);
        assert_true((r->average_bandwidth > 0) == !plan_is_subtitle(r->kind));
    }
}

static void the_corpus_is_planned(void **state)
{
    char path[1024], line[8192];
    size_t clean = 0, unplayable = 0;
    FILE *table;

    (void) state;
    if (!corpus_path(path, sizeof path, "expected.tsv") || (table = fopen(path, "r")) == NULL)
        skip();
    assert_non_null(fgets(line, sizeof line, table));
    while (fgets(line, sizeof line, table) != NULL) {
        char *fields[40] = {0}, *rest = line;
        struct whole whole;
        size_t count = 0;
        line[strcspn(line, "\n")] = '\0';
        for (; count < 40 && rest != NULL; count++)
            fields[count] = strsep(&rest, "\t");
        assert_true(count >= 30);
        assert_true(corpus_path(path, sizeof path, fields[0]));
        whole_open(&whole, path);
        if (strcmp(fields[count - 1], "clean") == 0) {
            check_clean(fields[0], &whole, number(fields[18]), number(fields[21]));
            clean++;
        } else if (strcmp(fields[count - 1], "unplayable") == 0 && whole.result != OK) {
            assert_int_equal(whole.result, ERR_BAD_MEDIA);
            assert_true(whole.why.text[0] != '\0');
            unplayable++;
        }
        whole_close(&whole);
    }
    fclose(table);
    assert_true(clean > 90 && unplayable > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rungs_follow_from_the_picture),
        cmocka_unit_test(the_grid_is_that_of_the_pictures),
        cmocka_unit_test(one_delay_serves_all_renditions),
        cmocka_unit_test(what_cannot_be_copied_is_said),
        cmocka_unit_test(a_turned_film_is_not_copied),
        cmocka_unit_test(a_cover_is_no_film),
        cmocka_unit_test(the_film_ends_with_its_picture),
        cmocka_unit_test(tiny_films_are_films),
        cmocka_unit_test(bad_files_are_refused_in_words),
        cmocka_unit_test(cut_films_are_played_in_part_or_refused),
        cmocka_unit_test(case_23_damaged_films_do_no_harm),
        cmocka_unit_test(timestamps_that_run_away_are_refused),
        cmocka_unit_test(a_cancelled_plan_ends),
        cmocka_unit_test(rungs_take_no_more_than_the_source_gives),
        cmocka_unit_test(sound_is_offered_for_the_road),
        cmocka_unit_test(subtitles_do_not_count_as_picture),
        cmocka_unit_test(what_has_no_index_is_planned_at_once),
        cmocka_unit_test(a_scan_tells_how_far_it_is),
        cmocka_unit_test(a_film_read_to_its_end_tells_how_far_it_is),
        cmocka_unit_test(a_made_plan_comes_back_from_its_bytes),
        cmocka_unit_test(the_corpus_is_planned),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
