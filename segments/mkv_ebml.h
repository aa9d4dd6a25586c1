/* SPDX-License-Identifier: GPL-3.0-or-later */
/* EBML (RFC 8794): element headers in the film, and elements inside a master that was loaded into
 * memory. Every size is checked against what holds it. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/window.h"

/* An ID of 4 and a size of 8 bytes. */
#define EBML_HEADER_BYTES 12

struct ebml_header {
    uint32_t id;
    uint32_t header_size;
    uint64_t size; /* of the data; 0 when unknown */
    bool is_unknown_size;
};

/* A variable-size integer (RFC 8794 4): its length, 0 when it does not fit into `left` bytes or is
 * none. `keep_marker` for IDs. */
unsigned ebml_vint(const uint8_t *at, size_t left, bool keep_marker, uint64_t *out);
bool ebml_parse_header(const uint8_t *at, size_t left, struct ebml_header *out);
/* The header at `offset` of the film. NOT_FOUND: the end. BAD_MEDIA: no element begins here. */
MUST_CHECK enum err ebml_read_header(struct window *window, uint64_t offset,
                                     struct ebml_header *out);

/* Elements in memory. */
struct ebml_span {
    const uint8_t *at;
    size_t left;
};
struct ebml_element {
    uint32_t id;
    const uint8_t *data; /* borrowed */
    size_t size;
};

/* The next element; one that claims to be longer than its master is cut off at its end. */
bool ebml_next(struct ebml_span *span, struct ebml_element *out);
struct ebml_span ebml_children(const struct ebml_element *element);
/* An empty element has its default (RFC 8794 11.1.19); so has one of impossible size. */
uint64_t ebml_uint(const struct ebml_element *element, uint64_t fallback);
int64_t ebml_int(const struct ebml_element *element, int64_t fallback);
double ebml_float(const struct ebml_element *element, double fallback);
/* Text up to its first NUL, made well-formed UTF-8, cut at a whole character, terminated. */
void ebml_text(const struct ebml_element *element, char *out, size_t room);
