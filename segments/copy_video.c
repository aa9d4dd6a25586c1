/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A copied segment of pictures: from key n to before key n + 1 in decode order. Decode times are
 * made of presentation times alone (segment-engine 3): the i-th smallest, less D; it is known once
 * as many pictures more as the reorder depth have been seen. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/copy_parts.h"
#include "segments/nal.h"
#include "segments/packet.h"

/* Pieces last at most some 13 s; more packets than this in one are no film. */
#define SEGMENT_PACKETS 65536
/* H.264 and HEVC hold back 16 pictures at most. */
#define REORDER_MOST 16

#define LOOK_BYTES      (4 * 1024)
#define LOOK_BYTES_MOST (256 * 1024)

struct waiting {
    struct packet packet;
    int64_t pts; /* ticks since T0 */
};

struct video_copy {
    const struct plan *plan;
    const struct plan_track *track;
    struct copy_job *job;
    struct cursor *cursor;
    struct parts *parts;
    bool is_nal;
    struct nal_config config;

    struct waiting queue[REORDER_MOST + 1]; /* decode order, a ring */
    uint32_t head, count;
    int64_t times[REORDER_MOST + 1]; /* theirs not yet given out, rising */
    uint32_t reorder;
    int64_t last; /* given out, without D; INT64_MIN: none */
};

static enum err gone(struct video_copy *copy, int64_t ticks, const char *what)
{
    return why_set(copy->job->why, ERR_GONE, NULL, "%s at %.3f s", what,
                   (double) ticks / copy->plan->timescale);
}

/* A key that nobody can begin with. At a boundary it is served as announced, and the next plan offers
 * no copy (decision 12); within a segment it harms nobody. */
static void note_false_key(struct video_copy *copy, const struct packet *packet, int64_t pts)
{
    double at_s = (double) pts / copy->plan->timescale;
    bool is_boundary = copy->last == INT64_MIN && copy->count == 0;

    log_warning("segments.copy", log_str("what", "a key frame is no IDR"),
                log_int("segment", copy->job->n), log_int("at", (int64_t) packet->offset));
    if (!is_boundary)
        return;
    why_set(copy->job->verdict, ERR_GONE, NULL,
            "the key frame at %.3f s is not one to start from (IDR)", at_s);
}

enum err copy_look_at_key(const struct copy_job *job, const struct nal_config *config,
                          const struct packet *packet, enum nal_key *kind, bool *is_changed)
{
    enum err err = ERR_AGAIN;

    *kind = NAL_KEY_NONE;
    for (size_t limit = LOOK_BYTES; limit <= LOOK_BYTES_MOST && err == ERR_AGAIN; limit *= 8) {
        CLEANUP(str_fini) struct str bytes = {0};
        const uint8_t *at;
        struct reader reader = job->reader;
        err = packet_read(&reader, packet, limit, &bytes);
        if (err != OK)
            return err;
        at = (const uint8_t *) str_text(&bytes);
        err = nal_key_type(config, at, bytes.length, (size_t) packet->size + packet->prefix_size,
                           kind);
        *is_changed = nal_sets_changed(config, at, bytes.length);
        if (*is_changed)
            return OK;
    }
    if (err != OK)
        *kind = NAL_KEY_NONE;
    return OK;
}

/* Its key pictures are looked at as they pass: the init segment must fit them (decision 12). */
static enum err check_key(struct video_copy *copy, const struct packet *packet, int64_t pts)
{
    enum nal_key kind;
    bool is_changed = false;
    enum err err;

    if (!copy->is_nal || !packet->is_key)
        return OK;
    err = copy_look_at_key(copy->job, &copy->config, packet, &kind, &is_changed);
    if (err != OK)
        return err;
    if (is_changed)
        return gone(copy, pts, "the picture's parameter sets change");
    if (kind == NAL_KEY_NONE)
        note_false_key(copy, packet, pts);
    return OK;
}

static void add_time(struct video_copy *copy, int64_t pts)
{
    uint32_t i = copy->count;

    for (; i > 0 && copy->times[i - 1] > pts; i--)
        copy->times[i] = copy->times[i - 1];
    copy->times[i] = pts;
}

static void enqueue(struct video_copy *copy, const struct packet *packet, int64_t pts)
{
    uint32_t room = REORDER_MOST + 1;

    copy->queue[(copy->head + copy->count) % room] = (struct waiting){*packet, pts};
    add_time(copy, pts);
    copy->count++;
}

/* The oldest picture that waits gets the least of the times that wait. */
static enum err give_out(struct video_copy *copy)
{
    const struct waiting *next = &copy->queue[copy->head];
    int64_t time = copy->times[0], delay = copy->parts->rendition->delay;
    enum err err = OK;

    memmove(copy->times, copy->times + 1, (copy->count - 1) * sizeof *copy->times);
    if (copy->last != INT64_MIN && time <= copy->last)
        time = copy->last + 1; /* two pictures of one time: decode times rise all the same */
    if (copy->parts->count > 0)
        parts_end_frame(copy->parts, time - delay);
    if (parts_is_full(copy->parts, time - delay))
        err = parts_flush(copy->parts);
    parts_add(copy->parts, &next->packet, time - delay, (int32_t) (next->pts - time + delay));
    copy->last = time;
    copy->head = (copy->head + 1) % (REORDER_MOST + 1);
    copy->count--;
    return err;
}

static enum err next_packet(struct video_copy *copy, struct packet *packet, int64_t *pts)
{
    enum err err;

    if (copy->job->tick != NULL)
        copy->job->tick(copy->job->tick_ctx);
    if (copy->job->reader.cancelled != NULL && atomic_load(copy->job->reader.cancelled))
        return ERR_CANCELLED;
    err = cursor_next(copy->cursor, packet);
    if (err == OK)
        *pts = plan_source_to_ticks(copy->plan, packet->pts_ns, copy->plan->timescale);
    return err;
}

/* The key that the plan announces. The first may stand up to a tenth of a second after T0. */
static enum err find_key(struct video_copy *copy, struct packet *packet, int64_t *pts)
{
    uint32_t n = copy->job->n;
    int64_t cut = copy->plan->copy_cuts[n];

    for (uint32_t i = 0; i < SEGMENT_PACKETS; i++) {
        enum err err = next_packet(copy, packet, pts);
        if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA)
            break;
        if (err != OK)
            return err;
        if (!packet->is_key || (n > 0 && *pts < cut))
            continue;
        if (n == 0 || *pts == cut)
            return OK;
        break;
    }
    return gone(copy, cut, "there is no key frame");
}

/* The earliest time of what follows: the next key's, or that of pictures that lead it. No H.264
 * picture leads an IDR, no AV1 or VP9 picture leads any. */
static enum err find_next_time(struct video_copy *copy, int64_t key_pts, int64_t *out)
{
    struct packet packet;
    int64_t pts = 0;

    *out = key_pts;
    if (copy->track->codec != CODEC_HEVC)
        return OK;
    for (uint32_t i = 0; i < copy->reorder + 1; i++) {
        enum err err = next_packet(copy, &packet, &pts);
        if (err == ERR_NOT_FOUND)
            return OK;
        if (err != OK)
            return err;
        if (pts >= key_pts)
            return OK;
        *out = pts < *out ? pts : *out;
    }
    return OK;
}

/* One picture of the segment: looked at, and put behind those that wait. */
static enum err take_picture(struct video_copy *copy, const struct packet *packet, int64_t pts)
{
    enum err err = check_key(copy, packet, pts);

    if (err != OK)
        return err;
    enqueue(copy, packet, pts);
    return copy->count > copy->reorder ? give_out(copy) : OK;
}

/* The pictures up to the key of the next segment, which is left in `packet`, or to the end of the
 * film: NOT_FOUND. `pts` is that of the last one read. */
static enum err take_pictures(struct video_copy *copy, int64_t next_cut, struct packet *packet,
                              int64_t *pts)
{
    for (uint32_t i = 0; i < SEGMENT_PACKETS; i++) {
        enum err err = next_packet(copy, packet, pts);
        if (err == OK && packet->is_key && *pts >= next_cut)
            return OK;
        if (err == OK)
            err = take_picture(copy, packet, *pts);
        if (err != OK)
            return err;
    }
    return why_set(copy->job->why, ERR_LIMIT, NULL, "a segment has too many pictures");
}

/* All but the key, which was taken; *next is when what follows the segment begins. */
static enum err copy_rest(struct video_copy *copy, int64_t *next)
{
    uint32_t n = copy->job->n;
    bool is_last = n + 1 == copy->plan->copy_count;
    int64_t next_cut = is_last ? INT64_MAX : copy->plan->copy_cuts[n + 1];
    struct packet packet;
    int64_t pts = 0;
    enum err err = take_pictures(copy, next_cut, &packet, &pts);

    if (err == OK)
        return find_next_time(copy, pts, next);
    if (err == ERR_NOT_FOUND && is_last) {
        *next = copy->plan->end;
        return OK;
    }
    if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA)
        return gone(copy, is_last ? pts : next_cut, "the film breaks off");
    return err;
}

static enum err run(struct video_copy *copy)
{
    struct packet packet;
    int64_t pts = 0, next = 0;
    enum err err = find_key(copy, &packet, &pts);

    if (err == OK)
        err = take_picture(copy, &packet, pts);
    if (err == OK)
        err = copy_rest(copy, &next);
    while (err == OK && copy->count > 0)
        err = give_out(copy);
    if (err != OK)
        return err;
    parts_end_frame(copy->parts, next - copy->parts->rendition->delay);
    return parts_flush(copy->parts);
}

enum err copy_video(struct container *container, const struct plan *plan, struct copy_job *job)
{
    CLEANUP(mem_free_at) struct parts *parts = mem_new(struct parts);
    CLEANUP(mem_free_at) struct video_copy *copy = mem_new(struct video_copy);
    uint32_t track = plan->renditions[job->rendition].track;
    enum err err;

    parts_init(parts, plan, job);
    copy->plan = plan;
    copy->track = &plan->tracks[track];
    copy->job = job;
    copy->parts = parts;
    copy->last = INT64_MIN;
    copy->reorder = copy->track->reorder < REORDER_MOST ? copy->track->reorder : REORDER_MOST;
    copy->is_nal = copy->track->codec == CODEC_H264 || copy->track->codec == CODEC_HEVC;
    if (copy->is_nal && nal_config_read(copy->track->codec, copy->track->extradata,
                                        copy->track->extradata_size, &copy->config) != OK)
        return why_set(job->why, ERR_BAD_MEDIA, NULL, "the picture's headers cannot be read");
    err = cursor_open(container, &job->reader, UINT64_C(1) << track, plan->copy_pos[job->n],
                      &copy->cursor);
    if (err == OK)
        err = run(copy);
    cursor_close(&copy->cursor);
    return err;
}
