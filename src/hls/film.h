/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open film: its source, its plan and the versions its URLs carry (decision 2). Counted and
 * immutable, but for what lies beside, and a device that fails: rooms, playlists and senders share it. Threads: any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "base/str.h"
#include "hls/beside.h"
#include "segments/plan.h"
#include "source/source.h"

enum { FILM_KEY_BYTES = 32, FILM_VERSION_SIZE = 9, FILM_ID_SIZE = 65 };

/* What one rendition's segments are made from: identity, plan, engine, rendition. */
struct film_key {
    uint8_t hash[FILM_KEY_BYTES];
};

/* What encodes some of a film's renditions (decision 23). */
struct film_device {
    char name[128];  /* as segments/device.h names it */
    char words[160]; /* what encodes, and where */
    struct plan_device plan;
};

struct film {
    atomic_uint references;
    _Atomic int64_t used_ms;    /* last read from without an ask (shelf.h) */
    _Atomic bool is_device_off; /* it failed this film: its renditions are gone */
    /* fixed after new */
    char id[FILM_ID_SIZE];
    struct source *source;
    struct plan *plan;
    uint8_t *plan_bytes; /* as handed to media processes */
    size_t plan_size;
    uint32_t target_s;     /* plan_target_duration: it looks at every segment of every rendition */
    struct film_key *keys; /* one a rendition */
    char (*versions)[FILM_VERSION_SIZE]; /* 8 hex digits, one a rendition */
    char *engine;
    struct film_device device; /* name "": none */
    /* under lock */
    pthread_mutex_t lock;
    struct beside *beside; /* never NULL */
};

/* Takes source, plan and bytes. `engine` is media_host_engine's. */
struct film *film_new(const char *id, struct source **source, struct plan **plan, uint8_t **bytes,
                      size_t size, const char *engine);
/* Adds renditions that the device makes; before anybody else knows the film. */
void film_add_device(struct film *film, const struct film_device *device);
/* It was added and has not failed: else renditions of devices, whoever wrote them into the plan, are not
 * there. */
bool film_has_device(const struct film *film);
struct film *film_ref(struct film *film);
/* NULL is accepted; *film is NULL afterwards. */
void film_unref(struct film **film);

/* The subtitles beside the film's file, as last looked for; empty where there is none. */
void film_set_beside(struct film *film, struct beside **beside);
/* A reference of the caller's, never NULL. */
struct beside *film_beside(struct film *film);
/* The `v` of one of them: its name, size and time, and what makes text of it. */
void film_beside_version(const struct film *film, const struct beside_file *file,
                         char out[FILM_VERSION_SIZE]);

/* The rendition of a URL: its name, with "-b" behind it for the doubled variant (decision 3). -1:
 * there is none. */
int film_find(const struct film *film, struct slice name);
/* True when `version` (the `v` of a URL) is absent or the rendition's own; never of a device that is off. */
bool film_is_version(const struct film *film, uint32_t rendition, struct slice version);
