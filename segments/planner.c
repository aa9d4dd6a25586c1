/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/planner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/plan_check.h"
#include "segments/subtitle.h"
#include "segments/transcode.h"

/* Sound that goes on so much longer than the picture is kept: the film ends with it. */
#define SOUND_PAST_PICTURE_NS (PLANNER_NS_PER_S / 2)

/* So far beside the grid nobody sees it, and milliseconds round. */
#define NEAR_GRID_NS (PLANNER_NS_PER_S / 200)

/* Fewer bits than this a second, over more than an hour, is a clock that jumped. */
#define LEAST_BIT_S      1000
#define SUSPICIOUS_HOURS 1

/* Whoever reads a film more often than this goes round in circles, and may be called hung. */
#define READS_OF_FILM 8
#define READS_OF_ANY  (UINT64_C(256) * 1024 * 1024)

static void tell_progress(const struct planner *p)
{
    if (p->job->progress != NULL)
        p->job->progress(p->job->ctx, p->fraction);
}

void planner_scanned(void *ctx, double fraction)
{
    struct planner *p = ctx;

    if (fraction > p->fraction)
        p->fraction = fraction < 1 ? fraction : 1;
    tell_progress(p);
}

/* A sign of life for every read: on a disk that sleeps or crawls, a plan takes long before there
 * is anything to tell. */
static void on_read(void *ctx, size_t bytes)
{
    struct planner *p = ctx;

    p->bytes_read += bytes;
    if (p->bytes_read <= READS_OF_ANY + READS_OF_FILM * p->plan->source_size)
        tell_progress(p);
}

void planner_fini(struct planner *planner)
{
    container_close(&planner->container);
    plan_free(&planner->plan);
    for (uint32_t i = 0; i < PLAN_MAX_TRACKS; i++)
        mem_free(planner->heads[i].packet);
    mem_free(planner->times);
    mem_free(planner->keys);
}

struct plan_track *planner_video(struct planner *planner)
{
    return planner->video < 0 ? NULL : &planner->plan->tracks[planner->video];
}

void planner_refuse_copy(struct plan_track *track, const char *format, ...)
{
    va_list args;

    if (track->copy_refused[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(track->copy_refused, sizeof track->copy_refused, format, args);
    va_end(args);
}

void planner_refuse(struct plan_track *track, const char *format, ...)
{
    va_list args;

    if (track->refused[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(track->refused, sizeof track->refused, format, args);
    va_end(args);
}

/* The reason of the track that mattered most. */
enum err planner_nothing_plays(const struct planner *p, struct why *why)
{
    static const char *const names[] = {"picture", "sound", "subtitles"};

    for (int kind = PLAN_VIDEO; kind <= PLAN_AUDIO; kind++) {
        for (uint32_t i = 0; i < p->plan->track_count; i++) {
            const struct plan_track *t = &p->plan->tracks[i];
            if ((int) t->kind == kind && !t->is_cover && t->refused[0] != '\0')
                return why_set(why, ERR_BAD_MEDIA, NULL, "nothing of it can be played: %s: %s",
                               names[kind], t->refused);
        }
    }
    return why_set(why, ERR_BAD_MEDIA, NULL, "there is neither picture nor sound in it");
}

/* Its sound alone is not what anybody wants of a film whose pictures cannot be shown right. */
static enum err refuse_dolby(const struct planner *p, struct why *why)
{
    for (uint32_t i = 0; i < p->plan->track_count && p->video < 0; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        if (t->dv_profile != 0 && t->refused[0] != '\0')
            return why_set(why, ERR_BAD_MEDIA, NULL, "it cannot be shown: %s", t->refused);
    }
    return OK;
}

/* The first picture that moves and can be played is the film; a cover is none, nor is a second. */
static void choose_video(struct planner *p)
{
    p->video = -1;
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        struct plan_track *t = &p->plan->tracks[i];
        if (t->kind == PLAN_SUBTITLE)
            planner_refuse(t, "%s", subtitle_refusal(p->plan->container, t));
        if (t->kind != PLAN_VIDEO)
            continue;
        if (t->is_cover)
            planner_refuse(t, "a picture, not a film");
        else if (t->refused[0] == '\0' && p->video >= 0)
            planner_refuse(t, "only the first picture of a film is played");
        if (t->refused[0] == '\0')
            p->video = (int) i;
    }
}

/* Matroska and MP4 present nothing before 0: what stands there is a decoder's run-up (codec delay,
 * the begin of an edit list). Other containers count from anywhere. */
static int64_t presented(const struct planner *p, int64_t ns)
{
    return ns < 0 && p->container != NULL ? 0 : ns;
}

/* Pictures are converted on a grid that begins at T0, sound is where it is: were the first picture
 * beside the grid, all would be shown up to half a picture early or late against sound and copy. So
 * T0 moves on to the grid; what sounds before it, less than a picture long, is mostly an encoder's
 * run-up (21 ms of AAC in Matroska). */
static void move_to_grid(struct planner *p)
{
    struct plan *plan = p->plan;

    if (p->video < 0 || plan->fps_num == 0)
        return;
    int64_t step = PLANNER_NS_PER_S * plan->fps_den / plan->fps_num;
    int64_t past = (presented(p, plan->tracks[p->video].first_ns) - plan->t0_ns) % step;
    if (past > NEAR_GRID_NS && past < step - NEAR_GRID_NS)
        plan->t0_ns += past;
}

/* Decision 9. */
static enum err find_begin(struct planner *p, struct why *why)
{
    int64_t t0 = INT64_MAX;

    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        bool counts = t->kind == PLAN_AUDIO || (int) i == p->video;
        if (counts && t->refused[0] == '\0' && presented(p, t->first_ns) < t0)
            t0 = presented(p, t->first_ns);
    }
    if (t0 == INT64_MAX)
        return planner_nothing_plays(p, why);
    p->plan->t0_ns = t0;
    return OK;
}

static enum err check_length(const struct planner *p, struct why *why)
{
    int64_t length_ns = p->end_ns - p->plan->t0_ns;
    int64_t hours = length_ns / PLANNER_NS_PER_S / 3600;
    double bit_s = (double) p->plan->source_size * 8e9 / (double) (length_ns > 0 ? length_ns : 1);

    if (length_ns <= 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "its timestamps jump: it ends before it begins");
    if (hours >= PLAN_MAX_HOURS)
        return why_set(why, ERR_BAD_MEDIA, NULL,
                       "its timestamps run to %lld hours; at most %d are played", (long long) hours,
                       PLAN_MAX_HOURS);
    if (hours >= SUSPICIOUS_HOURS && bit_s < LEAST_BIT_S)
        return why_set(why, ERR_BAD_MEDIA, NULL,
                       "its timestamps jump: %lld hours in %llu bytes cannot be", (long long) hours,
                       (unsigned long long) p->plan->source_size);
    return OK;
}

/* Decision 7; but sound that goes on for long after the picture is not cut off. */
static enum err find_end(struct planner *p, struct why *why)
{
    const struct plan_track *video = planner_video(p);
    int64_t sound = INT64_MIN;

    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        if (t->kind == PLAN_AUDIO && t->refused[0] == '\0' && t->end_ns > sound)
            sound = t->end_ns;
    }
    p->end_ns = video != NULL ? video->end_ns : sound;
    if (video != NULL && sound > p->end_ns + SOUND_PAST_PICTURE_NS)
        p->end_ns = sound;
    return check_length(p, why);
}

static void set_end(struct planner *p)
{
    struct plan *plan = p->plan;

    plan->end = plan_source_to_ticks(plan, p->end_ns, plan->timescale);
    if (plan->end < 1)
        plan->end = 1;
}

/* Chapters count from T0, and end with the film. */
static void shift_chapters(struct plan *plan)
{
    int64_t t0_ms = plan->t0_ns / 1000000;
    int64_t end_ms = plan->end * 1000 / plan->timescale;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < plan->chapter_count; i++) {
        struct plan_chapter c = plan->chapters[i];
        c.start_ms = c.start_ms > t0_ms ? c.start_ms - t0_ms : 0;
        c.end_ms = c.end_ms > t0_ms ? c.end_ms - t0_ms : 0;
        c.end_ms = c.end_ms < end_ms ? c.end_ms : end_ms;
        if (c.start_ms < end_ms)
            plan->chapters[kept++] = c;
        if (kept > 0 && plan->chapters[kept - 1].end_ms < plan->chapters[kept - 1].start_ms)
            plan->chapters[kept - 1].end_ms = plan->chapters[kept - 1].start_ms;
    }
    plan->chapter_count = kept;
}

/* Texts of the file may hold what no line of a playlist may. */
static void clean_text(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            *text = ' ';
    }
}

static bool speaks_of(const char *title, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasestr(title, words[i]) != NULL)
            return true;
    }
    return false;
}

/* Few files flag what a sound is; many call it so. */
static void judge_title(struct plan_track *t)
{
    static const char *const commentary[] = {"commentary", "kommentar", "commentaire", "comentario",
                                             "commento"};
    static const char *const descriptive[] = {
        "audio description", "audio-description", "audiodescri",       "audiodeskription",
        "descriptive",       "described video",   "descriptive video", "visually impaired"};

    if (t->kind != PLAN_AUDIO)
        return;
    if (speaks_of(t->title, commentary, sizeof commentary / sizeof *commentary))
        t->is_commentary = true;
    if (speaks_of(t->title, descriptive, sizeof descriptive / sizeof *descriptive))
        t->is_descriptive = true;
}

static void clean_texts(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->track_count; i++) {
        struct plan_track *t = &plan->tracks[i];
        clean_text(t->title);
        judge_title(t);
        clean_text(t->codec_name);
        clean_text(t->profile);
        for (char *c = t->language; *c != '\0'; c++) {
            bool is_good = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                           (*c >= 'A' && *c <= 'Z') || *c == '-';
            *c = is_good ? *c : '-';
        }
        if (t->language[0] == '\0')
            snprintf(t->language, sizeof t->language, "und");
        if (t->sar_num == 0 || t->sar_den == 0)
            t->sar_num = t->sar_den = 1;
    }
    for (uint32_t i = 0; i < plan->chapter_count; i++)
        clean_text(plan->chapters[i].title);
}

/* Our own readers first; libavformat for all they do not take, and for what they find broken. */
static enum err read_film(struct planner *p, struct why *why)
{
    struct why own = {0};
    enum err err = plan_own_read(p, &own);

    if (err != ERR_NOT_FOUND && err != ERR_BAD_MEDIA)
        return err;
    if (p->container != NULL) /* opened, but nothing in it can be read */
        return why_set(why, ERR_BAD_MEDIA, NULL, "%s", own.text);
    log_debug("segments.plan", log_str("by", "libavformat"), log_str("why", own.text));
    p->plan->track_count = 0;
    err = plan_av_read(p, why);
    if (err == ERR_BAD_MEDIA && own.text[0] != '\0')
        why_set(why, ERR_BAD_MEDIA, NULL, "%s", own.text);
    return err;
}

/* Tracks and times are known: what can be cut, and what is offered. */
static enum err make_plan(struct planner *p, struct why *why)
{
    struct plan *plan = p->plan;
    enum err err = OK;

    clean_texts(plan);
    if (p->container != NULL)
        err = plan_head_read(p);
    if (err != OK)
        return err;
    plan_head_judge(p);
    move_to_grid(p);
    set_end(p);
    shift_chapters(plan);
    if (p->video >= 0 && p->container != NULL)
        err = plan_keys_read(p);
    else if (p->video >= 0)
        planner_refuse_copy(planner_video(p), "only Matroska and MP4 are copied");
    if (err != OK)
        return err;
    plan_choose_cuts(plan->copy_cuts, plan->copy_count, plan->end, plan->timescale, &plan->cuts,
                     &plan->cut_count);
    return plan_offer(p, why);
}

static enum err run_planner(struct planner *p, struct why *why)
{
    enum err err = read_film(p, why);

    if (err != OK)
        return err;
    choose_video(p);
    err = refuse_dolby(p, why);
    if (err == OK)
        err = find_begin(p, why);
    if (err == OK)
        err = find_end(p, why);
    if (err == OK)
        err = make_plan(p, why);
    if (err == OK && plan_check(p->plan, why) != OK)
        err = ERR_BAD_MEDIA;
    return err;
}

enum err engine_plan(struct input *input, const struct engine_options *options,
                     const struct engine_plan_job *job, struct plan **out, struct why *why)
{
    struct planner *planner = mem_new(struct planner);
    enum err err;

    planner->reader = (struct reader){
        .input = input, .cancelled = job->cancelled, .heard = on_read, .heard_ctx = planner};
    planner->options = options;
    planner->job = job;
    planner->plan = plan_new();
    planner->plan->version = PLAN_VERSION;
    planner->plan->source_size = input_size(input);
    planner->video = -1;
    err = run_planner(planner, why);
    if (err == OK) {
        *out = planner->plan;
        planner->plan = NULL;
    } else if (err == ERR_GONE) {
        err = why_set(why, ERR_BAD_MEDIA, NULL, "the file became shorter while it was read");
    }
    planner_fini(planner);
    mem_free(planner);
    return err;
}
