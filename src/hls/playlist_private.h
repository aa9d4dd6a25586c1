/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by playlist.c and playlist_master.c only. */
#pragma once

#include "hls/playlist.h"

/* EXTM3U, EXT-X-VERSION and, where it is true, EXT-X-INDEPENDENT-SEGMENTS. */
void playlist_head(struct str *out, bool is_independent);
/* "?v=...&client=...&p=...": what every URI carries. */
void playlist_query(const struct film *film, uint32_t rendition,
                    const struct playlist_client *client, struct str *out);
/* The same of any version. */
void playlist_query_of(const char *version, const struct playlist_client *client, struct str *out);
/* Decision 13. Audio and subtitles always are. */
bool playlist_is_independent(const struct plan_rendition *rendition);
