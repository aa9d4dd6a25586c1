/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/plan_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_TIMESCALE      1000000u
#define MAX_RATE           768000u
#define MAX_SIDE           32768u
#define MAX_CHANNELS       64u
#define MAX_CODED_CHANNELS 6u
#define MAX_FPS            300u
#define MAX_BITRATE        100000000u
#define MAX_TIME_NS        (INT64_C(1000000000) * 3600 * 24 * 365) /* sources may count from anywhere */

PRINTF_LIKE(3, 4)
static enum err bad(struct why *why, const char *field, const char *format, ...);

static enum err bad(struct why *why, const char *field, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return why_set(why, ERR_BAD_INPUT, field, "the plan is wrong: %s", text);
}

static bool is_time(int64_t ns)
{
    return ns >= -MAX_TIME_NS && ns <= MAX_TIME_NS;
}

/* No control characters: these texts end up in playlists. */
static bool is_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static bool is_token(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";

    return text[strspn(text, allowed)] == '\0';
}

static bool is_fps(uint32_t num, uint32_t den)
{
    return num > 0 && den > 0 && num <= 1000000 && den <= 1001 && num / den <= MAX_FPS;
}

static enum err check_texts(const struct plan_track *t, struct why *why)
{
    if (!is_line(t->title) || !is_line(t->codec_name) || !is_line(t->profile))
        return bad(why, "/tracks/title", "a text holds a control character");
    if (!is_line(t->refused) || !is_line(t->copy_refused))
        return bad(why, "/tracks/refused", "a text holds a control character");
    if (t->language[0] == '\0' || !is_token(t->language))
        return bad(why, "/tracks/language", "a language is no BCP 47 tag");
    return OK;
}

static enum err check_video_track(const struct plan_track *t, struct why *why)
{
    if (t->width > MAX_SIDE || t->height > MAX_SIDE)
        return bad(why, "/tracks/width", "a picture of %ux%u", t->width, t->height);
    if (t->sar_num == 0 || t->sar_den == 0 || t->sar_num > INT32_MAX || t->sar_den > INT32_MAX)
        return bad(why, "/tracks/sar_num", "a pixel without shape");
    if ((uint64_t) t->crop_left + t->crop_right > t->width ||
        (uint64_t) t->crop_top + t->crop_bottom > t->height)
        return bad(why, "/tracks/crop_left", "a picture of which nothing is left");
    if (t->rotation != 0 && t->rotation != 90 && t->rotation != 180 && t->rotation != 270)
        return bad(why, "/tracks/rotation", "a turn by %d degrees", t->rotation);
    if (t->refused[0] == '\0' && !is_fps(t->fps_num, t->fps_den))
        return bad(why, "/tracks/fps_num", "a frame rate of %u/%u", t->fps_num, t->fps_den);
    return OK;
}

static enum err check_track(const struct plan_track *t, struct why *why)
{
    enum err err = check_texts(t, why);

    if (err != OK)
        return err;
    if (!is_time(t->first_ns) || !is_time(t->end_ns))
        return bad(why, "/tracks/first_ns", "a track far out of time");
    if (t->rate > MAX_RATE || t->channels > MAX_CHANNELS || t->frame_size > MAX_RATE)
        return bad(why, "/tracks/rate", "an impossible sound");
    if (t->number == 0 || t->number > PLAN_MAX_TRACKS)
        return bad(why, "/tracks/number", "a track number %u", t->number);
    return t->kind == PLAN_VIDEO ? check_video_track(t, why) : OK;
}

static enum err check_cuts(const int64_t *cuts, uint32_t count, int64_t end, const char *field,
                           struct why *why)
{
    if (count > 0 && cuts[0] != 0)
        return bad(why, field, "its first cut is not 0");
    for (uint32_t i = 1; i < count; i++) {
        if (cuts[i] <= cuts[i - 1])
            return bad(why, field, "cut %u does not rise", i);
    }
    if (count > 0 && cuts[count - 1] >= end)
        return bad(why, field, "its last cut is not before its end");
    return OK;
}

/* Every cut of C is one of T (decision 6). */
static enum err check_shared_cuts(const struct plan *plan, struct why *why)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < plan->copy_count; i++) {
        while (at < plan->cut_count && plan->cuts[at] < plan->copy_cuts[i])
            at++;
        if (at == plan->cut_count || plan->cuts[at] != plan->copy_cuts[i])
            return bad(why, "/cuts", "cut %u of the copy is none of the others", i);
    }
    return OK;
}

/* "audio-1-aac-low", and what else there is of the same sound, stands behind its "audio-1-aac". */
static bool is_form_of(const struct plan *plan, const struct plan_rendition *r, const char *name)
{
    size_t length = strlen(name);
    int usual = plan_find(plan, name);
    const char *form;

    if (usual < 0 || &plan->renditions[usual] >= r || r->kind != PLAN_AUDIO || r->is_copy ||
        strncmp(r->name, name, length) != 0)
        return false;
    form = r->name + length;
    if (r->is_night)
        return strcmp(form, "-night") == 0;
    return strcmp(form, "-low") == 0 || strcmp(form, "-surround") == 0;
}

/* "video-720p-burn-2" stands behind its "video-720p", and behind the pictures it shows. */
static bool is_burnt(const struct plan *plan, const struct plan_rendition *r, const char *name)
{
    char pictures[24], burnt[24];
    uint32_t number = plan_burnt(r);
    int usual = plan_find(plan, name);

    snprintf(pictures, sizeof pictures, "pictures-%u", number);
    snprintf(burnt, sizeof burnt, "%.12s-burn-%u", name, number);
    return usual >= 0 && &plan->renditions[usual] < r && !r->is_copy &&
           plan_find(plan, pictures) >= 0 && strcmp(r->name, burnt) == 0;
}

/* "audio-2-aac": the names follow from what they name (decision 3). */
static bool is_name(const struct plan *plan, const struct plan_rendition *r)
{
    uint32_t number = plan->tracks[r->track].number;
    char name[48];

    if (r->kind == PLAN_VIDEO && r->is_copy)
        snprintf(name, sizeof name, "video-copy");
    else if (r->kind == PLAN_VIDEO)
        snprintf(name, sizeof name, "video-%up%s", r->height,
                 plan_coded(r) == CODEC_HEVC ? PLAN_HEVC_SUFFIX
                 : plan_is_on_device(r)      ? PLAN_DEVICE_SUFFIX
                                             : "");
    else if (r->kind == PLAN_AUDIO)
        snprintf(name, sizeof name, "audio-%u-%s", number, r->is_copy ? "copy" : "aac");
    else if (r->kind == PLAN_IFRAMES && r->is_copy)
        snprintf(name, sizeof name, "iframes-video-copy");
    else if (r->kind == PLAN_IFRAMES)
        snprintf(name, sizeof name, "iframes-video-%up", r->height);
    else if (r->kind == PLAN_PICTURES)
        snprintf(name, sizeof name, "pictures-%u", number);
    else
        snprintf(name, sizeof name, "subtitle-%u", number);
    if (strcmp(name, r->name) == 0)
        return !r->is_night;
    return plan_burnt(r) > 0 ? is_burnt(plan, r, name) && !r->is_night : is_form_of(plan, r, name);
}

static enum err check_video(const struct plan *plan, const struct plan_rendition *r,
                            struct why *why)
{
    uint32_t copy_count = r->kind == PLAN_IFRAMES ? plan->key_count : plan->copy_count;

    if (r->timescale != plan->timescale)
        return bad(why, r->name, "its timescale is not the film's");
    if (r->is_copy ? copy_count == 0 : !is_fps(plan->fps_num, plan->fps_den))
        return bad(why, r->name, "there is nothing to cut it by");
    if (r->width == 0 || r->height == 0 || r->width > MAX_SIDE || r->height > MAX_SIDE)
        return bad(why, r->name, "a picture of %ux%u", r->width, r->height);
    if (r->delay > 10 * r->timescale)
        return bad(why, r->name, "its delay is too long");
    if (strcmp(r->video_range, "SDR") != 0 && strcmp(r->video_range, "PQ") != 0 &&
        strcmp(r->video_range, "HLG") != 0)
        return bad(why, r->name, "its range is not known");
    return OK;
}

static enum err check_audio(const struct plan *plan, const struct plan_rendition *r,
                            struct why *why)
{
    const struct plan_track *t = &plan->tracks[r->track];

    if (r->timescale == 0 || r->timescale > MAX_RATE || r->channels > MAX_CHANNELS)
        return bad(why, r->name, "an impossible sound");
    if (r->channels == 0 || r->delay != 0 || r->width != 0 || r->height != 0)
        return bad(why, r->name, "it has what a sound has not");
    if (r->is_copy && (r->timescale != t->rate || t->frame_size == 0))
        return bad(why, r->name, "there is no grid to cut it by");
    if (!r->is_copy && r->channels > MAX_CODED_CHANNELS)
        return bad(why, r->name, "too many channels");
    return r->video_range[0] == '\0' ? OK : bad(why, r->name, "a sound has no video range");
}

static enum err check_grid(const struct plan *plan, uint32_t rendition, struct why *why)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    uint32_t count = plan_segment_count(plan, rendition);
    int64_t last = plan_segment_start(plan, rendition, 0);

    if (plan_is_subtitle(r->kind))
        return OK; /* its cuts are the film's */
    if (last < 0)
        return bad(why, r->name, "it begins before 0");
    for (uint32_t n = 1; n <= count; n++) {
        int64_t start = plan_segment_start(plan, rendition, n);
        if (start <= last)
            return bad(why, r->name, "its segment %u would be empty", n - 1);
        last = start;
    }
    return OK;
}

enum err plan_check_rendition(const struct plan *plan, uint32_t rendition, struct why *why)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    bool is_subtitle = plan_is_subtitle(r->kind);
    enum plan_kind kind = is_subtitle               ? PLAN_SUBTITLE
                          : r->kind == PLAN_IFRAMES ? PLAN_VIDEO
                                                    : r->kind;
    enum err err = OK;

    if (r->track >= plan->track_count || plan->tracks[r->track].kind != kind)
        return bad(why, "/renditions", "a rendition without its track");
    if (!is_name(plan, r) || plan_find(plan, r->name) != (int) rendition)
        return bad(why, "/renditions", "a rendition with a wrong name");
    if (!is_token(r->codecs) || (!is_subtitle && r->codecs[0] == '\0'))
        return bad(why, r->name, "its codec is not told");
    if ((is_subtitle || plan_burnt(r) > 0 || plan_is_on_device(r)) != (r->init_size == 0))
        return bad(why, r->name, "its initial segment");
    if ((r->is_copy || is_subtitle) != (r->bitrate == 0) || r->bitrate > MAX_BITRATE)
        return bad(why, r->name, "a bit rate of %u", r->bitrate);
    if (kind == PLAN_VIDEO)
        err = check_video(plan, r, why);
    else if (r->kind == PLAN_AUDIO)
        err = check_audio(plan, r, why);
    else if (r->timescale != plan->timescale)
        err = bad(why, r->name, "its timescale is not the film's");
    return err != OK ? err : check_grid(plan, rendition, why);
}

static enum err check_head(const struct plan *plan, struct why *why)
{
    if (plan->timescale == 0 || plan->timescale > MAX_TIMESCALE)
        return bad(why, "/timescale", "a timescale of %u", plan->timescale);
    if (plan->end <= 0 || plan->end > (int64_t) PLAN_MAX_HOURS * 3600 * plan->timescale)
        return bad(why, "/end", "it is longer than %d hours, or empty", PLAN_MAX_HOURS);
    if (!is_time(plan->t0_ns) || !is_line(plan->format))
        return bad(why, "/t0_ns", "its begin is far out of time");
    if (plan->cut_count == 0)
        return bad(why, "/cuts", "it has no cuts");
    if (plan->wants_scan && plan->copy_count > 0)
        return bad(why, "/wants_scan", "it knows where to cut, and wants to be read for that");
    return OK;
}

static enum err check_chapters(const struct plan *plan, struct why *why)
{
    int64_t limit_ms = (int64_t) PLAN_MAX_HOURS * 3600 * 1000;

    for (uint32_t i = 0; i < plan->chapter_count; i++) {
        const struct plan_chapter *c = &plan->chapters[i];
        if (c->start_ms < 0 || c->end_ms < c->start_ms || c->end_ms > limit_ms)
            return bad(why, "/chapters", "chapter %u is out of time", i);
        if (!is_line(c->title))
            return bad(why, "/chapters", "a title holds a control character");
    }
    return OK;
}

enum err plan_check(const struct plan *plan, struct why *why)
{
    enum err err = check_head(plan, why);

    if (err == OK)
        err = check_cuts(plan->cuts, plan->cut_count, plan->end, "/cuts", why);
    if (err == OK)
        err = check_cuts(plan->copy_cuts, plan->copy_count, plan->end, "/copy_cuts", why);
    if (err == OK)
        err = check_cuts(plan->keys, plan->key_count, plan->end, "/keys", why);
    if (err == OK)
        err = check_shared_cuts(plan, why);
    for (uint32_t i = 0; i < plan->track_count && err == OK; i++)
        err = check_track(&plan->tracks[i], why);
    for (uint32_t i = 0; i < plan->rendition_count && err == OK; i++)
        err = plan_check_rendition(plan, i, why);
    return err == OK ? check_chapters(plan, why) : err;
}
