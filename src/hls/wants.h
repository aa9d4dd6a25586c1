/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a media process sleeps for in a source that fills: its WANTs become the source's, and it hears
 * HAVE when it came (decision 18); what will never come fails the job. A job sleeps for one range at a
 * time.
 * Threads: the hub's loop. */
#pragma once

#include "base/mailbox.h"
#include "hls/media.h"
#include "source/source.h"

struct wants;

/* Hears what the jobs of `media` want from now on. Borrows `media`, which ends after it. */
struct wants *wants_new(struct source *source, struct media *media, struct mailbox *mailbox);
/* NULL is accepted; *wants is NULL afterwards. */
void wants_free(struct wants **wants);
/* Some job of it sleeps. NULL is accepted. */
bool wants_any(const struct wants *wants);
