/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/heartbeat.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/mem.h"

struct heartbeat {
    unsigned parties;       /* fixed after new */
    atomic_uint references; /* the asker's, and each party's until it has answered */
    atomic_uint ill;
    sem_t answered;
};

struct heartbeat *heartbeat_new(unsigned parties)
{
    struct heartbeat *heartbeat = mem_new(struct heartbeat);
    heartbeat->parties = parties;
    atomic_init(&heartbeat->references, parties + 1);
    atomic_init(&heartbeat->ill, 0);
    sem_init(&heartbeat->answered, 0, 0);
    return heartbeat;
}

static void unref(struct heartbeat **heartbeat)
{
    struct heartbeat *left = *heartbeat;
    *heartbeat = NULL;
    if (atomic_fetch_sub(&left->references, 1) != 1)
        return;
    sem_destroy(&left->answered);
    mem_free(left);
}

void heartbeat_answer(struct heartbeat **heartbeat, bool is_well)
{
    if (!is_well)
        atomic_fetch_add(&(*heartbeat)->ill, 1);
    sem_post(&(*heartbeat)->answered);
    unref(heartbeat);
}

static struct timespec moment_in(int64_t ms)
{
    enum { SECOND_NS = 1000 * 1000 * 1000 };
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += ms / 1000;
    moment.tv_nsec += ms % 1000 * 1000000;
    if (moment.tv_nsec >= SECOND_NS) {
        moment.tv_sec++;
        moment.tv_nsec -= SECOND_NS;
    }
    return moment;
}

bool heartbeat_wait(struct heartbeat **heartbeat, int64_t timeout_ms)
{
    struct timespec until = moment_in(timeout_ms);
    unsigned answers = 0;
    while (answers < (*heartbeat)->parties) {
        if (sem_clockwait(&(*heartbeat)->answered, CLOCK_MONOTONIC, &until) == 0)
            answers++;
        else if (errno != EINTR)
            break;
    }
    bool is_well = answers == (*heartbeat)->parties && atomic_load(&(*heartbeat)->ill) == 0;
    unref(heartbeat);
    return is_well;
}
