/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The media processes, seen from the server: the zygote (started before anything is opened), one
 * process per open film, jobs sent to it and what it answers. Trusts no byte of theirs (wire.c
 * checks). Their death is an ordinary event. Threads: all calls and callbacks on one loop, the
 * hub's, except media_host_start. Decisions 18-22. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/convert.h"
#include "segments/plan.h"

struct uv_loop_s;
struct media_host; /* the zygote and its children */
struct media;      /* one process, one film */

struct media_options {
    const char *program;    /* path of matinee-media */
    const char *preset;     /* x264; NULL = veryfast */
    unsigned threads;       /* per codec; 0 = 2 */
    unsigned runs;          /* jobs at once per process; 0 = cores */
    unsigned process_limit; /* 0 = 8 */
    uint64_t memory_limit;  /* PSS bytes per process; 0 = 1.5 GiB */
    int64_t hang_ms;        /* a job that says nothing for so long is hung; 0 = 30 s */
};

/* posix_spawns the zygote. Blocks until it says hello (or 10 s: TIMEOUT). IO: cannot start.
 * Called before the server opens files or starts threads. */
MUST_CHECK enum err media_host_start(const struct media_options *options, struct media_host **out,
                                     struct why *why);
/* From now on its fds are watched by `loop`; restarts a dead zygote (3 tries a minute). */
void media_host_attach(struct media_host *host, struct uv_loop_s *loop);
/* Ends all processes (media_close for each that is open); *host is NULL afterwards; handles close on
 * the loop. The zygote also dies with the thread that started it: the main one, or after a restart
 * the loop's. */
void media_host_stop(struct media_host **host);
bool media_host_is_alive(const struct media_host *host);
/* Asks the zygote whether it answers: `done` is called once, not inside the call; with false when it
 * dies first or the host is stopped (then inside media_host_stop). BUSY: there is none. */
typedef void media_pinged_fn(void *ctx, bool answered);
MUST_CHECK enum err media_host_ping(struct media_host *host, media_pinged_fn *done, void *ctx);
/* "seccomp,landlock,nnp,rlimit": the layers the processes have on. Lent. */
const char *media_host_sandbox(const struct media_host *host);
/* Enters `v` (decision 2): engine_version of the running program. Lent. */
const char *media_host_engine(const struct media_host *host);

struct media_events {
    /* The process is dead; `media` is freed after this call. Jobs in hand have heard `failed` with
     * GONE before. `why`, to be read after "the media process": "was killed by signal 11 (SEGV)",
     * "took 1.6 GB of memory", "did not answer for 30000 ms", "made a system call that it may not
     * make", "broke the rules of talk: ...". */
    void (*died)(void *ctx, const struct why *why);
};

/* What jobs of a source that is not whole sleep for; hls/wants.h answers it. */
struct media_want_events {
    /* The job sleeps until [offset, +length) of a source that is not whole is there. */
    void (*want)(void *ctx, uint64_t job, uint64_t offset, uint64_t length);
    /* It does no more: it goes on, has ended or was cancelled. */
    void (*unwant)(void *ctx, uint64_t job);
};

/* MEDIA_FRESH: exec'ed, not forked (decision 19). MEDIA_IDLE: it works when nobody else does. */
enum { MEDIA_FRESH = 1, MEDIA_IDLE = 2 };
/* A process for the film: `film` and `map` (-1 = whole) are borrowed (duplicated). `plan` may be
 * NULL (then only media_plan). `label` is for logs. `how`: of the above. BUSY: the limit of processes,
 * or no zygote. */
MUST_CHECK enum err media_open(struct media_host *host, int film, int map, uint64_t size,
                               const uint8_t *plan, size_t plan_size, const char *label,
                               unsigned how, const struct media_events *events, void *ctx,
                               struct media **out);
/* Ends the process without a `died`; jobs in hand hear CANCELLED, inside this call. *media is NULL
 * afterwards. May be called inside any callback. */
void media_close(struct media **media);
/* 0: not forked yet. */
uint32_t media_pid(const struct media *media);
/* What the process, and its device's, has taken of the processor so far, in ms; 0: not forked yet, or gone. */
int64_t media_cpu_ms(const struct media *media);
/* Who is told of wants from now on; NULL: nobody. Before the first job, and NULL while none sleeps or
 * before media_close. */
void media_on_want(struct media *media, const struct media_want_events *events, void *ctx);
/* The map has more blocks: sleeping reads look again. */
void media_have(struct media *media);

/* A piece of a segment: bytes of the job's out file, or an extent of the source. */
struct media_piece {
    bool is_source;
    uint64_t offset, length;
};

struct media_job_events {
    /* Pieces in order; checked: inside the source, or inside what was written to the out file. A
     * part is whole after each call with `part_end`. */
    void (*pieces)(void *ctx, const struct media_piece *pieces, size_t count, bool part_end);
    void (*progress)(void *ctx, double fraction); /* plans only; may be NULL */
    /* The segment, which still ends with `done`, is as announced, but the next plan should offer no
     * such copy: why. Segments only; may be NULL. */
    void (*verdict)(void *ctx, const struct why *why);
    /* Storyboards only (segments/storyboard.h). A picture, later than the one before and of its size; the
     * sheet of those since the last one: checked bytes of the out file, of whatever content. */
    void (*picture)(void *ctx, int64_t at_ms, uint32_t width, uint32_t height);
    void (*sheet)(void *ctx, uint64_t offset, uint64_t length);
    /* Whole: `size` = bytes in the out file. The out file is sealed by the caller. */
    void (*done)(void *ctx, uint64_t size);
    void (*failed)(void *ctx, enum err kind, const struct why *why);
};

/* Jobs: numbers are never used again. `out` is a memory file, borrowed (duplicated). Exactly one of
 * done/failed ends a job, never inside the call. */
/* `scan`: a film without an index is read through for one; else its plan may say wants_scan. */
uint64_t media_plan(struct media *media, bool scan, int out, const struct media_job_events *events,
                    void *ctx);
uint64_t media_segment(struct media *media, uint32_t rendition, uint32_t n, int out,
                       const struct media_job_events *events, void *ctx);
/* `events` has picture and sheet. */
uint64_t media_storyboard(struct media *media, int out, const struct media_job_events *events,
                          void *ctx);
/* What the film's ends sound like: `done` says the size of its bytes (fingerprint.h) in the out file,
 * of whatever content. */
uint64_t media_fingerprint(struct media *media, int out, const struct media_job_events *events,
                           void *ctx);
/* A whole subtitle as a file: `done` says its size in the out file. */
uint64_t media_convert(struct media *media, const struct convert_what *what, int out,
                       const struct media_job_events *events, void *ctx);
/* No more callbacks for the job. */
void media_cancel(struct media *media, uint64_t job);
/* What the job sleeps for will never come: it hears IO with `why`, inside this call. */
void media_give_up(struct media *media, uint64_t job, const struct why *why);

/* --- devices that encode (segments/gpu.h), each in a process of its own, named as in
 * segments/device.h --- */

struct media_device {
    char words[160]; /* what encodes, and where */
    struct plan_device plan;
};
/* Has a device encode something, in a process that ends after that. `done` is called once, not inside the
 * call, and not after media_host_stop; `device` is lent, NULL: it does not work, `why`. BUSY: there is no
 * zygote. */
typedef void media_tried_fn(void *ctx, const struct media_device *device, const struct why *why);
MUST_CHECK enum err media_host_try(struct media_host *host, const char *device,
                                   media_tried_fn *done, void *ctx);
/* Gives the film's process one of a device, in place of that it had. What it asks for from now on is
 * done there. BUSY, IO. */
MUST_CHECK enum err media_give_device(struct media *media, const char *device);
/* Ends the device's process, if there is one. */
void media_end_device(struct media *media);
/* It was given one, which lives. */
bool media_has_device(const struct media *media);
