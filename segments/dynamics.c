/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of samples have one gain each; their borders have what the blocks around them allow. */
#include "segments/dynamics.h"

#include <math.h>

#include "base/mem.h"

#define BLOCK DYNAMICS_BLOCK

/* Below full scale by what a coder may add to a peak. */
#define LIMIT 0.891f /* -1 dB */

/* The gain of a peak holds for HOLD blocks on each side (43 ms at 48 kHz: bass is not bent within its
 * own wave), and is gone over to in the mean of FADE blocks on each side. FADE <= HOLD: then no border
 * of a block has more than the block's own gain. */
#define HOLD 32
#define FADE 16

/* Loudness is the mean power over this long on each side: shorter than a sentence, longer than a
 * syllable. */
#define LEVEL_MS 300

/* The night's curve in dB: what lies above TARGET comes down to a third of the distance, what lies
 * below comes up likewise, by at most MOST_UP; noise below FLOOR is not raised. */
#define TARGET    (-24.0)
#define SHARE     (2.0 / 3.0)
#define MOST_UP   15.0
#define MOST_DOWN (-18.0)
#define FLOOR     (-65.0)
#define SILENCE   1e-12 /* power */

static size_t level_blocks(uint32_t rate)
{
    return (size_t) rate * LEVEL_MS / 1000 / BLOCK;
}

size_t dynamics_margin(enum dynamics dynamics, uint32_t rate)
{
    size_t limiter = HOLD + FADE + 1;
    switch (dynamics) {
    case DYNAMICS_NONE:
        break;
    case DYNAMICS_LIMIT:
        return limiter * BLOCK;
    case DYNAMICS_NIGHT:
        return (limiter + level_blocks(rate) + 1) * BLOCK;
    }
    return 0;
}

/* `borders` has one more than there are blocks. */
static void multiply(float *samples, const float *borders, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++) {
        float from = borders[b], to = borders[b + 1];
        if (from == 1 && to == 1)
            continue;
        for (size_t i = 0; i < BLOCK; i++)
            samples[b * BLOCK + i] *= from + (to - from) * ((float) i / BLOCK);
    }
}

static float peak_of(float *const *channels, unsigned channel_count, size_t block)
{
    float peak = 0;
    for (unsigned c = 0; c < channel_count; c++)
        for (size_t i = 0; i < BLOCK; i++) {
            float size = fabsf(channels[c][block * BLOCK + i]);
            peak = size > peak ? size : peak;
        }
    return peak;
}

/* The least of [block - around, block + around]. */
static float least(const float *gains, size_t blocks, size_t block, size_t around)
{
    size_t from = block > around ? block - around : 0;
    size_t to = block + around + 1 < blocks ? block + around + 1 : blocks;
    float gain = 1;
    for (size_t i = from; i < to; i++)
        gain = gains[i] < gain ? gains[i] : gain;
    return gain;
}

/* The mean of the FADE blocks on each side of the border before `block`. */
static float fade(const float *held, size_t blocks, size_t block)
{
    size_t from = block > FADE ? block - FADE : 0;
    size_t to = block + FADE < blocks ? block + FADE : blocks;
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += held[i];
    return (float) (sum / (double) (to - from));
}

static void limit(float *const *channels, unsigned channel_count, size_t blocks)
{
    CLEANUP(mem_free_at) float *gains = mem_new_array(float, blocks);
    CLEANUP(mem_free_at) float *held = mem_new_array(float, blocks);
    CLEANUP(mem_free_at) float *borders = mem_new_array(float, blocks + 1);
    for (size_t b = 0; b < blocks; b++) {
        float peak = peak_of(channels, channel_count, b);
        gains[b] = peak > LIMIT ? LIMIT / peak : 1;
    }
    for (size_t b = 0; b < blocks; b++)
        held[b] = least(gains, blocks, b, HOLD);
    for (size_t b = 0; b <= blocks; b++)
        borders[b] = fade(held, blocks, b);
    for (unsigned c = 0; c < channel_count; c++)
        multiply(channels[c], borders, blocks);
}

static double power_of(float *const *channels, unsigned channel_count, size_t block)
{
    double power = 0;
    for (unsigned c = 0; c < channel_count; c++)
        for (size_t i = 0; i < BLOCK; i++) {
            double sample = channels[c][block * BLOCK + i];
            power += sample * sample;
        }
    return power / (BLOCK * channel_count);
}

/* Summed anew for each block and always in the same order: a running sum's rounding would depend on
 * where it was begun. */
static double level_db(const double *powers, size_t blocks, size_t block, size_t around)
{
    size_t from = block > around ? block - around : 0;
    size_t to = block + around + 1 < blocks ? block + around + 1 : blocks;
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += powers[i];
    return 10 * log10(sum / (double) (2 * around + 1) + SILENCE);
}

static double night_db(double level)
{
    double gain = (TARGET - level) * SHARE;
    double most = level - FLOOR < MOST_UP ? level - FLOOR : MOST_UP;
    most = most > 0 ? most : 0;
    if (gain > most)
        return most;
    return gain < MOST_DOWN ? MOST_DOWN : gain;
}

static void compress(uint32_t rate, float *const *channels, unsigned channel_count, size_t blocks)
{
    CLEANUP(mem_free_at) double *powers = mem_new_array(double, blocks);
    CLEANUP(mem_free_at) double *gains = mem_new_array(double, blocks);
    CLEANUP(mem_free_at) float *borders = mem_new_array(float, blocks + 1);
    size_t around = level_blocks(rate);
    for (size_t b = 0; b < blocks; b++)
        powers[b] = power_of(channels, channel_count, b);
    for (size_t b = 0; b < blocks; b++)
        gains[b] = night_db(level_db(powers, blocks, b, around));
    for (size_t b = 0; b <= blocks; b++) {
        double before = gains[b > 0 ? b - 1 : 0], after = gains[b < blocks ? b : blocks - 1];
        borders[b] = (float) pow(10, (before + after) / 40);
    }
    for (unsigned c = 0; c < channel_count; c++)
        multiply(channels[c], borders, blocks);
}

void dynamics_apply(enum dynamics dynamics, uint32_t rate, float *const *channels,
                    unsigned channel_count, size_t count)
{
    size_t blocks = count / BLOCK;
    if (dynamics == DYNAMICS_NONE || blocks == 0)
        return;
    if (dynamics == DYNAMICS_NIGHT)
        compress(rate, channels, channel_count, blocks);
    limit(channels, channel_count, blocks);
}
