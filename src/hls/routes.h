/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the handlers of /hls/... share: how a URL is read, how a failure is answered.
 * Threads: the request's loop. */
#pragma once

#include "hls/ask.h"
#include "hls/hub.h"
#include "hls/playlist.h"

/* client, caps, burn, most and p of the query. BAD_INPUT: one of them is nonsense. */
struct routes_query {
    struct playlist_client client;
    char playback[ASK_PLAYBACK_SIZE];
};
MUST_CHECK enum err routes_read_query(struct request *request, struct routes_query *out,
                                      struct why *why);

/* 404, 410, 502, 503 with Retry-After...: decisions 12, 20, 42. */
void routes_reply_failure(struct request *request, enum err kind, const struct why *why);

/* --- playlist_route.c: text, once the film is there --- */
enum routes_text { ROUTES_MASTER, ROUTES_STORYBOARD, ROUTES_MEDIA, ROUTES_INIT };
void routes_serve_text(struct request *request, struct hls *hls, enum routes_text what);

/* --- picture_route.c --- */
/* The film's storyboard; one without pictures, and Retry-After, until there is one. */
void routes_serve_storyboard(struct request *request, struct hls *hls, struct film *film);
/* Of the sheets it names, the one called `name`.jpg. */
void routes_serve_sheet(struct request *request, struct hls *hls, struct slice name);
/* --- subtitle_route.c: /hls/{file}/beside-.../index.m3u8 and 0.vtt --- */
bool routes_is_beside(const struct request *request);
void routes_serve_beside(struct request *request, struct hls *hls, bool is_playlist);

/* --- segment_route.c --- */
/* `n` may be ASK_INIT. `wanted`: of subtitles, as the URL ends; else PLAN_VIDEO, for all that is media. */
void routes_serve_segment(struct request *request, struct hls *hls, uint32_t n,
                          enum plan_kind wanted);
