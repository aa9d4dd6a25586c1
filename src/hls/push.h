/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The short way out: pieces that the page cache holds go from their file to the socket without being
 * copied (sendfile). Threads: the request's loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hls/segment.h"
#include "http/http.h"
#include "source/source.h"

/* Where the next byte comes from. */
struct push_place {
    size_t piece;       /* of the segment */
    uint64_t skip;      /* bytes to leave out from the begin of `piece` on */
    uint64_t remaining; /* of the body, while its length is known; else UINT64_MAX */
};

/* So many bytes were sent, or taken to be. */
void push_move(struct push_place *place, struct segment *segment, uint64_t bytes);

/* Sends what the client takes at once and moves `place` behind it; `source` may be NULL where no piece is
 * of it. True: this way is open, and a little has to follow by stream_write, up to what stands at `place`;
 * false: nothing was sent, and what comes next has to be read. *sent says how much went. Sets *kind to GONE
 * where a file became shorter. */
bool push_some(struct stream *stream, struct segment *segment, const struct source *source,
               struct push_place *place, size_t *sent, enum err *kind);
