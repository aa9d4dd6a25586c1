/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Storyboards: each picture is what the film shows at its time, upright and of its shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"
#include "segments/storyboard.h"
#include "whole.h"

#define X264 "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -crf 20 "

static struct lab lab;

static void make(const char *words)
{
    char line[1024];

    snprintf(line, sizeof line, "ffmpeg -v error -nostdin -y %s", words);
    lab_run(&lab, line);
}

static int setup(void **state)
{
    (void) state;
    lab_init(&lab);
    make("-f lavfi -i testsrc2=s=320x180:r=12:d=170 " X264 "-g 24 @/plain.mkv");
    make("-f lavfi -i testsrc2=s=320x180:r=24:d=16 " X264 "-g 10000 -sc_threshold 0 @/one.mp4");
    make("-f lavfi -i testsrc2=s=320x180:r=25:d=12 -c:v mpeg2video -q:v 3 @/mpeg2.ts");
    make("-f lavfi -i testsrc2=s=360x288:r=25:d=6 -vf setsar=64/45 " X264 "@/wide.mkv");
    make("-f lavfi -i testsrc2=s=320x180:r=25:d=6 " X264 "@/lying.mp4");
    make("-i @/lying.mp4 -c copy -metadata:s:v rotate=90 @/turned.mp4");
    make("-f lavfi -i sine=d=3 -c:a aac @/sound.m4a");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

/* What the engine told of a film. */
struct told {
    int64_t at_ms[STORYBOARD_MOST];
    uint32_t width, height, count, sheets;
    uint32_t on_sheet; /* pictures since the last */
    struct str sheet[20];
    uint32_t sheet_count[20];
    unsigned ticks, cancel_after;
    _Atomic bool is_cancelled;
};

static enum err on_picture(void *ctx, int64_t at_ms, uint32_t width, uint32_t height)
{
    struct told *told = ctx;

    assert_true(told->count < STORYBOARD_MOST);
    if (told->count > 0) {
        assert_true(at_ms > told->at_ms[told->count - 1]);
        assert_int_equal(width, told->width);
        assert_int_equal(height, told->height);
    }
    told->width = width;
    told->height = height;
    told->at_ms[told->count++] = at_ms;
    assert_true(++told->on_sheet <= STORYBOARD_SHEET);
    if (told->count == told->cancel_after)
        atomic_store(&told->is_cancelled, true);
    return OK;
}

static enum err on_sheet(void *ctx, const void *bytes, size_t size)
{
    struct told *told = ctx;

    assert_true(told->on_sheet > 0);
    str_append(&told->sheet[told->sheets], bytes, size);
    told->sheet_count[told->sheets++] = told->on_sheet;
    told->on_sheet = 0;
    return OK;
}

static void on_tick(void *ctx)
{
    struct told *told = ctx;

    told->ticks++;
}

static enum err tell(struct whole *whole, struct told *told, struct why *why)
{
    const struct engine_storyboard job = {.picture = on_picture,
                                          .sheet = on_sheet,
                                          .tick = on_tick,
                                          .cancelled = &told->is_cancelled,
                                          .ctx = told};

    return engine_storyboard(whole->engine, &job, why);
}

static struct told *open_and_tell(struct whole *whole, const char *name)
{
    struct told *told = mem_new(struct told);
    struct why why = {0};

    whole_open(whole, lab_path(&lab, name));
    assert_int_equal(whole->result, OK);
    if (tell(whole, told, &why) != OK)
        fail_msg("%s: %s", name, why.text);
    assert_int_equal(told->on_sheet, 0);
    assert_true(told->ticks > 0);
    return told;
}

static void told_free(struct told *told)
{
    for (uint32_t i = 0; i < told->sheets; i++)
        str_fini(&told->sheet[i]);
    mem_free(told);
}

/* Picture `i` of a sheet, cut out. The luma is the caller's. */
static struct picture cut_out(const struct told *told, const struct picture *sheet, uint32_t i)
{
    struct picture cut = {.width = (int) told->width, .height = (int) told->height};
    uint32_t left = i % STORYBOARD_COLUMNS * told->width;
    uint32_t top = i / STORYBOARD_COLUMNS * told->height;

    cut.luma = mem_zalloc((size_t) told->width * told->height);
    for (uint32_t y = 0; y < told->height; y++)
        memcpy(cut.luma + (size_t) y * told->width,
               sheet->luma + (size_t) (top + y) * (size_t) sheet->width + left, told->width);
    return cut;
}

/* JPEG's range is the full one; the film's, as it was decoded, the narrow one. */
static void narrow(struct picture *picture)
{
    for (int i = 0; i < picture->width * picture->height; i++)
        picture->luma[i] = (uint8_t) (16 + picture->luma[i] * 219 / 255);
}

/* `tick_s`: of the film's times; what is shown first is at 0. */
static void pictures_are_the_films(const struct told *told, const char *name, double tick_s,
                                   double least)
{
    struct pictures_seen all, sheet;
    uint32_t n = 0;

    seen_file(lab_path(&lab, name), (int) told->width, (int) told->height, &all);
    for (uint32_t s = 0; s < told->sheets; s++) {
        seen_bytes(&told->sheet[s], &sheet);
        assert_int_equal(sheet.count, 1);
        assert_int_equal(sheet.at[0].width, told->width * STORYBOARD_COLUMNS);
        for (uint32_t i = 0; i < told->sheet_count[s]; i++, n++) {
            const struct picture *film = &all.at[0];
            struct picture cut = cut_out(told, &sheet.at[0], i);
            for (size_t f = 0; f < all.count; f++)
                if ((double) (all.at[f].pts - all.at[0].pts) * tick_s * 1000 <=
                    (double) told->at_ms[n] + 2)
                    film = &all.at[f];
            narrow(&cut);
            double ssim = picture_ssim(film, &cut);
            if (ssim < least)
                fail_msg("%s: picture %u at %lld ms is not the film's (%.3f)", name, n,
                         (long long) told->at_ms[n], ssim);
            mem_free(cut.luma);
        }
        seen_fini(&sheet);
    }
    assert_int_equal(n, told->count);
    seen_fini(&all);
}

static void it_is_the_film_every_few_seconds(void **state)
{
    struct whole whole;
    struct told *told = open_and_tell(&whole, "plain.mkv");

    (void) state;
    assert_int_equal(told->width, 240);
    assert_int_equal(told->height, 136);
    assert_int_equal(told->count, 34);
    assert_int_equal(told->sheets, 2);
    assert_int_equal(told->at_ms[0], 0);
    assert_int_equal(told->at_ms[1], 4000); /* the key that is shown at 5 s */
    assert_int_equal(told->at_ms[33], 164000);
    pictures_are_the_films(told, "plain.mkv", 1e-3, 0.9);
    told_free(told);
    whole_close(&whole);
}

/* A picture stands for what follows it up to the next key: a film of one key has one. */
static void a_film_of_one_key_has_one(void **state)
{
    struct whole whole;
    struct told *told = open_and_tell(&whole, "one.mp4");

    (void) state;
    assert_int_equal(told->count, 1);
    assert_int_equal(told->sheets, 1);
    told_free(told);
    whole_close(&whole);
}

static void films_without_an_index_have_them(void **state)
{
    struct whole whole;
    struct told *told = open_and_tell(&whole, "mpeg2.ts");

    (void) state;
    assert_int_equal(told->count, 3);
    pictures_are_the_films(told, "mpeg2.ts", 1.0 / 90000, 0.85);
    told_free(told);
    whole_close(&whole);
}

static void they_have_the_films_shape(void **state)
{
    static const struct {
        const char *name;
        uint32_t width, height;
    } films[] = {{"wide.mkv", 240, 136}, {"turned.mp4", 136, 240}};

    (void) state;
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        struct whole whole;
        struct told *told = open_and_tell(&whole, films[i].name);
        assert_int_equal(told->width, films[i].width);
        assert_int_equal(told->height, films[i].height);
        if (i == 0)
            pictures_are_the_films(told, films[i].name, 1e-3, 0.9);
        told_free(told);
        whole_close(&whole);
    }
}

static void what_cannot_be_had_is_said(void **state)
{
    struct whole whole;
    struct told *told = mem_new(struct told);
    struct why why = {0};

    (void) state;
    whole_open(&whole, lab_path(&lab, "sound.m4a"));
    assert_int_equal(tell(&whole, told, &why), ERR_BAD_MEDIA);
    assert_string_equal(why.text, "the film has no picture");
    whole_close(&whole);
    whole_open(&whole, lab_path(&lab, "plain.mkv"));
    told->cancel_after = 3;
    assert_int_equal(tell(&whole, told, &why), ERR_CANCELLED);
    assert_int_equal(told->count, 3);
    whole_close(&whole);
    told_free(told);
}

static void long_films_have_them_further_apart(void **state)
{
    (void) state;
    assert_int_equal(storyboard_step_ms(1), 5000);
    assert_int_equal(storyboard_step_ms(33 * 60 * 1000), 5000);
    assert_int_equal(storyboard_step_ms(2 * 3600 * 1000), 18000);
    assert_true(INT64_C(48) * 3600 * 1000 / storyboard_step_ms(INT64_C(48) * 3600 * 1000) <=
                STORYBOARD_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_film_every_few_seconds),
        cmocka_unit_test(a_film_of_one_key_has_one),
        cmocka_unit_test(films_without_an_index_have_them),
        cmocka_unit_test(they_have_the_films_shape),
        cmocka_unit_test(what_cannot_be_had_is_said),
        cmocka_unit_test(long_films_have_them_further_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
