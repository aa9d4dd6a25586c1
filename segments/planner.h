/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a plan is made, in steps that share one record: what the file holds (plan_own.c for Matroska
 * and MP4, plan_av.c for all else), what its head shows (plan_head.c), where it can be cut
 * (plan_keys.c), what is offered (plan_offer.c), what its encoders are (plan_describe.c). Internal to
 * engine_plan. Threads: one planner, one thread. */
#pragma once

#include "segments/container.h"
#include "segments/segments.h"
#include "segments/transcode.h"

/* Decision 9: how far the head is read, and how far for a track that is not yet seen. */
#define HEAD_BYTES      (2 * 1024 * 1024)
#define HEAD_BYTES_MOST (16 * 1024 * 1024)
/* Enough for a median and for reorder; at 60 fps eight seconds. */
#define HEAD_FRAMES 512

#define PLANNER_NS_PER_S INT64_C(1000000000)

/* What the head of the film shows of one track. */
struct head {
    uint8_t *packet; /* the first; NULL: none was seen */
    size_t packet_size;
    int64_t first_ns, last_ns; /* of the packets seen */
    uint64_t bytes;            /* of their payloads */
    uint32_t count;
    uint32_t largest;
    uint32_t irregular; /* audio: packets off the grid of the copy, or twice on one place */
    int64_t last_index;
};

struct planner {
    struct reader reader;
    const struct engine_options *options;
    const struct engine_plan_job *job;
    double fraction;     /* of a scan, as last told; 0: none was begun */
    uint64_t bytes_read; /* by all readers of this plan */
    struct plan *plan;
    struct container *container; /* NULL: the file is libavformat's */
    int video;                   /* index of the film's picture in plan->tracks; -1: none */
    int64_t end_ns;              /* source time */

    struct head heads[PLAN_MAX_TRACKS];
    int64_t *times; /* of the head's pictures, decode order, ns */
    uint32_t time_count;
    int64_t frame_ns; /* the median distance of pictures; 0: not known */

    struct key *keys; /* of the picture; rising */
    size_t key_count;
    bool is_open_gop;    /* a sampled key is followed by pictures that do not decode from it */
    struct why copy_why; /* why no copy of the picture */
};

void planner_fini(struct planner *planner);
/* How far a scan is; `ctx` is the planner. Never goes back. */
void planner_scanned(void *ctx, double fraction);
struct plan_track *planner_video(struct planner *planner);
/* Says once why this track is not played at all; why it is not copied. */
PRINTF_LIKE(2, 3) void planner_refuse(struct plan_track *track, const char *format, ...);
PRINTF_LIKE(2, 3) void planner_refuse_copy(struct plan_track *track, const char *format, ...);

/* BAD_MEDIA, with the reason of the track that mattered most. */
enum err planner_nothing_plays(const struct planner *planner, struct why *why);

/* NOT_FOUND: not a file for our own readers, `why` may say more; BAD_MEDIA; IO; CANCELLED. */
MUST_CHECK enum err plan_own_read(struct planner *planner, struct why *why);
/* By libavformat: BAD_MEDIA; IO; CANCELLED. */
MUST_CHECK enum err plan_av_read(struct planner *planner, struct why *why);

/* Reads the head through our readers: fills heads and times. */
MUST_CHECK enum err plan_head_read(struct planner *planner);
/* Decision 10 from `times`: fps of the track and of the plan; the plan's timescale. */
void plan_head_judge(struct planner *planner);
/* The least delay that no picture of the head arrives after, ns. */
int64_t plan_head_delay_ns(const struct planner *planner);

/* Finds the keys, samples them, chooses C. What forbids a copy stands in the track's
 * copy_refused. */
MUST_CHECK enum err plan_keys_read(struct planner *planner);

/* One rendition's encoder; `why` where err is not OK. */
struct plan_described {
    struct transcode_description is;
    enum err err;
    struct why why;
};
/* transcode_describe of the `count` renditions from `first` on. `out` is zeroed before; its descriptions are
 * the caller's to end. */
void plan_describe(const struct planner *planner, uint32_t first, uint32_t count,
                   struct plan_described *out);
/* Fills renditions; needs times, cuts, heads. */
MUST_CHECK enum err plan_offer(struct planner *planner, struct why *why);
