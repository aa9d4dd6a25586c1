/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fonts among the attachments (RFC 9559 5.1.6): where their bytes stand. */
#include "segments/mkv.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* Elements of Attachments. */
enum { ATTACHED_FILE = 0x61A7, FILE_NAME = 0x466E, FILE_TYPE = 0x4660, FILE_DATA = 0x465C };
/* Children of one, and files in all, that are looked at. */
#define CHILDREN_MOST 64
#define FILES_MOST    1000
#define NAME_MOST     256

/* One file as it is read. */
struct attached {
    char name[NAME_MOST], type[NAME_MOST];
    uint64_t data, size;
};

static enum err read_words(struct window *window, uint64_t at, uint64_t size, char out[NAME_MOST])
{
    const uint8_t *bytes;
    size_t take = size < NAME_MOST - 1 ? (size_t) size : NAME_MOST - 1;
    if (take == 0)
        return OK;
    enum err err = window_get(window, at, take, &bytes);
    if (err == OK) {
        memcpy(out, bytes, take);
        out[take] = '\0';
    }
    return err;
}

/* The element at *at, which must end by `end`; *at moves past it. NOT_FOUND: no more of them. */
static enum err next_element(struct window *window, uint64_t *at, uint64_t end, uint64_t *data,
                             struct ebml_header *header)
{
    if (*at >= end)
        return ERR_NOT_FOUND;
    enum err err = ebml_read_header(window, *at, header);
    if (err != OK)
        return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
    *data = *at + header->header_size;
    if (header->is_unknown_size || *data > end || header->size > end - *data)
        return ERR_NOT_FOUND;
    *at = *data + header->size;
    return OK;
}

static enum err read_attached(struct window *window, uint64_t at, uint64_t end,
                              struct attached *out)
{
    struct ebml_header header;
    uint64_t data = 0;
    enum err err = OK;
    *out = (struct attached){.size = 0};
    for (unsigned i = 0; i < CHILDREN_MOST && err == OK; i++) {
        err = next_element(window, &at, end, &data, &header);
        if (err == OK && header.id == FILE_NAME)
            err = read_words(window, data, header.size, out->name);
        else if (err == OK && header.id == FILE_TYPE)
            err = read_words(window, data, header.size, out->type);
        else if (err == OK && header.id == FILE_DATA) {
            out->data = data;
            out->size = header.size;
        }
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

static bool is_font(const struct attached *file)
{
    static const char *const endings[] = {".ttf", ".otf", ".ttc", ".otc"};
    const char *ending = strrchr(file->name, '.');
    for (size_t i = 0; ending != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return file->size > 0;
    return file->size > 0 &&
           (strcasestr(file->type, "font") != NULL || strcasestr(file->type, "opentype") != NULL);
}

enum err mkv_font(struct container *container, struct reader *reader, uint32_t number,
                  uint64_t *offset, uint64_t *size)
{
    const struct mkv *mkv = mkv_of(container);
    CLEANUP(mem_free_at) struct window *window = mem_new(struct window);
    struct ebml_header header;
    uint64_t at = mkv->attachments, data = 0;
    uint32_t found = 0;
    if (at == 0)
        return ERR_NOT_FOUND;
    window_init(window, reader);
    enum err err = next_element(window, &at, mkv->segment_end, &data, &header);
    if (err == OK && header.id != MKV_ATTACHMENTS)
        err = ERR_NOT_FOUND;
    uint64_t end = at;
    at = data;
    for (unsigned i = 0; i < FILES_MOST && err == OK; i++) {
        struct attached file = {.size = 0};
        err = next_element(window, &at, end, &data, &header);
        if (err == OK && header.id == ATTACHED_FILE)
            err = read_attached(window, data, data + header.size, &file);
        if (err == OK && is_font(&file) && ++found == number) {
            *offset = file.data;
            *size = file.size;
            return OK;
        }
    }
    return err == OK ? ERR_NOT_FOUND : err;
}
