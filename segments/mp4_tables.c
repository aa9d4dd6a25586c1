/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample tables (ISO 14496-12 8.6, 8.7): loaded as they are, walked step by step. */
#include "segments/mp4.h"

#include <string.h>

#include "base/mem.h"

/* A ctts entry per sample of the longest film we take: 128 MiB. */
#define TABLE_LIMIT (UINT64_C(128) << 20)
/* Composition offsets beyond are damage; libavformat passes them over too. */
#define CTTS_LIMIT (1 << 28)

static inline uint32_t entry_at(const struct mp4_table *table, uint32_t index, unsigned width,
                                unsigned field)
{
    return mp4_u32(table->bytes + (size_t) index * width + field);
}

static inline uint32_t size_of(const struct mp4_track *track, uint32_t sample)
{
    if (track->fixed_size != 0)
        return track->fixed_size;
    const uint8_t *bytes = track->stsz.bytes;
    if (track->size_bits == 32)
        return mp4_u32(bytes + (size_t) sample * 4);
    if (track->size_bits == 16)
        return mp4_u16(bytes + (size_t) sample * 2);
    if (track->size_bits == 8)
        return bytes[sample];
    return sample % 2 == 0 ? bytes[sample / 2] >> 4 : bytes[sample / 2] & 0xF;
}

static inline uint64_t place_of(const struct mp4_track *track, uint32_t chunk)
{
    const uint8_t *at = track->stco.bytes + (size_t) chunk * track->chunk_bytes;
    return track->chunk_bytes == 8 ? mp4_u64(at) : mp4_u32(at);
}

/* Of a step that is taken for each sample of a film. */
#define STEP static inline __attribute__((always_inline))

/* Moves to the next chunk that holds samples; false: there is none. `chunk` counts from 0 and is
 * the one after the current. */
STEP bool next_chunk(const struct mp4_track *track, struct mp4_walk *walk)
{
    while (walk->chunk < track->stco.count) {
        uint32_t number = walk->chunk + 1; /* first_chunk counts from 1 */
        while (walk->stsc_at + 1 < track->stsc.count &&
               entry_at(&track->stsc, walk->stsc_at + 1, 12, 0) <= number)
            walk->stsc_at++;
        walk->offset = walk->has_place ? place_of(track, walk->chunk) : 0;
        walk->chunk_left = entry_at(&track->stsc, walk->stsc_at, 12, 4);
        walk->chunk++;
        if (walk->chunk_left > 0)
            return true;
    }
    return false;
}

void mp4_walk_start(const struct mp4_track *track, struct mp4_walk *walk)
{
    *walk = (struct mp4_walk){.dts = track->first_dts};
    if (track->stts.count > 0)
        walk->stts_left = entry_at(&track->stts, 0, 8, 0);
    if (track->ctts.count > 0)
        walk->ctts_left = entry_at(&track->ctts, 0, 8, 0);
}

/* What the sample lasts; the last delta goes on where the table is too short. */
STEP uint32_t take_delta(const struct mp4_track *track, struct mp4_walk *walk)
{
    while (walk->stts_left == 0 && walk->stts_at + 1 < track->stts.count)
        walk->stts_left = entry_at(&track->stts, ++walk->stts_at, 8, 0);
    if (walk->stts_left > 0)
        walk->stts_left--;
    uint32_t delta = entry_at(&track->stts, walk->stts_at, 8, 4);
    return delta <= INT32_MAX ? delta : 1; /* negative deltas: libavformat takes 1 too */
}

/* Signed in both versions, as writers do (8.6.1.3). */
STEP int32_t take_composition(const struct mp4_track *track, struct mp4_walk *walk)
{
    if (track->ctts.count == 0)
        return 0;
    while (walk->ctts_left == 0 && walk->ctts_at + 1 < track->ctts.count)
        walk->ctts_left = entry_at(&track->ctts, ++walk->ctts_at, 8, 0);
    if (walk->ctts_left == 0)
        return 0;
    walk->ctts_left--;
    int32_t offset = (int32_t) entry_at(&track->ctts, walk->ctts_at, 8, 4);
    return offset < CTTS_LIMIT && offset > -CTTS_LIMIT ? offset : 0;
}

STEP bool take_key(const struct mp4_track *track, struct mp4_walk *walk)
{
    uint32_t number = walk->sample + 1; /* sample_number counts from 1 */
    if (!track->has_stss)
        return true;
    while (walk->stss_at < track->stss.count &&
           entry_at(&track->stss, walk->stss_at, 4, 0) < number)
        walk->stss_at++;
    return walk->stss_at < track->stss.count &&
           entry_at(&track->stss, walk->stss_at, 4, 0) == number;
}

STEP bool step(const struct mp4_track *track, struct mp4_walk *walk, struct mp4_sample *out)
{
    if (walk->sample >= track->sample_count || (walk->chunk_left == 0 && !next_chunk(track, walk)))
        return false;
    out->offset = walk->offset;
    out->size = size_of(track, walk->sample);
    out->dts = walk->dts;
    out->duration = take_delta(track, walk);
    out->cts = walk->dts + take_composition(track, walk);
    out->is_key = take_key(track, walk);
    if (walk->offset > INT64_MAX - (int64_t) UINT32_MAX)
        return false;
    walk->dts += out->duration;
    walk->offset += out->size;
    walk->bytes += out->size;
    walk->chunk_left--;
    walk->sample++;
    return true;
}

bool mp4_walk_next(const struct mp4_track *track, struct mp4_walk *walk, struct mp4_sample *out)
{
    return step(track, walk, out);
}

void mp4_walk_to(const struct mp4_track *track, uint32_t sample, struct mp4_walk *walk)
{
    struct mp4_sample passed;
    uint32_t stop = sample / MP4_STOP_EVERY;
    if (track->stop_count == 0) {
        mp4_walk_start(track, walk);
        return;
    }
    *walk = track->stops[stop < track->stop_count ? stop : track->stop_count - 1];
    while (walk->sample < sample && mp4_walk_next(track, walk, &passed))
        continue;
}

uint32_t mp4_find_dts(const struct mp4_track *track, int64_t dts)
{
    uint32_t low = 0, high = track->stop_count;
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (track->stops[middle].dts <= dts)
            low = middle;
        else
            high = middle;
    }
    if (track->stop_count == 0)
        return 0;
    struct mp4_walk walk = track->stops[low];
    struct mp4_sample sample;
    uint32_t found = walk.sample;
    while (mp4_walk_next(track, &walk, &sample) && sample.dts <= dts)
        found = walk.sample - 1;
    return found;
}

static enum err load_table(struct reader *reader, struct mp4_table *table, uint64_t bits)
{
    uint64_t size = ((uint64_t) table->count * bits + 7) / 8;
    if (table->count == 0 || table->bytes != NULL)
        return OK;
    enum err err = window_load(reader, table->at, size, TABLE_LIMIT, &table->bytes);
    return err == ERR_NOT_FOUND || err == ERR_LIMIT ? ERR_BAD_MEDIA : err;
}

/* Samples of one size that the file has no room for are not walked: a few bytes may claim millions.
 * (Sizes of their own stand in a table, which is as long as the samples are many.) */
static void clamp_to_file(const struct reader *reader, struct mp4_track *track)
{
    if (track->fixed_size == 0)
        return;
    uint64_t room = input_size(reader->input) / track->fixed_size + 1;
    if (track->sample_count > room)
        track->sample_count = (uint32_t) room;
}

static enum err load_tables(struct reader *reader, struct mp4_track *track)
{
    clamp_to_file(reader, track);
    if (track->sample_count > MP4_MAX_SAMPLES || track->stts.count == 0 || track->stsc.count == 0 ||
        track->timescale == 0)
        return ERR_BAD_MEDIA;
    enum err err = load_table(reader, &track->stts, 64);
    if (err == OK)
        err = load_table(reader, &track->ctts, 64);
    if (err == OK)
        err = load_table(reader, &track->stss, 32);
    if (err == OK)
        err = load_table(reader, &track->stsc, 96);
    if (err == OK && track->fixed_size == 0)
        err = load_table(reader, &track->stsz, track->size_bits);
    return err;
}

static enum err load_places(struct reader *reader, struct mp4_track *track)
{
    return load_table(reader, &track->stco, track->chunk_bytes * UINT64_C(8));
}

static uint64_t sum_sizes(const struct mp4_track *track, uint32_t sample, uint32_t count)
{
    uint64_t sum = 0;
    if (track->fixed_size != 0)
        return (uint64_t) track->fixed_size * count;
    for (uint32_t i = 0; i < count; i++)
        sum += size_of(track, sample + i);
    return sum;
}

void mp4_walk_place(const struct mp4_track *track, struct mp4_walk *walk)
{
    if (walk->has_place)
        return;
    walk->has_place = true;
    if (walk->chunk_left == 0) /* the next chunk says it */
        return;
    uint32_t each = entry_at(&track->stsc, walk->stsc_at, 12, 4);
    uint32_t passed = each - walk->chunk_left;
    walk->offset =
        place_of(track, walk->chunk - 1) + sum_sizes(track, walk->sample - passed, passed);
}

/* Passes `count` samples over, chunk by chunk and run of chunks by run, as next_chunk would. */
static bool skip_chunks(const struct mp4_track *track, struct mp4_walk *walk, uint32_t count)
{
    while (count > walk->chunk_left) {
        count -= walk->chunk_left;
        walk->sample += walk->chunk_left;
        walk->chunk_left = 0;
        if (walk->chunk >= track->stco.count)
            return false;
        while (walk->stsc_at + 1 < track->stsc.count &&
               entry_at(&track->stsc, walk->stsc_at + 1, 12, 0) <= walk->chunk + 1)
            walk->stsc_at++;
        uint32_t each = entry_at(&track->stsc, walk->stsc_at, 12, 4);
        uint32_t run = track->stco.count - walk->chunk;
        if (walk->stsc_at + 1 < track->stsc.count) {
            uint32_t next = entry_at(&track->stsc, walk->stsc_at + 1, 12, 0) - 1 - walk->chunk;
            run = next < run ? next : run;
        }
        uint32_t whole = each == 0 ? run : (count - 1) / each;
        whole = whole < run ? whole : run;
        walk->chunk += whole;
        walk->sample += whole * each;
        count -= whole * each;
        if (whole < run && !next_chunk(track, walk))
            return false;
    }
    uint64_t bytes = sum_sizes(track, walk->sample, count);
    if (walk->offset > INT64_MAX / 2)
        return false;
    walk->offset += bytes;
    walk->sample += count;
    walk->chunk_left -= count;
    return true;
}

/* As `count` steps of mp4_walk_next, of a track whose samples are all keys, shown as they are decoded, and
 * here all as long. False, and nothing is changed: these are not, or the tables end. */
static bool skip_alike(const struct mp4_track *track, struct mp4_walk *walk, uint32_t count)
{
    struct mp4_walk next = *walk;
    if (track->ctts.count > 0 || track->has_stss || walk->stts_left < count ||
        track->sample_count - walk->sample < count || !skip_chunks(track, &next, count))
        return false;
    uint32_t delta = entry_at(&track->stts, walk->stts_at, 8, 4);
    next.dts += (int64_t) (delta <= INT32_MAX ? delta : 1) * count;
    next.stts_left -= count;
    next.bytes += sum_sizes(track, walk->sample, count);
    *walk = next;
    return true;
}

void mp4_walk_near(const struct mp4_track *track, int64_t dts, struct mp4_walk *walk)
{
    int64_t delta = entry_at(&track->stts, walk->stts_at, 8, 4), count;
    if (delta == 0 || delta > INT32_MAX || dts <= walk->dts)
        return;
    count = (dts - walk->dts) / delta - 1;
    if (count > walk->stts_left)
        count = walk->stts_left;
    if (count > 0)
        (void) skip_alike(track, walk, (uint32_t) count);
}

/* Sound is most of all samples: where the edits say nothing of the next ones, they are not looked at one
 * by one. */
static bool skip_stop(const struct mp4_track *track, struct mp4_walk *walk, struct mp4_cut *cut)
{
    struct mp4_walk next = *walk;
    if (!cut->has_shown || walk->dts <= cut->start || !skip_alike(track, &next, MP4_STOP_EVERY) ||
        next.dts >= cut->end)
        return false;
    *walk = next;
    cut->last = next.sample - 1;
    return true;
}

/* One walk over all samples: keeps every 64th place and all keys, finds out what the edits leave,
 * and how many samples there really are. */
static void walk_once(struct mp4_track *track, bool has_places, struct mp4_cut *cut)
{
    const struct mp4_track tables = *track; /* what is written below may not seem to change them */
    struct mp4_walk walk;
    struct mp4_sample sample;
    uint32_t room = track->sample_count / MP4_STOP_EVERY + 1;
    track->stops = mem_new_array(struct mp4_walk, room);
    if (track->has_stss)
        track->keys = mem_new_array(struct mp4_key, track->stss.count + 1);
    mp4_walk_start(track, &walk);
    walk.has_place = has_places;
    for (;;) {
        if (walk.sample % MP4_STOP_EVERY == 0 && track->stop_count < room)
            track->stops[track->stop_count++] = walk;
        if (walk.sample % MP4_STOP_EVERY == 0 && skip_stop(&tables, &walk, cut))
            continue;
        uint32_t number = walk.sample;
        if (!step(&tables, &walk, &sample))
            break;
        if (sample.is_key && track->has_stss && track->key_count < track->stss.count)
            track->keys[track->key_count++] =
                (struct mp4_key){sample.cts, sample.offset, number, sample.size};
        mp4_cut_note(cut, &sample, number);
    }
    track->sample_count = walk.sample;
}

/* True when all samples have the same description: a copy has one initial segment. */
static bool has_one_description(const struct mp4_track *track)
{
    for (uint32_t i = 1; i < track->stsc.count; i++)
        if (entry_at(&track->stsc, i, 12, 8) != entry_at(&track->stsc, 0, 12, 8))
            return false;
    return true;
}

static enum err load_once(struct mp4 *mp4, struct reader *reader, struct mp4_track *track,
                          bool is_video)
{
    enum err err = load_tables(reader, track);
    if (err == OK && is_video)
        err = load_places(reader, track);
    if (err != OK)
        return err;
    struct mp4_cut cut;
    mp4_cut_begin(mp4, track, &cut);
    walk_once(track, is_video, &cut);
    const char *objection = mp4_resolve_edits(track, &cut, is_video);
    if (track->has_many_entries && !has_one_description(track))
        objection = "its decoder configuration changes on the way";
    if (objection != NULL && track >= mp4->tracks && track < mp4->tracks + CONTAINER_MAX_TRACKS)
        container_object(&mp4->base, (uint32_t) (track - mp4->tracks), "%s", objection);
    return OK;
}

enum err mp4_load(struct mp4 *mp4, struct reader *reader, struct mp4_track *track, bool is_video)
{
    pthread_mutex_lock(&mp4->lock);
    if (!track->is_loaded) {
        track->load_result = load_once(mp4, reader, track, is_video);
        /* what ended because of its asker is tried again by the next one */
        track->is_loaded = track->load_result == OK || track->load_result == ERR_BAD_MEDIA;
    }
    enum err err = track->load_result;
    pthread_mutex_unlock(&mp4->lock);
    return err;
}

enum err mp4_load_places(struct mp4 *mp4, struct reader *reader, struct mp4_track *track,
                         bool is_video)
{
    enum err err = mp4_load(mp4, reader, track, is_video);
    if (err != OK)
        return err;
    pthread_mutex_lock(&mp4->lock);
    err = load_places(reader, track);
    pthread_mutex_unlock(&mp4->lock);
    return err;
}

void mp4_free_tables(struct mp4_track *track)
{
    struct mp4_table *tables[] = {&track->stts, &track->ctts, &track->stss,
                                  &track->stsc, &track->stsz, &track->stco};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) /* NOLINT: an array of pointers */
        mem_free_at(&tables[i]->bytes);
    mem_free_at(&track->stops);
    mem_free_at(&track->keys);
}
