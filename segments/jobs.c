/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/jobs.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "segments/fingerprint.h"

enum lane_name { LANE_QUICK, LANE_VIDEO, LANE_PLAN, LANE_COUNT };

enum {
    LADDER_MAX = 8, /* rungs made in one go */
    QUICK_THREADS =
        8, /* as many as the server asks for where they may sleep for bytes (job_run.c) */
    VIDEO_THREADS = 2, /* where the server does not say */
    VIDEO_LIMIT = 64,
    TICK_EVERY_MS = 100, /* a small part of what the server waits before it calls us hung */
};

/* Jobs made by one call of the engine. */
struct batch {
    struct jobs *jobs;
    struct job *members[LADDER_MAX];
    uint32_t count;
    uint32_t uncancelled;      /* under lock */
    _Atomic bool is_cancelled; /* when all of them are */
    int64_t ticked_ms;         /* its maker's */
};

struct lane {
    struct jobs *jobs; /* fixed after new */
    const char *name;  /* fixed after new */
    uint32_t limit;    /* fixed after give; of its threads */
    /* under lock */
    pthread_cond_t changed;
    struct job *first, **last;
    uint32_t threads, idle, waiting;
};

struct jobs {
    /* fixed after give */
    int socket;
    pthread_key_t batch_of_thread;
    struct input *input;
    const struct plan *plan;
    struct engine *engine;
    const struct engine_options *options;
    enum err refusal; /* OK: none */
    struct why refusal_why;
    /* under lock */
    pthread_mutex_t lock;
    struct lane lanes[LANE_COUNT];
    struct job *running; /* by `next` */
};

static void lane_init(struct lane *lane, struct jobs *jobs, const char *name, uint32_t limit)
{
    *lane = (struct lane){.jobs = jobs, .name = name, .limit = limit};
    lane->last = &lane->first;
    pthread_cond_init(&lane->changed, NULL);
}

struct jobs *jobs_new(int socket)
{
    struct jobs *jobs = mem_new(struct jobs);
    jobs->socket = socket;
    jobs->refusal = ERR_GONE;
    pthread_mutex_init(&jobs->lock, NULL);
    MUST(pthread_key_create(&jobs->batch_of_thread, NULL) == 0);
    lane_init(&jobs->lanes[LANE_QUICK], jobs, "quick", QUICK_THREADS);
    lane_init(&jobs->lanes[LANE_VIDEO], jobs, "video", VIDEO_THREADS);
    lane_init(&jobs->lanes[LANE_PLAN], jobs, "plan", 1);
    return jobs;
}

void jobs_give(struct jobs *jobs, struct input *input, const struct plan *plan,
               struct engine *engine, const struct engine_options *options)
{
    jobs->input = input;
    jobs->plan = plan;
    jobs->engine = engine;
    jobs->options = options;
    jobs->refusal = OK;
    if (options->runs > 0)
        jobs->lanes[LANE_VIDEO].limit = options->runs < VIDEO_LIMIT ? options->runs : VIDEO_LIMIT;
}

void jobs_refuse(struct jobs *jobs, enum err kind, const struct why *why)
{
    jobs->refusal = kind;
    jobs->refusal_why = *why;
}

/* Called in the thread that reads, which is the one that makes the batch. */
static void on_want(void *ctx, uint64_t offset, uint64_t length)
{
    const struct jobs *jobs = ctx;
    struct batch *batch = pthread_getspecific(jobs->batch_of_thread);
    MUST(batch != NULL); /* nobody else reads */
    for (uint32_t i = 0; i < batch->count; i++)
        job_want(batch->members[i], offset, length);
}

const struct input_ops jobs_input_ops = {.want = on_want};

static void on_tick(void *ctx)
{
    struct batch *batch = ctx;
    int64_t now = clock_mono_ms();
    if (now - batch->ticked_ms < TICK_EVERY_MS)
        return;
    batch->ticked_ms = now;
    for (uint32_t i = 0; i < batch->count; i++)
        job_tick(batch->members[i]);
}

static void on_progress(void *ctx, double fraction)
{
    struct batch *batch = ctx;
    int64_t now = clock_mono_ms();
    if (now - batch->ticked_ms < TICK_EVERY_MS)
        return;
    batch->ticked_ms = now;
    job_progress(batch->members[0], fraction);
}

static void make_plan(struct batch *batch)
{
    struct jobs *jobs = batch->jobs;
    struct job *job = batch->members[0];
    CLEANUP(plan_free) struct plan *plan = NULL;
    struct why why = {0};
    const struct engine_plan_job how = {.scan = job->scan,
                                        .cancelled = &batch->is_cancelled,
                                        .progress = on_progress,
                                        .ctx = batch};
    enum err kind = engine_plan(jobs->input, jobs->options, &how, &plan, &why);
    if (kind == OK) {
        CLEANUP(mem_free_at) uint8_t *bytes = NULL;
        size_t size;
        plan_write(plan, &bytes, &size);
        kind = job_write(job, bytes, size);
    }
    job_end(job, kind, &why);
}

static enum err on_picture(void *ctx, int64_t at_ms, uint32_t width, uint32_t height)
{
    const struct batch *batch = ctx;
    return job_picture(batch->members[0], at_ms, width, height);
}

static enum err on_sheet(void *ctx, const void *bytes, size_t size)
{
    const struct batch *batch = ctx;
    return job_sheet(batch->members[0], bytes, size);
}

static void make_storyboard(struct batch *batch)
{
    struct why why = {0};
    const struct engine_storyboard how = {.picture = on_picture,
                                          .sheet = on_sheet,
                                          .tick = on_tick,
                                          .cancelled = &batch->is_cancelled,
                                          .ctx = batch};
    enum err kind = engine_storyboard(batch->jobs->engine, &how, &why);
    job_end(batch->members[0], kind, &why);
}

static void make_fingerprint(struct batch *batch)
{
    struct job *job = batch->members[0];
    struct fingerprint fingerprint = {0};
    struct why why = {0};
    const struct engine_listening how = {
        .tick = on_tick, .cancelled = &batch->is_cancelled, .ctx = batch};
    enum err kind = engine_fingerprint(batch->jobs->engine, &how, &fingerprint, &why);
    if (kind == OK) {
        CLEANUP(str_fini) struct str out = {0};
        fingerprint_write(&fingerprint, &out);
        fingerprint_fini(&fingerprint);
        kind = job_write(job, (const uint8_t *) out.at, out.length);
    }
    job_end(job, kind, &why);
}

static void make_file(struct batch *batch)
{
    struct jobs *jobs = batch->jobs;
    struct job *job = batch->members[0];
    struct str out = {0};
    struct why why = {0};
    enum err kind = engine_convert(jobs->input, jobs->plan, &job->what, &batch->is_cancelled,
                                   on_tick, batch, &out, &why);
    if (kind == OK)
        kind = job_write(job, (const uint8_t *) str_text(&out), out.length);
    str_fini(&out);
    job_end(job, kind, &why);
}

static void make_segments(struct batch *batch)
{
    CLEANUP(mem_free_at)
    struct engine_output *outputs = mem_new_array(struct engine_output, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        outputs[i].rendition = batch->members[i]->rendition;
        outputs[i].sink = job_sink(batch->members[i]);
    }
    engine_segment(batch->jobs->engine, batch->members[0]->n, outputs, batch->count,
                   &batch->is_cancelled, on_tick, batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (outputs[i].result == OK && outputs[i].verdict.text[0] != '\0')
            job_verdict(batch->members[i], &outputs[i].verdict);
        job_end(batch->members[i], outputs[i].result, &outputs[i].why);
    }
}

static void make(struct batch *batch)
{
    pthread_setspecific(batch->jobs->batch_of_thread, batch);
    on_tick(batch); /* begun */
    if (batch->members[0]->is_plan)
        make_plan(batch);
    else if (batch->members[0]->is_storyboard)
        make_storyboard(batch);
    else if (batch->members[0]->is_fingerprint)
        make_fingerprint(batch);
    else if (batch->members[0]->is_convert)
        make_file(batch);
    else
        make_segments(batch);
    pthread_setspecific(batch->jobs->batch_of_thread, NULL);
}

/* Takes *at out of the lane into the batch. Under lock. */
static void take(struct lane *lane, struct job **at, struct batch *batch)
{
    struct job *job = *at;
    *at = job->next;
    if (lane->last == &job->next)
        lane->last = at;
    lane->waiting--;
    job->next = lane->jobs->running;
    lane->jobs->running = job;
    job->batch = batch;
    batch->members[batch->count++] = job;
    batch->uncancelled++;
}

/* Whether two pictures differ in size alone, and so are made from one decode. */
static bool are_alike(const struct plan *plan, const struct job *a, const struct job *b)
{
    return a->n == b->n && plan_burnt(&plan->renditions[a->rendition]) ==
                               plan_burnt(&plan->renditions[b->rendition]);
}

/* The first that waits, and for a video all others of the same segment. Under lock. */
static void take_batch(struct lane *lane, struct batch *batch)
{
    take(lane, &lane->first, batch);
    if (lane != &lane->jobs->lanes[LANE_VIDEO])
        return;
    struct job **at = &lane->first;
    while (*at != NULL && batch->count < LADDER_MAX) {
        if (are_alike(lane->jobs->plan, *at, batch->members[0]))
            take(lane, at, batch);
        else
            at = &(*at)->next;
    }
}

static void forget_batch(struct jobs *jobs, struct batch *batch)
{
    pthread_mutex_lock(&jobs->lock);
    for (struct job **at = &jobs->running; *at != NULL;) {
        if ((*at)->batch == batch)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&jobs->lock);
    for (uint32_t i = 0; i < batch->count; i++)
        job_free(&batch->members[i]);
}

static void *serve(void *arg)
{
    struct lane *lane = arg;
    struct jobs *jobs = lane->jobs;
    pthread_setname_np(pthread_self(), lane->name);
    for (;;) {
        struct batch batch = {.jobs = jobs};
        pthread_mutex_lock(&jobs->lock);
        lane->idle++;
        while (lane->first == NULL)
            pthread_cond_wait(&lane->changed, &jobs->lock);
        lane->idle--;
        take_batch(lane, &batch);
        pthread_mutex_unlock(&jobs->lock);
        make(&batch);
        forget_batch(jobs, &batch);
    }
    return NULL;
}

/* Under lock. Without a thread the job waits for those there are; without any, it fails. */
static bool have_thread(struct lane *lane)
{
    if (lane->idle >= lane->waiting || lane->threads == lane->limit)
        return true;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, lane) != 0)
        return lane->threads > 0;
    pthread_detach(thread);
    lane->threads++;
    return true;
}

/* What is wrong with a job before it is begun. */
static enum err judge(const struct jobs *jobs, const struct job *job, struct why *why)
{
    if (jobs->refusal != OK) {
        *why = jobs->refusal_why;
        return jobs->refusal;
    }
    if (job->is_plan || job->is_convert)
        return OK;
    if (jobs->engine == NULL)
        return why_set(why, ERR_BAD_INPUT, NULL, "the film has no plan yet");
    if (job->is_storyboard || job->is_fingerprint)
        return OK;
    if (job->rendition >= jobs->plan->rendition_count)
        return why_set(why, ERR_BAD_INPUT, NULL, "the plan has no rendition %u", job->rendition);
    const struct plan_rendition *rendition = &jobs->plan->renditions[job->rendition];
    if (job->n >= plan_segment_count(jobs->plan, job->rendition) + plan_is_on_device(rendition))
        return why_set(why, ERR_BAD_INPUT, NULL, "the rendition has no segment %u", job->n);
    return OK;
}

static struct lane *lane_of(struct jobs *jobs, const struct job *job)
{
    if (job->is_plan || job->is_storyboard || job->is_fingerprint)
        return &jobs->lanes[LANE_PLAN];
    if (job->is_convert)
        return &jobs->lanes[LANE_QUICK];
    const struct plan_rendition *rendition = &jobs->plan->renditions[job->rendition];
    bool is_heavy = rendition->kind == PLAN_VIDEO && !rendition->is_copy;
    return &jobs->lanes[is_heavy ? LANE_VIDEO : LANE_QUICK];
}

void jobs_add(struct jobs *jobs, struct job **job)
{
    CLEANUP(job_free) struct job *taken = *job;
    *job = NULL;
    struct why why = {0};
    enum err kind = judge(jobs, taken, &why);
    if (kind != OK) {
        job_end(taken, kind, &why);
        return;
    }
    struct lane *lane = lane_of(jobs, taken);
    pthread_mutex_lock(&jobs->lock);
    lane->waiting++;
    bool is_served = have_thread(lane);
    if (is_served) {
        *lane->last = taken;
        lane->last = &taken->next;
        taken = NULL;
        pthread_cond_signal(&lane->changed);
    } else {
        lane->waiting--;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (!is_served)
        job_end(taken, ERR_BUSY, NULL);
}

/* Takes a job that waits out of its lane. Under lock. NULL: none of this number waits. */
static struct job *unqueue(struct jobs *jobs, uint64_t id)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &jobs->lanes[i];
        for (struct job **at = &lane->first; *at != NULL; at = &(*at)->next) {
            struct job *job = *at;
            if (job->id != id)
                continue;
            *at = job->next;
            if (lane->last == &job->next)
                lane->last = at;
            lane->waiting--;
            return job;
        }
    }
    return NULL;
}

/* Under lock. Others of its batch go on. */
static void cancel_running(struct jobs *jobs, uint64_t id)
{
    for (struct job *job = jobs->running; job != NULL; job = job->next) {
        if (job->id != id || atomic_exchange(&job->is_cancelled, true))
            continue;
        if (--job->batch->uncancelled == 0)
            atomic_store(&job->batch->is_cancelled, true);
    }
}

void jobs_cancel(struct jobs *jobs, uint64_t id)
{
    pthread_mutex_lock(&jobs->lock);
    CLEANUP(job_free) struct job *waiting = unqueue(jobs, id);
    if (waiting == NULL)
        cancel_running(jobs, id);
    pthread_mutex_unlock(&jobs->lock);
    if (waiting != NULL)
        job_end(waiting, ERR_CANCELLED, NULL);
    else if (jobs->input != NULL)
        input_wake(jobs->input);
}
