/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of subtitle tracks: block by block where Cues name them, else by a walk over the headers of
 * the clusters around. Of a film's bytes only those blocks are read, and what leads to them. */
#define ZLIB_CONST /* it reads its input only */
#include "segments/mkv.h"

#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/str.h"

/* A cluster's header and the first elements in it; a block's header and a line of text. */
#define CLUSTER_BYTES 64
#define BLOCK_BYTES   512
/* Blocks of one time may stand a little apart. */
#define SLACK_NS NS_PER_S
/* The bytes before a block's payload (10.1): number, ticks, flags. */
#define LACING_FLAGS 0x06

/* A call. */
struct search {
    struct mkv *mkv;
    struct reader *reader;
    uint32_t track;
    int64_t from_ns, to_ns;
    container_event_fn *fn;
    void *ctx;
    int64_t *next_ns; /* a chain: when the first event behind to_ns is due; else NULL */
    uint64_t cluster; /* whose ticks are known; 0 = none */
    uint64_t cluster_data, cluster_end; /* cluster_end: UINT64_MAX = not said */
    int64_t cluster_ticks;
};

/* A block in memory, or a group of one. */
struct block {
    uint8_t *bytes;
    struct ebml_element payload, beside;
    int64_t ticks;    /* from its cluster's */
    int64_t duration; /* ticks; -1 = not said */
};

/* A look of at most `most` bytes that does not wait for more than the first `least`. */
static enum err look(struct reader *reader, uint64_t at, size_t least, size_t most, uint8_t *out,
                     size_t *got)
{
    uint64_t size = input_size(reader->input);
    if (at >= size)
        return ERR_BAD_MEDIA;
    uint64_t left = size - at;
    size_t take = left < most ? (size_t) left : most;
    if (!reader_has(reader, at, take))
        take = take < least ? take : least;
    return reader_read(reader, out, take, at, got);
}

/* --- one block --- */

/* The parts of a Block or SimpleBlock. BAD_MEDIA: it is of another track; AGAIN: it is laced, which
 * no text is. */
static enum err parse_block(const struct search *search, const struct ebml_element *element,
                            struct block *block)
{
    uint64_t number = 0;
    unsigned length = ebml_vint(element->data, element->size, false, &number);
    if (length == 0 || length + 3 > element->size)
        return ERR_BAD_MEDIA;
    const uint8_t *at = element->data + length;
    if (number != search->mkv->tracks[search->track].number)
        return ERR_BAD_MEDIA;
    if ((at[2] & LACING_FLAGS) != 0)
        return ERR_AGAIN;
    block->ticks = (int16_t) (uint16_t) (at[0] << 8 | at[1]);
    block->payload = (struct ebml_element){
        .id = element->id, .data = at + 3, .size = element->size - length - 3};
    return OK;
}

static void parse_additions(const struct ebml_element *additions, struct block *block)
{
    struct ebml_span span = ebml_children(additions), fields;
    struct ebml_element more, field;
    if (!ebml_next(&span, &more) || more.id != MKV_BLOCK_MORE)
        return;
    fields = ebml_children(&more);
    while (ebml_next(&fields, &field))
        if (field.id == MKV_BLOCK_ADDITIONAL)
            block->beside = field;
}

static enum err parse_group(const struct search *search, const struct ebml_element *group,
                            struct block *block)
{
    struct ebml_span span = ebml_children(group);
    struct ebml_element child;
    enum err err = ERR_BAD_MEDIA;
    while (ebml_next(&span, &child)) {
        if (child.id == MKV_BLOCK)
            err = parse_block(search, &child, block);
        else if (child.id == MKV_BLOCK_DURATION && child.size > 0)
            block->duration = (int64_t) (ebml_uint(&child, 0) & INT32_MAX);
        else if (child.id == MKV_BLOCK_ADDITIONS)
            parse_additions(&child, block);
    }
    return err;
}

/* The rest of an element of which `got` bytes are known. */
static enum err load_rest(struct reader *reader, uint64_t at, const uint8_t *known, size_t got,
                          size_t size, uint8_t **out)
{
    uint8_t *bytes = mem_new_array(uint8_t, size);
    size_t read = 0;
    enum err err = OK;
    memcpy(bytes, known, got < size ? got : size);
    if (got < size)
        err = reader_read(reader, bytes + got, size - got, at + got, &read);
    if (err == OK && got < size && read < size - got)
        err = ERR_BAD_MEDIA;
    if (err != OK) {
        mem_free(bytes);
        return err;
    }
    *out = bytes;
    return OK;
}

/* The block or group at `at`. BAD_MEDIA: none of the track is there; AGAIN: it is no event. */
static enum err load_block(const struct search *search, uint64_t at, struct block *block)
{
    uint8_t known[BLOCK_BYTES];
    size_t got = 0;
    struct ebml_header header;
    *block = (struct block){.duration = -1};
    enum err err = look(search->reader, at, EBML_HEADER_BYTES, sizeof known, known, &got);
    if (err != OK)
        return err;
    if (!ebml_parse_header(known, got, &header) || header.is_unknown_size ||
        (header.id != MKV_SIMPLE_BLOCK && header.id != MKV_BLOCK_GROUP))
        return ERR_BAD_MEDIA;
    if (header.size > EVENT_LIMIT)
        return ERR_AGAIN;
    size_t size = header.header_size + (size_t) header.size;
    err = load_rest(search->reader, at, known, got, size, &block->bytes);
    if (err != OK)
        return err;
    struct ebml_element element = {header.id, block->bytes + header.header_size,
                                   (size_t) header.size};
    err = header.id == MKV_SIMPLE_BLOCK ? parse_block(search, &element, block)
                                        : parse_group(search, &element, block);
    if (err != OK)
        mem_free_at(&block->bytes);
    return err;
}

/* --- payloads --- */

/* zlib's (5.1.4.1.31.7, ContentCompAlgo 0). Empty: it cannot be unpacked, or is no text. */
static void inflate_payload(const struct ebml_element *payload, struct str *out)
{
    uint8_t step[4096];
    z_stream stream = {.next_in = payload->data, .avail_in = (uInt) payload->size};
    if (inflateInit(&stream) != Z_OK)
        return;
    int result = Z_OK;
    while (result == Z_OK && out->length < EVENT_LIMIT) {
        stream.next_out = step;
        stream.avail_out = sizeof step;
        result = inflate(&stream, Z_NO_FLUSH);
        if (result == Z_OK || result == Z_STREAM_END)
            str_append(out, step, sizeof step - stream.avail_out);
    }
    if (result != Z_STREAM_END)
        str_clear(out);
    inflateEnd(&stream);
}

/* A block of D_WEBVTT has all in its payload: "id LF settings LF text". */
static void split_old_webvtt(struct event *event)
{
    const uint8_t *end = event->bytes + event->size;
    for (unsigned line = 0; line < 2; line++) {
        const uint8_t *lf = event->size > 0 ? memchr(event->bytes, '\n', event->size) : NULL;
        if (lf == NULL)
            return;
        event->beside = event->bytes; /* of the second line in the end */
        event->beside_size = (size_t) (lf - event->bytes);
        event->bytes = lf + 1;
        event->size = (size_t) (end - event->bytes);
    }
}

static void give(const struct search *search, const struct block *block, int64_t start_ns,
                 int64_t end_ns)
{
    const struct mkv_track *track = &search->mkv->tracks[search->track];
    struct str unpacked = {0};
    struct event event = {.start_ns = start_ns,
                          .end_ns = end_ns,
                          .bytes = block->payload.data,
                          .size = block->payload.size,
                          .beside = block->beside.data,
                          .beside_size = block->beside.size};
    if (track->is_deflated)
        inflate_payload(&block->payload, &unpacked);
    else if (track->prefix_size > 0) {
        str_append(&unpacked, track->prefix, track->prefix_size);
        str_append(&unpacked, block->payload.data, block->payload.size);
    }
    if (track->is_deflated || track->prefix_size > 0) {
        event.bytes = (const uint8_t *) str_text(&unpacked);
        event.size = unpacked.length;
    }
    if (track->is_old_webvtt)
        split_old_webvtt(&event);
    search->fn(search->ctx, &event);
    str_fini(&unpacked);
}

static int64_t ticks_to_ns(const struct search *search, int64_t ticks)
{
    return mkv_pts_ns(search->mkv, search->track, ticks);
}

/* --- by Cues --- */

/* What a cluster's head says: where its elements begin, and its time. BAD_MEDIA: none is there. */
static enum err read_cluster(struct search *search, uint64_t at)
{
    uint8_t bytes[CLUSTER_BYTES];
    size_t got = 0;
    struct ebml_header header;
    struct ebml_element child;
    if (at == search->cluster)
        return OK;
    enum err err = look(search->reader, at, 2 * EBML_HEADER_BYTES, sizeof bytes, bytes, &got);
    if (err != OK)
        return err;
    if (!ebml_parse_header(bytes, got, &header) || header.id != MKV_CLUSTER)
        return ERR_BAD_MEDIA;
    struct ebml_span span = {bytes + header.header_size, got - header.header_size};
    while (ebml_next(&span, &child)) {
        if (child.id != MKV_TIMESTAMP)
            continue;
        uint64_t ticks = ebml_uint(&child, 0);
        if (ticks >= (uint64_t) (TIME_LIMIT_NS / search->mkv->scale_ns))
            return ERR_BAD_MEDIA;
        search->cluster = at;
        search->cluster_data = at + header.header_size;
        search->cluster_end =
            header.is_unknown_size ? UINT64_MAX : search->cluster_data + header.size;
        search->cluster_ticks = (int64_t) ticks;
        return OK;
    }
    return ERR_BAD_MEDIA;
}

/* Where Cues name the cluster alone: the block of that time in it. */
static enum err find_in_cluster(struct search *search, const struct mkv_event_cue *cue,
                                uint64_t *at)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    int64_t due_ns = ticks_to_ns(search, cue->ticks);
    enum err err = mkv_cursor(&search->mkv->base, search->reader, UINT64_C(1) << search->track,
                              cue->cluster, &cursor);
    if (err == OK)
        mkv_cursor_set_limit(cursor, search->cluster_end);
    while (err == OK && (err = cursor->next(cursor, &packet)) == OK) {
        if (packet.pos != cue->cluster) {
            err = ERR_BAD_MEDIA;
        } else if (packet.pts_ns == due_ns) {
            *at = mkv_cursor_element(cursor);
            break;
        }
    }
    cursor_close(&cursor);
    return err == ERR_NOT_FOUND ? ERR_BAD_MEDIA : err;
}

/* When the event ends that Cues list at `index`, as far as they say. */
static int64_t cue_end_ns(const struct search *search, const struct mkv_event_cues *cues,
                          size_t index)
{
    const struct mkv_event_cue *cue = &cues->items[index];
    int64_t start_ns = ticks_to_ns(search, cue->ticks);
    if (cue->duration >= 0)
        return ticks_to_ns(search, cue->ticks + cue->duration);
    for (size_t i = index + 1; i < cues->count; i++) {
        int64_t next_ns = ticks_to_ns(search, cues->items[i].ticks);
        if (next_ns > start_ns)
            return next_ns < start_ns + EVENT_UNSAID_NS ? next_ns : start_ns + EVENT_UNSAID_NS;
    }
    return start_ns + EVENT_UNSAID_NS;
}

/* The block of a cue. BAD_MEDIA: the cue lies; AGAIN: it is no event. */
static enum err load_cue(struct search *search, const struct mkv_event_cue *cue,
                         struct block *block)
{
    enum err err = read_cluster(search, cue->cluster);
    uint64_t at = search->cluster_data + cue->relative;
    if (err == OK && cue->relative == 0)
        err = find_in_cluster(search, cue, &at);
    if (err == OK && (at < search->cluster_data || at >= search->mkv->segment_end))
        err = ERR_BAD_MEDIA;
    if (err == OK)
        err = load_block(search, at, block);
    if (err == OK && search->cluster_ticks + block->ticks != cue->ticks) {
        mem_free_at(&block->bytes);
        err = ERR_BAD_MEDIA;
    }
    return err;
}

/* Reads the event of a cue and gives it, if it stands in the window. BAD_MEDIA: the cue lies. */
static enum err read_cue(struct search *search, const struct mkv_event_cues *cues, size_t index)
{
    const struct mkv_event_cue *cue = &cues->items[index];
    struct block block;
    enum err err = load_cue(search, cue, &block);
    if (err != OK)
        return err == ERR_AGAIN ? OK : err;
    int64_t end_ns = cue_end_ns(search, cues, index);
    if (block.duration >= 0)
        end_ns = ticks_to_ns(search, cue->ticks + block.duration);
    if (end_ns > search->from_ns)
        give(search, &block, ticks_to_ns(search, cue->ticks), end_ns);
    mem_free(block.bytes);
    return OK;
}

static enum err read_by_cues(struct search *search, const struct mkv_event_cues *cues)
{
    enum err err = OK;
    for (size_t i = 0; i < cues->count && err == OK; i++) {
        const struct mkv_event_cue *cue = &cues->items[i];
        int64_t start_ns = ticks_to_ns(search, cue->ticks);
        if (start_ns >= search->to_ns)
            break;
        bool may_stand = cue->duration >= 0 ? cue_end_ns(search, cues, i) > search->from_ns
                                            : start_ns > search->from_ns - EVENT_LOOK_BACK_NS;
        if (may_stand)
            err = read_cue(search, cues, i);
    }
    return err;
}

/* --- by a walk --- */

/* The track whose packets tell how far a walk has come: a picture, else any that is there. */
static uint32_t find_guide(const struct search *search)
{
    const struct mkv *mkv = search->mkv;
    uint32_t best = search->track;
    for (uint32_t i = mkv->base.track_count; i > 0; i--) {
        enum plan_kind kind = mkv->base.tracks[i - 1].kind;
        if (kind != PLAN_SUBTITLE && mkv->tracks[i - 1].is_readable &&
            (best == search->track || kind == PLAN_VIDEO))
            best = i - 1;
    }
    return best;
}

static enum err give_found(const struct search *search, uint64_t at, int64_t start_ns,
                           int64_t *until_ns)
{
    struct block block;
    const struct mkv_track *track = &search->mkv->tracks[search->track];
    enum err err = load_block(search, at, &block);
    if (err == ERR_AGAIN || err == ERR_BAD_MEDIA)
        return OK;
    if (err != OK)
        return err;
    int64_t end_ns = start_ns - 1;
    if (search->next_ns != NULL)
        *until_ns = start_ns + EVENT_LOOK_BACK_NS; /* only the next one ends it */
    else if (block.duration >= 0)
        end_ns = start_ns + container_scale(block.duration, search->mkv->scale_ns, 1);
    else if (track->default_ns > 0)
        end_ns = start_ns + track->default_ns;
    else if (start_ns + EVENT_UNSAID_NS > *until_ns) /* the next one ends it */
        *until_ns = start_ns + EVENT_UNSAID_NS;
    give(search, &block, start_ns, end_ns);
    mem_free(block.bytes);
    return OK;
}

static enum err begin_walk(const struct search *search, uint32_t guide, struct cursor **cursor)
{
    struct mkv *mkv = search->mkv;
    uint64_t pos = 0, tracks = UINT64_C(1) << search->track | UINT64_C(1) << guide;
    enum err err = OK;
    if (search->from_ns > EVENT_LOOK_BACK_NS && guide != search->track)
        err =
            mkv_seek(&mkv->base, search->reader, guide, search->from_ns - EVENT_LOOK_BACK_NS, &pos);
    return err == OK ? mkv_cursor(&mkv->base, search->reader, tracks, pos, cursor) : err;
}

static enum err read_by_walk(const struct search *search)
{
    uint32_t guide = find_guide(search);
    struct cursor *cursor = NULL;
    struct packet packet;
    uint64_t last = 0;
    int64_t until_ns = search->to_ns;
    enum err err = begin_walk(search, guide, &cursor);
    while (err == OK && (err = cursor->next(cursor, &packet)) == OK) {
        uint64_t element = mkv_cursor_element(cursor);
        if (packet.pts_ns > until_ns && packet.pts_ns - until_ns > SLACK_NS)
            break;
        if (packet.track != search->track || element == last)
            continue;
        last = element;
        if (search->next_ns != NULL && packet.pts_ns >= search->to_ns) {
            *search->next_ns = packet.pts_ns;
            break;
        }
        err = give_found(search, element, packet.pts_ns, &until_ns);
    }
    cursor_close(&cursor);
    if (err == ERR_NOT_FOUND && search->next_ns != NULL)
        *search->next_ns = INT64_MAX;
    return err == ERR_NOT_FOUND ? OK : err;
}

/* --- events that build on one another --- */

/* As far as what is needed for a picture is looked for. */
#define CHAIN_MOST_EVENTS 64
#define CHAIN_MOST_BYTES  (8u << 20)
/* What one call keeps at all; what is beyond is left out. */
#define CHAIN_LIMIT       (32u << 20)
#define CHAIN_LIMIT_COUNT 10000

struct link {
    int64_t start_ns;
    uint8_t *bytes;
    size_t size;
};

/* Events by time. */
struct chain {
    struct link *items;
    size_t count, room, bytes;
};

static void chain_fini(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        mem_free(chain->items[i].bytes);
    mem_free(chain->items);
}

/* Takes an event's payload into a chain. */
static void keep(void *ctx, const struct event *event)
{
    struct chain *chain = ctx;
    if (event->size == 0 || chain->bytes > CHAIN_LIMIT || chain->count == CHAIN_LIMIT_COUNT)
        return;
    mem_grow(chain->items, chain->count, chain->room);
    chain->items[chain->count++] =
        (struct link){event->start_ns, mem_dup(event->bytes, event->size), event->size};
    chain->bytes += event->size;
}

static enum err keep_cue(struct search *search, const struct mkv_event_cue *cue,
                         struct chain *chain)
{
    struct block block;
    enum err err = load_cue(search, cue, &block);
    if (err != OK)
        return err == ERR_AGAIN ? OK : err;
    search->fn = keep;
    search->ctx = chain;
    give(search, &block, ticks_to_ns(search, cue->ticks), INT64_MIN);
    mem_free(block.bytes);
    return OK;
}

static enum event_role role_of_last(const struct chain *chain, event_role_fn *role)
{
    if (chain->count == 0)
        return EVENT_DEPENDS;
    const struct link *last = &chain->items[chain->count - 1];
    return role(last->bytes, last->size);
}

/* Loads what stands before the cue `at`, back to where decoding may begin, the last first. `needed`: so
 * does what follows. */
static enum err keep_before(struct search *search, const struct mkv_event_cues *cues, size_t at,
                            bool needed, event_role_fn *role, struct chain *chain)
{
    enum err err = OK;
    for (size_t i = at; i > 0 && err == OK; i--) {
        bool is_first = i == at;
        err = keep_cue(search, &cues->items[i - 1], chain);
        enum event_role found = role_of_last(chain, role);
        if (found == EVENT_STARTS || (found == EVENT_CLEARS && is_first && !needed) ||
            chain->count == CHAIN_MOST_EVENTS || chain->bytes > CHAIN_MOST_BYTES)
            break;
    }
    for (size_t i = 0; i < chain->count / 2; i++) {
        struct link moved = chain->items[i];
        chain->items[i] = chain->items[chain->count - 1 - i];
        chain->items[chain->count - 1 - i] = moved;
    }
    return err;
}

/* By Cues: those of the window first, since they tell what is needed of those before. */
static enum err chain_by_cues(struct search *search, const struct mkv_event_cues *cues,
                              event_role_fn *role, struct chain *before, struct chain *chain)
{
    enum err err = OK;
    size_t first = 0;
    while (first < cues->count && ticks_to_ns(search, cues->items[first].ticks) <= search->from_ns)
        first++;
    size_t i = first;
    for (; i < cues->count && err == OK; i++) {
        if (ticks_to_ns(search, cues->items[i].ticks) >= search->to_ns)
            break;
        err = keep_cue(search, &cues->items[i], chain);
    }
    if (err != OK)
        return err;
    *search->next_ns = i < cues->count ? ticks_to_ns(search, cues->items[i].ticks) : INT64_MAX;
    bool needed =
        chain->count > 0 && role(chain->items[0].bytes, chain->items[0].size) != EVENT_STARTS;
    return keep_before(search, cues, first, needed, role, before);
}

/* Of what a walk found: the first that is needed. */
static size_t find_begin(const struct search *search, const struct chain *chain,
                         event_role_fn *role)
{
    size_t at = 0;
    for (size_t i = 0; i < chain->count && chain->items[i].start_ns <= search->from_ns; i++)
        if (role(chain->items[i].bytes, chain->items[i].size) == EVENT_STARTS)
            at = i;
    return at;
}

static enum err chain_by_walk(struct search *search, struct chain *chain)
{
    search->fn = keep;
    search->ctx = chain;
    *search->next_ns = INT64_MIN;
    return read_by_walk(search);
}

static void give_chain(const struct chain *chain, size_t from, container_event_fn *fn, void *ctx)
{
    for (size_t i = from; i < chain->count; i++) {
        const struct link *link = &chain->items[i];
        const struct event event = {.start_ns = link->start_ns,
                                    .end_ns = INT64_MIN,
                                    .bytes = link->bytes,
                                    .size = link->size};
        fn(ctx, &event);
    }
}

enum err mkv_event_chain(struct container *container, struct reader *reader, uint32_t track,
                         int64_t from_ns, int64_t to_ns, event_role_fn *role, int64_t *next_ns,
                         container_event_fn *fn, void *ctx)
{
    struct mkv *mkv = mkv_of(container);
    const struct mkv_event_cues *cues = NULL;
    struct chain before = {0}, chain = {0};
    struct search search = {.mkv = mkv,
                            .reader = reader,
                            .track = track,
                            .from_ns = from_ns,
                            .to_ns = to_ns,
                            .next_ns = next_ns};
    if (!mkv->tracks[track].is_readable && !mkv->tracks[track].is_deflated)
        return ERR_NOT_FOUND;
    enum err err = mkv_event_cues(mkv, reader, track, &cues);
    if (err != OK)
        return err;
    size_t begin = 0;
    if (cues->count > 0)
        err = chain_by_cues(&search, cues, role, &before, &chain);
    if (cues->count == 0 || err == ERR_BAD_MEDIA) {
        chain_fini(&before);
        chain_fini(&chain);
        before = chain = (struct chain){0};
        err = chain_by_walk(&search, &chain);
        begin = find_begin(&search, &chain, role);
    }
    if (err == OK) {
        give_chain(&before, 0, fn, ctx);
        give_chain(&chain, begin, fn, ctx);
    }
    chain_fini(&before);
    chain_fini(&chain);
    return err;
}

enum err mkv_events(struct container *container, struct reader *reader, uint32_t track,
                    int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                    void *ctx)
{
    struct mkv *mkv = mkv_of(container);
    const struct mkv_event_cues *cues = NULL;
    struct search search = {.mkv = mkv,
                            .reader = reader,
                            .track = track,
                            .from_ns = from_ns,
                            .to_ns = to_ns,
                            .fn = fn,
                            .ctx = ctx};
    if (!mkv->tracks[track].is_readable && !mkv->tracks[track].is_deflated)
        return ERR_NOT_FOUND;
    enum err err = mkv_event_cues(mkv, reader, track, &cues);
    if (err != OK)
        return err;
    if (cues->count > 0)
        err = read_by_cues(&search, cues);
    *by_walk = cues->count == 0 || err == ERR_BAD_MEDIA;
    /* what lying Cues gave before is given again, and equal ones are one */
    return *by_walk ? read_by_walk(&search) : err;
}
