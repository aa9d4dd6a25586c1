/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an opened MP4 answers: keys, spans, places, packets. All of it from the tables. */
#include "segments/mp4.h"

#include <string.h>

#include "base/mem.h"

static enum err load(struct container *container, struct reader *reader, uint32_t track)
{
    return mp4_load(mp4_of(container), reader, &mp4_of(container)->tracks[track],
                    container->tracks[track].kind == PLAN_VIDEO);
}

/* The keys that edits leave and whose bytes the file has. */
struct key_list {
    struct key *items;
    size_t count, room;
    uint64_t file;
};

static void add_key(struct key_list *list, const struct mp4_track *track, const struct mp4_key *key)
{
    if (key->sample < track->first_sample || key->sample >= track->end_sample ||
        key->cts < track->start_cts || key->cts >= track->end_cts || key->offset > list->file ||
        key->size > list->file - key->offset)
        return;
    mem_grow(list->items, list->count, list->room);
    list->items[list->count++] = (struct key){.pts_ns = mp4_pts_ns(track, key->cts),
                                              .pos = key->sample,
                                              .offset = key->offset,
                                              .size = key->size};
}

/* Where every sample is a key. */
static void add_all(struct key_list *list, const struct mp4_track *track)
{
    struct mp4_walk walk;
    struct mp4_sample sample;
    mp4_walk_to(track, track->first_sample, &walk);
    while (walk.sample < track->end_sample && mp4_walk_next(track, &walk, &sample))
        add_key(list, track,
                &(struct mp4_key){sample.cts, sample.offset, walk.sample - 1, sample.size});
}

enum err mp4_keys(struct container *container, struct reader *reader, uint32_t index,
                  struct key **out, size_t *count, struct why *why)
{
    const struct mp4_track *track = &mp4_of(container)->tracks[index];
    struct key_list list = {.file = input_size(reader->input)};
    enum err err = load(container, reader, index);
    if (err == ERR_BAD_MEDIA)
        return why_set(why, ERR_NOT_FOUND, NULL, "the file's sample tables are damaged");
    if (err != OK)
        return err;
    if (track->has_stss)
        for (uint32_t i = 0; i < track->key_count; i++)
            add_key(&list, track, &track->keys[i]);
    else
        add_all(&list, track);
    if (list.count == 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "the file lists no key frames");
    *out = list.items;
    *count = list.count;
    return OK;
}

enum err mp4_scan(struct container *container, struct reader *reader, uint32_t track,
                  container_progress_fn *progress, void *ctx, struct key **out, size_t *count)
{
    if (progress != NULL)
        progress(ctx, 1.0);
    return mp4_keys(container, reader, track, out, count, NULL);
}

/* The end of what is presented: of the latest of the last frames, reordered ones among them. */
static int64_t find_end(const struct mp4_track *track, int64_t first)
{
    enum { LAST_FRAMES = 64 };
    struct mp4_walk walk;
    struct mp4_sample sample;
    int64_t end = first;
    uint32_t from = track->first_sample;
    if (track->end_sample > LAST_FRAMES && track->end_sample - LAST_FRAMES > from)
        from = track->end_sample - LAST_FRAMES;
    mp4_walk_to(track, from, &walk);
    while (walk.sample < track->end_sample && mp4_walk_next(track, &walk, &sample))
        if (sample.cts + sample.duration > end && sample.cts < track->end_cts)
            end = sample.cts + sample.duration;
    return end;
}

/* The first packet that is presented: for audio the one that the edit begins in. Of pictures an edit
 * may begin with one that is decoded after others that are shown later. */
static int64_t find_first(const struct mp4_track *track, bool is_video)
{
    struct mp4_walk walk;
    struct mp4_sample sample;
    uint32_t from = track->first_sample;
    if (is_video && track->start_cts != INT64_MIN)
        return track->start_cts;
    if (!is_video && track->start_cts > 0)
        from = mp4_find_dts(track, track->start_cts);
    mp4_walk_to(track, from, &walk);
    return mp4_walk_next(track, &walk, &sample) ? sample.cts : 0;
}

enum err mp4_span(struct container *container, struct reader *reader, uint32_t index,
                  int64_t *first_ns, int64_t *end_ns)
{
    const struct mp4_track *track = &mp4_of(container)->tracks[index];
    bool is_video = container->tracks[index].kind == PLAN_VIDEO;
    enum err err = load(container, reader, index);
    if (err == ERR_BAD_MEDIA && track->timescale > 0 && track->duration > 0 &&
        track->duration < INT64_MAX) { /* PCM: too many samples to walk, but all alike */
        *first_ns = container_scale(track->empty_ticks, NS_PER_S, track->timescale);
        *end_ns =
            *first_ns + container_scale((int64_t) track->duration, NS_PER_S, track->timescale);
        return OK;
    }
    if (err == OK && track->first_sample >= track->end_sample)
        err = ERR_NOT_FOUND;
    if (err != OK)
        return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
    int64_t first = find_first(track, is_video);
    *first_ns = mp4_pts_ns(track, first);
    *end_ns = mp4_pts_ns(track, find_end(track, first));
    return OK;
}

/* The last sample (of video: the last key) that is due at or before `time_ns`. */
static uint32_t find_time(const struct mp4_track *track, bool is_video, int64_t time_ns)
{
    int64_t cts = container_scale(time_ns, track->timescale, NS_PER_S) - track->shift;
    uint32_t sample = track->first_sample;
    if (!is_video || !track->has_stss) {
        uint32_t found = mp4_find_dts(track, cts);
        return found > sample ? found : sample;
    }
    for (uint32_t i = track->key_count; i > 0; i--) {
        const struct mp4_key *key = &track->keys[i - 1];
        if (key->cts <= cts)
            return key->sample > sample ? key->sample : sample;
    }
    return sample;
}

enum err mp4_seek(struct container *container, struct reader *reader, uint32_t index,
                  int64_t time_ns, uint64_t *pos)
{
    const struct mp4_track *track = &mp4_of(container)->tracks[index];
    enum err err = load(container, reader, index);
    if (err == ERR_BAD_MEDIA || (err == OK && track->sample_count == 0))
        return ERR_NOT_FOUND;
    if (err == OK)
        *pos = find_time(track, container->tracks[index].kind == PLAN_VIDEO, time_ns);
    return err;
}

/* So that the next sample is the first, from the stop `at` on, that is presented at or after `time_ns`. */
static void walk_to_time(const struct mp4_track *track, uint32_t *at, int64_t time_ns,
                         struct mp4_walk *walk)
{
    /* a tick less, for its rounding */
    int64_t cts = container_scale(time_ns, track->timescale, NS_PER_S) - track->shift - 1;
    struct mp4_walk next;
    struct mp4_sample sample;
    while (*at + 1 < track->stop_count && track->stops[*at + 1].dts <= cts)
        (*at)++;
    next = track->stops[*at];
    mp4_walk_near(track, cts, &next);
    *walk = next;
    while (mp4_walk_next(track, &next, &sample) &&
           (sample.cts < cts || mp4_pts_ns(track, sample.cts) < time_ns))
        *walk = next;
}

/* Of sound and other tracks whose packets are presented in the order of the file by time; of pictures by
 * place. */
enum err mp4_sums(struct container *container, struct reader *reader, uint32_t index,
                  const int64_t *times_ns, const uint64_t *places, size_t count,
                  struct packet_sum *out)
{
    const struct mp4_track *track = &mp4_of(container)->tracks[index];
    struct mp4_walk first;
    struct mp4_walk walk;
    uint32_t at = 0;
    enum err err = load(container, reader, index);
    if (err == ERR_BAD_MEDIA || (err == OK && track->stop_count == 0))
        return ERR_NOT_FOUND;
    if (err != OK)
        return err;
    mp4_walk_to(track, track->first_sample, &first);
    for (size_t i = 0; i < count; i++) {
        if (times_ns != NULL)
            walk_to_time(track, &at, times_ns[i], &walk);
        else
            mp4_walk_to(track,
                        places[i] < track->end_sample ? (uint32_t) places[i] : track->end_sample,
                        &walk);
        if (walk.sample > track->end_sample)
            mp4_walk_to(track, track->end_sample, &walk);
        bool is_past = walk.sample > first.sample;
        out[i].bytes = is_past ? walk.bytes - first.bytes : 0;
        out[i].packets = is_past ? walk.sample - first.sample : 0;
    }
    return OK;
}

/* One track of a cursor: its next sample is looked at before it is handed out. */
struct lane {
    uint32_t index;
    bool has_sample;
    struct mp4_walk walk;
    struct mp4_sample sample;
};

struct mp4_cursor {
    struct cursor base;
    struct mp4 *mp4;
    uint64_t file_size;
    uint32_t lane_count;
    struct lane lanes[];
};

static void advance(const struct mp4_cursor *cursor, struct lane *lane)
{
    const struct mp4_track *track = &cursor->mp4->tracks[lane->index];
    lane->has_sample = lane->walk.sample < track->end_sample &&
                       mp4_walk_next(track, &lane->walk, &lane->sample) &&
                       lane->sample.offset <= cursor->file_size &&
                       lane->sample.size <= cursor->file_size - lane->sample.offset;
}

static enum err next_packet(struct cursor *base, struct packet *out)
{
    struct mp4_cursor *cursor = (struct mp4_cursor *) base;
    struct lane *next = NULL;
    for (uint32_t i = 0; i < cursor->lane_count; i++) {
        struct lane *lane = &cursor->lanes[i];
        if (lane->has_sample && (next == NULL || lane->sample.offset < next->sample.offset))
            next = lane;
    }
    if (next == NULL)
        return ERR_NOT_FOUND;
    const struct mp4_track *track = &cursor->mp4->tracks[next->index];
    *out = (struct packet){
        .track = next->index,
        .pts_ns = mp4_pts_ns(track, next->sample.cts),
        .duration_ns = container_scale(next->sample.duration, NS_PER_S, track->timescale),
        .is_key = next->sample.is_key,
        .offset = next->sample.offset,
        .size = next->sample.size,
        .pos = next->walk.sample - 1,
    };
    advance(cursor, next);
    return OK;
}

static void close_cursor(struct cursor *base)
{
    mem_free(base);
}

/* Places all lanes: the first at `pos`, the others at its time. */
static void place_lanes(struct mp4_cursor *cursor, uint64_t pos)
{
    const struct container *container = &cursor->mp4->base;
    int64_t time_ns = 0;
    for (uint32_t i = 0; i < cursor->lane_count; i++) {
        struct lane *lane = &cursor->lanes[i];
        const struct mp4_track *track = &cursor->mp4->tracks[lane->index];
        uint32_t sample = track->first_sample;
        if (i == 0 && pos > sample)
            sample = pos < track->end_sample ? (uint32_t) pos : track->end_sample;
        else if (i > 0 && pos > 0)
            sample = find_time(track, container->tracks[lane->index].kind == PLAN_VIDEO, time_ns);
        mp4_walk_to(track, sample, &lane->walk);
        mp4_walk_place(track, &lane->walk);
        advance(cursor, lane);
        if (i == 0)
            time_ns = lane->has_sample ? mp4_pts_ns(track, lane->sample.cts) : TIME_LIMIT_NS;
    }
}

enum err mp4_cursor(struct container *container, struct reader *reader, uint64_t tracks,
                    uint64_t pos, struct cursor **out)
{
    struct mp4 *mp4 = mp4_of(container);
    struct mp4_cursor *cursor =
        mem_zalloc(sizeof *cursor + CONTAINER_MAX_TRACKS * sizeof cursor->lanes[0]);
    cursor->base = (struct cursor){next_packet, close_cursor};
    cursor->mp4 = mp4;
    cursor->file_size = input_size(reader->input);
    for (uint32_t i = 0; i < container->track_count; i++) {
        if ((tracks >> i & 1) == 0 || !mp4->tracks[i].is_readable)
            continue;
        enum err err =
            mp4_load_places(mp4, reader, &mp4->tracks[i], container->tracks[i].kind == PLAN_VIDEO);
        if (err != OK && err != ERR_BAD_MEDIA) {
            mem_free(cursor);
            return err;
        }
        if (err == OK)
            cursor->lanes[cursor->lane_count++].index = i;
    }
    place_lanes(cursor, pos);
    *out = &cursor->base;
    return OK;
}
