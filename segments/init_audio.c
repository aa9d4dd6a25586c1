/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "segments/box.h"
#include "segments/codec.h"
#include "segments/init_entry.h"

/* ISO 14496-1 7.2.6.6, the registered kinds of MPEG audio. */
#define OTI_AAC   0x40u
#define OTI_MPEG2 0x69u
#define OTI_MPEG1 0x6bu

static enum err say(struct why *why, const char *text)
{
    return why_set(why, ERR_BAD_MEDIA, NULL, "%s", text);
}

/* A descriptor's tag and size, in the one byte form: all of ours are short. */
static void put_descriptor(struct str *out, unsigned tag, size_t size)
{
    box_u8(out, tag);
    box_u8(out, (unsigned) size);
}

/* esds (ISO 14496-14 5.6): ES, its decoder's configuration, its sync layer. */
static void put_esds(unsigned kind, const uint8_t *config, size_t size, struct str *out)
{
    size_t esds = box_open_full(out, "esds", 0, 0);
    size_t specific = size > 0 ? 2 + size : 0;

    put_descriptor(out, 3, 3 + 2 + 13 + specific + 3);
    box_u16(out, 1);
    box_u8(out, 0);
    put_descriptor(out, 4, 13 + specific);
    box_u8(out, kind);
    box_u8(out, 0x15);     /* an audio stream */
    box_zeros(out, 3 + 8); /* buffer and rates: not told */
    if (size > 0) {
        put_descriptor(out, 5, size);
        str_append(out, config, size);
    }
    put_descriptor(out, 6, 1);
    box_u8(out, 2);
    box_close(out, esds);
}

static enum err put_aac(const struct init_track *track, struct str *out, struct why *why)
{
    struct codec_aac aac;

    if (track->config_size > 64 || codec_aac_parse(track->config, track->config_size, &aac) != OK)
        return say(why, "its AAC headers cannot be read");
    if (aac.object_type != 2)
        return say(why, "its AAC is not of the low complexity profile");
    if (aac.channels == 0)
        return say(why, "its AAC describes its channels in a form browsers do not read");
    put_esds(OTI_AAC, track->config, track->config_size, out);
    return OK;
}

static enum err put_mp3(const struct init_track *track, struct str *out, struct why *why)
{
    uint32_t samples;
    bool is_mpeg1;

    if (codec_mp3_parse(track->packet, track->packet_size, &samples, &is_mpeg1) != OK)
        return say(why, "its first MP3 frame cannot be read");
    put_esds(is_mpeg1 ? OTI_MPEG1 : OTI_MPEG2, NULL, 0, out);
    return OK;
}

/* AC3SpecificBox (ETSI TS 102 366 F.4). */
static enum err put_ac3(const struct init_track *track, struct str *out, struct why *why)
{
    struct codec_ac3 ac3;
    const struct codec_ac3_substream *s = &ac3.substreams[0];
    uint32_t bits;
    size_t box;

    if (codec_ac3_parse(track->packet, track->packet_size, &ac3) != OK)
        return say(why, "its first AC-3 frame cannot be read");
    box = box_open(out, "dac3");
    bits = (uint32_t) s->fscod << 22 | (uint32_t) s->bsid << 17 | (uint32_t) s->bsmod << 14 |
           (uint32_t) s->acmod << 11 | (s->lfe ? 1u : 0u) << 10 | ac3.bit_rate_code << 5;
    box_u8(out, bits >> 16);
    box_u16(out, bits & 0xffff);
    box_close(out, box);
    return OK;
}

/* EC3SpecificBox (F.6). */
static enum err put_eac3(const struct init_track *track, struct str *out, struct why *why)
{
    struct codec_ac3 ac3;
    uint8_t objects;
    size_t box;

    if (codec_eac3_parse(track->packet, track->packet_size, &ac3) != OK)
        return say(why, "its first E-AC-3 frame cannot be read");
    box = box_open(out, "dec3");
    box_u16(out, (ac3.kbit_s > 0x1fff ? 0x1fff : ac3.kbit_s) << 3 | (ac3.count - 1));
    for (unsigned i = 0; i < ac3.count; i++) {
        const struct codec_ac3_substream *s = &ac3.substreams[i];
        unsigned dependent = s->dependent > 15 ? 15 : s->dependent;
        box_u8(out, (unsigned) s->fscod << 6 | (unsigned) s->bsid << 1);
        box_u8(out, (unsigned) s->bsmod << 4 | (unsigned) s->acmod << 1 | (s->lfe ? 1 : 0));
        box_u8(out, dependent << 1 | (dependent > 0 ? s->chan_location >> 8 & 1u : 0));
        if (dependent > 0)
            box_u8(out, s->chan_location & 0xffu);
    }
    objects = codec_eac3_objects(track->packet, track->packet_size);
    if (objects > 0) { /* ETSI TS 103 420 C.3.2: flag_ec3_extension_type_a and its index */
        box_u8(out, 1);
        box_u8(out, objects);
    }
    box_close(out, box);
    return OK;
}

/* dfLa: STREAMINFO alone, as the last block. */
static enum err put_flac(const struct init_track *track, struct str *out, struct why *why)
{
    const uint8_t *info;
    size_t box;

    if (codec_flac_find(track->config, track->config_size, &info) != OK)
        return say(why, "its FLAC headers cannot be read");
    box = box_open_full(out, "dfLa", 0, 0);
    box_u32(out, 0x80000000u | 34);
    str_append(out, info, 34);
    box_close(out, box);
    return OK;
}

static uint32_t little(const uint8_t *at, unsigned size)
{
    uint32_t value = 0;

    while (size-- > 0)
        value = value << 8 | at[size];
    return value;
}

#define OPUS_HEAD 19 /* "OpusHead" and the fixed fields, RFC 7845 5.1 */
#define DOPS      11 /* the same fields, version 0, other byte order */

/* dOps with no pre-skip: presentation times carry it, and a player that skips would shift. */
static enum err put_opus(const struct init_track *track, struct str *out, struct why *why)
{
    const uint8_t *c = track->config;
    bool is_head = track->config_size >= OPUS_HEAD && memcmp(c, "OpusHead", 8) == 0;
    size_t fixed = is_head ? OPUS_HEAD : DOPS;
    size_t box;

    if (track->config_size < fixed || track->config_size > fixed + 2 + 255)
        return say(why, "its Opus headers cannot be read");
    box = box_open(out, "dOps");
    box_u8(out, 0);
    box_u8(out, is_head ? c[9] : c[1]);
    box_u16(out, 0);
    if (is_head) {
        box_u32(out, little(c + 12, 4));
        box_u16(out, little(c + 16, 2));
        str_append(out, c + 18, track->config_size - 18);
    } else {
        str_append(out, c + 4, track->config_size - 4);
    }
    box_close(out, box);
    return OK;
}

/* AudioSampleEntry (ISO 14496-12 12.2.3). */
static size_t open_entry(const struct init_track *track, const char type[5], struct str *out)
{
    size_t entry = box_open(out, type);

    box_zeros(out, 6);
    box_u16(out, 1);
    box_zeros(out, 8);
    box_u16(out, track->channels);
    box_u16(out, 16);
    box_zeros(out, 4);
    box_u32(out, track->rate > 0xffff ? 0 : track->rate << 16);
    return entry;
}

enum err init_audio_entry(const struct init_track *track, struct str *out, struct why *why)
{
    static const struct {
        enum plan_codec codec;
        char type[5];
        enum err (*put)(const struct init_track *, struct str *, struct why *);
    } forms[] = {{CODEC_AAC, "mp4a", put_aac},   {CODEC_MP3, "mp4a", put_mp3},
                 {CODEC_AC3, "ac-3", put_ac3},   {CODEC_EAC3, "ec-3", put_eac3},
                 {CODEC_FLAC, "fLaC", put_flac}, {CODEC_OPUS, "Opus", put_opus}};

    if (track->channels == 0 || track->channels > 64 || track->rate == 0)
        return say(why, "its sound has no form");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].codec == track->codec) {
            size_t entry = open_entry(track, forms[i].type, out);
            enum err err = forms[i].put(track, out, why);
            if (err != OK)
                return err;
            box_close(out, entry);
            return OK;
        }
    }
    return say(why, "its codec has no place in fragmented MP4");
}

static enum err aac_frame_size(const struct init_track *track, uint32_t *samples, struct why *why)
{
    struct codec_aac aac;

    if (codec_aac_parse(track->config, track->config_size, &aac) != OK)
        return say(why, "its AAC headers cannot be read");
    if (track->rate != aac.rate && track->rate != 2 * aac.rate)
        return say(why, "its AAC headers tell another sample rate");
    *samples = track->rate == aac.rate ? aac.frame_length : 2 * aac.frame_length;
    return OK;
}

static enum err ac3_frame_size(const struct init_track *track, uint32_t *samples, struct why *why)
{
    struct codec_ac3 ac3;
    enum err err = track->codec == CODEC_AC3
                       ? codec_ac3_parse(track->packet, track->packet_size, &ac3)
                       : codec_eac3_parse(track->packet, track->packet_size, &ac3);

    if (err != OK)
        return say(why, "its first AC-3 frame cannot be read");
    if (ac3.rate != track->rate)
        return say(why, "its AC-3 frames tell another sample rate");
    *samples = ac3.samples;
    return OK;
}

static enum err opus_frame_size(const struct init_track *track, uint32_t *samples, struct why *why)
{
    if (codec_opus_parse(track->packet, track->packet_size, samples) != OK)
        return say(why, "its first Opus packet cannot be read");
    if (track->rate != 48000)
        return say(why, "its Opus is not counted at 48 kHz");
    return OK;
}

enum err init_frame_size(const struct init_track *track, uint32_t *samples, struct why *why)
{
    const uint8_t *info;
    bool is_mpeg1;

    if (track->codec == CODEC_AAC)
        return aac_frame_size(track, samples, why);
    if (track->codec == CODEC_AC3 || track->codec == CODEC_EAC3)
        return ac3_frame_size(track, samples, why);
    if (track->codec == CODEC_OPUS)
        return opus_frame_size(track, samples, why);
    if (track->codec == CODEC_MP3) {
        if (codec_mp3_parse(track->packet, track->packet_size, samples, &is_mpeg1) != OK)
            return say(why, "its first MP3 frame cannot be read");
        return OK;
    }
    if (track->codec != CODEC_FLAC)
        return say(why, "its codec has no place in fragmented MP4");
    if (codec_flac_find(track->config, track->config_size, &info) != OK)
        return say(why, "its FLAC headers cannot be read");
    *samples = codec_flac_block(info);
    return *samples > 0 ? OK : say(why, "its FLAC blocks are not all of one length");
}
