/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

/* Collects up to `end`. Null: not there yet, or there is no room for it. */
static const char *collect(struct answer *answer, const char **bytes, size_t *size, const char *end)
{
    size_t room = ANSWER_HEAD_MAX - 1 - answer->head_length;
    size_t step = *size < room ? *size : room;
    size_t before = answer->head_length;
    memcpy(answer->head + before, *bytes, step);
    answer->head[before + step] = '\0';
    answer->head_length += step;
    const char *found = strstr(answer->head, end);
    if (found != NULL)
        step = (size_t) (found - answer->head) + strlen(end) - before;
    else if (step == room)
        answer->state = ANSWER_WRONG;
    *bytes += step;
    *size -= step;
    return found;
}

static void take_head(struct answer *answer, const char **bytes, size_t *size)
{
    const char *end = collect(answer, bytes, size, "\r\n\r\n");
    if (end == NULL)
        return;
    answer->head[end - answer->head + 2] = '\0';
    answer->head_length = 0;
    if (strncmp(answer->head, "HTTP/1.1 200 ", 13) != 0) {
        answer->state = ANSWER_WRONG;
        return;
    }
    const char *length = strcasestr(answer->head, "\ncontent-length:");
    answer->is_chunked = length == NULL;
    answer->left = length != NULL ? strtoull(length + 16, NULL, 10) : 0;
    answer->state = answer->is_chunked ? ANSWER_SIZE : ANSWER_BODY;
    if (!answer->is_chunked && answer->left == 0)
        answer->state = ANSWER_WHOLE;
}

static void take_body(struct answer *answer, const char **bytes, size_t *size)
{
    size_t step = *size < answer->left ? *size : (size_t) answer->left;
    answer->left -= step;
    answer->bytes += step;
    *bytes += step;
    *size -= step;
    if (answer->left == 0)
        answer->state = answer->is_chunked ? ANSWER_GAP : ANSWER_WHOLE;
}

/* The line ends of a chunk, or of the last one. */
static void take_gap(struct answer *answer, const char **bytes, size_t *size)
{
    if (collect(answer, bytes, size, "\r\n") == NULL)
        return;
    answer->head_length = 0;
    answer->state = answer->left == UINT64_MAX ? ANSWER_WHOLE : ANSWER_SIZE;
}

static void take_size(struct answer *answer, const char **bytes, size_t *size)
{
    if (collect(answer, bytes, size, "\r\n") == NULL)
        return;
    answer->head_length = 0;
    answer->left = strtoull(answer->head, NULL, 16);
    answer->state = ANSWER_BODY;
    if (answer->left == 0) {
        answer->left = UINT64_MAX; /* the last */
        answer->state = ANSWER_GAP;
    }
}

enum answer_state answer_take(struct answer *answer, const char *bytes, size_t size)
{
    while (size > 0 && answer->state != ANSWER_WRONG) {
        switch (answer->state) {
        case ANSWER_HEAD:
            take_head(answer, &bytes, &size);
            break;
        case ANSWER_BODY:
            take_body(answer, &bytes, &size);
            break;
        case ANSWER_SIZE:
            take_size(answer, &bytes, &size);
            break;
        case ANSWER_GAP:
            take_gap(answer, &bytes, &size);
            break;
        case ANSWER_WHOLE:
        case ANSWER_WRONG:
            answer->state = ANSWER_WRONG;
            break;
        }
    }
    return answer->state;
}
