/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The media engine's face: a film in, a plan and segments out. Knows nothing of HTTP, accounts,
 * torrents, processes. A segment is a function of (film, plan, rendition, n) and of nothing else:
 * whatever the engine keeps warm between segments (readers, decoders) never shows in the bytes.
 * Threads: engine_segments may run in several threads at once; each run inside belongs to one. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/input.h"
#include "segments/plan.h"
#include "segments/sink.h"

struct engine;
struct gpu_link;

/* What encoders are told that is not of the plan. All of it stands in the renditions' keys. */
struct engine_options {
    const char *preset;   /* x264's; NULL = "veryfast" */
    uint32_t threads;     /* of each decoder, filter graph and encoder; 0 = 2 */
    uint32_t runs;        /* warm decoders kept; 0 = 2 */
    struct gpu_link *gpu; /* what encodes renditions of devices; NULL: nothing does */
};

/* Loads what may need files or dlopen, before the process is locked down. Once, one thread. */
void engine_preload(void);
/* "x264-164 lavc-59.37 ..." and the options: enters `v` (decision 2). Constant for a build. */
const char *engine_version(void);

/* How a plan is made. */
typedef void engine_progress_fn(void *ctx, double fraction);
struct engine_plan_job {
    bool scan; /* a film without an index is read through for one; else its plan wants_scan */
    _Atomic bool *cancelled; /* may be NULL */
    /* May be NULL; hears of every read, and how far the film was read through: 0, but for scans; it
     * never falls. */
    engine_progress_fn *progress;
    void *ctx;
};

/* Makes the plan of a film never seen before. BAD_MEDIA with the words for a person where nothing of
 * it can be played; CANCELLED; IO. */
MUST_CHECK enum err engine_plan(struct input *input, const struct engine_options *options,
                                const struct engine_plan_job *job, struct plan **out,
                                struct why *why);

/* A whole subtitle as a file: convert.h. `plan` may be NULL. `tick` may be NULL; hears of every read. */
struct convert_what;
struct str;
typedef void engine_tick_fn(void *ctx);
MUST_CHECK enum err engine_convert(struct input *input, const struct plan *plan,
                                   const struct convert_what *what, _Atomic bool *cancelled,
                                   engine_tick_fn *tick, void *tick_ctx, struct str *out,
                                   struct why *why);

/* Opens an engine over `input` and `plan`, both borrowed until engine_close. Reads nothing yet. */
MUST_CHECK enum err engine_open(struct input *input, const struct plan *plan,
                                const struct engine_options *options, struct engine **out);
void engine_close(struct engine **engine);
/* Takes the socket of a device's process (gpu.h): it makes from now on what renditions of devices
 * need; segments under way stay with the one before. */
void engine_use_gpu(struct engine *engine, int *socket);

/* Said at least once per decoded frame or packet: "still alive". */
typedef void engine_tick_fn(void *ctx);

/* A film in small pictures (storyboard.h), told as they are made: each picture with its media time, and
 * after those of a sheet the sheet, JPEG. What the callbacks answer but OK ends it. */
struct engine_storyboard {
    enum err (*picture)(void *ctx, int64_t at_ms, uint32_t width, uint32_t height);
    enum err (*sheet)(void *ctx, const void *bytes, size_t size);
    engine_tick_fn *tick;
    _Atomic bool *cancelled;
    void *ctx; /* of all */
};
/* BAD_MEDIA: the film has no picture, or none of its key frames decodes; CANCELLED; IO; GONE. */
MUST_CHECK enum err engine_storyboard(struct engine *engine, const struct engine_storyboard *job,
                                      struct why *why);

/* What the film sounds like at its two ends (fingerprint.h), the caller's. BAD_MEDIA: it has no sound, or
 * none that decodes; CANCELLED; IO; GONE. */
struct fingerprint;
struct engine_listening {
    engine_tick_fn *tick;
    _Atomic bool *cancelled;
    void *ctx;
};
MUST_CHECK enum err engine_fingerprint(struct engine *engine, const struct engine_listening *job,
                                       struct fingerprint *out, struct why *why);

/* One segment of several video transcodes at once: decoded once, scaled to each. */
struct engine_output {
    uint32_t rendition; /* index into the plan's renditions */
    struct sink sink;
    enum err result; /* set by the call, each output for itself */
    struct why why;
    struct why verdict; /* with OK: why the next plan should offer no such copy; "" = none */
};

/* Makes segment `n` for each output and flushes part by part. Outputs of one call are either
 * any number of video transcodes with the same subtitles drawn in, or none, or one rendition of any other kind. `cancelled` (may be NULL) ends it with CANCELLED.
 * Each output's result: BAD_MEDIA: the source differs from the plan, or cannot be decoded here;
 * CANCELLED; IO; LIMIT; GONE: parameter sets changed (decision 12); REFUSED: its device failed; or what
 * its sink said. Of a rendition of a device segment plan_segment_count is its init segment.
 * `tick` (may be NULL) is called at least once per decoded frame or packet: "still alive". */
void engine_segment(struct engine *engine, uint32_t n, struct engine_output *outputs,
                    size_t output_count, _Atomic bool *cancelled, engine_tick_fn *tick,
                    void *tick_ctx);
