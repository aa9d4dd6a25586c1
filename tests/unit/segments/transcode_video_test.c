/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Video transcodes against the cases of the engine's list: joins, determinism, segments alone, odd
 * frame rates, odd pictures, ladders; and what a caller may do meanwhile. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lab.h"

static const struct engine_options two_threads = {.threads = 2, .runs = 2};
static const struct engine_options one_thread = {.threads = 1, .runs = 2};

static struct lab lab;

static int set_up(void **state)
{
    (void) state;
    lab_init(&lab);
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=320x180:r=24000/1001:d=13 -c:v libx264 "
                  "-preset veryfast -crf 12 -g 48 -bf 3 -pix_fmt yuv420p @/plain.mkv");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    lab_fini(&lab);
    return 0;
}

static uint32_t segments_of(const struct film *film, uint32_t rendition)
{
    return plan_segment_count(film->plan, rendition);
}

static void assert_steps(const struct pictures_seen *seen, int64_t step)
{
    for (size_t i = 0; i < seen->count; i++)
        assert_int_equal(seen->at[i].pts, (int64_t) i * step);
}

/* Each frame is most like the source's frame of the same index, and like it. */
static void assert_same_pictures(const struct pictures_seen *seen,
                                 const struct pictures_seen *source, double least)
{
    for (size_t i = 0; i < seen->count && i < source->count; i++) {
        double ssim = picture_ssim(&seen->at[i], &source->at[i]);
        if (ssim < least)
            fail_msg("frame %zu: ssim %f", i, ssim);
        if (i > 0 && picture_ssim(&seen->at[i], &source->at[i - 1]) >= ssim)
            fail_msg("frame %zu is the source's %zu", i, i - 1);
    }
}

/* Segments abut to the tick, and are as long as the plan says. */
static void assert_times(const struct film *film, uint32_t rendition, uint32_t n,
                         const struct str *segment)
{
    const struct plan *plan = film->plan;
    const struct plan_rendition *r = &plan->renditions[rendition];
    uint64_t begin = 0, duration = 0;
    segment_times(segment, &begin, &duration);
    int64_t start = plan_segment_start(plan, rendition, n);
    assert_int_equal(begin + r->delay, start + (int64_t) PLAN_OFFSET_S * r->timescale);
    assert_int_equal(duration, plan_segment_start(plan, rendition, n + 1) - start);
}

static void case_11_transcode_join(void **state)
{
    (void) state;
    struct film film;
    CLEANUP(str_fini) struct str joined = {0};
    struct pictures_seen seen, source;
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &two_threads);
    uint32_t video = film_add_video(&film, 160, 90);
    film_join(&film, video, 0, 3, &joined);
    film_reopen(&film, &two_threads);
    film_join(&film, video, 3, segments_of(&film, video), &joined);
    seen_bytes(&joined, &seen);
    seen_file(film.path, 160, 90, &source);
    assert_int_equal(seen.errors, 0);
    assert_int_equal(seen.count, source.count);
    assert_steps(&seen, 1001);
    assert_same_pictures(&seen, &source, 0.95);
    seen_fini(&seen);
    seen_fini(&source);
    film_close(&film);
}

/* Each way to come to a segment gives the same bytes: after its neighbour (warm), out of order, in
 * a new transcoder (cold). */
static void case_12_transcode_determinism(void **state)
{
    (void) state;
    struct film film;
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &one_thread);
    uint32_t video = film_add_video(&film, 160, 90), count = segments_of(&film, video);
    struct str *inorder = mem_new_array(struct str, count);
    for (uint32_t n = 0; n < count; n++)
        film_segment(&film, video, n, &inorder[n]);
    for (uint32_t n = count; n-- > 0;) {
        CLEANUP(str_fini) struct str warm = {0};
        CLEANUP(str_fini) struct str cold = {0};
        film_segment(&film, video, n, &warm);
        film_reopen(&film, &one_thread);
        film_segment(&film, video, n, &cold);
        assert_int_equal(warm.length, inorder[n].length);
        assert_memory_equal(warm.at, inorder[n].at, warm.length);
        assert_int_equal(cold.length, inorder[n].length);
        assert_memory_equal(cold.at, inorder[n].at, cold.length);
        assert_times(&film, video, n, &cold);
        str_fini(&inorder[n]);
    }
    mem_free(inorder);
    film_close(&film);
}

static void case_12_description_is_constant(void **state)
{
    (void) state;
    struct film film;
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &two_threads);
    uint32_t video = film_add_video(&film, 160, 90);
    static const struct engine_options others[] = {{.threads = 1, .runs = 1},
                                                   {.preset = "veryfast", .threads = 4, .runs = 3}};
    for (size_t i = 0; i < 2; i++) {
        struct transcode_description one, two;
        struct why why;
        const struct plan_rendition *r = &film.plan->renditions[video];
        assert_int_equal(transcode_describe(film.plan, r, &two_threads, &one, &why), OK);
        assert_int_equal(transcode_describe(film.plan, r, &others[i], &two, &why), OK);
        assert_int_equal(one.extradata_size, two.extradata_size);
        assert_memory_equal(one.extradata, two.extradata, one.extradata_size);
        /* two frames of 1001/24000 s, up to a whole millisecond */
        assert_int_equal(one.delay, 84 * 24);
        transcode_description_fini(&one);
        transcode_description_fini(&two);
    }
    film_close(&film);
}

static void case_13_segments_stand_alone(void **state)
{
    (void) state;
    struct film film;
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &two_threads);
    uint32_t video = film_add_video(&film, 160, 90);
    for (uint32_t n = 0; n < segments_of(&film, video); n++) {
        CLEANUP(str_fini) struct str alone = {0};
        struct pictures_seen seen;
        film_join(&film, video, n, n + 1, &alone);
        seen_bytes(&alone, &seen);
        int64_t start = plan_segment_start(film.plan, video, n);
        int64_t end = plan_segment_start(film.plan, video, n + 1);
        assert_int_equal(seen.errors, 0);
        assert_int_equal(seen.count, (end - start) / 1001);
        assert_true(seen.at[0].is_key);
        assert_int_equal(seen.at[0].pts, start);
        seen_fini(&seen);
    }
    film_close(&film);
}

/* Makes all of the film in order, and backwards in new transcoders; both must show the same. */
static void see_both_ways(const char *name, uint32_t fps_num, uint32_t fps_den, uint32_t width,
                          uint32_t height, struct pictures_seen *out)
{
    struct film film;
    CLEANUP(str_fini) struct str joined = {0};
    film_open(&film, &lab, name, fps_num, fps_den, &one_thread);
    uint32_t video = film_add_video(&film, width, height), count = segments_of(&film, video);
    film_join(&film, video, 0, count, &joined);
    for (uint32_t n = count; n-- > 0;) {
        CLEANUP(str_fini) struct str cold = {0};
        film_reopen(&film, &one_thread);
        film_segment(&film, video, n, &cold);
        assert_times(&film, video, n, &cold);
        if (memmem(joined.at, joined.length, cold.at, cold.length) == NULL)
            fail_msg("%s: segment %u differs", name, n);
    }
    seen_bytes(&joined, out);
    assert_int_equal(out->errors, 0);
    int64_t frames = plan_ticks_to_frame(film.plan, plan_segment_start(film.plan, video, count));
    assert_int_equal(out->count, frames);
    assert_steps(out, film.plan->timescale == fps_num ? 1001 : 90000 / fps_num);
    film_close(&film);
}

static void case_14_vfr(void **state)
{
    (void) state;
    struct pictures_seen seen;
    lab_run(&lab,
            "ffmpeg -v error -f lavfi -i testsrc2=s=192x108:r=60:d=2 -f lavfi -i "
            "testsrc2=s=192x108:r=30:d=2 -f lavfi -i testsrc2=s=192x108:r=48:d=2 -filter_complex "
            "[0]settb=1/1000[a];[1]settb=1/1000[b];[2]settb=1/1000[c];[a][b][c]concat=n=3 "
            "-fps_mode vfr -enc_time_base 1/1000 -c:v libx264 -preset veryfast -g 60 @/vfr.mkv");
    see_both_ways("vfr.mkv", 48, 1, 192, 108, &seen);
    assert_in_range(seen.count, 287, 289);
    seen_fini(&seen);
}

static void case_14_interlaced(void **state)
{
    (void) state;
    struct pictures_seen seen;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=352x288:r=50:d=5 -vf "
                  "interlace=scan=tff -c:v mpeg2video -flags +ilme+ildct -b:v 4M -g 12 -bf 2 "
                  "@/field.mkv");
    see_both_ways("field.mkv", 25, 1, 352, 288, &seen);
    assert_in_range(seen.count, 124, 126);
    seen_fini(&seen);
}

/* Muxers call tracks progressive that are not: what the frames say counts. Told so or not, the same
 * pictures come out. */
static void assert_fields_are_found(const char *codec)
{
    CLEANUP(str_fini) struct str words = {0};
    CLEANUP(str_fini) struct str told = {0};
    CLEANUP(str_fini) struct str found = {0};
    struct film film, other;
    str_printf(&words,
               "ffmpeg -v error -y -f lavfi -i testsrc2=s=352x288:r=50:d=5 -vf interlace=scan=tff "
               "%s -g 12 -bf 2 @/told.mkv",
               codec);
    lab_run(&lab, words.at);
    lab_run(&lab, "mkvmerge -q -o @/found.mkv @/told.mkv");
    lab_run(&lab, "mkvpropedit -q @/told.mkv --edit track:1 --set interlaced=1");
    lab_run(&lab, "mkvpropedit -q @/found.mkv --edit track:1 --set interlaced=2");
    film_open(&film, &lab, "told.mkv", 25, 1, &one_thread);
    film_open(&other, &lab, "found.mkv", 25, 1, &one_thread);
    assert_true(film.plan->tracks[0].is_interlaced);
    assert_false(other.plan->tracks[0].is_interlaced);
    uint32_t video = film_add_video(&film, 352, 288);
    assert_int_equal(film_add_video(&other, 352, 288), video);
    film_segment(&film, video, 1, &told);
    film_segment(&other, video, 1, &found);
    assert_int_equal(told.length, found.length);
    assert_memory_equal(told.at, found.at, told.length);
    film_close(&film);
    film_close(&other);
}

static void case_14_fields_of_a_progressive_track(void **state)
{
    (void) state;
    assert_fields_are_found("-c:v mpeg2video -flags +ilme+ildct -b:v 4M");
    assert_fields_are_found("-c:v libx264 -preset veryfast -flags +ilme+ildct -crf 18");
}

/* AVI has no presentation times; with B frames they have to be found from the decoder's order. */
static void case_14_missing_pts(void **state)
{
    (void) state;
    struct pictures_seen seen, source;
    char path[LAB_MAX_PATH + 16];
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=192x108:r=25:d=6 -c:v mpeg4 -vtag XVID "
                  "-q:v 2 -bf 2 -g 50 @/old.avi");
    see_both_ways("old.avi", 25, 1, 192, 108, &seen);
    snprintf(path, sizeof path, "%s/old.avi", lab.folder);
    seen_file(path, 0, 0, &source);
    assert_same_pictures(&seen, &source, 0.95);
    seen_fini(&seen);
    seen_fini(&source);
}

static void case_14_transport_stream(void **state)
{
    (void) state;
    struct pictures_seen seen, source;
    char path[LAB_MAX_PATH + 16];
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=192x108:r=25:d=9 -c:v libx264 -preset "
                  "veryfast -crf 12 -g 100 -bf 3 @/broadcast.ts");
    see_both_ways("broadcast.ts", 25, 1, 192, 108, &seen);
    snprintf(path, sizeof path, "%s/broadcast.ts", lab.folder);
    seen_file(path, 0, 0, &source);
    assert_same_pictures(&seen, &source, 0.95);
    seen_fini(&seen);
    seen_fini(&source);
}

static void see_first_second(const char *name, uint32_t width, uint32_t height,
                             struct pictures_seen *out)
{
    struct film film;
    CLEANUP(str_fini) struct str joined = {0};
    film_open(&film, &lab, name, 25, 1, &two_threads);
    uint32_t video = film_add_video(&film, width, height);
    film_join(&film, video, 0, 1, &joined);
    seen_bytes(&joined, out);
    assert_int_equal(out->errors, 0);
    assert_int_equal(out->at[0].width, width);
    assert_int_equal(out->at[0].height, height);
    assert_int_equal(out->sar_num, out->sar_den);
    film_close(&film);
}

static void case_15_hdr(void **state)
{
    (void) state;
    struct pictures_seen seen;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=320x180:r=25:d=1.2 -vf "
                  "format=yuv420p10le -c:v libx265 -preset ultrafast -x265-params log-level=error "
                  "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc @/hdr.mkv");
    see_first_second("hdr.mkv", 160, 90, &seen);
    assert_int_equal(seen.transfer, 1);
    assert_int_equal(seen.range, 1);
    assert_in_range((int) picture_mean(&seen.at[10]), 30, 220);
    seen_fini(&seen);
}

static void case_15_odd_444(void **state)
{
    (void) state;
    struct pictures_seen seen;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=321x181:r=25:d=1.2 -pix_fmt yuv444p "
                  "-c:v libx264 -preset ultrafast @/odd.mkv");
    see_first_second("odd.mkv", 320, 180, &seen);
    seen_fini(&seen);
}

static void case_15_anamorphic_10_bit(void **state)
{
    (void) state;
    struct pictures_seen seen;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=360x288:r=25:d=1.2 -vf setsar=64/45 "
                  "-pix_fmt yuv420p10le -c:v libx264 -preset ultrafast @/sar.mkv");
    see_first_second("sar.mkv", 512, 288, &seen);
    seen_fini(&seen);
}

/* The left upper quarter's mean. */
static double corner(const struct picture *picture)
{
    double sum = 0;
    for (int y = 0; y < picture->height / 2; y++)
        for (int x = 0; x < picture->width / 2; x++)
            sum += picture->luma[y * picture->width + x];
    return sum / (picture->width / 2) / (picture->height / 2);
}

/* As upright as the ffmpeg program has it. */
static void case_15_rotated(void **state)
{
    (void) state;
    static const char *const turns[] = {"90", "180", "270"};
    char path[LAB_MAX_PATH + 16];
    snprintf(path, sizeof path, "%s/upright.mkv", lab.folder);
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=320x180:r=25:d=1.2 -c:v libx264 -crf 12 "
                  "-pix_fmt yuv420p @/lying.mp4");
    for (size_t i = 0; i < 3; i++) {
        struct pictures_seen seen, reference;
        CLEANUP(str_fini) struct str words = {0};
        str_printf(&words,
                   "ffmpeg -v error -y -i @/lying.mp4 -c copy -metadata:s:v:0 rotate=%s "
                   "@/turned.mp4",
                   turns[i]);
        lab_run(&lab, str_text(&words));
        lab_run(&lab, "ffmpeg -v error -y -i @/turned.mp4 -c:v libx264 -crf 12 @/upright.mkv");
        see_first_second("turned.mp4", i == 1 ? 320 : 180, i == 1 ? 180 : 320, &seen);
        seen_file(path, 0, 0, &reference);
        assert_same_pictures(&seen, &reference, 0.95);
        seen_fini(&seen);
        seen_fini(&reference);
    }
}

static void case_15_size_changes(void **state)
{
    (void) state;
    struct pictures_seen seen;
    struct film film;
    CLEANUP(str_fini) struct str joined = {0};
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -bsf:v "
                  "h264_mp4toannexb @/a.ts");
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=160x120:r=25:d=1 -c:v libx264 "
                  "-output_ts_offset 1 @/b.ts");
    lab_run(&lab, "ffmpeg -v error -i concat:@/a.ts|@/b.ts -c copy @/changes.ts");
    film_open(&film, &lab, "changes.ts", 25, 1, &two_threads);
    uint32_t video = film_add_video(&film, 320, 180);
    film_join(&film, video, 0, segments_of(&film, video), &joined);
    seen_bytes(&joined, &seen);
    assert_int_equal(seen.errors, 0);
    assert_in_range(seen.count, 47, 51);
    for (size_t i = 0; i < seen.count; i++)
        assert_int_equal(seen.at[i].width, 320);
    /* what is 4:3 stands between bars */
    assert_true(corner(&seen.at[seen.count - 1]) > 40);
    for (int x = 0; x < 32; x++)
        assert_true(seen.at[seen.count - 1].luma[320 * 90 + x] < 24);
    seen_fini(&seen);
    film_close(&film);
}

struct gatherer {
    struct str bytes;
    size_t flushes, bytes_at_first_flush;
    size_t fail_at; /* flush that fails; 0: none */
};

static enum err take_bytes(void *ctx, const void *bytes, size_t size)
{
    struct gatherer *gatherer = ctx;
    str_append(&gatherer->bytes, bytes, size);
    return OK;
}

static enum err take_flush(void *ctx)
{
    struct gatherer *gatherer = ctx;
    gatherer->flushes++;
    if (gatherer->flushes == 1)
        gatherer->bytes_at_first_flush = gatherer->bytes.length;
    return gatherer->flushes == gatherer->fail_at ? ERR_LIMIT : OK;
}

static const struct sink_ops gather_ops = {.bytes = take_bytes, .flush = take_flush};

static void make_three(struct film *film, uint32_t n, struct gatherer gatherers[3],
                       struct engine_output outputs[3], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gatherers[i].bytes = (struct str){0};
        gatherers[i].flushes = 0;
        outputs[i] = (struct engine_output){.rendition = (uint32_t) i};
        outputs[i].sink = (struct sink){&gather_ops, &gatherers[i]};
    }
    transcoder_video(film->transcoder, n, outputs, count, NULL, NULL, NULL, NULL);
}

static void case_26_ladder(void **state)
{
    (void) state;
    struct film film;
    struct gatherer gatherers[3] = {0};
    struct engine_output outputs[3];
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &one_thread);
    film_add_video(&film, 320, 180);
    film_add_video(&film, 160, 90);
    film_add_video(&film, 80, 46);
    for (uint32_t n = 2; n < 4; n++) {
        make_three(&film, n, gatherers, outputs, 3);
        for (uint32_t i = 0; i < 3; i++) {
            CLEANUP(str_fini) struct str alone = {0};
            assert_int_equal(outputs[i].result, OK);
            film_segment(&film, i, n, &alone);
            assert_int_equal(alone.length, gatherers[i].bytes.length);
            assert_memory_equal(alone.at, gatherers[i].bytes.at, alone.length);
            str_fini(&gatherers[i].bytes);
        }
    }
    film_close(&film);
}

/* One sink that fails stops its own output alone. */
static void a_full_sink_stops_its_output_only(void **state)
{
    (void) state;
    struct film film;
    struct gatherer gatherers[3] = {{.fail_at = 2}, {.fail_at = 0}};
    struct engine_output outputs[3];
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &two_threads);
    film_add_video(&film, 320, 180);
    film_add_video(&film, 160, 90);
    make_three(&film, 3, gatherers, outputs, 2);
    assert_int_equal(outputs[0].result, ERR_LIMIT);
    assert_int_equal(outputs[1].result, OK);
    assert_true(gatherers[1].flushes > 4);
    str_fini(&gatherers[0].bytes);
    str_fini(&gatherers[1].bytes);
    film_close(&film);
}

/* The first part decodes alone, and is a small share of the segment. */
static void first_part_is_early(void **state)
{
    (void) state;
    struct film film;
    struct gatherer gatherer[3] = {0};
    struct engine_output outputs[3];
    struct pictures_seen seen;
    CLEANUP(str_fini) struct str first = {0};
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &two_threads);
    uint32_t video = film_add_video(&film, 320, 180);
    make_three(&film, 3, gatherer, outputs, 1);
    assert_int_equal(outputs[0].result, OK);
    const struct plan_rendition *r = &film.plan->renditions[video];
    str_append(&first, r->init, r->init_size);
    str_append(&first, gatherer[0].bytes.at, gatherer[0].bytes_at_first_flush);
    seen_bytes(&first, &seen);
    assert_int_equal(seen.errors, 0);
    assert_in_range(seen.count, 1, 12);
    assert_int_equal(seen.at[0].pts, plan_segment_start(film.plan, video, 3));
    seen_fini(&seen);
    str_fini(&gatherer[0].bytes);
    film_close(&film);
}

struct impatient {
    _Atomic bool cancelled;
    int ticks;
    int64_t cancelled_us;
};

static void cancel_soon(void *ctx)
{
    struct impatient *impatient = ctx;
    if (++impatient->ticks == 20) {
        impatient->cancelled_us = clock_mono_us();
        atomic_store(&impatient->cancelled, true);
    }
}

static void cancel_is_heard(void **state)
{
    (void) state;
    struct film film;
    struct gatherer gatherer = {0};
    struct impatient impatient = {.ticks = 0};
    CLEANUP(str_fini) struct str after = {0};
    CLEANUP(str_fini) struct str cold = {0};
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &one_thread);
    uint32_t video = film_add_video(&film, 320, 180);
    struct engine_output output = {.rendition = video, .sink = {&gather_ops, &gatherer}};
    transcoder_video(film.transcoder, 3, &output, 1, NULL, &impatient.cancelled, cancel_soon,
                     &impatient);
    assert_int_equal(output.result, ERR_CANCELLED);
    assert_in_range(clock_mono_us() - impatient.cancelled_us, 0, 500000);
    str_fini(&gatherer.bytes);
    /* and leaves nothing behind that shows later */
    film_segment(&film, video, 3, &after);
    film_reopen(&film, &one_thread);
    film_segment(&film, video, 3, &cold);
    assert_int_equal(after.length, cold.length);
    assert_memory_equal(after.at, cold.at, cold.length);
    film_close(&film);
}

/* Noise is what the VBV is for: BANDWIDTH holds over every half target duration. */
static void bandwidth_is_a_bound(void **state)
{
    (void) state;
    struct film film;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=320x180:r=25:d=9,noise=alls=100:allf=t "
                  "-c:v libx264 -preset ultrafast -crf 10 @/noise.mkv");
    film_open(&film, &lab, "noise.mkv", 25, 1, &two_threads);
    uint32_t video = film_add_video(&film, 320, 180);
    struct transcode_rates rates = transcode_rates(film.plan, &film.plan->renditions[video]);
    uint64_t bits = 0;
    for (uint32_t n = 0; n < segments_of(&film, video); n++) {
        CLEANUP(str_fini) struct str segment = {0};
        film_segment(&film, video, n, &segment);
        bits += segment.length * 8;
        int64_t end = plan_segment_start(film.plan, video, n + 1);
        if (end >= 5 * (int64_t) film.plan->timescale)
            assert_true(bits <= (uint64_t) rates.peak * (uint64_t) end / film.plan->timescale);
    }
    assert_true(rates.average <= rates.peak);
    assert_true(bits / 9 > rates.average / 2); /* the noise did reach the bound */
    film_close(&film);
}

struct one_of_many {
    const struct film *film;
    uint32_t from;
    struct str made[2];
};

static void *make_two(void *ctx)
{
    struct one_of_many *one = ctx;
    for (uint32_t i = 0; i < 2; i++)
        film_segment(one->film, 0, one->from + i, &one->made[i]);
    return NULL;
}

/* Threads share the warm decoders; what they make is what one alone makes. */
static void threads_do_not_meet(void **state)
{
    (void) state;
    struct film film;
    struct one_of_many many[3] = {0};
    pthread_t threads[3];
    film_open(&film, &lab, "plain.mkv", 24000, 1001, &one_thread);
    film_add_video(&film, 160, 90);
    for (uint32_t i = 0; i < 3; i++) {
        many[i].film = &film;
        many[i].from = i;
        assert_int_equal(pthread_create(&threads[i], NULL, make_two, &many[i]), 0);
    }
    for (uint32_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < 6; i++) {
        CLEANUP(str_fini) struct str alone = {0};
        struct str *made = &many[i / 2].made[i % 2];
        film_segment(&film, 0, many[i / 2].from + i % 2, &alone);
        assert_int_equal(made->length, alone.length);
        assert_memory_equal(made->at, alone.at, alone.length);
        str_fini(made);
    }
    film_close(&film);
}

/* What this process has read so far, of whatever. */
static uint64_t bytes_read(void)
{
    unsigned long long count = 0;
    FILE *io = fopen("/proc/self/io", "r");
    assert_non_null(io);
    assert_int_equal(fscanf(io, "rchar: %llu", &count), 1);
    fclose(io);
    return count;
}

/* Segment `n` of picture or sound by an engine that has made nothing yet; what was read for it. */
static uint64_t make_cold(struct film *film, uint32_t rendition, uint32_t n, struct str *out)
{
    film_reopen(film, &one_thread);
    uint64_t before = bytes_read();
    film_segment(film, rendition, n, out);
    return bytes_read() - before;
}

struct pair {
    const char *name, *indexed;
    struct film film, wanted;
};

/* Far into a film without Cues: the same bytes as with them, and no walk through all that stands
 * before. */
static void assert_seeks(struct pair *pair, uint32_t rendition, int64_t ms)
{
    CLEANUP(str_fini) struct str made = {0};
    CLEANUP(str_fini) struct str wanted = {0};
    uint32_t n = plan_segment_at(pair->film.plan, rendition, ms);
    uint64_t read = make_cold(&pair->film, rendition, n, &made);
    uint64_t size = input_size(pair->film.input);
    if (read > size / 5)
        fail_msg("%s, %lld ms, rendition %u: read %llu of %llu", pair->name, (long long) ms,
                 rendition, (unsigned long long) read, (unsigned long long) size);
    make_cold(&pair->wanted, rendition, n, &wanted);
    assert_int_equal(made.length, wanted.length);
    assert_memory_equal(made.at, wanted.at, wanted.length);
}

static void assert_seeks_in(const char *name, const char *indexed)
{
    struct pair pair = {.name = name, .indexed = indexed};
    film_open(&pair.film, &lab, name, 25, 1, &one_thread);
    film_open(&pair.wanted, &lab, indexed, 25, 1, &one_thread);
    /* cut alike */
    mem_free(pair.wanted.plan->cuts);
    pair.wanted.plan->cut_count = pair.film.plan->cut_count;
    pair.wanted.plan->cuts =
        mem_dup(pair.film.plan->cuts, pair.film.plan->cut_count * sizeof *pair.film.plan->cuts);
    uint32_t video = film_add_video(&pair.film, 160, 90);
    assert_int_equal(film_add_video(&pair.wanted, 160, 90), video);
    uint32_t audio = film_add_audio(&pair.film);
    assert_int_equal(film_add_audio(&pair.wanted), audio);
    const int64_t places[] = {50000, 95000, 99900};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_seeks(&pair, video, places[i]);
        assert_seeks(&pair, audio, places[i]);
    }
    film_close(&pair.film);
    film_close(&pair.wanted);
}

/* libavformat comes out behind the packet sought, and so behind its key: one before that must do. */
static void far_seeks_in_a_transport_stream_read_little(void **state)
{
    (void) state;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=25:d=100 -f lavfi -i "
                  "sine=440:d=100 -c:v libx264 -preset ultrafast -qp 8 -g 50 -pix_fmt yuv420p "
                  "-c:a aac @/keys.ts");
    struct film film;
    film_open(&film, &lab, "keys.ts", 25, 1, &one_thread);
    uint32_t renditions[] = {film_add_video(&film, 160, 90), film_add_audio(&film)};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(str_fini) struct str made = {0};
        uint32_t n = plan_segment_at(film.plan, renditions[i], 80000);
        uint64_t read = make_cold(&film, renditions[i], n, &made);
        if (read > input_size(film.input) / 5)
            fail_msg("rendition %u: read %llu of %llu", renditions[i], (unsigned long long) read,
                     (unsigned long long) input_size(film.input));
    }
    film_close(&film);
}

/* Decision 11: where nothing says where the keys stand, seeks find them. */
static void far_seeks_read_little(void **state)
{
    (void) state;
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=25:d=100 -f lavfi -i "
                  "sine=440:d=100 -c:v libx264 -preset ultrafast -qp 8 -g 50 -pix_fmt yuv420p "
                  "-c:a aac @/keys.mkv");
    lab_run(&lab, "mkvmerge -q -o @/keys-none.mkv --cues 0:none --cues 1:none @/keys.mkv");
    /* no copy is offered of this one, so the plan knows no keys */
    lab_run(&lab, "ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=25:d=100 -f lavfi -i "
                  "sine=440:d=100 -c:v mpeg4 -q:v 1 -g 50 -bf 2 -c:a aac @/old.mkv");
    lab_run(&lab, "mkvmerge -q -o @/old-none.mkv --cues 0:none --cues 1:none @/old.mkv");
    assert_seeks_in("keys-none.mkv", "keys.mkv");
    assert_seeks_in("old-none.mkv", "old.mkv");
}

static void refusals_say_why(void **state)
{
    (void) state;
    struct plan_track track = {.kind = PLAN_VIDEO, .codec_name = "h264"};
    assert_string_equal(transcode_refusal(&track), "");
    snprintf(track.codec_name, sizeof track.codec_name, "none-such");
    assert_true(strlen(transcode_refusal(&track)) > 0);
    track.kind = PLAN_SUBTITLE;
    assert_true(strlen(transcode_refusal(&track)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_11_transcode_join),
        cmocka_unit_test(case_12_transcode_determinism),
        cmocka_unit_test(case_12_description_is_constant),
        cmocka_unit_test(case_13_segments_stand_alone),
        cmocka_unit_test(case_14_vfr),
        cmocka_unit_test(case_14_interlaced),
        cmocka_unit_test(case_14_fields_of_a_progressive_track),
        cmocka_unit_test(case_14_missing_pts),
        cmocka_unit_test(case_14_transport_stream),
        cmocka_unit_test(case_15_hdr),
        cmocka_unit_test(case_15_odd_444),
        cmocka_unit_test(case_15_anamorphic_10_bit),
        cmocka_unit_test(case_15_rotated),
        cmocka_unit_test(case_15_size_changes),
        cmocka_unit_test(case_26_ladder),
        cmocka_unit_test(a_full_sink_stops_its_output_only),
        cmocka_unit_test(first_part_is_early),
        cmocka_unit_test(cancel_is_heard),
        cmocka_unit_test(bandwidth_is_a_bound),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(far_seeks_in_a_transport_stream_read_little),
        cmocka_unit_test(far_seeks_read_little),
        cmocka_unit_test(refusals_say_why),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
