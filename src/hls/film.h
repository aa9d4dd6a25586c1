/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open film: its source, its plan and the versions its URLs carry (decision 2). Counted and
 * immutable: rooms, playlists and senders share it. Threads: any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "segments/plan.h"
#include "source/source.h"

enum { FILM_KEY_BYTES = 32, FILM_VERSION_SIZE = 9, FILM_ID_SIZE = 65 };

/* What one rendition's segments are made from: identity, plan, engine, rendition. */
struct film_key {
    uint8_t hash[FILM_KEY_BYTES];
};

struct film {
    atomic_uint references;
    _Atomic int64_t used_ms; /* last read from without an ask (shelf.h) */
    /* fixed after new */
    char id[FILM_ID_SIZE];
    struct source *source;
    struct plan *plan;
    uint8_t *plan_bytes; /* as handed to media processes */
    size_t plan_size;
    uint32_t target_s;     /* plan_target_duration: it looks at every segment of every rendition */
    struct film_key *keys; /* one a rendition */
    char (*versions)[FILM_VERSION_SIZE]; /* 8 hex digits, one a rendition */
};

/* Takes source, plan and bytes. `engine` is media_host_engine's. */
struct film *film_new(const char *id, struct source **source, struct plan **plan, uint8_t **bytes,
                      size_t size, const char *engine);
struct film *film_ref(struct film *film);
/* NULL is accepted; *film is NULL afterwards. */
void film_unref(struct film **film);

/* The rendition of a URL: its name, with "-b" behind it for the doubled variant (decision 3). -1:
 * there is none. */
int film_find(const struct film *film, struct slice name);
/* True when `version` (the `v` of a URL) is absent or the rendition's own. */
bool film_is_version(const struct film *film, uint32_t rendition, struct slice version);
