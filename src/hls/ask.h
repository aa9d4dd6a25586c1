/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A question of a request to the hub: a film, or one of its segments. It stays open while the
 * request waits for the segment or sends it, so that the hub knows what is wanted.
 * Life: ask_open -> answers -> (ask_settle) -> ask_close.
 * Threads: the three calls and the answers are on the asker's loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/mailbox.h"
#include "base/str.h"
#include "base/why.h"
#include "hls/film.h"
#include "hls/segment.h"

struct hls;
struct ask;

enum { ASK_PLAYBACK_SIZE = 65, ASK_NO_RENDITION = -1 };
/* The number that stands for the init segment, where a device makes it. */
#define ASK_INIT UINT32_MAX

enum ask_kind {
    ASK_FILM,    /* the film, planned */
    ASK_SEGMENT, /* a segment, made when it is not there */
    ASK_PEEK,    /* a segment only if it is there: HEAD starts nothing (decision 4) */
    ASK_SOURCE,  /* the file itself, opened for this ask: it need not be playable */
};

struct ask_options {
    enum ask_kind kind;
    struct slice file;
    struct slice rendition; /* absent: the film alone */
    struct slice version;   /* `v`; absent: the present one */
    uint32_t n;
    const char *playback; /* `p` or "" */
};

/* Lent for the call. */
struct ask_answer {
    /* OK; NOT_FOUND: no such file, rendition or number; GONE: another version, or the file changed;
     * BUSY: a newer ask of the same playback took the place, or no process is to be had;
     * BAD_MEDIA: it cannot be played. */
    enum err kind;
    const struct why *why;
    struct film *film;       /* OK */
    int rendition;           /* index, ASK_NO_RENDITION for the film alone */
    struct segment *segment; /* a segment that is made or done; NULL: nothing there (peek) */
    struct source *source;   /* of ASK_SOURCE */
    const char *name;        /* its file name */
};

/* After OK there can be one more answer: BUSY. */
typedef void ask_answered_fn(void *ctx, const struct ask_answer *answer);

struct ask *ask_open(struct hls *hls, const struct ask_options *options, struct mailbox *mailbox,
                     ask_answered_fn *answered, void *ctx);
/* Its bytes are on the way: it no longer counts as held (decision 41). */
void ask_settle(struct ask *ask);
/* No answer after this. *ask is NULL afterwards; NULL is accepted. */
void ask_close(struct ask **ask);
