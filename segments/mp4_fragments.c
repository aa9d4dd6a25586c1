/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fragmented films (ISO 14496-12 8.8): what cameras, recorders and adaptive streaming leave. All movie
 * fragments are walked once, when the film is opened, and sample tables are made of them, as if the
 * film had been written with them; from then on it is as any other. What does not fit into tables
 * (times that run backwards, samples in moov and in fragments too) is left to libavformat. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/mp4.h"

/* Low-latency writers close a fragment every few frames; half a second each for two days are as many. */
#define MAX_TOP_BOXES (UINT32_C(1) << 20)
#define MOOF_LIMIT    (UINT64_C(8) << 20)

/* tfhd, trun: which fields are there (8.8.7, 8.8.8) */
enum {
    TFHD_BASE = 0x1,
    TFHD_DESCRIPTION = 0x2,
    TFHD_DURATION = 0x8,
    TFHD_SIZE = 0x10,
    TFHD_FLAGS = 0x20,
    TFHD_BASE_IS_MOOF = 0x20000,
    TRUN_OFFSET = 0x1,
    TRUN_FIRST_FLAGS = 0x4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_COMPOSITION = 0x800,
};
#define SAMPLE_IS_NON_SYNC UINT32_C(0x10000) /* 8.8.3.1 */

/* A table under way: entries of two numbers that are counted together while the second stays. */
struct runs {
    struct str bytes;
    uint32_t count, value; /* of the entry under way; count 0: none */
};

/* What is made of a track. */
struct maker {
    uint32_t id;
    struct mp4_trak *trak;
    /* trex: what fragments do not say (8.8.3) */
    uint32_t description, duration, size, flags;
    bool has_trex;
    /* tables, as they would stand in the film */
    struct runs stts, ctts;
    struct str stss, stsc, stsz, co64;
    uint32_t samples, keys, chunks;
    uint32_t chunk_samples, chunk_description; /* of the stsc entry under way */
    bool is_cut;                               /* the file ends before its samples do */
    /* time */
    bool has_begun;
    int64_t first_dts, last_dts, next_dts; /* of the first sample, the last one, the one after */
};

struct fragments {
    struct reader *reader;
    struct maker *makers;
    uint32_t count;
    uint64_t file_size;
    uint32_t samples; /* of all tracks */
};

/* A run of samples (trun) with what its traf says. */
struct run {
    struct maker *maker;
    uint64_t base, at; /* where data offsets count from; the next sample */
    uint32_t description, duration, size, flags;
};

/* --- tables --- */

static void put_u32(struct str *out, uint32_t value)
{
    uint32_t big = __builtin_bswap32(value);
    str_append(out, &big, sizeof big);
}

static void put_u64(struct str *out, uint64_t value)
{
    uint64_t big = __builtin_bswap64(value);
    str_append(out, &big, sizeof big);
}

static void end_run(struct runs *runs)
{
    if (runs->count == 0)
        return;
    put_u32(&runs->bytes, runs->count);
    put_u32(&runs->bytes, runs->value);
    runs->count = 0;
}

static void add_to_run(struct runs *runs, uint32_t value)
{
    if (runs->count > 0 && runs->value != value)
        end_run(runs);
    runs->value = value;
    runs->count++;
}

/* A chunk of samples that lie one behind the other (8.7.4, 8.7.5). */
static void add_chunk(struct maker *maker, uint64_t offset, uint32_t samples, uint32_t description)
{
    put_u64(&maker->co64, offset);
    maker->chunks++;
    if (maker->chunks > 1 && maker->chunk_samples == samples &&
        maker->chunk_description == description)
        return;
    put_u32(&maker->stsc, maker->chunks);
    put_u32(&maker->stsc, samples);
    put_u32(&maker->stsc, description);
    maker->chunk_samples = samples;
    maker->chunk_description = description;
}

/* What the sample before lasted is known when the next one begins. False: it would be less than
 * nothing. */
static bool begin_sample(struct maker *maker)
{
    int64_t lasted = maker->next_dts - maker->last_dts;
    if (maker->samples > 0) {
        if (lasted < 0 || lasted > INT32_MAX)
            return false;
        add_to_run(&maker->stts, (uint32_t) lasted);
    }
    maker->last_dts = maker->next_dts;
    return true;
}

/* --- boxes; all that is read lies in memory --- */

struct field {
    const uint8_t *at;
    size_t left;
};

static bool take_u32(struct field *field, uint32_t *out)
{
    if (field->left < 4)
        return false;
    *out = mp4_u32(field->at);
    field->at += 4;
    field->left -= 4;
    return true;
}

static bool take_u64(struct field *field, uint64_t *out)
{
    uint32_t high = 0, low = 0;
    if (!take_u32(field, &high) || !take_u32(field, &low))
        return false;
    *out = (uint64_t) high << 32 | low;
    return true;
}

static bool take_if(struct field *field, bool is_there, uint32_t *out)
{
    return !is_there || take_u32(field, out);
}

static struct field field_of(const struct mp4_part *part)
{
    return (struct field){part->body.at, part->body.left};
}

static struct maker *find(struct fragments *fragments, uint32_t id)
{
    for (uint32_t i = 0; i < fragments->count; i++)
        if (fragments->makers[i].id == id)
            return &fragments->makers[i];
    return NULL;
}

static void read_trex(struct fragments *fragments, const struct mp4_part *trex)
{
    struct field field = field_of(trex);
    uint32_t version, id = 0, description = 1, duration = 0, size = 0, flags = 0;
    if (!take_u32(&field, &version) || !take_u32(&field, &id) || !take_u32(&field, &description) ||
        !take_u32(&field, &duration) || !take_u32(&field, &size) || !take_u32(&field, &flags))
        return;
    struct maker *maker = find(fragments, id);
    if (maker == NULL || maker->has_trex)
        return;
    maker->has_trex = true;
    maker->description = description;
    maker->duration = duration;
    maker->size = size;
    maker->flags = flags;
}

static enum err read_mvex(struct fragments *fragments, const struct mp4_box *moov)
{
    enum { MOOV_LIMIT = 64 << 20 };
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct mp4_part part;
    enum err err =
        window_load(fragments->reader, moov->data, moov->end - moov->data, MOOV_LIMIT, &bytes);
    if (err != OK)
        return err == ERR_LIMIT ? ERR_NOT_FOUND : err;
    struct mp4_bytes body = {bytes, (size_t) (moov->end - moov->data)};
    struct mp4_bytes mvex = mp4_find_part(body, MP4_TYPE('m', 'v', 'e', 'x')).body;
    while (mvex.at != NULL && mp4_next_part(&mvex, &part))
        if (part.type == MP4_TYPE('t', 'r', 'e', 'x'))
            read_trex(fragments, &part);
    return OK;
}

/* tfhd (8.8.7). False: of a track that is not read. */
static bool read_tfhd(struct fragments *fragments, const struct mp4_part *tfhd, uint64_t moof_at,
                      uint64_t end_of_last, struct run *out)
{
    struct field field = field_of(tfhd);
    uint32_t flags = 0, id = 0;
    if (!take_u32(&field, &flags) || !take_u32(&field, &id))
        return false;
    struct maker *maker = find(fragments, id);
    if (maker == NULL)
        return false;
    *out = (struct run){.maker = maker,
                        .description = maker->description,
                        .duration = maker->duration,
                        .size = maker->size,
                        .flags = maker->flags};
    /* The first traf counts from its moof, the others from where the one before ended. */
    bool is_from_moof = (flags & TFHD_BASE_IS_MOOF) != 0 || end_of_last == 0;
    out->base = is_from_moof ? moof_at : end_of_last;
    bool is_whole = ((flags & TFHD_BASE) == 0 || take_u64(&field, &out->base)) &&
                    take_if(&field, (flags & TFHD_DESCRIPTION) != 0, &out->description) &&
                    take_if(&field, (flags & TFHD_DURATION) != 0, &out->duration) &&
                    take_if(&field, (flags & TFHD_SIZE) != 0, &out->size) &&
                    take_if(&field, (flags & TFHD_FLAGS) != 0, &out->flags);
    out->at = out->base;
    return is_whole;
}

/* tfdt (8.8.12): when the fragment's first sample is decoded. */
static bool read_tfdt(struct maker *maker, const struct mp4_part *tfdt)
{
    struct field field = field_of(tfdt);
    uint32_t head = 0, low = 0;
    uint64_t time = 0;
    if (!take_u32(&field, &head))
        return false;
    bool is_long = head >> 24 == 1;
    if (is_long ? !take_u64(&field, &time) : !take_u32(&field, &low))
        return false;
    time = is_long ? time : low;
    if (time > INT64_MAX / 4)
        return false;
    maker->next_dts = (int64_t) time;
    if (!maker->has_begun)
        maker->first_dts = maker->last_dts = maker->next_dts;
    maker->has_begun = true;
    return true;
}

static bool add_sample(struct fragments *fragments, struct run *run, uint32_t duration,
                       uint32_t size, uint32_t flags, uint32_t composition)
{
    struct maker *maker = run->maker;
    /* Each takes bytes: of the media, or where it is empty, of the boxes that tell of it. */
    if (++fragments->samples > MP4_MAX_SAMPLES || fragments->samples > fragments->file_size ||
        duration > INT32_MAX || !begin_sample(maker))
        return false;
    maker->samples++;
    add_to_run(&maker->ctts, composition);
    put_u32(&maker->stsz, size);
    if ((flags & SAMPLE_IS_NON_SYNC) == 0) {
        put_u32(&maker->stss, maker->samples);
        maker->keys++;
    }
    maker->next_dts += duration;
    run->at += size;
    return true;
}

/* trun (8.8.8). What lies beyond the end of the file is left out, and all that follows of its track.
 * False: damage. */
static bool read_trun(struct fragments *fragments, const struct mp4_part *trun, struct run *run)
{
    struct field field = field_of(trun);
    uint32_t head = 0, count = 0, offset = 0, first_flags = run->flags;
    if (!take_u32(&field, &head) || !take_u32(&field, &count) ||
        !take_if(&field, (head & TRUN_OFFSET) != 0, &offset) ||
        !take_if(&field, (head & TRUN_FIRST_FLAGS) != 0, &first_flags))
        return false;
    if ((head & TRUN_OFFSET) != 0)
        run->at = run->base + (uint64_t) (int64_t) (int32_t) offset;
    uint64_t begin = run->at;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t duration = run->duration, size = run->size, composition = 0;
        uint32_t flags = i == 0 ? first_flags : run->flags;
        if (!take_if(&field, (head & TRUN_DURATION) != 0, &duration) ||
            !take_if(&field, (head & TRUN_SIZE) != 0, &size) ||
            !take_if(&field, (head & TRUN_FLAGS) != 0, &flags) ||
            !take_if(&field, (head & TRUN_COMPOSITION) != 0, &composition))
            return false;
        if (run->at > fragments->file_size || size > fragments->file_size - run->at) {
            run->maker->is_cut = true;
            count = i;
        } else if (!add_sample(fragments, run, duration, size, flags, composition)) {
            return false;
        }
    }
    if (count > 0)
        add_chunk(run->maker, begin, count, run->description);
    return true;
}

/* traf (8.8.6). False: damage. */
static bool read_traf(struct fragments *fragments, struct mp4_bytes traf, uint64_t moof_at,
                      uint64_t *end_of_last)
{
    struct run run;
    struct mp4_part part = mp4_find_part(traf, MP4_TYPE('t', 'f', 'h', 'd'));
    if (part.body.at == NULL || !read_tfhd(fragments, &part, moof_at, *end_of_last, &run))
        return true;
    while (!run.maker->is_cut && mp4_next_part(&traf, &part)) {
        bool is_good = true;
        if (part.type == MP4_TYPE('t', 'f', 'd', 't'))
            is_good = read_tfdt(run.maker, &part);
        else if (part.type == MP4_TYPE('t', 'r', 'u', 'n'))
            is_good = read_trun(fragments, &part, &run);
        if (!is_good)
            return false;
    }
    run.maker->has_begun = true;
    *end_of_last = run.at;
    return true;
}

/* NOT_FOUND: damage. */
static enum err read_moof(struct fragments *fragments, const struct mp4_box *moof, uint64_t at)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct mp4_part part;
    uint64_t end_of_last = 0;
    enum err err =
        window_load(fragments->reader, moof->data, moof->end - moof->data, MOOF_LIMIT, &bytes);
    if (err != OK)
        return err == ERR_LIMIT ? ERR_NOT_FOUND : err;
    struct mp4_bytes body = {bytes, (size_t) (moof->end - moof->data)};
    while (mp4_next_part(&body, &part))
        if (part.type == MP4_TYPE('t', 'r', 'a', 'f') &&
            !read_traf(fragments, part.body, at, &end_of_last))
            return ERR_NOT_FOUND;
    return OK;
}

/* --- the whole --- */

static void give(struct mp4_table *table, struct str *bytes, uint32_t width)
{
    table->at = 0;
    table->count = (uint32_t) (bytes->length / width);
    table->bytes = table->count > 0 ? (uint8_t *) str_take(bytes) : NULL;
}

static void give_tables(struct maker *maker)
{
    struct mp4_track *own = &maker->trak->own;
    if (maker->samples == 0)
        return;
    add_to_run(&maker->stts, (uint32_t) (maker->next_dts - maker->last_dts));
    end_run(&maker->stts);
    end_run(&maker->ctts);
    own->has_stss = maker->keys < maker->samples;
    give(&own->stts, &maker->stts.bytes, 8);
    give(&own->ctts, &maker->ctts.bytes, 8);
    if (own->has_stss)
        give(&own->stss, &maker->stss, 4);
    give(&own->stsc, &maker->stsc, 12);
    give(&own->stsz, &maker->stsz, 4);
    give(&own->stco, &maker->co64, 8);
    own->chunk_bytes = 8;
    own->size_bits = 32;
    own->fixed_size = 0;
    own->sample_count = maker->samples;
    own->first_dts = maker->first_dts;
    own->duration = (uint64_t) (maker->next_dts - maker->first_dts);
}

static void fini(struct fragments *fragments)
{
    for (uint32_t i = 0; i < fragments->count; i++) {
        struct maker *maker = &fragments->makers[i];
        str_fini(&maker->stts.bytes);
        str_fini(&maker->ctts.bytes);
        str_fini(&maker->stss);
        str_fini(&maker->stsc);
        str_fini(&maker->stsz);
        str_fini(&maker->co64);
    }
    mem_free(fragments->makers);
}

static enum err walk(struct fragments *fragments, struct window *window, uint64_t at)
{
    struct mp4_box box;
    for (uint32_t i = 0; i < MAX_TOP_BOXES; i++) {
        uint64_t box_at = at;
        enum err err = mp4_next_box(window, &at, fragments->file_size, &box);
        if (err == ERR_NOT_FOUND)
            return OK;
        /* A moof that reaches the end of the file is cut, and describes nothing that is there. */
        if (err == OK && box.type == MP4_TYPE('m', 'o', 'o', 'f') && at < fragments->file_size)
            err = read_moof(fragments, &box, box_at);
        if (err != OK)
            return err;
    }
    return ERR_NOT_FOUND;
}

static bool has_samples(const struct fragments *fragments)
{
    for (uint32_t i = 0; i < fragments->count; i++)
        if (fragments->makers[i].samples > 0)
            return true;
    return false;
}

enum err mp4_read_fragments(struct window *window, const struct mp4_box *moov,
                            struct mp4_trak *traks, uint32_t count)
{
    struct fragments fragments = {.reader = window->reader,
                                  .makers = mem_new_array(struct maker, count > 0 ? count : 1),
                                  .count = count,
                                  .file_size = input_size(window->reader->input)};
    enum err err = OK;
    for (uint32_t i = 0; i < count; i++) {
        fragments.makers[i] =
            (struct maker){.id = traks[i].own.id, .trak = &traks[i], .description = 1};
        if (traks[i].own.sample_count > 0 || traks[i].own.stts.count > 0)
            err = ERR_NOT_FOUND; /* in moov too */
    }
    if (err == OK)
        err = read_mvex(&fragments, moov);
    if (err == OK)
        err = walk(&fragments, window, moov->end);
    if (err == OK && !has_samples(&fragments))
        err = ERR_NOT_FOUND;
    for (uint32_t i = 0; i < count && err == OK; i++)
        give_tables(&fragments.makers[i]);
    fini(&fragments);
    return err;
}
