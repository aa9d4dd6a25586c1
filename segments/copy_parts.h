/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shared parts of both kinds of copies: samples and payloads are collected, and leave as one
 * part of moof + mdat when content says so (decision 15). Internal to copy.c and its siblings. */
#pragma once

#include "segments/container.h"
#include "segments/copy.h"
#include "segments/mux.h"
#include "segments/nal.h"

/* Decision 15: a part closes at the first frame at or after 1 s or 1 MiB, and at 512 frames. */
#define PART_SECONDS 1
#define PART_BYTES   (1024 * 1024)
#define PART_FRAMES  512

struct part_extent {
    uint64_t offset, length;
};

struct parts {
    const struct plan *plan;
    const struct plan_rendition *rendition;
    struct copy_job *job;
    bool has_begun; /* styp is out */

    struct mux_sample samples[PART_FRAMES];
    struct packet packets[PART_FRAMES];
    uint32_t count;
    int64_t decode_time; /* of samples[0], without offset, D subtracted */
    int64_t payload;
};

void parts_init(struct parts *parts, const struct plan *plan, struct copy_job *job);
/* True when a frame that is decoded at `decode_time` must begin a new part. */
bool parts_is_full(const struct parts *parts, int64_t decode_time);
/* Adds a frame; its duration is set later, by the next. The part is not full. */
void parts_add(struct parts *parts, const struct packet *packet, int64_t decode_time,
               int32_t composition);
/* The last frame's duration: up to `next`, at least a tick. */
void parts_end_frame(struct parts *parts, int64_t next);
/* Sends what is there, if anything. */
MUST_CHECK enum err parts_flush(struct parts *parts);

/* What a key picture begins with; whether parameter sets in it differ from the init segment's. What the
 * reads say; *kind is NONE where it cannot be told. */
MUST_CHECK enum err copy_look_at_key(const struct copy_job *job, const struct nal_config *config,
                                     const struct packet *packet, enum nal_key *kind,
                                     bool *is_changed);

/* The kinds (copy_video.c, copy_iframes.c, copy_audio.c). */
MUST_CHECK enum err copy_video(struct container *container, const struct plan *plan,
                               struct copy_job *job);
MUST_CHECK enum err copy_iframe(struct container *container, const struct plan *plan,
                                struct copy_job *job);
MUST_CHECK enum err copy_audio(struct container *container, const struct plan *plan,
                               struct copy_job *job);
