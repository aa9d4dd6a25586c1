/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the Matroska/WebM reader (RFC 9559): what its files share. mkv.c opens, mkv_tracks.c
 * reads Tracks, mkv_codec.c names codecs, mkv_chapters.c reads Chapters, mkv_cues.c the index,
 * mkv_cursor.c walks clusters and blocks, mkv_events.c reads subtitles,
 * mkv_fonts.c finds fonts. */
#pragma once

#include <pthread.h>

#include "segments/container_build.h"
#include "segments/mkv_ebml.h"
#include "segments/window.h"

/* The elements we know, by their section in RFC 9559. */
enum mkv_id {
    MKV_EBML = 0x1A45DFA3, /* RFC 8794 11.2.1 */
    MKV_DOCTYPE = 0x4282,
    MKV_VOID = 0xEC,
    MKV_CRC32 = 0xBF,
    MKV_SEGMENT = 0x18538067, /* 5.1 */
    MKV_SEEK_HEAD = 0x114D9B74,
    MKV_SEEK = 0x4DBB,
    MKV_SEEK_ID = 0x53AB,
    MKV_SEEK_POSITION = 0x53AC,
    MKV_INFO = 0x1549A966, /* 5.1.2 */
    MKV_TIMESTAMP_SCALE = 0x2AD7B1,
    MKV_DURATION = 0x4489,
    MKV_CLUSTER = 0x1F43B675, /* 5.1.3 */
    MKV_TIMESTAMP = 0xE7,
    MKV_SIMPLE_BLOCK = 0xA3,
    MKV_BLOCK_GROUP = 0xA0,
    MKV_BLOCK = 0xA1,
    MKV_BLOCK_DURATION = 0x9B,
    MKV_BLOCK_ADDITIONS = 0x75A1,
    MKV_BLOCK_MORE = 0xA6,
    MKV_BLOCK_ADDITIONAL = 0xA5,
    MKV_REFERENCE_BLOCK = 0xFB,
    MKV_TRACKS = 0x1654AE6B, /* 5.1.4 */
    MKV_TRACK_ENTRY = 0xAE,
    MKV_CUES = 0x1C53BB6B, /* 5.1.5 */
    MKV_CUE_POINT = 0xBB,
    MKV_CUE_TIME = 0xB3,
    MKV_CUE_TRACK_POSITIONS = 0xB7,
    MKV_CUE_TRACK = 0xF7,
    MKV_CUE_CLUSTER_POSITION = 0xF1,
    MKV_CUE_RELATIVE_POSITION = 0xF0,
    MKV_CUE_DURATION = 0xB2,
    MKV_ATTACHMENTS = 0x1941A469, /* 5.1.6 */
    MKV_CHAPTERS = 0x1043A770,    /* 5.1.7 */
    MKV_TAGS = 0x1254C367,        /* 5.1.8 */
};

/* What of a track is not in struct plan_track; the same index. */
struct mkv_track {
    uint64_t number;
    bool is_deflated;   /* its blocks, by zlib; for subtitles alone, others are not readable then */
    bool is_old_webvtt; /* as WebM has it */
    bool is_readable;   /* its blocks can be taken as they stand, but for `prefix` */
    int64_t default_ns; /* DefaultDuration; 0 = not said */
    int64_t frame_ns;   /* what a frame of a laced block lasts; 0 = unknown */
    int64_t delay_ns;   /* CodecDelay */
    uint8_t *prefix;    /* header stripping (5.1.4.1.31.7) */
    uint32_t prefix_size;
};

/* A subtitle's event as Cues list it. */
struct mkv_event_cue {
    int64_t ticks, duration; /* duration -1: not said */
    uint64_t cluster;        /* file offset */
    uint64_t relative;       /* CueRelativePosition; 0 = not said */
};
struct mkv_event_cues {
    struct mkv_event_cue *items; /* by time */
    size_t count, room;
};

struct mkv {
    struct container base;
    pthread_mutex_t lock; /* of what is loaded at first use */
    /* loaded under lock, then fixed */
    bool has_event_cues;
    struct mkv_event_cues event_cues[CONTAINER_MAX_TRACKS]; /* of subtitles */
    /* fixed after open */
    struct mkv_track tracks[CONTAINER_MAX_TRACKS];
    uint64_t segment;       /* where positions count from: the segment's data */
    uint64_t segment_end;   /* of it or of the file, whichever comes first */
    uint64_t first_cluster; /* 0 = there is none */
    uint64_t cues;          /* 0 = not known */
    uint64_t attachments;   /* 0 = there are none */
    int64_t scale_ns;       /* ns in a tick */
};

static inline struct mkv *mkv_of(struct container *container)
{
    return (struct mkv *) container;
}

/* True for elements that stand directly in a segment, or begin another one: they end a cluster of
 * unknown size. */
bool mkv_is_top_level(uint32_t id);
/* A block's time in ticks of the film as presentation time in ns: less CodecDelay, which is rounded
 * to ticks as libavformat does, so that what it decodes has the same times. */
int64_t mkv_pts_ns(const struct mkv *mkv, uint32_t track, int64_t ticks);

/* libav's name of a codec; `id` itself where we have none. */
const char *mkv_name_codec(const char *id, const struct ebml_element *private);
/* CodecPrivate without the header that Windows' codecs have around it. */
struct ebml_element mkv_unwrap_private(const char *id, const struct ebml_element *private);
void mkv_parse_tracks(struct mkv *mkv, struct ebml_span tracks);
void mkv_parse_chapters(struct mkv *mkv, struct ebml_span chapters);

enum err mkv_keys(struct container *container, struct reader *reader, uint32_t track,
                  struct key **out, size_t *count, struct why *why);
enum err mkv_scan(struct container *container, struct reader *reader, uint32_t track,
                  container_progress_fn *progress, void *ctx, struct key **out, size_t *count);
enum err mkv_span(struct container *container, struct reader *reader, uint32_t track,
                  int64_t *first_ns, int64_t *end_ns);
enum err mkv_seek(struct container *container, struct reader *reader, uint32_t track,
                  int64_t time_ns, uint64_t *pos);
enum err mkv_cursor(struct container *container, struct reader *reader, uint64_t tracks,
                    uint64_t pos, struct cursor **out);
/* Loads what Cues say of subtitles, once; `cues` of the track are lent until close, none where they
 * list no event of it. */
MUST_CHECK enum err mkv_event_cues(struct mkv *mkv, struct reader *reader, uint32_t track,
                                   const struct mkv_event_cues **cues);
enum err mkv_events(struct container *container, struct reader *reader, uint32_t track,
                    int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                    void *ctx);
enum err mkv_event_chain(struct container *container, struct reader *reader, uint32_t track,
                         int64_t from_ns, int64_t to_ns, event_role_fn *role, int64_t *next_ns,
                         container_event_fn *fn, void *ctx);
enum err mkv_font(struct container *container, struct reader *reader, uint32_t number,
                  uint64_t *offset, uint64_t *size);
/* Where the block, or its group, begins whose frame was handed out last. */
uint64_t mkv_cursor_element(const struct cursor *cursor);
/* Where the cursor will look next; it answers NOT_FOUND from `limit` on. */
uint64_t mkv_cursor_at(const struct cursor *cursor);
void mkv_cursor_set_limit(struct cursor *cursor, uint64_t limit);
/* The next place from `from` up to `limit` where a cluster begins. NOT_FOUND. */
MUST_CHECK enum err mkv_find_cluster(struct mkv *mkv, struct reader *reader, uint64_t from,
                                     uint64_t limit, uint64_t *out);
