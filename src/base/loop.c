/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { SLOW_TICK_MS = 10 };

struct loop {
    /* fixed after start */
    char name[16];
    pthread_t thread;
    struct mailbox *mailbox;
    sem_t ready;
    /* loop's thread */
    uv_loop_t uv;
    uv_prepare_t before_wait;
    uv_check_t after_wait;
    int64_t woke_ms; /* 0 before the first wait */
};

static void on_before_wait(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->woke_ms == 0)
        return;
    int64_t took_ms = clock_mono_ms() - loop->woke_ms;
    if (took_ms > SLOW_TICK_MS)
        log_debug("loop.slow_tick", log_str("loop", loop->name), log_int("ms", took_ms));
}

static void on_after_wait(uv_check_t *handle)
{
    struct loop *loop = handle->data;
    loop->woke_ms = clock_mono_ms();
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    MUST(uv_loop_init(&loop->uv) == 0);
    loop->mailbox = mailbox_new(&loop->uv);
    uv_prepare_init(&loop->uv, &loop->before_wait);
    uv_check_init(&loop->uv, &loop->after_wait);
    loop->before_wait.data = loop->after_wait.data = loop;
    uv_prepare_start(&loop->before_wait, on_before_wait);
    uv_check_start(&loop->after_wait, on_after_wait);
    uv_unref((uv_handle_t *) &loop->before_wait);
    uv_unref((uv_handle_t *) &loop->after_wait);
    sem_post(&loop->ready);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&loop->uv) == 0);
    return NULL;
}

enum err loop_start(const char *name, struct loop **out)
{
    struct loop *loop = mem_new(struct loop);
    snprintf(loop->name, sizeof loop->name, "%s", name);
    sem_init(&loop->ready, 0, 0);
    if (pthread_create(&loop->thread, NULL, run, loop) != 0) {
        sem_destroy(&loop->ready);
        mem_free(loop);
        return ERR_BUSY;
    }
    pthread_setname_np(loop->thread, loop->name);
    while (sem_wait(&loop->ready) != 0)
        ;
    *out = loop;
    return OK;
}

/* The last task: without the mailbox and the two tick handles the loop ends once all others have
 * closed theirs. */
static void close_own_handles(void *arg)
{
    struct loop *loop = arg;
    uv_close((uv_handle_t *) &loop->before_wait, NULL);
    uv_close((uv_handle_t *) &loop->after_wait, NULL);
    mailbox_free(&loop->mailbox);
}

void loop_stop(struct loop **loop)
{
    if (*loop == NULL)
        return;
    mailbox_post((*loop)->mailbox, close_own_handles, *loop);
    pthread_join((*loop)->thread, NULL);
    sem_destroy(&(*loop)->ready);
    mem_free(*loop);
    *loop = NULL;
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return loop->mailbox;
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct call {
    task_fn *task;
    void *arg;
    sem_t done;
};

static void run_call(void *arg)
{
    struct call *call = arg;
    call->task(call->arg);
    sem_post(&call->done);
}

void loop_call(struct loop *loop, task_fn *task, void *arg)
{
    struct call call = {.task = task, .arg = arg};
    sem_init(&call.done, 0, 0);
    mailbox_post(loop->mailbox, run_call, &call);
    while (sem_wait(&call.done) != 0)
        ;
    sem_destroy(&call.done);
}
