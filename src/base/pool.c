/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"

struct job {
    task_fn *work, *done;
    void *arg;
    struct mailbox *mailbox;
    struct job *next;
};

struct pool {
    /* fixed after new */
    pthread_t *threads;
    unsigned thread_count;
    size_t queue_limit;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, **last;
    size_t queued, firsts; /* those that go before others stand before them */
    bool stopping;
};

static struct job *wait_for_job(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->changed, &pool->lock);
    struct job *job = pool->first;
    if (job != NULL) {
        pool->first = job->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pool->queued--;
        pool->firsts -= pool->firsts > 0 ? 1 : 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *serve(void *arg)
{
    struct pool *pool = arg;
    struct job *job;
    while ((job = wait_for_job(pool)) != NULL) {
        job->work(job->arg);
        if (job->done != NULL)
            mailbox_post(job->mailbox, job->done, job->arg);
        mem_free(job);
    }
    return NULL;
}

enum err pool_new(const char *name, unsigned threads, size_t queue_limit, struct pool **out)
{
    struct pool *pool = mem_new(struct pool);
    pool->queue_limit = queue_limit;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->threads = mem_new_array(pthread_t, threads);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, serve, pool) != 0) {
            pool_free(&pool);
            return ERR_BUSY;
        }
        char title[16];
        snprintf(title, sizeof title, "%.12s%u", name, i % 1000);
        pthread_setname_np(pool->threads[i], title);
        pool->thread_count++;
    }
    *out = pool;
    return OK;
}

void pool_free(struct pool **pool)
{
    if (*pool == NULL)
        return;
    struct pool *gone = *pool;
    pthread_mutex_lock(&gone->lock);
    gone->stopping = true;
    pthread_cond_broadcast(&gone->changed);
    pthread_mutex_unlock(&gone->lock);
    for (unsigned i = 0; i < gone->thread_count; i++)
        pthread_join(gone->threads[i], NULL);
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->threads);
    mem_free(gone);
    *pool = NULL;
}

/* Under lock. */
static void queue(struct pool *pool, struct job *job, bool is_first)
{
    struct job **at = is_first ? &pool->first : pool->last;
    for (size_t i = 0; is_first && i < pool->firsts; i++)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    if (job->next == NULL)
        pool->last = &job->next;
    pool->firsts += is_first ? 1 : 0;
    pool->queued++;
    pthread_cond_signal(&pool->changed);
}

static enum err take(struct pool *pool, const struct job *wanted, bool is_first)
{
    size_t limit = is_first ? 2 * pool->queue_limit : pool->queue_limit;
    pthread_mutex_lock(&pool->lock);
    bool has_room = pool->queued < limit && !pool->stopping;
    if (has_room) {
        struct job *job = mem_new(struct job);
        *job = *wanted;
        queue(pool, job, is_first);
    }
    pthread_mutex_unlock(&pool->lock);
    return has_room ? OK : ERR_BUSY;
}

enum err pool_run(struct pool *pool, task_fn *work, task_fn *done, void *arg,
                  struct mailbox *mailbox)
{
    const struct job job = {.work = work, .done = done, .arg = arg, .mailbox = mailbox};
    return take(pool, &job, false);
}

enum err pool_run_first(struct pool *pool, task_fn *work, task_fn *done, void *arg,
                        struct mailbox *mailbox)
{
    const struct job job = {.work = work, .done = done, .arg = arg, .mailbox = mailbox};
    return take(pool, &job, true);
}
