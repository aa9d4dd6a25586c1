/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libtorrent-rasterbar 2.0 as C sees it. The only C++ stands behind this header; none of its exceptions,
 * handles or types come through. It decides nothing: what is wanted, when and why is the pump's
 * (torrents.c), which pieces first the picker's (picker.h).
 * Threads: all calls on one thread, the pump's, where they may wait for libtorrent's network thread;
 * `wake` alone is called from there, and may only wake the pump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

struct shim;
struct shim_torrent;

enum { SHIM_HASH_TEXT = 65 };

/* Texts are borrowed; NULL where there is none. Rates in bytes a second, 0: no limit. */
struct shim_settings {
    const char *listen;    /* "0.0.0.0:6881,[::]:6881" */
    const char *interface; /* everything leaves by this device or not at all */
    const char *proxy;     /* "socks5://host:port" */
    int64_t download_rate, upload_rate;
    int connections;
    bool dht, lsd, upnp;
    bool encrypted_only;
    bool allow_local; /* peers, trackers and web seeds of this machine and its networks */
    int most_events;  /* that may wait to be taken; 0: as many as are good for it */
};

MUST_CHECK enum err shim_open(const struct shim_settings *settings, void (*wake)(void *ctx),
                              void *ctx, struct shim **out, struct why *why);
/* Takes the torrents with it; what they had to save must have been asked for before. */
void shim_close(struct shim **shim);

/* Whether peers are called by uTP first; at the start they are not: to those that do not speak it, that
 * costs 4 s. */
void shim_set_utp(struct shim *shim, bool is_on);

/* --- what a .torrent says, judged: names are for people, never for paths --- */

struct shim_file {
    char *path; /* UTF-8, as the torrent names it, with '/' between its parts */
    uint64_t offset, size;
    bool is_hidden; /* padding, links: never fetched, never shown */
};
/* In hex; "" where the torrent has none of this version. */
struct shim_hashes {
    char v1[SHIM_HASH_TEXT]; /* SHA-1 */
    char v2[SHIM_HASH_TEXT]; /* SHA-256 */
};
/* What the torrent is known by: that of version 1 where there is one. Lent. */
const char *shim_hash(const struct shim_hashes *hashes);
/* Whether they are of one torrent: a hybrid one has both, and a magnet may name either. */
bool shim_hashes_meet(const struct shim_hashes *a, const struct shim_hashes *b);

struct shim_meta {
    struct shim_hashes hashes;
    char *name;
    uint64_t size;
    uint32_t piece_bytes, pieces;
    bool is_private;
    struct shim_file *files;
    size_t file_count;
};
void shim_meta_free(struct shim_meta **meta);
/* BAD_INPUT, LIMIT. Any thread. */
MUST_CHECK enum err shim_meta_read(const void *bytes, size_t size, struct shim_meta **out,
                                   struct why *why);
/* The info-hashes that a magnet URI names, and its name, mem_free, NULL where it has none. BAD_INPUT,
 * LIMIT. Any thread. */
MUST_CHECK enum err shim_magnet_read(const char *uri, struct shim_hashes *hashes, char **name,
                                     struct why *why);

/* --- torrents --- */

struct shim_order {      /* borrowed */
    const void *torrent; /* a .torrent; NULL: `magnet` */
    size_t torrent_size;
    const char *magnet;
    const void *resume; /* as saved; may be NULL */
    size_t resume_size;
    const uint8_t *have; /* one byte a piece that is known to be on disk; NULL: resume says */
    const char *folder;
    const char *const *names; /* below the folder, one a file of the .torrent */
    const bool *wanted;       /* one a file of the .torrent */
    bool is_stopped;
    int64_t download_limit, upload_limit; /* shim_limit */
    void *ctx;                            /* comes with its events */
    /* Of the same magnet, whose description came: taken, and its peers with it; no event of it follows.
     * A torrent without a wanted file is finished, and would lose them. May be NULL. */
    struct shim_torrent **instead;
};
/* Of a magnet no file is wanted. BAD_INPUT; BUSY: it is there already; IO. */
MUST_CHECK enum err shim_add(struct shim *shim, const struct shim_order *order,
                             struct shim_torrent **out, struct why *why);
/* Ends with SHIM_REMOVED, its last event. Leaves its files. *torrent is NULL afterwards. */
void shim_remove(struct shim_torrent **torrent);
void shim_stop(struct shim_torrent *torrent);
void shim_start(struct shim_torrent *torrent);
/* After SHIM_METADATA: what it is, and its .torrent (mem_free). BAD_INPUT, LIMIT as shim_meta_read. */
MUST_CHECK enum err shim_metadata(struct shim_torrent *torrent, struct shim_meta **out,
                                  uint8_t **bytes, size_t *size, struct why *why);
/* Which files are wanted, all of them: SHIM_WANTED follows, and its pieces are at 4 or 0 then. */
void shim_want(struct shim_torrent *torrent, const bool *wanted, size_t count);
/* Verified, and written: everyone can read it (torrent-engine 4). */
bool shim_has(const struct shim_torrent *torrent, uint32_t piece);
/* Sets have[piece] of all that was verified, perhaps not yet written. */
void shim_pieces(const struct shim_torrent *torrent, uint8_t *have, uint32_t count);
/* Asks for SHIM_RESUME or SHIM_RESUME_FAILED, of which one follows. */
void shim_save(struct shim_torrent *torrent);

struct shim_priority {
    uint32_t piece;
    uint8_t priority; /* 0: unwanted, 4: as others, 7: first */
};
void shim_prioritize(struct shim_torrent *torrent, const struct shim_priority *list, size_t count);
/* Bytes a second of this one alone, beside what all may; 0: as much as there is. */
void shim_limit(struct shim_torrent *torrent, int64_t download, int64_t upload);
/* Leaves the piece at 7. */
void shim_set_deadline(struct shim_torrent *torrent, uint32_t piece, int ms);
/* Leaves the piece at 1, whatever it was. */
void shim_clear_deadline(struct shim_torrent *torrent, uint32_t piece);
void shim_set_sequential(struct shim_torrent *torrent, bool is_sequential);
/* While somebody waits, peers that owe blocks and send nothing are hung up on, if others do send. True:
 * one was, since this was last called. */
bool shim_watch_peers(struct shim_torrent *torrent, bool is_waited_for);
/* Nobody is left: those that were reached before are called again, also those that libtorrent wants no more (who
 * shared pieces with one that lied may be banned with it), and trackers are asked anew. */
void shim_call_again(struct shim_torrent *torrent);
/* After it ran out of room: it may write again. */
void shim_retry_disk(struct shim_torrent *torrent);

struct shim_status {
    bool is_checking;
    uint64_t done, wanted;              /* bytes */
    uint64_t uploaded;                  /* ever */
    int64_t download_rate, upload_rate; /* bytes a second */
    int peers, seeds;
    int known_peers; /* that could be asked */
    uint64_t came;   /* bytes, whatever they were, since it was added */
    int64_t seeding_s;
};

enum shim_event_kind {
    SHIM_METADATA,
    SHIM_WANTED,
    SHIM_CHECKED, /* what was there already is known: shim_has */
    SHIM_PIECE,   /* verified, perhaps not yet written */
    SHIM_STATUS,
    SHIM_RESUME, /* bytes, size */
    SHIM_RESUME_FAILED,
    SHIM_DISK, /* failure: LIMIT when there is no room, BAD_MEDIA when its hashes contradict each other,
                   * else IO; it does not write any more */
    SHIM_TRACKER, /* failure: what a tracker said; NULL words: all is well */
    SHIM_MISSED, /* of no torrent: events were lost, all pieces should be looked at; SHIM_STATUS of each follows */
    SHIM_LISTEN, /* of no torrent: failure to listen */
    SHIM_REMOVED,
};
struct shim_event { /* lent */
    enum shim_event_kind kind;
    void *ctx; /* of its order; NULL: of no torrent */
    uint32_t piece;
    const struct shim_status *status;
    const void *bytes;
    size_t size;
    enum err failure;
    const char *words; /* UTF-8 */
};
/* All that happened since; after `wake`. */
void shim_take_events(struct shim *shim, void (*each)(void *ctx, const struct shim_event *event),
                      void *ctx);
/* Asks for SHIM_STATUS of all torrents that changed. */
void shim_ask_status(struct shim *shim);
