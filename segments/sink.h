/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a segment goes, piece by piece, while it is made. A segment is a sequence of pieces: bytes
 * that the engine wrote (headers, encoded media), and extents of the source's own bytes (copies).
 * A part is complete (moof + mdat, playable) at each sink_flush. Implemented by the media process
 * (memfd + messages), by tests and by `matinee segment`. Threads: the one that makes the segment. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sink_ops {
    /* All may fail with LIMIT, IO, CANCELLED: the maker stops and passes it on. */
    enum err (*bytes)(void *ctx, const void *bytes, size_t size);
    enum err (*extent)(void *ctx, uint64_t offset, uint64_t length);
    enum err (*flush)(void *ctx);
};

struct sink {
    const struct sink_ops *ops;
    void *ctx;
};

MUST_CHECK static inline enum err sink_bytes(const struct sink *sink, const void *bytes,
                                             size_t size)
{
    return sink->ops->bytes(sink->ctx, bytes, size);
}

MUST_CHECK static inline enum err sink_extent(const struct sink *sink, uint64_t offset,
                                              uint64_t length)
{
    return sink->ops->extent(sink->ctx, offset, length);
}

MUST_CHECK static inline enum err sink_flush(const struct sink *sink)
{
    return sink->ops->flush(sink->ctx);
}
