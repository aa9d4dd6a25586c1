/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/mp4_box.h"

enum err mp4_next_box(struct window *window, uint64_t *at, uint64_t end, struct mp4_box *out)
{
    const uint8_t *bytes;
    uint64_t start = *at, header = 8;
    if (start >= end || end - start < header)
        return ERR_NOT_FOUND;
    enum err err = window_get(window, start, (size_t) header, &bytes);
    if (err != OK)
        return err;
    uint64_t size = mp4_u32(bytes);
    uint32_t type = mp4_u32(bytes + 4);
    if (size == 1) { /* largesize */
        header = 16;
        if (end - start < header)
            return ERR_NOT_FOUND;
        err = window_get(window, start, (size_t) header, &bytes);
        if (err != OK)
            return err;
        size = mp4_u64(bytes + 8);
    } else if (size == 0) { /* to the end */
        size = end - start;
    }
    if (size < header)
        return ERR_NOT_FOUND;
    out->type = type;
    out->data = start + header;
    out->end = size > end - start ? end : start + size;
    *at = out->end;
    return OK;
}

bool mp4_next_part(struct mp4_bytes *bytes, struct mp4_part *out)
{
    if (bytes->left < 8)
        return false;
    uint64_t size = mp4_u32(bytes->at), header = 8;
    out->type = mp4_u32(bytes->at + 4);
    if (size == 1 && bytes->left >= 16) {
        header = 16;
        size = mp4_u64(bytes->at + 8);
    } else if (size == 0) {
        size = bytes->left;
    }
    if (size < header)
        return false;
    size_t whole = size > bytes->left ? bytes->left : (size_t) size;
    out->all = (struct mp4_bytes){bytes->at, whole};
    out->body = (struct mp4_bytes){bytes->at + header, whole - (size_t) header};
    bytes->at += whole;
    bytes->left -= whole;
    return true;
}

struct mp4_part mp4_find_part(struct mp4_bytes bytes, uint32_t type)
{
    struct mp4_part part;
    while (mp4_next_part(&bytes, &part))
        if (part.type == type)
            return part;
    return (struct mp4_part){0};
}

enum err mp4_get_data(struct window *window, const struct mp4_box *box, size_t size,
                      const uint8_t **out)
{
    if (box->end - box->data < size)
        return ERR_NOT_FOUND;
    return window_get(window, box->data, size, out);
}
