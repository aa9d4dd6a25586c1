/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libavformat over input.h: packets to decode from, of any container on our list. No protocol, no
 * second file: a playlist, a concat script or an image renamed .mp4 opens nothing (decision 16).
 * Internal to segments/: names libav's structs, whose owner is the demux unless said.
 * Life: opened -> read, sought, read... -> closed; after CANCELLED, IO or GONE only closed.
 * Threads: each demux belongs to one at a time. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/input.h"

struct AVFormatContext;
struct AVPacket;
struct AVRational;
struct AVStream;

struct demux;

/* Copies `reader`. `probe`: look into the packets for what headers leave out (libavformat's
 * find_stream_info, tens of ms); Matroska and MP4 say enough without, others are always probed.
 * BAD_MEDIA with the words; IO, CANCELLED, GONE. */
MUST_CHECK enum err demux_open(const struct reader *reader, bool probe, struct demux **out,
                               struct why *why);
void demux_close(struct demux **demux);

/* Who may end the reads from now on; NULL: nobody. */
void demux_set_cancelled(struct demux *demux, _Atomic bool *cancelled);

/* Lent until demux_close. */
struct AVFormatContext *demux_context(struct demux *demux);
/* NULL: there is no such stream. */
struct AVStream *demux_stream(struct demux *demux, uint32_t stream_index);

/* From now on only this stream's packets are read. BAD_MEDIA: there is none of that index. */
MUST_CHECK enum err demux_select(struct demux *demux, uint32_t stream_index);

/* Tells of a key frame that `stream_index` has at `ns` in the block or cluster at file offset
 * `pos`, so that seeks need no index in the file. Matroska only, others take no notice. */
void demux_add_key(struct demux *demux, uint32_t stream_index, uint64_t pos, int64_t ns);

/* Goes to a key frame of `stream_index` at or before `ns` (source time), as far as the container
 * can tell: what is read next says where it came to. NOT_FOUND: cannot seek so; rewind. */
MUST_CHECK enum err demux_seek(struct demux *demux, uint32_t stream_index, int64_t ns);
/* Goes to the first packet. */
MUST_CHECK enum err demux_rewind(struct demux *demux);

/* The next packet of the selected stream (of any, if none was selected); `packet` is blank before
 * and owned by the caller after. NOT_FOUND: the end. BAD_MEDIA: cannot be read on. */
MUST_CHECK enum err demux_read(struct demux *demux, struct AVPacket *packet);

/* `pts` in the stream's time base as ns of the source. INT64_MIN: it has none. */
#define DEMUX_NO_TIME INT64_MIN
int64_t demux_ns(const struct AVStream *stream, int64_t pts);

/* Bytes read so far. */
uint64_t demux_bytes_read(const struct demux *demux);
