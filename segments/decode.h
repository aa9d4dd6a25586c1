/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoded frames of one track, in the order in which they are shown: a demux and a decoder that
 * stay warm together. Errors in the film are stepped over: what cannot be decoded is missing.
 * Internal to segments/. Threads: each decoder belongs to one at a time. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/demux.h"
#include "segments/plan.h"
#include "segments/segments.h"

struct AVFrame;
struct decoder;

/* Who asks: may end the work, and hears that it goes on. Plain value; members may be NULL. */
struct asker {
    _Atomic bool *cancelled;
    engine_tick_fn *tick;
    void *tick_ctx;
};
bool asker_is_gone(const struct asker *asker);

/* Whether libavcodec has a decoder for a codec of this (libav's) name. */
bool decoder_exists(const char *codec_name);

/* Borrows `input` and `plan`. BAD_MEDIA with the words, IO, CANCELLED, GONE. */
MUST_CHECK enum err decoder_open(struct input *input, const struct plan *plan, uint32_t track,
                                 uint32_t threads, const struct asker *asker, struct decoder **out,
                                 struct why *why);
void decoder_close(struct decoder **decoder);
void decoder_set_asker(struct decoder *decoder, const struct asker *asker);

/* Goes to where decoding can begin for what is shown or heard at `ns`, and forgets all state. AGAIN:
 * it would begin later than `latest_ns`, an earlier `ns` may help; NOT_FOUND: the container cannot seek, or
 * no key follows; BAD_MEDIA: the decoder does not open again. */
MUST_CHECK enum err decoder_seek(struct decoder *decoder, int64_t ns, int64_t latest_ns);
/* Sound: to where it can be decoded for what is heard at `ns`, by a seek or from the film's start;
 * packets before are skipped. BAD_MEDIA, or only to be closed now. */
MUST_CHECK enum err decoder_stand_before(struct decoder *decoder, int64_t ns);
/* A new codec at the film's first packet; nothing to do where nothing was read yet. */
MUST_CHECK enum err decoder_rewind(struct decoder *decoder);

/* To the film's first key: where no seek found one at or before what was sought. Errors as seek. */
MUST_CHECK enum err decoder_first_key(struct decoder *decoder);
/* Tells of a key frame, as demux_add_key. */
void decoder_lend_key(struct decoder *decoder, uint64_t pos, int64_t ns);
/* After a seek or decoder_first_key of pictures: the time of the key found; DEMUX_NO_TIME. */
int64_t decoder_key_ns(const struct decoder *decoder);
/* The picture of that key alone: nothing after it is read, and what comes next is another seek.
 * BAD_MEDIA: it does not decode without others. */
MUST_CHECK enum err decoder_still(struct decoder *decoder, struct AVFrame *frame);

/* Frames that no other refers to may be left out while their time is before `ns`. */
void decoder_hurry_until(struct decoder *decoder, int64_t ns);
/* Packets of a time before `ns` are not decoded at all (sound). */
void decoder_skip_until(struct decoder *decoder, int64_t ns);

/* The next frame and its time, the source's. NOT_FOUND: the end. BAD_MEDIA: the container cannot be
 * read on. CANCELLED, IO, GONE: the decoder can only be closed now. */
MUST_CHECK enum err decoder_next(struct decoder *decoder, struct AVFrame *frame, int64_t *ns);

/* One tick of the packets' times: how exact `ns` is. */
int64_t decoder_time_step_ns(const struct decoder *decoder);
