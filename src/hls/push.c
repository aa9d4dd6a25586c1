/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/push.h"

enum {
    BATCH = 64,                   /* pieces looked at in one go */
    LEAST_BYTES = 64 * 1024,      /* less is copied faster than it is arranged */
    MOST_BYTES = 2 * 1024 * 1024, /* then others have their turn */
    HEADER_BYTES = 8 * 1024,      /* of the headers of parts that are still with their maker */
};

struct batch {
    struct stream_piece pieces[BATCH];
    size_t count;
    uint64_t bytes;
    size_t read; /* of the headers */
    uint8_t headers[HEADER_BYTES];
};

/* A copy's are some hundred bytes each. */
static bool read_header(struct segment *segment, uint64_t offset, struct batch *batch,
                        struct stream_piece *out)
{
    size_t got = 0;
    uint8_t *into = batch->headers + batch->read;
    if (out->size > HEADER_BYTES - batch->read ||
        segment_read_now(segment, into, out->size, offset, &got) != OK || got < out->size)
        return false;
    batch->read += got;
    out->bytes = into;
    return true;
}

/* Where the bytes are. False: what is not of the source would have to be waited for. */
static bool find(struct segment *segment, const struct source *source,
                 const struct media_piece *piece, uint64_t skip, struct batch *batch,
                 struct stream_piece *out)
{
    uint64_t offset = piece->offset + skip;
    if (!piece->is_source)
        return segment_lend(segment, offset, out->size, &out->bytes, &out->fd, &out->offset) ||
               read_header(segment, offset, batch, out);
    if (source == NULL)
        return false;
    out->bytes = NULL;
    out->fd = source_fd(source);
    out->offset = offset;
    return true;
}

static void widen(struct span *span, const struct stream_piece *piece)
{
    uint64_t end = piece->offset + piece->size;
    span->begin = piece->offset < span->begin ? piece->offset : span->begin;
    span->end = end > span->end ? end : span->end;
}

/* What comes next, up to what is not in memory; *span is what it needs of the source. */
static void collect(struct segment *segment, const struct source *source,
                    const struct push_place *place, struct batch *batch, struct span *span)
{
    struct media_piece pieces[BATCH];
    size_t count = segment_pieces(segment, place->piece, pieces, BATCH);
    uint64_t most = place->remaining < MOST_BYTES ? place->remaining : MOST_BYTES;
    uint64_t skip = place->skip;
    for (size_t i = 0; i < count && batch->bytes < most; i++) {
        uint64_t left = pieces[i].length - skip;
        uint64_t room = most - batch->bytes;
        struct stream_piece *out = &batch->pieces[batch->count];
        out->size = (size_t) (left < room ? left : room);
        if (!find(segment, source, &pieces[i], skip, batch, out))
            return;
        if (pieces[i].is_source)
            widen(span, out);
        batch->bytes += out->size;
        batch->count++;
        skip = 0;
    }
}

/* The loop is not to sleep for it. The pieces of a copy follow each other in the film. */
static bool is_here(const struct source *source, const struct span *span, uint64_t bytes)
{
    if (span->end <= span->begin)
        return true;
    return span->end - span->begin <= 4 * bytes + LEAST_BYTES &&
           source_is_cached(source, span->begin, span->end - span->begin);
}

void push_move(struct push_place *place, struct segment *segment, uint64_t bytes)
{
    struct media_piece piece;
    place->skip += bytes;
    if (place->remaining != UINT64_MAX)
        place->remaining -= bytes;
    while (segment_pieces(segment, place->piece, &piece, 1) == 1 && place->skip >= piece.length) {
        place->skip -= piece.length;
        place->piece++;
    }
}

bool push_some(struct stream *stream, struct segment *segment, const struct source *source,
               struct push_place *place, size_t *sent, enum err *kind)
{
    struct batch batch;
    struct span span = {UINT64_MAX, 0};
    *sent = 0;
    if (!stream_can_push(stream))
        return false;
    batch.count = batch.read = 0;
    batch.bytes = 0;
    push_move(place, segment, 0);
    collect(segment, source, place, &batch, &span);
    if (batch.bytes < LEAST_BYTES || !is_here(source, &span, batch.bytes))
        return false;
    *kind = stream_push(stream, batch.pieces, batch.count, sent);
    push_move(place, segment, *sent);
    return true;
}
