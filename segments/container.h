/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own readers of Matroska (RFC 9559) and MP4 (ISO 14496-12) behind one face. They alone serve
 * plans, init segments and copies; libavformat demuxes for decoding and for all other containers
 * (decision 16). They read headers and indexes and never a payload that is not asked for.
 * Times are presentation times of the source in ns, edit lists and codec delay applied.
 * Threads: a container is immutable once open, its cursors belong to one thread each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/input.h"
#include "segments/plan.h"

struct container;

/* One packet: where its bytes stand. Payload = `prefix` (header-stripped mkv tracks, borrowed from
 * the container) followed by the extent. */
struct packet {
    uint32_t track; /* index into the container's tracks */
    int64_t pts_ns;
    int64_t duration_ns; /* 0 = not said */
    bool is_key;         /* as the container says */
    uint64_t offset;
    uint32_t size;
    const uint8_t *prefix;
    uint32_t prefix_size;
    uint64_t pos; /* mkv: offset of its cluster; mp4: sample index: what container_seek takes */
};

/* A key frame of the index. */
struct key {
    int64_t pts_ns;
    uint64_t pos;
    uint64_t offset;   /* of the payload; 0 = unknown before it is read (mkv) */
    uint32_t size;     /* of the payload; the same */
    uint32_t relative; /* mkv CueRelativePosition; 0 = not said */
};

static inline struct key key_of_packet(const struct packet *packet)
{
    return (struct key){.pts_ns = packet->pts_ns,
                        .pos = packet->pos,
                        .offset = packet->offset,
                        .size = packet->size + packet->prefix_size};
}

/* NOT_FOUND: neither Matroska nor MP4 (or MP4 of a form that is left to libavformat, said in why).
 * BAD_MEDIA: one of them, but not readable. IO, CANCELLED. Reads heads and tails, not the film. */
MUST_CHECK enum err container_open(struct reader *reader, struct container **out, struct why *why);
void container_close(struct container **container);

enum plan_container container_kind(const struct container *container);
/* Tracks in container order; plan fields that the container knows are filled (kind, codec, names,
 * language, extradata, size, rate...). Lent until container_close. */
const struct plan_track *container_tracks(const struct container *container, uint32_t *count);
const struct plan_chapter *container_chapters(const struct container *container, uint32_t *count);
int64_t container_duration_ns(const struct container *container); /* 0 = not said */
/* Why a copy of this track cannot be exact (edit lists, encryption...); "" = no objection. */
const char *container_copy_objection(const struct container *container, uint32_t track);

/* The key index of a video track: from Cues or sample tables. NOT_FOUND: there is none that can be
 * trusted; then container_scan reads all headers (slow: every cluster). The caller's (mem_free). */
MUST_CHECK enum err container_keys(struct container *container, struct reader *reader,
                                   uint32_t track, struct key **out, size_t *count,
                                   struct why *why);
typedef void container_progress_fn(void *ctx, double fraction);
MUST_CHECK enum err container_scan(struct container *container, struct reader *reader,
                                   uint32_t track, container_progress_fn *progress, void *ctx,
                                   struct key **out, size_t *count);

/* Where a cursor over `track` alone may begin so that its first packet is at or before `time_ns`
 * (or is the track's first): for tracks without an index of their own. Not far before: mkv the
 * cluster of a cue (bisected where there are no cues), mp4 the very packet. NOT_FOUND: there are no
 * packets. */
MUST_CHECK enum err container_seek(struct container *container, struct reader *reader,
                                   uint32_t track, int64_t time_ns, uint64_t *pos);

/* What the packets of a track before some place amount to. */
struct packet_sum {
    uint64_t bytes, packets;
};
/* For `count` rising places: before the first packet that is presented at or after each of `times_ns`,
 * or, where that is NULL, before that at each of `places` (as cursor_open takes them; UINT64_MAX: all).
 * NOT_FOUND: the container has no tables that tell. */
MUST_CHECK enum err container_sums(struct container *container, struct reader *reader,
                                   uint32_t track, const int64_t *times_ns, const uint64_t *places,
                                   size_t count, struct packet_sum *out);

/* Walks the packets of chosen tracks (bit i of `tracks` = track i), in file order (mkv) or in
 * decode order merged by file position (mp4), from a key's `pos` on. In mp4 `pos` is a sample of the
 * first chosen track; the others begin with the packet that is due at its time. 0 = the start.
 * Tracks whose packets cannot be read are left out; subtitles of Matroska never are: the sizes of
 * packed ones are true, their bytes are as they stand in the file. */
struct cursor;
MUST_CHECK enum err cursor_open(struct container *container, struct reader *reader, uint64_t tracks,
                                uint64_t pos, struct cursor **out);
void cursor_close(struct cursor **cursor);
/* NOT_FOUND: the end. BAD_MEDIA: garbage between packets that cannot be stepped over. */
MUST_CHECK enum err cursor_next(struct cursor *cursor, struct packet *out);

/* The first and the end of the presentation times of a track: from tables, or from the head and
 * the last clusters (decisions 7, 9). */
MUST_CHECK enum err container_span(struct container *container, struct reader *reader,
                                   uint32_t track, int64_t *first_ns, int64_t *end_ns);

/* One event of a subtitle track. */
struct event {
    int64_t start_ns, end_ns; /* end before start: not said */
    const uint8_t *bytes;     /* its payload, unpacked; lent for the call */
    size_t size;
    const uint8_t *beside; /* Matroska's BlockAdditional: WebVTT's settings; NULL: none */
    size_t beside_size;
};
typedef void container_event_fn(void *ctx, const struct event *event);

/* Calls `fn` for the events of a subtitle track that overlap [from_ns, to_ns), and perhaps for some
 * around them; each once, not always in order. Reads sparsely: in Matroska the blocks that Cues name
 * (22.1); a track that these do not list is looked for by the headers of all blocks from ten seconds
 * before on, and *by_walk says so (may be NULL). In MP4 the samples. Where an event does not say how
 * long it lasts, the next one, or what would come up to five seconds later, was looked at too.
 * NOT_FOUND: its events cannot be read here; BAD_MEDIA: garbage; IO; CANCELLED; GONE. */
MUST_CHECK enum err container_events(struct container *container, struct reader *reader,
                                     uint32_t track, int64_t from_ns, int64_t to_ns, bool *by_walk,
                                     container_event_fn *fn, void *ctx);

/* What an event is to those behind it, where each changes what others drew (PGS, DVB): it needs them;
 * decoding may begin with it; it needs those before it no more than others do, since it shows nothing. */
enum event_role { EVENT_DEPENDS, EVENT_STARTS, EVENT_CLEARS };
typedef enum event_role event_role_fn(const uint8_t *bytes, size_t size);

/* As container_events, of a track of such events: all in order, from the one at which decoding has to
 * begin for what stands at `from_ns`, up to `to_ns`. *next_ns: when the one behind them is due;
 * INT64_MAX: there is none; INT64_MIN: none comes soon, and further was not looked. Looks back 64 events
 * or 8 MiB at most, and begins there. */
MUST_CHECK enum err container_event_chain(struct container *container, struct reader *reader,
                                          uint32_t track, int64_t from_ns, int64_t to_ns,
                                          event_role_fn *role, int64_t *next_ns,
                                          container_event_fn *fn, void *ctx);

/* Where the film's `number`th font stands, counted from 1: fonts come along for ASS. NOT_FOUND; IO;
 * CANCELLED; GONE. */
MUST_CHECK enum err container_font(struct container *container, struct reader *reader,
                                   uint32_t number, uint64_t *offset, uint64_t *size);
