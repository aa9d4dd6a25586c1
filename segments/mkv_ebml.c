/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/mkv_ebml.h"

#include <string.h>

#include "segments/container_build.h"

unsigned ebml_vint(const uint8_t *at, size_t left, bool keep_marker, uint64_t *out)
{
    if (left == 0 || at[0] == 0)
        return 0;
    unsigned length = (unsigned) __builtin_clz(at[0]) - 23;
    if (length > left)
        return 0;
    uint64_t value = keep_marker ? at[0] : at[0] & (0xFFU >> length);
    for (unsigned i = 1; i < length; i++)
        value = value << 8 | at[i];
    *out = value;
    return length;
}

bool ebml_parse_header(const uint8_t *at, size_t left, struct ebml_header *out)
{
    uint64_t id = 0, size = 0;
    unsigned id_length = ebml_vint(at, left, true, &id);
    if (id_length == 0 || id_length > 4)
        return false;
    unsigned size_length = ebml_vint(at + id_length, left - id_length, false, &size);
    if (size_length == 0)
        return false;
    out->id = (uint32_t) id;
    out->header_size = id_length + size_length;
    out->is_unknown_size = size == (UINT64_C(1) << (7 * size_length)) - 1;
    out->size = out->is_unknown_size ? 0 : size;
    return true;
}

enum err ebml_read_header(struct window *window, uint64_t offset, struct ebml_header *out)
{
    const uint8_t *at;
    size_t got;
    enum err err = window_peek(window, offset, EBML_HEADER_BYTES, &at, &got);
    if (err != OK)
        return err;
    return ebml_parse_header(at, got, out) ? OK : ERR_BAD_MEDIA;
}

bool ebml_next(struct ebml_span *span, struct ebml_element *out)
{
    struct ebml_header header;
    if (!ebml_parse_header(span->at, span->left, &header))
        return false;
    out->id = header.id;
    out->data = span->at + header.header_size;
    size_t left = span->left - header.header_size;
    out->size = header.is_unknown_size || header.size > left ? left : (size_t) header.size;
    span->at = out->data + out->size;
    span->left = left - out->size;
    return true;
}

struct ebml_span ebml_children(const struct ebml_element *element)
{
    return (struct ebml_span){element->data, element->size};
}

uint64_t ebml_uint(const struct ebml_element *element, uint64_t fallback)
{
    if (element->size == 0 || element->size > 8)
        return fallback;
    uint64_t value = 0;
    for (size_t i = 0; i < element->size; i++)
        value = value << 8 | element->data[i];
    return value;
}

int64_t ebml_int(const struct ebml_element *element, int64_t fallback)
{
    if (element->size == 0 || element->size > 8)
        return fallback;
    uint64_t value = (element->data[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < element->size; i++)
        value = value << 8 | element->data[i];
    return (int64_t) value;
}

double ebml_float(const struct ebml_element *element, double fallback)
{
    uint64_t bits = ebml_uint(element, 0);
    double value = fallback;
    if (element->size == 8) {
        memcpy(&value, &bits, sizeof value);
    } else if (element->size == 4) {
        uint32_t half = (uint32_t) bits;
        float narrow;
        memcpy(&narrow, &half, sizeof narrow);
        value = (double) narrow;
    }
    return value;
}

void ebml_text(const struct ebml_element *element, char *out, size_t room)
{
    container_set_text(out, room, (const char *) element->data, element->size);
}
