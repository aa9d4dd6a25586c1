/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/segment.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

struct segment_listener {
    atomic_uint references; /* the owner's and one for a call under way */
    atomic_bool is_posted;
    /* fixed after listen */
    struct mailbox *mailbox;
    task_fn *changed;
    /* owner's loop */
    void *ctx; /* NULL after unlisten */
};

struct segment {
    atomic_uint references;
    /* fixed after new */
    int fd;             /* -1 = `bytes` */
    bool may_sleep;     /* the fd is on a disk */
    uint64_t fd_offset; /* of the first byte */
    uint8_t *bytes;
    size_t byte_count;
    pthread_mutex_t lock;
    /* under lock */
    struct segment_view view;
    struct why why;
    struct media_piece *pieces;
    size_t room;
    struct segment_listener **listeners;
    size_t listener_count, listener_room;
};

static struct segment *create(int *fd)
{
    struct segment *segment = mem_new(struct segment);
    atomic_init(&segment->references, 1);
    segment->fd = fd != NULL ? fd_take(fd) : -1;
    pthread_mutex_init(&segment->lock, NULL);
    return segment;
}

struct segment *segment_new(int *fd)
{
    return create(fd);
}

struct segment *segment_new_recipe(const struct segment *made, uint8_t **bytes, size_t size)
{
    struct segment *segment = create(NULL);
    segment->bytes = *bytes;
    segment->byte_count = size;
    *bytes = NULL;
    segment->view = made->view;
    segment->room = made->view.pieces;
    segment->pieces = mem_dup(made->pieces, made->view.pieces * sizeof *made->pieces);
    return segment;
}

static struct segment *create_done(int *fd, struct media_piece piece, const char *tag)
{
    struct segment *segment = create(fd);
    segment_append(segment, &piece, 1, true);
    segment_finish(segment, tag);
    return segment;
}

struct segment *segment_new_stored(int *fd, uint64_t offset, uint64_t size, const char *tag)
{
    struct segment *segment = create_done(fd, (struct media_piece){false, 0, size}, tag);
    segment->fd_offset = offset;
    segment->may_sleep = true;
    return segment;
}

struct segment *segment_new_source(uint64_t size, const char *tag)
{
    return create_done(NULL, (struct media_piece){true, 0, size}, tag);
}

struct segment *segment_ref(struct segment *segment)
{
    atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
    return segment;
}

void segment_unref(struct segment **segment)
{
    struct segment *gone = *segment;
    *segment = NULL;
    if (gone == NULL)
        return;
    if (atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    MUST(gone->listener_count == 0);
    fd_close(&gone->fd);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->bytes);
    mem_free(gone->pieces);
    mem_free(gone->listeners);
    mem_free(gone);
}

/* --- listeners --- */

static void drop_listener(struct segment_listener *listener)
{
    if (atomic_fetch_sub_explicit(&listener->references, 1, memory_order_acq_rel) == 1)
        mem_free(listener);
}

static void call_listener(void *arg)
{
    struct segment_listener *listener = arg;
    atomic_store(&listener->is_posted, false);
    if (listener->ctx != NULL)
        listener->changed(listener->ctx);
    drop_listener(listener);
}

/* Under lock: an unlisten waits for it, so no post outlives its mailbox's owner. */
static void wake_listeners(struct segment *segment)
{
    for (size_t i = 0; i < segment->listener_count; i++) {
        struct segment_listener *listener = segment->listeners[i];
        if (atomic_exchange(&listener->is_posted, true))
            continue;
        atomic_fetch_add_explicit(&listener->references, 1, memory_order_relaxed);
        mailbox_post(listener->mailbox, call_listener, listener);
    }
}

struct segment_listener *segment_listen(struct segment *segment, struct mailbox *mailbox,
                                        task_fn *changed, void *ctx)
{
    struct segment_listener *listener = mem_new(struct segment_listener);
    atomic_init(&listener->references, 1);
    atomic_init(&listener->is_posted, false);
    listener->mailbox = mailbox;
    listener->changed = changed;
    listener->ctx = ctx;
    pthread_mutex_lock(&segment->lock);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(segment->listeners, segment->listener_count, segment->listener_room);
    segment->listeners[segment->listener_count++] = listener;
    pthread_mutex_unlock(&segment->lock);
    return listener;
}

void segment_unlisten(struct segment *segment, struct segment_listener **listener)
{
    struct segment_listener *gone = *listener;
    *listener = NULL;
    if (gone == NULL)
        return;
    gone->ctx = NULL;
    pthread_mutex_lock(&segment->lock);
    for (size_t i = 0; i < segment->listener_count; i++)
        if (segment->listeners[i] == gone)
            segment->listeners[i] = segment->listeners[--segment->listener_count];
    pthread_mutex_unlock(&segment->lock);
    drop_listener(gone);
}

/* --- the maker --- */

void segment_append(struct segment *segment, const struct media_piece *pieces, size_t count,
                    bool part_end)
{
    pthread_mutex_lock(&segment->lock);
    MUST(segment->view.state == SEGMENT_MAKING);
    for (size_t i = 0; i < count; i++) {
        mem_grow(segment->pieces, segment->view.pieces, segment->room);
        segment->pieces[segment->view.pieces++] = pieces[i];
        segment->view.bytes += pieces[i].length;
    }
    if (part_end && !segment->view.has_part) {
        segment->view.has_part = true;
        segment->view.part_pieces = segment->view.pieces;
        segment->view.part_ms = clock_mono_ms();
    }
    wake_listeners(segment);
    pthread_mutex_unlock(&segment->lock);
}

void segment_finish(struct segment *segment, const char *tag)
{
    pthread_mutex_lock(&segment->lock);
    MUST(segment->view.state == SEGMENT_MAKING);
    segment->view.state = SEGMENT_DONE;
    snprintf(segment->view.tag, sizeof segment->view.tag, "%s", tag);
    wake_listeners(segment);
    pthread_mutex_unlock(&segment->lock);
}

void segment_fail(struct segment *segment, enum err kind, const struct why *why)
{
    pthread_mutex_lock(&segment->lock);
    MUST(segment->view.state == SEGMENT_MAKING);
    segment->view.state = SEGMENT_FAILED;
    segment->view.kind = kind;
    if (why != NULL)
        segment->why = *why;
    wake_listeners(segment);
    pthread_mutex_unlock(&segment->lock);
}

/* --- readers --- */

void segment_look(struct segment *segment, struct segment_view *out)
{
    pthread_mutex_lock(&segment->lock);
    *out = segment->view;
    pthread_mutex_unlock(&segment->lock);
}

void segment_why(struct segment *segment, struct why *out)
{
    pthread_mutex_lock(&segment->lock);
    *out = segment->why;
    pthread_mutex_unlock(&segment->lock);
}

size_t segment_pieces(struct segment *segment, size_t from, struct media_piece *out, size_t max)
{
    pthread_mutex_lock(&segment->lock);
    size_t count = from < segment->view.pieces ? segment->view.pieces - from : 0;
    if (count > max)
        count = max;
    if (count > 0)
        memcpy(out, segment->pieces + from, count * sizeof *out);
    pthread_mutex_unlock(&segment->lock);
    return count;
}

static enum err read_memory(const struct segment *segment, void *into, size_t size, uint64_t offset,
                            size_t *got)
{
    if (offset >= segment->byte_count)
        return ERR_IO;
    *got = size < segment->byte_count - offset ? size : segment->byte_count - (size_t) offset;
    memcpy(into, segment->bytes + offset, *got);
    return OK;
}

enum err segment_read_now(struct segment *segment, void *into, size_t size, uint64_t offset,
                          size_t *got)
{
    if (segment->fd < 0)
        return read_memory(segment, into, size, offset, got);
    if (!segment->may_sleep)
        return segment_read(segment, into, size, offset, got);
    struct iovec to = {into, size};
    ssize_t read = preadv2(segment->fd, &to, 1, (off_t) (segment->fd_offset + offset), RWF_NOWAIT);
    if (read > 0) {
        *got = (size_t) read;
        return OK;
    }
    return read == 0 || errno != EIO ? ERR_AGAIN : ERR_IO;
}

enum err segment_read(struct segment *segment, void *into, size_t size, uint64_t offset,
                      size_t *got)
{
    if (segment->fd < 0)
        return read_memory(segment, into, size, offset, got);
    size_t read = 0;
    enum err kind = fd_read_at(segment->fd, into, size, segment->fd_offset + offset, &read);
    if (kind == OK && read == 0 && size > 0)
        return ERR_IO;
    if (kind == OK)
        *got = read;
    return kind;
}

bool segment_lend(struct segment *segment, uint64_t offset, uint64_t size, const void **bytes,
                  int *fd, uint64_t *from)
{
    struct segment_view view;
    *fd = segment->fd;
    *from = segment->fd_offset + offset;
    *bytes = segment->fd < 0 ? segment->bytes + offset : NULL;
    if (segment->fd < 0)
        return offset <= segment->byte_count && size <= segment->byte_count - offset;
    if (segment->may_sleep)
        return fd_is_cached(segment->fd, *from, size);
    segment_look(segment, &view);
    return view.state == SEGMENT_DONE;
}

int segment_fd(const struct segment *segment)
{
    return segment->fd;
}

uint64_t segment_memory(struct segment *segment)
{
    pthread_mutex_lock(&segment->lock);
    uint64_t memory = sizeof *segment + segment->room * sizeof *segment->pieces;
    if (segment->fd < 0)
        memory += segment->byte_count;
    else if (!segment->may_sleep)
        memory += segment->view.bytes;
    pthread_mutex_unlock(&segment->lock);
    return memory;
}
