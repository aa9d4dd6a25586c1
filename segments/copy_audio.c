/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A copied segment of sound: the frames whose place on the grid lies within it. A packet's place
 * follows from its own time alone, so that every run gives it the same (segment-engine 3). */
#include "base/mem.h"
#include "segments/copy_parts.h"

/* A segment of 12 s of the shortest frames (Opus, 2.5 ms) has 4800. */
#define SEGMENT_PACKETS 65536
#define FRAME_BYTES     (1024 * 1024)

/* Laced and early interleaved blocks stand before where their time is looked for. */
#define BEFORE_NS INT64_C(1000000000)

struct audio_copy {
    const struct plan *plan;
    struct copy_job *job;
    const struct plan_track *track;
    struct cursor *cursor;
    struct parts *parts;
    int64_t first, end; /* indexes of frames */
    int64_t last;       /* the last that was taken; first - 1 before */
    bool has_early;     /* the next packet was read already: */
    struct packet early;
};

/* Which frame of the grid a packet is. */
static int64_t frame_index(const struct audio_copy *copy, int64_t pts_ns)
{
    int64_t past = pts_ns - copy->track->first_ns;
    int64_t samples =
        past / 1000000000 * copy->track->rate + past % 1000000000 * copy->track->rate / 1000000000;
    int64_t size = copy->track->frame_size;

    return samples >= 0 ? (samples + size / 2) / size : -((-samples + size / 2) / size);
}

static enum err gone(const struct audio_copy *copy, int64_t index, const char *what)
{
    int64_t position = plan_frame_position(copy->plan, copy->job->rendition, index);

    return why_set(copy->job->why, ERR_GONE, NULL, "%s at %.3f s", what,
                   (double) position / copy->track->rate);
}

static enum err take(struct audio_copy *copy, const struct packet *packet, int64_t index)
{
    int64_t position = plan_frame_position(copy->plan, copy->job->rendition, index);
    enum err err = OK;

    if ((uint64_t) packet->size + packet->prefix_size > FRAME_BYTES)
        return why_set(copy->job->why, ERR_LIMIT, NULL, "a frame of sound is too large");
    if (copy->parts->count > 0)
        parts_end_frame(copy->parts, position);
    if (parts_is_full(copy->parts, position))
        err = parts_flush(copy->parts);
    parts_add(copy->parts, packet, position, 0);
    copy->last = index;
    return err;
}

static enum err next_packet(struct audio_copy *copy, struct packet *out)
{
    if (!copy->has_early)
        return cursor_next(copy->cursor, out);
    copy->has_early = false;
    *out = copy->early;
    return OK;
}

/* False at the end of the segment. */
static enum err step(struct audio_copy *copy, bool *is_end)
{
    struct packet packet;
    int64_t index;
    enum err err;

    if (copy->job->tick != NULL)
        copy->job->tick(copy->job->tick_ctx);
    if (copy->job->reader.cancelled != NULL && atomic_load(copy->job->reader.cancelled))
        return ERR_CANCELLED;
    err = next_packet(copy, &packet);
    if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA) {
        *is_end = true; /* a track may end early */
        return OK;
    }
    if (err != OK)
        return err;
    index = frame_index(copy, packet.pts_ns);
    *is_end = index >= copy->end;
    if (*is_end || index <= copy->last)
        return OK; /* before the segment, or a second packet for a place that is taken */
    return take(copy, &packet, index);
}

static enum err run(struct audio_copy *copy)
{
    bool is_end = false;
    enum err err = OK;

    for (uint32_t i = 0; err == OK && !is_end; i++) {
        if (i == SEGMENT_PACKETS)
            return why_set(copy->job->why, ERR_LIMIT, NULL, "a segment has too much sound");
        err = step(copy, &is_end);
    }
    if (err != OK)
        return err;
    if (copy->last < copy->first)
        return gone(copy, copy->first, "there is a hole in the sound");
    parts_end_frame(copy->parts, plan_frame_position(copy->plan, copy->job->rendition, copy->end));
    return parts_flush(copy->parts);
}

static int64_t position_to_ns(const struct audio_copy *copy, int64_t position)
{
    int64_t rate = copy->track->rate;

    return copy->plan->t0_ns + position / rate * 1000000000 + position % rate * 1000000000 / rate;
}

static enum err open_at(struct audio_copy *copy, struct container *container, int64_t time_ns)
{
    uint32_t track = copy->plan->renditions[copy->job->rendition].track;
    uint64_t pos = 0;
    enum err err = container_seek(container, &copy->job->reader, track, time_ns, &pos);

    cursor_close(&copy->cursor);
    if (err == OK)
        err = cursor_open(container, &copy->job->reader, UINT64_C(1) << track, pos, &copy->cursor);
    return err;
}

/* Sound stands in the order of its time. So where nothing is missing between the place of `start` and
 * its first frame, nothing before it need be read: in Matroska that would be all from the key before on,
 * which may still have to come. */
static enum err open_cursor(struct audio_copy *copy, struct container *container, int64_t start)
{
    int64_t start_ns = position_to_ns(copy, start);
    enum err err = open_at(copy, container, start_ns);

    if (err == OK)
        err = cursor_next(copy->cursor, &copy->early);
    copy->has_early = err == OK && frame_index(copy, copy->early.pts_ns) <= copy->first;
    if (copy->has_early)
        return OK;
    if (err == OK || err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA)
        err = open_at(copy, container, start_ns - BEFORE_NS);
    return err == ERR_NOT_FOUND ? gone(copy, copy->first, "there is no sound") : err;
}

enum err copy_audio(struct container *container, const struct plan *plan, struct copy_job *job)
{
    CLEANUP(mem_free_at) struct parts *parts = mem_new(struct parts);
    int64_t start = plan_segment_start(plan, job->rendition, job->n);
    int64_t end = plan_segment_start(plan, job->rendition, job->n + 1);
    struct audio_copy copy = {
        .plan = plan,
        .job = job,
        .track = &plan->tracks[plan->renditions[job->rendition].track],
        .parts = parts,
        .first = plan_frame_at_or_after(plan, job->rendition, start),
        .end = plan_frame_at_or_after(plan, job->rendition, end),
    };
    enum err err;

    copy.last = copy.first - 1;
    parts_init(parts, plan, job);
    err = open_cursor(&copy, container, start);
    if (err == OK)
        err = run(&copy);
    cursor_close(&copy.cursor);
    return err;
}
