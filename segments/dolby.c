/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/dolby.h"

#include <stdio.h>

enum { UNSPECIFIED = 2, BT2020 = 9, PQ = 16, HLG = 18 };
enum { AS_NOTHING = 0, AS_HDR10 = 1, AS_HLG = 4, AS_BLU_RAY = 6 };

static void fill_colour(struct plan_track *track, uint8_t transfer)
{
    if (track->color_transfer != 0 && track->color_transfer != UNSPECIFIED)
        return;
    track->color_primaries = track->color_matrix = BT2020;
    track->color_transfer = transfer;
}

void dolby_set(struct plan_track *track, unsigned profile, unsigned compatibility)
{
    if (profile == 0 || profile > UINT8_MAX || compatibility > UINT8_MAX)
        return;
    track->dv_profile = (uint8_t) profile;
    track->dv_compatibility = (uint8_t) compatibility;
    if (compatibility == AS_NOTHING && track->refused[0] == '\0')
        snprintf(
            track->refused, sizeof track->refused,
            "it is Dolby Vision profile %u, whose colours only Dolby's own decoders know: it would "
            "be green and purple",
            profile);
    if (compatibility == AS_HDR10 || compatibility == AS_BLU_RAY)
        fill_colour(track, PQ);
    if (compatibility == AS_HLG)
        fill_colour(track, HLG);
}
