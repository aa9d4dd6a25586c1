/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens an MP4 or QuickTime file: finds moov wherever it is, walks its boxes (ISO 14496-12 8) and
 * notes where the sample tables stand. */
#include "segments/mp4.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Boxes at one level; films have tens, and whoever writes more wants to keep us busy. */
#define MP4_MAX_BOXES 20000
#define MAX_TRAKS     256
#define CHPL_LIMIT    (1 << 20)

enum {
    HANDLER_VIDEO = MP4_TYPE('v', 'i', 'd', 'e'),
    HANDLER_AUDIO = MP4_TYPE('s', 'o', 'u', 'n'),
    HANDLER_TEXT = MP4_TYPE('t', 'e', 'x', 't'),
    HANDLER_SUBTITLE = MP4_TYPE('s', 'u', 'b', 't'),
    HANDLER_SUBTITLE_2 = MP4_TYPE('s', 'b', 't', 'l'),
    HANDLER_SUBPICTURE = MP4_TYPE('s', 'u', 'b', 'p'),
    HANDLER_CAPTIONS = MP4_TYPE('c', 'l', 'c', 'p'),
};

/* While opening. */
struct opening {
    struct mp4 *mp4;
    struct reader *reader;
    struct window window;
    bool is_headless;   /* fragments stand before moov */
    bool has_fragments; /* moov says that there may be some */
    bool is_compressed, has_moov, has_type;
    struct mp4_box moov;
    struct mp4_trak *traks; /* all of them, as libavformat counts streams */
    uint32_t trak_count, trak_room;
};

static void close_mp4(struct container *container)
{
    struct mp4 *mp4 = mp4_of(container);
    for (uint32_t i = 0; i < container->track_count; i++)
        mp4_free_tables(&mp4->tracks[i]);
    mp4_free_tables(&mp4->chapter_track);
    pthread_mutex_destroy(&mp4->lock);
    container_fini(container);
    mem_free(mp4);
}

static const struct container_ops ops = {
    .close = close_mp4,
    .keys = mp4_keys,
    .scan = mp4_scan,
    .span = mp4_span,
    .seek = mp4_seek,
    .cursor = mp4_cursor,
    .events = mp4_events,
    .sums = mp4_sums,
};

static enum err read_ftyp(struct opening *opening, const struct mp4_box *box)
{
    const uint8_t *at;
    for (uint64_t i = box->data; i + 4 <= box->end && i < box->data + 256; i += 4) {
        enum err err = window_get(&opening->window, i, 4, &at);
        if (err != OK)
            return mp4_forgive(err);
        if (i != box->data + 4 && mp4_u32(at) == MP4_TYPE('q', 't', ' ', ' '))
            opening->mp4->is_quicktime = true;
    }
    return OK;
}

static enum err read_mvhd(struct opening *opening, const struct mp4_box *box)
{
    const uint8_t *at;
    enum err err = mp4_get_data(&opening->window, box, 20, &at);
    if (err == OK && at[0] == 1)
        err = mp4_get_data(&opening->window, box, 32, &at);
    if (err != OK)
        return mp4_forgive(err);
    uint32_t scale = mp4_u32(at + (at[0] == 1 ? 20 : 12));
    uint64_t duration = at[0] == 1 ? mp4_u64(at + 24) : mp4_u32(at + 16);
    opening->mp4->movie_scale = scale;
    bool is_said = duration != (at[0] == 1 ? UINT64_MAX : UINT32_MAX);
    if (scale > 0 && is_said && duration < INT64_MAX)
        opening->mp4->base.duration_ns = container_scale((int64_t) duration, NS_PER_S, scale);
    return OK;
}

/* Nero's chapters (chpl): 100 ns starts and names. */
static enum err read_chpl(struct opening *opening, const struct mp4_box *box)
{
    uint64_t size = box->end - box->data;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    enum err err = window_load(opening->reader, box->data, size, CHPL_LIMIT, &bytes);
    if (err != OK)
        return err == ERR_LIMIT ? OK : mp4_forgive(err);
    size_t at = size > 0 && bytes[0] != 0 ? 8 : 4;
    if (at >= size)
        return OK;
    unsigned count = bytes[at++];
    for (unsigned i = 0; i < count && size - at >= 9; i++) {
        uint64_t start = mp4_u64(bytes + at);
        size_t length = bytes[at + 8];
        at += 9;
        if (length > size - at)
            break;
        if (start < (uint64_t) TIME_LIMIT_NS / 100)
            container_add_chapter(&opening->mp4->base, (int64_t) start * 100, 0,
                                  (const char *) bytes + at, length);
        at += length;
    }
    return OK;
}

static enum err read_trak(struct opening *opening, const struct mp4_box *box)
{
    if (opening->trak_count == MAX_TRAKS)
        return OK;
    mem_grow(opening->traks, opening->trak_count, opening->trak_room);
    struct mp4_trak *trak = &opening->traks[opening->trak_count];
    *trak = (struct mp4_trak){.stream_index = opening->trak_count};
    trak->own.is_readable = true;
    opening->trak_count++;
    return mp4_read_trak(&opening->window, box, trak);
}

static enum err read_udta(struct opening *opening, const struct mp4_box *parent)
{
    struct mp4_box box;
    uint64_t at = parent->data;
    for (unsigned i = 0; i < MP4_MAX_BOXES; i++) {
        enum err err = mp4_next_box(&opening->window, &at, parent->end, &box);
        if (err == OK && box.type == MP4_TYPE('c', 'h', 'p', 'l'))
            err = read_chpl(opening, &box);
        if (err != OK)
            return mp4_forgive(err);
    }
    return OK;
}

static enum err read_moov(struct opening *opening)
{
    struct mp4_box box;
    uint64_t at = opening->moov.data;
    for (unsigned i = 0; i < MP4_MAX_BOXES; i++) {
        enum err err = mp4_next_box(&opening->window, &at, opening->moov.end, &box);
        if (err != OK)
            return mp4_forgive(err);
        if (box.type == MP4_TYPE('m', 'v', 'h', 'd'))
            err = read_mvhd(opening, &box);
        else if (box.type == MP4_TYPE('t', 'r', 'a', 'k'))
            err = read_trak(opening, &box);
        else if (box.type == MP4_TYPE('u', 'd', 't', 'a'))
            err = read_udta(opening, &box);
        opening->has_fragments |= box.type == MP4_TYPE('m', 'v', 'e', 'x');
        opening->is_compressed |= box.type == MP4_TYPE('c', 'm', 'o', 'v');
        if (err != OK)
            return err;
    }
    return OK;
}

static bool is_top_level(uint32_t type)
{
    switch (type) {
    case MP4_TYPE('f', 't', 'y', 'p'):
    case MP4_TYPE('m', 'o', 'o', 'v'):
    case MP4_TYPE('m', 'd', 'a', 't'):
    case MP4_TYPE('f', 'r', 'e', 'e'):
    case MP4_TYPE('s', 'k', 'i', 'p'):
    case MP4_TYPE('w', 'i', 'd', 'e'):
    case MP4_TYPE('p', 'n', 'o', 't'):
    case MP4_TYPE('u', 'u', 'i', 'd'):
    case MP4_TYPE('u', 'd', 't', 'a'):
    case MP4_TYPE('m', 'e', 't', 'a'):
    case MP4_TYPE('s', 't', 'y', 'p'):
    case MP4_TYPE('s', 'i', 'd', 'x'):
    case MP4_TYPE('p', 'd', 'i', 'n'):
        return true;
    default:
        return false;
    }
}

/* The boxes of the file up to moov. NOT_FOUND: not an MP4. */
static enum err find_moov(struct opening *opening)
{
    struct mp4_box box;
    uint64_t at = 0, size = input_size(opening->reader->input);
    for (unsigned i = 0; i < MP4_MAX_BOXES && !opening->has_moov; i++) {
        enum err err = mp4_next_box(&opening->window, &at, size, &box);
        if (err == OK && i == 0 && !is_top_level(box.type))
            return ERR_NOT_FOUND;
        if (err == OK && box.type == MP4_TYPE('f', 't', 'y', 'p'))
            err = read_ftyp(opening, &box);
        if (err != OK)
            return i == 0 ? err : mp4_forgive(err);
        opening->has_type |= is_top_level(box.type);
        opening->is_headless |= box.type == MP4_TYPE('m', 'o', 'o', 'f');
        opening->has_moov = box.type == MP4_TYPE('m', 'o', 'o', 'v');
        opening->moov = box;
    }
    return OK;
}

static bool holds_chapters(const struct opening *opening, uint32_t id)
{
    for (uint32_t i = 0; i < opening->trak_count; i++)
        if (id != 0 && opening->traks[i].own.chapters_in == id)
            return true;
    return false;
}

static bool find_kind(uint32_t handler, enum plan_kind *kind)
{
    switch (handler) {
    case HANDLER_VIDEO:
        *kind = PLAN_VIDEO;
        return true;
    case HANDLER_AUDIO:
        *kind = PLAN_AUDIO;
        return true;
    case HANDLER_TEXT:
    case HANDLER_SUBTITLE:
    case HANDLER_SUBTITLE_2:
    case HANDLER_SUBPICTURE:
    case HANDLER_CAPTIONS:
        *kind = PLAN_SUBTITLE;
        return true;
    default:
        return false;
    }
}

/* The matrix (8.3.2) as a mirror and quarter turns; what lies between is taken as the nearest. */
static void set_rotation(struct plan_track *track, const struct mp4_trak *trak)
{
    int64_t a = trak->matrix[0], b = trak->matrix[1], c = trak->matrix[2], d = trak->matrix[3];
    if (a == 0 && b == 0 && c == 0 && d == 0)
        return;
    track->flip = a * d - b * c < 0;
    if (track->flip) {
        a = -a;
        b = -b;
    }
    int64_t wide = a < 0 ? -a : a, high = b < 0 ? -b : b;
    if (wide >= high)
        track->rotation = a >= 0 ? 0 : 180;
    else
        track->rotation = b > 0 ? 90 : 270;
}

/* QuickTime audio of raw samples has millions of them, a byte or so each. */
static void check_samples(struct mp4 *mp4, uint32_t index)
{
    struct mp4_track *own = &mp4->tracks[index];
    if (own->sample_count > MP4_MAX_SAMPLES || own->stts.count == 0 || own->stsc.count == 0 ||
        own->timescale == 0)
        container_object(&mp4->base, index, "its sample tables cannot be used");
}

static enum err add_track(struct opening *opening, struct mp4_trak *trak)
{
    struct mp4 *mp4 = opening->mp4;
    enum plan_kind kind;
    bool is_chapters = holds_chapters(opening, trak->own.id);
    if (!find_kind(trak->handler, &kind))
        return OK;
    if (is_chapters && kind == PLAN_SUBTITLE) {
        mp4_free_tables(&mp4->chapter_track);
        mp4->chapter_track = trak->own;
        trak->is_listed = true;
        return OK;
    }
    struct plan_track *track = container_add_track(&mp4->base, kind);
    if (track == NULL)
        return OK;
    uint32_t index = mp4->base.track_count - 1;
    mp4->tracks[index] = trak->own;
    trak->is_listed = true;
    track->container_id = trak->own.id;
    track->stream_index = trak->stream_index;
    track->is_default = trak->is_enabled;
    track->is_descriptive = trak->is_descriptive;
    track->is_commentary = trak->is_commentary;
    track->is_cover = kind == PLAN_VIDEO && is_chapters;
    memcpy(track->title, trak->name, sizeof track->title);
    container_set_language(track, trak->language, strlen(trak->language));
    if (kind == PLAN_VIDEO)
        set_rotation(track, trak);
    enum err err = mp4_read_entry(mp4, &opening->window, trak, index);
    if (err != OK)
        return err;
    check_samples(mp4, index);
    mp4_check_edits(mp4, index);
    /* what may object to a copy is loaded now, so that objections never change later */
    if ((kind == PLAN_VIDEO && !track->is_cover) || mp4->tracks[index].has_many_entries)
        err = mp4_load(mp4, opening->reader, &mp4->tracks[index], kind == PLAN_VIDEO);
    return err == ERR_BAD_MEDIA ? OK : err;
}

static enum err read_file(struct opening *opening, struct why *why)
{
    enum err err = find_moov(opening);
    if (err != OK)
        return err;
    if (opening->is_headless)
        return why_set(why, ERR_NOT_FOUND, NULL, "fragments before the index");
    if (!opening->has_moov)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the MP4 file has no index (moov)");
    err = read_moov(opening);
    if (err != OK)
        return err;
    if (opening->is_compressed)
        return why_set(why, ERR_NOT_FOUND, NULL, "compressed index");
    if (opening->has_fragments)
        err = mp4_read_fragments(&opening->window, &opening->moov, opening->traks,
                                 opening->trak_count);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, NULL, "fragments that cannot be followed");
    if (err != OK)
        return err;
    for (uint32_t i = 0; i < opening->trak_count && err == OK; i++)
        err = add_track(opening, &opening->traks[i]);
    if (err == OK && opening->mp4->base.track_count == 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the MP4 file has no readable tracks");
    if (err == OK)
        err = mp4_read_chapter_track(opening->mp4, opening->reader);
    return err;
}

enum err mp4_open(struct reader *reader, struct container **out, struct why *why)
{
    CLEANUP(mem_free_at) struct opening *opening = mem_new(struct opening);
    struct mp4 *mp4 = mem_new(struct mp4);
    mp4->base.ops = &ops;
    mp4->base.kind = CONTAINER_MP4;
    MUST(pthread_mutex_init(&mp4->lock, NULL) == 0);
    opening->mp4 = mp4;
    opening->reader = reader;
    window_init(&opening->window, reader);
    enum err err = read_file(opening, why);
    for (uint32_t i = 0; i < opening->trak_count; i++)
        if (!opening->traks[i].is_listed)
            mp4_free_tables(&opening->traks[i].own);
    mem_free(opening->traks);
    if (err != OK) {
        close_mp4(&mp4->base);
        return err;
    }
    container_finish_chapters(&mp4->base);
    *out = &mp4->base;
    return OK;
}
