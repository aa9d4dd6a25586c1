/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The jobs of a film's process: what is asked, what it answers, and whether that can be true. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "hls/media_private.h"
#include "segments/plan.h"
#include "segments/storyboard.h"

struct media_job *media_job_find(struct media *media, uint64_t id)
{
    struct media_job *job = media->jobs;
    while (job != NULL && job->id != id)
        job = job->next;
    return job;
}

void media_job_unwant(struct media *media, struct media_job *job)
{
    if (job->want_length == 0)
        return;
    job->want_length = 0;
    if (!media->is_closed && media->want_events.unwant != NULL)
        media->want_events.unwant(media->want_ctx, job->id);
}

static void unlink_job(struct media *media, struct media_job *job)
{
    media_job_unwant(media, job);
    for (struct media_job **at = &media->jobs; *at != NULL; at = &(*at)->next) {
        if (*at != job)
            continue;
        *at = job->next;
        media->sent -= job->is_sent;
        return;
    }
}

static void job_free(struct media_job **job)
{
    if (*job != NULL)
        fd_close(&(*job)->out);
    mem_free(*job);
    *job = NULL;
}

/* The last callback of a job. */
static void fail(struct media *media, struct media_job *job, enum err kind, const struct why *why)
{
    CLEANUP(job_free) struct media_job *gone = job;
    unlink_job(media, gone);
    if (!gone->is_cancelled)
        gone->events.failed(gone->ctx, kind, why);
}

void media_job_fail_all(struct media *media, enum err kind, const struct why *why)
{
    uint64_t last =
        media->host->last_job; /* a user who asks again from `failed` must not hold us */
    while (media->jobs != NULL && media->jobs->id <= last)
        fail(media, media->jobs, kind, why);
}

void media_job_drop_all(struct media *media)
{
    while (media->jobs != NULL) {
        struct media_job *job = media->jobs;
        unlink_job(media, job);
        job_free(&job);
    }
}

static void send_job(struct media *media, struct media_job *job)
{
    struct wire_message message = {.fd_count = 1, .fds = {job->out}};
    if (job->is_plan) {
        message.kind = WIRE_PLAN;
        message.plan = (struct wire_plan){job->id, job->scan};
    } else if (job->is_storyboard) {
        message.kind = WIRE_STORYBOARD;
        message.storyboard = (struct wire_storyboard){job->id};
    } else if (job->is_fingerprint) {
        message.kind = WIRE_FINGERPRINT;
        message.fingerprint = (struct wire_fingerprint){job->id};
    } else if (job->is_convert) {
        message.kind = WIRE_CONVERT;
        message.convert =
            (struct wire_convert){.job = job->id,
                                  .track = job->what.track,
                                  .form = (uint32_t) job->what.form,
                                  .scale = job->what.scale,
                                  .shift = (uint64_t) (job->what.shift_ms + CONVERT_SHIFT_MOST_MS)};
    } else {
        message.kind = WIRE_SEGMENT;
        message.segment = (struct wire_segment){job->id, job->rendition, job->n};
    }
    job->is_sent = true;
    job->heard_ms = clock_mono_ms();
    media->sent++;
    channel_send(media->channel, &message);
}

/* In the order asked, as many as the process may hold. */
static void send_waiting(struct media *media)
{
    for (struct media_job *job = media->jobs; job != NULL; job = job->next)
        if (!job->is_sent && job->out >= 0 && media->sent < MEDIA_JOBS_SENT)
            send_job(media, job);
}

void media_job_pump(struct media *media)
{
    struct media_job *job = media->jobs;
    while (job != NULL && job->out >= 0)
        job = job->next;
    if (job != NULL) {
        struct why why = {0};
        why_set(&why, ERR_BUSY, NULL, "too many files are open");
        fail(media, job, ERR_BUSY, &why); /* the others like it go next time */
    }
    if (!media->is_closed)
        send_waiting(media);
}

static uint64_t add_job(struct media *media, int out, const struct media_job_events *events,
                        void *ctx, struct media_job *job)
{
    job->id = ++media->host->last_job;
    job->events = *events;
    job->ctx = ctx;
    job->out = fcntl(out, F_DUPFD_CLOEXEC, 0);
    struct media_job **last = &media->jobs;
    while (*last != NULL)
        last = &(*last)->next;
    *last = job;
    send_waiting(media); /* one that must fail waits for the watch, which is outside of all calls */
    return job->id;
}

uint64_t media_plan(struct media *media, bool scan, int out, const struct media_job_events *events,
                    void *ctx)
{
    struct media_job *job = mem_new(struct media_job);
    job->is_plan = true;
    job->scan = scan;
    return add_job(media, out, events, ctx, job);
}

uint64_t media_segment(struct media *media, uint32_t rendition, uint32_t n, int out,
                       const struct media_job_events *events, void *ctx)
{
    struct media_job *job = mem_new(struct media_job);
    job->rendition = rendition;
    job->n = n;
    return add_job(media, out, events, ctx, job);
}

uint64_t media_storyboard(struct media *media, int out, const struct media_job_events *events,
                          void *ctx)
{
    struct media_job *job = mem_new(struct media_job);
    job->is_storyboard = true;
    return add_job(media, out, events, ctx, job);
}

uint64_t media_fingerprint(struct media *media, int out, const struct media_job_events *events,
                           void *ctx)
{
    struct media_job *job = mem_new(struct media_job);
    job->is_fingerprint = true;
    return add_job(media, out, events, ctx, job);
}

uint64_t media_convert(struct media *media, const struct convert_what *what, int out,
                       const struct media_job_events *events, void *ctx)
{
    struct media_job *job = mem_new(struct media_job);
    job->is_convert = true;
    job->what = *what;
    return add_job(media, out, events, ctx, job);
}

void media_cancel(struct media *media, uint64_t id)
{
    struct media_job *job = media_job_find(media, id);
    if (job == NULL || job->is_cancelled)
        return;
    if (!job->is_sent) {
        unlink_job(media, job);
        job_free(&job);
        return;
    }
    job->is_cancelled = true;
    media_job_unwant(media, job);
    struct wire_message message = {.kind = WIRE_CANCEL, .cancel = {.job = id}};
    channel_send(media->channel, &message);
}

void media_give_up(struct media *media, uint64_t id, const struct why *why)
{
    struct media_job *job = media_job_find(media, id);
    if (job == NULL || job->is_cancelled)
        return;
    struct media_job_events events = job->events;
    void *ctx = job->ctx;
    media_cancel(media, id);
    events.failed(ctx, ERR_IO, why);
}

void media_have(struct media *media)
{
    if (media->map == NULL)
        return;
    struct wire_message message = {.kind = WIRE_HAVE, .have = {.turn = ++media->turn}};
    channel_send(media->channel, &message);
}

/* How many bytes the out file really has. */
static uint64_t out_size(const struct media_job *job)
{
    struct stat status;
    return fstat(job->out, &status) == 0 && status.st_size > 0 ? (uint64_t) status.st_size : 0;
}

/* All of its out file is told at once, when it is done. */
static bool is_file(const struct media_job *job)
{
    return job->is_plan || job->is_convert || job->is_fingerprint;
}

/* Extents lie in the source; the out file's bytes follow each other and are there. */
static bool judge_pieces(const struct media *media, struct media_job *job,
                         const struct wire_pieces *told, struct media_piece *out, struct why *why)
{
    job->pieces += told->pieces_count;
    if (told->pieces_count == 0 || job->pieces > MEDIA_PIECES_OF_JOB)
        return why_set(why, ERR_BAD_INPUT, NULL, "no pieces, or too many") == OK;
    for (uint32_t i = 0; i < told->pieces_count; i++) {
        const struct wire_piece *piece = &told->pieces[i];
        uint64_t limit = piece->is_source ? media->size : UINT64_MAX / 2;
        if (piece->length == 0 || piece->offset > limit || piece->length > limit - piece->offset)
            return why_set(why, ERR_BAD_INPUT, NULL, "a piece outside of the film") == OK;
        if (!piece->is_source && piece->offset != job->written)
            return why_set(why, ERR_BAD_INPUT, NULL, "a piece that does not follow") == OK;
        if (!piece->is_source)
            job->written += piece->length;
        out[i] = (struct media_piece){piece->is_source, piece->offset, piece->length};
    }
    if (job->written > out_size(job))
        return why_set(why, ERR_BAD_INPUT, NULL, "a piece that is not written") == OK;
    return true;
}

static bool take_pieces(struct media *media, struct media_job *job, const struct wire_pieces *told,
                        struct why *why)
{
    struct media_piece pieces[WIRE_MAX_PIECES];
    if (is_file(job) || job->is_storyboard || !judge_pieces(media, job, told, pieces, why))
        return false;
    if (!job->is_cancelled)
        job->events.pieces(job->ctx, pieces, told->pieces_count, told->part_end);
    return true;
}

static bool take_picture(struct media_job *job, const struct wire_picture *told, struct why *why)
{
    const uint64_t most_ms = (uint64_t) PLAN_MAX_HOURS * 3600 * 1000;
    bool is_first = job->pictures == 0;
    if (!job->is_storyboard || job->pictures == STORYBOARD_MOST ||
        job->on_sheet == STORYBOARD_SHEET)
        return why_set(why, ERR_BAD_INPUT, NULL, "a picture too many") == OK;
    if (told->at_ms > most_ms || (!is_first && (int64_t) told->at_ms <= job->picture_ms))
        return why_set(why, ERR_BAD_INPUT, NULL, "a picture out of time") == OK;
    if (told->width == 0 || told->height == 0 || told->width > STORYBOARD_SIDE ||
        told->height > STORYBOARD_SIDE ||
        (!is_first && (told->width != job->picture_width || told->height != job->picture_height)))
        return why_set(why, ERR_BAD_INPUT, NULL, "a picture of another size") == OK;
    job->pictures++;
    job->on_sheet++;
    job->picture_ms = (int64_t) told->at_ms;
    job->picture_width = told->width;
    job->picture_height = told->height;
    if (!job->is_cancelled)
        job->events.picture(job->ctx, job->picture_ms, told->width, told->height);
    return true;
}

static bool take_sheet(struct media_job *job, const struct wire_sheet *told, struct why *why)
{
    if (!job->is_storyboard || job->on_sheet == 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "a sheet of nothing") == OK;
    if (told->offset != job->written || told->length == 0 ||
        told->length > STORYBOARD_SHEET_BYTES || told->length > out_size(job) ||
        told->offset > out_size(job) - told->length)
        return why_set(why, ERR_BAD_INPUT, NULL, "a sheet that is not written") == OK;
    job->written += told->length;
    job->on_sheet = 0;
    if (!job->is_cancelled)
        job->events.sheet(job->ctx, told->offset, told->length);
    return true;
}

static bool take_done(struct media *media, struct media_job *job, uint64_t size, struct why *why)
{
    if (is_file(job) ? size == 0 || size > out_size(job)
                     : size != job->written || job->on_sheet > 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "a size that is not so") == OK;
    CLEANUP(job_free) struct media_job *gone = job;
    unlink_job(media, gone);
    fd_close(&gone->out);
    if (!gone->is_cancelled)
        gone->events.done(gone->ctx, size);
    return true;
}

static bool take_failed(struct media *media, struct media_job *job, const struct wire_failed *told)
{
    struct why why = {0};
    why_set(&why, told->kind, told->field, "%s", told->text);
    fail(media, job, told->kind, &why);
    return true;
}

static bool take_progress(const struct media_job *job, uint32_t permille)
{
    const uint32_t most = 1000;
    if (!job->is_plan || permille > most)
        return false;
    if (!job->is_cancelled && job->events.progress != NULL)
        job->events.progress(job->ctx, (double) permille / most);
    return true;
}

static bool take_verdict(const struct media_job *job, const struct wire_verdict *told)
{
    struct why why = {0};
    if (is_file(job) || job->is_storyboard)
        return false;
    why_set(&why, ERR_GONE, NULL, "%s", told->text);
    if (!job->is_cancelled && job->events.verdict != NULL)
        job->events.verdict(job->ctx, &why);
    return true;
}

/* The job a message is about: all of them begin with it. 0: about none. */
static uint64_t job_of(const struct wire_message *message)
{
    switch (message->kind) {
    case WIRE_TICK:
        return message->tick.job;
    case WIRE_PROGRESS:
        return message->progress.job;
    case WIRE_PIECES:
        return message->pieces.job;
    case WIRE_VERDICT:
        return message->verdict.job;
    case WIRE_PICTURE:
        return message->picture.job;
    case WIRE_SHEET:
        return message->sheet.job;
    case WIRE_DONE:
        return message->done.job;
    case WIRE_FAILED:
        return message->failed.job;
    case WIRE_HELLO:
    case WIRE_FORK:
    case WIRE_FORKED:
    case WIRE_UNFORKED:
    case WIRE_DIED:
    case WIRE_OPEN:
    case WIRE_OPENED:
    case WIRE_PLAN:
    case WIRE_SEGMENT:
    case WIRE_STORYBOARD:
    case WIRE_FINGERPRINT:
    case WIRE_CONVERT:
    case WIRE_CANCEL:
    case WIRE_HAVE:
    case WIRE_WANT:
    case WIRE_LOG:
    case WIRE_PING:
    case WIRE_PONG:
    case WIRE_GPU:
    case WIRE_TRY:
    case WIRE_TRIED:
    case WIRE_ENCODE:
    case WIRE_READY:
    case WIRE_FRAME:
    case WIRE_DRAIN:
    case WIRE_TAKEN:
    case WIRE_UNENCODED:
    case WIRE_FORGET:
    case WIRE_KIND_COUNT:
        break;
    }
    return 0;
}

bool media_job_message(struct media *media, const struct wire_message *message, struct why *why)
{
    struct media_job *job = media_job_find(media, job_of(message));
    if (job == NULL || !job->is_sent)
        return why_set(why, ERR_BAD_INPUT, NULL, "no such job") == OK;
    job->is_begun = true;
    job->heard_ms = clock_mono_ms();
    media_job_unwant(media, job);
    bool is_right = true;
    if (message->kind == WIRE_PIECES)
        is_right = take_pieces(media, job, &message->pieces, why);
    else if (message->kind == WIRE_PROGRESS)
        is_right = take_progress(job, message->progress.permille);
    else if (message->kind == WIRE_VERDICT)
        is_right = take_verdict(job, &message->verdict);
    else if (message->kind == WIRE_PICTURE)
        is_right = take_picture(job, &message->picture, why);
    else if (message->kind == WIRE_SHEET)
        is_right = take_sheet(job, &message->sheet, why);
    else if (message->kind == WIRE_DONE)
        is_right = take_done(media, job, message->done.size, why);
    else if (message->kind == WIRE_FAILED)
        is_right = take_failed(media, job, &message->failed);
    /* Their callbacks may have closed the film; else the next may go. */
    if (!media->is_closed)
        send_waiting(media);
    return is_right;
}
