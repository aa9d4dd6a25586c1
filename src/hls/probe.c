/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans for the library scan: files are opened on hls's pool, read by a media process of their own,
 * at most two at a time, so that a scan leaves the machine to those who watch.
 * Life of a probe: queued -> opening -> planning -> told on the asker's loop.
 * Threads: the hub's loop; hls_probe from any. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/open.h"

enum { MOST_AT_ONCE = 2 };

struct probe {
    struct hls *hls;
    struct hls_probe_job job;
    char *path;
    struct source *source;
    struct planner *planner;
    enum err kind;
    struct why why;
    struct source_identity identity;
    struct plan *plan;
    uint8_t *bytes;
    size_t size;
    bool is_running;
    bool has_failed; /* the scan: `why`; now a plan without is made */
    TAILQ_ENTRY(probe) link;
};
TAILQ_HEAD(probe_list, probe);

struct probe_queue {
    struct hls *hls;
    struct probe_list probes; /* all that were not told yet */
    unsigned running;
};

static void start_next(struct probe_queue *queue);

/* On the asker's loop; the last thing that happens to it. */
static void tell(void *arg)
{
    struct probe *probe = arg;
    bool is_plan = probe->kind == OK;
    probe->job.done(probe->job.ctx, probe->kind, &probe->why,
                    probe->source != NULL ? &probe->identity : NULL, is_plan ? probe->plan : NULL,
                    is_plan ? probe->bytes : NULL, is_plan ? probe->size : 0);
    plan_free(&probe->plan);
    source_unref(&probe->source);
    mem_free(probe->bytes);
    mem_free(probe->path);
    mem_free(probe);
}

static void finish(struct probe *probe, enum err kind, const struct why *why)
{
    struct probe_queue *queue = probe->hls->probes;
    probe->kind = kind;
    if (why != NULL)
        probe->why = *why;
    planner_stop(&probe->planner);
    TAILQ_REMOVE(&queue->probes, probe, link);
    if (probe->is_running)
        queue->running--;
    mailbox_post(probe->job.mailbox, tell, probe);
    start_next(queue);
}

/* What is wrong with the film, and will be the next time. */
static bool is_final(enum err kind)
{
    return kind == ERR_BAD_MEDIA || kind == ERR_LIMIT || kind == ERR_REFUSED;
}

static void start_plan(struct probe *probe, bool scan);

/* A film that cannot be read through is played as it was before, and nothing better will be found. */
static void settle(struct probe *probe)
{
    struct plan *first = probe->plan;
    if (!first->wants_scan)
        return;
    first->wants_scan = false;
    for (uint32_t i = 0; i < first->track_count; i++)
        if (first->tracks[i].kind == PLAN_VIDEO && first->tracks[i].copy_refused[0] != '\0' &&
            first->tracks[i].refused[0] == '\0')
            snprintf(first->tracks[i].copy_refused, sizeof first->tracks[i].copy_refused,
                     "it has no index, and cannot be read through for one: %.120s",
                     probe->why.text);
    mem_free_at(&probe->bytes);
    plan_write(first, &probe->bytes, &probe->size);
}

static void on_planned(void *ctx, enum err kind, const struct why *why, struct plan **plan,
                       uint8_t **bytes, size_t size)
{
    struct probe *probe = ctx;
    struct why said;
    if (probe->job.scan && !probe->has_failed && is_final(kind)) {
        log_info("probe.unscanned", log_str("path", probe->path), log_str("why", why->text));
        probe->has_failed = true;
        probe->why = *why;
        planner_stop(&probe->planner);
        start_plan(probe, false);
        return;
    }
    if (kind == OK && !source_is_unchanged(probe->source)) {
        kind = why_set(&said, ERR_AGAIN, NULL, "the file changes while it is read");
        why = &said;
    }
    probe->plan = *plan;
    probe->bytes = *bytes;
    probe->size = size;
    *plan = NULL;
    *bytes = NULL;
    if (kind == OK && probe->has_failed)
        settle(probe);
    finish(probe, kind, why);
}

static void on_progress(void *ctx, double fraction)
{
    const struct probe *probe = ctx;
    if (probe->job.progress != NULL)
        probe->job.progress(probe->job.ctx, fraction);
}

static void open_file(void *arg)
{
    struct probe *probe = arg;
    probe->kind = source_open_local(probe->path, &probe->source, &probe->why);
}

static void opened(void *arg)
{
    struct probe *probe = arg;
    if (probe->kind == OK && probe->hls->is_stopping)
        probe->kind = ERR_CANCELLED;
    if (probe->kind != OK) {
        finish(probe, probe->kind, NULL);
        return;
    }
    probe->identity = *source_identity(probe->source);
    start_plan(probe, probe->job.scan);
}

static void start_plan(struct probe *probe, bool scan)
{
    const char *name = strrchr(probe->path, '/');
    const struct planner_job job = {
        .scan = scan, .done = on_planned, .progress = on_progress, .ctx = probe};
    probe->planner =
        planner_start(probe->hls, probe->source, name != NULL ? name + 1 : "probe", &job);
}

bool probe_end_scan(struct hls *hls)
{
    struct probe *probe;
    struct why why;
    TAILQ_FOREACH(probe, &hls->probes->probes, link)
    if (probe->job.scan && probe->planner != NULL)
        break;
    if (probe == NULL)
        return false;
    log_info("probe.gives_way", log_str("path", probe->path));
    planner_end(&probe->planner);
    finish(probe, why_set(&why, ERR_BUSY, NULL, "its process was needed for a viewer"), &why);
    return true;
}

static void stop_scans(void *arg)
{
    struct hls *hls = arg;
    struct probe *probe;
    struct probe *next;
    struct why why;
    enum err kind = why_set(&why, ERR_CANCELLED, NULL, "the scan was stopped");
    for (probe = TAILQ_FIRST(&hls->probes->probes); probe != NULL; probe = next) {
        next = TAILQ_NEXT(probe, link);
        if (probe->job.scan && (!probe->is_running || probe->planner != NULL))
            finish(probe, kind, &why);
    }
}

void hls_stop_scans(struct hls *hls)
{
    mailbox_post(hls->mailbox, stop_scans, hls);
}

static void start(struct probe_queue *queue, struct probe *probe)
{
    struct hls *hls = queue->hls;
    probe->is_running = true;
    queue->running++;
    atomic_fetch_add(&hls->counters.probes, 1);
    if (pool_run(hls->pool, open_file, opened, probe, hls->mailbox) == OK)
        return;
    probe->kind = why_set(&probe->why, ERR_BUSY, NULL, "too many files are being opened");
    mailbox_post(hls->mailbox, opened, probe);
}

static void start_next(struct probe_queue *queue)
{
    struct probe *probe;
    while (queue->running < MOST_AT_ONCE && !queue->hls->is_stopping) {
        TAILQ_FOREACH(probe, &queue->probes, link)
        if (!probe->is_running)
            break;
        if (probe == NULL)
            return;
        start(queue, probe);
    }
}

static void arrive(void *arg)
{
    struct probe *probe = arg;
    struct probe_queue *queue = probe->hls->probes;
    struct why why;
    TAILQ_INSERT_TAIL(&queue->probes, probe, link);
    if (probe->hls->is_stopping)
        finish(probe, why_set(&why, ERR_CANCELLED, NULL, "the server is stopping"), &why);
    else
        start_next(queue);
}

void hls_probe(struct hls *hls, const struct hls_probe_job *job)
{
    struct probe *probe = mem_new(struct probe);
    probe->hls = hls;
    probe->job = *job;
    probe->path = mem_strdup(job->path);
    mailbox_post(hls->mailbox, arrive, probe);
}

struct probe_queue *probe_queue_new(struct hls *hls)
{
    struct probe_queue *queue = mem_new(struct probe_queue);
    queue->hls = hls;
    TAILQ_INIT(&queue->probes);
    return queue;
}

void probe_queue_stop(struct probe_queue *queue)
{
    struct probe *probe;
    struct probe *next;
    struct why why;
    for (probe = TAILQ_FIRST(&queue->probes); probe != NULL; probe = next) {
        next = TAILQ_NEXT(probe, link);
        /* Those the pool has in hand come back by `opened`. */
        if (!probe->is_running || probe->planner != NULL)
            finish(probe, why_set(&why, ERR_CANCELLED, NULL, "the server is stopping"), &why);
    }
}

void probe_queue_free(struct probe_queue **queue)
{
    if (*queue == NULL)
        return;
    MUST(TAILQ_EMPTY(&(*queue)->probes));
    mem_free(*queue);
    *queue = NULL;
}
