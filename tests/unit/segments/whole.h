/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests: a film opened by the engine itself (planned, then segments gathered in memory), and
 * segments taken apart again. Ends the test where anything of that fails. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "segments/segments.h"

struct whole {
    int fd;
    struct input *input;
    struct plan *plan;     /* NULL when `result` is not OK */
    struct engine *engine; /* NULL without a plan */
    enum err result;
    struct why why;
};

void whole_open(struct whole *whole, const char *path);
void whole_close(struct whole *whole);
/* The same plan and input, with an engine that has made nothing yet. */
void whole_renew(struct whole *whole);
/* The index of a rendition that must be there. */
uint32_t whole_find(const struct whole *whole, const char *name);
bool whole_has(const struct whole *whole, const char *name);

/* What a segment was made of. */
struct recipe {
    uint64_t extent_bytes, own_bytes;
    uint32_t extents, parts;
    uint64_t least, most; /* of the extents: where the first begins, where the last ends */
    size_t first_part;    /* bytes up to the first flush */
    struct why verdict;   /* what the engine said of it */
};
/* Appends segment n; what engine_segment said. `recipe` and `why` may be NULL. */
enum err whole_segment(struct whole *whole, uint32_t rendition, uint32_t n, struct str *out,
                       struct recipe *recipe, struct why *why);
/* Init and all segments. */
void whole_join(struct whole *whole, uint32_t rendition, struct str *out);

/* A segment taken apart: every sample with its times and where its bytes stand. */
struct piece_sample {
    int64_t dts, pts; /* offset taken away, D not */
    uint32_t duration, size;
    bool is_sync;
    size_t at; /* in the segment's bytes */
    uint32_t part;
};
struct piece {
    struct piece_sample *samples;
    size_t count, room;
    uint32_t parts;
};
/* `timescale` of the rendition. */
void piece_read(const struct str *segment, uint32_t timescale, struct piece *out);
void piece_fini(struct piece *piece);

/* A packet of the source, as libavformat reads it, in file order. */
struct source_packet {
    int64_t pts_ns;
    bool is_key;
    uint64_t hash; /* of its payload */
    uint32_t size;
};
struct source_packets {
    struct source_packet *at;
    size_t count, room;
};
/* Of the `number`-th (from 0) stream of the kind; packets that an edit list hides left out. */
void source_read(const char *path, enum plan_kind kind, uint32_t number,
                 struct source_packets *out);
void source_fini(struct source_packets *packets);
uint64_t bytes_hash(const void *bytes, size_t size);

/* ../shared/corpus/media beside the source root; false where it is not there. */
bool corpus_path(char *out, size_t room, const char *name);
/* Opens each film of the corpus that can be opened, and adds up what `look` answers; skips the test where
 * there is no corpus. */
size_t whole_each_of_corpus(size_t (*look)(struct whole *whole, const char *path));
