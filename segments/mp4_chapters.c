/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chapters of QuickTime: a text track whose samples are names (QuickTime File Format, Text Media:
 * a 16 bit length, then the text). Read only where the bytes are there. */
#include "segments/mp4.h"

#include "base/mem.h"

#define MAX_NAMES 1000

static enum err read_name(struct mp4 *mp4, struct window *window, const struct mp4_track *track,
                          const struct mp4_sample *sample)
{
    const uint8_t *at;
    if (sample->size < 2 || !reader_has(window->reader, sample->offset, sample->size))
        return OK;
    size_t size = sample->size < WINDOW_BYTES ? sample->size : WINDOW_BYTES;
    enum err err = window_get(window, sample->offset, size, &at);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK : err;
    size_t length = mp4_u16(at);
    length = length < size - 2 ? length : size - 2;
    int64_t start = mp4_pts_ns(track, sample->cts);
    int64_t end = mp4_pts_ns(track, sample->cts + sample->duration);
    container_add_chapter(&mp4->base, start, end, (const char *) at + 2, length);
    return OK;
}

enum err mp4_read_chapter_track(struct mp4 *mp4, struct reader *reader)
{
    struct mp4_track *track = &mp4->chapter_track;
    struct mp4_sample sample;
    struct mp4_walk walk;
    if (track->sample_count == 0 || track->sample_count > MAX_NAMES)
        return OK;
    enum err err = mp4_load_places(mp4, reader, track, false);
    if (err != OK)
        return err == ERR_BAD_MEDIA ? OK : err;
    CLEANUP(mem_free_at) struct window *window = mem_new(struct window);
    window_init(window, reader);
    mp4->base.chapter_count = 0; /* these say the same as chpl, better */
    mp4_walk_to(track, track->first_sample, &walk);
    mp4_walk_place(track, &walk);
    while (err == OK && walk.sample < track->end_sample && mp4_walk_next(track, &walk, &sample))
        err = read_name(mp4, window, track, &sample);
    return err;
}
