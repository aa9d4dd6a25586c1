/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many connections are open, in all and per household (decision 36).
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/address.h"

struct limits;

struct limits *limits_new(unsigned in_all, unsigned per_address);
void limits_free(struct limits **limits);
/* Counts one more; false, and nothing counted: too many. `is_exempt`: not counted per address. */
bool limits_enter(struct limits *limits, const struct address *peer, bool is_exempt);
/* The same arguments as when it entered. */
void limits_leave(struct limits *limits, const struct address *peer, bool is_exempt);
uint64_t limits_open(struct limits *limits);
/* The cap that the process's RLIMIT_NOFILE leaves room for: a quarter, at least 256, is for films,
 * sockets of other kinds and the database. */
unsigned limits_of_process(void);
