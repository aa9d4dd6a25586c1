/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AAC transcodes against the cases of the engine's list: the same bytes from every run, no click at
 * joins, in step with the source to the sample, silence where there is nothing. */
#include <libavutil/avutil.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

static const struct engine_options options = {.threads = 2, .runs = 2};

static struct lab lab;

/* A chirp, drums of noise, tones: something for every block type. */
#define TONES                                                                                      \
    "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200+150*t)*t)+0.2*sin(2*PI*997*t)|0.4*sin(2*PI*440*t)*"    \
    "gt(mod(t*3\\,1)\\,0.5)+0.1*(random(0)-0.5)*lt(mod(t*2\\,1)\\,0.1):s=48000:d=13 "

static int set_up(void **state)
{
    (void) state;
    lab_init(&lab);
    lab_run(&lab, "ffmpeg -v error " TONES "-c:a flac @/tones.flac");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static void make_film(const char *codec, const char *name)
{
    CLEANUP(str_fini) struct str words = {0};
    str_printf(&words,
               "ffmpeg -v error -y -i @/tones.flac -f lavfi -i testsrc2=s=64x64:r=25:d=13 -map 1:v "
               "-map 0:a -c:v libx264 -preset ultrafast -g 50 -strict -2 %s @/%s",
               codec, name);
    lab_run(&lab, str_text(&words));
}

static void assert_times(const struct film *film, uint32_t rendition, uint32_t n,
                         const struct str *segment)
{
    const struct plan *plan = film->plan;
    uint32_t rate = plan->renditions[rendition].timescale;
    uint64_t begin = 0, duration = 0;
    segment_times(segment, &begin, &duration);
    int64_t start = plan_segment_start(plan, rendition, n);
    assert_int_equal(begin, start + (int64_t) PLAN_OFFSET_S * rate);
    assert_int_equal(duration, plan_segment_start(plan, rendition, n + 1) - start);
}

/* All segments in order, each equal to the same one of a new transcoder. */
static void join_both_ways(struct film *film, uint32_t audio, struct str *joined)
{
    uint32_t count = plan_segment_count(film->plan, audio);
    film_join(film, audio, 0, count, joined);
    for (uint32_t n = count; n-- > 0;) {
        CLEANUP(str_fini) struct str cold = {0};
        film_reopen(film, &options);
        film_segment(film, audio, n, &cold);
        assert_times(film, audio, n, &cold);
        if (memmem(joined->at, joined->length, cold.at, cold.length) == NULL)
            fail_msg("segment %u differs", n);
    }
}

/* The whole rendition, heard; every sample of [0, E) is there. */
static void hear_film(const char *name, uint32_t fps, struct samples *heard, struct film *film)
{
    CLEANUP(str_fini) struct str joined = {0};
    film_open(film, &lab, name, fps, 1, &options);
    uint32_t audio = film_add_audio(film);
    join_both_ways(film, audio, &joined);
    heard_bytes(&joined, heard);
    assert_int_equal(heard->errors, 0);
    assert_int_equal(heard->first, 0);
    assert_int_equal(heard->rate, film->plan->renditions[audio].timescale);
    uint32_t count = plan_segment_count(film->plan, audio);
    assert_int_equal(heard->count, plan_segment_start(film->plan, audio, count));
}

/* Power of the difference to that of the signal, in dB, over [from, to). */
static double noise_db(const struct samples *a, const struct samples *b, size_t from, size_t to)
{
    double noise = 1e-12, signal = 1e-12;
    for (size_t i = from; i < to && i < a->count && i < b->count; i++) {
        double difference = (double) a->left[i] - b->left[i];
        noise += difference * difference;
        signal += (double) b->left[i] * b->left[i];
    }
    return 10 * log10(noise / signal);
}

struct form {
    const char *codec, *name;
    double worst_db; /* of what the AAC coder itself may add */
    int most_lag;    /* samples; 0 but where Matroska's milliseconds hide a part of one */
};

static void case_16_lag_0(void **state)
{
    (void) state;
    static const struct form forms[] = {
        {"-c:a aac -b:a 256k", "aac.mp4", -20, 0},
        {"-c:a aac -b:a 256k", "aac.mkv", -20, 0},
        {"-c:a ac3 -b:a 384k", "ac3.mkv", -20, 0},
        {"-c:a libmp3lame -b:a 256k", "mp3.mkv", -20, 0},
        {"-c:a libopus -b:a 192k", "opus.mkv", -20, 0},
        {"-c:a libvorbis -q:a 8", "vorbis.mkv", -20, 0},
        {"-c:a flac", "flac.mkv", -20, 0},
        {"-c:a pcm_s16le", "pcm.mkv", -20, 0},
        {"-c:a dca -ac 2", "dts.mkv", -20, 0},
        {"-c:a mp2 -b:a 256k", "mp2.ts", -20, 0},
        {"-c:a aac -ar 44100 -b:a 256k", "aac44.mkv", -20, 0},
        {"-c:a pcm_s16le -ar 96000", "pcm96.mkv", 6, 24},
        {"-c:a libmp3lame -ar 22050", "mp3-22.avi", -12, 0},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct film film;
        struct samples heard, source;
        make_film(forms[i].codec, forms[i].name);
        hear_film(forms[i].name, 25, &heard, &film);
        heard_file(&lab, &film, heard.rate, &source);
        int lag = heard_lag(&heard, &source, 200000, 20000, 1500);
        size_t end = heard.count < source.count ? heard.count : source.count;
        double db = noise_db(&heard, &source, 4096, end - 4096);
        print_message("%s: lag %d, %.1f dB\n", forms[i].name, lag, db);
        if (abs(lag) > forms[i].most_lag)
            fail_msg("%s: lag %d", forms[i].name, lag);
        if (db > forms[i].worst_db)
            fail_msg("%s: noise at %f dB", forms[i].name, db);
        heard_fini(&heard);
        heard_fini(&source);
        film_close(&film);
    }
}

/* Around the cuts the difference to the source is as small as elsewhere. */
static void case_16_aac_join(void **state)
{
    (void) state;
    struct film film;
    struct samples heard, source;
    double most_at = 0, most_else = 0;
    make_film("-c:a flac", "join.mkv");
    hear_film("join.mkv", 25, &heard, &film);
    heard_file(&lab, &film, heard.rate, &source);
    size_t margin = (size_t) heard.rate * 32 / 1000;
    uint32_t audio = 0;
    for (size_t i = 4096; i < heard.count - 4096 && i < source.count; i++) {
        bool is_join = false;
        for (uint32_t n = 1; n < plan_segment_count(film.plan, audio); n++) {
            size_t cut = (size_t) plan_segment_start(film.plan, audio, n);
            is_join = is_join || (i + margin > cut && i < cut + margin);
        }
        double difference = fabs((double) heard.left[i] - source.left[i]);
        if (is_join && difference > most_at)
            most_at = difference;
        if (!is_join && difference > most_else)
            most_else = difference;
    }
    print_message("joins %f, elsewhere %f\n", most_at, most_else);
    assert_true(most_at <= 2 * most_else || most_at < 1e-3);
    heard_fini(&heard);
    heard_fini(&source);
    film_close(&film);
}

/* Tones as loud as films have them: a coder that clips their lines is heard at once. */
static void loud_tones_are_not_clipped(void **state)
{
    (void) state;
    static const char *const tones[] = {"0.9*sin(2*PI*40*t)|0.9*sin(2*PI*60*t)",
                                        "0.5*sin(2*PI*997*t)|0.9*sin(2*PI*4000*t)"};
    for (size_t i = 0; i < 2; i++) {
        struct film film;
        struct samples heard, source;
        CLEANUP(str_fini) struct str words = {0};
        str_printf(&words,
                   "ffmpeg -v error -y -f lavfi -i aevalsrc=%s:s=48000:d=6 -c:a flac @/loud.mka",
                   tones[i]);
        lab_run(&lab, str_text(&words));
        hear_film("loud.mka", 0, &heard, &film);
        heard_file(&lab, &film, heard.rate, &source);
        double db = noise_db(&heard, &source, 8192, 250000);
        print_message("%s: %.1f dB\n", tones[i], db);
        assert_true(db < -30); /* clipped lines: -9 */
        heard_fini(&heard);
        heard_fini(&source);
        film_close(&film);
    }
}

static double loudest(const struct samples *samples, double from_s, double to_s)
{
    double most = 0;
    for (size_t i = (size_t) (from_s * samples->rate);
         i < (size_t) (to_s * samples->rate) && i < samples->count; i++)
        most = fabs((double) samples->left[i]) > most ? fabs((double) samples->left[i]) : most;
    return most;
}

/* Where the sound sets in (or out) within [from, to), in seconds. */
static double edge(const struct samples *samples, double from_s, double to_s, bool is_onset)
{
    for (double at = from_s; at < to_s; at += 0.001) {
        bool is_loud = loudest(samples, at, at + 0.004) > 0.05;
        if (is_loud == is_onset)
            return at;
    }
    return to_s;
}

/* The sound begins at 5 s, has a hole from 7 to 12 s, and ends at 14 s of 16. */
static void case_17_late_start_and_hole(void **state)
{
    (void) state;
    static const char *const names[] = {"hole-aac.mkv", "hole-ac3.mkv", "hole-vorbis.mkv"};
    static const char *const codecs[] = {"aac", "ac3", "libvorbis"};
    for (size_t i = 0; i < 3; i++) {
        struct film film;
        struct samples heard;
        CLEANUP(str_fini) struct str words = {0};
        str_printf(&words,
                   "ffmpeg -v error -y -f lavfi -i testsrc2=s=64x64:r=25:d=16 -f lavfi -i "
                   "aevalsrc=0.4*sin(2000*t)|0.4*sin(2000*t):s=48000:d=9 -map 0 -map 1 -af "
                   "asetpts=PTS+(5+5*gte(T\\,2))/TB -c:v libx264 -preset ultrafast -g 50 -c:a %s "
                   "@/%s",
                   codecs[i], names[i]);
        lab_run(&lab, str_text(&words));
        hear_film(names[i], 25, &heard, &film);
        assert_true(loudest(&heard, 0, 4.9) < 0.001);
        assert_true(fabs(edge(&heard, 4.5, 6, true) - 5) < 0.045);
        assert_true(fabs(edge(&heard, 6.5, 8, false) - 7) < 0.06);
        assert_true(loudest(&heard, 7.2, 11.8) < 0.001);
        assert_true(fabs(edge(&heard, 11.5, 13, true) - 12) < 0.06);
        assert_true(loudest(&heard, 19.2, 21) < 0.001);
        heard_fini(&heard);
        film_close(&film);
    }
}

/* Sound longer than the pictures ends with them; shorter is silence up to the end. */
static void case_17_other_length_than_video(void **state)
{
    (void) state;
    static const char *const seconds[] = {"3", "6.5"};
    for (size_t i = 0; i < 2; i++) {
        struct film film;
        struct samples heard;
        CLEANUP(str_fini) struct str words = {0};
        str_printf(&words,
                   "ffmpeg -v error -y -f lavfi -i testsrc2=s=64x64:r=25:d=6 -f lavfi -i "
                   "sine=f=500:r=44100:d=%s -c:v libx264 -preset ultrafast -c:a aac @/length.mp4",
                   seconds[i]);
        lab_run(&lab, str_text(&words));
        hear_film("length.mp4", 25, &heard, &film);
        double end = (double) heard.count / heard.rate;
        assert_true(end >= 6 && end < 6 + 1024.0 / 44100);
        assert_true((loudest(&heard, 3.2, 5.9) > 0.05) == (i == 1));
        heard_fini(&heard);
        film_close(&film);
    }
}

/* A parametric core of half the rate: the decoder's rate, not the container's. */
static void he_aac_keeps_its_time(void **state)
{
    (void) state;
    CLEANUP(str_fini) struct str path = {0};
    struct plan_track track = {.kind = PLAN_AUDIO, .codec = CODEC_AAC, .rate = 24000};
    assert_int_equal(transcode_audio_rate(&track), 48000);
    track.rate = 44100;
    assert_int_equal(transcode_audio_rate(&track), 44100);
    track.codec = CODEC_OTHER;
    track.rate = 22050;
    assert_int_equal(transcode_audio_rate(&track), 22050);
    track.rate = 192000;
    assert_int_equal(transcode_audio_rate(&track), 48000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_16_lag_0),
        cmocka_unit_test(case_16_aac_join),
        cmocka_unit_test(loud_tones_are_not_clipped),
        cmocka_unit_test(case_17_late_start_and_hole),
        cmocka_unit_test(case_17_other_length_than_video),
        cmocka_unit_test(he_aac_keeps_its_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
