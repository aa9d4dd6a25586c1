/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a film looks like from end to end, in small pictures: one of every few seconds, those of its key
 * frames, on sheets of JPEG. The numbers here are known to both programs. Threads: any. */
#pragma once

#include <stdint.h>

enum {
    STORYBOARD_COLUMNS = 5, /* of a sheet, and as many rows: the last one has fewer */
    STORYBOARD_SHEET = STORYBOARD_COLUMNS * STORYBOARD_COLUMNS,
    STORYBOARD_MOST = 400,      /* pictures of a film: two hours are some 4 MB, and 10 s of work */
    STORYBOARD_LEAST_MS = 5000, /* between two of them */
    STORYBOARD_SIDE = 240,      /* the longer one, pixels */
    STORYBOARD_SHEET_BYTES = 4 << 20,
};

/* How far the pictures of a film of that length stand apart, at least. */
static inline int64_t storyboard_step_ms(int64_t film_ms)
{
    int64_t step = (film_ms + STORYBOARD_MOST - 1) / STORYBOARD_MOST;
    return step > STORYBOARD_LEAST_MS ? step : STORYBOARD_LEAST_MS;
}
