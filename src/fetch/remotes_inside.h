/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of remotes: the list of files and their life (remotes.c), the requests that fill one
 * (remote_lines.c), the budget (remote_room.c). Threads: remotes' loop, all of it. */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/loop.h"
#include "fetch/remotes.h"
#include "source/spans.h"
#include "store/store.h"

enum {
    REMOTE_LINES = 3, /* requests at once: two viewers, or head and end, and one to spare */
    REMOTE_AHEAD_BYTES = 64 * 1024 * 1024,
    REMOTE_CHUNK_BYTES = 1024 * 1024, /* what is given up at once */
};

struct remotes {
    /* fixed after start */
    struct loop *loop;
    struct fetch *fetch;
    char *folder;
    uint64_t budget;
    uint64_t
        ahead; /* so far ahead of what somebody waits for a request runs on, and nothing is given up */
    int64_t idle_ms, retry_ms;
    void (*changed)(void *ctx, const char *id);
    void *ctx;
    /* loop */
    uv_timer_t beat;
    TAILQ_HEAD(remote_list, remote) list;
    uint64_t held; /* bytes of all of them */
    bool is_halted;
    /* any thread */
    atomic_bool is_woken; /* a plan is on its way to the loop */
};

/* A request under way. Life: free -> begun -> (held ->) free. */
struct remote_line {
    struct remote *remote;
    struct fetch_transfer *transfer; /* NULL: free */
    uint64_t at;                     /* where the next byte goes */
    uint64_t begin;                  /* where it began */
    uint64_t until;                  /* runs to there, then is held */
    uint64_t wanted; /* what somebody waited for last, and when; outlive the request */
    int64_t wanted_ms;
    bool is_urgent; /* somebody waits for what it brings */
    bool is_held;   /* takes no data just now */
};

struct remote {
    TAILQ_ENTRY(remote) link;
    struct remotes *remotes;
    char id[STORE_ID_SIZE];
    char *url, *etag, *modified;
    uint64_t size;
    bool is_ranged;
    char *folder; /* NULL: what comes is on the budget */
    bool is_paused;
    int journal;           /* of its folder: -1 without one */
    struct span unnoted;   /* came, and is not in the journal yet */
    struct source *source; /* NULL: failed, as `why` says */
    int fd;
    struct spans here;
    uint32_t *touched; /* one a chunk: seconds of the clock when it was filled or wanted */
    struct remote_line lines[REMOTE_LINES];
    unsigned most_lines; /* as many as the server bears */
    unsigned failures;   /* since something came */
    int64_t retry_ms;    /* no request before that */
    int64_t opened_ms, read_ms, moved_ms, told_ms;
    bool is_changed;
    bool is_waited_for; /* some line is urgent */
    uint64_t counted;   /* bytes since `counted_ms`, for the rate */
    int64_t counted_ms, rate;
    struct why why; /* what went wrong last; "" = nothing since something came */
};

/* --- remotes.c --- */
/* For all who read it; the next one who opens it begins anew. */
void remote_fail(struct remote *remote, enum err kind, const struct why *why);

/* --- remote_keep.c: one that has a folder --- */
/* Its file, open to write and to read, and what of it came before. LIMIT, IO. */
MUST_CHECK enum err remote_keep_open(struct remote *remote, int *reads);
void remote_keep_load(struct remote *remote);
/* It came, and is on the way to the disk. */
void remote_keep_note(struct remote *remote, struct span span);
void remote_keep_flush(struct remote *remote);
/* The last word of an orderly end: what is noted counts whatever happens to the machine. */
void remote_keep_close(struct remote *remote);
bool remote_is_whole(const struct remote *remote);

/* --- remote_lines.c --- */
/* Begins, moves and holds requests, as what is wanted says. */
void remote_plan(struct remote *remote);
void remote_end_lines(struct remote *remote);

/* --- remote_room.c --- */
/* Room for `size` bytes more, given up elsewhere. False: nothing can be spared. */
bool remote_make_room(struct remotes *remotes, uint64_t size);
void remote_touch(struct remote *remote, struct span span);
/* How many bytes of the span are here. */
uint64_t remote_bytes_here(const struct remote *remote, struct span span);
