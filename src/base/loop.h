/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread with a libuv loop of its own and a mailbox. A tick over 10 ms is logged by name.
 * Life: loop_start -> tasks, handles -> loop_stop (closes the mailbox, joins). */
#pragma once

#include "base/err.h"
#include "base/mailbox.h"

struct loop;

/* `name` shows in ps and logs; at most 15 characters. BUSY: no thread to be had. */
MUST_CHECK enum err loop_start(const char *name, struct loop **out);
/* From another thread: runs what was posted before, waits until handles opened on the loop are
 * closed by their owners, joins. NULL is accepted. */
void loop_stop(struct loop **loop);
struct mailbox *loop_mailbox(struct loop *loop);
struct uv_loop_s *loop_uv(struct loop *loop); /* for use on the loop's own thread */
/* Runs `task` on the loop and waits for its end. Not from the loop itself. */
void loop_call(struct loop *loop, task_fn *task, void *arg);
