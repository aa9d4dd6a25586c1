/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downloads by BitTorrent: films that can be watched while they come. Each file of a torrent is a source
 * that fills; what is read of it is fetched first.
 * Life: torrents_start (those of the last time come back) -> ... -> torrents_stop, after all who read.
 * Life of a torrent: added -> (its description comes, from a magnet) -> checked -> runs -> whole, and
 * gives back for a while; paused and failed are beside that; removed, with all of its files.
 * Threads: a loop of its own, the pump, and libtorrent's. All functions wait for the pump: pool threads,
 * not loops. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "source/source.h"
#include "store/store.h"
#include "torrent/limits.h"
#include "torrent/shim.h"

struct torrents;

struct torrents_options {
    const char *data_folder;              /* they stand in data_folder/torrents */
    const struct shim_settings *settings; /* copied */
    uint64_t spare_bytes;                 /* so much of the disk is left free */
    double ratio;    /* gives back so much of what it took, then stops; 0: nothing */
    int64_t seed_ms; /* and no longer than this */
    /* The torrent is another than before, or gone; at most twice a second each. On the pump: must not
     * wait, nor call back. */
    void (*changed)(void *ctx, const char *id);
    void *ctx;
};
MUST_CHECK enum err torrents_start(const struct torrents_options *options, struct torrents **out,
                                   struct why *why);
/* Saves all of them. NULL is accepted. */
void torrents_stop(struct torrents **torrents);

/* A magnet or the bytes of a .torrent. `id` is also filled in when it is here already, *is_new false
 * then. BAD_INPUT, LIMIT, IO. */
struct torrents_wish {
    const char *magnet;
    const void *torrent;
    size_t torrent_size;
};
MUST_CHECK enum err torrents_add(struct torrents *torrents, const struct torrents_wish *wish,
                                 char id[STORE_ID_SIZE], bool *is_new, struct why *why);

struct torrents_choice {
    char file[STORE_ID_SIZE];
    bool is_wanted;
};
struct torrents_change {
    bool sets_paused, is_paused;
    bool sets_priority;
    enum torrent_priority priority;
    struct torrent_limits limits; /* torrent_limits_change */
    const struct torrents_choice *choices;
    size_t choice_count;
};
/* Of a change, what is not said stays: limits are LIMIT_SAME then. NOT_FOUND: no such torrent; BAD_INPUT: none of
 * its files; AGAIN: its description has not come yet. */
MUST_CHECK enum err torrents_change(struct torrents *torrents, const char *id,
                                    const struct torrents_change *change, struct why *why);
/* The library has what it brought: remembered with it. NOT_FOUND; AGAIN: it is not whole, as more is wanted of
 * it by now. */
MUST_CHECK enum err torrents_set_filed(struct torrents *torrents, const char *id);
/* With its files. NOT_FOUND. */
MUST_CHECK enum err torrents_remove(struct torrents *torrents, const char *id);

#define TORRENT_STATES(S)                                                                          \
    S(TORRENT_METADATA, "metadata")       /* its description is to come */                         \
    S(TORRENT_CHECKING, "checking")       /* what is on the disk is looked at */                   \
    S(TORRENT_DOWNLOADING, "downloading") /* `reason` where nothing comes */                       \
    S(TORRENT_PAUSED, "paused")                                                                    \
    S(TORRENT_COMPLETE, "complete") /* all that is wanted is here; it may give back */             \
    S(TORRENT_FAILED, "failed")
#define TORRENT_ENUM(state, name) state,
enum torrent_state { TORRENT_STATES(TORRENT_ENUM) };
#undef TORRENT_ENUM
const char *torrent_state_name(enum torrent_state state);

struct torrent_view_file {
    char *path; /* for people */
    char id[STORE_ID_SIZE];
    char *place;         /* its path here */
    uint64_t size, here; /* bytes */
    bool is_wanted;
};
struct torrent_view {
    char id[STORE_ID_SIZE];
    char hash[SHIM_HASH_TEXT];
    char *name;
    enum torrent_state state;
    bool is_filed;         /* torrents_set_filed */
    char reason[400];      /* "" = none */
    uint64_t size, here;   /* of what is wanted, bytes */
    int64_t rate, up_rate; /* bytes a second */
    uint64_t uploaded;
    int peers;
    enum torrent_priority priority;
    struct torrent_limits limits;
    int64_t eta_s; /* -1 = unknown */
    int64_t added_ms;
    struct torrent_view_file *files; /* without hidden ones */
    size_t file_count;
};
void torrent_view_fini(struct torrent_view *view);
/* NOT_FOUND. */
MUST_CHECK enum err torrents_find(struct torrents *torrents, const char *id,
                                  struct torrent_view *out);
/* The oldest first. The caller's (torrent_views_free). */
struct torrent_view *torrents_list(struct torrents *torrents, size_t *count);
void torrent_views_free(struct torrent_view *views, size_t count);

/* Whether a torrent holds the file. */
bool torrents_hold(struct torrents *torrents, const char *file);
/* The file of this id: a reference to its source, from now on wanted, and its path for people
 * (mem_free). NOT_FOUND: none of ours; BUSY, IO, LIMIT: it cannot be opened, why says so. */
MUST_CHECK enum err torrents_open_file(struct torrents *torrents, const char *file,
                                       struct source **out, char **path, struct why *why);
