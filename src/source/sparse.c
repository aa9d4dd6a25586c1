/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources that fill: what is there, who waits for what is not, and reads that must be over before
 * something is taken away.
 * Life of a wait: wanted -> (listed, while bytes of it are missing) -> told on its owner's loop ->
 * unwanted.
 * Threads: any; the filler's calls one at a time. One lock inside, under which only mailboxes are
 * posted to. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "source/source_private.h"

enum { LOOK_AGAIN_US = 500 }; /* reads that are waited for take a few times that */

struct source_wait {
    atomic_uint references; /* the owner's, the list's, the message's */
    /* fixed after new */
    struct source *source;
    struct span span; /* whole blocks */
    enum source_urgency urgency;
    struct mailbox *mailbox;
    source_ready_fn *ready;
    void *ctx;
    /* owner's loop */
    bool is_over;
    /* written before the message, read after it */
    enum err kind;
    struct why why;
    /* under lock */
    bool is_listed;
    TAILQ_ENTRY(source_wait) link;
};
TAILQ_HEAD(wait_list, source_wait);

struct source_watch {
    atomic_uint references; /* the owner's, the message's */
    /* fixed after new */
    struct source *source;
    struct mailbox *mailbox;
    task_fn *arrived;
    void *ctx;
    /* owner's loop */
    bool is_over;
    /* under lock */
    bool is_posted;
    TAILQ_ENTRY(source_watch) link;
};
TAILQ_HEAD(watch_list, source_watch);

struct sparse {
    /* fixed after new */
    struct map *map; /* its bits: the filler's calls alone */
    struct source_filler filler;
    atomic_bool has_failed;
    /* Reads under way, counted by turns, so that those which begin later do not delay a drop. */
    atomic_uint turn, reads[2];
    /* under lock */
    pthread_mutex_t lock;
    struct spans here;
    struct wait_list waits; /* oldest first */
    struct watch_list watches;
    enum err failure;
    struct why why;
};

void sparse_free(struct sparse **sparse)
{
    struct sparse *gone = *sparse;
    *sparse = NULL;
    if (gone == NULL)
        return;
    MUST(TAILQ_EMPTY(&gone->waits) && TAILQ_EMPTY(&gone->watches)); /* they hold the source */
    map_free(&gone->map);
    spans_fini(&gone->here);
    pthread_mutex_destroy(&gone->lock);
    if (gone->filler.closed != NULL)
        gone->filler.closed(gone->filler.ctx);
    mem_free(gone);
}

enum err source_new_sparse(int *fd, const struct source_identity *identity,
                           const struct source_filler *filler, struct source **out)
{
    CLEANUP(fd_close) int taken = fd_take(fd);
    struct map *map = NULL;
    struct stat stat;
    if (fstat(taken, &stat) != 0)
        return err_from_errno(errno);
    enum err kind = map_new(identity->size, &map);
    if (kind != OK)
        return kind;
    struct sparse *sparse = mem_new(struct sparse);
    sparse->map = map;
    sparse->filler = *filler;
    pthread_mutex_init(&sparse->lock, NULL);
    TAILQ_INIT(&sparse->waits);
    TAILQ_INIT(&sparse->watches);
    *out = source_new(&taken, identity, (uint64_t) stat.st_dev);
    (*out)->sparse = sparse;
    return OK;
}

const struct map *sparse_map(const struct sparse *sparse)
{
    return sparse->map;
}

bool sparse_has_failed(const struct sparse *sparse)
{
    return atomic_load(&sparse->has_failed);
}

unsigned sparse_enter(struct sparse *sparse)
{
    for (;;) {
        unsigned turn = atomic_load(&sparse->turn);
        atomic_fetch_add(&sparse->reads[turn % 2], 1);
        if (atomic_load(&sparse->turn) == turn)
            return turn % 2;
        sparse_leave(sparse, turn % 2); /* a drop came between: it may not have seen us */
    }
}

void sparse_leave(struct sparse *sparse, unsigned number)
{
    unsigned before = atomic_fetch_sub(&sparse->reads[number], 1);
    MUST(before > 0);
}

/* --- waits --- */

static void wait_unref(struct source_wait *wait)
{
    if (atomic_fetch_sub(&wait->references, 1) != 1)
        return;
    source_unref(&wait->source);
    mem_free(wait);
}

/* On the owner's loop. */
static void tell_wait(void *arg)
{
    struct source_wait *wait = arg;
    if (!wait->is_over && wait->ready != NULL)
        wait->ready(wait->ctx, wait->kind, &wait->why);
    wait_unref(wait);
}

/* Its owner's reference is there in any case; the list's goes to the message. */
static void end_wait(struct source_wait *wait, enum err kind, const struct why *why)
{
    wait->kind = kind;
    if (why != NULL)
        wait->why = *why;
    mailbox_post(wait->mailbox, tell_wait, wait);
}

/* Whole blocks, as far as they lie inside. */
static struct span round_out(const struct source *source, const struct span *span)
{
    const uint64_t block = MAP_BLOCK_BYTES;
    struct span blocks = {span->begin / block * block, (span->end + block - 1) / block * block};
    uint64_t size = source->identity.size;
    blocks.end = blocks.end < size ? blocks.end : size;
    return blocks;
}

/* Under lock. False: there is nothing to wait for. */
static bool list_wait(struct sparse *sparse, struct source_wait *wait)
{
    if (sparse->failure != OK || spans_has(&sparse->here, wait->span))
        return false;
    wait->is_listed = true;
    TAILQ_INSERT_TAIL(&sparse->waits, wait, link);
    return true;
}

static void start_wait(struct source_wait *wait)
{
    struct sparse *sparse = wait->source->sparse;
    if (sparse == NULL) {
        end_wait(wait, OK, NULL);
        return;
    }
    pthread_mutex_lock(&sparse->lock);
    bool is_listed = list_wait(sparse, wait);
    enum err kind = sparse->failure;
    struct why why = sparse->why;
    pthread_mutex_unlock(&sparse->lock);
    if (is_listed)
        sparse->filler.wake(sparse->filler.ctx);
    else
        end_wait(wait, kind, &why);
}

struct source_wait *source_want(struct source *source, const struct span *wanted,
                                enum source_urgency urgency, struct mailbox *mailbox,
                                source_ready_fn *ready, void *ctx)
{
    struct source_wait *wait = mem_new(struct source_wait);
    atomic_init(&wait->references, 2);
    wait->source = source_ref(source);
    wait->span = round_out(source, wanted);
    wait->urgency = urgency;
    wait->mailbox = mailbox;
    wait->ready = ready;
    wait->ctx = ctx;
    start_wait(wait);
    return wait;
}

/* True when it was still listed. */
static bool unlist(struct source_wait *wait)
{
    struct sparse *sparse = wait->source->sparse;
    if (sparse == NULL)
        return false;
    pthread_mutex_lock(&sparse->lock);
    bool was_listed = wait->is_listed;
    if (was_listed)
        TAILQ_REMOVE(&sparse->waits, wait, link);
    wait->is_listed = false;
    pthread_mutex_unlock(&sparse->lock);
    return was_listed;
}

void source_unwant(struct source_wait **wait)
{
    struct source_wait *gone = *wait;
    *wait = NULL;
    if (gone == NULL)
        return;
    gone->is_over = true;
    if (unlist(gone)) {
        const struct source_filler *filler = &gone->source->sparse->filler;
        filler->wake(filler->ctx);
        wait_unref(gone);
    }
    wait_unref(gone);
}

/* --- watches --- */

static void watch_unref(struct source_watch *watch)
{
    if (atomic_fetch_sub(&watch->references, 1) != 1)
        return;
    source_unref(&watch->source);
    mem_free(watch);
}

/* On the owner's loop. What comes from now on is told again. */
static void tell_watch(void *arg)
{
    struct source_watch *watch = arg;
    struct sparse *sparse = watch->source->sparse;
    pthread_mutex_lock(&sparse->lock);
    watch->is_posted = false;
    pthread_mutex_unlock(&sparse->lock);
    if (!watch->is_over)
        watch->arrived(watch->ctx);
    watch_unref(watch);
}

struct source_watch *source_watch(struct source *source, struct mailbox *mailbox, task_fn *arrived,
                                  void *ctx)
{
    struct source_watch *watch = mem_new(struct source_watch);
    atomic_init(&watch->references, 1);
    watch->source = source_ref(source);
    watch->mailbox = mailbox;
    watch->arrived = arrived;
    watch->ctx = ctx;
    if (source->sparse == NULL)
        return watch;
    pthread_mutex_lock(&source->sparse->lock);
    TAILQ_INSERT_TAIL(&source->sparse->watches, watch, link);
    pthread_mutex_unlock(&source->sparse->lock);
    return watch;
}

void source_unwatch(struct source_watch **watch)
{
    struct source_watch *gone = *watch;
    *watch = NULL;
    if (gone == NULL)
        return;
    gone->is_over = true;
    struct sparse *sparse = gone->source->sparse;
    if (sparse != NULL) {
        pthread_mutex_lock(&sparse->lock);
        TAILQ_REMOVE(&sparse->watches, gone, link);
        pthread_mutex_unlock(&sparse->lock);
    }
    watch_unref(gone);
}

/* Under lock. */
static void tell_watches(struct sparse *sparse)
{
    struct source_watch *watch;
    TAILQ_FOREACH(watch, &sparse->watches, link)
    {
        if (watch->is_posted)
            continue;
        watch->is_posted = true;
        atomic_fetch_add(&watch->references, 1);
        mailbox_post(watch->mailbox, tell_watch, watch);
    }
}

size_t source_here(const struct source *source, struct span *out, size_t room)
{
    struct sparse *sparse = source->sparse;
    if (sparse == NULL) {
        if (room > 0)
            out[0] = (struct span){0, source->identity.size};
        return 1;
    }
    pthread_mutex_lock(&sparse->lock);
    size_t count = sparse->here.count;
    if (count > 0 && room > 0)
        memcpy(out, sparse->here.items, (count < room ? count : room) * sizeof *out);
    pthread_mutex_unlock(&sparse->lock);
    return count;
}

/* --- the filler --- */

/* Bits of blocks that touch the span, as the set says now. Under lock. */
static void mirror(struct source *source, const struct span *changed)
{
    struct sparse *sparse = source->sparse;
    struct span touched = round_out(source, changed);
    for (uint64_t at = touched.begin; at < touched.end; at += MAP_BLOCK_BYTES) {
        struct span block = {at, at + MAP_BLOCK_BYTES};
        if (block.end > touched.end)
            block.end = touched.end;
        bool is_there = spans_has(&sparse->here, block);
        if (is_there != map_has_block(sparse->map, at / MAP_BLOCK_BYTES))
            map_set(sparse->map, at / MAP_BLOCK_BYTES, is_there);
    }
}

/* Those whose bytes are all there. Under lock. */
static void end_satisfied(struct sparse *sparse)
{
    struct source_wait *next;
    for (struct source_wait *wait = TAILQ_FIRST(&sparse->waits); wait != NULL; wait = next) {
        next = TAILQ_NEXT(wait, link);
        if (!spans_has(&sparse->here, wait->span))
            continue;
        TAILQ_REMOVE(&sparse->waits, wait, link);
        wait->is_listed = false;
        end_wait(wait, OK, NULL);
    }
}

void source_fill(struct source *source, const struct span *filled)
{
    struct sparse *sparse = source->sparse;
    MUST(filled->begin <= filled->end && filled->end <= source->identity.size);
    pthread_mutex_lock(&sparse->lock);
    spans_add(&sparse->here, *filled);
    mirror(source, filled);
    end_satisfied(sparse);
    tell_watches(sparse);
    pthread_mutex_unlock(&sparse->lock);
}

void source_drop(struct source *source, const struct span *dropped)
{
    struct sparse *sparse = source->sparse;
    MUST(dropped->begin <= dropped->end && dropped->end <= source->identity.size);
    pthread_mutex_lock(&sparse->lock);
    spans_remove(&sparse->here, *dropped);
    mirror(source, dropped);
    pthread_mutex_unlock(&sparse->lock);
    /* Who enters from now on counts elsewhere and sees the bits cleared. */
    unsigned before = atomic_fetch_add(&sparse->turn, 1) % 2;
    while (atomic_load(&sparse->reads[before]) > 0)
        usleep(LOOK_AGAIN_US);
}

void source_fail(struct source *source, enum err kind, const struct why *why)
{
    struct sparse *sparse = source->sparse;
    struct source_wait *wait;
    MUST(kind != OK);
    atomic_store(&sparse->has_failed, true);
    pthread_mutex_lock(&sparse->lock);
    sparse->failure = kind;
    sparse->why = *why;
    while ((wait = TAILQ_FIRST(&sparse->waits)) != NULL) {
        TAILQ_REMOVE(&sparse->waits, wait, link);
        wait->is_listed = false;
        end_wait(wait, kind, why);
    }
    tell_watches(sparse);
    pthread_mutex_unlock(&sparse->lock);
}

size_t source_wants(const struct source *source, struct source_wanted *out, size_t room)
{
    static const enum source_urgency order[] = {SOURCE_NOW, SOURCE_AHEAD};
    struct sparse *sparse = source->sparse;
    const struct source_wait *wait;
    size_t count = 0;
    if (sparse == NULL)
        return 0;
    pthread_mutex_lock(&sparse->lock);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        TAILQ_FOREACH(wait, &sparse->waits, link)
        {
            if (wait->urgency != order[i])
                continue;
            if (count < room)
                out[count] = (struct source_wanted){wait->span, wait->urgency};
            count++;
        }
    }
    pthread_mutex_unlock(&sparse->lock);
    return count;
}
