/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/limit.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS = 1024, KEY_SIZE = 80 };

struct bucket {
    char key[KEY_SIZE];
    int64_t empty_ms; /* when it will have drained; tries still in it = the time left / drain */
};

struct limit {
    /* fixed after new */
    int64_t drain_ms, full_ms;
    /* under lock */
    pthread_mutex_t lock;
    struct bucket buckets[BUCKETS];
};

struct limit *limit_new(unsigned burst, int64_t drain_ms)
{
    struct limit *limit = mem_new(struct limit);
    limit->drain_ms = drain_ms;
    limit->full_ms = drain_ms * burst;
    pthread_mutex_init(&limit->lock, NULL);
    return limit;
}

void limit_free(struct limit **limit)
{
    if (*limit == NULL)
        return;
    pthread_mutex_destroy(&(*limit)->lock);
    mem_free(*limit);
    *limit = NULL;
}

/* A few hundred comparisons, next to a hash of tens of milliseconds. */
static struct bucket *find(struct limit *limit, const char *key)
{
    struct bucket *emptiest = &limit->buckets[0];
    for (size_t i = 0; i < BUCKETS; i++) {
        struct bucket *bucket = &limit->buckets[i];
        if (strncmp(bucket->key, key, KEY_SIZE - 1) == 0)
            return bucket;
        if (bucket->empty_ms < emptiest->empty_ms)
            emptiest = bucket;
    }
    *emptiest = (struct bucket){0};
    strncpy(emptiest->key, key, KEY_SIZE - 1);
    return emptiest;
}

enum err limit_try(struct limit *limit, const char *key, int64_t now_ms, int64_t *retry_ms)
{
    enum err err = OK;
    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find(limit, key);
    int64_t from = bucket->empty_ms > now_ms ? bucket->empty_ms : now_ms;
    int64_t over = from + limit->drain_ms - (now_ms + limit->full_ms);
    if (over > 0) {
        *retry_ms = over;
        err = ERR_LIMIT;
    } else {
        bucket->empty_ms = from + limit->drain_ms;
    }
    pthread_mutex_unlock(&limit->lock);
    return err;
}

void limit_forgive(struct limit *limit, const char *key, int64_t now_ms)
{
    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find(limit, key);
    if (bucket->empty_ms > now_ms)
        bucket->empty_ms -= limit->drain_ms;
    pthread_mutex_unlock(&limit->lock);
}
