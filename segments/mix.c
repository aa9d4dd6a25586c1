/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/mix.h"

#include <libavutil/channel_layout.h>
#include <string.h>

#define HALF_POWER 0.70710678 /* -3 dB */

enum place { FRONT, CENTRE, SURROUND, LOW, PLACE_COUNT };

static const double levels[][PLACE_COUNT] = {
    [MIX_STEREO] = {HALF_POWER, HALF_POWER, 0.5, 0.35355339},
    [MIX_NIGHT] = {0.5, HALF_POWER, 0.35355339, 0},
};

/* Where a channel stands: in which part of the room, and how much of it on either side. */
static const struct position {
    enum AVChannel channel;
    enum place place;
    double left, right;
    bool is_whole; /* in 5.1; of others half of the power goes to their neighbours */
} positions[] = {
    {AV_CHAN_FRONT_LEFT, FRONT, 1, 0, true},
    {AV_CHAN_FRONT_RIGHT, FRONT, 0, 1, true},
    {AV_CHAN_STEREO_LEFT, FRONT, 1, 0, true},
    {AV_CHAN_STEREO_RIGHT, FRONT, 0, 1, true},
    {AV_CHAN_FRONT_LEFT_OF_CENTER, FRONT, 1, 0.5, false},
    {AV_CHAN_FRONT_RIGHT_OF_CENTER, FRONT, 0.5, 1, false},
    {AV_CHAN_FRONT_CENTER, CENTRE, 1, 1, true},
    {AV_CHAN_LOW_FREQUENCY, LOW, 1, 1, true},
    {AV_CHAN_LOW_FREQUENCY_2, LOW, 1, 1, false},
    {AV_CHAN_BACK_LEFT, SURROUND, 1, 0, true},
    {AV_CHAN_BACK_RIGHT, SURROUND, 0, 1, true},
    {AV_CHAN_SIDE_LEFT, SURROUND, 1, 0, true},
    {AV_CHAN_SIDE_RIGHT, SURROUND, 0, 1, true},
    {AV_CHAN_SURROUND_DIRECT_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_SURROUND_DIRECT_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_WIDE_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_WIDE_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_BACK_CENTER, SURROUND, HALF_POWER, HALF_POWER, true},
    {AV_CHAN_TOP_FRONT_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_TOP_FRONT_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_TOP_FRONT_CENTER, SURROUND, HALF_POWER, HALF_POWER, false},
    {AV_CHAN_TOP_SIDE_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_TOP_SIDE_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_TOP_CENTER, SURROUND, HALF_POWER, HALF_POWER, false},
    {AV_CHAN_TOP_BACK_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_TOP_BACK_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_TOP_BACK_CENTER, SURROUND, HALF_POWER, HALF_POWER, false},
    {AV_CHAN_BOTTOM_FRONT_LEFT, SURROUND, 1, 0, false},
    {AV_CHAN_BOTTOM_FRONT_RIGHT, SURROUND, 0, 1, false},
    {AV_CHAN_BOTTOM_FRONT_CENTER, SURROUND, HALF_POWER, HALF_POWER, false},
};

/* Of 5.1, as AAC and WAVE order it. */
enum { OUT_LEFT, OUT_RIGHT, OUT_CENTRE, OUT_LOW, OUT_BACK_LEFT, OUT_BACK_RIGHT, OUT_COUNT };

unsigned mix_channels(enum mix mix)
{
    return mix == MIX_SURROUND ? OUT_COUNT : 2;
}

static const struct position *find_position(enum AVChannel channel)
{
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++)
        if (positions[i].channel == channel)
            return &positions[i];
    return NULL;
}

/* Sides and backs are the same two channels of 5.1, in 7.1 each with half of its power. */
static double surround_level(const AVChannelLayout *in, const struct position *position)
{
    bool is_side =
        position->channel == AV_CHAN_SIDE_LEFT || position->channel == AV_CHAN_SIDE_RIGHT;
    bool is_back =
        position->channel == AV_CHAN_BACK_LEFT || position->channel == AV_CHAN_BACK_RIGHT;
    enum AVChannel other = is_side ? AV_CHAN_BACK_LEFT : AV_CHAN_SIDE_LEFT;
    if ((is_side || is_back) && av_channel_layout_index_from_channel(in, other) >= 0)
        return HALF_POWER;
    return position->is_whole ? 1 : HALF_POWER;
}

static void put_surround(const AVChannelLayout *in, const struct position *position, double *column,
                         int stride)
{
    double level = surround_level(in, position);
    switch (position->place) {
    case FRONT:
        column[OUT_LEFT * stride] = position->left * level;
        column[OUT_RIGHT * stride] = position->right * level;
        break;
    case CENTRE:
        column[OUT_CENTRE * stride] = level;
        break;
    case LOW:
        column[OUT_LOW * stride] = level;
        break;
    case SURROUND:
    case PLACE_COUNT:
        column[OUT_BACK_LEFT * stride] = position->left * level;
        column[OUT_BACK_RIGHT * stride] = position->right * level;
        break;
    }
}

bool mix_matrix(enum mix mix, const AVChannelLayout *in, double matrix[MIX_MAX_OUT * MIX_MAX_IN])
{
    int count = in->nb_channels;
    if (count > MIX_MAX_IN || (count <= 2 && mix != MIX_SURROUND))
        return false;
    memset(matrix, 0, MIX_MAX_OUT * MIX_MAX_IN * sizeof *matrix);
    for (int i = 0; i < count; i++) {
        enum AVChannel channel = av_channel_layout_channel_from_index(in, (unsigned) i);
        const struct position *position = find_position(channel);
        if (position == NULL)
            return false;
        if (mix == MIX_SURROUND) {
            put_surround(in, position, matrix + i, count);
        } else {
            matrix[i] = position->left * levels[mix][position->place];
            matrix[count + i] = position->right * levels[mix][position->place];
        }
    }
    return true;
}
