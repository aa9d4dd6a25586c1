/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fingerprints of films that ffmpeg made: the same tune has the same one wherever it stands, in
 * whatever container and codec. And their bytes, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"
#include "segments/fingerprint.h"
#include "whole.h"

/* Notes by chance, four a second, of a seed. */
#define TUNE                                                                                       \
    "0.3*sin(2*PI*t*220*pow(2\\,floor(mod(abs(sin(floor(t*4)*12.9898+%s)*43758.5453)\\,24))/12))"

static struct lab lab;

static void make(const char *words)
{
    char line[2048];
    snprintf(line, sizeof line, "ffmpeg -v error -nostdin -y %s", words);
    lab_run(&lab, line);
}

/* A film of two tunes, the second from `begin` on. */
static void make_film(const char *begin, const char *first, const char *coding)
{
    char expression[400], second[400], words[1800];
    snprintf(expression, sizeof expression, TUNE, first);
    snprintf(second, sizeof second, TUNE, "7");
    snprintf(words, sizeof words,
             "-f lavfi -i testsrc2=s=64x36:r=12:d=60 -f lavfi -i aevalsrc=%s:s=44100:d=%s "
             "-f lavfi -i aevalsrc=%s:s=44100:d=60 -filter_complex [1:a][2:a]concat=n=2:v=0:a=1[a] "
             "-map 0:v -map [a] -t 60 -c:v libx264 -preset ultrafast -g 24 %s",
             expression, begin, second, coding);
    make(words);
}

static int setup(void **state UNUSED)
{
    lab_init(&lab);
    make_film("5", "1", "-c:a aac @/aac.mp4");
    make_film("8", "2", "-c:a libmp3lame -b:a 96k @/mp3.mkv");
    make_film("6", "3", "-c:a ac3 -ac 6 @/ac3.ts");
    make("-f lavfi -i testsrc2=s=64x36:r=12:d=5 -c:v libx264 @/mute.mp4");
    make("-i @/aac.mp4 -i @/mp3.mkv -map 0:v -map 0:a -map 1:a -c copy -disposition:a:0 0 "
         "-disposition:a:1 default @/two.mkv");
    return 0;
}

static int teardown(void **state UNUSED)
{
    lab_fini(&lab);
    return 0;
}

struct asking {
    unsigned ticks, cancel_after;
    _Atomic bool is_cancelled;
};

static void on_tick(void *ctx)
{
    struct asking *asking = ctx;
    if (++asking->ticks == asking->cancel_after)
        atomic_store(&asking->is_cancelled, true);
}

static enum err ask(const char *name, struct asking *asking, struct fingerprint *out,
                    struct why *why)
{
    struct whole whole;
    const struct engine_listening job = {
        .tick = on_tick, .cancelled = &asking->is_cancelled, .ctx = asking};
    whole_open(&whole, lab_path(&lab, name));
    assert_int_equal(whole.result, OK);
    enum err err = engine_fingerprint(whole.engine, &job, out, why);
    whole_close(&whole);
    return err;
}

static struct fingerprint listen_to(const char *name)
{
    struct fingerprint out = {0};
    struct asking asking = {0};
    struct why why = {0};
    if (ask(name, &asking, &out, &why) != OK)
        fail_msg("%s: %s", name, why.text);
    assert_true(asking.ticks > 0);
    return out;
}

/* Bits that differ from `a_s` of the one and `b_s` of the other on, of 100 in 10 s of sound. */
static unsigned differ(const struct fingerprint_part *a, double a_s,
                       const struct fingerprint_part *b, double b_s)
{
    const double step_s = (double) FINGERPRINT_STEP / FINGERPRINT_RATE;
    const uint32_t count = 80;
    uint32_t from_a = (uint32_t) ((a_s * 1000 - (double) a->begin_ms) / 1000 / step_s + 0.5);
    uint32_t from_b = (uint32_t) ((b_s * 1000 - (double) b->begin_ms) / 1000 / step_s + 0.5);
    unsigned bits = 0;
    assert_true(from_a + count <= a->count && from_b + count <= b->count);
    for (uint32_t i = 0; i < count; i++)
        bits += (unsigned) __builtin_popcount(a->items[from_a + i] ^ b->items[from_b + i]);
    return bits * 100 / (count * 32);
}

static void the_parts_are_where_they_should(void **state UNUSED)
{
    struct fingerprint film = listen_to("aac.mp4");
    /* half a minute each: 242 steps, less a window */
    assert_int_equal(film.first.begin_ms, 0);
    assert_in_range(film.first.end_ms, 29900, 30100);
    assert_in_range(film.last.begin_ms, 29900, 30100);
    assert_in_range(film.last.end_ms, 59900, 60100);
    assert_in_range(film.first.count, 215, 225);
    assert_in_range(film.last.count, 215, 225);
    fingerprint_fini(&film);
}

static void a_tune_is_known_again(void **state UNUSED)
{
    struct fingerprint aac = listen_to("aac.mp4"), mp3 = listen_to("mp3.mkv"),
                       ac3 = listen_to("ac3.ts");
    /* from the tune's own begin on */
    assert_in_range(differ(&aac.first, 7, &mp3.first, 10), 0, 15);
    assert_in_range(differ(&aac.first, 7, &ac3.first, 8), 0, 15);
    assert_in_range(differ(&aac.last, 33, &mp3.last, 36), 0, 15);
    assert_in_range(differ(&aac.last, 33, &ac3.last, 34), 0, 15);
    /* at the same time, and a moment off */
    assert_in_range(differ(&aac.first, 7, &mp3.first, 7), 25, 75);
    assert_in_range(differ(&aac.first, 7, &mp3.first, 11), 25, 75);
    fingerprint_fini(&aac);
    fingerprint_fini(&mp3);
    fingerprint_fini(&ac3);
}

static void the_default_track_is_heard(void **state UNUSED)
{
    struct fingerprint two = listen_to("two.mkv"), mp3 = listen_to("mp3.mkv");
    assert_in_range(differ(&two.first, 10, &mp3.first, 10), 0, 5);
    fingerprint_fini(&two);
    fingerprint_fini(&mp3);
}

static void what_cannot_be_had_is_said(void **state UNUSED)
{
    struct fingerprint out = {0};
    struct asking asking = {0}, brief = {.cancel_after = 40};
    struct why why = {0};
    assert_int_equal(ask("mute.mp4", &asking, &out, &why), ERR_BAD_MEDIA);
    assert_string_equal(why.text, "the film has no sound that can be heard here");
    assert_int_equal(ask("aac.mp4", &brief, &out, &why), ERR_CANCELLED);
    assert_null(out.first.items);
}

static void long_films_are_not_heard_whole(void **state UNUSED)
{
    struct fingerprint place;
    fingerprint_place(24 * 60 * 1000, &place);
    assert_int_equal(place.first.end_ms, 6 * 60 * 1000);
    assert_int_equal(place.last.begin_ms, 19 * 60 * 1000);
    fingerprint_place(INT64_C(48) * 3600 * 1000, &place);
    assert_int_equal(place.first.end_ms, FINGERPRINT_FIRST_MS);
    assert_int_equal(place.last.end_ms - place.last.begin_ms, FINGERPRINT_LAST_MS);
    fingerprint_place(8 * 60 * 1000, &place);
    assert_int_equal(place.first.end_ms, 3 * 60 * 1000);
    assert_int_equal(place.last.begin_ms, 4 * 60 * 1000);
    fingerprint_place(0, &place);
    assert_int_equal(place.last.end_ms, 0);
}

static struct str example(void)
{
    struct fingerprint film;
    struct str bytes = {0};
    fingerprint_place(60 * 1000, &film);
    film.first.count = 3;
    film.first.items = mem_new_array(uint32_t, 3);
    film.first.items[2] = 0xDEADBEEF;
    fingerprint_write(&film, &bytes);
    fingerprint_fini(&film);
    return bytes;
}

static void bytes_say_it_again(void **state UNUSED)
{
    CLEANUP(str_fini) struct str bytes = example();
    struct fingerprint film;
    struct why why;
    assert_int_equal(fingerprint_read((const uint8_t *) bytes.at, bytes.length, &film, &why), OK);
    assert_int_equal(film.first.count, 3);
    assert_int_equal(film.first.items[2], 0xDEADBEEF);
    assert_int_equal(film.first.end_ms, 30000);
    assert_int_equal(film.last.count, 0);
    assert_int_equal(film.last.end_ms, 60000);
    fingerprint_fini(&film);
}

static void refuses(const struct str *bytes, size_t at, uint8_t value)
{
    CLEANUP(mem_free_at) uint8_t *broken = mem_dup(bytes->at, bytes->length);
    struct fingerprint film;
    struct why why;
    broken[at] = value;
    if (fingerprint_read(broken, bytes->length, &film, &why) != ERR_BAD_INPUT)
        fail_msg("byte %zu as %u", at, value);
}

static void broken_bytes_are_refused(void **state UNUSED)
{
    CLEANUP(str_fini) struct str bytes = example();
    struct fingerprint film;
    struct why why;
    for (size_t size = 0; size < bytes.length; size++) {
        CLEANUP(mem_free_at) uint8_t *part = mem_dup(bytes.at, size + 1);
        assert_int_equal(fingerprint_read(part, size, &film, &why), ERR_BAD_INPUT);
    }
    refuses(&bytes, 0, 'X');
    refuses(&bytes, 4 + 3, 0x7F);  /* begins after its end */
    refuses(&bytes, 8 + 3, 0xFF);  /* ends after any film */
    refuses(&bytes, 8 + 2, 0x01);  /* ends after the last part begins */
    refuses(&bytes, 12, 2);        /* fewer items than there are */
    refuses(&bytes, 12, 4);        /* more */
    refuses(&bytes, 12 + 3, 0xFF); /* many more */
    refuses(&bytes, bytes.length - 4, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_are_where_they_should),
        cmocka_unit_test(a_tune_is_known_again),
        cmocka_unit_test(the_default_track_is_heard),
        cmocka_unit_test(what_cannot_be_had_is_said),
        cmocka_unit_test(long_films_are_not_heard_whole),
        cmocka_unit_test(bytes_say_it_again),
        cmocka_unit_test(broken_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
