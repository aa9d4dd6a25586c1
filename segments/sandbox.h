/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a film's process locks itself down, after it was handed its fds and before it reads the first
 * byte of film: no new privileges, limits, Landlock (no path at all), a system call filter that
 * kills by default. There is no switch: sanitizer and valgrind builds have a longer list by
 * compile time. Threads: called while there is but one. */
#pragma once

#include <stdint.h>

#include "segments/wire.h"

/* For good. Answers with the layers (enum wire_layer) that are on: a container or an old kernel may
 * lack some. */
uint32_t sandbox_enter(void);

/* The same for the process of a device (gpu.h), whose driver opens files and starts threads of its own
 * when it is set up, and later talks to its nodes by ioctl. `nodes` end with NULL; of a folder only the
 * names in it can be read.
 * At first: the nodes, and what drivers read of the system. */
void sandbox_begin_device(const char *const *nodes);
/* Then, for good: the nodes alone, and no call beyond what encoding there needs; what else is tried is
 * refused, not killed for, since drivers try much. Threads there are already keep the files of the
 * first step. Layers as above. */
uint32_t sandbox_enter_device(const char *const *nodes);
