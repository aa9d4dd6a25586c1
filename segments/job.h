/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One job of a film's process, from its number to DONE or FAILED: writes what is made into the out
 * file and tells the server of each piece once its bytes are there.
 * Threads: the one that makes it; `is_cancelled` any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/convert.h"
#include "segments/sink.h"
#include "segments/wire.h"

struct job {
    /* fixed after new */
    uint64_t id;
    bool is_plan, scan; /* scan: of a plan, as in engine_plan_job */
    bool is_storyboard, is_fingerprint;
    bool is_convert;
    struct convert_what what; /* of a conversion */
    uint32_t rendition, n;
    int socket; /* borrowed */
    int out;
    /* any thread */
    _Atomic bool is_cancelled;
    /* its maker's */
    uint8_t *buffer; /* bytes made, not yet written */
    size_t buffered;
    uint64_t written; /* bytes of the out file */
    struct wire_message *pieces;
    /* under the lock of jobs.c */
    struct job *next;
    struct batch *batch; /* NULL while it waits */
};

/* Takes `out`. */
struct job *job_new(uint64_t id, int socket, int *out);
void job_free(struct job **job);

/* Where the engine puts the segment: lent until job_free. */
struct sink job_sink(struct job *job);
/* All of it at once, for what is no segment. LIMIT, IO. */
MUST_CHECK enum err job_write(struct job *job, const uint8_t *bytes, size_t size);

/* Of a storyboard: a picture; the sheet of those told since the last one. CANCELLED, IO, LIMIT. */
MUST_CHECK enum err job_picture(struct job *job, int64_t at_ms, uint32_t width, uint32_t height);
MUST_CHECK enum err job_sheet(struct job *job, const void *bytes, size_t size);

void job_tick(struct job *job);
void job_progress(struct job *job, double fraction);
void job_want(struct job *job, uint64_t offset, uint64_t length);
/* What the next plan should know. */
void job_verdict(struct job *job, const struct why *verdict);
/* The last word: DONE when `kind` is OK and all is written, otherwise FAILED. */
void job_end(struct job *job, enum err kind, const struct why *why);
