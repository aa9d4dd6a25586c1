/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One loop that serves: h2o's context, a listener, a tick. */
#pragma once

#include "http/server.h"

/* On the loop's thread; takes worker->listen_fd. */
void worker_begin(void *worker);
/* On the loop's thread: no new connections, no keep-alive; calls worker->drained when none is left,
 * which it sees to after `break_at_ms` (of the loop's clock). */
void worker_drain(struct worker *worker, int64_t grace_ms);
