/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens a Matroska or WebM file: EBML header, then the segment's children up to the first cluster,
 * and those behind the clusters that a SeekHead names and that are needed (RFC 9559 5.1, 6). */
#include "segments/mkv.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* Tracks with codec headers, chapters with names: a few KiB; what is larger is no film. */
#define HEAD_ELEMENT_LIMIT (16 * 1024 * 1024)
/* Elements in front of the first cluster; files have a dozen. */
#define HEAD_COUNT_LIMIT 4096
/* SeekHeads that name one another. */
#define SEEK_HEAD_LIMIT 8

/* While opening. */
struct opening {
    struct mkv *mkv;
    struct reader *reader;
    struct window window;
    bool has_info, has_tracks, has_chapters;
    uint64_t info_at, tracks_at, chapters_at; /* as SeekHeads say; 0 = not named */
    uint64_t seek_heads[SEEK_HEAD_LIMIT];
    unsigned seek_head_count;
};

bool mkv_is_top_level(uint32_t id)
{
    switch (id) {
    case MKV_EBML:
    case MKV_SEGMENT:
    case MKV_SEEK_HEAD:
    case MKV_INFO:
    case MKV_CLUSTER:
    case MKV_TRACKS:
    case MKV_CUES:
    case MKV_ATTACHMENTS:
    case MKV_CHAPTERS:
    case MKV_TAGS:
        return true;
    default:
        return false;
    }
}

int64_t mkv_pts_ns(const struct mkv *mkv, uint32_t track, int64_t ticks)
{
    int64_t delay = container_scale(mkv->tracks[track].delay_ns, 1, mkv->scale_ns);
    return container_scale(ticks - delay, mkv->scale_ns, 1);
}

static void close_mkv(struct container *container)
{
    struct mkv *mkv = mkv_of(container);
    for (uint32_t i = 0; i < container->track_count; i++)
        mem_free(mkv->tracks[i].prefix);
    for (uint32_t i = 0; i < CONTAINER_MAX_TRACKS; i++)
        mem_free(mkv->event_cues[i].items);
    pthread_mutex_destroy(&mkv->lock);
    container_fini(container);
    mem_free(mkv);
}

static const struct container_ops ops = {
    .close = close_mkv,
    .keys = mkv_keys,
    .scan = mkv_scan,
    .span = mkv_span,
    .seek = mkv_seek,
    .cursor = mkv_cursor,
    .events = mkv_events,
    .event_chain = mkv_event_chain,
    .font = mkv_font,
};

static void parse_info(struct opening *opening, struct ebml_span info)
{
    struct ebml_element element;
    double duration = 0;
    while (ebml_next(&info, &element)) {
        if (element.id == MKV_TIMESTAMP_SCALE) {
            uint64_t scale = ebml_uint(&element, NS_PER_MS);
            if (scale > 0 && scale <= NS_PER_S)
                opening->mkv->scale_ns = (int64_t) scale;
        } else if (element.id == MKV_DURATION) {
            duration = ebml_float(&element, 0);
        }
    }
    duration *= (double) opening->mkv->scale_ns;
    if (isfinite(duration) && duration > 0 && duration < (double) TIME_LIMIT_NS)
        opening->mkv->base.duration_ns = (int64_t) duration;
    opening->has_info = true;
}

static void note_seek(struct opening *opening, uint32_t id, uint64_t at)
{
    if (id == MKV_CUES && opening->mkv->cues == 0)
        opening->mkv->cues = at;
    else if (id == MKV_ATTACHMENTS)
        opening->mkv->attachments = at;
    else if (id == MKV_TRACKS)
        opening->tracks_at = at;
    else if (id == MKV_INFO)
        opening->info_at = at;
    else if (id == MKV_CHAPTERS)
        opening->chapters_at = at;
    else if (id == MKV_SEEK_HEAD && opening->seek_head_count < SEEK_HEAD_LIMIT)
        opening->seek_heads[opening->seek_head_count++] = at;
}

static void parse_seek_head(struct opening *opening, struct ebml_span seek_head)
{
    struct ebml_element seek, field;
    while (ebml_next(&seek_head, &seek)) {
        uint64_t id = 0, position = 0;
        struct ebml_span fields = ebml_children(&seek);
        while (seek.id == MKV_SEEK && ebml_next(&fields, &field)) {
            if (field.id == MKV_SEEK_ID)
                id = ebml_uint(&field, 0);
            else if (field.id == MKV_SEEK_POSITION)
                position = ebml_uint(&field, 0);
        }
        if (position > 0 && position < opening->mkv->segment_end - opening->mkv->segment)
            note_seek(opening, (uint32_t) id, opening->mkv->segment + position);
    }
}

static void parse_head_element(struct opening *opening, uint32_t id, struct ebml_span span)
{
    if (id == MKV_INFO && !opening->has_info) {
        parse_info(opening, span);
    } else if (id == MKV_TRACKS && !opening->has_tracks) {
        mkv_parse_tracks(opening->mkv, span);
        opening->has_tracks = true;
    } else if (id == MKV_CHAPTERS && !opening->has_chapters) {
        mkv_parse_chapters(opening->mkv, span);
        opening->has_chapters = true;
    } else if (id == MKV_SEEK_HEAD) {
        parse_seek_head(opening, span);
    }
}

static bool is_wanted(uint32_t id)
{
    return id == MKV_INFO || id == MKV_TRACKS || id == MKV_CHAPTERS || id == MKV_SEEK_HEAD;
}

/* Loads and parses the element at `at` if it is `id`; any other thing there is passed over. */
static enum err load_element(struct opening *opening, uint32_t id, uint64_t at)
{
    struct ebml_header header;
    enum err err = ebml_read_header(&opening->window, at, &header);
    if (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND || (err == OK && header.id != id))
        return OK;
    if (err != OK)
        return err;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    err = window_load(opening->reader, at + header.header_size, header.size, HEAD_ELEMENT_LIMIT,
                      &bytes);
    if (err == ERR_LIMIT || err == ERR_NOT_FOUND)
        return OK;
    if (err == OK)
        parse_head_element(opening, id, (struct ebml_span){bytes, (size_t) header.size});
    return err;
}

/* One child of the segment in front of the clusters. Steps over it; NOT_FOUND: no more of them. */
static enum err read_head_element(struct opening *opening, uint64_t *at)
{
    struct mkv *mkv = opening->mkv;
    struct ebml_header header;
    if (*at >= mkv->segment_end)
        return ERR_NOT_FOUND;
    enum err err = ebml_read_header(&opening->window, *at, &header);
    bool is_garbage = err == ERR_BAD_MEDIA;
    if (err == OK && header.id == MKV_CLUSTER) {
        mkv->first_cluster = *at;
        return ERR_NOT_FOUND;
    }
    if (err == OK) {
        uint64_t left = mkv->segment_end - *at;
        is_garbage =
            header.is_unknown_size || header.header_size + header.size > left || header.size > left;
    }
    if (is_garbage) {
        err =
            mkv_find_cluster(mkv, opening->reader, *at + 1, mkv->segment_end, &mkv->first_cluster);
        return err == OK ? ERR_NOT_FOUND : err;
    }
    if (err != OK)
        return err;
    if (header.id == MKV_CUES)
        mkv->cues = *at;
    if (header.id == MKV_ATTACHMENTS)
        mkv->attachments = *at;
    if (is_wanted(header.id))
        err = load_element(opening, header.id, *at);
    *at += header.header_size + header.size;
    return err;
}

/* What a SeekHead named behind the clusters: Tracks and Info are needed and waited for, chapters
 * are taken if their bytes are there. */
static enum err read_named_elements(struct opening *opening)
{
    for (unsigned i = 0; i < opening->seek_head_count; i++) {
        bool is_needed = !opening->has_tracks && opening->tracks_at == 0;
        if (!is_needed && !reader_has(opening->reader, opening->seek_heads[i], 1))
            continue;
        enum err err = load_element(opening, MKV_SEEK_HEAD, opening->seek_heads[i]);
        if (err != OK)
            return err;
    }
    enum err err = OK;
    if (!opening->has_info && opening->info_at != 0)
        err = load_element(opening, MKV_INFO, opening->info_at);
    if (err == OK && !opening->has_tracks && opening->tracks_at != 0)
        err = load_element(opening, MKV_TRACKS, opening->tracks_at);
    if (err == OK && !opening->has_chapters && opening->chapters_at != 0 &&
        reader_has(opening->reader, opening->chapters_at, 1))
        err = load_element(opening, MKV_CHAPTERS, opening->chapters_at);
    return err;
}

/* The EBML header and the segment's own. NOT_FOUND: not Matroska. */
static enum err read_prologue(struct opening *opening, struct why *why)
{
    struct ebml_header header;
    uint64_t file = input_size(opening->reader->input), at = 0;
    for (unsigned i = 0; i < 64; i++) {
        enum err err = ebml_read_header(&opening->window, at, &header);
        if (i == 0 &&
            (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND || (err == OK && header.id != MKV_EBML)))
            return ERR_NOT_FOUND;
        if (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND)
            break;
        if (err != OK)
            return err;
        at += header.header_size;
        uint64_t left = file - at;
        if (header.id == MKV_SEGMENT) {
            opening->mkv->segment = at;
            opening->mkv->segment_end =
                header.is_unknown_size || header.size > left ? file : at + header.size;
            return OK;
        }
        if (header.is_unknown_size || header.size > left)
            break;
        at += header.size;
    }
    return why_set(why, ERR_BAD_MEDIA, NULL, "the Matroska file ends before its first segment");
}

static enum err read_head(struct opening *opening, struct why *why)
{
    enum err err = read_prologue(opening, why);
    if (err != OK)
        return err;
    uint64_t at = opening->mkv->segment;
    for (unsigned i = 0; i < HEAD_COUNT_LIMIT && err == OK; i++)
        err = read_head_element(opening, &at);
    if (err == OK || err == ERR_NOT_FOUND)
        err = read_named_elements(opening);
    if (err != OK)
        return err;
    if (!opening->has_tracks || opening->mkv->base.track_count == 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the Matroska file has no readable tracks");
    return OK;
}

enum err mkv_open(struct reader *reader, struct container **out, struct why *why)
{
    CLEANUP(mem_free_at) struct opening *opening = mem_new(struct opening);
    opening->mkv = mem_new(struct mkv);
    opening->mkv->base.ops = &ops;
    opening->mkv->base.kind = CONTAINER_MKV;
    opening->mkv->scale_ns = NS_PER_MS;
    MUST(pthread_mutex_init(&opening->mkv->lock, NULL) == 0);
    opening->reader = reader;
    window_init(&opening->window, reader);
    enum err err = read_head(opening, why);
    if (err != OK) {
        close_mkv(&opening->mkv->base);
        return err;
    }
    container_finish_chapters(&opening->mkv->base);
    *out = &opening->mkv->base;
    return OK;
}
