/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Admission control: what converting pictures costs this machine, and to whom how much of it is
 * promised. A viewer is promised transcodes of pictures up to some size, from what the others have
 * left; that much is kept for him as long as he watches, so that nobody who comes later takes it from
 * him. Copies cost next to nothing and are everybody's.
 * Costs: a rendition's work is counted in pictures' samples (units a second of film, from sizes,
 * rates and codecs); what a unit takes of a core is measured: at start on a film of noise (trial.c), and
 * on every film while it is converted.
 * Life of a promise: offered -> (lapsed after ADMISSION_OFFER_MS) -> used, renewed by each segment -> lapsed after ADMISSION_LIFE_MS, or
 * given back (admission_leave). Threads: any; one lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "segments/plan.h"

/* Who was not heard of for so long watches something else, or is paused; who has not begun, never will. */
#define ADMISSION_LIFE_MS  60000
#define ADMISSION_OFFER_MS 15000

struct admission;

/* Who asks. */
struct admission_viewer {
    const char *playback; /* "": all of the film's viewers without one share a promise */
    const char *film;     /* its id */
    const struct plan *plan;
    bool is_device_off;    /* what a device makes is not to be had (film.h) */
    uint64_t device_speed; /* luma samples a second that it makes; 0: as many as one likes */
    int64_t position_ms;   /* media time; -1: not known */
};

struct admission_offer {
    uint64_t most_pixels; /* width times height of the largest transcode; 0: none of them */
    struct why why;       /* why not the larger ones; "" when there are none */
};

/* `cores`: what there is to share; 0: those of this machine. */
struct admission *admission_new(unsigned cores);
void admission_free(struct admission **admission);

/* What the viewer may choose from; promised to him from now on. The same playback hears the same again
 * while its promise lasts. Alone, he gets the smallest picture however slow the machine is. */
void admission_offer(struct admission *admission, const struct admission_viewer *viewer,
                     int64_t now_ms, struct admission_offer *out);
/* He asks for a segment of a transcode of the picture. BUSY, with the reason for a person: it is more
 * than was promised, or the promise has lapsed, and there is no room for it now. */
MUST_CHECK enum err admission_enter(struct admission *admission,
                                    const struct admission_viewer *viewer, uint32_t rendition,
                                    int64_t now_ms, struct why *why);
/* The playback is over. */
void admission_leave(struct admission *admission, const char *playback);

/* Work of transcodes of the film's picture, in units for a second of film: to decode it, and to
 * scale and encode the rendition. */
double admission_decode_units(const struct plan *plan, uint32_t track);
double admission_encode_units(const struct plan *plan, uint32_t rendition);
/* So much work took so much of a core's time. `film` NULL: the trial's. */
void admission_measured(struct admission *admission, const char *film, double units, double cpu_s);

/* Appends gauges: capacity, promised, promises (Prometheus text format). */
void admission_metrics(struct admission *admission, int64_t now_ms, struct str *out);
