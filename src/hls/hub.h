/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the hub share: the one loop that owns all rooms, jobs and media processes.
 * hls.c starts and ends it, room.c opens films and answers asks, job.c makes segments, worker.c
 * holds processes, planner.c makes plans, probe.c serves the library. Nobody else includes this. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/loop.h"
#include "base/pool.h"
#include "hls/ask.h"
#include "hls/cache.h"
#include "hls/film.h"
#include "hls/hls.h"
#include "hls/segment.h"
#include "hls/shelf.h"
#include "segments/storyboard.h"

enum { STORYBOARD_NAME_SIZE = 33 }; /* 16 bytes in hex */

struct admission;
struct hardware;
struct room;
struct send_budget;
struct texts;
struct source_pools;

/* A segment of a room. Life: idle -> (looking in the cache) -> queued -> running -> done, and back
 * to idle when it is forgotten; a transcode running -> sealing -> done; running -> lost (its process died) -> running alone -> done | bad. */
#define ENTRY_STATES(S)                                                                            \
    S(IDLE, "idle")                                                                                \
    S(LOOKING, "looking")                                                                          \
    S(QUEUED, "queued")                                                                            \
    S(RUNNING, "running")                                                                          \
    S(LOST, "lost")                                                                                \
    S(SEALING, "sealing")                                                                          \
    S(DONE, "done")

#define ENTRY_STATE(name, text) ENTRY_##name,
enum entry_state { ENTRY_STATES(ENTRY_STATE) };
#undef ENTRY_STATE

struct worker;

struct entry {
    struct room *room;
    uint32_t rendition, n;
    enum entry_state state;
    struct segment *segment; /* what readers get; NULL while there is nothing to listen to */
    struct worker *worker;   /* running: whose job */
    uint64_t job;            /* running */
    unsigned askers;         /* open asks */
    unsigned deaths;         /* processes that died with it in hand */
    uint64_t wish;           /* the order of the newest ask; 0: made ahead */
    int64_t left_ms;         /* when the last asker left */
    int64_t lost_ms;
    struct why lost_why;     /* what it failed with when it was lost */
    bool is_stored;          /* was in the cache when last looked at */
    uint64_t held_bytes;     /* done: what it costs to keep */
    double units;            /* running: its work, as admission.h counts */
    uint64_t device;         /* running on one: which (worker.device) */
    TAILQ_ENTRY(entry) link; /* done: hls.held, oldest first; else room.active */
};
TAILQ_HEAD(entry_list, entry);

/* A media process of a room: the one for all, or one for a segment that a process died of. */
struct worker {
    struct room *room; /* NULL once it is let go */
    struct hls *hls;
    struct media *media; /* NULL once dead */
    struct wants *wants; /* with media */
    bool is_solo;
    uint64_t device; /* the one it was given last, counted by hls.devices; 0: none yet */
    unsigned running;
    int64_t used_ms;
    /* what its pictures cost: since the measure was begun */
    int64_t cpu_ms;
    double units; /* of those that are done */
    unsigned done;
    bool is_spoiled; /* work that is not in `units` was done */
};

/* Where a viewer is: what is made ahead for. */
struct viewer {
    char playback[ASK_PLAYBACK_SIZE];
    enum plan_kind kind;
    uint32_t rendition, n;
    int64_t seen_ms;
};

/* An open film with its plan. Life: opening (find, open, perhaps plan) -> ready -> (old: another plan
 * took its place, and only those who hold this one still ask for it) -> ended. */
enum room_state { ROOM_OPENING, ROOM_READY };

struct room {
    struct hls *hls;
    uint64_t serial; /* pool work names rooms by it */
    char id[FILM_ID_SIZE];
    enum room_state state;
    struct film *film;     /* ready */
    struct beside *beside; /* opening: found beside its file; NULL: nothing was looked for */
    struct planner *planner;
    struct entry ***slots;    /* ready: [rendition][n], made when first touched */
    struct entry_list active; /* entries that are neither idle nor done */
    struct ask **asks;
    size_t ask_count, ask_room;
    bool is_unsettled; /* asks of one playback came in one moment */
    struct viewer *viewers;
    size_t viewer_count, viewer_room;
    struct worker *worker, *solo;
    unsigned deaths;
    int64_t used_ms;
    bool is_warm, is_warm_native; /* hls_warm while opening */
    int64_t warm_ms;
    bool is_scheduled; /* job_schedule is posted */
    bool is_robbed;    /* its process was needed elsewhere, until somebody waits here again */
    bool is_old;
    bool is_replanned; /* opening: a newer plan was stored meanwhile */
    unsigned device_failures;
    uint64_t failed_device; /* the last one that failed */
    TAILQ_ENTRY(room) link;
};
TAILQ_HEAD(room_list, room);

/* A segment that two processes died of (decision 20): of the file, plan and rendition of its key. */
struct bad {
    struct film_key key;
    uint32_t n;
    struct why why;
};

struct hls_counters {
    atomic_ullong asks, joined, cache_hits, made, failed, deaths, sent_bytes, broken, probes;
    atomic_ullong storyboards, fingerprints;
    atomic_uint rooms, processes;
};

struct hls {
    /* fixed after start */
    struct hls_options options; /* defaults filled in */
    struct hls_library library;
    struct media_host *host;
    struct loop *loop;
    struct mailbox *mailbox;
    struct pool *pool;  /* finds, opens, the cache */
    struct pool *seals; /* no disk keeps it from finished segments */
    struct cache *cache;
    struct cache *pictures;     /* storyboards; NULL: none are made */
    struct cache *fingerprints; /* and markers; NULL: no intros are looked for */
    struct send_budget *budget;
    struct source_pools *sources;
    struct shelf *shelf;
    struct admission *admission;
    struct hardware *hardware;
    struct hls_counters counters;
    /* hub's loop */
    struct room_list rooms;
    uint64_t serial, wishes, devices;
    struct entry_list held; /* done entries, oldest use first */
    uint64_t held_bytes;
    struct bad *bads;
    size_t bad_count, bad_room;
    struct probe_queue *probes;
    struct trial *trial;             /* NULL: over */
    struct storyboards *storyboards; /* NULL: none are made */
    struct intros *intros;           /* NULL: none are looked for */
    int64_t asked_ms;                /* when somebody last asked for a segment */
    struct texts *texts;             /* fixed after start */
    uv_timer_t tick;
    bool is_stopping;
};

/* --- room.c --- */
void room_tick(struct hls *hls, int64_t now_ms);
/* Ends a room that is opening, for which nobody waits, and whose process sleeps for bytes. */
bool room_end_sleeper(struct hls *hls);
/* All asks hear `kind`; jobs end; the room is gone afterwards. */
void room_end(struct room *room, enum err kind, const struct why *why);
struct room *room_by_serial(struct hls *hls, uint64_t serial);
/* Tells the waiting asks of an entry what there is: its segment, or a failure. */
void room_answer_entry(struct room *room, struct entry *entry, enum err kind,
                       const struct why *why);
/* The film gets another plan (decision 12): asks of the old one hear GONE. */
void room_replan(struct room *room, struct plan **plan, const struct why *why);
/* The film gets another plan for those who open it from now on; this one stays valid for those who
 * hold it (decision 11). */
void room_succeed(struct room *room, struct plan **plan);
/* The same with a plan that the library has stored. */
void room_plan_stored(struct hls *hls, const char *id);
void room_warm(struct hls *hls, const char *id, int64_t position_ms, bool native);
void room_forget(struct hls *hls, const char *id);
/* The playback is over: nothing is made ahead of it any more. */
void room_leave(struct hls *hls, const char *playback);

/* --- job.c --- */
struct entry *job_entry(struct room *room, uint32_t rendition, uint32_t n);
/* Somebody wants it: starts or joins. `is_ahead`: nobody waits yet. */
void job_want(struct entry *entry, bool is_ahead);
/* Only what is there: done, or in the cache. True: an answer will come through
 * room_answer_entry, or the segment is there already. */
bool job_peek(struct entry *entry);
/* Video transcodes: what keeps all cores busy. */
bool job_is_video_run(const struct entry *entry);
/* Made, or being made, or in the cache. */
bool job_is_there(const struct entry *entry);
void job_left(struct entry *entry);
/* Somebody waits for what this job makes. */
bool job_is_awaited(const struct worker *worker, uint64_t job);
/* Posts a look at what to start next. */
void job_schedule(struct room *room);
void job_tick(struct room *room, int64_t now_ms);
/* For who waits, and was sent nothing yet: others have to break. */
void job_make_again(struct entry *entry, const struct why *why);
/* Its process died, or the room ends. */
void job_lost(struct entry *entry, const struct why *why);
/* All that is under way for nobody who waits. */
void job_cancel_all(struct room *room);
/* The room ends: segments under way fail so. */
void job_forget_all(struct room *room, enum err kind, const struct why *why);
const struct bad *job_bad(const struct entry *entry);

/* --- job_device.c: segments that a device makes (decision 23) --- */
/* Its init segment: number plan_segment_count. */
bool job_is_init(const struct entry *entry);
bool job_is_on_device(const struct entry *entry);
/* The process gets a device where it has none that lives. */
void job_give_device(struct entry *entry, struct worker *worker);
/* The device failed it: it is made again with another process of that; where that has been, the film
 * goes without the device from now on. */
void job_device_failed(struct entry *entry, const struct worker *worker, const struct why *why);
/* The film goes on without: its renditions of the device are gone. */
void job_device_off(struct room *room, const struct why *reason);

/* --- worker.c --- */
/* The room's process, started when there is none; `is_awaited`: for who waits. BUSY. */
MUST_CHECK enum err worker_get(struct room *room, bool is_solo, bool is_awaited,
                               struct worker **out, struct why *why);
/* Ends the process after the present callback; jobs of it must be over. NULL is accepted. */
void worker_let_go(struct worker **worker);

/* --- planner.c --- */
struct planner;
/* `plan` and `bytes` are the callee's to take. */
typedef void planner_done_fn(void *ctx, enum err kind, const struct why *why, struct plan **plan,
                             uint8_t **bytes, size_t size);
/* How far a film without an index was read through: above 0 up to 1, a few times a second. May not
 * stop the planner. */
typedef void planner_progress_fn(void *ctx, double fraction);
struct planner_job {
    bool scan;                     /* a film without an index is read through for one */
    planner_done_fn *done;         /* called once, never inside a call; not after planner_stop */
    planner_progress_fn *progress; /* of a scan; may be NULL */
    void *ctx;
};
/* Makes a plan in a process of its own, again in an exec'ed one when that dies. */
struct planner *planner_start(struct hls *hls, struct source *source, const char *label,
                              const struct planner_job *job);
void planner_stop(struct planner **planner);
/* Its process sleeps for bytes that are still to come. */
bool planner_sleeps(const struct planner *planner);
/* As planner_stop, and its process has ended when this returns. Not inside a call from that. */
void planner_end(struct planner **planner);
/* Ends a process for one that is needed now: that of a scan, that of the room that idles longest, or of
 * one for which nobody waits and which itself waits for bytes; for who waits (`is_awaited`) also that of
 * what is made ahead of somebody. False: all of them are needed. */
bool worker_end_one(struct hls *hls, const struct room *but, bool is_awaited);

/* --- trial.c --- */
/* The machine is measured, a second from now. */
struct trial *trial_start(struct hls *hls);
/* NULL is accepted. */
void trial_stop(struct trial **trial);

/* --- probe.c --- */
/* Ends a scan under way, and its process at once: BUSY, another time. Not inside a call from its
 * process. False: there is none. */
bool probe_end_scan(struct hls *hls);
struct probe_queue *probe_queue_new(struct hls *hls);
/* All that wait or plan hear CANCELLED. */
void probe_queue_stop(struct probe_queue *queue);
void probe_queue_free(struct probe_queue **queue);

/* --- storyboard.c: pictures of a film from end to end, made when nobody waits for anything, one film
 * at a time, and kept on disk. Life of one: wanted -> being made -> being stored -> there; or let go,
 * to be wanted again. --- */
struct storyboards;
struct storyboards *storyboards_new(struct hls *hls);
/* None is begun any more; the one under way ends. NULL is accepted, as below. */
void storyboards_stop(struct storyboards *boards);
void storyboards_free(struct storyboards **boards);
/* The film is looked at: makes its storyboard some time, where it has none and is all there. */
void storyboards_want(struct hls *hls, struct film *film);
void storyboards_tick(struct hls *hls, int64_t now_ms);
/* Ends the one that is made, whose process is needed for a viewer; it is wanted still. */
bool storyboards_end_one(struct hls *hls);
/* One is made, or wanted. */
bool storyboards_are_due(const struct hls *hls);
/* What nobody waits for may begin, having waited since then: all is quiet, or, where it never is, nobody
 * waits for anything just now. */
bool storyboards_is_time(const struct hls *hls, int64_t since_ms, int64_t now_ms);

/* --- intros.c: what episodes have in common with others of their season: where their intros and credits
 * are. Made when nobody waits for anything and no storyboard is due, one episode at a time, and kept on
 * disk. Life of a season: wanted (by one of its files) -> its episodes are listened to -> compared. --- */
struct intros;
struct intros *intros_new(struct hls *hls);
/* None is begun any more. NULL is accepted, as below. */
void intros_stop(struct intros *intros);
void intros_free(struct intros **intros);
void intros_want(struct hls *hls, const char *id);
void intros_tick(struct hls *hls, int64_t now_ms);
/* As storyboards_end_one. */
bool intros_end_one(struct hls *hls);

/* --- storyboard_keep.c --- */
struct storyboard {
    uint32_t width, height; /* of a picture */
    uint32_t count;
    int64_t at_ms[STORYBOARD_MOST]; /* rising from 0 */
    int64_t end_ms;                 /* of the film */
    struct storyboard_sheet {
        uint64_t offset, length;
        uint32_t count;                  /* pictures on it */
        char name[STORYBOARD_NAME_SIZE]; /* hash of its content, once stored */
    } sheets[STORYBOARD_MOST / STORYBOARD_SHEET + 1];
    uint32_t sheet_count;
};
/* Keys of the text, and of the sheet of that name. Any thread. */
void storyboard_key(const struct film *film, struct cache_key *out);
void storyboard_sheet_key(const char *file, struct slice name, struct cache_key *out);
/* Puts sheets (parts of `fd`) and then the text into the cache. Sleeps; on the pool. IO, LIMIT. */
MUST_CHECK enum err storyboard_store(struct cache *cache, const struct film *film, int fd,
                                     struct storyboard *board);
/* The text: WebVTT, a cue a picture, `storyboard/{name}.jpg#xywh=x,y,w,h`. Pure. */
void storyboard_write(const struct storyboard *board, struct str *out);
/* True when all sheets that a text names are there: what was long not looked at may have gone. Never
 * sleeps. */
bool storyboard_is_whole(struct cache *cache, const char *file, struct slice text);
