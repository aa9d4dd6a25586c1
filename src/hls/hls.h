/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HLS as the rest of the server sees it: handlers for /hls/..., plans for the library scan, warm
 * rooms for a playback that was just asked for. Inside: film.c (an open film: source, plan),
 * playlist.c (pure text from a plan), room.c (one open film's process and jobs, on the hub's loop),
 * segment.c (pieces of a segment that grows, shared by all who wait), cache.c, routes.c.
 * Threads: handlers on http loops; rooms on a loop of their own ("hub"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "base/why.h"
#include "hls/media.h"
#include "http/http.h"
#include "segments/plan.h"
#include "source/source.h"

struct hls;

/* What hls asks of the library. Called on hls's own pool threads, where they may block, but for
 * `progress`. */
struct hls_file {
    char *path;                      /* mem_free; its name says what it is */
    struct source *source;           /* a reference; NULL = the file at `path` is opened */
    struct source_identity identity; /* as last seen by the library */
    uint8_t *plan;                   /* mem_free; NULL = none stored for this identity */
    size_t plan_size;
    uint8_t *first; /* mem_free; the plan that this one replaced, some may hold it (decision 11) */
    size_t first_size;
};
/* An episode of a season that can be played, and which bytes it is of. */
struct hls_episode {
    char id[32];
    int number;
    uint64_t size;
    uint8_t hash[32]; /* of its source_identity */
};
struct hls_season {
    struct hls_episode *episodes; /* mem_free; by number */
    size_t count;
};
typedef void hls_file_fn(void *ctx, const char *file_id);
struct hls_library {
    void *ctx;
    /* NOT_FOUND: no such file id; BAD_MEDIA with the reason: it cannot be played. */
    enum err (*find)(void *ctx, const char *file_id, struct hls_file *out, struct why *why);
    /* Keep this plan for (file, identity). One that wants_scan takes nobody's place. */
    void (*keep_plan)(void *ctx, const char *file_id, const struct source_identity *identity,
                      const uint8_t *plan, size_t size);
    /* The film does not say how long it is, and is read through for that, so far: up to 1, a few
     * times a second. On the hub's loop: must not wait. May be NULL. */
    void (*progress)(void *ctx, const char *file_id, double fraction);
    /* No plan can be made of the film, and none will come by itself. On the hub's loop: must not wait.
     * May be NULL. */
    void (*failed)(void *ctx, const char *file_id, const struct why *why);
    /* The season that the file is an episode of, itself among them; none where it is no episode. False: not
     * now. May be NULL, as the next two: then no intros are looked for. */
    bool (*season)(void *ctx, const char *file_id, struct hls_season *out);
    /* An episode of each season of which there are two, lent for the call. */
    void (*seasons)(void *ctx, hls_file_fn *each, void *each_ctx);
    /* hls_markers would say another thing of the file. */
    void (*marked)(void *ctx, const char *file_id);
};

struct hls_options {
    struct media_host *host;    /* started; hls takes it on success (it lives on the hub's loop):
                                 * hls_start attaches it, hls_stop ends it */
    const char *data_folder;    /* cache stands in data_folder/cache */
    uint64_t cache_bytes;       /* 0 = 4 GiB */
    uint64_t storyboard_bytes;  /* data_folder/storyboards; 0: none are made */
    uint64_t fingerprint_bytes; /* data_folder/fingerprints; 0: no intros are looked for */
    uint64_t send_buffer_bytes; /* 0 = 64 MiB (decision 17) */
    unsigned cores;             /* to share among viewers; 0 = those of this machine */
    const char *hardware;       /* hardware.h's setting; NULL: off */
    bool trial;                 /* the machine is measured soon after the start */
    unsigned ahead_s;           /* how far encoders keep ahead; 0 = 30 */
    int64_t idle_ms;            /* a room that nobody uses ends after; 0 = 60 s */
    int64_t hold_ms;            /* mse hold; 0 = 20000. Tests make it short. */
    int64_t heartbeat_ms;       /* native; 0 = 2000 */
};

MUST_CHECK enum err hls_start(const struct hls_options *options, const struct hls_library *library,
                              struct hls **out, struct why *why);
/* After http_stop, since requests hold on to rooms. Ends the media processes and the host. */
void hls_stop(struct hls **hls);

/* For the route table of main: /hls/{file}/master.m3u8, /hls/{file}/{rendition}/{name},
 * /hls/{file}/storyboard.vtt with its pictures /hls/{file}/storyboard/{hash}.jpg, and the same
 * under /hls/~{token}/ (later); /api/v1/files/{id}/raw. ctx is the struct hls. */
void hls_serve_master(struct request *request, void *hls);
void hls_serve_media(struct request *request, void *hls);
void hls_serve_storyboard(struct request *request, void *hls);
void hls_serve_raw(struct request *request, void *hls);

/* /api/v1/files/{id}/subtitles and /subtitles/{name}: all that a film has, and one of them whole. */
void hls_serve_subtitles(struct request *request, void *hls);
void hls_serve_subtitle(struct request *request, void *hls);
/* /api/v1/files/{id}/fonts/{n}: those that are attached to the film, from 1 on. */
void hls_serve_font(struct request *request, void *hls);

/* A plan for a file on disk, for the library scan. `plan` is lent for the call; NULL with kind and
 * why on failure. */
typedef void hls_probed_fn(void *ctx, enum err kind, const struct why *why,
                           const struct source_identity *identity, const struct plan *plan,
                           const uint8_t *bytes, size_t size);
struct hls_probe_job {
    const char *path;    /* lent for the call */
    bool scan;           /* a film without an index is read through for one */
    hls_probed_fn *done; /* once, on the mailbox's loop */
    void (*progress)(void *ctx,
                     double fraction); /* of a scan, up to 1, a few times a second, before
                                                   * `done`; on the hub's loop, must not wait */
    void *ctx;
    struct mailbox *mailbox;
};
/* Any thread. Queued behind at most two. A scan that finds that the film cannot be read through says
 * so in the plan that is made without; one whose process is needed for a viewer ends with BUSY. */
void hls_probe(struct hls *hls, const struct hls_probe_job *job);
/* Scans end with CANCELLED. Any thread. */
void hls_stop_scans(struct hls *hls);
/* A plan was stored for the file in place of one that wants_scan: who opens it from now on gets that
 * one, who holds the other keeps it (decision 11). Any thread. */
void hls_plan_stored(struct hls *hls, const char *file_id);

struct hls_wish {
    const char *file, *playback, *caps; /* caps: as in URLs */
    int64_t position_ms;
    const uint8_t *plan;
    size_t plan_size;
};
/* Promises the playback transcodes of the film's picture, as far as the machine can make them beside
 * what it has promised to others. OK: it can play; why->text says why larger pictures are not among them, ""
 * when all are. BUSY, with the reason for a person: nothing of it could be shown now. Any thread. */
MUST_CHECK enum err hls_admit(struct hls *hls, const struct hls_wish *wish, struct why *why);
/* The playback is over: what was promised to it is free, and nothing is made ahead of it. Any thread. */
void hls_leave(struct hls *hls, const char *playback);

/* Opens the room of a file and makes ready what a player asks first at `position_ms`. */
void hls_warm(struct hls *hls, const char *file_id, int64_t position_ms, bool native);
/* What lies beside an open film may have come or gone: looks again. Blocks; any thread but a loop. */
void hls_look_beside(struct hls *hls, const char *file_id);
/* The intro and the credits of an episode are looked for some time, by what it has in common with others
 * of its season. Any thread. */
void hls_want_markers(struct hls *hls, const char *file_id);
/* Those that were found of these bytes of the file: an array of schema Marker, a new reference. Reads the
 * disk; any thread but a loop. */
json_t *hls_markers(struct hls *hls, const char *file_id, const struct source_identity *identity);
/* The library no longer has the file, or has another under this id: rooms end, caches forget. */
void hls_forget(struct hls *hls, const char *file_id);

/* A description of a plan for people and clients: tracks, renditions, verdicts with reasons,
 * chapters: the JSON of `matinee inspect` and of GET /api/v1/files/{id}. New reference. */
json_t *hls_describe(const struct plan *plan);
/* Adds to each track of a description of the plan how a script's player with these words of `caps`
 * gets it ("": it said nothing). */
void hls_describe_for(const struct plan *plan, const char *caps, json_t *media);
void hls_metrics(struct hls *hls, struct str *out);
/* What encodes beside x264, or why nothing does, in words; appended. Any thread. */
void hls_hardware(struct hls *hls, struct str *out);
/* The hub and the zygote answered within `timeout_ms`: for /healthz. Any thread but a loop. */
bool hls_is_alive(struct hls *hls, int64_t timeout_ms);
