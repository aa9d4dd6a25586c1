/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Advanced SubStation Alpha and its elder SSA: headers with styles, single events (as Matroska
 * stores them), whole files. Of the overrides i, b, u, r, an, a, pos and move are kept as far as
 * WebVTT goes; drawings are dropped. Threads: any; a header is immutable once read. */
#pragma once

#include "segments/vtt.h"

/* What of a header we need. Starts with {0}. */
struct ass_style {
    char name[64];
    unsigned keypad; /* alignment */
    bool is_italic;
};
struct ass_header {
    uint32_t width, height; /* PlayResX and Y; 0 = not said */
    struct ass_style *styles;
    size_t style_count, style_room;
};

/* From a script or the part of it before its events (CodecPrivate of Matroska). */
void ass_header_read(const char *bytes, size_t length, struct ass_header *header);
void ass_header_fini(struct ass_header *header);

/* An event of Matroska: ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text. */
void ass_add_event(const struct ass_header *header, const char *bytes, size_t length,
                   int64_t start_ms, int64_t end_ms, struct vtt_list *list);

/* A whole script in UTF-8. False: it has no events section. */
bool ass_read(const char *bytes, size_t length, struct vtt_list *list);
