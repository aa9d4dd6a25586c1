/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transfer's callbacks run on fetch's own loop and wake who waits. */
#include "fetch/whole.h"

#include <pthread.h>

#include "base/mem.h"
#include "fetch/inside.h"

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    /* under lock */
    struct fetch_transfer *transfer;
    bool is_over;
    enum err kind;
    struct why why;
    int status;
    struct str body;
};

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct wait *wait = ctx;
    wait->status = head->status; /* read after is_over */
}

static bool on_data(void *ctx, const uint8_t *bytes, size_t size)
{
    struct wait *wait = ctx;
    str_append(&wait->body, (const char *) bytes, size);
    return true;
}

static void on_done(void *ctx, enum err kind, const struct why *why)
{
    struct wait *wait = ctx;
    pthread_mutex_lock(&wait->lock);
    fetch_end(&wait->transfer);
    wait->kind = kind;
    if (why != NULL)
        wait->why = *why;
    wait->is_over = true;
    pthread_cond_signal(&wait->ended);
    pthread_mutex_unlock(&wait->lock);
}

void fetch_answer_fini(struct fetch_answer *answer)
{
    mem_free(answer->body);
    *answer = (struct fetch_answer){0};
}

enum err fetch_whole(struct fetch *fetch, const struct fetch_order *asked, struct fetch_answer *out,
                     struct why *why)
{
    static const struct fetch_events EVENTS = {on_head, on_data, on_done};
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    struct fetch_order order = *asked;
    order.events = &EVENTS;
    order.ctx = &wait;
    order.mailbox = loop_mailbox(fetch->loop);
    *out = (struct fetch_answer){0};
    pthread_mutex_lock(&wait.lock);
    wait.transfer = fetch_begin(fetch, &order);
    while (!wait.is_over)
        pthread_cond_wait(&wait.ended, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    if (wait.kind == OK) {
        out->status = wait.status;
        out->size = wait.body.length;
        out->body = mem_strndup(str_text(&wait.body), wait.body.length);
    } else if (why != NULL) {
        *why = wait.why;
    }
    str_fini(&wait.body);
    pthread_cond_destroy(&wait.ended);
    pthread_mutex_destroy(&wait.lock);
    return wait.kind;
}
