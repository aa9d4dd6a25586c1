/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sample entries of initial segments, with the codecs' own boxes (ISO 14496-15, RFC 9559's
 * counterparts in the mappings of Opus, FLAC, VP9, AV1 to ISO files). Used by init.c alone. */
#pragma once

#include "segments/init.h"

MUST_CHECK enum err init_video_entry(const struct init_track *track, struct str *out,
                                     struct why *why);
MUST_CHECK enum err init_audio_entry(const struct init_track *track, struct str *out,
                                     struct why *why);
