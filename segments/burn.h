/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Picture subtitles drawn into pictures, as the encoder gets these: behind the scaler, where all are 8-bit
 * 4:2:0 in the narrow range and upright, HDR is brought to SDR, and no more is drawn than is seen.
 * Internal to segments/. Threads: each belongs to one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "segments/plan.h"
#include "segments/screens.h"

struct AVFrame;
struct burn;

/* Where the plane of subtitles lies over a picture of `width` x `height`, of which the film's own pixels
 * are `coded_width` x `coded_height`: x of the plane is at x * scale_x + left. A plane with the film's own
 * pixels is as large as they are; what bars were cut off lies outside. One of high definition has square
 * pixels. All others are as wide and high as the picture (discs, whose pixels have its shape). */
struct burn_place {
    double scale_x, scale_y, left, top;
};
struct burn_place burn_place(uint32_t plane_width, uint32_t plane_height, uint32_t coded_width,
                             uint32_t coded_height, uint32_t width, uint32_t height);

/* For frames of that size and matrix (ISO 23091-2). Borrows `screens`. */
struct burn *burn_new(const struct screens *screens, const struct plan_track *video, uint32_t width,
                      uint32_t height, uint8_t color_matrix);
/* NULL is accepted. */
void burn_free(struct burn **burn);

/* Looks for what is to be seen at source time `ns`. False: nothing. */
bool burn_look(struct burn *burn, int64_t ns);
/* Draws what was found into a writable frame. */
void burn_draw(const struct burn *burn, struct AVFrame *frame);
