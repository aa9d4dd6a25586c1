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
