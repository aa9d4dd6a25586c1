/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How threads talk: a task posted to a mailbox runs on that mailbox's loop, in the order posted.
 * Life: mailbox_new (on the loop's thread) -> posts from any thread -> mailbox_free (on the loop's
 * thread, when nobody posts any more: what is still inside runs first). */
#pragma once

#include "base/err.h"

struct uv_loop_s;
struct mailbox;

typedef void task_fn(void *arg);

struct mailbox *mailbox_new(struct uv_loop_s *loop);
void mailbox_free(struct mailbox **mailbox);
/* Never blocks, never fails, never runs `task` inside the call. Any thread. */
void mailbox_post(struct mailbox *mailbox, task_fn *task, void *arg);
