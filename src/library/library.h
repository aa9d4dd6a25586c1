/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The films in the folders: found by walks, watched for changes, looked into by a prober that the
 * caller lends (main gives it hls_probe), kept in the store.
 * Life: library_new -> library_start -> ... -> library_stop (no more walks, nothing new is asked of
 * the prober) -> the prober ends, answering what it was asked -> library_free.
 * Threads: a loop and a pool of its own. library_scan_* and library_new_engine may be called from
 * any thread; library_find and library_keep_plan block and belong on a pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/why.h"
#include "source/source.h"
#include "store/films.h"

struct library;

struct library_options {
    const char *const *folders; /* NULL-terminated, absolute; lent for library_new */
    int64_t rescan_ms;          /* how often all folders are walked at least; 0 = 5 min */
    int64_t settle_ms;          /* a file that changed since so long may be growing; -1 = 30 s */
    bool ignore_events;         /* no inotify: by interval alone */
    uint32_t plan_version;      /* of plans that are current */
    const char *engine;         /* of plans that are current */
};

/* What a look into a file found; lent. */
struct library_found {
    const struct source_identity *identity; /* NULL: it could not be opened */
    int64_t duration_ms;                    /* -1 = unknown */
    const uint8_t *bytes;                   /* the plan; NULL on failure */
    size_t size;
    bool wants_scan; /* a better plan can be had by reading the whole file */
};
typedef void library_probed_fn(void *ctx, enum err kind, const struct why *why,
                               const struct library_found *found);
struct library_probe {
    const char *path;        /* lent for the call */
    bool scan;               /* read the whole file, where that is what its plan wants */
    library_probed_fn *done; /* once, on the mailbox's loop, never inside the call */
    /* How far a scan is, up to 1; before `done`, on any thread. Must not wait. */
    void (*progress)(void *ctx, double fraction);
    void *ctx;
    struct mailbox *mailbox;
};
struct library_prober {
    void *ctx;
    void (*probe)(void *ctx, const struct library_probe *probe);
    void (*stop_scans)(void *ctx); /* they end with CANCELLED */
};
/* News. Called on the library's threads; must not block long. Members may be NULL. */
struct library_listener {
    void *ctx;
    void (*title)(void *ctx, const char *title); /* changed, came or went */
    void (*file)(void *ctx, const char *file);   /* has other bytes, or is gone */
    void (*plan)(void *ctx, const char *file);   /* was read through, and has a better plan */
    void (*scan)(void *ctx);                     /* library_scan_state would say another thing */
    void (*ready)(void *ctx, const char *file);  /* was looked into, and can be played */
};

/* Nothing is walked yet, but what the store holds can be found. */
MUST_CHECK enum err library_new(const struct library_options *options, struct store *store,
                                struct library **out, struct why *why);
void library_start(struct library *library, const struct library_prober *prober,
                   const struct library_listener *listener);
void library_stop(struct library *library);
void library_free(struct library **library);

enum library_folder_state { FOLDER_READY, FOLDER_OFFLINE, FOLDER_UNREADABLE };
struct library_folder {
    char *path;
    enum library_folder_state state;
    char reason[160];
    uint64_t files;
};
struct library_scan {
    bool is_running;
    uint64_t done, total;            /* files looked into */
    int64_t started_ms, finished_ms; /* 0 = not yet */
    char reading[STORE_ID_SIZE];     /* the file that is read through for its plan; "" = none */
    double read;                     /* how far, 0 to 1 */
    struct library_folder *folders;
    size_t folder_count;
};
void library_scan_state(struct library *library, struct library_scan *out);
void library_scan_fini(struct library_scan *scan);
/* A walk begins soon, behind one under way; from here on the state says that it runs. */
void library_scan_start(struct library *library);
/* What is under way ends; the next walk comes at its time. */
void library_scan_stop(struct library *library);

struct library_file {
    struct store_file row;
    char *path;                      /* mem_free; what to open: no symbolic link at its end */
    struct source_identity identity; /* as last seen; zero where it could not be read */
    struct store_plans plans;        /* none but current ones */
};
void library_file_fini(struct library_file *file);
/* NOT_FOUND: no such file; BAD_MEDIA: it cannot be read, why says so; BUSY: its disk is not there.
 * The row is filled in on BAD_MEDIA and BUSY too, and on BAD_MEDIA the path of what can be opened. */
MUST_CHECK enum err library_find(struct library *library, const char *id, struct library_file *out,
                                 struct why *why);
/* A film from elsewhere, whole by now, gets a place in the first folder that can be written in and has room:
 * Title (Year)/name, by a second link to the file, or a copy where none can lead there. It is there under that
 * name only when all of it is, on the disk, and keeps its id. OK when it has a row already. REFUSED: no folder can
 * be written in; LIMIT: none has room; BUSY: its names are taken: nothing was touched. CANCELLED: library_stop;
 * IO. Blocks, for a copy long. */
struct library_adoption {
    const char *id;
    const char *from; /* its path */
    const char *name; /* what it is called: "Film.2001.1080p.mkv" */
};
MUST_CHECK enum err library_adopt(struct library *library, const struct library_adoption *adoption,
                                  struct why *why);
/* Out of the library, into `.trash` of its folder, from where anybody can take it back for a week. NOT_FOUND: no
 * such file; BUSY: its disk is away; IO. Blocks. */
MUST_CHECK enum err library_discard(struct library *library, const char *id, struct why *why);
/* Keeps a plan that was made outside of a scan. NOT_FOUND: the file is another by now. */
MUST_CHECK enum err library_keep_plan(struct library *library, const char *id,
                                      const struct library_found *found);

/* An episode that can be played, of the bytes that a walk saw last. */
struct library_episode {
    char id[STORE_ID_SIZE];
    int number;
    uint64_t size;
    uint8_t hash[32];
};
/* The season that the file is an episode of, itself among them, by number: files of one folder, or of
 * folders of that season in one, whose names tell the same show and season. None where its name is no
 * episode's. The caller's (mem_free). NOT_FOUND: no such file; IO. Blocks. */
MUST_CHECK enum err library_season(struct library *library, const char *id,
                                   struct library_episode **out, size_t *count);
/* An episode of each season of which two can be played, lent for the call. IO. Blocks. */
typedef void library_file_fn(void *ctx, const char *id);
MUST_CHECK enum err library_seasons(struct library *library, library_file_fn *each, void *ctx);
