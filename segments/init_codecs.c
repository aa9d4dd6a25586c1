/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CODECS, read from the bytes that players get, so that playlist and media cannot differ. */
#include <stdio.h>
#include <string.h>

#include "segments/box.h"
#include "segments/codec.h"
#include "segments/init.h"

/* Sample entries begin with fixed fields before their boxes (ISO 14496-12 12.1.3, 12.2.3). */
#define VISUAL_FIELDS 78
#define AUDIO_FIELDS  28

static bool find_box(struct bytes from, const char *type, struct bytes *inside)
{
    char found[5];

    while (bytes_box(&from, found, inside)) {
        if (strcmp(found, type) == 0)
            return true;
    }
    return false;
}

/* Down to the one sample entry. */
static bool find_entry(struct bytes init, char type[5], struct bytes *inside)
{
    static const char *const path[] = {"moov", "trak", "mdia", "minf", "stbl", "stsd"};
    struct bytes at = init;

    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        if (!find_box(at, path[i], &at))
            return false;
    }
    bytes_skip(&at, 8);
    return bytes_box(&at, type, inside);
}

struct color {
    unsigned primaries, transfer, matrix, is_full;
};

static struct color find_color(struct bytes boxes)
{
    struct color color = {2, 2, 2, 0};
    struct bytes colr;

    if (find_box(boxes, "colr", &colr) && colr.left >= 11 && memcmp(colr.at, "nclx", 4) == 0) {
        bytes_skip(&colr, 4);
        color.primaries = bytes_number(&colr, 2);
        color.transfer = bytes_number(&colr, 2);
        color.matrix = bytes_number(&colr, 2);
        color.is_full = bytes_number(&colr, 1) >> 7;
    }
    return color;
}

/* What is left out of a string means BT.709 (AV1 in ISO files 5, VP9 in ISO files). */
static bool is_plain(struct color color)
{
    return (color.primaries == 1 || color.primaries == 2) &&
           (color.transfer == 1 || color.transfer == 2) && color.is_full == 0 &&
           (color.matrix == 1 || color.matrix == 2);
}

static enum err avc_codecs(struct bytes boxes, char *out)
{
    struct bytes avcc;

    if (!find_box(boxes, "avcC", &avcc) || avcc.left < 4)
        return ERR_BAD_MEDIA;
    snprintf(out, INIT_CODECS_SIZE, "avc1.%02X%02X%02X", avcc.at[1], avcc.at[2], avcc.at[3]);
    return OK;
}

static uint32_t reverse_bits(uint32_t value)
{
    uint32_t reversed = 0;

    for (int i = 0; i < 32; i++)
        reversed = reversed << 1 | (value >> i & 1);
    return reversed;
}

/* ISO 14496-15 Annex E.3: compatibility flags in reverse bit order, constraints without the zero
 * bytes at their end. */
static enum err hevc_codecs(struct bytes boxes, char *out)
{
    static const char spaces[4][2] = {"", "A", "B", "C"};
    struct bytes hvcc;
    uint32_t flags;
    int length, last = 11;

    if (!find_box(boxes, "hvcC", &hvcc) || hvcc.left < 13)
        return ERR_BAD_MEDIA;
    flags = (uint32_t) hvcc.at[2] << 24 | (uint32_t) hvcc.at[3] << 16 | (uint32_t) hvcc.at[4] << 8 |
            hvcc.at[5];
    length = snprintf(out, INIT_CODECS_SIZE, "hvc1.%s%u.%X.%c%u", spaces[hvcc.at[1] >> 6],
                      hvcc.at[1] & 0x1fu, reverse_bits(flags), (hvcc.at[1] & 0x20) != 0 ? 'H' : 'L',
                      hvcc.at[12]);
    while (last >= 6 && hvcc.at[last] == 0)
        last--;
    for (int i = 6; i <= last; i++)
        length += snprintf(out + length, (size_t) (INIT_CODECS_SIZE - length), ".%X", hvcc.at[i]);
    return OK;
}

/* AV1 in ISO files, section 5. */
static enum err av1_codecs(struct bytes boxes, char *out)
{
    struct bytes av1c;
    struct color c = find_color(boxes);
    unsigned depth, chroma;
    int length;

    if (!find_box(boxes, "av1C", &av1c) || av1c.left < 4)
        return ERR_BAD_MEDIA;
    depth = (av1c.at[2] & 0x40) == 0 ? 8 : (av1c.at[2] & 0x20) != 0 ? 12 : 10;
    chroma = (av1c.at[2] >> 3 & 1u) * 100 + (av1c.at[2] >> 2 & 1u) * 10;
    if (chroma == 110)
        chroma += av1c.at[2] & 3u;
    length = snprintf(out, INIT_CODECS_SIZE, "av01.%u.%02u%c.%02u", av1c.at[1] >> 5u,
                      av1c.at[1] & 0x1fu, (av1c.at[2] & 0x80) != 0 ? 'H' : 'M', depth);
    if (!is_plain(c))
        snprintf(out + length, (size_t) (INIT_CODECS_SIZE - length), ".%u.%03u.%02u.%02u.%02u.%u",
                 av1c.at[2] >> 4 & 1u, chroma, c.primaries, c.transfer, c.matrix, c.is_full);
    return OK;
}

static enum err vp9_codecs(struct bytes boxes, char *out)
{
    struct bytes vpcc;
    struct color c;
    int length;

    if (!find_box(boxes, "vpcC", &vpcc) || vpcc.left < 10)
        return ERR_BAD_MEDIA;
    c = (struct color){vpcc.at[7], vpcc.at[8], vpcc.at[9], vpcc.at[6] & 1u};
    length = snprintf(out, INIT_CODECS_SIZE, "vp09.%02u.%02u.%02u", vpcc.at[4], vpcc.at[5],
                      vpcc.at[6] >> 4u);
    if (!is_plain(c))
        snprintf(out + length, (size_t) (INIT_CODECS_SIZE - length), ".%02u.%02u.%02u.%02u.%02u",
                 vpcc.at[6] >> 1 & 7u, c.primaries, c.transfer, c.matrix, c.is_full);
    return OK;
}

/* Takes a descriptor's tag and size; its payload follows in `from`. */
static unsigned take_descriptor(struct bytes *from)
{
    unsigned tag = bytes_number(from, 1);

    for (int i = 0; i < 4 && (bytes_number(from, 1) & 0x80) != 0; i++)
        continue;
    return tag;
}

static enum err mp4a_codecs(struct bytes boxes, char *out)
{
    struct codec_aac aac;
    struct bytes esds;
    unsigned kind;

    if (!find_box(boxes, "esds", &esds))
        return ERR_BAD_MEDIA;
    bytes_skip(&esds, 4);
    if (take_descriptor(&esds) != 3)
        return ERR_BAD_MEDIA;
    bytes_skip(&esds, 3);
    if (take_descriptor(&esds) != 4)
        return ERR_BAD_MEDIA;
    kind = bytes_number(&esds, 1);
    bytes_skip(&esds, 12);
    if (kind != 0x40) {
        snprintf(out, INIT_CODECS_SIZE, "mp4a.%02X", kind);
        return esds.is_short ? ERR_BAD_MEDIA : OK;
    }
    if (take_descriptor(&esds) != 5 || codec_aac_parse(esds.at, esds.left, &aac) != OK)
        return ERR_BAD_MEDIA;
    snprintf(out, INIT_CODECS_SIZE, "mp4a.40.%u", aac.signalled);
    return OK;
}

static enum err plain_codecs(struct bytes boxes, const char *type, const char *config, char *out)
{
    struct bytes inside;

    if (!find_box(boxes, config, &inside))
        return ERR_BAD_MEDIA;
    snprintf(out, INIT_CODECS_SIZE, "%s", type);
    return OK;
}

enum err init_codecs(const uint8_t *init, size_t size, char out[INIT_CODECS_SIZE])
{
    static const struct {
        char type[5];
        size_t fields;
        enum err (*read)(struct bytes, char *);
        const char *config;
    } forms[] = {
        {"avc1", VISUAL_FIELDS, avc_codecs, NULL}, {"hvc1", VISUAL_FIELDS, hevc_codecs, NULL},
        {"av01", VISUAL_FIELDS, av1_codecs, NULL}, {"vp09", VISUAL_FIELDS, vp9_codecs, NULL},
        {"mp4a", AUDIO_FIELDS, mp4a_codecs, NULL}, {"ac-3", AUDIO_FIELDS, NULL, "dac3"},
        {"ec-3", AUDIO_FIELDS, NULL, "dec3"},      {"fLaC", AUDIO_FIELDS, NULL, "dfLa"},
        {"Opus", AUDIO_FIELDS, NULL, "dOps"}};
    struct bytes entry;
    char type[5];

    if (!find_entry((struct bytes){init, size, false}, type, &entry))
        return ERR_BAD_MEDIA;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(forms[i].type, type) != 0)
            continue;
        bytes_skip(&entry, forms[i].fields);
        if (entry.is_short)
            return ERR_BAD_MEDIA;
        return forms[i].read != NULL ? forms[i].read(entry, out)
                                     : plain_codecs(entry, type, forms[i].config, out);
    }
    return ERR_BAD_MEDIA;
}
