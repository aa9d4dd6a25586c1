/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walks clusters and blocks (RFC 9559 5.1.3, 10, 11) by their headers. Payloads are stepped over.
 * Garbage is stepped over too, up to the next cluster. */
#include "segments/mkv.h"

#include <string.h>

#include "base/mem.h"

/* How far we look for the next cluster after garbage. */
#define RESYNC_BYTES (UINT64_C(16) * 1024 * 1024)
#define RESYNC_STEP  (64 * 1024)
/* A cluster's header and its first child's. */
#define CLUSTER_HEAD_BYTES (2 * EBML_HEADER_BYTES)
/* Lace counts are a byte (11.3). */
#define MAX_LACES 256

/* A block whose frames are being handed out. */
struct lacing {
    struct packet next;
    uint32_t sizes[MAX_LACES];
    unsigned count, done;
    int64_t first_ns, step_ns;
};

/* A block as its header says. */
struct block {
    uint64_t at, size; /* of the block's data */
    uint32_t track;
    int64_t ticks; /* relative to the cluster */
    uint8_t flags;
    bool is_key;
    int64_t duration_ticks; /* -1 = not said */
    uint32_t header;        /* bytes before the lacing or the frame */
};

struct mkv_cursor {
    struct cursor base;
    struct mkv *mkv;
    uint64_t tracks;
    uint64_t at, limit;
    uint64_t cluster, cluster_end; /* cluster_end 0: between clusters */
    int64_t cluster_ticks;         /* -1: not yet said */
    uint64_t element;              /* of the frames that are being handed out */
    struct lacing lacing;
    struct window window;
};

/* Whether what looks like a cluster's header is followed by a child that a cluster may begin with
 * (5.1.3): four bytes alone turn up in payloads too. */
static bool is_cluster(const uint8_t *at, size_t left)
{
    struct ebml_header header, child;
    if (!ebml_parse_header(at, left, &header) ||
        !ebml_parse_header(at + header.header_size, left - header.header_size, &child))
        return false;
    switch (child.id) {
    case MKV_TIMESTAMP:
    case MKV_CRC32:
    case MKV_VOID:
    case MKV_SIMPLE_BLOCK:
    case MKV_BLOCK_GROUP:
    case 0xAB: /* PrevSize */
    case 0xA7: /* Position */
        return true;
    default:
        return false;
    }
}

enum err mkv_find_cluster(struct mkv *mkv, struct reader *reader, uint64_t from, uint64_t limit,
                          uint64_t *out)
{
    static const uint8_t id[4] = {0x1F, 0x43, 0xB6, 0x75};
    CLEANUP(mem_free_at) uint8_t *bytes = mem_new_array(uint8_t, RESYNC_STEP);
    uint64_t end = limit < mkv->segment_end ? limit : mkv->segment_end;
    while (from < end) {
        uint64_t to_edge = RESYNC_STEP - from % RESYNC_STEP;
        size_t got = 0, step = (size_t) (to_edge < 64 ? to_edge + 64 : to_edge);
        step = step < RESYNC_STEP ? step : RESYNC_STEP;
        enum err err = reader_read(reader, bytes, step, from, &got);
        if (err != OK)
            return err;
        for (const uint8_t *at = bytes;
             (at = memmem(at, got - (size_t) (at - bytes), id, sizeof id)) != NULL; at++) {
            uint64_t offset = from + (uint64_t) (at - bytes);
            if (offset < end && is_cluster(at, got - (size_t) (at - bytes))) {
                *out = offset;
                return OK;
            }
        }
        if (got < step || got <= CLUSTER_HEAD_BYTES)
            return ERR_NOT_FOUND;
        from += got - CLUSTER_HEAD_BYTES;
    }
    return ERR_NOT_FOUND;
}

/* Reads a vint at `*at` of a lace header that must end before `end`. */
static bool lace_vint(const uint8_t *bytes, size_t end, size_t *at, uint64_t *out, unsigned *length)
{
    *length = ebml_vint(bytes + *at, end - *at, false, out);
    *at += *length;
    return *length != 0;
}

/* EBML lacing (10.3): the first size, then signed differences. */
static bool parse_ebml_lace(const uint8_t *bytes, size_t end, size_t *at, struct lacing *lacing)
{
    int64_t size = 0;
    for (unsigned i = 0; i + 1 < lacing->count; i++) {
        uint64_t value = 0;
        unsigned length = 0;
        if (!lace_vint(bytes, end, at, &value, &length))
            return false;
        int64_t bias = i == 0 ? 0 : (INT64_C(1) << (7 * length - 1)) - 1;
        size = i == 0 ? (int64_t) value : size + (int64_t) value - bias;
        if (size < 0 || size > UINT32_MAX)
            return false;
        lacing->sizes[i] = (uint32_t) size;
    }
    return true;
}

/* Xiph lacing (10.2): sums of bytes up to the first below 255. */
static bool parse_xiph_lace(const uint8_t *bytes, size_t end, size_t *at, struct lacing *lacing)
{
    for (unsigned i = 0; i + 1 < lacing->count; i++) {
        uint8_t byte = 255;
        lacing->sizes[i] = 0;
        while (byte == 255) {
            if (*at >= end)
                return false;
            byte = bytes[(*at)++];
            lacing->sizes[i] += byte;
        }
    }
    return true;
}

/* The sizes of a laced block's frames; *header grows by the lace header. */
static enum err read_lacing(struct mkv_cursor *cursor, struct block *block)
{
    struct lacing *lacing = &cursor->lacing;
    const uint8_t *bytes;
    uint64_t left = block->size - block->header;
    size_t end = 0, at = 1;
    size_t most = left < WINDOW_BYTES ? (size_t) left : WINDOW_BYTES;
    if (most == 0)
        return ERR_BAD_MEDIA;
    enum err err = window_peek(&cursor->window, block->at + block->header, most, &bytes, &end);
    if (err != OK)
        return err;
    lacing->count = bytes[0] + 1U;
    unsigned kind = block->flags >> 1 & 3;
    bool is_fine = true;
    if (kind == 3)
        is_fine = parse_ebml_lace(bytes, end, &at, lacing);
    else if (kind == 1)
        is_fine = parse_xiph_lace(bytes, end, &at, lacing);
    else if (left > at)
        for (unsigned i = 0; i + 1 < lacing->count; i++)
            lacing->sizes[i] = (uint32_t) ((left - at) / lacing->count);
    uint64_t sum = at;
    for (unsigned i = 0; i + 1 < lacing->count; i++)
        sum += lacing->sizes[i];
    if (!is_fine || sum > left || left - sum > UINT32_MAX)
        return ERR_BAD_MEDIA;
    lacing->sizes[lacing->count - 1] = (uint32_t) (left - sum);
    block->header += (uint32_t) at;
    return OK;
}

/* What each frame of the block lasts: as the block, the track or the codec says; 0 = unknown. */
static int64_t frame_step_ns(const struct mkv_cursor *cursor, const struct block *block)
{
    const struct mkv_track *track = &cursor->mkv->tracks[block->track];
    if (block->duration_ticks >= 0)
        return container_scale(block->duration_ticks, cursor->mkv->scale_ns, cursor->lacing.count);
    return track->default_ns > 0 ? track->default_ns : track->frame_ns;
}

/* Makes the block's frames ready to be handed out. */
static enum err begin_block(struct mkv_cursor *cursor, struct block *block)
{
    struct mkv *mkv = cursor->mkv;
    struct lacing *lacing = &cursor->lacing;
    lacing->count = 1;
    if (block->size - block->header > UINT32_MAX)
        return ERR_BAD_MEDIA;
    lacing->sizes[0] = (uint32_t) (block->size - block->header);
    if ((block->flags & 6) != 0) {
        enum err err = read_lacing(cursor, block);
        if (err != OK) {
            lacing->count = 0;
            return err;
        }
    }
    lacing->done = 0;
    lacing->first_ns = mkv_pts_ns(mkv, block->track, cursor->cluster_ticks + block->ticks);
    lacing->step_ns = frame_step_ns(cursor, block);
    lacing->next = (struct packet){
        .track = block->track,
        .duration_ns = lacing->step_ns,
        .is_key = block->is_key || mkv->base.tracks[block->track].kind != PLAN_VIDEO,
        .offset = block->at + block->header,
        .prefix = mkv->tracks[block->track].prefix,
        .prefix_size = mkv->tracks[block->track].prefix_size,
        .pos = cursor->cluster,
    };
    return OK;
}

static void take_frame(struct mkv_cursor *cursor, struct packet *out)
{
    struct lacing *lacing = &cursor->lacing;
    *out = lacing->next;
    out->size = lacing->sizes[lacing->done];
    out->pts_ns = lacing->first_ns + lacing->step_ns * lacing->done;
    lacing->next.offset += out->size;
    lacing->done++;
}

static int find_track(const struct mkv *mkv, uint64_t number)
{
    for (uint32_t i = 0; i < mkv->base.track_count; i++)
        if (mkv->tracks[i].number == number)
            return (int) i;
    return -1;
}

/* A block's own header (10.1). NOT_FOUND: the end of the file; AGAIN: a block of another track. */
static enum err read_block_header(struct mkv_cursor *cursor, struct block *block)
{
    const uint8_t *bytes;
    size_t got;
    uint64_t number = 0;
    size_t most = block->size < 11 ? (size_t) block->size : 11;
    if (most < 4)
        return ERR_BAD_MEDIA;
    enum err err = window_peek(&cursor->window, block->at, most, &bytes, &got);
    if (err != OK)
        return err;
    unsigned length = ebml_vint(bytes, got, false, &number);
    if (length == 0 || length + 3 > got)
        return ERR_BAD_MEDIA;
    int track = find_track(cursor->mkv, number);
    if (track < 0 || (cursor->tracks >> track & 1) == 0)
        return ERR_AGAIN;
    block->track = (uint32_t) track;
    block->ticks = (int16_t) (uint16_t) (bytes[length] << 8 | bytes[length + 1]);
    block->flags = bytes[length + 2];
    block->is_key = (block->flags & 0x80) != 0;
    block->header = length + 3;
    return OK;
}

/* A small unsigned number as an element's whole data. */
static enum err read_number(struct mkv_cursor *cursor, uint64_t at, uint64_t size, uint64_t *out)
{
    const uint8_t *bytes;
    *out = 0;
    if (size > 8)
        return ERR_BAD_MEDIA;
    if (size == 0)
        return OK;
    enum err err = window_get(&cursor->window, at, (size_t) size, &bytes);
    for (uint64_t i = 0; err == OK && i < size; i++)
        *out = *out << 8 | bytes[i];
    return err;
}

static enum err read_group_child(struct mkv_cursor *cursor, const struct ebml_header *header,
                                 uint64_t data, struct block *block)
{
    uint64_t number = 0;
    enum err err = OK;
    if (header->id == MKV_BLOCK && block->size == 0) {
        block->at = data;
        block->size = header->size;
        err = read_block_header(cursor, block);
        block->is_key = true;
    } else if (header->id == MKV_REFERENCE_BLOCK) {
        block->is_key = false;
    } else if (header->id == MKV_BLOCK_DURATION) {
        err = read_number(cursor, data, header->size, &number);
        block->duration_ticks = number < INT32_MAX ? (int64_t) number : -1;
    }
    return err;
}

/* A BlockGroup (5.1.3.5): the block, and beside it what says whether it refers to others. */
static enum err read_group(struct mkv_cursor *cursor, uint64_t at, uint64_t end,
                           struct block *block)
{
    bool is_key = true;
    while (at < end) {
        struct ebml_header header;
        enum err err = ebml_read_header(&cursor->window, at, &header);
        if (err != OK)
            return err;
        uint64_t data = at + header.header_size;
        if (header.is_unknown_size || data > end || header.size > end - data)
            return ERR_BAD_MEDIA;
        err = read_group_child(cursor, &header, data, block);
        if (err != OK)
            return err;
        is_key = is_key && header.id != MKV_REFERENCE_BLOCK;
        at = data + header.size;
    }
    block->is_key = is_key;
    return block->size > 0 ? OK : ERR_AGAIN;
}

/* An element inside a cluster whose data is at `data`. AGAIN: nothing to hand out. */
static enum err read_cluster_child(struct mkv_cursor *cursor, const struct ebml_header *header,
                                   uint64_t data)
{
    struct block block = {.duration_ticks = -1};
    enum err err = ERR_AGAIN;
    if (header->id == MKV_TIMESTAMP) {
        uint64_t ticks = 0;
        err = read_number(cursor, data, header->size, &ticks);
        if (err == OK && ticks >= (uint64_t) (TIME_LIMIT_NS / cursor->mkv->scale_ns))
            err = ERR_BAD_MEDIA;
        if (err == OK)
            cursor->cluster_ticks = (int64_t) ticks;
        return err == OK ? ERR_AGAIN : err;
    }
    if (header->id == MKV_SIMPLE_BLOCK) {
        block.at = data;
        block.size = header->size;
        err = read_block_header(cursor, &block);
    } else if (header->id == MKV_BLOCK_GROUP) {
        err = read_group(cursor, data, data + header->size, &block);
    }
    if (err == OK && cursor->cluster_ticks < 0)
        return ERR_BAD_MEDIA;
    return err == OK ? begin_block(cursor, &block) : err;
}

static void enter_cluster(struct mkv_cursor *cursor, const struct ebml_header *header)
{
    uint64_t end = cursor->mkv->segment_end;
    cursor->cluster = cursor->at;
    cursor->at += header->header_size;
    cursor->cluster_end = header->is_unknown_size || header->size > end - cursor->at
                              ? end
                              : cursor->at + header->size;
    cursor->cluster_ticks = -1;
}

/* An element between clusters: a cluster is gone into, another film behind ours ends this one, all
 * else is stepped over. AGAIN. */
static enum err step_between(struct mkv_cursor *cursor, const struct ebml_header *header)
{
    uint64_t data = cursor->at + header->header_size, end = cursor->mkv->segment_end;
    if (header->id == MKV_CLUSTER) {
        enter_cluster(cursor, header);
        return ERR_AGAIN;
    }
    if (header->id == MKV_EBML || header->id == MKV_SEGMENT || data > end)
        return ERR_NOT_FOUND;
    if (header->is_unknown_size || header->size > end - data)
        return ERR_BAD_MEDIA;
    cursor->at = data + header->size;
    return ERR_AGAIN;
}

/* An element inside the cluster: OK with something to hand out, or AGAIN. */
static enum err step_inside(struct mkv_cursor *cursor, const struct ebml_header *header)
{
    uint64_t data = cursor->at + header->header_size, end = cursor->cluster_end;
    if (data > end)
        return ERR_NOT_FOUND;
    if (header->is_unknown_size)
        return ERR_BAD_MEDIA;
    if (header->size > end - data) /* cut off by the end of the film, or garbage in the middle */
        return end == cursor->mkv->segment_end ? ERR_NOT_FOUND : ERR_BAD_MEDIA;
    cursor->element = cursor->at;
    enum err err = read_cluster_child(cursor, header, data);
    if (err == OK || err == ERR_AGAIN)
        cursor->at = data + header->size;
    return err;
}

/* The next element. AGAIN: nothing to hand out yet. */
static enum err step(struct mkv_cursor *cursor)
{
    struct ebml_header header;
    if (cursor->at >= cursor->limit || cursor->at >= cursor->mkv->segment_end)
        return ERR_NOT_FOUND;
    enum err err = ebml_read_header(&cursor->window, cursor->at, &header);
    if (err != OK)
        return err;
    if (cursor->at >= cursor->cluster_end || mkv_is_top_level(header.id))
        cursor->cluster_end = 0;
    return cursor->cluster_end != 0 ? step_inside(cursor, &header) : step_between(cursor, &header);
}

static enum err resync(struct mkv_cursor *cursor)
{
    uint64_t limit = cursor->at + RESYNC_BYTES;
    uint64_t end = cursor->mkv->segment_end;
    enum err err =
        mkv_find_cluster(cursor->mkv, cursor->window.reader, cursor->at + 1, limit, &cursor->at);
    cursor->cluster_end = 0;
    return err == ERR_NOT_FOUND && limit < end ? ERR_BAD_MEDIA : err;
}

static enum err next_packet(struct cursor *base, struct packet *out)
{
    struct mkv_cursor *cursor = (struct mkv_cursor *) base;
    while (cursor->lacing.done >= cursor->lacing.count) {
        enum err err = step(cursor);
        if (err == ERR_BAD_MEDIA)
            err = resync(cursor);
        if (err != OK && err != ERR_AGAIN)
            return err;
    }
    take_frame(cursor, out);
    return OK;
}

static void close_cursor(struct cursor *base)
{
    mem_free(base);
}

enum err mkv_cursor(struct container *container, struct reader *reader, uint64_t tracks,
                    uint64_t pos, struct cursor **out)
{
    struct mkv *mkv = mkv_of(container);
    if (mkv->first_cluster == 0)
        return ERR_NOT_FOUND;
    struct mkv_cursor *cursor = mem_new(struct mkv_cursor);
    cursor->base = (struct cursor){next_packet, close_cursor};
    cursor->mkv = mkv;
    cursor->tracks = tracks;
    cursor->at = pos > mkv->first_cluster ? pos : mkv->first_cluster;
    cursor->limit = UINT64_MAX;
    for (uint32_t i = 0; i < container->track_count; i++) /* packed subtitles still weigh */
        if (!mkv->tracks[i].is_readable && container->tracks[i].kind != PLAN_SUBTITLE)
            cursor->tracks &= ~(UINT64_C(1) << i);
    window_init(&cursor->window, reader);
    *out = &cursor->base;
    return OK;
}

uint64_t mkv_cursor_element(const struct cursor *cursor)
{
    return ((const struct mkv_cursor *) cursor)->element;
}

uint64_t mkv_cursor_at(const struct cursor *cursor)
{
    return ((const struct mkv_cursor *) cursor)->at;
}

void mkv_cursor_set_limit(struct cursor *cursor, uint64_t limit)
{
    ((struct mkv_cursor *) cursor)->limit = limit;
}
