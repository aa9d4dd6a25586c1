/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The asker's side of a transfer: what came waits here until the asker's loop has taken it; when much
 * waits, the sender is held back. Threads: as each function says. */
#include <string.h>

#include "base/mem.h"
#include "fetch/inside.h"

enum { WINDOW_BYTES = 256 * 1024 };

void transfer_ref(struct fetch_transfer *transfer)
{
    atomic_fetch_add(&transfer->references, 1);
}

/* Passwords and tokens are not left lying about. */
static void body_clear(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    mem_free(secret);
}

void transfer_unref(struct fetch_transfer *transfer)
{
    struct chunk *chunk;
    if (atomic_fetch_sub(&transfer->references, 1) != 1)
        return;
    while ((chunk = TAILQ_FIRST(&transfer->chunks)) != NULL) {
        TAILQ_REMOVE(&transfer->chunks, chunk, link);
        mem_free(chunk);
    }
    target_fini(&transfer->target);
    for (size_t i = 0; i < sizeof transfer->head_texts / sizeof *transfer->head_texts; i++)
        mem_free(transfer->head_texts[i]);
    pthread_mutex_destroy(&transfer->lock);
    mem_free(transfer->location);
    mem_free(transfer->url);
    mem_free(transfer->origin);
    mem_free(transfer->range);
    mem_free(transfer->if_range);
    body_clear(transfer->form);
    body_clear(transfer->authorization);
    mem_free(transfer->accept);
    mem_free(transfer);
}

/* --- the asker's loop --- */

static bool wants_more(const struct fetch_transfer *transfer)
{
    return !transfer->is_ended && !transfer->is_held;
}

/* Under lock: its loop may be gone once it is done. */
static void tell_sender(struct fetch_transfer *transfer, task_fn *task)
{
    if (transfer->is_done)
        return;
    transfer_ref(transfer);
    mailbox_post(loop_mailbox(transfer->fetch->loop), task, transfer);
}

static struct chunk *take_chunk(struct fetch_transfer *transfer)
{
    pthread_mutex_lock(&transfer->lock);
    struct chunk *chunk = TAILQ_FIRST(&transfer->chunks);
    if (chunk != NULL) {
        TAILQ_REMOVE(&transfer->chunks, chunk, link);
        transfer->queued -= chunk->size;
    }
    if (transfer->is_paused && transfer->queued < WINDOW_BYTES / 2) {
        transfer->is_paused = false;
        tell_sender(transfer, transfer_resume);
    }
    pthread_mutex_unlock(&transfer->lock);
    return chunk;
}

static void tell_head(struct fetch_transfer *transfer)
{
    pthread_mutex_lock(&transfer->lock);
    bool is_new = transfer->has_head && !transfer->is_head_told;
    pthread_mutex_unlock(&transfer->lock);
    if (!is_new)
        return;
    transfer->is_head_told = true;
    transfer->order.events->head(transfer->order.ctx, &transfer->head);
}

static void tell_data(struct fetch_transfer *transfer)
{
    while (wants_more(transfer)) {
        CLEANUP(mem_free_at) struct chunk *chunk = take_chunk(transfer);
        if (chunk == NULL)
            return;
        if (transfer->order.events->data == NULL)
            continue;
        transfer->is_held =
            !transfer->order.events->data(transfer->order.ctx, chunk->bytes, chunk->size);
    }
}

static void tell_done(struct fetch_transfer *transfer)
{
    pthread_mutex_lock(&transfer->lock);
    bool is_over = transfer->is_done && TAILQ_EMPTY(&transfer->chunks);
    pthread_mutex_unlock(&transfer->lock);
    if (!is_over || transfer->is_done_told)
        return;
    transfer->is_done_told = true;
    transfer->order.events->done(transfer->order.ctx, transfer->kind, &transfer->why);
}

static void look(struct fetch_transfer *transfer)
{
    if (!transfer->is_ended)
        tell_head(transfer);
    tell_data(transfer);
    if (wants_more(transfer))
        tell_done(transfer);
}

static void on_news(void *arg)
{
    struct fetch_transfer *transfer = arg;
    pthread_mutex_lock(&transfer->lock);
    transfer->is_posted = false;
    pthread_mutex_unlock(&transfer->lock);
    look(transfer);
    transfer_unref(transfer);
}

/* Posted, so that no callback runs inside the call. */
void fetch_more(struct fetch_transfer *transfer)
{
    transfer->is_held = false;
    transfer_ref(transfer);
    mailbox_post(transfer->order.mailbox, on_news, transfer);
}

void fetch_end(struct fetch_transfer **transfer)
{
    struct fetch_transfer *gone = *transfer;
    *transfer = NULL;
    if (gone == NULL)
        return;
    gone->is_ended = true;
    pthread_mutex_lock(&gone->lock);
    tell_sender(gone, transfer_stop);
    pthread_mutex_unlock(&gone->lock);
    transfer_unref(gone);
}

/* --- fetch's loop --- */

/* Under lock. */
static void post_news(struct fetch_transfer *transfer)
{
    if (transfer->is_posted)
        return;
    transfer->is_posted = true;
    transfer_ref(transfer);
    mailbox_post(transfer->order.mailbox, on_news, transfer);
}

bool deliver_data(struct fetch_transfer *transfer, const void *bytes, size_t size)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->is_paused = transfer->queued >= WINDOW_BYTES;
    bool is_taken = !transfer->is_paused;
    if (is_taken) {
        struct chunk *chunk = mem_zalloc(sizeof *chunk + size);
        chunk->size = size;
        memcpy(chunk->bytes, bytes, size);
        TAILQ_INSERT_TAIL(&transfer->chunks, chunk, link);
        transfer->queued += size;
        post_news(transfer);
    }
    pthread_mutex_unlock(&transfer->lock);
    return is_taken;
}

void deliver_head(struct fetch_transfer *transfer, const struct fetch_head *head)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->head = *head;
    transfer->has_head = true;
    post_news(transfer);
    pthread_mutex_unlock(&transfer->lock);
}

void deliver_done(struct fetch_transfer *transfer, enum err kind, const struct why *why)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->is_done = true;
    transfer->kind = kind;
    if (why != NULL)
        transfer->why = *why;
    post_news(transfer);
    pthread_mutex_unlock(&transfer->lock);
}

/* --- any thread --- */

struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_order *order)
{
    struct fetch_transfer *transfer = mem_new(struct fetch_transfer);
    atomic_init(&transfer->references, 2); /* the asker's, the loop's */
    transfer->fetch = fetch;
    transfer->order = *order;
    transfer->url = mem_strdup(order->url);
    transfer->origin = mem_strdup_or_null(order->origin);
    transfer->if_range = mem_strdup_or_null(order->if_range);
    transfer->order.url = transfer->url;
    transfer->range = mem_strdup_or_null(order->range);
    transfer->order.origin = transfer->origin;
    transfer->order.range = transfer->range;
    transfer->order.if_range = transfer->if_range;
    transfer->order.form = transfer->form = mem_strdup_or_null(order->form);
    transfer->order.authorization = transfer->authorization =
        mem_strdup_or_null(order->authorization);
    transfer->order.accept = transfer->accept = mem_strdup_or_null(order->accept);
    pthread_mutex_init(&transfer->lock, NULL);
    TAILQ_INIT(&transfer->chunks);
    mailbox_post(loop_mailbox(fetch->loop), transfer_start, transfer);
    return transfer;
}
