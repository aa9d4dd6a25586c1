/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/copy_parts.h"

#include "base/mem.h"
#include "base/str.h"
#include "segments/packet.h"

/* Decision 16: smaller extents cost more to send than their bytes to copy. */
#define MEAN_EXTENT (16 * 1024)

void parts_init(struct parts *parts, const struct plan *plan, struct copy_job *job)
{
    parts->plan = plan;
    parts->rendition = &plan->renditions[job->rendition];
    parts->job = job;
    parts->has_begun = false;
    parts->count = 0;
    parts->payload = 0;
}

bool parts_is_full(const struct parts *parts, int64_t decode_time)
{
    if (parts->count == 0)
        return false;
    return parts->count == PART_FRAMES || parts->payload >= PART_BYTES ||
           decode_time - parts->decode_time >= (int64_t) PART_SECONDS * parts->rendition->timescale;
}

void parts_add(struct parts *parts, const struct packet *packet, int64_t decode_time,
               int32_t composition)
{
    MUST(parts->count < PART_FRAMES);
    if (parts->count == 0) {
        parts->decode_time = decode_time;
        parts->payload = 0;
    }
    parts->packets[parts->count] = *packet;
    parts->samples[parts->count] = (struct mux_sample){
        .size = packet->size + packet->prefix_size,
        .composition = composition,
        .is_sync = packet->is_key,
    };
    parts->payload += (int64_t) packet->size + packet->prefix_size;
    parts->count++;
}

/* Durations so far are final, so the last frame's begin is their sum. */
void parts_end_frame(struct parts *parts, int64_t next)
{
    int64_t begin = parts->decode_time;

    for (uint32_t i = 0; i + 1 < parts->count; i++)
        begin += parts->samples[i].duration;
    parts->samples[parts->count - 1].duration =
        next - begin > 0 && next - begin <= UINT32_MAX ? (uint32_t) (next - begin) : 1;
}

/* Extents that touch are one. */
static uint32_t merge_extents(const struct parts *parts, struct part_extent *extents)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < parts->count; i++) {
        const struct packet *p = &parts->packets[i];
        if (p->size == 0)
            continue;
        if (count > 0 && extents[count - 1].offset + extents[count - 1].length == p->offset)
            extents[count - 1].length += p->size;
        else
            extents[count++] = (struct part_extent){p->offset, p->size};
    }
    return count;
}

static bool goes_as_bytes(const struct parts *parts, uint32_t extent_count)
{
    if (parts->rendition->kind == PLAN_AUDIO || extent_count == 0)
        return true;
    for (uint32_t i = 0; i < parts->count; i++) {
        if (parts->packets[i].prefix_size > 0)
            return true;
    }
    return parts->payload / extent_count < MEAN_EXTENT;
}

static enum err send_bytes(struct parts *parts, struct str *bytes)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        enum err err = packet_read(&parts->job->reader, &parts->packets[i], SIZE_MAX, bytes);
        if (err != OK)
            return err;
    }
    return sink_bytes(parts->job->sink, bytes->at, bytes->length);
}

static enum err send_extents(struct parts *parts, const struct str *bytes,
                             const struct part_extent *extents, uint32_t count)
{
    enum err err = sink_bytes(parts->job->sink, bytes->at, bytes->length);

    for (uint32_t i = 0; i < count && err == OK; i++)
        err = sink_extent(parts->job->sink, extents[i].offset, extents[i].length);
    return err;
}

enum err parts_flush(struct parts *parts)
{
    const struct plan_rendition *r = parts->rendition;
    struct part_extent extents[PART_FRAMES];
    CLEANUP(str_fini) struct str bytes = {0};
    struct mux_part part = {
        .sequence = parts->job->n + 1,
        .decode_time = (uint64_t) (parts->decode_time + (int64_t) PLAN_OFFSET_S * r->timescale),
        .is_video = r->kind != PLAN_AUDIO,
        .samples = parts->samples,
        .count = parts->count,
    };
    uint32_t count;
    enum err err;

    if (parts->count == 0)
        return OK;
    if (!parts->has_begun)
        mux_segment_type(&bytes);
    parts->has_begun = true;
    err = mux_part_header(&part, &bytes);
    if (err != OK)
        return err;
    count = merge_extents(parts, extents);
    err = goes_as_bytes(parts, count) ? send_bytes(parts, &bytes)
                                      : send_extents(parts, &bytes, extents, count);
    parts->count = 0;
    return err == OK ? sink_flush(parts->job->sink) : err;
}
