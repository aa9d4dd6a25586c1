/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/limit.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS = 1024, KEY_SIZE = 144 };

struct bucket {
    char key[KEY_SIZE];
    unsigned tries;
    int64_t last_ms, next_ms; /* the last try; when the next may be made */
};

struct limit {
    struct limit_rule rule; /* fixed after new */
    pthread_mutex_t lock;
    struct bucket buckets[BUCKETS]; /* under lock */
};

struct limit *limit_new(const struct limit_rule *rule)
{
    struct limit *limit = mem_new(struct limit);
    limit->rule = *rule;
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

static bool is_less(const struct bucket *a, const struct bucket *b)
{
    return a->tries != b->tries ? a->tries < b->tries : a->last_ms < b->last_ms;
}

/* A few hundred comparisons, next to a hash of tens of milliseconds. */
static struct bucket *find(struct limit *limit, const char *key, int64_t now_ms)
{
    struct bucket *least = &limit->buckets[0];
    for (size_t i = 0; i < BUCKETS; i++) {
        struct bucket *bucket = &limit->buckets[i];
        if (bucket->tries > 0 && now_ms - bucket->last_ms >= limit->rule.forget_ms)
            *bucket = (struct bucket){.tries = 0};
        if (bucket->tries > 0 && strncmp(bucket->key, key, KEY_SIZE - 1) == 0)
            return bucket;
        if (is_less(bucket, least))
            least = bucket;
    }
    *least = (struct bucket){.last_ms = now_ms};
    strncpy(least->key, key, KEY_SIZE - 1);
    return least;
}

/* How long to wait after so many tries. */
static int64_t wait_after(const struct limit_rule *rule, unsigned tries)
{
    int64_t wait_ms = rule->first_ms;
    if (tries < rule->tries)
        return 0;
    for (unsigned i = rule->tries; i < tries && wait_ms < rule->most_ms; i++)
        wait_ms *= 2;
    return wait_ms < rule->most_ms ? wait_ms : rule->most_ms;
}

static enum err look(struct limit *limit, const char *key, int64_t now_ms, bool counts,
                     int64_t *retry_ms)
{
    enum err err = OK;
    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find(limit, key, now_ms);
    if (bucket->next_ms > now_ms) {
        *retry_ms = bucket->next_ms - now_ms;
        err = ERR_LIMIT;
    } else if (counts) {
        bucket->tries++;
        bucket->last_ms = now_ms;
        bucket->next_ms = now_ms + wait_after(&limit->rule, bucket->tries);
    }
    pthread_mutex_unlock(&limit->lock);
    return err;
}

enum err limit_try(struct limit *limit, const char *key, int64_t now_ms, int64_t *retry_ms)
{
    return look(limit, key, now_ms, true, retry_ms);
}

enum err limit_look(struct limit *limit, const char *key, int64_t now_ms, int64_t *retry_ms)
{
    return look(limit, key, now_ms, false, retry_ms);
}

void limit_again(struct limit *limit, const char *key, int64_t now_ms)
{
    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find(limit, key, now_ms);
    bucket->next_ms = now_ms + wait_after(&limit->rule, bucket->tries);
    pthread_mutex_unlock(&limit->lock);
}

void limit_forgive(struct limit *limit, const char *key, int64_t now_ms)
{
    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find(limit, key, now_ms);
    if (bucket->tries > 0) {
        bucket->tries--;
        bucket->next_ms = now_ms;
    }
    pthread_mutex_unlock(&limit->lock);
}
