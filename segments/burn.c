/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is drawn is scaled once for all frames that show it, each component for itself and multiplied by
 * how much it covers, so that clear pixels lend no colour to their neighbours. */
#include "segments/burn.h"

#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum {
    SD_HEIGHT = 576,    /* of the largest plane whose pixels need not be square */
    MATRIX_BT470BG = 5, /* ISO 23091-2 8.3: these two are BT.601's */
    MATRIX_SMPTE170M = 6,
    MATRIX_UNSPECIFIED = 2,
    HD_HEIGHT = 720,     /* below, what does not say its matrix is taken for BT.601 by players */
    HALF_MS_NS = 500000, /* times of subtitles are rounded to milliseconds */
    MIDDLE = 128,        /* a chroma component of no colour */
};

enum component { LUMA, CHROMA_B, CHROMA_R, COVER, COVER_HALF, COMPONENT_COUNT };

/* A picture as it lies on a frame: even place and size. */
struct drawn {
    uint32_t x, y, width, height;
    uint8_t *components[COMPONENT_COUNT]; /* the first and COVER in full size, others in half */
};

struct burn {
    /* fixed after new */
    const struct screens *screens;
    uint32_t coded_width, coded_height;
    uint32_t width, height;
    bool is_bt601;
    /* what was found last */
    const struct screen *screen;
    struct drawn *items;
    size_t count;
};

struct burn_place burn_place(uint32_t plane_width, uint32_t plane_height, uint32_t coded_width,
                             uint32_t coded_height, uint32_t width, uint32_t height)
{
    double x = (double) width / plane_width, y = (double) height / plane_height;
    if (plane_width == coded_width || plane_height == coded_height) {
        x = (double) width / coded_width;
        y = (double) height / coded_height;
    } else if (plane_height > SD_HEIGHT) {
        x = y = x > y ? x : y;
    }
    return (struct burn_place){x, y, (width - plane_width * x) / 2,
                               (height - plane_height * y) / 2};
}

static void forget(struct burn *burn)
{
    for (size_t i = 0; i < burn->count; i++)
        for (int c = 0; c < COMPONENT_COUNT; c++)
            mem_free(burn->items[i].components[c]);
    mem_free(burn->items);
    burn->items = NULL;
    burn->count = 0;
}

struct burn *burn_new(const struct screens *screens, const struct plan_track *video, uint32_t width,
                      uint32_t height, uint8_t color_matrix)
{
    struct burn *burn = mem_new(struct burn);
    bool is_turned = video->rotation == 90 || video->rotation == 270;
    uint32_t w = video->width - video->crop_left - video->crop_right;
    uint32_t h = video->height - video->crop_top - video->crop_bottom;
    *burn = (struct burn){.screens = screens,
                          .coded_width = is_turned ? h : w,
                          .coded_height = is_turned ? w : h,
                          .width = width,
                          .height = height,
                          .is_bt601 = color_matrix == MATRIX_BT470BG ||
                                      color_matrix == MATRIX_SMPTE170M ||
                                      (color_matrix == MATRIX_UNSPECIFIED && height < HD_HEIGHT)};
    return burn;
}

void burn_free(struct burn **burn)
{
    if (*burn != NULL)
        forget(*burn);
    mem_free(*burn);
    *burn = NULL;
}

/* --- what is to be drawn --- */

/* Parts of 65536: of red, green and blue in each component, narrow range (ITU-R BT.709, BT.601). */
static const int bt709[3][3] = {
    {11966, 40254, 4064}, {-6596, -22189, 28784}, {28784, -26145, -2639}};
static const int bt601[3][3] = {
    {16829, 33039, 6416}, {-9714, -19070, 28784}, {28784, -24103, -4681}};

/* A palette by component, multiplied by how much each colour covers. */
static void convert_palette(const struct burn *burn, const uint32_t palette[256],
                            uint8_t out[COVER + 1][256])
{
    const int(*matrix)[3] = burn->is_bt601 ? bt601 : bt709;
    for (int i = 0; i < 256; i++) {
        int alpha = (int) (palette[i] >> 24);
        int rgb[3] = {(int) (palette[i] >> 16 & 255), (int) (palette[i] >> 8 & 255),
                      (int) (palette[i] & 255)};
        for (int c = LUMA; c <= CHROMA_R; c++) {
            int sum = matrix[c][0] * rgb[0] + matrix[c][1] * rgb[1] + matrix[c][2] * rgb[2];
            int value = (sum + (sum < 0 ? -32768 : 32768)) / 65536 + (c == LUMA ? 16 : 0);
            int base = c == LUMA ? 0 : MIDDLE;
            out[c][i] = (uint8_t) (base + value * alpha / 255);
        }
        out[COVER][i] = (uint8_t) alpha;
    }
}

/* One component of a picture, scaled. */
static uint8_t *scale(const struct screen_part *part, const uint8_t values[256], uint32_t width,
                      uint32_t height)
{
    size_t size = (size_t) part->width * part->height;
    CLEANUP(mem_free_at) uint8_t *plane = mem_zalloc(size);
    uint8_t *out = mem_zalloc((size_t) width * height);
    bool is_smaller = width < part->width || height < part->height;
    struct SwsContext *scaler = sws_getContext(
        (int) part->width, (int) part->height, AV_PIX_FMT_GRAY8, (int) width, (int) height,
        AV_PIX_FMT_GRAY8, (int) (is_smaller ? SWS_AREA : SWS_BILINEAR) | (int) SWS_ACCURATE_RND,
        NULL, NULL, NULL);
    const uint8_t *from[4] = {plane};
    const int from_line[4] = {(int) part->width}, to_line[4] = {(int) width};
    uint8_t *to[4] = {out};
    for (size_t i = 0; i < size; i++)
        plane[i] = values[part->pixels[i]];
    if (scaler != NULL)
        sws_scale(scaler, from, from_line, 0, (int) part->height, to, to_line);
    sws_freeContext(scaler);
    return out;
}

/* Even, at least 2, at most what the frame has. */
static uint32_t fit_size(double size, uint32_t most)
{
    uint32_t even = ((uint32_t) lrint(size < most ? size : most) + 1) & ~1U;
    even = even < most ? even : most & ~1U;
    return even < 2 ? 2 : even;
}

/* What would lie beside the frame, in bars that it has not, is moved onto it. */
static uint32_t fit_place(double place, uint32_t size, uint32_t most)
{
    double last = most > size ? most - size : 0;
    double kept = place < 0 ? 0 : place > last ? last : place;
    return (uint32_t) lrint(kept) & ~1U;
}

static void prepare_part(const struct burn *burn, const struct screen_part *part,
                         const struct burn_place *place, struct drawn *out)
{
    uint8_t values[COVER + 1][256];
    convert_palette(burn, part->palette, values);
    out->width = fit_size(part->width * place->scale_x, burn->width);
    out->height = fit_size(part->height * place->scale_y, burn->height);
    out->x = fit_place(part->x * place->scale_x + place->left, out->width, burn->width);
    out->y = fit_place(part->y * place->scale_y + place->top, out->height, burn->height);
    out->components[LUMA] = scale(part, values[LUMA], out->width, out->height);
    out->components[COVER] = scale(part, values[COVER], out->width, out->height);
    for (int c = CHROMA_B; c <= CHROMA_R; c++)
        out->components[c] = scale(part, values[c], out->width / 2, out->height / 2);
    out->components[COVER_HALF] = scale(part, values[COVER], out->width / 2, out->height / 2);
}

static void prepare(struct burn *burn)
{
    const struct screen *screen = burn->screen;
    struct burn_place place = burn_place(screen->width, screen->height, burn->coded_width,
                                         burn->coded_height, burn->width, burn->height);
    burn->items = mem_new_array(struct drawn, screen->part_count);
    for (size_t i = 0; i < screen->part_count; i++)
        prepare_part(burn, &screen->parts[i], &place, &burn->items[burn->count++]);
}

bool burn_look(struct burn *burn, int64_t ns)
{
    const struct screen *screen = screens_at(burn->screens, ns + HALF_MS_NS);
    if (screen != burn->screen) {
        forget(burn);
        burn->screen = screen;
        if (screen != NULL)
            prepare(burn);
    }
    return screen != NULL;
}

/* --- drawing --- */

static void blend(const uint8_t *values, const uint8_t *cover, uint32_t width, uint32_t height,
                  int base, uint8_t *at, ptrdiff_t stride)
{
    for (uint32_t row = 0; row < height; row++, at += stride, values += width, cover += width)
        for (uint32_t i = 0; i < width; i++) {
            int kept = (at[i] - base) * (255 - cover[i]) / 255;
            int value = kept + values[i];
            at[i] = (uint8_t) (value < 0 ? 0 : value > 255 ? 255 : value);
        }
}

void burn_draw(const struct burn *burn, struct AVFrame *frame)
{
    MUST(frame->format == AV_PIX_FMT_YUV420P && (uint32_t) frame->width == burn->width &&
         (uint32_t) frame->height == burn->height);
    for (size_t i = 0; i < burn->count; i++) {
        const struct drawn *drawn = &burn->items[i];
        for (int c = LUMA; c <= CHROMA_R; c++) {
            uint32_t part = c == LUMA ? 1 : 2;
            ptrdiff_t stride = frame->linesize[c];
            uint8_t *at = frame->data[c] + (ptrdiff_t) (drawn->y / part) * stride + drawn->x / part;
            blend(drawn->components[c], drawn->components[c == LUMA ? COVER : COVER_HALF],
                  drawn->width / part, drawn->height / part, c == LUMA ? 0 : MIDDLE, at, stride);
        }
    }
}
