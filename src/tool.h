/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line's one-shot work on one file: `matinee inspect` and `matinee segment`. The same
 * media process does it as for the server; no server is started. Threads: main's; blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "hls/media.h"

/* Writes to stdout, as JSON, what is in `path`, how each client would get it, and which transcodes of
 * the picture `cores` (0: those of this machine) make as fast as they play: one segment is made to see.
 * BAD_MEDIA, NOT_FOUND, IO... with the reason. */
MUST_CHECK enum err tool_inspect(const struct media_options *media, unsigned cores,
                                 const char *path, struct why *why);

struct tool_segment {
    const char *path;
    const char *rendition; /* "video-copy" */
    uint64_t index;        /* from 0 */
    bool init;             /* the initialisation segment instead */
    const char *out;       /* a file, or NULL for stdout */
};
/* Writes one whole segment, styp to the last byte. Never a partial file under the final name. */
MUST_CHECK enum err tool_write_segment(const struct media_options *media,
                                       const struct tool_segment *what, struct why *why);
