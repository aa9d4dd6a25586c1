/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/mux.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "segments/box.h"

#define TRACK_ID 1u

/* ISO 14496-12 8.8.8: flags of tfhd and trun. */
#define TFHD_DEFAULT_BASE_IS_MOOF 0x020000u
#define TRUN_VIDEO                0xF01u /* data offset; duration, size, flags, composition */
#define TRUN_AUDIO                0x301u /* data offset; duration, size */

/* ISO 14496-12 8.8.3.1: depends on nothing; depends on others and is no sync sample. */
#define SAMPLE_SYNC  0x02000000u
#define SAMPLE_OTHER 0x01010000u

#define MDAT_HEADER 8u

void mux_segment_type(struct str *out)
{
    size_t styp = box_open(out, "styp");

    str_append(out, "msdh", 4);
    box_u32(out, 0);
    str_append(out, "msdhmsixcmfc", 12);
    box_close(out, styp);
}

static void write_run(const struct mux_part *part, uint32_t data_offset, struct str *out)
{
    uint32_t flags = part->is_video ? TRUN_VIDEO : TRUN_AUDIO;
    size_t trun = box_open_full(out, "trun", 1, flags);

    box_u32(out, part->count);
    box_u32(out, data_offset);
    for (uint32_t i = 0; i < part->count; i++) {
        const struct mux_sample *s = &part->samples[i];
        box_u32(out, s->duration);
        box_u32(out, s->size);
        if (part->is_video) {
            box_u32(out, s->is_sync ? SAMPLE_SYNC : SAMPLE_OTHER);
            box_u32(out, (uint32_t) s->composition);
        }
    }
    box_close(out, trun);
}

static void write_moof(const struct mux_part *part, uint32_t data_offset, struct str *out)
{
    size_t moof = box_open(out, "moof");
    size_t inner = box_open_full(out, "mfhd", 0, 0);
    size_t traf;

    box_u32(out, part->sequence);
    box_close(out, inner);
    traf = box_open(out, "traf");
    inner = box_open_full(out, "tfhd", 0, TFHD_DEFAULT_BASE_IS_MOOF);
    box_u32(out, TRACK_ID);
    box_close(out, inner);
    inner = box_open_full(out, "tfdt", 1, 0);
    box_u64(out, part->decode_time);
    box_close(out, inner);
    write_run(part, data_offset, out);
    box_close(out, traf);
    box_close(out, moof);
}

/* moof has one size for a count of samples: mfhd 16, tfhd 16, tfdt 20, trun 20, and two headers. */
static uint32_t moof_size(const struct mux_part *part)
{
    return 8 + 16 + 8 + 16 + 20 + 20 + part->count * (part->is_video ? 16 : 8);
}

enum err mux_part_header(const struct mux_part *part, struct str *out)
{
    uint64_t payload = 0;
    size_t before = out->length;

    if (part->count > UINT32_MAX / 32)
        return ERR_LIMIT;
    for (uint32_t i = 0; i < part->count; i++)
        payload += part->samples[i].size;
    if (payload > UINT32_MAX - MDAT_HEADER)
        return ERR_LIMIT;
    write_moof(part, moof_size(part) + MDAT_HEADER, out);
    MUST(out->length - before == moof_size(part));
    box_u32(out, (uint32_t) payload + MDAT_HEADER);
    str_append(out, "mdat", 4);
    return OK;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}

void mux_time_samples(const int64_t *pts, uint32_t count, int64_t next_pts, uint32_t delay,
                      struct mux_sample *samples, int64_t *decode_time)
{
    int64_t *sorted = NULL;

    if (count == 0) {
        *decode_time = next_pts - delay;
        return;
    }
    sorted = mem_dup(pts, count * sizeof *pts);
    qsort(sorted, count, sizeof *sorted, compare_times);
    for (uint32_t i = 0; i < count; i++) {
        int64_t next = i + 1 < count ? sorted[i + 1] : next_pts;
        samples[i].duration = next > sorted[i] ? (uint32_t) (next - sorted[i]) : 0;
        samples[i].composition = (int32_t) (pts[i] - sorted[i] + (int64_t) delay);
    }
    *decode_time = sorted[0] - (int64_t) delay;
    mem_free(sorted);
}
