/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/part.h"

#include "base/mem.h"

void part_init(struct part_writer *part, const struct sink *sink, uint32_t sequence, bool is_video)
{
    *part = (struct part_writer){.sink = sink, .sequence = sequence, .is_video = is_video};
}

void part_fini(struct part_writer *part)
{
    str_fini(&part->payload);
    mem_free(part->samples);
    part->samples = NULL;
    part->count = part->_room = 0;
}

void part_add(struct part_writer *part, const struct mux_sample *sample, uint64_t decode_time)
{
    if (part->count == 0)
        part->decode_time = decode_time;
    mem_grow(part->samples, part->count, part->_room);
    part->samples[part->count++] = *sample;
}

enum err part_flush(struct part_writer *part)
{
    CLEANUP(str_fini) struct str header = {0};
    if (part->count == 0)
        return OK;
    const struct mux_part moof = {.sequence = part->sequence,
                                  .decode_time = part->decode_time,
                                  .is_video = part->is_video,
                                  .samples = part->samples,
                                  .count = part->count};
    if (!part->_has_begun)
        mux_segment_type(&header);
    part->_has_begun = true;
    enum err err = mux_part_header(&moof, &header);
    if (err == OK)
        err = sink_bytes(part->sink, header.at, header.length);
    if (err == OK)
        err = sink_bytes(part->sink, part->payload.at, part->payload.length);
    if (err == OK)
        err = sink_flush(part->sink);
    part->count = 0;
    str_clear(&part->payload);
    return err;
}
