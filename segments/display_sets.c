/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/display_sets.h"

enum {
    PGS_HEADER = 3,         /* type, size */
    PGS_COMPOSITION = 0x16, /* PCS */
    PGS_COMPOSITION_BYTES = 11,
    PGS_STATE_AT = 7,
    PGS_OBJECTS_AT = 10,
    PGS_ACQUISITION_POINT = 0x40,
    PGS_EPOCH_START = 0x80,
    PGS_STATES = 0xC0,
    PGS_OBJECT_BYTES = 8, /* object, window, flags, x, y */
    PGS_FLAGS_AT = 3,
    PGS_IS_CROPPED = 0x80,
    PGS_CROP_BYTES = 8, /* x, y, width, height */

    DVB_HEADER = 6, /* sync byte, type, page, length */
    DVB_SYNC = 0x0F,
    DVB_PAGE_COMPOSITION = 0x10,
    DVB_PAGE_BYTES = 2, /* time-out, version and state; regions behind */
};

static size_t read_16(const uint8_t *at)
{
    return (size_t) at[0] << 8 | at[1];
}

/* The body of the first presentation composition; NULL: there is none. */
static const uint8_t *find_composition(const uint8_t *bytes, size_t size, size_t *length)
{
    while (size >= PGS_HEADER) {
        size_t left = size - PGS_HEADER;
        const uint8_t *body = bytes + PGS_HEADER;
        *length = read_16(bytes + 1);
        if (*length > left)
            return NULL;
        if (bytes[0] == PGS_COMPOSITION && *length >= PGS_COMPOSITION_BYTES)
            return body;
        bytes = body + *length;
        size = left - *length;
    }
    return NULL;
}

enum event_role pgs_role(const uint8_t *bytes, size_t size)
{
    size_t length = 0;
    const uint8_t *composition = find_composition(bytes, size, &length);
    if (composition == NULL)
        return EVENT_DEPENDS;
    unsigned state = composition[PGS_STATE_AT] & PGS_STATES;
    if (state == PGS_EPOCH_START || state == PGS_ACQUISITION_POINT)
        return EVENT_STARTS;
    return composition[PGS_OBJECTS_AT] == 0 ? EVENT_CLEARS : EVENT_DEPENDS;
}

int pgs_read_crops(const uint8_t *bytes, size_t size, struct pgs_crop *out, int most)
{
    size_t length = 0;
    const uint8_t *at = find_composition(bytes, size, &length);
    if (at == NULL)
        return -1;
    int count = at[PGS_OBJECTS_AT] < most ? at[PGS_OBJECTS_AT] : most;
    at += PGS_COMPOSITION_BYTES;
    length -= PGS_COMPOSITION_BYTES;
    for (int i = 0; i < count; i++) {
        bool is_cropped = length >= PGS_OBJECT_BYTES && (at[PGS_FLAGS_AT] & PGS_IS_CROPPED) != 0;
        size_t step = PGS_OBJECT_BYTES + (is_cropped ? PGS_CROP_BYTES : 0);
        if (length < step)
            return i;
        const uint8_t *crop = at + PGS_OBJECT_BYTES;
        out[i] = (struct pgs_crop){0};
        if (is_cropped)
            out[i] = (struct pgs_crop){(uint32_t) read_16(crop), (uint32_t) read_16(crop + 2),
                                       (uint32_t) read_16(crop + 4), (uint32_t) read_16(crop + 6)};
        at += step;
        length -= step;
    }
    return count;
}

enum event_role dvb_role(const uint8_t *bytes, size_t size)
{
    while (size >= DVB_HEADER && bytes[0] == DVB_SYNC) {
        size_t length = read_16(bytes + 4), left = size - DVB_HEADER;
        const uint8_t *body = bytes + DVB_HEADER;
        if (length > left)
            return EVENT_DEPENDS;
        if (bytes[1] == DVB_PAGE_COMPOSITION && length >= DVB_PAGE_BYTES) {
            /* acquisition point and mode change; 3 is reserved */
            unsigned state = body[1] >> 2 & 3;
            if (state == 1 || state == 2)
                return EVENT_STARTS;
            return length == DVB_PAGE_BYTES ? EVENT_CLEARS : EVENT_DEPENDS;
        }
        bytes = body + length;
        size = left - length;
    }
    return EVENT_DEPENDS;
}
