/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole subtitles as files: tracks of a film, and files beside it, converted by a media process of
 * their own and kept in memory. Whoever asks for what is under way joins.
 * Life of an ask: text_ask -> one answer -> text_ask_close. Threads: the calls and the answer are on
 * the asker's loop; the work is on the hub's. */
#pragma once

#include "base/mailbox.h"
#include "base/why.h"
#include "hls/beside.h"
#include "hls/film.h"
#include "segments/convert.h"

struct hls;
struct text_ask;

struct text_options {
    struct film *film;
    const struct beside_file *file; /* NULL: the film's own track, which `what` names */
    bool is_raw;                    /* the file beside as it is */
    struct convert_what what;
};

/* Lent for the call. */
struct text_answer {
    /* OK; NOT_FOUND, BAD_MEDIA, LIMIT: as convert_subtitle; GONE: the file is another, or no more;
     * BUSY: no process is to be had; IO. */
    enum err kind;
    const struct why *why;
    const char *bytes;
    size_t size;
};
typedef void text_answered_fn(void *ctx, const struct text_answer *answer);

struct text_ask *text_ask(struct hls *hls, const struct text_options *options,
                          struct mailbox *mailbox, text_answered_fn *answered, void *ctx);
/* No answer after this; what is under way goes on, for who asks again. NULL is accepted. */
void text_ask_close(struct text_ask **ask);

/* --- hub's loop, for hls.c --- */
struct texts *texts_new(struct hls *hls);
/* Everything under way ends; asks hear BUSY. */
void texts_stop(struct texts *texts);
/* After the hub's last task. */
void texts_free(struct texts **texts);
