/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Playlists: pure functions from an open film to text (RFC 8216; decisions 2, 3, 6-8, 13, 14, 46;
 * rules of hls-engines.md part 4). All URIs are relative and carry `v`, `client` and `p`.
 * Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "hls/film.h"

/* What a client can play. word in `caps=`, when it is taken for granted */
#define PLAYLIST_CAPS(C)                                                                           \
    C(H264, "h264")                                                                                \
    C(HEVC, "hevc")                                                                                \
    C(HEVC10, "hevc10")                                                                            \
    C(AV1, "av1")                                                                                  \
    C(VP9, "vp9")                                                                                  \
    C(AAC, "aac")                                                                                  \
    C(AC3, "ac3")                                                                                  \
    C(EAC3, "eac3")                                                                                \
    C(FLAC, "flac")                                                                                \
    C(OPUS, "opus")                                                                                \
    C(MP3, "mp3")

#define PLAYLIST_CAP_BIT(name, word) CAP_BIT_##name,
enum playlist_cap_bit { PLAYLIST_CAPS(PLAYLIST_CAP_BIT) CAP_BIT_COUNT };
#undef PLAYLIST_CAP_BIT
#define PLAYLIST_CAP(name, word) CAP_##name = 1U << CAP_BIT_##name,
enum playlist_cap { PLAYLIST_CAPS(PLAYLIST_CAP) };
#undef PLAYLIST_CAP

struct playlist_client {
    bool is_native;       /* client=native; else mse */
    uint32_t caps;        /* enum playlist_cap */
    const char *playback; /* `p`; "" = none. [A-Za-z0-9_-] only */
};

/* The words of `caps`, comma-separated; unknown ones are passed over. Absent: what is safe for the
 * kind of client. H.264 and AAC are always in: all else falls back on them. */
uint32_t playlist_caps(struct slice words, bool is_native);

/* The multivariant playlist. False: the film holds nothing that this client could play. */
bool playlist_master(const struct film *film, const struct playlist_client *client,
                     struct str *out);
/* The media playlist of a rendition: complete, VOD. */
void playlist_media(const struct film *film, uint32_t rendition,
                    const struct playlist_client *client, struct str *out);
