/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time. Monotonic for deadlines and measures, wall for what people read. Threads: any. */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define CLOCK_ISO_SIZE 32

int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);
/* ISO 8601 UTC with milliseconds: 2026-11-21T05:12:00.000Z */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

/* What clock_iso writes, with or without milliseconds (RFC 3339 5.6, in UTC alone). BAD_INPUT. */
MUST_CHECK enum err clock_parse_iso(const char *text, int64_t *wall_ms);

#define CLOCK_BOOT_SIZE 40

/* Which boot of the machine this is, in words of the kernel; "" where they cannot be read. */
void clock_boot(char out[CLOCK_BOOT_SIZE]);
