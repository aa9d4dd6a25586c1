/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample entries: which codec, and its configuration in the form that libavcodec and Matroska have
 * (ISO 14496-12 12.1.3, 12.2.3; QuickTime File Format, Sound Sample Descriptions). */
#include "segments/mp4.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define STSD_LIMIT (1 << 20)

struct entry_name {
    uint32_t type;
    const char *name;
};

static const struct entry_name entry_names[] = {
    {MP4_TYPE('a', 'v', 'c', '1'), "h264"},      {MP4_TYPE('a', 'v', 'c', '2'), "h264"},
    {MP4_TYPE('a', 'v', 'c', '3'), "h264"},      {MP4_TYPE('a', 'v', 'c', '4'), "h264"},
    {MP4_TYPE('d', 'v', 'a', '1'), "h264"},      {MP4_TYPE('d', 'v', 'a', 'v'), "h264"},
    {MP4_TYPE('h', 'v', 'c', '1'), "hevc"},      {MP4_TYPE('h', 'e', 'v', '1'), "hevc"},
    {MP4_TYPE('d', 'v', 'h', '1'), "hevc"},      {MP4_TYPE('d', 'v', 'h', 'e'), "hevc"},
    {MP4_TYPE('a', 'v', '0', '1'), "av1"},       {MP4_TYPE('v', 'p', '0', '9'), "vp9"},
    {MP4_TYPE('v', 'p', '0', '8'), "vp8"},       {MP4_TYPE('m', 'p', '4', 'v'), "mpeg4"},
    {MP4_TYPE('s', '2', '6', '3'), "h263"},      {MP4_TYPE('H', '2', '6', '3'), "h263"},
    {MP4_TYPE('j', 'p', 'e', 'g'), "mjpeg"},     {MP4_TYPE('m', 'j', 'p', 'a'), "mjpeg"},
    {MP4_TYPE('p', 'n', 'g', ' '), "png"},       {MP4_TYPE('a', 'p', 'c', 'h'), "prores"},
    {MP4_TYPE('a', 'p', 'c', 'n'), "prores"},    {MP4_TYPE('a', 'p', 'c', 's'), "prores"},
    {MP4_TYPE('a', 'p', 'c', 'o'), "prores"},    {MP4_TYPE('a', 'p', '4', 'h'), "prores"},
    {MP4_TYPE('m', 'p', '4', 'a'), "aac"},       {MP4_TYPE('.', 'm', 'p', '3'), "mp3"},
    {MP4_TYPE('m', 'p', '3', ' '), "mp3"},       {MP4_TYPE('.', 'm', 'p', '2'), "mp2"},
    {MP4_TYPE('a', 'c', '-', '3'), "ac3"},       {MP4_TYPE('s', 'a', 'c', '3'), "ac3"},
    {MP4_TYPE('e', 'c', '-', '3'), "eac3"},      {MP4_TYPE('O', 'p', 'u', 's'), "opus"},
    {MP4_TYPE('f', 'L', 'a', 'C'), "flac"},      {MP4_TYPE('a', 'l', 'a', 'c'), "alac"},
    {MP4_TYPE('d', 't', 's', 'c'), "dts"},       {MP4_TYPE('d', 't', 's', 'e'), "dts"},
    {MP4_TYPE('d', 't', 's', 'h'), "dts"},       {MP4_TYPE('d', 't', 's', 'l'), "dts"},
    {MP4_TYPE('m', 'l', 'p', 'a'), "truehd"},    {MP4_TYPE('s', 'a', 'm', 'r'), "amrnb"},
    {MP4_TYPE('s', 'a', 'w', 'b'), "amrwb"},     {MP4_TYPE('s', 'o', 'w', 't'), "pcm_s16le"},
    {MP4_TYPE('t', 'w', 'o', 's'), "pcm_s16be"}, {MP4_TYPE('l', 'p', 'c', 'm'), "pcm"},
    {MP4_TYPE('t', 'x', '3', 'g'), "mov_text"},  {MP4_TYPE('t', 'e', 'x', 't'), "mov_text"},
    {MP4_TYPE('w', 'v', 't', 't'), "webvtt"},    {MP4_TYPE('s', 't', 'p', 'p'), "ttml"},
    {MP4_TYPE('c', '6', '0', '8'), "eia_608"},
};

/* objectTypeIndication (ISO 14496-1 7.2.6.6.2 and the registration authority's list). */
static const char *name_object_type(uint8_t type)
{
    switch (type) {
    case 0x20:
        return "mpeg4";
    case 0x40:
    case 0x66:
    case 0x67:
    case 0x68:
        return "aac";
    case 0x60:
    case 0x61:
    case 0x62:
    case 0x63:
    case 0x64:
    case 0x65:
        return "mpeg2video";
    case 0x69:
    case 0x6B:
        return "mp3";
    case 0x6A:
        return "mpeg1video";
    case 0x6C:
        return "mjpeg";
    case 0xA5:
        return "ac3";
    case 0xA6:
        return "eac3";
    case 0xA9:
        return "dts";
    case 0xAD:
        return "opus";
    case 0xDD:
        return "vorbis";
    case 0xE0:
        return "dvd_subtitle";
    default:
        return NULL;
    }
}

static const char *name_entry(uint32_t type, char fallback[5])
{
    for (size_t i = 0; i < sizeof entry_names / sizeof *entry_names; i++)
        if (entry_names[i].type == type)
            return entry_names[i].name;
    for (unsigned i = 0; i < 4; i++) {
        char letter = (char) (type >> (24 - 8 * i));
        fallback[i] = letter > ' ' && letter < 0x7F ? letter : '_';
    }
    fallback[4] = '\0';
    return fallback;
}

/* A descriptor's tag and size in 7 bit groups (ISO 14496-1 8.3.3). */
static bool next_descriptor(struct mp4_bytes *bytes, uint8_t *tag, struct mp4_bytes *body)
{
    size_t size = 0, at = 1;
    if (bytes->left < 2)
        return false;
    *tag = bytes->at[0];
    for (int i = 0; i < 4 && at < bytes->left; i++) {
        uint8_t byte = bytes->at[at++];
        size = size << 7 | (byte & 0x7F);
        if ((byte & 0x80) == 0)
            break;
    }
    size_t left = bytes->left - at;
    *body = (struct mp4_bytes){bytes->at + at, size < left ? size : left};
    bytes->at = body->at + body->left;
    bytes->left = left - body->left;
    return true;
}

static void drop(struct mp4_bytes *bytes, size_t count)
{
    count = count < bytes->left ? count : bytes->left;
    bytes->at += count;
    bytes->left -= count;
}

/* The fields of an ES_Descriptor (ISO 14496-1 7.2.6.5) before its descriptors; three are optional. */
static void drop_stream_fields(struct mp4_bytes *stream)
{
    uint8_t flags = stream->at[2];
    drop(stream, 3);
    if ((flags & 0x80) != 0) /* dependsOn_ES_ID */
        drop(stream, 2);
    if ((flags & 0x40) != 0) /* URL */
        drop(stream, stream->left > 0 ? stream->at[0] + 1U : 0);
    if ((flags & 0x20) != 0) /* OCR_ES_ID */
        drop(stream, 2);
}

/* The DecoderConfigDescriptor of an esds box, in an ES_Descriptor or, as some write it, alone. */
static bool find_decoder_config(struct mp4_bytes body, struct mp4_bytes *config)
{
    uint8_t tag;
    if (!next_descriptor(&body, &tag, config))
        return false;
    if (tag == 3 && config->left >= 3) {
        struct mp4_bytes stream = *config;
        drop_stream_fields(&stream);
        if (!next_descriptor(&stream, &tag, config))
            return false;
    }
    return tag == 4 && config->left >= 13;
}

/* DecoderConfigDescriptor (7.2.6.6) with its DecoderSpecificInfo. `body` begins with the version of
 * the full box. */
static void read_esds(struct plan_track *track, struct mp4_bytes body)
{
    uint8_t tag;
    struct mp4_bytes inner, config;
    drop(&body, 4);
    if (!find_decoder_config(body, &config))
        return;
    const char *name = name_object_type(config.at[0]);
    if (name != NULL)
        container_set_codec(track, name);
    drop(&config, 13);
    while (next_descriptor(&config, &tag, &inner))
        if (tag == 5)
            container_set_extradata(track, inner.at, inner.left);
}

/* dOps (Opus in ISOBMFF 4.3.2) as OpusHead (RFC 7845 5.1): the same fields, little-endian. */
static void read_dops(struct plan_track *track, struct mp4_bytes body)
{
    uint8_t head[19 + 2 + 255] = "OpusHead";
    if (body.left < 11)
        return;
    size_t table = body.left - 11 < 257 ? body.left - 11 : 257;
    const uint8_t *at = body.at;
    head[8] = 1;
    head[9] = at[1];
    head[10] = at[3];
    head[11] = at[2];
    for (size_t i = 0; i < 4; i++)
        head[12 + i] = at[7 - i];
    head[16] = at[9];
    head[17] = at[8];
    head[18] = at[10];
    if (at[10] == 0)
        table = 0;
    memcpy(head + 19, at + 11, table);
    container_set_extradata(track, head, 19 + table);
}

/* dac3 (ETSI TS 102 366 F.4) and dec3 (F.6): the entry's own channel count is always 2. */
static void read_ac3(struct plan_track *track, struct mp4_bytes body, bool is_enhanced)
{
    static const uint8_t channels[8] = {2, 1, 2, 3, 3, 4, 4, 5};
    static const uint32_t rates[4] = {48000, 44100, 32000, 0};
    if (body.left < (is_enhanced ? 5 : 3))
        return;
    const uint8_t *at = body.at + (is_enhanced ? 2 : 0);
    unsigned mode = is_enhanced ? at[1] >> 1 & 7 : at[1] >> 3 & 7;
    unsigned has_lfe = is_enhanced ? at[1] & 1U : at[1] >> 2 & 1U;
    track->channels = channels[mode] + has_lfe;
    if (rates[at[0] >> 6] != 0)
        track->rate = rates[at[0] >> 6];
    container_set_extradata(track, body.at, body.left);
}

static void read_colr(struct plan_track *track, struct mp4_bytes body)
{
    bool is_nclx = body.left >= 11 && mp4_u32(body.at) == MP4_TYPE('n', 'c', 'l', 'x');
    bool is_nclc = body.left >= 10 && mp4_u32(body.at) == MP4_TYPE('n', 'c', 'l', 'c');
    if (!is_nclx && !is_nclc)
        return;
    uint16_t points[3] = {mp4_u16(body.at + 4), mp4_u16(body.at + 6), mp4_u16(body.at + 8)};
    for (int i = 0; i < 3; i++)
        points[i] = points[i] <= UINT8_MAX ? points[i] : 2;
    track->color_primaries = (uint8_t) points[0];
    track->color_transfer = (uint8_t) points[1];
    track->color_matrix = (uint8_t) points[2];
    if (is_nclx)
        track->is_full_range = (body.at[10] & 0x80) != 0;
}

/* A rational of 32 bit parts as a whole number, rounded; false: none, or beyond a picture. */
static bool read_ratio(const uint8_t *at, int64_t *out)
{
    int64_t num = (int32_t) mp4_u32(at), den = mp4_u32(at + 4);
    if (den == 0)
        return false;
    *out = (2 * num + (num < 0 ? -den : den)) / (2 * den);
    return *out > -0x10000 && *out < 0x10000;
}

/* CleanApertureBox (ISO 14496-12 12.1.4): width, height, and how far its centre lies from the
 * picture's. */
static void read_clap(struct plan_track *track, struct mp4_bytes body)
{
    int64_t width, height, x, y;
    if (body.left < 32 || !read_ratio(body.at, &width) || !read_ratio(body.at + 8, &height) ||
        !read_ratio(body.at + 16, &x) || !read_ratio(body.at + 24, &y))
        return;
    int64_t across = track->width - width, down = track->height - height;
    int64_t left = across / 2 + x, top = down / 2 + y;
    if (left >= 0 && top >= 0 && across - left >= 0 && down - top >= 0)
        container_set_crop(track, (uint64_t) left, (uint64_t) (across - left), (uint64_t) top,
                           (uint64_t) (down - top));
}

static void read_video_part(struct plan_track *track, const struct mp4_part *part,
                            struct mp4_bytes *dolby)
{
    const struct mp4_bytes *body = &part->body;
    switch (part->type) {
    case MP4_TYPE('a', 'v', 'c', 'C'):
    case MP4_TYPE('h', 'v', 'c', 'C'):
    case MP4_TYPE('a', 'v', '1', 'C'):
    case MP4_TYPE('v', 'p', 'c', 'C'):
        container_set_extradata(track, body->at, body->left);
        break;
    case MP4_TYPE('e', 's', 'd', 's'):
        read_esds(track, *body);
        break;
    case MP4_TYPE('c', 'o', 'l', 'r'):
        read_colr(track, *body);
        break;
    case MP4_TYPE('p', 'a', 's', 'p'):
        if (body->left >= 8)
            container_set_sar(track, mp4_u32(body->at), mp4_u32(body->at + 4));
        break;
    case MP4_TYPE('c', 'l', 'a', 'p'):
        read_clap(track, *body);
        break;
    case MP4_TYPE('d', 'v', 'c', 'C'):
    case MP4_TYPE('d', 'v', 'v', 'C'):
    case MP4_TYPE('d', 'v', 'w', 'C'):
        *dolby = *body;
        break;
    case MP4_TYPE('f', 'i', 'e', 'l'):
        track->is_interlaced = body->left >= 1 && body->at[0] == 2;
        break;
    default:
        break;
    }
}

static void read_audio_parts(struct plan_track *track, struct mp4_bytes parts);

static void read_audio_part(struct plan_track *track, const struct mp4_part *part)
{
    const struct mp4_bytes *body = &part->body;
    switch (part->type) {
    case MP4_TYPE('e', 's', 'd', 's'):
        read_esds(track, *body);
        break;
    case MP4_TYPE('d', 'a', 'c', '3'):
        read_ac3(track, *body, false);
        break;
    case MP4_TYPE('d', 'e', 'c', '3'):
        read_ac3(track, *body, true);
        break;
    case MP4_TYPE('d', 'O', 'p', 's'):
        read_dops(track, *body);
        break;
    case MP4_TYPE('d', 'f', 'L', 'a'): /* version, then metadata blocks: STREAMINFO is first */
        if (body->left >= 4 + 4 + 34 && (body->at[4] & 0x7F) == 0)
            container_set_extradata(track, body->at + 8, 34);
        break;
    case MP4_TYPE('a', 'l', 'a', 'c'):
        container_set_extradata(track, part->all.at, part->all.left);
        break;
    default:
        break;
    }
}

/* The boxes behind the fixed fields; QuickTime wraps them in a `wave`. */
static void read_audio_parts(struct plan_track *track, struct mp4_bytes parts)
{
    struct mp4_part part, inner;
    while (mp4_next_part(&parts, &part)) {
        read_audio_part(track, &part);
        struct mp4_bytes wave = part.body;
        while (part.type == MP4_TYPE('w', 'a', 'v', 'e') && mp4_next_part(&wave, &inner))
            read_audio_part(track, &inner);
    }
}

/* An AudioSampleEntry behind its 8 common bytes. */
static void read_audio_entry(const struct mp4 *mp4, struct plan_track *track,
                             struct mp4_bytes entry, uint8_t stsd_version)
{
    if (entry.left < 20)
        return;
    uint16_t version = mp4_u16(entry.at);
    track->channels = mp4_u16(entry.at + 8);
    track->rate = mp4_u32(entry.at + 16) >> 16;
    bool is_sound_description = mp4->is_quicktime || stsd_version == 0;
    drop(&entry, 20);
    if (is_sound_description && version == 1) {
        drop(&entry, 16);
    } else if (is_sound_description && version == 2 && entry.left >= 36) {
        uint64_t bits = mp4_u64(entry.at + 4);
        double rate;
        memcpy(&rate, &bits, sizeof rate);
        track->rate = rate >= 1 && rate <= 1536000 ? (uint32_t) rate : 0;
        track->channels = mp4_u32(entry.at + 12) <= 255 ? mp4_u32(entry.at + 12) : 0;
        drop(&entry, 36);
    }
    read_audio_parts(track, entry);
    track->frame_size = container_frame_size(track);
}

/* A VisualSampleEntry behind its 8 common bytes. */
static void read_video_entry(struct plan_track *track, struct mp4_bytes entry,
                             struct mp4_bytes *dolby)
{
    struct mp4_part part;
    if (entry.left < 70)
        return;
    track->width = mp4_u16(entry.at + 16);
    track->height = mp4_u16(entry.at + 18);
    drop(&entry, 70);
    while (mp4_next_part(&entry, &part))
        read_video_part(track, &part, dolby);
}

/* An MpegSampleEntry (ISO 14496-14 5.6), behind its 8 common bytes: of subtitles, the pictures of a DVD
 * with its palette. */
static void read_subpicture_entry(struct plan_track *track, const struct mp4_trak *trak,
                                  struct mp4_bytes entry)
{
    struct mp4_part part;
    track->width = trak->tkhd_width <= UINT16_MAX ? trak->tkhd_width : 0;
    track->height = trak->tkhd_height <= UINT16_MAX ? trak->tkhd_height : 0;
    while (mp4_next_part(&entry, &part))
        if (part.type == MP4_TYPE('e', 's', 'd', 's'))
            read_esds(track, part.body);
}

/* encv, enca: what it would be without the encryption (ISO 14496-12 8.12.2). */
static uint32_t unwrap_type(struct mp4_bytes entry, size_t fixed)
{
    drop(&entry, fixed);
    struct mp4_part sinf = mp4_find_part(entry, MP4_TYPE('s', 'i', 'n', 'f'));
    struct mp4_part format = mp4_find_part(sinf.body, MP4_TYPE('f', 'r', 'm', 'a'));
    return format.body.left >= 4 ? mp4_u32(format.body.at) : 0;
}

static bool is_encrypted(uint32_t type)
{
    return type == MP4_TYPE('e', 'n', 'c', 'v') || type == MP4_TYPE('e', 'n', 'c', 'a') ||
           type == MP4_TYPE('e', 'n', 'c', 't') || type == MP4_TYPE('d', 'r', 'm', 's') ||
           type == MP4_TYPE('d', 'r', 'm', 'i') || type == MP4_TYPE('p', '6', '0', '8');
}

/* A pixel's shape where `pasp` does not say it: from the size that the track is shown at. */
static void guess_sar(struct plan_track *track, const struct mp4_trak *trak)
{
    if (track->sar_num == 0 && trak->tkhd_width > 0 && trak->tkhd_height > 0 && track->width > 0 &&
        track->height > 0 &&
        (trak->tkhd_width != track->width || trak->tkhd_height != track->height))
        container_set_sar(track, (uint64_t) trak->tkhd_width * track->height,
                          (uint64_t) trak->tkhd_height * track->width);
}

static void read_entry(struct mp4 *mp4, const struct mp4_trak *trak, uint32_t index,
                       const struct mp4_part *entry, uint8_t stsd_version)
{
    struct plan_track *track = &mp4->base.tracks[index];
    uint32_t type = entry->type;
    char fallback[5];
    struct mp4_bytes body = entry->body, dolby = {0};
    drop(&body, 8);
    if (is_encrypted(type)) {
        snprintf(track->refused, sizeof track->refused, "the track is encrypted");
        mp4->tracks[index].is_readable = false;
        uint32_t inner = unwrap_type(body, track->kind == PLAN_VIDEO ? 70 : 20);
        type = inner != 0 ? inner : type;
    }
    container_set_codec(track, name_entry(type, fallback));
    if (track->kind == PLAN_AUDIO)
        read_audio_entry(mp4, track, body, stsd_version);
    else if (track->kind == PLAN_VIDEO)
        read_video_entry(track, body, &dolby);
    else if (type == MP4_TYPE('m', 'p', '4', 's'))
        read_subpicture_entry(track, trak, body);
    guess_sar(track, trak);
    container_fill_from_extradata(&mp4->base, index);
    container_set_dolby(track, dolby.at, dolby.left);
}

/* True when the data reference says: in this file (8.7.2). No other file is ever opened. */
static enum err check_reference(struct mp4 *mp4, struct window *window, const struct mp4_trak *trak,
                                uint32_t index, uint16_t reference)
{
    struct mp4_box box;
    uint64_t at = trak->dref.data + 8;
    const uint8_t *flags;
    for (uint16_t i = 1; trak->has_dref && i <= reference; i++) {
        enum err err = mp4_next_box(window, &at, trak->dref.end, &box);
        if (err == OK && i == reference && box.end - box.data >= 4)
            err = window_get(window, box.data, 4, &flags);
        else if (err == OK)
            continue;
        if (err == ERR_NOT_FOUND)
            return OK;
        if (err != OK)
            return err;
        if ((flags[3] & 1) == 0) {
            struct plan_track *track = &mp4->base.tracks[index];
            snprintf(track->refused, sizeof track->refused, "its data is in another file");
            mp4->tracks[index].is_readable = false;
        }
    }
    return OK;
}

enum err mp4_read_entry(struct mp4 *mp4, struct window *window, const struct mp4_trak *trak,
                        uint32_t index)
{
    uint64_t size = trak->stsd.end - trak->stsd.data;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct mp4_part entry = {0};
    if (!trak->has_stsd || size < 8)
        return OK;
    enum err err = window_load(window->reader, trak->stsd.data, size, STSD_LIMIT, &bytes);
    if (err != OK)
        return err == ERR_LIMIT || err == ERR_NOT_FOUND ? OK : err;
    struct mp4_bytes entries = {bytes + 8, (size_t) size - 8};
    mp4->tracks[index].has_many_entries = mp4_u32(bytes + 4) > 1;
    if (!mp4_next_part(&entries, &entry) || entry.body.left < 8)
        return OK;
    read_entry(mp4, trak, index, &entry, bytes[0]);
    return check_reference(mp4, window, trak, index, mp4_u16(entry.body.at + 6));
}
