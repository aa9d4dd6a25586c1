/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conditions that wait by the monotonic clock: who sets the time of day wakes nobody. Threads: any. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* As pthread_cond_init; pthread_cond_destroy ends it. */
void cond_init(pthread_cond_t *cond);
/* As pthread_cond_timedwait, until clock_mono_ms() is `until_ms`, INT64_MAX: without end. False: the time is over. */
bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);
