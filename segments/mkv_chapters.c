/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chapters (RFC 9559 5.1.7): the atoms of the default edition, or of the first. */
#include "segments/mkv.h"

enum {
    EDITION = 0x45B9,
    EDITION_FLAG_HIDDEN = 0x45BD,
    EDITION_FLAG_DEFAULT = 0x45DB,
    ATOM = 0xB6,
    ATOM_START = 0x91,
    ATOM_END = 0x92,
    ATOM_FLAG_HIDDEN = 0x98,
    ATOM_FLAG_ENABLED = 0x4598,
    DISPLAY = 0x80,
    DISPLAY_STRING = 0x85,
};

static struct ebml_element find_child(const struct ebml_element *parent, uint32_t id)
{
    struct ebml_element child;
    struct ebml_span span = ebml_children(parent);
    while (ebml_next(&span, &child))
        if (child.id == id)
            return child;
    return (struct ebml_element){0};
}

static void parse_atom(struct mkv *mkv, const struct ebml_element *atom)
{
    struct ebml_element field, title = {0};
    struct ebml_span span = ebml_children(atom);
    uint64_t start = 0, end = 0;
    bool is_shown = true;
    while (ebml_next(&span, &field)) {
        if (field.id == ATOM_START)
            start = ebml_uint(&field, 0);
        else if (field.id == ATOM_END)
            end = ebml_uint(&field, 0);
        else if (field.id == ATOM_FLAG_HIDDEN)
            is_shown = is_shown && ebml_uint(&field, 0) == 0;
        else if (field.id == ATOM_FLAG_ENABLED)
            is_shown = is_shown && ebml_uint(&field, 1) == 1;
        else if (field.id == DISPLAY && title.data == NULL)
            title = find_child(&field, DISPLAY_STRING);
    }
    if (is_shown && start < (uint64_t) TIME_LIMIT_NS && end < (uint64_t) TIME_LIMIT_NS)
        container_add_chapter(&mkv->base, (int64_t) start, (int64_t) end, (const char *) title.data,
                              title.size);
}

void mkv_parse_chapters(struct mkv *mkv, struct ebml_span chapters)
{
    struct ebml_element element, chosen = {0}, flag;
    while (ebml_next(&chapters, &element)) {
        if (element.id != EDITION)
            continue;
        flag = find_child(&element, EDITION_FLAG_HIDDEN);
        if (ebml_uint(&flag, 0) != 0)
            continue;
        flag = find_child(&element, EDITION_FLAG_DEFAULT);
        if (chosen.data == NULL || ebml_uint(&flag, 0) != 0)
            chosen = element;
    }
    struct ebml_span atoms = ebml_children(&chosen);
    while (ebml_next(&atoms, &element))
        if (element.id == ATOM)
            parse_atom(mkv, &element);
}
