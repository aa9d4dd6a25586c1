/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/limits.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"

enum { BUCKETS = 1024, RESERVE_LEAST = 256, CAP_LEAST = 64, CAP_MOST = 1 << 20 };

struct peer {
    struct peer *next;
    struct address house;
    unsigned count;
};

struct limits {
    /* fixed after new */
    unsigned in_all, per_address;
    /* under lock */
    pthread_mutex_t lock;
    unsigned open;
    struct peer *buckets[BUCKETS];
};

struct limits *limits_new(unsigned in_all, unsigned per_address)
{
    struct limits *limits = mem_new(struct limits);
    limits->in_all = in_all;
    limits->per_address = per_address;
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void limits_free(struct limits **limits)
{
    if (*limits == NULL)
        return;
    MUST((*limits)->open == 0);
    pthread_mutex_destroy(&(*limits)->lock);
    mem_free(*limits);
    *limits = NULL;
}

/* FNV-1a. Whoever picks addresses to collide fills one bucket with what he may open anyway. */
static struct peer **find(struct limits *limits, const struct address *house)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sizeof house->bytes; i++)
        hash = (hash ^ house->bytes[i]) * 16777619u;
    struct peer **at = &limits->buckets[hash % BUCKETS];
    while (*at != NULL && memcmp(&(*at)->house, house, sizeof *house) != 0)
        at = &(*at)->next;
    return at;
}

static bool enter_house(struct limits *limits, const struct address *peer)
{
    struct address house = address_household(peer);
    struct peer **at = find(limits, &house);
    if (*at == NULL) {
        *at = mem_new(struct peer);
        (*at)->house = house;
    }
    if ((*at)->count >= limits->per_address)
        return false;
    (*at)->count++;
    return true;
}

static void leave_house(struct limits *limits, const struct address *peer)
{
    struct address house = address_household(peer);
    struct peer **at = find(limits, &house);
    MUST(*at != NULL && (*at)->count > 0);
    if (--(*at)->count > 0)
        return;
    struct peer *empty = *at;
    *at = empty->next;
    mem_free(empty);
}

bool limits_enter(struct limits *limits, const struct address *peer, bool is_exempt)
{
    pthread_mutex_lock(&limits->lock);
    bool fits = limits->open < limits->in_all && (is_exempt || enter_house(limits, peer));
    if (fits)
        limits->open++;
    pthread_mutex_unlock(&limits->lock);
    return fits;
}

void limits_leave(struct limits *limits, const struct address *peer, bool is_exempt)
{
    pthread_mutex_lock(&limits->lock);
    limits->open--;
    if (!is_exempt)
        leave_house(limits, peer);
    pthread_mutex_unlock(&limits->lock);
}

uint64_t limits_open(struct limits *limits)
{
    pthread_mutex_lock(&limits->lock);
    uint64_t open = limits->open;
    pthread_mutex_unlock(&limits->lock);
    return open;
}

unsigned limits_of_process(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return CAP_MOST;
    rlim_t reserve = limit.rlim_cur / 4 > RESERVE_LEAST ? limit.rlim_cur / 4 : RESERVE_LEAST;
    if (limit.rlim_cur < reserve + CAP_LEAST)
        return CAP_LEAST;
    rlim_t cap = limit.rlim_cur - reserve;
    return cap > CAP_MOST ? CAP_MOST : (unsigned) cap;
}
