/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Send buffers and the pools that fill them when a disk has to be waited for. Buffers are mapped, not
 * allocated: what is given back after an evening of many viewers is the system's again, while malloc
 * would keep it between smaller things (measured: 50 MB of 64). */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "hls/send.h"

enum {
    SMALLEST = 64 * 1024,
    CLASSES = 4,         /* 64, 128, 256, 512 KiB */
    KEPT_BYTES = 8 << 20 /* free ones that are not handed back to the system, at rest */
};

struct free_buffer {
    struct free_buffer *next;
};

struct send_budget {
    uint64_t limit; /* fixed after new */
    pthread_mutex_t lock;
    /* under lock */
    uint64_t used, kept;
    struct free_buffer *free[CLASSES];
};

struct send_budget *send_budget_new(uint64_t bytes)
{
    struct send_budget *budget = mem_new(struct send_budget);
    budget->limit = bytes;
    pthread_mutex_init(&budget->lock, NULL);
    return budget;
}

void send_budget_free(struct send_budget **budget)
{
    struct send_budget *gone = *budget;
    *budget = NULL;
    if (gone == NULL)
        return;
    for (int i = 0; i < CLASSES; i++) {
        while (gone->free[i] != NULL) {
            struct free_buffer *first = gone->free[i];
            gone->free[i] = first->next;
            munmap(first, (size_t) SMALLEST << i);
        }
    }
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

static int class_of(size_t size)
{
    int class = 0;
    while (class < CLASSES - 1 && ((size_t) SMALLEST << (class + 1)) <= size)
        class ++;
    return class;
}

static uint8_t *map_buffer(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(at != MAP_FAILED); /* as mem.h: small, and bounded by the budget */
    return at;
}

uint8_t *send_budget_take(struct send_budget *budget, size_t *size)
{
    pthread_mutex_lock(&budget->lock);
    int class = class_of(*size);
    while (class > 0 && budget->used + ((uint64_t) SMALLEST << class) > budget->limit)
        class --;
    size_t bytes = (size_t) SMALLEST << class;
    if (budget->used + bytes > budget->limit) {
        pthread_mutex_unlock(&budget->lock);
        return NULL;
    }
    budget->used += bytes;
    struct free_buffer *buffer = budget->free[class];
    if (buffer != NULL) {
        budget->free[class] = buffer->next;
        budget->kept -= bytes;
    }
    pthread_mutex_unlock(&budget->lock);
    *size = bytes;
    return buffer != NULL ? (uint8_t *) buffer : map_buffer(bytes);
}

void send_budget_give(struct send_budget *budget, uint8_t **buffer, size_t size)
{
    uint8_t *back = *buffer;
    *buffer = NULL;
    if (back == NULL)
        return;
    pthread_mutex_lock(&budget->lock);
    budget->used -= size;
    /* As many as are in use: they come and go with every segment of every viewer. */
    if (budget->kept + size <= KEPT_BYTES || budget->kept + size <= budget->used) {
        struct free_buffer *kept = (struct free_buffer *) (void *) back;
        int class = class_of(size);
        kept->next = budget->free[class];
        budget->free[class] = kept;
        budget->kept += size;
        back = NULL;
    }
    pthread_mutex_unlock(&budget->lock);
    if (back != NULL)
        munmap(back, size);
}

/* --- pools --- */

enum { MOST_POOLS = 32, POOL_THREADS = 4, POOL_QUEUE = 256 };

struct source_pools {
    pthread_mutex_t lock;
    /* under lock */
    struct {
        uint64_t device;
        struct pool *pool;
    } pools[MOST_POOLS];
    unsigned count;
};

struct source_pools *source_pools_new(void)
{
    struct source_pools *pools = mem_new(struct source_pools);
    pthread_mutex_init(&pools->lock, NULL);
    return pools;
}

void source_pools_free(struct source_pools **pools)
{
    struct source_pools *gone = *pools;
    *pools = NULL;
    if (gone == NULL)
        return;
    for (unsigned i = 0; i < gone->count; i++)
        pool_free(&gone->pools[i].pool);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* Under lock. With more file systems than places, the last place is shared. */
static struct pool *find(struct source_pools *pools, uint64_t device)
{
    for (unsigned i = 0; i < pools->count; i++)
        if (pools->pools[i].device == device)
            return pools->pools[i].pool;
    if (pools->count == MOST_POOLS)
        return pools->pools[MOST_POOLS - 1].pool;
    struct pool *pool = NULL;
    char name[16];
    snprintf(name, sizeof name, "read-%u", pools->count);
    if (pool_new(name, POOL_THREADS, POOL_QUEUE, &pool) != OK)
        return NULL;
    pools->pools[pools->count].device = device;
    pools->pools[pools->count++].pool = pool;
    return pool;
}

enum err source_pools_run(struct source_pools *pools, uint64_t device, task_fn *work, task_fn *done,
                          void *arg, struct mailbox *mailbox)
{
    pthread_mutex_lock(&pools->lock);
    struct pool *pool = find(pools, device);
    pthread_mutex_unlock(&pools->lock);
    return pool != NULL ? pool_run(pool, work, done, arg, mailbox) : ERR_BUSY;
}
