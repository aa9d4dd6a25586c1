/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of other servers as sources: each fills by range requests as it is read. What came is kept in
 * files without a name, on a budget of bytes that all of them share; what was watched longest ago goes
 * first, and is asked for again when it is wanted again. One that is to be kept has a folder of its own,
 * fills to its end whether somebody reads it or not, and goes on after a restart.
 * Life of a file: opened -> fills while somebody reads it -> idle -> dropped, with its bytes; of one that
 * is kept: opened -> fills -> whole -> released. One that fails says why to those who read it; who opens
 * it next begins anew.
 * Threads: a loop of its own, on which all functions wait: pool threads, not loops. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "fetch/fetch.h"
#include "source/source.h"

struct remotes;

struct remotes_options {
    struct fetch *fetch;       /* borrowed */
    const char *folder;        /* made; what lies in it is deleted */
    uint64_t budget_bytes;     /* a viewer who waits may go over it, by what he waits for */
    int64_t idle_ms, retry_ms; /* 0: 5 min without a reader; 250 ms, doubled at each failure */
    /* More of it is there, or it failed; at most twice a second each. On the loop: must not wait, nor
     * call back. */
    void (*changed)(void *ctx, const char *id);
    void *ctx;
};
MUST_CHECK enum err remotes_start(const struct remotes_options *options, struct remotes **out,
                                  struct why *why);
/* The first half of remotes_stop, before fetch_stop: who reads hears CANCELLED, nothing more is asked for
 * and nothing opens. NULL is accepted. */
void remotes_halt(struct remotes *remotes);
/* After all who read. NULL is accepted. */
void remotes_stop(struct remotes **remotes);

/* What its server said of a file. All lent. */
struct remote_facts {
    const char *id;       /* ours */
    const char *url;      /* never logged: it may hold a secret */
    uint64_t size;        /* bytes */
    const char *etag;     /* strong ones count (RFC 9110 8.8.1); "" = none */
    const char *modified; /* Last-Modified; "" = none */
    bool is_ranged;       /* parts of it can be asked for (RFC 9110 14) */
    const char
        *folder;    /* of its own, in which all of it is kept, as REMOTE_FILM; NULL: the budget */
    bool is_paused; /* of one that is kept: nothing comes */
};
#define REMOTE_FILM    "film"
#define REMOTE_JOURNAL "pieces"
/* LIMIT: it has no ranges and is larger than the budget. Any thread. */
MUST_CHECK enum err remotes_judge(const struct remotes *remotes, const struct remote_facts *facts,
                                  struct why *why);
/* A reference to its source. LIMIT as remotes_judge; BUSY, IO; CANCELLED: remotes_halt. */
MUST_CHECK enum err remotes_open(struct remotes *remotes, const struct remote_facts *facts,
                                 struct source **out, struct why *why);
/* A reference to its source where it is open and has not failed, else NULL. */
struct source *remotes_find(struct remotes *remotes, const char *id);
/* Decision 1: its URL, its size, its strong ETag or else when it was last modified. */
struct source_identity remotes_identity(const struct remote_facts *facts);
/* Who reads it hears GONE. A folder of its own is left as it is. */
void remotes_forget(struct remotes *remotes, const char *id);
/* It is whole: who reads it reads on, and its folder may go. */
void remotes_release(struct remotes *remotes, const char *id);

struct remote_state {
    uint64_t here;    /* bytes */
    int64_t rate;     /* bytes a second */
    bool has_failed;  /* for good, as `reason` says */
    char reason[400]; /* why nothing comes; "" = it does, or need not */
};
/* Zeros where it is not open. */
void remotes_look(struct remotes *remotes, const char *id, struct remote_state *out);
