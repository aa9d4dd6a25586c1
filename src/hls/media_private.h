/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What media_host.c (the zygote), media.c (a film's process), media_job.c (its jobs), media_gpu.c (a
 * device's process) and media_watch.c (silence and memory) share. Threads: the hub's loop. */
#pragma once

#include <sys/types.h>
#include <uv.h>

#include "hls/channel.h"
#include "hls/media.h"

enum {
    MEDIA_TRIES = 3, /* starts of a zygote, in */
    MEDIA_TRIES_MS = 60 * 1000,
    MEDIA_JOBS_SENT = 32, /* at once to one process: each holds an fd there, of 64 */
    MEDIA_MESSAGES_A_SECOND = 20000,
    MEDIA_LOGS_A_SECOND = 20,
    MEDIA_PIECES_OF_JOB = 200000,
    MEDIA_WORDS_MS = 500, /* how long a death waits for the zygote's word on it */
    MEDIA_KILL_MS = 2000, /* what SIGKILL did not end by then hangs in the kernel: let go of it */
};

/* Tells when a process is dead: its pidfd becomes readable. */
struct media_pidfd {
    uv_poll_t poll;
    int fd;
    void (*dead)(void *ctx);
    void *ctx;
};

/* Takes the fd. */
struct media_pidfd *media_pidfd_new(uv_loop_t *loop, int *fd, void (*dead)(void *), void *ctx);
void media_pidfd_free(struct media_pidfd **pidfd);
void media_pidfd_kill(const struct media_pidfd *pidfd);

/* Who waits for the zygote's answer. */
struct media_ping {
    struct media_ping *next;
    media_pinged_fn *done;
    void *ctx;
};

/* A device's process: one that is tried, or one that works for a film. */
struct media_gpu {
    struct media_gpu *next;
    struct media_host *host;
    uint64_t id;
    struct media *media; /* whose it is; NULL: it is tried */
    uint32_t pid;
    struct media_pidfd *pidfd; /* NULL: not forked yet */
    /* tried */
    struct channel *channel;
    uv_timer_t timer; /* its close frees us */
    media_tried_fn *done;
    void *ctx;
};

struct media_host {
    /* fixed after start */
    char *program, *preset;
    struct media_options options; /* with defaults filled in */
    char engine[WIRE_TEXT];
    /* the loop's, once attached */
    uv_loop_t *loop;   /* NULL: not attached */
    uv_timer_t timer;  /* the next try */
    pid_t zygote;      /* 0: none */
    int socket, pidfd; /* before attach; then -1 */
    struct channel *channel;
    struct media_pidfd *watch;
    bool is_alive; /* said hello */
    uint32_t layers;
    char layers_text[WIRE_LAYERS_TEXT];
    int64_t tries_ms[MEDIA_TRIES]; /* the last ones, oldest first */
    struct media *first;
    unsigned count;
    uint64_t last_media, last_job, last_ping;
    struct media_gpu *gpus;
    struct media_ping *pings; /* one question is under way for all of them */
};

struct media_job {
    struct media_job *next;
    uint64_t id;
    struct media_job_events events;
    void *ctx;
    int out; /* -1: could not be duplicated, the job is about to fail */
    bool is_plan, scan, is_convert;
    struct convert_what what; /* of a conversion */
    bool is_storyboard, is_fingerprint;
    uint32_t pictures, on_sheet; /* of a storyboard: told, and told since the last sheet */
    int64_t picture_ms;
    uint32_t picture_width, picture_height;
    uint32_t rendition, n;
    bool is_sent, is_begun, is_cancelled;
    uint64_t written; /* of the out file, as told in pieces */
    uint32_t pieces;
    int64_t heard_ms;
    uint64_t want_at, want_length; /* length 0: it does not wait */
};

struct media {
    uv_timer_t timer; /* the watch; its close frees us */
    struct media_host *host;
    struct media *next;
    uint64_t id;
    char label[WIRE_TEXT];
    struct media_events events;
    void *ctx;
    struct media_want_events want_events; /* NULLs: nobody is told */
    void *want_ctx;
    uint64_t size;
    const uint8_t *map; /* NULL: whole */
    size_t map_bytes;
    uint32_t pid; /* 0: not forked yet */
    struct channel *channel;
    struct media_pidfd *pidfd;
    bool is_opened;
    bool is_closed;   /* nobody outside knows us any more */
    bool is_probing;  /* media_watch.c reads its memory on a pool thread */
    bool is_released; /* to be freed after that */
    bool is_burying;  /* its users are being told */
    int64_t started_us, heard_ms;
    int64_t killed_ms, dead_ms; /* 0: not (yet) */
    struct why death;           /* why we killed it; "" = we did not */
    struct media_job *jobs;     /* oldest first */
    unsigned sent;
    uint64_t turn;         /* HAVEs */
    struct media_gpu *gpu; /* NULL: none */
    uint64_t gpu_turn;
    unsigned messages, logs; /* since `counted_ms` */
    int64_t counted_ms;
};

/* media_host.c */
void media_host_forget(struct media_host *host, struct media *media);
/* The zygote does not fork any more: ends it, for another to be started. */
void media_host_suspect(struct media_host *host);

/* media_gpu.c: what the zygote tells. False: the number is none of theirs. */
bool media_gpu_forked(struct media_host *host, uint64_t id, uint32_t pid, int *pidfd);
/* `why` NULL: `status` as of waitpid says it. */
bool media_gpu_gone(struct media_host *host, uint64_t id, const char *why, int status);
/* All of them: with a word to who waits, or without. */
void media_gpu_end_all(struct media_host *host, bool is_told);

/* media.c */
/* "was killed by signal 11 (SEGV)"; -1: nobody can say. */
void media_death_words(int status, struct why *why);
void media_on_forked(struct media *media, uint32_t pid, int *pidfd);
void media_on_unforked(struct media *media, const char *reason);
/* `status` as of waitpid, -1: nobody can say. */
void media_on_dead(struct media *media, int status);
/* Its process is to die; the first reason counts. */
PRINTF_LIKE(2, 3) void media_kill(struct media *media, const char *format, ...);
/* Frees it, once its timer is closed and its memory no longer read. */
void media_release(struct media *media);

/* media_job.c */
struct media_job *media_job_find(struct media *media, uint64_t id);
/* False: nothing of the kind may come from it now; `why` says what was wrong. */
bool media_job_message(struct media *media, const struct wire_message *message, struct why *why);
/* The watch's part: fails a job that cannot be sent, sends what waits. */
void media_job_pump(struct media *media);
/* All jobs of this moment fail so. */
void media_job_fail_all(struct media *media, enum err kind, const struct why *why);
/* Without a word. */
void media_job_drop_all(struct media *media);

/* media_watch.c */
/* What a process has taken of the processor, in ms; 0: nobody can say. */
int64_t media_cpu_ms_of(uint32_t pid);
/* The job sleeps for nothing any more. */
void media_job_unwant(struct media *media, struct media_job *job);
bool media_range_is_here(const struct media *media, uint64_t offset, uint64_t length);
void media_watch_start(struct media *media);
