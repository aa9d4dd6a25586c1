/* SPDX-License-Identifier: GPL-3.0-or-later */
/* media.h as a test plays it: jobs wait until the test says what becomes of them. Linked in place of
 * the real one. All calls but fake_new are made on the hub's loop. */
#pragma once

#include "hls/media.h"

/* Conversions are jobs of this rendition; their track is the number. */
enum { FAKE_JOBS = 256, FAKE_CONVERSION = 1001 };

struct fake_job {
    struct media *media; /* NULL: over */
    uint64_t id;
    bool is_plan, scan, is_storyboard, is_fingerprint;
    bool is_waiting; /* it said want */
    bool is_bytes;   /* odd renditions: transcodes, all of it in the out file */
    uint32_t rendition, n;
    uint64_t size; /* of the out file */
    int out;
    struct media_job_events events;
    void *ctx;
};

struct media_host {
    unsigned limit, open, opened, fresh, idle; /* processes */
    bool is_dead;
    struct fake_job jobs[FAKE_JOBS]; /* in the order asked */
    unsigned job_count, cancelled, haves;
    unsigned devices, devices_ended; /* given to processes */
    bool device_works;               /* one that is tried */
    unsigned tries_refused;          /* of devices, still: the zygote is being started again */
    uint64_t ids;
};

struct media {
    struct media_host *host;
    struct media_events events;
    void *ctx;
    struct media_want_events want_events;
    void *want_ctx;
    bool has_device;
};

struct media_host *fake_new(unsigned limit);
/* The newest job of this segment that is not over; NULL. */
struct fake_job *fake_find(struct media_host *host, uint32_t rendition, uint32_t n);
struct fake_job *fake_find_plan(struct media_host *host);
struct fake_job *fake_find_storyboard(struct media_host *host);
struct fake_job *fake_find_fingerprint(struct media_host *host);
/* Pictures of a storyboard, 5 s apart, and the sheet they stand on. */
void fake_sheet(struct fake_job *job, int64_t from_ms, uint32_t pictures, const char *bytes);
unsigned fake_running(const struct media_host *host);
/* 10 bytes of the out file, a styp box of 8 and "xy"; for copies 100 of the source after them. */
void fake_part(struct fake_job *job);
void fake_done(struct fake_job *job);
void fake_fail(struct fake_job *job, enum err kind, const char *words);
/* Writes `bytes` as the plan. */
void fake_plan(struct fake_job *job, const uint8_t *bytes, size_t size);
/* What the next plan should know. */
void fake_verdict(struct fake_job *job, const char *words);
void fake_progress(struct fake_job *job, double fraction);
/* It sleeps until these bytes of the source are there; and does no more. */
void fake_want(struct fake_job *job, uint64_t offset, uint64_t length);
void fake_unwant(struct fake_job *job);
/* Its process dies, with all jobs in hand. */
void fake_die(struct media *media, const char *words);
