/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Playlists: pure functions from an open film to text (RFC 8216; decisions 2, 3, 6-8, 13, 14, 46;
 * rules of hls-engines.md part 4). All URIs are relative and carry `v`, `client` and `p`.
 * Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"
#include "hls/film.h"

/* What a client can play: word in `caps=`. Of 10 bits AV1 and VP9 have words of their own, as HEVC has.
 * `surround`: it has more than two loudspeakers; `hdr`: its screen shows high dynamic range. */
#define PLAYLIST_CAPS(C)                                                                           \
    C(H264, "h264")                                                                                \
    C(HEVC, "hevc")                                                                                \
    C(HEVC10, "hevc10")                                                                            \
    C(AV1, "av1")                                                                                  \
    C(AV1_10, "av1-10")                                                                            \
    C(VP9, "vp9")                                                                                  \
    C(VP9_10, "vp9-10")                                                                            \
    C(AAC, "aac")                                                                                  \
    C(AC3, "ac3")                                                                                  \
    C(EAC3, "eac3")                                                                                \
    C(FLAC, "flac")                                                                                \
    C(OPUS, "opus")                                                                                \
    C(MP3, "mp3")                                                                                  \
    C(SURROUND, "surround")                                                                        \
    C(HDR, "hdr")

#define PLAYLIST_CAP_BIT(name, word) CAP_BIT_##name,
enum playlist_cap_bit { PLAYLIST_CAPS(PLAYLIST_CAP_BIT) CAP_BIT_COUNT };
#undef PLAYLIST_CAP_BIT
#define PLAYLIST_CAP(name, word) CAP_##name = 1U << CAP_BIT_##name,
enum playlist_cap { PLAYLIST_CAPS(PLAYLIST_CAP) };
#undef PLAYLIST_CAP

struct playlist_client {
    bool is_native;                       /* client=native; else mse */
    uint32_t caps;                        /* enum playlist_cap */
    uint8_t levels[CAP_BIT_COUNT];        /* the highest of each codec, as playlist_level counts; 0:
                                             * not said, all of them */
    uint32_t screen_width, screen_height; /* pixels; 0: not said */
    const char *playback;                 /* `p`; "" = none. [A-Za-z0-9_-] only */
    bool is_limited;                      /* transcodes of larger pictures are not offered: */
    uint64_t most_pixels;                 /* width times height */
    uint32_t most_height; /* larger pictures are not wanted, where there are others; 0: not said */
    uint32_t burn;        /* the subtitles drawn into the pictures, by their number; 0: none */
};

/* Reads the words of `caps`, comma-separated, into a client whose is_native is set and whose rest is
 * zero: "h264.51" with the highest level, "screen.1920x1080"; unknown ones are passed over. Absent:
 * what is safe for the kind of client. H.264 and AAC are always in: all else falls back on them.
 * Native players choose by the channels that are announced, and have `surround` always. */
void playlist_caps(struct slice words, struct playlist_client *client);

/* The level in a codec string (RFC 6381; ISO 14496-15 annex E; AV1 and VP9 bindings), as it is counted
 * there: 51 is H.264's 5.1, 153 HEVC's; 0: none in it. */
uint32_t playlist_level(const char *codec);

/* Whether the client plays HEVC of this rendition's level, 8 bits deep. */
bool playlist_plays_hevc(const struct playlist_client *client,
                         const struct plan_rendition *rendition);

/* Whether the client is offered this copy; REFUSED: in words why not, "it" being what is copied. */
MUST_CHECK enum err playlist_judge_copy(const struct playlist_client *client,
                                        const struct plan *plan, uint32_t rendition,
                                        struct why *why);

/* How the client gets a track: as it is, converted, or not at all; why not as it is, or at all. */
enum playlist_way { WAY_COPY, WAY_TRANSCODE, WAY_REFUSED };
enum playlist_way playlist_judge(const struct playlist_client *client, const struct plan *plan,
                                 uint32_t track, struct why *why);

/* Clients as they usually are, for who wants to know beforehand. */
struct playlist_kind {
    const char *name;
    bool is_native;
    const char *caps;
};
extern const struct playlist_kind playlist_kinds[];
extern const size_t playlist_kind_count;

/* Whether the picture is offered to this client in any form. */
bool playlist_has_picture(const struct plan *plan, const struct playlist_client *client);
/* The multivariant playlist, with the subtitles that lie beside the film now. False: the film holds
 * nothing that this client could play. */
bool playlist_master(struct film *film, const struct playlist_client *client, struct str *out);
/* Of subtitles beside the film: one segment, which is all of them. */
void playlist_beside(const struct film *film, const struct beside_file *file,
                     const struct playlist_client *client, struct str *out);
/* The media playlist of a rendition: complete, VOD. */
void playlist_media(const struct film *film, uint32_t rendition,
                    const struct playlist_client *client, struct str *out);
