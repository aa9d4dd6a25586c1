/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a URL leads, and whether anybody may be asked there. Internal to fetch/. Threads: any. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/why.h"

struct target {
    char *url;         /* as curl understands it: mem_free */
    bool is_unchecked; /* whatever its addresses: an admin named it */
};
void target_fini(struct target *target);

/* `origin`, `allowed` as in fetch.h. BAD_INPUT: no URL of http or https; REFUSED: it names a user, a port
 * that is no web server's, or is not of the origin. */
MUST_CHECK enum err target_judge(const char *url, const char *origin, const char *const *allowed,
                                 struct target *out, struct why *why);
