/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells that something changed below the folders (inotify). Not what: a walk finds out.
 * Threads: opened, closed and telling on one loop; watch_folder from any. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct uv_loop_s;
struct watch;

/* NULL where the system has no inotify to give: then folders are walked by interval. */
struct watch *watch_open(struct uv_loop_s *loop, void (*changed)(void *ctx), void *ctx);
/* Ends on the loop; *watch is NULL. */
void watch_close(struct watch **watch);
/* Watches one folder, not what is below it. False: a network file system, which tells nothing of
 * what others do (decision 30), or no watches left. */
bool watch_folder(struct watch *watch, int folder_fd);
