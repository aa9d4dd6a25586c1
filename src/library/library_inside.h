/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside library/ only: the library as its two halves see it. library.c makes it and answers;
 * scan.c runs the walks and the looks, on the loop. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/loop.h"
#include "base/pool.h"
#include "library/library.h"
#include "library/looks.h"
#include "library/names.h"
#include "library/watch.h"

enum { LOOKS_AT_ONCE = 2 }; /* decision 30 */

struct library {
    /* fixed after new */
    char **folders;
    size_t folder_count;
    int64_t rescan_ms, settle_ms;
    bool ignore_events;
    uint32_t plan_version;
    char *engine;
    struct store *store;
    struct loop *loop;
    struct pool *pool; /* one thread walks, one saves what looks found */
    /* fixed after start */
    struct library_prober prober;
    struct library_listener listener;
    struct watch *watch;
    atomic_bool is_cancelled; /* a walk under way is to end */
    atomic_bool is_over;      /* library_stop was called: copies under way end */

    /* loop's thread */
    bool is_started, is_stopping;
    uv_timer_t timer;
    bool is_walking;
    int64_t next_walk_ms; /* monotonic */
    int64_t walk_took_ms;
    struct looks looks;
    bool are_scans_stopped;                     /* until the next walk */
    char in_hand[LOOKS_AT_ONCE][STORE_ID_SIZE]; /* "" = free */
    char (*finished)[STORE_ID_SIZE];            /* looked into since the walk began */
    size_t finished_count, finished_room;

    /* under lock */
    pthread_mutex_t lock;
    bool is_walk_asked;        /* and has not begun */
    struct library_scan state; /* its folders live as long as the library */
};

/* After a change others follow at once: a folder is copied, a name is changed. */
enum { SCAN_QUIET_MS = 200 };

/* scan.c, for scan_looks.c. */
void scan_tell(struct library *library);
/* `looked`: how many looks ended just now. */
void scan_update_state(struct library *library, uint64_t looked);
void scan_tell_title(struct library *library, const char *title);
/* Of changes that the store has. Any thread. */
void scan_tell_changes(struct library *library, const struct store_change *changes, size_t count);
/* Does what is due and sleeps until more is. */
void scan_wake(struct library *library);
/* scan_looks.c: asks the prober for what is due. When the next one is (monotonic), or -1. */
int64_t scan_start_looks(struct library *library);

/* trash.c: what has lain there for a week is deleted. Blocks. */
void trash_purge(const struct library *library, int64_t now_ms);

/* library.c */
struct store_identity library_store_identity(const struct source_identity *identity);

/* scan.c; on the loop, by loop_call */
void scan_start(void *library);
void scan_stop(void *library);
void scan_unwatch(void *library); /* when no walk is under way any more */
