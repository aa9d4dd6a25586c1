/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans for the library scan: files are opened on hls's pool, read by a media process of their own,
 * at most two at a time, so that a scan leaves the machine to those who watch.
 * Life of a probe: queued -> opening -> planning -> told on the asker's loop.
 * Threads: the hub's loop; hls_probe from any. */
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
    probe->job.done(probe->job.ctx, probe->kind, &probe->why, &probe->identity,
                    is_plan ? probe->plan : NULL, is_plan ? probe->bytes : NULL,
                    is_plan ? probe->size : 0);
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

static void on_planned(void *ctx, enum err kind, const struct why *why, struct plan **plan,
                       uint8_t **bytes, size_t size)
{
    struct probe *probe = ctx;
    struct why said;
    if (kind == OK && !source_is_unchanged(probe->source)) {
        kind = why_set(&said, ERR_AGAIN, NULL, "the file changes while it is read");
        why = &said;
    }
    probe->plan = *plan;
    probe->bytes = *bytes;
    probe->size = size;
    *plan = NULL;
    *bytes = NULL;
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
    const char *name = strrchr(probe->path, '/');
    const struct planner_job job = {
        .scan = probe->job.scan, .done = on_planned, .progress = on_progress, .ctx = probe};
    probe->planner =
        planner_start(probe->hls, probe->source, name != NULL ? name + 1 : "probe", &job);
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
