/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads for what blocks (disk reads, password hashing, walks over folders), with a bounded queue.
 * One pool per kind of work, so that a sleeping disk stops nobody else. Threads: any. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/mailbox.h"

struct pool;

MUST_CHECK enum err pool_new(const char *name, unsigned threads, size_t queue_limit,
                             struct pool **out);
/* Finishes what is queued, joins. */
void pool_free(struct pool **pool);
/* Runs `work(arg)` on a thread, then `done(arg)` on `mailbox`'s loop (`done` may be NULL).
 * BUSY: the queue is full; nothing was taken. */
MUST_CHECK enum err pool_run(struct pool *pool, task_fn *work, task_fn *done, void *arg,
                             struct mailbox *mailbox);
/* The same, before all that waits and did not come by this itself, and with as much room again: for a few who must not wait behind many. */
MUST_CHECK enum err pool_run_first(struct pool *pool, task_fn *work, task_fn *done, void *arg,
                                   struct mailbox *mailbox);
