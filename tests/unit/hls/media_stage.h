/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A loop, a zygote and a film's process for tests, and ears for what they say. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/str.h"
#include "hls/media.h"

#define STAGE_GIVEN_UP_MS (30 * 1000) /* sanitizers are slow; nothing takes a tenth of it */

struct stage {
    uv_loop_t loop;
    uv_timer_t timer;
    struct media_host *host;
    struct media *media;
    int film, map;
    bool is_dead;
    struct why death;
    uint64_t want_at, want_length;
    unsigned wants, unwants;
};

struct heard {
    struct stage *stage;
    int out;
    uint64_t id;
    unsigned calls, part_ends, progress;
    struct str text; /* the segment, put together */
    uint64_t size;
    bool is_done, is_failed;
    enum err kind;
    struct why why, verdict;
    bool close_in_pieces;
};

extern const struct media_events stage_media_events;     /* ctx: the stage */
extern const struct media_want_events stage_want_events; /* ctx: the stage */
extern const struct media_job_events stage_job_events;   /* ctx: a struct heard */

void heard_init(struct heard *heard, struct stage *stage);
void heard_fini(struct heard *heard);
bool has_ended(const struct heard *heard);

void stage_init(struct stage *stage, const char *program, const struct media_options *changes);
void stage_fini(struct stage *stage);
/* Runs the loop until `flag`; until the job has ended; for a time. */
void run_until(struct stage *stage, const bool *flag);
void run_until_end(struct stage *stage, const struct heard *heard);
void run_for(struct stage *stage, int64_t ms);
/* Asks for a segment of the stage's film. */
void ask(struct stage *stage, struct heard *heard, uint32_t rendition, uint32_t n);
/* The parent of a process: of a film's, the zygote. */
pid_t parent_of(uint32_t pid);
/* A child of it whose `file` in /proc begins with the `length` bytes (64 at most) of `text`; 0: there is
 * none. */
pid_t child_of(pid_t parent, const char *file, const char *text, size_t length);
