/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Woken by an eventfd of its own, not by uv_async_t: there the woken thread spins until the sender
 * has come back from its write, on two cores for most of the sender's time slice (measured: a tenth
 * of all the time of a loop that answers small requests). */
#include "base/mailbox.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <uv.h>

#include "base/fd.h"
#include "base/mem.h"

struct task {
    task_fn *run;
    void *arg;
};

struct tasks {
    struct task *items;
    size_t count, room;
};

struct mailbox {
    uv_poll_t wake; /* loop's thread */
    int event;      /* fixed after new */
    pthread_mutex_t lock;
    /* under lock */
    struct tasks posted;
    bool is_woken; /* the loop will look, or is looking */
    /* loop's thread */
    struct tasks spare;
};

/* Takes what was posted; false: nothing, and the next post wakes the loop. */
static bool take_posted(struct mailbox *mailbox, struct tasks *out)
{
    pthread_mutex_lock(&mailbox->lock);
    *out = mailbox->posted;
    mailbox->posted = mailbox->spare;
    mailbox->spare = (struct tasks){0};
    mailbox->is_woken = out->count > 0;
    pthread_mutex_unlock(&mailbox->lock);
    return out->count > 0;
}

/* A task may free the mailbox, and so come here again: the list in hand is never the spare one. */
static void run_tasks(struct mailbox *mailbox)
{
    struct tasks tasks;
    bool any;
    do {
        any = take_posted(mailbox, &tasks);
        for (size_t i = 0; i < tasks.count; i++)
            tasks.items[i].run(tasks.items[i].arg);
        tasks.count = 0;
        mem_free(mailbox->spare.items);
        mailbox->spare = tasks;
    } while (any);
}

static void on_wake(uv_poll_t *handle, int status UNUSED, int events UNUSED)
{
    struct mailbox *mailbox = handle->data;
    eventfd_t count;
    if (eventfd_read(mailbox->event, &count) == 0)
        run_tasks(mailbox);
}

struct mailbox *mailbox_new(struct uv_loop_s *loop)
{
    struct mailbox *mailbox = mem_new(struct mailbox);
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    MUST(mailbox->event >= 0);
    MUST(uv_poll_init(loop, &mailbox->wake, mailbox->event) == 0);
    mailbox->wake.data = mailbox;
    MUST(uv_poll_start(&mailbox->wake, UV_READABLE, on_wake) == 0);
    return mailbox;
}

static void on_closed(uv_handle_t *handle)
{
    struct mailbox *mailbox = handle->data;
    pthread_mutex_destroy(&mailbox->lock);
    fd_close(&mailbox->event);
    mem_free(mailbox->posted.items);
    mem_free(mailbox->spare.items);
    mem_free(mailbox);
}

void mailbox_free(struct mailbox **mailbox)
{
    if (*mailbox == NULL)
        return;
    run_tasks(*mailbox);
    uv_close((uv_handle_t *) &(*mailbox)->wake, on_closed);
    *mailbox = NULL;
}

/* Who has to wake the loop touches nothing after that: before it, no task of this list can run, and
 * after it the task may free the mailbox. */
void mailbox_post(struct mailbox *mailbox, task_fn *task, void *arg)
{
    pthread_mutex_lock(&mailbox->lock);
    struct tasks *posted = &mailbox->posted;
    mem_grow(posted->items, posted->count, posted->room);
    posted->items[posted->count++] = (struct task){task, arg};
    bool wakes = !mailbox->is_woken;
    mailbox->is_woken = true;
    int event = mailbox->event;
    pthread_mutex_unlock(&mailbox->lock);
    if (wakes)
        eventfd_write(event, 1); /* fails only when full, and then the loop is awake */
}
