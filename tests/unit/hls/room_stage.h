/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stage of the room tests: a hub with fake media processes, a library of two films "a" and "b",
 * and asks from a loop of their own. */
#pragma once

#include "base/loop.h"
#include "fake_media.h"
#include "hls/ask.h"
#include "hls/hub.h"

enum {
    STAGE_HOLD_MS = 1200,
    STAGE_HEARTBEAT_MS = 100,
    STAGE_STORYBOARD_BYTES = 1 << 20,
    STAGE_FINGERPRINT_BYTES = 1 << 20
};
/* renditions of the fixture; the last two with a device */
enum { VIDEO_COPY, VIDEO_720P, AUDIO_COPY, AUDIO_AAC, VIDEO_360P, DEVICE_720P, DEVICE_360P };

struct stage {
    struct media_host *host; /* hls's; for use on the hub */
    struct hls *hls;
    struct loop *loop; /* of those who ask */
    char folder[64];
    char *films[2];
    pthread_mutex_t lock;
    /* under lock: what the library has stored */
    uint8_t *plans[2];
    size_t plan_sizes[2];
    uint8_t *first; /* of "a": what its plan replaced */
    size_t first_size;
    struct source_identity identities[2];
    unsigned kept;
    struct source *sparse; /* NULL, or what "a" is: a source that fills */
    unsigned fetches;      /* how often its filler was woken */
    bool lacks_index;      /* the plan of a film that is not scanned wants_scan */
    bool is_alone;         /* "a" is no episode of the season that "b" is of */
    unsigned marked;       /* how often the library heard of other markers */
    unsigned progress;     /* how often the library heard of it */
    double fraction;       /* what it heard last */
};

struct asked {
    struct stage *stage;
    struct ask *ask;
    struct ask_options options;
    /* under stage->lock */
    unsigned answers;
    enum err kind;
    struct why why;
    struct film *film;
    struct segment *segment;
};

int stage_set_up(void **state);
int stage_set_up_storyboards(void **state); /* they are made */
int stage_set_up_intros(void **state);      /* they are looked for: "a" and "b" are of a season */
int stage_set_up_device(void **state);      /* there is one that encodes */
int stage_set_up_device_late(void **state); /* and at first no zygote to try it */
int stage_tear_down(void **state);
/* The library forgets the plan of a film, so that it has to be made. */
void stage_without_plan(struct stage *stage, int film);
/* It has the usual one. */
void stage_with_plan(struct stage *stage, int film);
/* "a" is still on its way: nothing of it is there. */
void stage_with_sparse(struct stage *stage);
/* Bytes of it come. */
void stage_fill(struct stage *stage, uint64_t begin, uint64_t end);
/* What `film` is made from is what the plan of "a" replaced. */
void stage_with_first(struct stage *stage, const struct film *film);

void stage_ask(struct stage *stage, struct asked *asked, enum ask_kind kind, const char *file,
               const char *rendition, uint32_t n, const char *playback);
/* Of "a", as who holds this film asks for it. */
void stage_ask_held(struct stage *stage, struct asked *asked, const struct film *held,
                    uint32_t rendition, uint32_t n);
void stage_ask_version(struct stage *stage, struct asked *asked, const char *version);
void stage_close(struct asked *asked);
/* Waits for the `count`th answer, says its kind. */
enum err stage_answer(struct asked *asked, unsigned count);
/* Waits until the segment it was answered with is in this state. */
void stage_until(struct asked *asked, enum segment_state state);

/* Waits for the job, then does it. WANT: the byte 70000 of the source. A part of a plan: a sign of life, then that a quarter is read. */
enum stage_act {
    ACT_NOTHING,
    ACT_PART,
    ACT_DONE,
    ACT_GONE,
    ACT_BAD,
    ACT_REFUSED,
    ACT_DIE,
    ACT_JUDGE,
    ACT_WANT
};
void stage_act(struct stage *stage, enum stage_act act, uint32_t rendition, uint32_t n);
void stage_plan(struct stage *stage, enum stage_act act);
bool stage_has_job(struct stage *stage, uint32_t rendition, uint32_t n);
/* Runs after all that is posted to the hub now, and what that posts. */
void stage_settle(struct stage *stage);
unsigned stage_running(struct stage *stage);
