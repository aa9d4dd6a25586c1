/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/admission.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    MOST_PROMISES = 256, /* the one not heard of for longest makes room */
    MOST_RATES = 64,     /* films whose cost is remembered */
    MOST_RUNGS = 8,
    NEAR_MS = 30000, /* viewers so near to each other are served by one decode */
    NAME_SIZE = 72,
};

/* Of the cores, what converting may take: the rest is the server's, the disks' and the house's. */
static const double share = 0.85;
/* Before anything was measured: seconds of a core for a unit; a small PC's. */
static const double first_rate = 16e-9;
/* How much of a new measurement enters what is believed. */
static const double weight = 0.25;

struct rung {
    uint64_t pixels;
    double units;
};

struct promise {
    char playback[NAME_SIZE], film[NAME_SIZE];
    int64_t position_ms, seen_ms;
    double decode;                 /* units */
    struct rung rungs[MOST_RUNGS]; /* those that are promised, the largest first */
    unsigned rung_count;
    bool is_on_device; /* a device makes them: without it they cost more */
    bool is_used;      /* a segment was asked for */
    bool is_counted;   /* of cost_of_all */
    uint64_t device_speed;
    double fps;
};

struct rate {
    char film[NAME_SIZE];
    double s_per_unit;
};

struct admission {
    /* fixed after new */
    double capacity; /* core seconds a second */
    /* under lock */
    pthread_mutex_t lock;
    double s_per_unit;             /* of any film */
    struct rate rates[MOST_RATES]; /* of films converted before, the latest first */
    size_t rate_count;
    struct promise *promises;
    size_t promise_count, promise_room;
};

struct admission *admission_new(unsigned cores)
{
    struct admission *admission = mem_new(struct admission);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = cores > 0 ? cores : online > 0 ? (unsigned) online : 1;
    admission->capacity = count * share;
    admission->s_per_unit = first_rate;
    MUST(pthread_mutex_init(&admission->lock, NULL) == 0);
    return admission;
}

void admission_free(struct admission **admission)
{
    struct admission *old = *admission;
    *admission = NULL;
    if (old == NULL)
        return;
    pthread_mutex_destroy(&old->lock);
    mem_free(old->promises);
    mem_free(old);
}

/* --- work --- */

/* A sample decoded, of one encoded by x264's veryfast. (Measured, 1080p: 7.4 of 40 s a minute for
 * H.264; the others by their decoders' speed beside it.) */
static double decode_weight(const struct plan_track *track)
{
    double deep = track->bit_depth > 8 ? 1.3 : 1;
    switch (track->codec) {
    case CODEC_H264:
        return 0.18 * deep;
    case CODEC_HEVC:
    case CODEC_AV1:
        return 0.3 * deep;
    case CODEC_VP9:
        return 0.2 * deep;
    case CODEC_OTHER:
    case CODEC_AAC:
    case CODEC_AC3:
    case CODEC_EAC3:
    case CODEC_FLAC:
    case CODEC_OPUS:
    case CODEC_MP3:
    case CODEC_COUNT:
        break;
    }
    return 0.12 * deep;
}

static double fps_of(const struct plan *plan)
{
    return plan->fps_den > 0 ? (double) plan->fps_num / plan->fps_den : 0;
}

double admission_decode_units(const struct plan *plan, uint32_t track)
{
    const struct plan_track *t = &plan->tracks[track];
    const double deinterlacing = 0.1;
    double sample = decode_weight(t) + (t->is_interlaced ? deinterlacing : 0);
    return (double) t->width * t->height * fps_of(plan) * sample;
}

double admission_encode_units(const struct plan *plan, uint32_t rendition)
{
    enum { TRANSFER_PQ = 16, TRANSFER_HLG = 18 }; /* ISO 23091-2 */
    const double scaling = 0.03, tone_mapping = 0.8;
    /* to a device: pictures are written to memory and read from there; what its driver takes beside is
     * measured with the film */
    const double handing_over = 0.05;
    /* Small pictures cost more a sample. (Measured, veryfast: 40, 24 and 13 s a minute at 1080, 720 and
     * 480 lines.) */
    const double full = 1920.0 * 1080, power = 0.75;
    const struct plan_rendition *r = &plan->renditions[rendition];
    const struct plan_track *t = &plan->tracks[r->track];
    bool is_hdr = t->color_transfer == TRANSFER_PQ || t->color_transfer == TRANSFER_HLG;
    double own = full * pow((double) r->width * r->height / full, power);
    double encoding = plan_is_on_device(r) ? handing_over : 1;
    own *= encoding + (is_hdr ? tone_mapping : 0);
    return fps_of(plan) * (own + (double) t->width * t->height * scaling);
}

static struct rate *find_rate(struct admission *admission, const char *film)
{
    for (size_t i = 0; i < admission->rate_count; i++)
        if (strcmp(admission->rates[i].film, film) == 0)
            return &admission->rates[i];
    return NULL;
}

static double rate_of(struct admission *admission, const char *film)
{
    const struct rate *rate = find_rate(admission, film);
    return rate != NULL ? rate->s_per_unit : admission->s_per_unit;
}

static void learn(double *known, double seen)
{
    *known += (seen - *known) * weight;
}

/* The film's place among the rates, which becomes the first. */
static struct rate *touch_rate(struct admission *admission, const char *film, double seen)
{
    struct rate kept = {.s_per_unit = seen};
    struct rate *at = find_rate(admission, film);
    snprintf(kept.film, sizeof kept.film, "%s", film);
    if (at != NULL)
        kept = *at;
    else if (admission->rate_count < MOST_RATES)
        at = &admission->rates[admission->rate_count++];
    else
        at = &admission->rates[MOST_RATES - 1];
    memmove(&admission->rates[1], &admission->rates[0],
            (size_t) (at - admission->rates) * sizeof kept);
    admission->rates[0] = kept;
    return &admission->rates[0];
}

void admission_measured(struct admission *admission, const char *film, double units, double cpu_s)
{
    if (units <= 0 || cpu_s <= 0)
        return;
    double seen = cpu_s / units;
    pthread_mutex_lock(&admission->lock);
    if (film == NULL)
        admission->s_per_unit = seen;
    else
        learn(&touch_rate(admission, film, seen)->s_per_unit, seen);
    if (film != NULL)
        learn(&admission->s_per_unit, seen);
    pthread_mutex_unlock(&admission->lock);
}

/* --- promises; under the lock --- */

static bool is_whose(const struct promise *promise, const struct admission_viewer *viewer)
{
    return strcmp(promise->playback, viewer->playback) == 0 &&
           (viewer->playback[0] != '\0' || strcmp(promise->film, viewer->film) == 0);
}

static void drop(struct admission *admission, size_t index)
{
    admission->promises[index] = admission->promises[--admission->promise_count];
}

static void drop_lapsed(struct admission *admission, int64_t now_ms)
{
    for (size_t i = 0; i < admission->promise_count;) {
        const struct promise *promise = &admission->promises[i];
        int64_t life_ms = promise->is_used ? ADMISSION_LIFE_MS : ADMISSION_OFFER_MS;
        if (now_ms - promise->seen_ms >= life_ms)
            drop(admission, i);
        else
            i++;
    }
}

static bool has_device(const struct admission_viewer *viewer)
{
    for (uint32_t i = 0; i < viewer->plan->rendition_count; i++)
        if (plan_is_on_device(&viewer->plan->renditions[i]))
            return !viewer->is_device_off;
    return false;
}

/* That of the viewer's film; one he holds of another film is given back, and one that counted on a
 * device that failed since. NULL: none. */
static struct promise *find(struct admission *admission, const struct admission_viewer *viewer)
{
    for (size_t i = 0; i < admission->promise_count; i++) {
        struct promise *promise = &admission->promises[i];
        if (!is_whose(promise, viewer))
            continue;
        if (strcmp(promise->film, viewer->film) == 0 && promise->is_on_device == has_device(viewer))
            return promise;
        drop(admission, i);
        return NULL;
    }
    return NULL;
}

static bool is_near(const struct promise *a, const struct promise *b)
{
    int64_t apart = a->position_ms - b->position_ms;
    return strcmp(a->film, b->film) == 0 && a->position_ms >= 0 && b->position_ms >= 0 &&
           apart <= NEAR_MS && apart >= -NEAR_MS;
}

/* Viewers of one film at one place: one decode, and at worst each of them another rung. */
static double cost_together(struct admission *admission, size_t first)
{
    const struct promise *largest = &admission->promises[first];
    unsigned viewers = 0;
    for (size_t i = first; i < admission->promise_count; i++) {
        struct promise *other = &admission->promises[i];
        if (other->is_counted || (i != first && !is_near(&admission->promises[first], other)))
            continue;
        other->is_counted = true;
        viewers++;
        if (other->rung_count > largest->rung_count)
            largest = other;
    }
    double units = largest->rung_count > 0 ? largest->decode : 0;
    for (unsigned i = 0; i < viewers && i < largest->rung_count; i++)
        units += largest->rungs[i].units;
    return units * rate_of(admission, largest->film);
}

/* Core seconds a second of all that is promised. */
static double cost_of_all(struct admission *admission)
{
    double cost = 0;
    for (size_t i = 0; i < admission->promise_count; i++)
        admission->promises[i].is_counted = false;
    for (size_t i = 0; i < admission->promise_count; i++)
        if (!admission->promises[i].is_counted)
            cost += cost_together(admission, i);
    return cost;
}

/* Whether the device has more to make than it can, luma samples a second. */
static bool is_device_full(const struct admission *admission, uint64_t speed)
{
    double load = 0;
    for (size_t i = 0; i < admission->promise_count; i++) {
        const struct promise *promise = &admission->promises[i];
        if (promise->is_on_device && promise->rung_count > 0)
            load += (double) promise->rungs[0].pixels * promise->fps;
    }
    return speed > 0 && load > (double) speed;
}

static unsigned count_others(const struct admission *admission, const struct promise *but)
{
    unsigned count = 0;
    for (size_t i = 0; i < admission->promise_count; i++)
        count += &admission->promises[i] != but && admission->promises[i].rung_count > 0 ? 1 : 0;
    return count;
}

/* What is made by a device is not also made by x264; in HEVC it costs what it costs in H.264. */
static bool is_made(const struct admission_viewer *viewer, uint32_t rendition)
{
    if (plan_coded(&viewer->plan->renditions[rendition]) == CODEC_HEVC)
        return false;
    bool is_on_device = plan_is_on_device(&viewer->plan->renditions[rendition]);
    if (viewer->is_device_off)
        return !is_on_device;
    return is_on_device || plan_device_twin(viewer->plan, rendition) < 0;
}

/* The transcodes of the picture, the largest first. */
static void list_rungs(const struct admission_viewer *viewer, struct promise *promise)
{
    const struct plan *plan = viewer->plan;
    promise->rung_count = 0;
    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        const struct plan_rendition *r = &plan->renditions[i];
        if (r->kind != PLAN_VIDEO || r->is_copy || plan_burnt(r) > 0 ||
            promise->rung_count == MOST_RUNGS || !is_made(viewer, i))
            continue;
        struct rung rung = {(uint64_t) r->width * r->height, admission_encode_units(plan, i)};
        unsigned at = promise->rung_count++;
        for (; at > 0 && promise->rungs[at - 1].pixels < rung.pixels; at--)
            promise->rungs[at] = promise->rungs[at - 1];
        promise->rungs[at] = rung;
        promise->decode = admission_decode_units(plan, r->track);
    }
}

static struct promise *add(struct admission *admission, const struct admission_viewer *viewer,
                           int64_t now_ms)
{
    if (admission->promise_count == MOST_PROMISES) {
        size_t oldest = 0;
        for (size_t i = 1; i < admission->promise_count; i++)
            if (admission->promises[i].seen_ms < admission->promises[oldest].seen_ms)
                oldest = i;
        drop(admission, oldest);
    }
    mem_grow(admission->promises, admission->promise_count, admission->promise_room);
    struct promise *promise = &admission->promises[admission->promise_count++];
    *promise = (struct promise){.position_ms = viewer->position_ms,
                                .seen_ms = now_ms,
                                .is_on_device = has_device(viewer),
                                .device_speed = viewer->device_speed,
                                .fps = fps_of(viewer->plan)};
    snprintf(promise->playback, sizeof promise->playback, "%s", viewer->playback);
    snprintf(promise->film, sizeof promise->film, "%s", viewer->film);
    list_rungs(viewer, promise);
    return promise;
}

static void drop_largest(struct promise *promise)
{
    memmove(&promise->rungs[0], &promise->rungs[1],
            (promise->rung_count - 1) * sizeof promise->rungs[0]);
    promise->rung_count--;
}

/* Takes away what does not fit. Alone, the smallest stays. */
static void fit(struct admission *admission, struct promise *promise)
{
    unsigned others = count_others(admission, promise);
    while (promise->rung_count > (others == 0 ? 1 : 0) &&
           (cost_of_all(admission) > admission->capacity ||
            (promise->is_on_device && is_device_full(admission, promise->device_speed))))
        drop_largest(promise);
}

static uint64_t most_pixels(const struct promise *promise)
{
    return promise->rung_count > 0 ? promise->rungs[0].pixels : 0;
}

/* In words, of the picture that was not promised. */
static void explain(const struct admission *admission, const struct promise *promise,
                    uint64_t wanted, struct why *why)
{
    unsigned others = count_others(admission, promise);
    *why = (struct why){0};
    if (wanted <= most_pixels(promise))
        return;
    if (others == 0)
        why_set(why, ERR_BUSY, NULL,
                "this machine cannot convert so large a picture as fast as it plays");
    else
        why_set(why, ERR_BUSY, NULL,
                "this machine is converting for %u other%s: there is not enough left for %s",
                others, others == 1 ? "" : "s",
                promise->rung_count > 0 ? "so large a picture" : "one more");
}

static uint64_t largest_of(const struct admission_viewer *viewer)
{
    struct promise all = {0};
    list_rungs(viewer, &all);
    return most_pixels(&all);
}

static void say_limited(const struct promise *promise, const struct why *why)
{
    log_info("admission.limited", log_str("file", promise->film),
             log_str("playback", promise->playback),
             log_int("most_pixels", (int64_t) most_pixels(promise)), log_str("why", why->text));
}

void admission_offer(struct admission *admission, const struct admission_viewer *viewer,
                     int64_t now_ms, struct admission_offer *out)
{
    uint64_t largest = largest_of(viewer);
    pthread_mutex_lock(&admission->lock);
    drop_lapsed(admission, now_ms);
    struct promise *promise = find(admission, viewer);
    bool is_new = promise == NULL;
    if (is_new) {
        promise = add(admission, viewer, now_ms);
        fit(admission, promise);
    }
    promise->seen_ms = now_ms;
    if (viewer->position_ms >= 0)
        promise->position_ms = viewer->position_ms;
    out->most_pixels = most_pixels(promise);
    explain(admission, promise, largest, &out->why);
    if (is_new && out->why.text[0] != '\0')
        say_limited(promise, &out->why);
    if (promise->rung_count == 0) /* nothing to keep for him: the next time there may be more */
        drop(admission, (size_t) (promise - admission->promises));
    pthread_mutex_unlock(&admission->lock);
}

enum err admission_enter(struct admission *admission, const struct admission_viewer *viewer,
                         uint32_t rendition, int64_t now_ms, struct why *why)
{
    const struct plan_rendition *r = &viewer->plan->renditions[rendition];
    uint64_t wanted = (uint64_t) r->width * r->height;
    enum err err = OK;
    pthread_mutex_lock(&admission->lock);
    drop_lapsed(admission, now_ms);
    struct promise *promise = find(admission, viewer);
    if (promise == NULL || most_pixels(promise) < wanted) {
        struct promise before = {0};
        if (promise != NULL)
            before = *promise;
        else
            promise = add(admission, viewer, now_ms);
        list_rungs(viewer, promise);
        while (most_pixels(promise) > wanted)
            drop_largest(promise);
        fit(admission, promise);
        if (most_pixels(promise) < wanted) {
            explain(admission, promise, wanted, why);
            err = ERR_BUSY;
            say_limited(promise, why);
            /* what he was promised before he keeps */
            memcpy(promise->rungs, before.rungs, sizeof before.rungs);
            promise->rung_count = before.rung_count;
        }
    }
    if (err == OK) {
        promise->seen_ms = now_ms;
        promise->is_used = true;
    }
    if (err == OK && viewer->position_ms >= 0)
        promise->position_ms = viewer->position_ms;
    if (promise->rung_count == 0)
        drop(admission, (size_t) (promise - admission->promises));
    pthread_mutex_unlock(&admission->lock);
    return err;
}

void admission_leave(struct admission *admission, const char *playback)
{
    pthread_mutex_lock(&admission->lock);
    for (size_t i = 0; i < admission->promise_count && playback[0] != '\0';) {
        if (strcmp(admission->promises[i].playback, playback) == 0)
            drop(admission, i);
        else
            i++;
    }
    pthread_mutex_unlock(&admission->lock);
}

static void put(struct str *out, const char *name, const char *help, double value)
{
    str_printf(out, "# HELP matinee_%s %s\n# TYPE matinee_%s gauge\nmatinee_%s %.3f\n", name, help,
               name, name, value);
}

void admission_metrics(struct admission *admission, int64_t now_ms, struct str *out)
{
    pthread_mutex_lock(&admission->lock);
    drop_lapsed(admission, now_ms);
    double promised = cost_of_all(admission);
    size_t count = admission->promise_count;
    double rate = admission->s_per_unit;
    pthread_mutex_unlock(&admission->lock);
    put(out, "convert_capacity_cores", "Cores that converting pictures may take.",
        admission->capacity);
    put(out, "convert_promised_cores", "Cores that are promised to viewers.", promised);
    put(out, "convert_viewers", "Viewers who were promised converted pictures.", (double) count);
    put(out, "convert_megapixel_seconds",
        "Seconds of a core for a million samples encoded, as measured.", rate * 1e6);
}
