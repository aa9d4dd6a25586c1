/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The jobs of a film's process: queued in lanes, made by threads that start when first needed. Video
 * transcodes of one segment that wait together are made together (decoded once); copies and audio
 * have a lane of their own and never wait behind them; plans, which may take long, have one more.
 * Threads: all calls are the main thread's. Lives as long as the process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/job.h"
#include "segments/segments.h"

struct jobs;

/* `socket` is borrowed for good. Until jobs_give every job fails. */
struct jobs *jobs_new(int socket);
/* For input_open, the struct jobs as its context: whoever sleeps says WANT for its jobs. */
extern const struct input_ops jobs_input_ops;
/* Borrows all of it for good; before the first job. Without `plan` and `engine` (NULL) only plans
 * can be made. */
void jobs_give(struct jobs *jobs, struct input *input, const struct plan *plan,
               struct engine *engine, const struct engine_options *options);
/* Instead of jobs_give: every job fails so. */
void jobs_refuse(struct jobs *jobs, enum err kind, const struct why *why);

/* Takes the job; it ends with DONE or FAILED. */
void jobs_add(struct jobs *jobs, struct job **job);
/* A job that is no more is passed over. */
void jobs_cancel(struct jobs *jobs, uint64_t id);
