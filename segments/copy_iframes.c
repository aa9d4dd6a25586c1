/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One key of the copied picture as a segment of its own (RFC 8216 4.3.3.6): a part of one sample, at
 * the time that it has in the copy, up to the next key that is shown. */
#include "base/mem.h"
#include "segments/copy_parts.h"
#include "segments/nal.h"

/* From the cluster's begin to the key; more packets than this no cluster has. */
#define SEARCH_PACKETS 65536

static enum err gone(const struct copy_job *job, const struct plan *plan, const char *what)
{
    return why_set(job->why, ERR_GONE, NULL, "%s at %.3f s", what,
                   (double) plan->keys[job->n] / plan->timescale);
}

/* The key that the plan announces; the first may stand up to a tenth of a second after T0. */
static enum err find_key(struct cursor *cursor, const struct plan *plan, const struct copy_job *job,
                         struct packet *packet, int64_t *pts)
{
    int64_t announced = plan->keys[job->n];

    for (uint32_t i = 0; i < SEARCH_PACKETS; i++) {
        enum err err;
        if (job->tick != NULL)
            job->tick(job->tick_ctx);
        if (job->reader.cancelled != NULL && atomic_load(job->reader.cancelled))
            return ERR_CANCELLED;
        err = cursor_next(cursor, packet);
        if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA)
            break;
        if (err != OK)
            return err;
        *pts = plan_source_to_ticks(plan, packet->pts_ns, plan->timescale);
        if (!packet->is_key || (job->n > 0 && *pts < announced))
            continue;
        if (job->n == 0 || *pts == announced)
            return OK;
        break;
    }
    return gone(job, plan, "there is no key frame");
}

/* It must decode from the init segment alone. */
static enum err check_key(const struct plan *plan, const struct copy_job *job,
                          const struct packet *packet)
{
    const struct plan_track *track = &plan->tracks[plan->renditions[job->rendition].track];
    struct nal_config config;
    enum nal_key kind;
    bool is_changed = false;
    enum err err;

    if (track->codec != CODEC_H264 && track->codec != CODEC_HEVC)
        return OK;
    if (nal_config_read(track->codec, track->extradata, track->extradata_size, &config) != OK)
        return why_set(job->why, ERR_BAD_MEDIA, NULL, "the picture's headers cannot be read");
    err = copy_look_at_key(job, &config, packet, &kind, &is_changed);
    if (err != OK)
        return err;
    if (is_changed)
        return gone(job, plan, "the picture's parameter sets change");
    return kind != NAL_KEY_NONE ? OK : gone(job, plan, "the key frame is not one to start from");
}

enum err copy_iframe(struct container *container, const struct plan *plan, struct copy_job *job)
{
    CLEANUP(mem_free_at) struct parts *parts = mem_new(struct parts);
    const struct plan_rendition *r = &plan->renditions[job->rendition];
    struct cursor *cursor = NULL;
    struct packet packet;
    int64_t pts = 0;
    enum err err = cursor_open(container, &job->reader, UINT64_C(1) << r->track,
                               plan->key_pos[job->n], &cursor);

    if (err == OK)
        err = find_key(cursor, plan, job, &packet, &pts);
    cursor_close(&cursor);
    if (err == OK)
        err = check_key(plan, job, &packet);
    if (err != OK)
        return err;
    parts_init(parts, plan, job);
    parts_add(parts, &packet, pts - r->delay, (int32_t) r->delay);
    parts_end_frame(parts, plan_segment_start(plan, job->rendition, job->n + 1) - r->delay);
    return parts_flush(parts);
}
