/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_media.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

struct media_host *fake_new(unsigned limit)
{
    struct media_host *host = mem_new(struct media_host);
    host->limit = limit;
    return host;
}

void media_host_attach(struct media_host *host UNUSED, struct uv_loop_s *loop UNUSED)
{
}

void media_host_stop(struct media_host **host)
{
    for (unsigned i = 0; i < (*host)->job_count; i++)
        fd_close(&(*host)->jobs[i].out);
    MUST((*host)->open == 0);
    mem_free(*host);
    *host = NULL;
}

bool media_host_is_alive(const struct media_host *host)
{
    return !host->is_dead;
}

/* It has no zygote that could hang. */
enum err media_host_ping(struct media_host *host, media_pinged_fn *done, void *ctx)
{
    if (host->is_dead)
        return ERR_BUSY;
    done(ctx, true);
    return OK;
}

const char *media_host_engine(const struct media_host *host UNUSED)
{
    return "fake-1";
}

enum err media_open(struct media_host *host, int film UNUSED, int map UNUSED, uint64_t size UNUSED,
                    const uint8_t *plan UNUSED, size_t plan_size UNUSED, const char *label UNUSED,
                    unsigned how, const struct media_events *events, void *ctx, struct media **out)
{
    if (host->is_dead || host->open == host->limit)
        return ERR_BUSY;
    host->open++;
    host->opened++;
    host->fresh += (how & MEDIA_FRESH) != 0;
    host->idle += (how & MEDIA_IDLE) != 0;
    struct media *media = mem_new(struct media);
    *media = (struct media){.host = host, .events = *events, .ctx = ctx};
    *out = media;
    return OK;
}

static void end(struct media *media)
{
    media->host->open--;
    mem_free(media);
}

void media_close(struct media **media)
{
    struct media_host *host = (*media)->host;
    for (unsigned i = 0; i < host->job_count; i++)
        host->jobs[i].is_waiting &= host->jobs[i].media != *media; /* it says nothing any more */
    for (unsigned i = 0; i < host->job_count; i++)
        if (host->jobs[i].media == *media)
            fake_fail(&host->jobs[i], ERR_CANCELLED, "the film was closed");
    end(*media);
    *media = NULL;
}

enum err media_host_try(struct media_host *host, const char *device UNUSED, media_tried_fn *done,
                        void *ctx)
{
    static const struct media_device works = {.words = "fake", .plan = {.speed = 1000000000}};
    struct why why = {0};
    if (host->tries_refused > 0) {
        host->tries_refused--;
        return ERR_BUSY;
    }
    why_set(&why, ERR_REFUSED, NULL, "it does not work");
    done(ctx, host->device_works ? &works : NULL, &why);
    return OK;
}

enum err media_give_device(struct media *media, const char *device UNUSED)
{
    media->host->devices++;
    media->has_device = true;
    return OK;
}

void media_end_device(struct media *media)
{
    media->host->devices_ended += media->has_device ? 1 : 0;
    media->has_device = false;
}

bool media_has_device(const struct media *media)
{
    return media->has_device;
}

int64_t media_cpu_ms(const struct media *media UNUSED)
{
    return 0; /* nobody's processor */
}

static uint64_t add(struct media *media, struct fake_job job)
{
    struct media_host *host = media->host;
    MUST(host->job_count < FAKE_JOBS);
    job.media = media;
    job.id = ++host->ids;
    job.out = fcntl(job.out, F_DUPFD_CLOEXEC, 0);
    host->jobs[host->job_count++] = job;
    return job.id;
}

uint64_t media_plan(struct media *media, bool scan, int out, const struct media_job_events *events,
                    void *ctx)
{
    return add(media,
               (struct fake_job){
                   .is_plan = true, .scan = scan, .out = out, .events = *events, .ctx = ctx});
}

void media_on_want(struct media *media, const struct media_want_events *events, void *ctx)
{
    media->want_events = events != NULL ? *events : (struct media_want_events){0};
    media->want_ctx = ctx;
}

uint64_t media_segment(struct media *media, uint32_t rendition, uint32_t n, int out,
                       const struct media_job_events *events, void *ctx)
{
    return add(media, (struct fake_job){.rendition = rendition,
                                        .n = n,
                                        .is_bytes = rendition % 2 == 1,
                                        .out = out,
                                        .events = *events,
                                        .ctx = ctx});
}

uint64_t media_storyboard(struct media *media, int out, const struct media_job_events *events,
                          void *ctx)
{
    return add(media,
               (struct fake_job){.is_storyboard = true, .out = out, .events = *events, .ctx = ctx});
}

uint64_t media_fingerprint(struct media *media, int out, const struct media_job_events *events,
                           void *ctx)
{
    return add(
        media,
        (struct fake_job){
            .is_fingerprint = true, .is_bytes = true, .out = out, .events = *events, .ctx = ctx});
}

struct fake_job *fake_find_fingerprint(struct media_host *host)
{
    for (unsigned i = host->job_count; i-- > 0;)
        if (host->jobs[i].media != NULL && host->jobs[i].is_fingerprint)
            return &host->jobs[i];
    return NULL;
}

struct fake_job *fake_find_storyboard(struct media_host *host)
{
    for (unsigned i = host->job_count; i-- > 0;)
        if (host->jobs[i].media != NULL && host->jobs[i].is_storyboard)
            return &host->jobs[i];
    return NULL;
}

void fake_sheet(struct fake_job *job, int64_t from_ms, uint32_t pictures, const char *bytes)
{
    for (uint32_t i = 0; i < pictures; i++)
        job->events.picture(job->ctx, from_ms + (int64_t) i * 5000, 160, 90);
    MUST(fd_write_at(job->out, bytes, strlen(bytes), job->size) == OK);
    job->events.sheet(job->ctx, job->size, strlen(bytes));
    job->size += strlen(bytes);
}

uint64_t media_convert(struct media *media, const struct convert_what *what, int out,
                       const struct media_job_events *events, void *ctx)
{
    return add(media, (struct fake_job){.rendition = FAKE_CONVERSION,
                                        .n = what->track,
                                        .is_bytes = true,
                                        .out = out,
                                        .events = *events,
                                        .ctx = ctx});
}

static void over(struct fake_job *job)
{
    fake_unwant(job);
    job->media = NULL;
    fd_close(&job->out);
}

void media_cancel(struct media *media, uint64_t id)
{
    struct media_host *host = media->host;
    for (unsigned i = 0; i < host->job_count; i++) {
        if (host->jobs[i].id != id || host->jobs[i].media == NULL)
            continue;
        over(&host->jobs[i]);
        host->cancelled++;
    }
}

struct fake_job *fake_find(struct media_host *host, uint32_t rendition, uint32_t n)
{
    for (unsigned i = host->job_count; i-- > 0;) {
        struct fake_job *job = &host->jobs[i];
        if (job->media != NULL && !job->is_plan && !job->is_storyboard && !job->is_fingerprint &&
            job->rendition == rendition && job->n == n)
            return job;
    }
    return NULL;
}

struct fake_job *fake_find_plan(struct media_host *host)
{
    for (unsigned i = host->job_count; i-- > 0;)
        if (host->jobs[i].media != NULL && host->jobs[i].is_plan)
            return &host->jobs[i];
    return NULL;
}

unsigned fake_running(const struct media_host *host)
{
    unsigned count = 0;
    for (unsigned i = 0; i < host->job_count; i++)
        count += host->jobs[i].media != NULL ? 1 : 0;
    return count;
}

void fake_part(struct fake_job *job)
{
    static const char bytes[] = "\0\0\0\x08"
                                "stypxy";
    const struct media_piece of_file = {false, job->size, sizeof bytes - 1};
    const struct media_piece of_source = {true, 100, 100};
    MUST(fd_write_at(job->out, bytes, sizeof bytes - 1, job->size) == OK);
    job->size += sizeof bytes - 1;
    if (job->events.pieces == NULL) /* a conversion is a file, without pieces */
        return;
    job->events.pieces(job->ctx, &of_file, 1, job->is_bytes);
    if (!job->is_bytes)
        job->events.pieces(job->ctx, &of_source, 1, true);
}

void fake_done(struct fake_job *job)
{
    struct media_job_events events = job->events;
    void *ctx = job->ctx;
    uint64_t size = job->size;
    over(job);
    events.done(ctx, size);
}

void fake_fail(struct fake_job *job, enum err kind, const char *words)
{
    struct media_job_events events = job->events;
    void *ctx = job->ctx;
    struct why why = {0};
    over(job);
    events.failed(ctx, why_set(&why, kind, NULL, "%s", words), &why);
}

void fake_plan(struct fake_job *job, const uint8_t *bytes, size_t size)
{
    struct media_job_events events = job->events;
    void *ctx = job->ctx;
    MUST(fd_write_at(job->out, bytes, size, 0) == OK);
    over(job);
    events.done(ctx, size);
}

void fake_verdict(struct fake_job *job, const char *words)
{
    struct why why = {0};
    why_set(&why, ERR_GONE, NULL, "%s", words);
    job->events.verdict(job->ctx, &why);
}

void fake_progress(struct fake_job *job, double fraction)
{
    if (job->events.progress != NULL)
        job->events.progress(job->ctx, fraction);
}

void media_have(struct media *media)
{
    media->host->haves++;
}

void media_give_up(struct media *media, uint64_t id, const struct why *why)
{
    struct media_host *host = media->host;
    for (unsigned i = 0; i < host->job_count; i++)
        if (host->jobs[i].media == media && host->jobs[i].id == id)
            fake_fail(&host->jobs[i], ERR_IO, why->text);
}

void fake_want(struct fake_job *job, uint64_t offset, uint64_t length)
{
    job->is_waiting = true;
    job->media->want_events.want(job->media->want_ctx, job->id, offset, length);
}

void fake_unwant(struct fake_job *job)
{
    if (job->is_waiting && job->media->want_events.unwant != NULL)
        job->media->want_events.unwant(job->media->want_ctx, job->id);
    job->is_waiting = false;
}

void fake_die(struct media *media, const char *words)
{
    struct media_host *host = media->host;
    struct why why = {0};
    why_set(&why, ERR_GONE, NULL, "%s", words);
    for (unsigned i = 0; i < host->job_count; i++)
        if (host->jobs[i].media == media)
            fake_fail(&host->jobs[i], ERR_GONE, words);
    media->events.died(media->ctx, &why);
    end(media);
}
