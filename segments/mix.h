/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the channels of a source come together in fewer, or in another order: as amplitudes, so that
 * words stay clear. Internal to segments/. Threads: any. */
#pragma once

#include <stdbool.h>

struct AVChannelLayout;

/* What a transcode's sound is for. */
enum mix {
    MIX_STEREO,
    MIX_NIGHT,    /* stereo, words before all else, the channel of low frequencies left out */
    MIX_SURROUND, /* 5.1: FL FR FC LFE BL BR */
};

#define MIX_MAX_IN  64
#define MIX_MAX_OUT 6

/* The channels that come out. */
unsigned mix_channels(enum mix mix);

/* Amplitudes, [out * in_channels + in]:
 *
 *                       stereo   night    5.1
 *   front left, right   -3 dB    -6 dB    as they are
 *   centre              -3 dB    -3 dB    as it is, in both sides of stereo
 *   surrounds           -6 dB    -9 dB    as they are; of 7.1 sides and backs -3 dB each
 *   low frequencies     -9 dB    none     as they are
 *
 * The centre, where films have their words, is as loud as it was in a room (two loudspeakers of -3 dB
 * are one of 0 dB), and 3 dB above what ITU-R BS.775 gives it beside the fronts. Full channels may
 * add up to more than 1: dynamics.h. False: there are channels without a place; more than MIX_MAX_IN;
 * mono and stereo as stereo, which are nobody's mix. */
bool mix_matrix(enum mix mix, const struct AVChannelLayout *in,
                double matrix[MIX_MAX_OUT * MIX_MAX_IN]);
