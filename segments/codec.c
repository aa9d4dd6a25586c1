/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/codec.h"

#include <string.h>

/* Bits from the front; past the end they are zeros, and `is_short` says so. */
struct bits {
    const uint8_t *at;
    size_t count; /* bits in all */
    size_t next;
    bool is_short;
};

static struct bits bits_of(const uint8_t *bytes, size_t size)
{
    return (struct bits){bytes, size > SIZE_MAX / 8 ? 0 : size * 8, 0, false};
}

static uint32_t take(struct bits *bits, unsigned width)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < width; i++, bits->next++) {
        unsigned bit = 0;
        if (bits->next < bits->count)
            bit = bits->at[bits->next / 8] >> (7 - bits->next % 8) & 1;
        else
            bits->is_short = true;
        value = value << 1 | bit;
    }
    return value;
}

static unsigned take_object_type(struct bits *bits)
{
    unsigned type = take(bits, 5);

    return type == 31 ? 32 + take(bits, 6) : type;
}

static uint32_t take_aac_rate(struct bits *bits)
{
    static const uint32_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                     22050, 16000, 12000, 11025, 8000,  7350};
    unsigned index = take(bits, 4);

    if (index == 15)
        return take(bits, 24);
    return index < sizeof rates / sizeof *rates ? rates[index] : 0;
}

/* The backward compatible signalling after the core's config: 0x2b7, then SBR. */
static void find_late_sbr(struct bits *bits, struct codec_aac *out)
{
    while (bits->next + 16 <= bits->count) {
        struct bits look = *bits;
        if (take(&look, 11) == 0x2b7) {
            if (take_object_type(&look) == 5 && take(&look, 1) == 1) {
                out->signalled = 5;
                out->output_rate = take_aac_rate(&look);
            }
            return;
        }
        bits->next++;
    }
}

enum err codec_aac_parse(const uint8_t *config, size_t size, struct codec_aac *out)
{
    struct bits bits = bits_of(config, size);
    struct codec_aac aac = {0};

    aac.signalled = aac.object_type = take_object_type(&bits);
    aac.output_rate = aac.rate = take_aac_rate(&bits);
    aac.channels = take(&bits, 4);
    if (aac.signalled == 5 || aac.signalled == 29) {
        aac.output_rate = take_aac_rate(&bits);
        aac.object_type = take_object_type(&bits);
    }
    if (aac.object_type < 1 || aac.object_type > 4)
        return ERR_BAD_MEDIA; /* LC, Main, SSR, LTP share GASpecificConfig; others are rare */
    aac.frame_length = take(&bits, 1) ? 960 : 1024;
    if (bits.is_short || aac.rate == 0 || aac.output_rate == 0)
        return ERR_BAD_MEDIA;
    if (aac.signalled == aac.object_type)
        find_late_sbr(&bits, &aac);
    if (aac.output_rate != aac.rate && aac.output_rate != 2 * aac.rate)
        return ERR_BAD_MEDIA;
    *out = aac;
    return OK;
}

static const uint32_t ac3_rates[] = {48000, 44100, 32000};

#define AC3_SYNC 0x0b77u

enum err codec_ac3_parse(const uint8_t *packet, size_t size, struct codec_ac3 *out)
{
    struct bits bits = bits_of(packet, size);
    struct codec_ac3 ac3 = {.count = 1, .samples = 1536};
    struct codec_ac3_substream *s = &ac3.substreams[0];
    bool is_sync = take(&bits, 16) == AC3_SYNC;

    take(&bits, 16);
    s->fscod = (uint8_t) take(&bits, 2);
    ac3.bit_rate_code = take(&bits, 6) >> 1;
    s->bsid = (uint8_t) take(&bits, 5);
    s->bsmod = (uint8_t) take(&bits, 3);
    s->acmod = (uint8_t) take(&bits, 3);
    if ((s->acmod & 1) != 0 && s->acmod != 1)
        take(&bits, 2);
    if ((s->acmod & 4) != 0)
        take(&bits, 2);
    if (s->acmod == 2)
        take(&bits, 2);
    s->lfe = take(&bits, 1) == 1;
    if (!is_sync || bits.is_short || s->fscod == 3 || s->bsid > 10 || ac3.bit_rate_code > 18)
        return ERR_BAD_MEDIA;
    ac3.rate = ac3_rates[s->fscod] >> (s->bsid > 8 ? s->bsid - 8 : 0);
    *out = ac3;
    return OK;
}

/* Custom channel map (E.1.3.1.8, bit 0 first) to the locations of dec3 (F.6.1). */
static uint16_t channel_locations(uint32_t map)
{
    static const uint8_t from[] = {5, 6, 7, 8, 9, 10, 11, 12, 14};
    uint16_t locations = 0;

    for (unsigned i = 0; i < sizeof from; i++) {
        if ((map >> (15 - from[i]) & 1) != 0)
            locations = (uint16_t) (locations | 1u << i);
    }
    return locations;
}

struct eac3_frame {
    unsigned type, id;
    size_t size;
    uint32_t rate, samples;
    struct codec_ac3_substream head;
    uint16_t locations;
};

/* Steps to the channel map of a dependent substream. */
static uint16_t take_locations(struct bits *bits, unsigned acmod)
{
    for (int i = 0; i < (acmod == 0 ? 2 : 1); i++) {
        take(bits, 5); /* dialnorm */
        if (take(bits, 1) == 1)
            take(bits, 8); /* compr */
    }
    return take(bits, 1) == 1 ? channel_locations(take(bits, 16)) : 0;
}

static bool take_eac3_frame(const uint8_t *packet, size_t size, struct eac3_frame *out)
{
    static const uint32_t blocks[] = {1, 2, 3, 6};
    struct bits bits = bits_of(packet, size);
    bool is_sync = take(&bits, 16) == AC3_SYNC;

    *out = (struct eac3_frame){0};
    out->type = take(&bits, 2);
    out->id = take(&bits, 3);
    out->size = (take(&bits, 11) + 1) * 2;
    out->head.fscod = (uint8_t) take(&bits, 2);
    if (out->head.fscod == 3) {
        unsigned half = take(&bits, 2);
        out->rate = half < 3 ? ac3_rates[half] / 2 : 0;
        out->samples = 1536;
    } else {
        out->rate = ac3_rates[out->head.fscod];
        out->samples = 256 * blocks[take(&bits, 2)];
    }
    out->head.acmod = (uint8_t) take(&bits, 3);
    out->head.lfe = take(&bits, 1) == 1;
    out->head.bsid = (uint8_t) take(&bits, 5);
    if (out->type == 1)
        out->locations = take_locations(&bits, out->head.acmod);
    return is_sync && !bits.is_short && out->rate != 0 && out->head.bsid > 10 &&
           out->head.bsid <= 16 && out->size <= size;
}

enum err codec_eac3_parse(const uint8_t *packet, size_t size, struct codec_ac3 *out)
{
    struct codec_ac3 ac3 = {0};
    struct eac3_frame frame;

    for (size_t at = 0; at + 6 <= size; at += frame.size) {
        if (!take_eac3_frame(packet + at, size - at, &frame))
            break;
        if (frame.type == 1 && ac3.count > 0) {
            ac3.substreams[ac3.count - 1].dependent++;
            ac3.substreams[ac3.count - 1].chan_location |= frame.locations;
        } else if (frame.id == 0) {
            ac3.substreams[0] = ac3.count == 0 ? frame.head : ac3.substreams[0];
            ac3.count = ac3.count == 0 ? 1 : ac3.count;
            ac3.samples += frame.samples; /* several frames of few blocks make one packet */
            ac3.rate = frame.rate;
        } else if (frame.id == ac3.count && ac3.count < CODEC_AC3_SUBSTREAMS) {
            ac3.substreams[ac3.count++] = frame.head;
        }
    }
    if (ac3.count == 0 || ac3.samples == 0)
        return ERR_BAD_MEDIA;
    ac3.kbit_s =
        (uint32_t) (((uint64_t) size * 8 * ac3.rate / ac3.samples + 500) / 1000); /* rounded */
    *out = ac3;
    return OK;
}

enum err codec_mp3_parse(const uint8_t *packet, size_t size, uint32_t *samples, bool *is_mpeg1)
{
    struct bits bits = bits_of(packet, size);
    uint32_t sync = take(&bits, 11);
    uint32_t version = take(&bits, 2);
    uint32_t layer = take(&bits, 2);

    if (bits.is_short || sync != 0x7ff || version == 1 || layer != 1)
        return ERR_BAD_MEDIA;
    *is_mpeg1 = version == 3;
    *samples = version == 3 ? 1152 : 576;
    return OK;
}

enum err codec_opus_parse(const uint8_t *packet, size_t size, uint32_t *samples)
{
    static const uint32_t silk[] = {480, 960, 1920, 2880};
    unsigned config, count;
    uint32_t frame;

    if (size < 1)
        return ERR_BAD_MEDIA;
    config = packet[0] >> 3;
    if (config < 12)
        frame = silk[config % 4];
    else if (config < 16)
        frame = config % 2 == 0 ? 480 : 960;
    else
        frame = 120u << (config % 4);
    count = (packet[0] & 3) == 0 ? 1 : 2;
    if ((packet[0] & 3) == 3) {
        if (size < 2)
            return ERR_BAD_MEDIA;
        count = packet[1] & 0x3f;
    }
    *samples = frame * count;
    return *samples > 0 && *samples <= 5760 ? OK : ERR_BAD_MEDIA;
}

#define STREAMINFO_SIZE 34

/* The header of a STREAMINFO block: type 0, last or not, 34 bytes. */
static bool is_streaminfo(const uint8_t *at, size_t size)
{
    return size >= 4 + STREAMINFO_SIZE && (at[0] & 0x7f) == 0 && at[1] == 0 && at[2] == 0 &&
           at[3] == STREAMINFO_SIZE;
}

enum err codec_flac_find(const uint8_t *config, size_t size, const uint8_t **info)
{
    if (size == STREAMINFO_SIZE)
        *info = config;
    else if (is_streaminfo(config, size))
        *info = config + 4;
    else if (size > 4 && is_streaminfo(config + 4, size - 4)) /* after fLaC, or dfLa's version */
        *info = config + 8;
    else
        return ERR_NOT_FOUND;
    return OK;
}

uint32_t codec_flac_block(const uint8_t *info)
{
    uint32_t least = (uint32_t) info[0] << 8 | info[1];
    uint32_t most = (uint32_t) info[2] << 8 | info[3];

    return least == most ? most : 0;
}

enum err codec_vp9_parse(const uint8_t *packet, size_t size, struct codec_vp9 *out)
{
    struct bits bits = bits_of(packet, size);
    struct codec_vp9 vp9 = {.bit_depth = 8, .is_420 = true};
    bool is_good = take(&bits, 2) == 2;
    unsigned low = take(&bits, 1);

    vp9.profile = (uint8_t) (take(&bits, 1) << 1 | low);
    if (vp9.profile == 3)
        take(&bits, 1);
    is_good = is_good && take(&bits, 2) == 0; /* shows no old frame; is a key */
    take(&bits, 2);
    is_good = is_good && take(&bits, 24) == 0x498342;
    if (vp9.profile >= 2)
        vp9.bit_depth = take(&bits, 1) ? 12 : 10;
    vp9.color_space = (uint8_t) take(&bits, 3);
    if (vp9.color_space != 7) {
        vp9.is_full_range = take(&bits, 1) == 1;
        if (vp9.profile % 2 == 1)
            vp9.is_420 = take(&bits, 2) == 3;
    } else {
        vp9.is_full_range = true;
        vp9.is_420 = false;
    }
    if (!is_good || bits.is_short)
        return ERR_BAD_MEDIA;
    *out = vp9;
    return OK;
}

unsigned codec_vp9_level(uint32_t width, uint32_t height, uint32_t fps)
{
    static const struct {
        unsigned level;
        uint64_t rate, picture;
    } levels[] = {
        {10, 829440, 36864},         {11, 2764800, 73728},       {20, 4608000, 122880},
        {21, 9216000, 245760},       {30, 20736000, 552960},     {31, 36864000, 983040},
        {40, 83558400, 2228224},     {41, 160432128, 2228224},   {50, 311951360, 8912896},
        {51, 588251136, 8912896},    {52, 1176502272, 8912896},  {60, 1176502272, 35651584},
        {61, 2353004544u, 35651584}, {62, 4706009088u, 35651584}};
    uint64_t picture = (uint64_t) width * height;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (picture <= levels[i].picture && picture * fps <= levels[i].rate)
            return levels[i].level;
    }
    return 62;
}
