/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A trak and all that hangs below it (ISO 14496-12 8.3 to 8.7): headers are read, tables noted. */
#include "segments/mp4.h"

#include <string.h>

static enum err read_tkhd(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, 84, &at);
    if (err == OK && at[0] == 1)
        err = mp4_get_data(window, box, 96, &at);
    if (err != OK)
        return mp4_forgive(err);
    bool is_long = at[0] == 1;
    trak->is_enabled = (at[3] & 1) != 0;
    trak->own.id = mp4_u32(at + (is_long ? 20 : 12));
    const uint8_t *matrix = at + (is_long ? 52 : 40);
    static const uint8_t places[4] = {0, 4, 12, 16}; /* a b c d */
    for (int i = 0; i < 4; i++)
        trak->matrix[i] = (int32_t) mp4_u32(matrix + places[i]);
    trak->tkhd_width = mp4_u32(matrix + 36) >> 16;
    trak->tkhd_height = mp4_u32(matrix + 40) >> 16;
    return OK;
}

/* Three letters of 5 bits (8.4.2.3), or one of QuickTime's old codes. */
static void read_language(struct mp4_trak *trak, uint16_t code)
{
    static const char *const mac[] = {"eng", "fre", "ger", "ita", "dut", "swe", "spa",
                                      "dan", "por", "nor", "heb", "jpn", "ara", "fin"};
    if (trak->language[0] != '\0')
        return;
    if (code >= 0x400 && code != 0x7FFF)
        for (int i = 0; i < 3; i++)
            trak->language[i] = (char) ('`' + (code >> (10 - 5 * i) & 0x1F));
    else if (code < sizeof mac / sizeof *mac)
        memcpy(trak->language, mac[code], 4);
}

static enum err read_mdhd(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, 22, &at);
    if (err == OK && at[0] == 1)
        err = mp4_get_data(window, box, 34, &at);
    if (err != OK)
        return mp4_forgive(err);
    bool is_long = at[0] == 1;
    trak->own.timescale = mp4_u32(at + (is_long ? 20 : 12));
    trak->own.duration = is_long ? mp4_u64(at + 24) : mp4_u32(at + 16);
    if (trak->own.timescale > INT32_MAX)
        trak->own.timescale = 0;
    read_language(trak, mp4_u16(at + (is_long ? 32 : 20)));
    return OK;
}

/* elng (8.4.6): BCP 47, says more than mdhd. */
static enum err read_elng(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    uint64_t size = box->end - box->data;
    if (size <= 4 || size - 4 >= sizeof trak->language)
        return OK;
    enum err err = mp4_get_data(window, box, (size_t) size, &at);
    if (err == OK) {
        memset(trak->language, 0, sizeof trak->language);
        memcpy(trak->language, at + 4, (size_t) size - 4);
    }
    return mp4_forgive(err);
}

static enum err read_edits(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, 8, &at);
    if (err != OK)
        return mp4_forgive(err);
    bool is_long = at[0] == 1;
    uint32_t count = mp4_u32(at + 4);
    uint64_t width = is_long ? 20 : 12;
    /* One elst a track (ISO 14496-12 8.6.6.1): a second one is more than we know how to follow. */
    bool is_second = trak->own.edit_count > 0;
    trak->own.has_more_edits |= is_second || count > MP4_MAX_EDITS;
    if (is_second)
        return OK;
    for (uint32_t i = 0; i < count && i < MP4_MAX_EDITS; i++) {
        struct mp4_box entry = {0, box->data + 8 + i * width, box->end};
        if (entry.data > entry.end)
            break;
        err = mp4_get_data(window, &entry, (size_t) width, &at);
        if (err != OK)
            return mp4_forgive(err);
        struct mp4_edit *edit = &trak->own.edits[trak->own.edit_count++];
        edit->duration = is_long ? mp4_u64(at) : mp4_u32(at);
        edit->media_time =
            is_long ? (int64_t) mp4_u64(at + 8) : (int64_t) (int32_t) mp4_u32(at + 4);
        edit->is_normal_rate = mp4_u32(at + width - 4) == 0x10000;
    }
    return OK;
}

/* A table with a count before entries of `bits` each: noted, and cut at the end of its box. */
static enum err note_table(struct window *window, const struct mp4_box *box, unsigned count_at,
                           unsigned bits, struct mp4_table *out)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, count_at + 4, &at);
    if (err != OK || out->count > 0)
        return mp4_forgive(err);
    uint64_t room = (box->end - box->data - count_at - 4) * 8 / bits;
    out->count = mp4_u32(at + count_at);
    if (out->count > room)
        out->count = (uint32_t) room;
    out->at = box->data + count_at + 4;
    return OK;
}

static enum err note_sizes(struct window *window, struct mp4_track *track,
                           const struct mp4_box *box, bool is_compact)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, 12, &at);
    if (err != OK)
        return mp4_forgive(err);
    track->fixed_size = is_compact ? 0 : mp4_u32(at + 4);
    track->size_bits = is_compact ? at[7] : 32;
    track->sample_count = mp4_u32(at + 8);
    if (track->size_bits != 4 && track->size_bits != 8 && track->size_bits != 16 &&
        track->size_bits != 32)
        track->sample_count = 0;
    if (track->fixed_size != 0 || track->sample_count == 0)
        return OK;
    err = note_table(window, box, 8, track->size_bits, &track->stsz);
    track->sample_count = track->stsz.count;
    return err;
}

static enum err read_stbl_box(struct window *window, struct mp4_trak *trak,
                              const struct mp4_box *box)
{
    struct mp4_track *own = &trak->own;
    switch (box->type) {
    case MP4_TYPE('s', 't', 's', 'd'):
        trak->stsd = *box;
        trak->has_stsd = true;
        return OK;
    case MP4_TYPE('s', 't', 't', 's'):
        return note_table(window, box, 4, 64, &own->stts);
    case MP4_TYPE('c', 't', 't', 's'):
        return note_table(window, box, 4, 64, &own->ctts);
    case MP4_TYPE('s', 't', 's', 's'):
        own->has_stss = true;
        return note_table(window, box, 4, 32, &own->stss);
    case MP4_TYPE('s', 't', 's', 'c'):
        return note_table(window, box, 4, 96, &own->stsc);
    case MP4_TYPE('s', 't', 's', 'z'):
        return note_sizes(window, own, box, false);
    case MP4_TYPE('s', 't', 'z', '2'):
        return note_sizes(window, own, box, true);
    case MP4_TYPE('s', 't', 'c', 'o'):
        own->chunk_bytes = 4;
        return note_table(window, box, 4, 32, &own->stco);
    case MP4_TYPE('c', 'o', '6', '4'):
        own->chunk_bytes = 8;
        return note_table(window, box, 4, 64, &own->stco);
    default:
        return OK;
    }
}

static enum err read_name(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    size_t got = 0;
    uint64_t size = box->end - box->data;
    if (size == 0)
        return OK;
    enum err err = window_peek(window, box->data, size < 512 ? (size_t) size : 512, &at, &got);
    if (err == OK)
        container_set_text(trak->name, sizeof trak->name, (const char *) at, got);
    return mp4_forgive(err);
}

/* What the track is for: `kind` (ISO 14496-12 8.10.4; the roles of ISO 23009-1 5.8.5.5 and of HTML), and
 * QuickTime's `tagc`, in which Apple writes its characteristics. */
static enum err read_purpose(struct window *window, struct mp4_trak *trak,
                             const struct mp4_box *box)
{
    static const char *const descriptive[] = {"describes-video", "description", "main-desc"};
    static const char *const commentary[] = {"commentary", "auxiliary-content"};
    const uint8_t *at;
    size_t got = 0;
    uint64_t size = box->end - box->data;
    if (size == 0)
        return OK;
    enum err err = window_peek(window, box->data, size < 256 ? (size_t) size : 256, &at, &got);
    for (size_t i = 0; err == OK && i < sizeof descriptive / sizeof *descriptive; i++)
        trak->is_descriptive |= memmem(at, got, descriptive[i], strlen(descriptive[i])) != NULL;
    for (size_t i = 0; err == OK && i < sizeof commentary / sizeof *commentary; i++)
        trak->is_commentary |= memmem(at, got, commentary[i], strlen(commentary[i])) != NULL;
    return mp4_forgive(err);
}

/* tref/chap (QuickTime): the track that holds our chapters. */
static enum err read_chap(struct window *window, struct mp4_trak *trak, const struct mp4_box *box)
{
    const uint8_t *at;
    enum err err = mp4_get_data(window, box, 4, &at);
    if (err == OK && trak->own.chapters_in == 0)
        trak->own.chapters_in = mp4_u32(at);
    return mp4_forgive(err);
}

static enum err read_children(struct window *window, struct mp4_trak *trak,
                              const struct mp4_box *parent, int depth);

static enum err read_trak_box(struct window *window, struct mp4_trak *trak,
                              const struct mp4_box *box, int depth)
{
    const uint8_t *at;
    enum err err;
    switch (box->type) {
    case MP4_TYPE('m', 'd', 'i', 'a'):
    case MP4_TYPE('m', 'i', 'n', 'f'):
    case MP4_TYPE('d', 'i', 'n', 'f'):
    case MP4_TYPE('s', 't', 'b', 'l'):
    case MP4_TYPE('e', 'd', 't', 's'):
    case MP4_TYPE('t', 'r', 'e', 'f'):
    case MP4_TYPE('u', 'd', 't', 'a'):
        return depth < 6 ? read_children(window, trak, box, depth + 1) : OK;
    case MP4_TYPE('t', 'k', 'h', 'd'):
        return read_tkhd(window, trak, box);
    case MP4_TYPE('m', 'd', 'h', 'd'):
        return read_mdhd(window, trak, box);
    case MP4_TYPE('e', 'l', 'n', 'g'):
        return read_elng(window, trak, box);
    case MP4_TYPE('e', 'l', 's', 't'):
        return read_edits(window, trak, box);
    case MP4_TYPE('n', 'a', 'm', 'e'):
        return read_name(window, trak, box);
    case MP4_TYPE('k', 'i', 'n', 'd'):
    case MP4_TYPE('t', 'a', 'g', 'c'):
        return read_purpose(window, trak, box);
    case MP4_TYPE('c', 'h', 'a', 'p'):
        return read_chap(window, trak, box);
    case MP4_TYPE('d', 'r', 'e', 'f'):
        trak->dref = *box;
        trak->has_dref = true;
        return OK;
    case MP4_TYPE('h', 'd', 'l', 'r'): /* minf of QuickTime has a second one, of its data */
        err = mp4_get_data(window, box, 12, &at);
        if (err == OK && trak->handler == 0)
            trak->handler = mp4_u32(at + 8);
        return mp4_forgive(err);
    default:
        return read_stbl_box(window, trak, box);
    }
}

static enum err read_children(struct window *window, struct mp4_trak *trak,
                              const struct mp4_box *parent, int depth)
{
    struct mp4_box box;
    uint64_t at = parent->data;
    for (unsigned i = 0; i < MP4_MAX_BOXES; i++) {
        enum err err = mp4_next_box(window, &at, parent->end, &box);
        if (err != OK)
            return mp4_forgive(err);
        err = read_trak_box(window, trak, &box, depth);
        if (err != OK)
            return err;
    }
    return OK;
}

enum err mp4_read_trak(struct window *window, const struct mp4_box *box, struct mp4_trak *trak)
{
    return read_children(window, trak, box, 0);
}
