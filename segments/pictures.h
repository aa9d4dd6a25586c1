/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A film's pictures on the plan's grid of constant frame rate (segment-engine 5): slot m shows the
 * last frame whose time rounds to m, or the one before it where none does; the first frame is shown
 * from slot 0, the last one to the end. What a slot shows does not depend on where decoding began.
 * Internal to segments/. Threads: each belongs to one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/decode.h"

struct AVFrame;
struct pictures;

/* Borrows `input` and `plan`; errors as decoder_open. Stands nowhere yet. */
MUST_CHECK enum err pictures_open(struct input *input, const struct plan *plan, uint32_t track,
                                  uint32_t threads, const struct asker *asker,
                                  struct pictures **out, struct why *why);
void pictures_close(struct pictures **pictures);
void pictures_set_asker(struct pictures *pictures, const struct asker *asker);

uint32_t pictures_track(const struct pictures *pictures);
/* The slot that follows the one last shown: no seek is needed for it. INT64_MIN: stands nowhere. */
int64_t pictures_next_slot(const struct pictures *pictures);

/* Stands before `slot`, by decoding from a key frame at or before it; nothing to do where it stands
 * there or one behind. BAD_MEDIA: nothing can be decoded. After CANCELLED, IO or GONE it can only be closed. */
MUST_CHECK enum err pictures_start(struct pictures *pictures, int64_t slot, struct why *why);

/* Lends what the next slot shows until the next call; *is_new: not what the slot before showed (the
 * first after a start is new). */
MUST_CHECK enum err pictures_show(struct pictures *pictures, const struct AVFrame **out,
                                  bool *is_new);
/* Lends what pictures_show will, without moving on. */
const struct AVFrame *pictures_peek(const struct pictures *pictures);
