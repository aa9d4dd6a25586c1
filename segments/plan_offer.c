/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is offered of a film: copies where they play in a browser, rungs of transcodes without
 * enlarging, stereo AAC of every sound (hls-engines 4, rules 26, 30). */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/bandwidth.h"
#include "segments/init.h"
#include "segments/plan_check.h"
#include "segments/planner.h"
#include "segments/transcode.h"

/* Reorder delays beyond this are lies of a header. */
#define DELAY_MOST_NS (2 * PLANNER_NS_PER_S)
#define NS_PER_MS     1000000

/* A copy of sound that begins later than this is not offered; nor one of longer frames. */
#define LATE_NS       (PLANNER_NS_PER_S / 10)
#define LONGEST_FRAME 2 /* parts of a second */

#define TRANSFER_PQ  16
#define TRANSFER_HLG 18

static const uint32_t rungs[] = {1080, 720, 480, 360};
#define RUNG_COUNT (sizeof rungs / sizeof *rungs)

static struct plan_rendition *add(struct plan *plan, enum plan_kind kind, uint32_t track)
{
    struct plan_rendition *r;

    if (plan->rendition_count == PLAN_MAX_RENDITIONS)
        return NULL;
    plan->renditions = mem_realloc_array(plan->renditions, plan->rendition_count + 1, sizeof *r);
    r = &plan->renditions[plan->rendition_count++];
    *r = (struct plan_rendition){.kind = kind, .track = track};
    return r;
}

static void drop_last(struct plan *plan)
{
    mem_free(plan->renditions[--plan->rendition_count].init);
}

/* The last rendition's init, and CODECS read back from it. */
static enum err set_init(struct plan_rendition *r, const struct init_track *form, struct why *why)
{
    CLEANUP(str_fini) struct str init = {0};
    enum err err = init_write(form, &init, why);

    if (err != OK)
        return err;
    r->init_size = (uint32_t) init.length;
    r->init = (uint8_t *) str_take(&init);
    if (init_codecs(r->init, r->init_size, r->codecs) != OK)
        return why_set(why, ERR_BAD_MEDIA, NULL, "its headers cannot be read");
    return OK;
}

/* --- pictures --------------------------------------------------------------------------------- */

/* As shown: square pixels, upright. */
static void display_size(const struct plan_track *t, uint32_t *width, uint32_t *height)
{
    uint64_t w = ((uint64_t) t->width * t->sar_num + t->sar_den / 2) / t->sar_den;
    uint64_t h = t->height;
    bool is_turned = t->rotation == 90 || t->rotation == 270;

    w = w < 1 ? 1 : w > 32768 ? 32768 : w;
    *width = (uint32_t) (is_turned ? h : w);
    *height = (uint32_t) (is_turned ? w : h);
}

static const char *video_range(const struct plan_track *t)
{
    if (t->color_transfer == TRANSFER_PQ)
        return "PQ";
    return t->color_transfer == TRANSFER_HLG ? "HLG" : "SDR";
}

static uint32_t even(uint64_t value)
{
    uint64_t half = (value + 1) / 2;

    return (uint32_t) (half < 1 ? 2 : half * 2);
}

/* D in ns of the source alone (decision 8); millisecond stamps need one more. */
static int64_t source_delay_ns(struct planner *p)
{
    const struct plan_track *t = planner_video(p);
    int64_t told = (int64_t) t->reorder * p->frame_ns;
    int64_t seen = plan_head_delay_ns(p);
    int64_t delay = told > seen ? told : seen;

    if (delay > 0 && p->plan->container == CONTAINER_MKV)
        delay += NS_PER_MS;
    return delay < DELAY_MOST_NS ? delay : DELAY_MOST_NS;
}

static enum err offer_video_copy(struct planner *p)
{
    struct plan_track *t = planner_video(p);
    struct plan_rendition *r = add(p->plan, PLAN_VIDEO, (uint32_t) p->video);
    struct init_track form;
    struct why why = {0};
    enum err err;

    MUST(r != NULL); /* the first */
    snprintf(r->name, sizeof r->name, "video-copy");
    r->is_copy = true;
    r->timescale = p->plan->timescale;
    display_size(t, &r->width, &r->height);
    r->is_independent = !p->is_open_gop;
    snprintf(r->video_range, sizeof r->video_range, "%s", video_range(t));
    init_track_of(t, &form);
    form.packet = p->heads[p->video].packet;
    form.packet_size = p->heads[p->video].packet_size;
    form.timescale = r->timescale;
    form.fps = (t->fps_num + t->fps_den - 1) / t->fps_den;
    err = set_init(r, &form, &why);
    if (err == OK)
        return OK;
    planner_refuse_copy(t, "%s", why.text);
    drop_last(p->plan);
    return ERR_NOT_FOUND;
}

static enum err describe(struct planner *p, struct plan_rendition *r, uint32_t *delay,
                         struct why *why)
{
    struct transcode_description d = {0};
    struct init_track form = {0};
    enum err err = transcode_describe(p->plan, r, p->options, &d, why);

    if (err != OK)
        return err;
    form = (struct init_track){.kind = r->kind,
                               .codec = r->kind == PLAN_VIDEO ? CODEC_H264 : CODEC_AAC,
                               .config = d.extradata,
                               .config_size = d.extradata_size,
                               .timescale = r->timescale,
                               .width = r->width,
                               .height = r->height,
                               .sar_num = 1,
                               .sar_den = 1,
                               .color_primaries = d.color_primaries,
                               .color_transfer = d.color_transfer,
                               .color_matrix = d.color_matrix,
                               .rate = r->timescale,
                               .channels = r->channels};
    *delay = d.delay > *delay ? d.delay : *delay;
    err = set_init(r, &form, why);
    transcode_description_fini(&d);
    return err;
}

static enum err offer_rung(struct planner *p, uint32_t height, uint32_t *delay, struct why *why)
{
    const struct plan_track *t = planner_video(p);
    struct plan_rendition *r = add(p->plan, PLAN_VIDEO, (uint32_t) p->video);
    uint32_t shown_width, shown_height;
    enum err err;

    MUST(r != NULL);
    display_size(t, &shown_width, &shown_height);
    snprintf(r->name, sizeof r->name, "video-%up", height);
    r->timescale = p->plan->timescale;
    r->height = height;
    r->width = even((uint64_t) shown_width * height / shown_height);
    r->is_independent = true;
    snprintf(r->video_range, sizeof r->video_range, "SDR");
    r->bitrate = transcode_video_bitrate(p->plan, r, 0);
    err = describe(p, r, delay, why);
    if (err != OK)
        drop_last(p->plan);
    return err;
}

/* No enlarging. A picture between two rungs is offered as it is, unless a rung is near below; one
 * under the least rung is its own rung. */
static uint32_t own_rung(uint32_t height)
{
    uint32_t own = height < 2 ? 2 : height & ~1u;

    if (own > rungs[0])
        return 0;
    for (size_t i = 0; i < RUNG_COUNT; i++) {
        if (rungs[i] <= own)
            return rungs[i] * 10 >= own * 9 ? 0 : own;
    }
    return own;
}

static void offer_rungs(struct planner *p, uint32_t *delay)
{
    struct plan_track *t = planner_video(p);
    uint32_t width, height, own, offered = 0;
    struct why why = {0};

    display_size(t, &width, &height);
    own = own_rung(height);
    if (own != 0)
        offered += offer_rung(p, own, delay, &why) == OK ? 1 : 0;
    for (size_t i = 0; i < RUNG_COUNT; i++) {
        if (rungs[i] <= height)
            offered += offer_rung(p, rungs[i], delay, &why) == OK ? 1 : 0;
    }
    if (offered == 0)
        planner_refuse(t, "%s", why.text);
}

/* One D for all renditions of the picture. */
static void set_delay(struct planner *p, uint32_t least)
{
    struct plan *plan = p->plan;
    int64_t ms = (source_delay_ns(p) + NS_PER_MS - 1) / NS_PER_MS;
    uint32_t own = (uint32_t) ((ms * plan->timescale + 999) / 1000);
    uint32_t least_ms =
        (uint32_t) (((uint64_t) least * 1000 + plan->timescale - 1) / plan->timescale);
    uint32_t least_ticks = (uint32_t) (((uint64_t) least_ms * plan->timescale + 999) / 1000);
    uint32_t delay = own > least_ticks ? own : least_ticks;

    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        if (plan->renditions[i].kind == PLAN_VIDEO)
            plan->renditions[i].delay = delay;
    }
}

static void drop_copy_cuts(struct plan *plan)
{
    mem_free(plan->copy_cuts);
    mem_free(plan->copy_pos);
    mem_free(plan->cuts);
    plan->copy_cuts = plan->cuts = NULL;
    plan->copy_pos = NULL;
    plan->copy_count = 0;
    plan_choose_cuts(NULL, 0, plan->end, plan->timescale, &plan->cuts, &plan->cut_count);
}

static void offer_video(struct planner *p)
{
    struct plan_track *t = planner_video(p);
    const char *refusal = transcode_refusal(t);
    uint32_t delay = 0;

    if (p->plan->copy_count > 0 && offer_video_copy(p) != OK)
        drop_copy_cuts(p->plan);
    if (refusal[0] == '\0')
        offer_rungs(p, &delay);
    else
        planner_refuse(t, "%s", refusal);
    set_delay(p, delay);
    if (p->plan->copy_count > 0)
        t->refused[0] = '\0'; /* it can be copied */
}

/* --- sound ------------------------------------------------------------------------------------ */

/* Why this sound cannot be copied onto its own grid; "" = it can. */
static void judge_sound(struct planner *p, uint32_t track, const struct init_track *form)
{
    struct plan_track *t = &p->plan->tracks[track];
    const struct head *head = &p->heads[track];
    struct why why = {0};
    uint32_t samples = 0;

    if (p->container == NULL) {
        planner_refuse_copy(t, "only Matroska and MP4 are copied");
        return;
    }
    if (container_copy_objection(p->container, track)[0] != '\0')
        planner_refuse_copy(t, "%s", container_copy_objection(p->container, track));
    if (head->packet == NULL)
        planner_refuse_copy(t, "it does not begin with the film");
    else if (init_frame_size(form, &samples, &why) != OK)
        planner_refuse_copy(t, "%s", why.text);
    else if (samples > t->rate / LONGEST_FRAME)
        planner_refuse_copy(t, "its frames are too long");
    else if (t->first_ns > p->plan->t0_ns + LATE_NS)
        planner_refuse_copy(t, "it begins %.1f s after the film",
                            (double) (t->first_ns - p->plan->t0_ns) / 1e9);
    else if (head->irregular > 0)
        planner_refuse_copy(t, "its timestamps are not those of its frames");
    if (t->copy_refused[0] == '\0')
        t->frame_size = samples;
}

static void offer_audio_copy(struct planner *p, uint32_t track)
{
    struct plan *plan = p->plan;
    struct plan_track *t = &plan->tracks[track];
    struct plan_rendition *r;
    struct init_track form;
    struct why why = {0};
    enum err err;

    init_track_of(t, &form);
    form.packet = p->heads[track].packet;
    form.packet_size = p->heads[track].packet_size;
    form.timescale = t->rate;
    judge_sound(p, track, &form);
    if (t->copy_refused[0] != '\0')
        return;
    r = add(plan, PLAN_AUDIO, track);
    if (r == NULL)
        return;
    snprintf(r->name, sizeof r->name, "audio-%u-copy", t->number);
    r->is_copy = r->is_independent = true;
    r->timescale = t->rate;
    r->channels = t->channels;
    err = set_init(r, &form, &why);
    if (err == OK && plan_check_rendition(plan, plan->rendition_count - 1, &why) != OK)
        err = why_set(&why, ERR_NOT_FOUND, NULL, "it ends before the film");
    if (err == OK)
        return;
    planner_refuse_copy(t, "%s", why.text);
    drop_last(plan);
}

/* One AAC of the sound, of at most this bit rate. */
static enum err offer_aac(struct planner *p, uint32_t track, uint32_t bitrate, const char *suffix,
                          struct why *why)
{
    struct plan *plan = p->plan;
    const struct plan_track *t = &plan->tracks[track];
    struct plan_rendition *r = add(plan, PLAN_AUDIO, track);
    uint32_t delay = 0;
    enum err err;

    if (r == NULL)
        return why_set(why, ERR_LIMIT, NULL, "there is too much sound in it");
    snprintf(r->name, sizeof r->name, "audio-%u-aac%s", t->number, suffix);
    r->is_independent = true;
    r->timescale = transcode_audio_rate(t);
    r->channels = TRANSCODE_AUDIO_CHANNELS;
    r->bitrate = transcode_audio_bitrate(r, bitrate);
    err = describe(p, r, &delay, why);
    if (err != OK)
        drop_last(plan);
    return err;
}

static void offer_audio(struct planner *p, uint32_t track)
{
    struct plan_track *t = &p->plan->tracks[track];
    const char *refusal = transcode_refusal(t);
    struct why why = {0};
    enum err err;

    offer_audio_copy(p, track);
    if (refusal[0] != '\0')
        err = why_set(&why, ERR_NOT_FOUND, NULL, "%s", refusal);
    else
        err = offer_aac(p, track, TRANSCODE_AUDIO_BITRATE, "", &why);
    if (err != OK && t->copy_refused[0] != '\0')
        planner_refuse(t, "%s", why.text);
}

/* Rule 36: for the road. Behind all that is needed more, should there be too many renditions. */
static void offer_low(struct planner *p)
{
    uint32_t count = p->plan->rendition_count;

    for (uint32_t i = 0; i < count; i++) {
        struct plan_rendition r = p->plan->renditions[i];
        struct why why = {0};
        if (r.kind != PLAN_AUDIO || r.is_copy ||
            transcode_rates(p->plan, &r).peak <= TRANSCODE_AUDIO_LOW_PEAK)
            continue;
        uint32_t bitrate = transcode_audio_low_bitrate(p->plan, &r);
        if (offer_aac(p, r.track, bitrate, "-low", &why) != OK)
            log_debug("segments.plan", log_str("rendition", r.name), log_str("why", why.text));
    }
}

/* --- all -------------------------------------------------------------------------------------- */

/* Copies first: what the source takes bounds what is made of it. */
static void set_rates(struct planner *p)
{
    uint64_t source_peak;

    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        if (p->plan->renditions[i].is_copy)
            bandwidth_of_copy(p, i);
    }
    source_peak = bandwidth_of_source(p);
    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        struct plan_rendition *r = &p->plan->renditions[i];
        struct transcode_rates rates;
        if (r->is_copy)
            continue;
        if (r->kind == PLAN_VIDEO)
            r->bitrate = transcode_video_bitrate(p->plan, r, source_peak);
        rates = transcode_rates(p->plan, r);
        r->bandwidth = rates.peak;
        r->average_bandwidth = rates.average;
    }
}

enum err plan_offer(struct planner *p, struct why *why)
{
    if (p->video >= 0)
        offer_video(p);
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        if (p->plan->tracks[i].kind == PLAN_AUDIO && p->plan->tracks[i].refused[0] == '\0')
            offer_audio(p, i);
    }
    if (p->plan->rendition_count == 0)
        return planner_nothing_plays(p, why);
    offer_low(p);
    set_rates(p);
    return OK;
}
