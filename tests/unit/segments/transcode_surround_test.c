/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound of more than two channels: as 5.1, in stereo and for the night, each held against the
 * source's own channels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>

#include "base/mem.h"
#include "lab.h"
#include "segments/dynamics.h"
#include "segments/encode.h"

enum { RATE = 48000, MOST_CHANNELS = 8, SECONDS = 7 };

static const struct engine_options options = {.threads = 2, .runs = 2};

static struct lab lab;

static int set_up(void **state)
{
    (void) state;
    lab_init(&lab);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

/* Decoded by the ffmpeg program, channels apart. */
struct channels {
    float *at[MOST_CHANNELS];
    size_t count;
    unsigned channel_count;
};

static void channels_read(const char *name, unsigned channel_count, struct channels *out)
{
    CLEANUP(str_fini) struct str words = {0};
    float frame[MOST_CHANNELS];
    size_t room = 0;
    *out = (struct channels){.channel_count = channel_count};
    str_printf(&words, "ffmpeg -v error -y -i @/%s -map a:0 -f f32le @/channels.raw", name);
    lab_run(&lab, str_text(&words));
    FILE *file = fopen(lab_path(&lab, "channels.raw"), "rb");
    assert_non_null(file);
    while (fread(frame, sizeof *frame, channel_count, file) == channel_count) {
        if (out->count == room) {
            room = room * 2 + 4096;
            for (unsigned c = 0; c < channel_count; c++)
                out->at[c] = mem_realloc_array(out->at[c], room, sizeof(float));
        }
        for (unsigned c = 0; c < channel_count; c++)
            out->at[c][out->count] = frame[c];
        out->count++;
    }
    fclose(file);
}

static void channels_fini(struct channels *channels)
{
    for (unsigned c = 0; c < channels->channel_count; c++)
        mem_free(channels->at[c]);
}

/* A film of sound alone; every form of it made from the front, then each segment by a process that
 * made nothing before, and all of them decoded. */
static void render(const char *name, uint32_t channels, bool is_night, struct channels *out)
{
    struct film film;
    CLEANUP(str_fini) struct str joined = {0};
    film_open(&film, &lab, name, 0, 1, &options);
    uint32_t audio = film_add_sound(&film, channels, is_night);
    uint32_t count = plan_segment_count(film.plan, audio);
    assert_true(count > 2);
    film_join(&film, audio, 0, count, &joined);
    for (uint32_t n = count; n-- > 0;) {
        CLEANUP(str_fini) struct str cold = {0};
        film_reopen(&film, &options);
        film_segment(&film, audio, n, &cold);
        if (memmem(joined.at, joined.length, cold.at, cold.length) == NULL)
            fail_msg("%s: segment %u differs", name, n);
    }
    lab_write(&lab, "joined.mp4", &joined);
    channels_read("joined.mp4", channels, out);
    assert_int_equal(out->count, plan_segment_start(film.plan, audio, count));
    film_close(&film);
}

static void make_film(const char *layout, const char *expressions, const char *codec,
                      const char *name)
{
    CLEANUP(str_fini) struct str words = {0};
    str_printf(&words, "ffmpeg -v error -y -f lavfi -i aevalsrc=%s:c=%s:s=48000:d=%d %s @/%s",
               expressions, layout, SECONDS, codec, name);
    lab_run(&lab, str_text(&words));
}

/* --- as 5.1 ------------------------------------------------------------------------------------ */

static double correlation(const float *a, const float *b, size_t from, size_t count, int lag)
{
    double sum = 0, a_power = 1e-9, b_power = 1e-9;
    for (size_t i = from; i < from + count; i++) {
        double x = a[i], y = b[(size_t) ((int64_t) i + lag)];
        sum += x * y;
        a_power += x * x;
        b_power += y * y;
    }
    return sum / sqrt(a_power * b_power);
}

/* `made` is the source's, at the sample, and no other channel is. */
static void assert_is(const float *made, const float *source, const char *name, unsigned channel)
{
    double best = -1;
    int best_lag = -9999;
    for (int lag = -8; lag <= 8; lag++) {
        double c = correlation(made, source, 100000, 20000, lag);
        if (c > best) {
            best = c;
            best_lag = lag;
        }
    }
    if (best_lag != 0 || best < 0.99)
        fail_msg("%s: channel %u: %.3f at a lag of %d", name, channel, best, best_lag);
}

/* Chirps, each its own, so that a lag or a swap shows. */
#define SIX                                                                                        \
    "0.3*sin((300+150*t)*t*6.283)|0.3*sin((500+190*t)*t*6.283)|0.3*sin((700+230*t)*t*6.283)|"      \
    "0.8*sin((30+5*t)*t*6.283)|0.3*sin((900+270*t)*t*6.283)|0.3*sin((1100+310*t)*t*6.283)"

static void surround_keeps_its_channels(void **state)
{
    (void) state;
    static const struct {
        const char *layout, *codec, *name;
    } forms[] = {
        {"5.1", "-c:a flac", "six.mka"},
        {"5.1\\(side\\)", "-c:a ac3 -b:a 640k", "six-ac3.mka"},
        {"5.1", "-c:a aac -b:a 448k", "six.m4a"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct channels made, source;
        make_film(forms[i].layout, SIX, forms[i].codec, forms[i].name);
        render(forms[i].name, 6, false, &made);
        channels_read(forms[i].name, 6, &source);
        for (unsigned c = 0; c < 6; c++)
            assert_is(made.at[c], source.at[c], forms[i].name, c);
        channels_fini(&made);
        channels_fini(&source);
    }
}

/* Around the cuts the difference to the source is as small as elsewhere. */
static void surround_joins_do_not_click(void **state)
{
    (void) state;
    struct film film;
    struct channels made, source;
    double most_at = 0, most_else = 0;
    make_film("5.1", SIX, "-c:a flac", "join.mka");
    render("join.mka", 6, false, &made);
    channels_read("join.mka", 6, &source);
    film_open(&film, &lab, "join.mka", 0, 1, &options);
    uint32_t audio = film_add_sound(&film, 6, false);
    size_t end = made.count < source.count ? made.count : source.count;
    for (size_t i = 4096; i + 4096 < end; i++) {
        bool is_join = false;
        for (uint32_t n = 1; n < plan_segment_count(film.plan, audio); n++)
            is_join =
                is_join || llabs((int64_t) i - plan_segment_start(film.plan, audio, n)) < 1536;
        for (unsigned c = 0; c < 6; c++) {
            double difference = fabs((double) made.at[c][i] - source.at[c][i]);
            double *most = is_join ? &most_at : &most_else;
            *most = difference > *most ? difference : *most;
        }
    }
    print_message("joins %f, elsewhere %f\n", most_at, most_else);
    assert_true(most_at <= 2 * most_else || most_at < 1e-3);
    film_close(&film);
    channels_fini(&made);
    channels_fini(&source);
}

/* --- in stereo --------------------------------------------------------------------------------- */

/* The amplitude of one tone, whose frequency is a whole number of Hz. */
static double amplitude(const float *samples, double hz)
{
    double re = 0, im = 0;
    size_t from = RATE, count = 2 * RATE;
    for (size_t i = from; i < from + count; i++) {
        re += (double) samples[i] * cos(2 * M_PI * hz * (double) i / RATE);
        im += (double) samples[i] * sin(2 * M_PI * hz * (double) i / RATE);
    }
    return 2 * sqrt(re * re + im * im) / (double) count;
}

#define TONE 0.1 /* eight of them together are within full scale */
static const double tones_hz[] = {400, 700, 1000, 1300, 1600, 1900, 2200, 2500};

/* Each channel has a tone of its own, at -20 dB. */
static void make_tones(const char *layout, unsigned channels, const char *name)
{
    CLEANUP(str_fini) struct str expressions = {0};
    for (unsigned c = 0; c < channels; c++)
        str_printf(&expressions, "%s0.1*sin(2*PI*%.0f*t)", c > 0 ? "|" : "", tones_hz[c]);
    make_film(layout, str_text(&expressions), "-c:a flac", name);
}

#define NONE (-60)

/* dB of each of the source's channels in one of ours. */
static void assert_levels(const float *made, const char *what, const double *expected,
                          unsigned channels)
{
    for (unsigned c = 0; c < channels; c++) {
        double db = 20 * log10(amplitude(made, tones_hz[c]) / TONE + 1e-9);
        if (expected[c] == NONE ? db > -45 : fabs(db - expected[c]) > 0.2)
            fail_msg("%s: channel %u at %.2f dB, not %.2f", what, c, db, expected[c]);
    }
}

static void stereo_has_every_channel_at_its_level(void **state)
{
    (void) state;
    struct channels made;
    /* FL FR FC LFE BL BR, and SL SR */
    static const double left[] = {-3, NONE, -3, -9, -6, NONE, -6, NONE};
    static const double right[] = {NONE, -3, -3, -9, NONE, -6, NONE, -6};
    make_tones("5.1", 6, "tones6.mka");
    render("tones6.mka", 2, false, &made);
    assert_levels(made.at[0], "left of 5.1", left, 6);
    assert_levels(made.at[1], "right of 5.1", right, 6);
    channels_fini(&made);
    make_tones("7.1", 8, "tones8.mka");
    render("tones8.mka", 2, false, &made);
    assert_levels(made.at[0], "left of 7.1", left, 8);
    assert_levels(made.at[1], "right of 7.1", right, 8);
    channels_fini(&made);
}

static void surround_of_more_has_every_channel(void **state)
{
    (void) state;
    struct channels made;
    static const double expected[6][8] = {
        {0, NONE, NONE, NONE, NONE, NONE, NONE, NONE},
        {NONE, 0, NONE, NONE, NONE, NONE, NONE, NONE},
        {NONE, NONE, 0, NONE, NONE, NONE, NONE, NONE},
        {NONE, NONE, NONE, 0, NONE, NONE, NONE, NONE},
        {NONE, NONE, NONE, NONE, -3, NONE, -3, NONE},
        {NONE, NONE, NONE, NONE, NONE, -3, NONE, -3},
    };
    make_tones("7.1", 8, "more.mka");
    render("more.mka", 6, false, &made);
    for (unsigned c = 0; c < 6; c++)
        if (c != 3) /* the coder's channel for low frequencies passes no 1300 Hz */
            assert_levels(made.at[c], "5.1 of 7.1", expected[c], 8);
    channels_fini(&made);
}

/* Every channel full, and all of them together. */
static void nothing_clips(void **state)
{
    (void) state;
    for (int night = 0; night < 2; night++) {
        struct channels made;
        double most = 0, power = 0;
        make_film("7.1",
                  "sin(2*PI*300*t)|sin(2*PI*300*t)|sin(2*PI*300*t)|sin(2*PI*300*t)|"
                  "sin(2*PI*300*t)|sin(2*PI*300*t)|sin(2*PI*300*t)|sin(2*PI*300*t)",
                  "-c:a flac", "full.mka");
        render("full.mka", 2, night != 0, &made);
        for (size_t i = 0; i < made.count; i++) {
            most = fabs((double) made.at[0][i]) > most ? fabs((double) made.at[0][i]) : most;
            power += (double) made.at[1][i] * made.at[1][i];
        }
        print_message("most %f, rms %f\n", most, sqrt(power / (double) made.count));
        assert_true(most <= 1.0 && most > 0.3);
        channels_fini(&made);
    }
}

/* --- for the night ----------------------------------------------------------------------------- */

static double level_db(const float *samples, double from_s, double to_s)
{
    double sum = 1e-12;
    size_t from = (size_t) (from_s * RATE), to = (size_t) (to_s * RATE);
    for (size_t i = from; i < to; i++)
        sum += (double) samples[i] * samples[i];
    return 10 * log10(sum / (double) (to - from));
}

/* A battle and a whisper, 2 s each in turns, the words in the centre. */
#define DRAMA                                                                                      \
    "0.5*(random(0)-0.5)*gt(mod(t\\,4)\\,2)|0.5*(random(1)-0.5)*gt(mod(t\\,4)\\,2)|"               \
    "0.02*sin(2*PI*500*t)|0.9*sin(2*PI*40*t)*gt(mod(t\\,4)\\,2)|0|0"

static void the_night_is_even(void **state)
{
    (void) state;
    struct channels usual, night;
    make_film("5.1", DRAMA, "-c:a flac", "drama.mka");
    render("drama.mka", 2, false, &usual);
    render("drama.mka", 2, true, &night);
    double range = level_db(usual.at[0], 2.5, 3.5) - level_db(usual.at[0], 4.5, 5.5);
    double night_range = level_db(night.at[0], 2.5, 3.5) - level_db(night.at[0], 4.5, 5.5);
    double bass = amplitude(night.at[0] + 2 * RATE, 40);
    print_message("%.1f dB, at night %.1f; 40 Hz %.4f\n", range, night_range, bass);
    assert_true(range > 20);
    assert_true(night_range < range / 2);
    assert_true(bass < 0.01);
    channels_fini(&usual);
    channels_fini(&night);
}

/* The same gain curve as over the film in one piece: no cut is heard. */
static void the_night_joins_do_not_click(void **state)
{
    (void) state;
    struct channels made, source;
    make_film("5.1", DRAMA, "-c:a flac", "night.mka");
    render("night.mka", 2, true, &made);
    channels_read("night.mka", 6, &source);
    size_t count = source.count / DYNAMICS_BLOCK * DYNAMICS_BLOCK;
    CLEANUP(mem_free_at) float *whole = mem_new_array(float, count + 2 * RATE);
    CLEANUP(mem_free_at) float *other = mem_new_array(float, count + 2 * RATE);
    size_t lead = RATE; /* silence before the film, as there is for the segments */
    for (size_t i = 0; i < count; i++) {
        double centre = 0.70710678 * source.at[2][i];
        whole[lead + i] = (float) (0.5 * source.at[0][i] + centre);
        other[lead + i] = (float) (0.5 * source.at[1][i] + centre);
    }
    dynamics_apply(DYNAMICS_NIGHT, RATE, (float *const[]){whole, other}, 2,
                   (count + 2 * (size_t) RATE) / DYNAMICS_BLOCK * DYNAMICS_BLOCK);
    /* In the whisper, where little noise of the coder hides a step. */
    double most = 0;
    for (size_t i = (size_t) (4.7 * RATE); i < (size_t) (5.4 * RATE); i++) {
        double difference = fabs((double) made.at[0][i] - whole[lead + i]);
        most = difference > most ? difference : most;
    }
    print_message("off by %f of %f\n", most, pow(10, level_db(whole + lead, 4.7, 5.4) / 20));
    assert_true(most < 0.01);
    channels_fini(&made);
    channels_fini(&source);
}

/* What init segments say of AAC before there is any, against what its encoder says then. */
static void the_config_is_the_encoders(void **state)
{
    static const uint32_t channels[] = {1, 2, 6};
    (void) state;
    for (uint32_t rate = 8000; rate <= 48000; rate = encode_audio_rate(rate + 1)) {
        for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
            uint8_t config[ENCODE_AUDIO_CONFIG_BYTES];
            AVCodecContext *encoder = NULL;
            struct why why = {0};
            assert_int_equal(encode_audio_config(rate, channels[i], config, &why), OK);
            assert_int_equal(
                encode_audio_open(rate, channels[i], 64000, ENCODE_FAST, &encoder, &why), OK);
            assert_int_equal(encoder->extradata_size, sizeof config);
            assert_memory_equal(encoder->extradata, config, sizeof config);
            encode_close(&encoder);
        }
        if (rate == 48000)
            break;
    }
    struct why why = {0};
    uint8_t config[ENCODE_AUDIO_CONFIG_BYTES];
    assert_int_equal(encode_audio_config(48001, 2, config, &why), ERR_BAD_MEDIA);
    assert_int_equal(encode_audio_config(48000, 7, config, &why), ERR_BAD_MEDIA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_config_is_the_encoders),
        cmocka_unit_test(surround_keeps_its_channels),
        cmocka_unit_test(surround_joins_do_not_click),
        cmocka_unit_test(stereo_has_every_channel_at_its_level),
        cmocka_unit_test(surround_of_more_has_every_channel),
        cmocka_unit_test(nothing_clips),
        cmocka_unit_test(the_night_is_even),
        cmocka_unit_test(the_night_joins_do_not_click),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
