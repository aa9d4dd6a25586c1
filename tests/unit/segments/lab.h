/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests of transcodes: films made by the ffmpeg program, a plan for them, segments gathered in
 * memory, and both decoded back to pictures and samples. Ends the test where anything of that fails. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "segments/input.h"
#include "segments/plan.h"
#include "segments/segments.h"
#include "segments/transcode.h"

#define LAB_MAX_PATH 256

/* A folder of its own in the system's temporary place; removed with all films by lab_fini. */
struct lab {
    char folder[LAB_MAX_PATH];
    char path[2 * LAB_MAX_PATH]; /* lab_path's */
};
void lab_init(struct lab *lab);
void lab_fini(struct lab *lab);

/* Where the film of that name is, or would be; good until the next call. */
const char *lab_path(struct lab *lab, const char *name);
/* Runs ffmpeg (or another program) with words separated by blanks; "@" stands for the folder. */
void lab_run(const struct lab *lab, const char *words);
/* The hashes of all frames of a film in the folder, one a line, without their times. The caller's. */
char *lab_frame_hashes(const struct lab *lab, const char *name);
void lab_write(const struct lab *lab, const char *name, const struct str *bytes);

/* A film, its input, and its plan, with renditions of the test's own. */
struct film {
    char path[LAB_MAX_PATH];
    struct input *input;
    struct plan *plan;
    struct transcoder *transcoder;
};
/* The plan's grid must be as told; 0/1: without pictures. */
void film_open(struct film *film, const struct lab *lab, const char *name, uint32_t fps_num,
               uint32_t fps_den, const struct engine_options *options);
void film_close(struct film *film);
/* A transcode of the first picture (sound) track; the index of the rendition. */
uint32_t film_add_video(struct film *film, uint32_t width, uint32_t height);
uint32_t film_add_audio(struct film *film);
/* The same in another form: 6 channels, or stereo for the night. */
uint32_t film_add_sound(struct film *film, uint32_t channels, bool is_night);
void film_reopen(struct film *film, const struct engine_options *options);

/* One segment, as bytes; its result must be `expected`. `flushes` counts parts (may be NULL). */
void film_segment(const struct film *film, uint32_t rendition, uint32_t n, struct str *out);
size_t film_segment_parts(const struct film *film, uint32_t rendition, uint32_t n, struct str *out);
/* Init and segments [from, to) appended. */
void film_join(const struct film *film, uint32_t rendition, uint32_t from, uint32_t to,
               struct str *out);

/* Decoded pictures: luma alone, 8 bit. */
struct picture {
    int64_t pts; /* in the stream's time base, offset taken away */
    int width, height;
    bool is_key;
    uint8_t *luma; /* width * height */
};
struct pictures_seen {
    struct picture *at;
    size_t count, room;
    size_t errors;
    int sar_num, sar_den, transfer, range;
};
/* `scale_*` 0: as they are. Decodes the first picture stream of bytes, or of a file. */
void seen_bytes(const struct str *bytes, struct pictures_seen *out);
void seen_file(const char *path, int scale_width, int scale_height, struct pictures_seen *out);
void seen_fini(struct pictures_seen *seen);
/* Mean SSIM of 8x8 blocks. Both of one size. */
double picture_ssim(const struct picture *a, const struct picture *b);
double picture_mean(const struct picture *picture);

/* Decoded sound: stereo. */
struct samples {
    float *left, *right;
    size_t count, room;
    int64_t first; /* position of the first sample, offset taken away */
    int rate;
    size_t errors;
};
void heard_bytes(const struct str *bytes, struct samples *out);
/* By the ffmpeg program, as stereo at `rate`, from the plan's T0 on. */
void heard_file(const struct lab *lab, const struct film *film, int rate, struct samples *out);
void heard_fini(struct samples *samples);
/* The shift of `b` against `a` (within +-most) with the greatest correlation over a's range
 * [from, from+count). */
int heard_lag(const struct samples *a, const struct samples *b, size_t from, size_t count,
              int most);

/* From a segment: tfdt of its first part, and the sum of all durations. */
void segment_times(const struct str *segment, uint64_t *begin, uint64_t *duration);
