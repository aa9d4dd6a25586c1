/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/tx3g.h"

#include <string.h>

#include "base/mem.h"
#include "segments/mp4_box.h"
#include "segments/webvtt.h"

/* Face styles (26.245 5.2): bits of a byte. */
enum { FACE_BOLD = 1, FACE_ITALIC = 2, FACE_UNDERLINE = 4 };
#define STYLE_BYTES 12
#define MOST_STYLES 512

/* Characters [from, to) have these faces. */
struct style {
    uint16_t from, to;
    uint8_t faces;
};

static void put_character(struct str *out, uint32_t code)
{
    char bytes[4];
    size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t firsts[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = count; i > 1; i--, code >>= 6)
        bytes[i - 1] = (char) (0x80 | (code & 0x3F));
    bytes[0] = (char) (firsts[count] | code);
    str_append(out, bytes, count);
}

static uint32_t read_unit(const uint8_t *at, bool is_little)
{
    return is_little ? (uint32_t) at[1] << 8 | at[0] : (uint32_t) at[0] << 8 | at[1];
}

/* UTF-16 (26.245 5.2: with a byte order mark) as UTF-8. */
static void from_utf16(const uint8_t *bytes, size_t size, bool is_little, struct str *out)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint32_t code = read_unit(bytes + i, is_little);
        uint32_t next = i + 3 < size ? read_unit(bytes + i + 2, is_little) : 0;
        bool is_pair = code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 && next < 0xE000;
        if (is_pair) {
            code = 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00);
            i += 2;
        }
        put_character(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    }
}

static void read_text(const uint8_t *bytes, size_t size, struct str *out)
{
    bool is_big = size >= 2 && bytes[0] == 0xFE && bytes[1] == 0xFF;
    bool is_little = size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xFE;
    if (is_big || is_little)
        from_utf16(bytes + 2, size - 2, is_little, out);
    else
        str_append_utf8(out, (const char *) bytes, size);
}

/* The records of a `styl` box; returns their number. */
static size_t read_styles(struct mp4_bytes boxes, struct style styles[MOST_STYLES])
{
    struct mp4_part styl = mp4_find_part(boxes, MP4_TYPE('s', 't', 'y', 'l'));
    if (styl.body.left < 2)
        return 0;
    size_t told = mp4_u16(styl.body.at), count = 0;
    const uint8_t *at = styl.body.at + 2;
    for (size_t left = styl.body.left - 2;
         count < told && count < MOST_STYLES && left >= STYLE_BYTES; left -= STYLE_BYTES) {
        styles[count++] = (struct style){mp4_u16(at), mp4_u16(at + 2), at[6]};
        at += STYLE_BYTES;
    }
    return count;
}

static unsigned faces_at(const struct style *styles, size_t count, size_t character)
{
    for (size_t i = 0; i < count; i++)
        if (character >= styles[i].from && character < styles[i].to)
            return styles[i].faces;
    return 0;
}

static void set_faces(struct vtt_text *text, unsigned faces)
{
    static const struct {
        unsigned face;
        char tag;
    } tags[] = {{FACE_BOLD, 'b'}, {FACE_ITALIC, 'i'}, {FACE_UNDERLINE, 'u'}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if ((faces & tags[i].face) == 0)
            vtt_text_close(text, tags[i].tag);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if ((faces & tags[i].face) != 0)
            vtt_text_open(text, tags[i].tag);
}

/* `plain` is UTF-8; styles count its characters. */
static void put_styled(const struct str *plain, const struct style *styles, size_t count,
                       struct vtt_text *text)
{
    size_t begin = 0, character = 0;
    unsigned faces = 0;
    for (size_t i = 0; i < plain->length; i++) {
        if (((unsigned char) plain->at[i] & 0xC0U) == 0x80U)
            continue;
        unsigned now = faces_at(styles, count, character++);
        if (now == faces)
            continue;
        vtt_text_put(text, plain->at + begin, i - begin);
        begin = i;
        set_faces(text, now);
        faces = now;
    }
    if (plain->length > begin)
        vtt_text_put(text, plain->at + begin, plain->length - begin);
}

void tx3g_add_sample(const uint8_t *bytes, size_t size, const int64_t times_ms[2],
                     struct vtt_list *list)
{
    if (size < 2)
        return;
    size_t length = mp4_u16(bytes);
    if (length == 0 || length > size - 2)
        return;
    CLEANUP(mem_free_at) struct style *styles = mem_new_array(struct style, MOST_STYLES);
    struct mp4_bytes boxes = {bytes + 2 + length, size - 2 - length};
    size_t count = read_styles(boxes, styles);
    struct str plain = {0}, settings = {0}, out;
    struct vtt_text text = {0};
    read_text(bytes + 2, length, &plain);
    put_styled(&plain, styles, count, &text);
    vtt_text_finish(&text, &out);
    vtt_list_add(list, times_ms[0], times_ms[1], &settings, &out);
    str_fini(&settings);
    str_fini(&plain);
}

void wvtt_add_sample(const uint8_t *bytes, size_t size, const int64_t times_ms[2],
                     struct vtt_list *list)
{
    struct mp4_bytes boxes = {bytes, size};
    struct mp4_part part;
    while (mp4_next_part(&boxes, &part)) {
        if (part.type != MP4_TYPE('v', 't', 't', 'c'))
            continue;
        struct mp4_part settings = mp4_find_part(part.body, MP4_TYPE('s', 't', 't', 'g'));
        struct mp4_part payload = mp4_find_part(part.body, MP4_TYPE('p', 'a', 'y', 'l'));
        struct slice text = {(const char *) payload.body.at, payload.body.left};
        struct slice list_of = {(const char *) settings.body.at, settings.body.left};
        if (payload.body.left > 0)
            webvtt_add_cue(text, list_of, times_ms, list);
    }
}
