/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles that are pictures: PGS, VobSub and DVB, decoded into screens, each with what stands on it
 * and from when to when. A screen takes the place of the one before it: of those that stand at a moment
 * the last begun is the one to be seen. Times are of the source, ns. Threads: each object belongs to
 * one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/container.h"
#include "segments/plan.h"
#include "segments/sink.h"

/* A picture on the plane: a byte a pixel, its place in the palette. */
struct screen_part {
    uint32_t x, y, width, height;
    bool is_forced; /* to be shown even to those who want no subtitles */
    uint8_t *pixels;
    uint32_t palette[256]; /* 0xAARRGGBB, not multiplied by A */
};

struct screen {
    int64_t start_ns, end_ns; /* INT64_MAX: nothing ends it */
    uint32_t width, height;   /* of the plane that parts are placed on */
    struct screen_part *parts;
    size_t part_count;
};

/* In order of start. Starts with {0}. */
struct screens {
    struct screen *items;
    size_t count, room;
    size_t bytes; /* of pixels */
};

void screens_fini(struct screens *screens);
/* The screen to be seen at `ns`; NULL: none. */
const struct screen *screens_at(const struct screens *screens, int64_t ns);

/* Whether a track is such subtitles, and can be read here. */
bool screens_can_read(enum plan_container container, const struct plan_track *track);

/* Fills an empty list with the screens of a track that stand in [from_ns, to_ns), whole, and perhaps
 * with some around. Reads as container_events and container_event_chain. NOT_FOUND, BAD_MEDIA: the track
 * cannot be read; IO; CANCELLED; GONE. */
MUST_CHECK enum err screens_collect(struct container *container, struct reader *reader,
                                    uint32_t track, int64_t from_ns, int64_t to_ns,
                                    struct screens *out);

/* Segment n of a rendition of pictures, as JSON (schema Pictures of conf/openapi.yaml): the screens that
 * overlap it, each picture as PNG in base64, times in seconds of media time. Errors as above; what the
 * sink says. */
MUST_CHECK enum err screens_segment(struct container *container, struct reader *reader,
                                    const struct plan *plan, uint32_t rendition, uint32_t n,
                                    const struct sink *sink);

/* --- for screens_collect and tests --- */

struct screen_decoder;
/* Of the codec that the track names, its headers and plane. NULL: this build has none. */
struct screen_decoder *screen_decoder_new(const struct plan_track *track);
/* NULL is accepted. */
void screen_decoder_free(struct screen_decoder **decoder);
/* What it shows is added to the list; what cannot be decoded is passed over. */
void screen_decoder_take(struct screen_decoder *decoder, const struct event *event,
                         struct screens *out);
/* Appends the screens of [from_ns, to_ns) as such JSON, times from `t0_ns` on, none after `end_ns`. */
struct str;
void screens_write(const struct screens *screens, int64_t from_ns, int64_t to_ns, int64_t t0_ns,
                   int64_t end_ns, struct str *out);
