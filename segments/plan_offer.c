/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is offered of a film: copies where they play in a browser, rungs of transcodes without
 * enlarging, stereo AAC of every sound (hls-engines 4, rules 26, 30). */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/bandwidth.h"
#include "segments/codec.h"
#include "segments/init.h"
#include "segments/plan_check.h"
#include "segments/planner.h"
#include "segments/subtitle.h"
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

/* As shown: cropped, square pixels, upright. */
static void display_size(const struct plan_track *t, uint32_t *width, uint32_t *height)
{
    uint64_t cropped = t->width - t->crop_left - t->crop_right;
    uint64_t w = (cropped * t->sar_num + t->sar_den / 2) / t->sar_den;
    uint64_t h = t->height - t->crop_top - t->crop_bottom;
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

/* The rendition's init, and what its encoder delays by at least. Takes the description. */
static enum err use_description(struct plan_rendition *r, struct plan_described *described,
                                uint32_t *delay, struct why *why)
{
    const struct transcode_description *d = &described->is;
    enum plan_kind kind = r->kind == PLAN_AUDIO ? PLAN_AUDIO : PLAN_VIDEO;
    struct init_track form = {.kind = kind,
                              .codec = kind == PLAN_VIDEO ? CODEC_H264 : CODEC_AAC,
                              .config = d->extradata,
                              .config_size = d->extradata_size,
                              .timescale = r->timescale,
                              .width = r->width,
                              .height = r->height,
                              .sar_num = 1,
                              .sar_den = 1,
                              .color_primaries = d->color_primaries,
                              .color_transfer = d->color_transfer,
                              .color_matrix = d->color_matrix,
                              .rate = r->timescale,
                              .channels = r->channels};
    enum err err = described->err;

    if (err == OK) {
        *delay = d->delay > *delay ? d->delay : *delay;
        err = set_init(r, &form, why);
    } else {
        *why = described->why;
    }
    transcode_description_fini(&described->is);
    return err;
}

/* The last rendition. */
static enum err describe(struct planner *p, struct plan_rendition *r, uint32_t *delay,
                         struct why *why)
{
    struct plan_described described = {0};

    plan_describe(p, p->plan->rendition_count - 1, 1, &described);
    return use_description(r, &described, delay, why);
}

static void add_rung(struct planner *p, uint32_t height)
{
    const struct plan_track *t = planner_video(p);
    struct plan_rendition *r = add(p->plan, PLAN_VIDEO, (uint32_t) p->video);
    uint32_t shown_width, shown_height;

    MUST(r != NULL);
    display_size(t, &shown_width, &shown_height);
    snprintf(r->name, sizeof r->name, "video-%up", height);
    r->timescale = p->plan->timescale;
    r->height = height;
    r->width = even((uint64_t) shown_width * height / shown_height);
    r->is_independent = true;
    snprintf(r->video_range, sizeof r->video_range, "SDR");
    r->bitrate = transcode_video_bitrate(p->plan, r, 0);
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
    struct plan *plan = p->plan;
    struct plan_track *t = planner_video(p);
    struct plan_described described[RUNG_COUNT + 1] = {0};
    uint32_t first = plan->rendition_count, kept = first, added, width, height, own;
    struct why why = {0};

    display_size(t, &width, &height);
    own = own_rung(height);
    if (own != 0)
        add_rung(p, own);
    for (size_t i = 0; i < RUNG_COUNT; i++) {
        if (rungs[i] <= height)
            add_rung(p, rungs[i]);
    }
    added = plan->rendition_count - first;
    plan_describe(p, first, added, described);
    for (uint32_t i = 0; i < added; i++) {
        struct plan_rendition *r = &plan->renditions[first + i];
        if (use_description(r, &described[i], delay, &why) == OK)
            plan->renditions[kept++] = *r;
        else
            mem_free(r->init);
    }
    plan->rendition_count = kept;
    if (kept == first)
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
        enum plan_kind kind = plan->renditions[i].kind;
        if (kind == PLAN_VIDEO || kind == PLAN_IFRAMES)
            plan->renditions[i].delay = delay;
    }
}

static void drop_copy_cuts(struct plan *plan)
{
    mem_free(plan->copy_cuts);
    mem_free(plan->copy_pos);
    mem_free(plan->cuts);
    mem_free(plan->keys);
    mem_free(plan->key_pos);
    plan->copy_cuts = plan->cuts = plan->keys = NULL;
    plan->copy_pos = plan->key_pos = NULL;
    plan->copy_count = plan->key_count = 0;
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
    if (t->codec == CODEC_EAC3)
        t->joc_objects = codec_eac3_objects(form.packet, form.packet_size);
    err = set_init(r, &form, &why);
    if (err == OK && plan_check_rendition(plan, plan->rendition_count - 1, &why) != OK)
        err = why_set(&why, ERR_NOT_FOUND, NULL, "it ends before the film");
    if (err == OK)
        return;
    planner_refuse_copy(t, "%s", why.text);
    drop_last(plan);
}

/* A form in which sound is transcoded. */
struct aac {
    const char *suffix;
    uint32_t channels;
    uint32_t bitrate; /* at most */
    bool is_night;
};

static enum err offer_aac(struct planner *p, uint32_t track, const struct aac *aac, struct why *why)
{
    struct plan *plan = p->plan;
    const struct plan_track *t = &plan->tracks[track];
    struct plan_rendition *r = add(plan, PLAN_AUDIO, track);
    uint32_t delay = 0;
    enum err err;

    if (r == NULL)
        return why_set(why, ERR_LIMIT, NULL, "there is too much sound in it");
    snprintf(r->name, sizeof r->name, "audio-%u-aac%s", t->number, aac->suffix);
    r->is_independent = true;
    r->is_night = aac->is_night;
    r->timescale = transcode_audio_rate(t);
    r->channels = aac->channels;
    r->bitrate = transcode_audio_bitrate(r, aac->bitrate);
    err = describe(p, r, &delay, why);
    if (err != OK)
        drop_last(plan);
    return err;
}

static void offer_audio(struct planner *p, uint32_t track)
{
    static const struct aac usual = {"", TRANSCODE_AUDIO_CHANNELS, TRANSCODE_AUDIO_BITRATE, false};
    struct plan_track *t = &p->plan->tracks[track];
    const char *refusal = transcode_refusal(t);
    struct why why = {0};
    enum err err;

    offer_audio_copy(p, track);
    if (refusal[0] != '\0')
        err = why_set(&why, ERR_NOT_FOUND, NULL, "%s", refusal);
    else
        err = offer_aac(p, track, &usual, &why);
    if (err != OK && t->copy_refused[0] != '\0')
        planner_refuse(t, "%s", why.text);
}

static bool is_coded(const struct plan *plan, const struct plan_track *t)
{
    char name[sizeof plan->renditions->name];

    snprintf(name, sizeof name, "audio-%u-aac", t->number);
    return t->kind == PLAN_AUDIO && plan_find(plan, name) >= 0;
}

/* What is more than stereo also as 5.1, and as stereo for the night. */
static void offer_surround(struct planner *p)
{
    static const struct aac forms[] = {
        {"-surround", TRANSCODE_AUDIO_SURROUND_CHANNELS, TRANSCODE_AUDIO_SURROUND_BITRATE, false},
        {"-night", TRANSCODE_AUDIO_CHANNELS, TRANSCODE_AUDIO_BITRATE, true},
    };

    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        for (uint32_t i = 0; i < p->plan->track_count; i++) {
            const struct plan_track *t = &p->plan->tracks[i];
            struct why why = {0};
            if (t->channels > TRANSCODE_AUDIO_CHANNELS && is_coded(p->plan, t) &&
                offer_aac(p, i, &forms[form], &why) != OK)
                log_debug("segments.plan", log_str("form", forms[form].suffix),
                          log_str("why", why.text));
        }
    }
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
        const struct aac low = {"-low", TRANSCODE_AUDIO_CHANNELS,
                                transcode_audio_low_bitrate(p->plan, &r), false};
        if (offer_aac(p, r.track, &low, &why) != OK)
            log_debug("segments.plan", log_str("rendition", r.name), log_str("why", why.text));
    }
}

/* --- pictures to scrub by ------------------------------------------------------------------------ */

/* The copy's own keys: the init segment is that of the copy. */
static void offer_key_copies(struct planner *p, uint32_t like)
{
    struct plan_rendition *r = add(p->plan, PLAN_IFRAMES, p->plan->renditions[like].track);
    const struct plan_rendition *copy = &p->plan->renditions[like];

    if (r == NULL)
        return;
    *r = *copy;
    r->kind = PLAN_IFRAMES;
    r->init = mem_dup(copy->init, copy->init_size);
    r->is_independent = true;
    snprintf(r->name, sizeof r->name, "iframes-video-copy");
}

/* Rule 39: one in H.264 and SDR, whatever the film is; small, since it is there to be leafed through. */
static void offer_stills(struct planner *p, uint32_t like)
{
    struct plan_rendition *r = add(p->plan, PLAN_IFRAMES, p->plan->renditions[like].track);
    const struct plan_rendition *usual = &p->plan->renditions[like];
    uint32_t delay = 0;
    struct why why = {0};

    if (r == NULL)
        return;
    snprintf(r->name, sizeof r->name, "iframes-%.15s", usual->name);
    r->timescale = usual->timescale;
    r->delay = usual->delay;
    r->width = usual->width;
    r->height = usual->height;
    r->is_independent = true;
    snprintf(r->video_range, sizeof r->video_range, "SDR");
    r->bitrate = transcode_still_bits(r);
    if (describe(p, r, &delay, &why) == OK)
        return;
    log_debug("segments.plan", log_str("rendition", r->name), log_str("why", why.text));
    drop_last(p->plan);
}

static void offer_iframes(struct planner *p)
{
    int copy = -1, least = -1;

    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        const struct plan_rendition *r = &p->plan->renditions[i];
        if (r->kind != PLAN_VIDEO)
            continue;
        if (r->is_copy)
            copy = (int) i;
        else if (least < 0 || r->height < p->plan->renditions[least].height)
            least = (int) i;
    }
    if (copy >= 0)
        offer_key_copies(p, (uint32_t) copy);
    if (least >= 0)
        offer_stills(p, (uint32_t) least);
}

/* --- subtitles -------------------------------------------------------------------------------- */

/* Text or pictures, which need neither headers nor bits to speak of. */
static void offer_subtitles(struct planner *p, uint32_t track)
{
    struct plan_track *t = &p->plan->tracks[track];
    bool is_text = subtitle_text_refusal(p->plan->container, t)[0] == '\0';
    struct plan_rendition *r = add(p->plan, is_text ? PLAN_SUBTITLE : PLAN_PICTURES, track);

    if (r == NULL) {
        planner_refuse(t, "there are too many tracks in it");
        return;
    }
    subtitle_read_title(t);
    snprintf(r->name, sizeof r->name, is_text ? "subtitle-%u" : "pictures-%u", t->number);
    r->is_independent = true;
    r->timescale = p->plan->timescale;
}

/* A rung with the pictures of subtitles in it, for players that draw none themselves. Of very many
 * subtitles the first ones, as many as find room. */
static void offer_burnt(struct planner *p, uint32_t pictures, uint32_t like)
{
    struct plan_rendition *r = add(p->plan, PLAN_VIDEO, p->plan->renditions[like].track);
    const struct plan_rendition *rung = &p->plan->renditions[like];
    uint32_t number = p->plan->tracks[p->plan->renditions[pictures].track].number;

    if (r == NULL)
        return;
    *r = *rung;
    r->init = NULL;
    r->init_size = 0;
    snprintf(r->name, sizeof r->name, "%.12s-burn-%u", rung->name, number);
}

static void offer_all_burnt(struct planner *p)
{
    uint32_t count = p->plan->rendition_count;

    for (uint32_t pictures = 0; pictures < count; pictures++) {
        if (p->plan->renditions[pictures].kind != PLAN_PICTURES)
            continue;
        for (uint32_t i = 0; i < count; i++)
            if (p->plan->renditions[i].kind == PLAN_VIDEO && !p->plan->renditions[i].is_copy)
                offer_burnt(p, pictures, i);
    }
}

/* --- all -------------------------------------------------------------------------------------- */

/* Copies first: what the source takes bounds what is made of it. */
static void set_rates(struct planner *p)
{
    uint64_t source_peak;

    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        if (p->plan->renditions[i].is_copy && p->plan->renditions[i].kind != PLAN_IFRAMES)
            bandwidth_of_copy(p, i);
    }
    source_peak = bandwidth_of_source(p);
    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        struct plan_rendition *r = &p->plan->renditions[i];
        struct transcode_rates rates;
        if (r->kind == PLAN_IFRAMES) {
            bandwidth_of_iframes(p, i);
            continue;
        }
        if (r->is_copy || plan_is_subtitle(r->kind))
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
    offer_surround(p);
    offer_iframes(p);
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        if (p->plan->tracks[i].kind == PLAN_SUBTITLE && p->plan->tracks[i].refused[0] == '\0')
            offer_subtitles(p, i);
    }
    set_rates(p);
    offer_all_burnt(p);
    return OK;
}
