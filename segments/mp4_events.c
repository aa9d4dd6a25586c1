/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of subtitle tracks: samples, which follow one another without holes or overlaps; an empty
 * one is a pause (3GPP TS 26.245 5.2). */
#include "segments/mp4.h"

#include "base/mem.h"

/* A sample that says nothing: a text of length 0. */
#define EMPTY_BYTES 2

static enum err give(struct reader *reader, const struct mp4_track *track,
                     const struct mp4_sample *sample, container_event_fn *fn, void *ctx)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    if (sample->size <= EMPTY_BYTES)
        return OK;
    enum err err = window_load(reader, sample->offset, sample->size, EVENT_LIMIT, &bytes);
    if (err != OK)
        return err == ERR_LIMIT || err == ERR_NOT_FOUND ? OK : err;
    const struct event event = {
        .start_ns = mp4_pts_ns(track, sample->cts),
        .end_ns = mp4_pts_ns(track, sample->cts + sample->duration),
        .bytes = bytes,
        .size = sample->size,
    };
    fn(ctx, &event);
    return OK;
}

enum err mp4_events(struct container *container, struct reader *reader, uint32_t index,
                    int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                    void *ctx)
{
    struct mp4_track *track = &mp4_of(container)->tracks[index];
    struct mp4_walk walk;
    struct mp4_sample sample;
    uint64_t first = 0;
    *by_walk = false;
    if (!track->is_readable)
        return ERR_NOT_FOUND;
    enum err err = mp4_seek(container, reader, index, from_ns, &first);
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err == OK)
        err = mp4_load_places(mp4_of(container), reader, track, false);
    if (err != OK)
        return err;
    mp4_walk_to(track, (uint32_t) first, &walk);
    mp4_walk_place(track, &walk);
    while (err == OK && walk.sample < track->end_sample && mp4_walk_next(track, &walk, &sample) &&
           mp4_pts_ns(track, sample.cts) < to_ns)
        err = give(reader, track, &sample, fn, ctx);
    return err;
}
