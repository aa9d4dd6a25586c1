/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of one packet of our readers. Threads: any. */
#pragma once

#include "base/str.h"
#include "segments/container.h"

/* Appends the first `limit` bytes of the packet, its prefix included (fewer where it is shorter).
 * GONE: the file ends before the packet does; IO; CANCELLED. */
MUST_CHECK enum err packet_read(struct reader *reader, const struct packet *packet, size_t limit,
                                struct str *out);
