/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Titles, the files they are made of, and the plans of files, as kept. Threads and waiting: as in
 * store.h.
 * Life of a file's row: added (waiting) -> ready or unreadable -> missing (its id waits for it to
 * come back) -> purged. Offline is beside that: its disk is not there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/progress.h"

enum store_file_state { STORE_FILE_WAITING, STORE_FILE_READY, STORE_FILE_UNREADABLE };

struct store_identity { /* decision 1 */
    uint64_t size;
    int64_t mtime_ns;
    uint8_t hash[32];
};

/* How a title is called and found. All text is UTF-8. */
struct store_name {
    const char *kind;   /* "film", "other", "show", "episode" */
    const char *title;  /* as shown */
    int year;           /* 0 = unknown */
    const char *sort;   /* folded, without article */
    const char *folded; /* what searches look through */
    const char *letter; /* where it stands in the alphabet: "A".."Z", "#", ... */
    const char *match;  /* files with the same one are one title; NULL = a title of its own */
    /* of an episode: it stands in no list but its show's, which is made where there is none */
    const struct store_name *show;
    int season, episode, last_episode;
};

struct store_file {
    char id[STORE_ID_SIZE], title[STORE_ID_SIZE];
    char *folder, *path; /* bytes without NUL */
    char *name;          /* UTF-8, for people */
    uint64_t size;
    int64_t mtime_ns;
    uint64_t dev; /* of the folder it lies in */
    bool has_hash;
    uint8_t hash[32];
    enum store_file_state state;
    bool is_offline, is_missing;
    char *reason;        /* UTF-8 or NULL */
    int64_t duration_ms; /* -1 = unknown */
    int64_t added_ms, changed_ms, missing_ms;
    int names; /* which way its name was read, when it was put with its title */
};
/* 2: shows, seasons, episodes. What a change with a name writes. */
enum { STORE_NAMES_VERSION = 2 };
void store_file_fini(struct store_file *file);

/* The plan that is stored for a file as it is now. */
enum store_plan_state {
    STORE_PLAN_NONE,
    STORE_PLAN_FIRST, /* it wants_scan: a better one can be had by reading the film through */
    STORE_PLAN_FINAL,
};

/* All rows, missing ones too, each lent for the call. `version` and `engine` are those of plans
 * that are current. */
typedef void store_file_fn(void *ctx, const struct store_file *file, enum store_plan_state plan);
MUST_CHECK enum err store_files_each(struct store *store, uint32_t version, const char *engine,
                                     store_file_fn *each, void *ctx);
/* Those below a folder that are not missing, each lent for the call. */
typedef void store_below_fn(void *ctx, const struct store_file *file);
MUST_CHECK enum err store_files_below(struct store *store, const char *folder, store_below_fn *each,
                                      void *ctx);
/* NOT_FOUND: no such row, or it is missing. */
MUST_CHECK enum err store_file_find(struct store *store, const char *id, struct store_file *out);

/* What a walk found; all of one list is done or none of it. */
enum store_change_kind {
    STORE_ADD,     /* a row; id, folder, path, name, size, mtime, dev, hash, state, reason, times */
    STORE_PLACE,   /* here (again): folder, path, name, dev; neither missing nor offline */
    STORE_CONTENT, /* other bytes under its path: size, mtime, hash; waits for a look; not offline */
    STORE_REFUSE,  /* cannot be read: reason; not offline */
    STORE_OFFLINE, /* its disk is not there */
    STORE_MISSING  /* gone: missing_ms */
};
struct store_change {
    enum store_change_kind kind;
    struct store_file file;        /* borrowed; `title` is filled in */
    const struct store_name *name; /* ADD, and PLACE when the name changed; else NULL */
    /* filled in: the title it was of before, and the show of which an episode's file goes; "" = none, or the same */
    char old_title[STORE_ID_SIZE], old_show[STORE_ID_SIZE];
};
/* BUSY: a path stands there twice; IO. */
MUST_CHECK enum err store_files_change(struct store *store, struct store_change *changes,
                                       size_t count);

/* What a look into the file found, if it still has this identity (its hash may be new): else
 * nothing happens, NOT_FOUND. `title` is filled in. */
struct store_look {
    const char *file;
    struct store_identity identity;
    enum store_file_state state;
    const char *reason;  /* NULL where it can be played */
    int64_t duration_ms; /* -1 = unknown */
    /* a plan, or bytes NULL. One that wants a scan stands beside the one that is made after it. */
    const uint8_t *bytes;
    size_t size;
    bool wants_scan;
    uint32_t version;
    const char *engine;
    int64_t made_ms;
    char title[STORE_ID_SIZE];
};
MUST_CHECK enum err store_file_looked(struct store *store, struct store_look *look);
/* The plan for the file as it is now, and the one that it replaced, which some may still hold: NULL
 * where there is none. The caller's (store_plans_fini). NOT_FOUND: neither. */
struct store_plans {
    uint8_t *bytes, *first;
    size_t size, first_size;
};
void store_plans_fini(struct store_plans *plans);
MUST_CHECK enum err store_plans_find(struct store *store, const char *file, uint32_t version,
                                     const char *engine, struct store_plans *out);
/* Rows that were missing before `missing_ms` go for good. */
MUST_CHECK enum err store_files_purge(struct store *store, int64_t missing_ms);

struct store_title {
    char id[STORE_ID_SIZE];
    char *kind, *title, *sort;
    int year; /* 0 = unknown */
    int age;  /* of those whom it is for, in years; AGE_UNRATED */
    int64_t added_ms;
    /* the viewer's, where there is one */
    bool is_watched, has_progress;
    struct store_progress progress;
    /* those that are not missing, at least one; of a show, one that speaks for all of its episodes' */
    struct store_file *files;
    size_t file_count;
    /* of an episode */
    char show[STORE_ID_SIZE]; /* "": it is none */
    char *show_title;
    int season, episode, last_episode;
    /* of a show: what is there of it */
    struct store_season *seasons;
    size_t season_count;
    int youngest; /* the lowest age that one of them is for; AGE_UNRATED: nobody has said of any */
};
struct store_season {
    int number;
    unsigned episodes, watched; /* by the viewer */
};
void store_title_fini(struct store_title *title);
/* NOT_FOUND: no such title, or none of its files is there, or the viewer (NULL: the server itself) may not
 * know of it. */
MUST_CHECK enum err store_title_find(struct store *store, const char *id,
                                     const struct store_viewer *viewer, struct store_title *out);
/* The episodes of a show that are there, of one season or (-1) of all, in their order. NOT_FOUND: it is no show, or the
 * viewer may not know of it. */
struct store_titles;
MUST_CHECK enum err store_episodes_list(struct store *store, const char *show,
                                        const struct store_viewer *viewer, int season,
                                        struct store_titles *out);
/* What comes after an episode; of a show what the viewer goes on with. NOT_FOUND: nothing is left, or it is neither. */
MUST_CHECK enum err store_next_find(struct store *store, const char *item,
                                    const struct store_viewer *viewer, struct store_title *out);
/* For what age it is, and, of a show, each of its episodes; or AGE_UNRATED. NOT_FOUND: no such title. */
MUST_CHECK enum err store_title_rate(struct store *store, const char *id, int age);

struct store_titles_query {
    const struct store_viewer *viewer; /* NULL: the server itself */
    const char *search;                /* folded words, each a part of the title; or NULL */
    const char *kind;                  /* or NULL */
    bool by_added;                     /* latest first; else by title */
    size_t limit, offset;
    /* after this one, or NULL: its sort text, its added_ms, its id */
    const char *after_sort, *after_id;
    int64_t after_added_ms;
};
struct store_titles {
    struct store_title *items;
    size_t count;
    bool has_more;
};
void store_titles_fini(struct store_titles *titles);
MUST_CHECK enum err store_titles_list(struct store *store, const struct store_titles_query *query,
                                      struct store_titles *out);
/* How many in all, and at each letter, in the order of the list by title. */
typedef void store_letter_fn(void *ctx, const char *letter, int64_t count);
MUST_CHECK enum err store_titles_letters(struct store *store,
                                         const struct store_titles_query *query,
                                         store_letter_fn *each, void *ctx);
