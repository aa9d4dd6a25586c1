/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index: Cues (RFC 9559 5.1.5, 22), trusted only after a sample of it was compared with the
 * clusters it points to; the scan of all clusters where there is none; the ends of a track; and
 * places to begin from. */
#include "segments/mkv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* 48 hours with a cue every 0.1 s of 40 bytes are 66 MiB: nobody writes that. */
#define CUES_LIMIT (UINT64_C(64) * 1024 * 1024)
/* Elements looked at in a cluster before we say that the cue's block is not in it. */
#define CHECK_BLOCKS 2000
/* Where the first packet of a track is looked for, from the first cluster on. */
#define FIRST_BYTES (UINT64_C(16) * 1024 * 1024)
/* How far back from the end the last packet of a track is looked for, doubling from the first. */
#define TAIL_FIRST_BYTES (UINT64_C(1) * 1024 * 1024)
#define TAIL_LAST_BYTES  (UINT64_C(64) * 1024 * 1024)

struct key_list {
    struct key *items;
    size_t count, room;
};

static void add_key(struct key_list *keys, struct key key)
{
    mem_grow(keys->items, keys->count, keys->room);
    keys->items[keys->count++] = key;
}

/* One CueTrackPositions (5.1.5.1.2), with the CueTime of the point it stands in. */
struct cue {
    uint64_t time;     /* ticks */
    uint64_t track;    /* TrackNumber */
    uint64_t cluster;  /* from the segment's data on */
    uint64_t relative; /* CueRelativePosition; 0 = not said */
    uint64_t duration; /* CueDuration, ticks; UINT64_MAX = not said */
};

static struct cue read_positions(const struct ebml_element *positions, uint64_t time)
{
    struct cue cue = {.time = time, .cluster = UINT64_MAX, .duration = UINT64_MAX};
    struct ebml_element field;
    struct ebml_span fields = ebml_children(positions);
    while (ebml_next(&fields, &field)) {
        if (field.id == MKV_CUE_TRACK)
            cue.track = ebml_uint(&field, 0);
        else if (field.id == MKV_CUE_CLUSTER_POSITION)
            cue.cluster = ebml_uint(&field, 0);
        else if (field.id == MKV_CUE_RELATIVE_POSITION)
            cue.relative = ebml_uint(&field, 0);
        else if (field.id == MKV_CUE_DURATION)
            cue.duration = ebml_uint(&field, UINT64_MAX);
    }
    return cue;
}

/* A walk over all positions of all points of a Cues element. */
struct cue_walk {
    struct ebml_span points, fields; /* what is left of the element, and of the present point */
    uint64_t time;                   /* of the present point; UINT64_MAX = not yet said */
};

static bool next_cue(struct cue_walk *walk, struct cue *out)
{
    struct ebml_element element;
    for (;;) {
        while (ebml_next(&walk->fields, &element)) {
            if (element.id == MKV_CUE_TIME)
                walk->time = ebml_uint(&element, 0);
            if (element.id != MKV_CUE_TRACK_POSITIONS)
                continue;
            *out = read_positions(&element, walk->time);
            return true;
        }
        if (!ebml_next(&walk->points, &element))
            return false;
        if (element.id == MKV_CUE_POINT)
            walk->fields = ebml_children(&element);
        walk->time = UINT64_MAX;
    }
}

/* Whether its time and place can be of this film. */
static bool cue_is_possible(const struct mkv *mkv, const struct cue *cue)
{
    return cue->time <= (uint64_t) (TIME_LIMIT_NS / mkv->scale_ns) &&
           cue->cluster < mkv->segment_end - mkv->segment;
}

static void read_keys(const struct mkv *mkv, uint32_t track, struct ebml_span cues,
                      struct key_list *keys)
{
    struct cue_walk walk = {.points = cues};
    struct cue cue;
    while (next_cue(&walk, &cue)) {
        if (cue.track != mkv->tracks[track].number || !cue_is_possible(mkv, &cue))
            continue;
        add_key(keys, (struct key){
                          .pts_ns = mkv_pts_ns(mkv, track, (int64_t) cue.time),
                          .pos = mkv->segment + cue.cluster,
                          .relative = cue.relative <= UINT32_MAX ? (uint32_t) cue.relative : 0,
                      });
    }
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    if (a->pts_ns != b->pts_ns)
        return a->pts_ns < b->pts_ns ? -1 : 1;
    return (a->pos > b->pos) - (a->pos < b->pos);
}

/* In order of time, one key a time, and places that rise with it: the rest is a lie. */
static void sort_keys(struct key_list *keys)
{
    if (keys->count > 1)
        qsort(keys->items, keys->count, sizeof *keys->items, compare_keys);
    size_t kept = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *last = kept > 0 ? &keys->items[kept - 1] : NULL;
        if (last == NULL ||
            (keys->items[i].pts_ns > last->pts_ns && keys->items[i].pos >= last->pos))
            keys->items[kept++] = keys->items[i];
    }
    keys->count = kept;
}

/* Loads the Cues element. NOT_FOUND with the reason. The caller's (mem_free). */
static enum err load_cues(struct mkv *mkv, struct reader *reader, uint8_t **out, size_t *size,
                          struct why *why)
{
    CLEANUP(mem_free_at) struct window *window = mem_new(struct window);
    struct ebml_header header;
    if (mkv->cues == 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "the file has no index");
    window_init(window, reader);
    enum err err = ebml_read_header(window, mkv->cues, &header);
    if (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND ||
        (err == OK && (header.id != MKV_CUES || header.is_unknown_size)))
        return why_set(why, ERR_NOT_FOUND, NULL, "the file's index is not where it should be");
    if (err != OK)
        return err;
    err = window_load(reader, mkv->cues + header.header_size, header.size, CUES_LIMIT, out);
    if (err == ERR_LIMIT || err == ERR_NOT_FOUND)
        return why_set(why, ERR_NOT_FOUND, NULL, "the file's index is cut off");
    *size = (size_t) header.size;
    return err;
}

static int find_number(const struct mkv *mkv, uint64_t number)
{
    for (uint32_t i = 0; i < mkv->base.track_count; i++)
        if (mkv->tracks[i].number == number)
            return (int) i;
    return -1;
}

static int compare_event_cues(const void *left, const void *right)
{
    const struct mkv_event_cue *a = left, *b = right;
    if (a->ticks != b->ticks)
        return a->ticks < b->ticks ? -1 : 1;
    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    return (a->relative > b->relative) - (a->relative < b->relative);
}

static void read_event_cues(struct mkv *mkv, struct ebml_span span)
{
    struct cue_walk walk = {.points = span};
    struct cue cue;
    while (next_cue(&walk, &cue)) {
        int track = find_number(mkv, cue.track);
        if (track < 0 || mkv->base.tracks[track].kind != PLAN_SUBTITLE ||
            !cue_is_possible(mkv, &cue))
            continue;
        struct mkv_event_cues *cues = &mkv->event_cues[track];
        mem_grow(cues->items, cues->count, cues->room);
        cues->items[cues->count++] = (struct mkv_event_cue){
            .ticks = (int64_t) cue.time,
            .duration = cue.duration < INT32_MAX ? (int64_t) cue.duration : -1,
            .cluster = mkv->segment + cue.cluster,
            .relative = cue.relative,
        };
    }
    for (uint32_t i = 0; i < mkv->base.track_count; i++)
        if (mkv->event_cues[i].count > 1)
            qsort(mkv->event_cues[i].items, mkv->event_cues[i].count,
                  sizeof *mkv->event_cues[i].items, compare_event_cues);
}

enum err mkv_event_cues(struct mkv *mkv, struct reader *reader, uint32_t track,
                        const struct mkv_event_cues **cues)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    enum err err = OK;
    pthread_mutex_lock(&mkv->lock);
    if (!mkv->has_event_cues) {
        err = load_cues(mkv, reader, &bytes, &size, NULL);
        if (err == OK)
            read_event_cues(mkv, (struct ebml_span){bytes, size});
        if (err == ERR_NOT_FOUND)
            err = OK;
        mkv->has_event_cues = err == OK;
    }
    pthread_mutex_unlock(&mkv->lock);
    *cues = &mkv->event_cues[track];
    return err;
}

/* Looks for the key's packet in the cluster that the cue names. */
static enum err check_key(struct mkv *mkv, struct reader *reader, uint32_t track,
                          const struct key *key, bool *is_true)
{
    struct cursor *cursor = NULL;
    struct ebml_header header;
    CLEANUP(mem_free_at) struct window *window = mem_new(struct window);
    *is_true = false;
    window_init(window, reader);
    enum err err = ebml_read_header(window, key->pos, &header);
    if (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND || (err == OK && header.id != MKV_CLUSTER))
        return OK;
    if (err != OK)
        return err;
    err = mkv_cursor(&mkv->base, reader, UINT64_C(1) << track, key->pos, &cursor);
    struct packet packet;
    for (unsigned i = 0; i < CHECK_BLOCKS && err == OK; i++) {
        err = cursor->next(cursor, &packet);
        if (err != OK || packet.pos != key->pos)
            break;
        *is_true = packet.pts_ns == key->pts_ns && packet.is_key;
        if (*is_true)
            break;
    }
    cursor_close(&cursor);
    return err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA ? OK : err;
}

/* First, middle and last, as far as they are here; the first in any case. */
static enum err check_sample(struct mkv *mkv, struct reader *reader, uint32_t track,
                             const struct key_list *keys, struct why *why)
{
    size_t places[] = {0, keys->count / 2, keys->count - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct key *key = &keys->items[places[i]];
        if (i > 0 && (places[i] == places[i - 1] || !reader_has(reader, key->pos, 1)))
            continue;
        bool is_true = false;
        enum err err = check_key(mkv, reader, track, key, &is_true);
        if (err != OK)
            return err;
        if (!is_true)
            return why_set(why, ERR_NOT_FOUND, NULL,
                           "the file's index does not agree with its pictures");
    }
    return OK;
}

enum err mkv_keys(struct container *container, struct reader *reader, uint32_t track,
                  struct key **out, size_t *count, struct why *why)
{
    struct mkv *mkv = mkv_of(container);
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    struct key_list keys = {0};
    enum err err = load_cues(mkv, reader, &bytes, &size, why);
    if (err != OK)
        return err;
    read_keys(mkv, track, (struct ebml_span){bytes, size}, &keys);
    sort_keys(&keys);
    if (keys.count == 0)
        err = why_set(why, ERR_NOT_FOUND, NULL, "the file's index does not list this track");
    else
        err = check_sample(mkv, reader, track, &keys, why);
    if (err != OK) {
        mem_free(keys.items);
        return err;
    }
    *out = keys.items;
    *count = keys.count;
    return OK;
}

/* How far through the clusters a walk has come. */
static double fraction_at(const struct mkv *mkv, uint64_t offset)
{
    return (double) (offset - mkv->segment) / (double) (mkv->segment_end - mkv->segment + 1);
}

enum err mkv_scan(struct container *container, struct reader *reader, uint32_t track,
                  container_progress_fn *progress, void *ctx, struct key **out, size_t *count)
{
    struct mkv *mkv = mkv_of(container);
    struct cursor *cursor = NULL;
    struct key_list keys = {0};
    struct packet packet;
    enum err err = mkv_cursor(container, reader, UINT64_C(1) << track, 0, &cursor);
    while (err == OK && (err = cursor->next(cursor, &packet)) == OK) {
        if (packet.is_key)
            add_key(&keys, key_of_packet(&packet));
        if (progress != NULL)
            progress(ctx, fraction_at(mkv, packet.offset));
    }
    cursor_close(&cursor);
    if (err != ERR_NOT_FOUND && err != ERR_BAD_MEDIA) {
        mem_free(keys.items);
        return err;
    }
    sort_keys(&keys);
    *out = keys.items;
    *count = keys.count;
    return OK;
}

/* The first packet of the track, looked for from the first cluster on. */
static enum err find_first(struct mkv *mkv, struct reader *reader, uint32_t track,
                           int64_t *first_ns)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    enum err err = mkv_cursor(&mkv->base, reader, UINT64_C(1) << track, 0, &cursor);
    if (err != OK)
        return err;
    mkv_cursor_set_limit(cursor, mkv->first_cluster + FIRST_BYTES);
    err = cursor->next(cursor, &packet);
    if (err == OK)
        *first_ns = packet.pts_ns;
    cursor_close(&cursor);
    return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
}

/* The two latest times of a walk, to tell how long the last frame lasts where nothing says so. */
struct last_times {
    int64_t last_ns, before_ns, last_duration_ns;
    bool has_last, has_before;
};

static void note_time(struct last_times *times, const struct packet *packet)
{
    int64_t pts = packet->pts_ns;
    if (!times->has_last || pts > times->last_ns) {
        times->before_ns = times->last_ns;
        times->has_before = times->has_last;
        times->last_ns = pts;
        times->last_duration_ns = packet->duration_ns;
        times->has_last = true;
    } else if (pts < times->last_ns && (!times->has_before || pts > times->before_ns)) {
        times->before_ns = pts;
        times->has_before = true;
    }
}

/* The latest end of the track's packets from `from` to the end. NOT_FOUND: none there. */
static enum err find_end_from(struct mkv *mkv, struct reader *reader, uint32_t track, uint64_t from,
                              int64_t *end_ns)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    struct last_times times = {0};
    enum err err = mkv_cursor(&mkv->base, reader, UINT64_C(1) << track, from, &cursor);
    while (err == OK && (err = cursor->next(cursor, &packet)) == OK)
        note_time(&times, &packet);
    cursor_close(&cursor);
    if (err != ERR_NOT_FOUND && err != ERR_BAD_MEDIA)
        return err;
    if (!times.has_last)
        return ERR_NOT_FOUND;
    int64_t duration = times.last_duration_ns;
    if (duration == 0)
        duration = mkv->tracks[track].frame_ns;
    if (duration == 0 && times.has_before && times.last_ns - times.before_ns < NS_PER_S)
        duration = times.last_ns - times.before_ns;
    *end_ns = times.last_ns + duration;
    return OK;
}

/* The cluster that the last cue of any track names; NOT_FOUND where there is none. */
static enum err find_last_cue(struct mkv *mkv, struct reader *reader, uint64_t *out)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    uint64_t last = 0;
    struct cue cue;
    enum err err = load_cues(mkv, reader, &bytes, &size, NULL);
    if (err != OK)
        return err;
    struct cue_walk walk = {.points = {bytes, size}};
    while (next_cue(&walk, &cue))
        if (cue.cluster > last && cue.cluster < mkv->segment_end - mkv->segment)
            last = cue.cluster;
    *out = mkv->segment + last;
    return last > 0 ? OK : ERR_NOT_FOUND;
}

/* From the last cue's cluster; without cues, or if that names none of ours, from a cluster ever
 * further from the end. */
static enum err find_end(struct mkv *mkv, struct reader *reader, uint32_t track, int64_t *end_ns)
{
    uint64_t from = 0;
    enum err err = find_last_cue(mkv, reader, &from);
    if (err == OK)
        err = find_end_from(mkv, reader, track, from, end_ns);
    for (uint64_t back = TAIL_FIRST_BYTES; err == ERR_NOT_FOUND && back <= TAIL_LAST_BYTES;
         back *= 4) {
        uint64_t most = mkv->segment_end - mkv->first_cluster;
        from = mkv->segment_end - (back < most ? back : most);
        err = mkv_find_cluster(mkv, reader, from, mkv->segment_end, &from);
        if (err == OK)
            err = find_end_from(mkv, reader, track, from, end_ns);
        if (back >= most)
            break;
    }
    return err;
}

enum err mkv_span(struct container *container, struct reader *reader, uint32_t track,
                  int64_t *first_ns, int64_t *end_ns)
{
    struct mkv *mkv = mkv_of(container);
    int64_t first = 0, end = 0;
    if (mkv->first_cluster == 0)
        return ERR_NOT_FOUND;
    enum err err = find_first(mkv, reader, track, &first);
    if (err == OK)
        err = find_end(mkv, reader, track, &end);
    if (err != OK)
        return err;
    *first_ns = first;
    *end_ns = end > first ? end : first;
    return OK;
}

/* The time of the first packet at or after `from`, and the cluster it stands in. */
static enum err probe_time(struct mkv *mkv, struct reader *reader, uint64_t tracks, uint64_t from,
                           uint64_t limit, uint64_t *cluster, int64_t *time_ns)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    enum err err = mkv_find_cluster(mkv, reader, from, limit, cluster);
    if (err == OK)
        err = mkv_cursor(&mkv->base, reader, tracks, *cluster, &cursor);
    if (err != OK)
        return err;
    mkv_cursor_set_limit(cursor, limit);
    err = cursor->next(cursor, &packet);
    if (err == OK) {
        *cluster = packet.pos;
        *time_ns = packet.pts_ns;
    }
    cursor_close(&cursor);
    return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
}

/* The cluster of the last cue, of whatever track, at or before `time_ns`; the first cluster where all
 * cues are later. */
static uint64_t find_cue_before(const struct mkv *mkv, struct ebml_span cues, int64_t time_ns)
{
    struct cue_walk walk = {.points = cues};
    struct cue cue;
    uint64_t best = mkv->first_cluster, latest = 0;
    while (next_cue(&walk, &cue)) {
        if (!cue_is_possible(mkv, &cue) || cue.time < latest ||
            (int64_t) cue.time * mkv->scale_ns > time_ns)
            continue;
        best = mkv->segment + cue.cluster;
        latest = cue.time;
    }
    return best;
}

/* Whether a cluster begins at `at` from which the track's first packet is at or before `time_ns`. */
static enum err begins_before(struct mkv *mkv, struct reader *reader, uint32_t track, uint64_t at,
                              int64_t time_ns, bool *is_before)
{
    CLEANUP(mem_free_at) struct window *window = mem_new(struct window);
    struct cursor *cursor = NULL;
    struct ebml_header header;
    struct packet packet;
    *is_before = false;
    window_init(window, reader);
    enum err err = ebml_read_header(window, at, &header);
    if (err == OK && header.id == MKV_CLUSTER)
        err = mkv_cursor(&mkv->base, reader, UINT64_C(1) << track, at, &cursor);
    if (err == OK && cursor != NULL) {
        err = cursor->next(cursor, &packet);
        *is_before = err == OK && packet.pts_ns <= time_ns;
    }
    cursor_close(&cursor);
    return err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA ? OK : err;
}

/* By the cues: the last one before the time, and where sound stands in the file before the picture
 * of its time, one further before. NOT_FOUND: no cues that help. */
static enum err seek_by_cues(struct mkv *mkv, struct reader *reader, uint32_t track,
                             int64_t time_ns, uint64_t *pos)
{
    static const int64_t margins_ns[] = {0, NS_PER_S, 10 * NS_PER_S};
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    enum err err = load_cues(mkv, reader, &bytes, &size, NULL);
    for (size_t i = 0; i < sizeof margins_ns / sizeof *margins_ns && err == OK; i++) {
        bool is_before = false;
        struct ebml_span cues = {bytes, size};
        uint64_t at = find_cue_before(mkv, cues, time_ns - margins_ns[i]);
        err = begins_before(mkv, reader, track, at, time_ns, &is_before);
        if (err == OK && (is_before || at == mkv->first_cluster)) {
            *pos = at;
            return OK;
        }
    }
    return err == OK ? ERR_NOT_FOUND : err;
}

/* Without cues: halves [low, high) until it is small; `low` always begins at or before `time_ns`.
 * Costs a few clusters' worth of reads. */
static enum err seek_by_halves(struct mkv *mkv, struct reader *reader, uint32_t track,
                               int64_t time_ns, uint64_t *pos)
{
    uint64_t low = mkv->first_cluster, high = mkv->segment_end;
    while (high - low > TAIL_FIRST_BYTES) {
        uint64_t middle = low + (high - low) / 2, cluster = 0;
        int64_t found_ns = 0;
        enum err err =
            probe_time(mkv, reader, UINT64_C(1) << track, middle, high, &cluster, &found_ns);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        if (err == OK && found_ns <= time_ns)
            low = cluster;
        else
            high = middle;
    }
    *pos = low;
    return OK;
}

enum err mkv_seek(struct container *container, struct reader *reader, uint32_t track,
                  int64_t time_ns, uint64_t *pos)
{
    struct mkv *mkv = mkv_of(container);
    if (mkv->first_cluster == 0)
        return ERR_NOT_FOUND;
    enum err err = seek_by_cues(mkv, reader, track, time_ns, pos);
    return err == ERR_NOT_FOUND ? seek_by_halves(mkv, reader, track, time_ns, pos) : err;
}
