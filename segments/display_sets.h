/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the events of picture subtitles are to one another, by their headers alone: PGS (Blu-ray
 * BD-ROM part 3, 9.14) and DVB subtitles (ETSI EN 300 743 7.2). Threads: any. */
#pragma once

#include "segments/container.h"

/* A display set, or a part of one: PCS, WDS, PDS, ODS, END as Matroska has them. */
enum event_role pgs_role(const uint8_t *bytes, size_t size);
/* What of an object is to be seen, pixels of it. */
struct pgs_crop {
    uint32_t x, y, width, height; /* width 0: all of it */
};
/* Of the objects of a composition, in their order; at most `most` are told. -1: there is none in it. */
int pgs_read_crops(const uint8_t *bytes, size_t size, struct pgs_crop *out, int most);
/* The segments of a display set. */
enum event_role dvb_role(const uint8_t *bytes, size_t size);
