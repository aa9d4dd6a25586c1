/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside torrent/ only: torrents.c has the pump and the list, torrent.c one torrent's life, files.c its
 * files as sources, disk.c what it writes, view.c what is said of it. Threads: the pump, all of it. */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/loop.h"
#include "base/pool.h"
#include "torrent/keep.h"
#include "torrent/picker.h"
#include "torrent/torrents.h"

struct torrents {
    /* fixed after start */
    struct loop *loop;
    struct pool *disk; /* disk.c */
    sem_t ended;       /* the last torrent has gone */
    char *root;
    struct shim_settings settings; /* its texts are ours */
    uint64_t spare_bytes;
    double ratio;
    int64_t seed_ms;
    void (*changed)(void *ctx, const char *id);
    void *ctx;
    char boot[CLOCK_BOOT_SIZE];
    /* pump */
    struct shim *shim; /* NULL until the first torrent (decision 31) */
    uv_async_t alerts; /* libtorrent has something to say */
    uv_timer_t beat;   /* looks after what is watched, saved, stalled */
    uv_timer_t gate;   /* while pieces are verified and not yet known to be written */
    TAILQ_HEAD(torrent_list, torrent) list;
    int64_t looked_ms;
    int64_t hurried_ms; /* a torrent began to look for peers */
    bool is_utp;        /* peers are called by uTP first */
    /* any thread */
    atomic_bool is_woken; /* a plan is on its way to the pump */
};

enum torrent_phase {
    PHASE_DESCRIPTION, /* waits for it */
    PHASE_CHECKING,
    PHASE_RUNNING,
    PHASE_FAILED,  /* for good: failure says why */
    PHASE_LEAVING, /* removed, libtorrent has yet to say so */
};

struct torrent_file {
    struct source *source; /* NULL: nobody has opened it yet */
    int64_t opened_ms;
    uint64_t here; /* bytes */
};

struct torrent {
    TAILQ_ENTRY(torrent) link;
    struct torrents *torrents;
    char id[STORE_ID_SIZE];
    struct shim_hashes hashes;
    enum torrent_phase phase;
    struct keep *keep;
    struct keep_state state;
    struct shim_torrent *shim; /* NULL: failed before it could be added */
    struct why failure;
    struct why disk, tracker; /* what they said last; "" = all is well */
    /* with its description */
    struct shim_meta *meta; /* NULL before */
    struct picker *picker;
    struct torrent_file *files;
    uint8_t *have;     /* one byte a piece: everyone can read it */
    uint32_t *pending; /* verified, perhaps not yet written */
    size_t pending_count, pending_room;
    size_t uncounted; /* of what was here when it began to run: yet to be looked at */
    bool is_sequential, is_whole, has_given;
    uint64_t waits_at; /* the byte that somebody waits for, and since when; 0: nobody does */
    int64_t waits_ms;
    bool is_chosen;     /* while it was checked: libtorrent has yet to be told of the files */
    bool is_telling;    /* it was told, and has yet to say that it heard */
    int contradictions; /* its hashes did not agree, so many times since a piece came */
    struct shim_status status;
    struct told_limits {
        int64_t download, upload;
    } told;                       /* as libtorrent knows them */
    int64_t saved_ms, moved_ms;   /* when bytes came last */
    int64_t failed_ms;            /* when the disk failed last */
    int64_t called_ms, lonely_ms; /* without peers: when they were called, and after what again */
    bool is_dirty, is_saving, is_changed;
    bool is_asking;  /* libtorrent has yet to say what is to be saved */
    bool is_stalled; /* as was told last */
};

/* --- torrents.c --- */
MUST_CHECK enum err torrents_session(struct torrents *torrents, struct why *why);
/* A torrent looks for peers: those who answer at once are wanted. */
void torrents_hurry(struct torrents *torrents);
/* The gate looks soon. */
void torrents_gate(struct torrents *torrents);
struct torrent *torrents_by_id(struct torrents *torrents, const char *id);

/* --- torrent.c --- */
/* Of a folder that is there, or was just made. Takes `keep` and `state`. */
struct torrent *torrent_new(struct torrents *torrents, const char *id, struct keep **keep,
                            struct keep_state *state);
void torrent_free(struct torrent **torrent);
/* Takes `meta`; gives its files their ids, where they have none yet. */
void torrent_describe(struct torrent *torrent, struct shim_meta **meta);
/* `torrent` bytes may be NULL: from the magnet. `is_kept`: what libtorrent saved, and the journal, are
 * to be believed. On failure it is PHASE_FAILED. */
void torrent_begin(struct torrent *torrent, const void *bytes, size_t size, bool is_kept);
void torrent_event(struct torrent *torrent, const struct shim_event *event);
/* Pieces that were written by now. False: some are still pending. */
bool torrent_gate(struct torrent *torrent);
/* What is read decides what is fetched. */
void torrent_plan(struct torrent *torrent);
/* It is_saving until what libtorrent says is on the disk. */
void torrent_ask_resume(struct torrent *torrent);
bool torrent_is_watched(const struct torrent *torrent);
/* Twice a second. */
void torrent_look(struct torrent *torrent, int64_t now_ms);
void torrent_pause(struct torrent *torrent, bool is_paused);
void torrent_want(struct torrent *torrent, const bool *wanted);
/* Whether bytes come, or may at any moment. */
bool torrent_is_moving(const struct torrent *torrent);
/* Its own limits; `yields`: to one of higher priority. */
void torrent_limit(struct torrent *torrent, bool yields);
/* Of its state. */
void torrent_change_limits(struct torrent *torrent, const struct torrents_change *change);
/* One a file of its description; mem_free. */
bool *torrent_wanted(const struct torrent *torrent);
void torrent_save_state(struct torrent *torrent, bool is_clean);
PRINTF_LIKE(2, 3) void torrent_fail(struct torrent *torrent, const char *format, ...);
void torrent_leave(struct torrent *torrent);

/* --- disk.c: on a thread beside the pump, in the order of these calls --- */
/* BUSY: no thread. */
MUST_CHECK enum err disk_start(struct torrents *torrents);
/* Takes `bytes`; `name` lives for good. What fails is logged. */
void disk_put(struct torrent *torrent, const char *name, void **bytes, size_t size);
/* Then the journal forgets what it knows of, and the torrent is_saving no more. */
void disk_put_resume(struct torrent *torrent, void **bytes, size_t size);
/* These take `keep`, which may be NULL. */
void disk_close(struct torrents *torrents, struct keep **keep);
void disk_remove(struct torrents *torrents, struct keep **keep);

/* --- files.c --- */
void files_name(const struct torrent *torrent, size_t file, char out[32]);
/* The pieces that hold some of the file; false: none, it is empty. */
bool files_pieces(const struct shim_meta *meta, size_t file, uint32_t *first, uint32_t *end);
/* -1: none of its visible files. */
int files_find(const struct torrent *torrent, const char *id);
MUST_CHECK enum err files_open(struct torrent *torrent, size_t file, struct source **out,
                               struct why *why);
/* The piece can be read. */
void files_fill(struct torrent *torrent, uint32_t piece);
/* Nothing more will come of it. */
void files_fail(struct torrent *torrent, enum err kind, const struct why *why);
/* What is read first of its wanted files, as far as it is missing, for as many as there is room. */
size_t files_ends(const struct torrent *torrent, struct picker_read *out, size_t room);
/* What is read of all its files, as bytes of the torrent; *is_watched: somebody has one open. */
size_t files_reads(const struct torrent *torrent, struct picker_read *out, size_t room,
                   bool *is_watched);

/* --- view.c --- */
/* Nothing comes, and it is time to say why. */
bool view_is_stalled(const struct torrent *torrent, int64_t now_ms);
void view_of(const struct torrent *torrent, struct torrent_view *out);
