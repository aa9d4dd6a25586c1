/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a media process sleeps for in a source that fills: its WANTs become the source's, and it hears
 * HAVE when it came (decision 18); what will never come fails the job. A job sleeps for one range at a
 * time. Only what somebody waits for is wanted now; the rest, made ahead, is wanted soon.
 * Threads: the hub's loop. */
#pragma once

#include "base/mailbox.h"
#include "hls/media.h"
#include "source/source.h"

struct wants;

/* Hears what the jobs of `media` want from now on. Borrows `media`, which ends after it. */
struct wants *wants_new(struct source *source, struct media *media, struct mailbox *mailbox);
/* Before the first job: who says whether somebody waits for one. Without it somebody always does. */
typedef bool wants_awaited_fn(void *ctx, uint64_t job);
void wants_ask(struct wants *wants, wants_awaited_fn *is_awaited, void *ctx);
/* That has changed for the job. NULL is accepted. */
void wants_asked_again(struct wants *wants, uint64_t job);
/* NULL is accepted; *wants is NULL afterwards. */
void wants_free(struct wants **wants);
/* For media_on_want, of work that is done only on films that are all here: what has gone since is not
 * fetched again for it, and fails the job (IO). ctx: the media. */
extern const struct media_want_events wants_none;
/* Some job of it sleeps; this one does. NULL is accepted. */
bool wants_any(const struct wants *wants);
bool wants_sleeps(const struct wants *wants, uint64_t job);
