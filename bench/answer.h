/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An HTTP/1.1 answer as it comes over a connection that stays: where its head ends, and where its
 * body does (RFC 9112 6.3, 7.1). For the load generators; the bytes themselves are not kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_HEAD_MAX = 4096 };

enum answer_state { ANSWER_HEAD, ANSWER_BODY, ANSWER_SIZE, ANSWER_GAP, ANSWER_WHOLE, ANSWER_WRONG };

/* Zeroed: nothing came yet. */
struct answer {
    enum answer_state state;
    bool is_chunked;
    uint64_t left;  /* of the body, or of the chunk */
    uint64_t bytes; /* of the body so far */
    size_t head_length;
    char head[ANSWER_HEAD_MAX]; /* a head, and the size of a chunk */
};

/* WRONG: no answer of ours, or not 200. What comes behind the end is WRONG too. */
enum answer_state answer_take(struct answer *answer, const char *bytes, size_t size);
