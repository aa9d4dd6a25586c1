/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan of a film: the one record from which playlists, copies, transcodes, audio and subtitles
 * all come. Made once by a media process (engine_plan), checked and stored by the server, handed to
 * every later media process. Knows neither libav nor files. Plain values, immutable once made.
 * Threads: any.
 *
 * Time. One timeline for all renditions: media time 0 is T0, the end is E; positions on it are
 * integers in ticks of `timescale`, the same for every video rendition of the film. In segments and
 * playlists' media the constant PLAN_OFFSET_S is added (tfdt = position + offset - D for video). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

/* Goes up with every change of the cut algorithm, of the record, or of what encoders are told. */
#define PLAN_VERSION        3
#define PLAN_OFFSET_S       10
#define PLAN_MAX_CUTS       100000
#define PLAN_MAX_HOURS      48
#define PLAN_MAX_TRACKS     64
#define PLAN_MAX_RENDITIONS 160
#define PLAN_MAX_CHAPTERS   1000
#define PLAN_MAX_INIT       (64 * 1024)
#define PLAN_MAX_EXTRADATA  (64 * 1024)

enum plan_kind { PLAN_VIDEO, PLAN_AUDIO, PLAN_SUBTITLE };

/* Codecs that somebody here has to tell apart; all others are CODEC_OTHER with their name. */
enum plan_codec {
    CODEC_OTHER,
    CODEC_H264,
    CODEC_HEVC,
    CODEC_AV1,
    CODEC_VP9,
    CODEC_AAC,
    CODEC_AC3,
    CODEC_EAC3,
    CODEC_FLAC,
    CODEC_OPUS,
    CODEC_MP3,
    CODEC_COUNT
};

enum plan_container { CONTAINER_MKV, CONTAINER_MP4, CONTAINER_OTHER, CONTAINER_COUNT };

struct plan_track {
    enum plan_kind kind;
    enum plan_codec codec;
    uint32_t number;       /* counts tracks of its kind from 1, in container order (decision 3) */
    uint32_t container_id; /* mkv TrackNumber, mp4 track_ID; 0 elsewhere */
    uint32_t stream_index; /* libavformat's */
    char codec_name[32];   /* "h264", "dts", "subrip": libav's names */
    char profile[48];      /* "High", "Main 10"; "" unknown */
    char language[16];     /* BCP 47, "und" where the file does not say */
    char title[160];       /* UTF-8; "" where the file does not say */
    bool is_default, is_forced, is_sdh, is_commentary, is_cover; /* cover: a picture, not a film */
    char refused[200];      /* why this track can be neither copied nor transcoded; "" = it can */
    char copy_refused[200]; /* why no copy is offered; "" = it is */

    int64_t first_ns; /* first presentation time in the source, ns; its anchor */
    int64_t end_ns;   /* where its last packet ends, source time; <= first_ns: not known */

    /* video */
    uint32_t width, height; /* coded, as stored */
    uint32_t sar_num, sar_den;
    int32_t rotation; /* degrees clockwise to turn for display: 0 90 180 270 */
    bool flip;        /* mirrored horizontally before the turn */
    uint8_t bit_depth;
    bool is_interlaced, is_full_range;
    uint8_t color_primaries, color_transfer, color_matrix; /* ISO 23091-2 code points */
    uint16_t reorder;                                      /* frames of reorder delay */
    uint32_t fps_num, fps_den; /* the CFR grid of its transcodes (decision 10) */

    /* audio */
    uint32_t rate, channels;
    uint64_t channel_mask; /* libav's; 0 = order unknown */
    uint32_t frame_size;   /* samples a packet, for the copy's grid; 0 = not constant */

    uint8_t *extradata; /* avcC, hvcC, av1C, AudioSpecificConfig...: owned by the plan */
    uint32_t extradata_size;
};

/* One playable form of one track. */
struct plan_rendition {
    char name[24]; /* "video-copy" "video-720p" "audio-1-aac" "audio-2-copy" "subtitle-1";
                    * "audio-1-aac-low": for the road, in few bits */
    enum plan_kind kind;
    bool is_copy;
    uint32_t track;     /* index into tracks */
    char codecs[48];    /* RFC 6381, read from `init` */
    uint32_t timescale; /* ticks per second of its media: plan's for video, the rate for audio */
    uint32_t delay;     /* D in ticks of `timescale` (decision 8); 0 for audio */
    uint32_t width, height;                /* displayed size; RESOLUTION */
    uint32_t channels;                     /* as delivered */
    uint32_t bandwidth, average_bandwidth; /* bit/s, decision 14 */
    uint32_t bitrate;    /* what its encoder is told, bit/s: of a picture the VBV's; 0: a copy */
    bool is_independent; /* every segment begins with an IDR, or an IRAP without RASL, as sampled */
    char video_range[4]; /* "SDR" "PQ" "HLG"; "" for audio */
    uint8_t *init;       /* ftyp + moov, owned by the plan; NULL for subtitles */
    uint32_t init_size;
};

struct plan_chapter {
    int64_t start_ms, end_ms; /* media time */
    char title[160];
};

struct plan {
    uint32_t version;
    enum plan_container container;
    char format[32]; /* libav's name: "matroska", "mov", "mpegts" */
    uint64_t source_size;
    bool wants_scan;           /* no index tells the keys: the plan of a film that was read through
                                * may offer a copy, this one offers none (decision 11) */
    int64_t t0_ns;             /* source time of media time 0 */
    uint32_t timescale;        /* V: fps.num for n/1001 rates, else 90000 */
    int64_t end;               /* E, ticks */
    uint32_t fps_num, fps_den; /* of the first video; 0/1 without video */

    struct plan_track *tracks;
    uint32_t track_count;
    struct plan_rendition *renditions;
    uint32_t rendition_count;
    struct plan_chapter *chapters;
    uint32_t chapter_count;

    /* C: begins of the copy's segments, ticks, rising from 0; 0 of them = no copy. `copy_pos` is
     * where the reader starts: mkv: file offset of the cluster; mp4: sample index of the key. */
    int64_t *copy_cuts;
    uint64_t *copy_pos;
    uint32_t copy_count;
    /* T: begins of the segments of all transcodes and of all audio, ticks, rising from 0; holds
     * every cut of C. Rounded to grids by plan_segment_start, not here. */
    int64_t *cuts;
    uint32_t cut_count;
};

struct plan *plan_new(void);
/* Frees what it holds, NULL is accepted, *plan is NULL afterwards. */
void plan_free(struct plan **plan);

/* The index of the rendition called `name`, or -1. */
int plan_find(const struct plan *plan, const char *name);

/* The AAC transcodes' samples a frame. */
#define PLAN_AAC_FRAME 1024

/* How many segments the rendition has; where segment n begins, in ticks of the rendition's own
 * timescale on its own grid, without offset; n == count gives its end. Copies: copy_cuts. Video
 * transcodes: cuts rounded to the CFR grid. Audio (AAC transcode 1024 samples, copies frame_size):
 * cuts rounded up to a codec frame (decisions 6, 7). Subtitles: C where there is one, else cuts
 * at least 4 s apart. Between neighbours: EXTINF. Never equal neighbours: callers may divide. */
uint32_t plan_segment_count(const struct plan *plan, uint32_t rendition);
int64_t plan_segment_start(const struct plan *plan, uint32_t rendition, uint32_t n);

/* The segment of `rendition` that holds media time `ms`; the last one past the end. */
uint32_t plan_segment_at(const struct plan *plan, uint32_t rendition, int64_t ms);

/* CFR frames before media time `ticks`: round(ticks * fps / timescale); and back. */
int64_t plan_ticks_to_frame(const struct plan *plan, int64_t ticks);
int64_t plan_frame_to_ticks(const struct plan *plan, int64_t frame);

/* EXT-X-TARGETDURATION for all video and audio playlists: the largest rounded EXTINF. */
uint32_t plan_target_duration(const struct plan *plan);

/* Source time in ns to ticks of `rate` since T0, rounded to the nearest. */
int64_t plan_source_to_ticks(const struct plan *plan, int64_t source_ns, uint32_t rate);
/* The audio grid of a rendition: position of its frame `index` (copies: from the track's anchor),
 * and the first frame at or after a position; both in samples. */
int64_t plan_frame_position(const struct plan *plan, uint32_t rendition, int64_t index);
int64_t plan_frame_at_or_after(const struct plan *plan, uint32_t rendition, int64_t position);

/* The plan as bytes (mem_free), for the wire and the store; and back, trusting none of them:
 * counts, lengths, rising cuts, names, grids are all checked. BAD_INPUT with the reason. */
void plan_write(const struct plan *plan, uint8_t **out, size_t *out_size);
MUST_CHECK enum err plan_read(const uint8_t *bytes, size_t size, struct plan **out,
                              struct why *why);

/* Decision 6, from the keys that may start a segment (ticks from T0, rising): fills copy_cuts
 * with indexes into `keys` (mem_free), count 0 when no copy can be offered, with the reason. */
MUST_CHECK enum err plan_choose_copy_cuts(const int64_t *keys, size_t key_count, int64_t end,
                                          uint32_t timescale, uint32_t **out_indexes,
                                          uint32_t *out_count, struct why *why);
/* T from C (count may be 0: the free grid 0, 1, 2, 4, 8 s...) up to `end`. */
void plan_choose_cuts(const int64_t *copy_cuts, uint32_t copy_count, int64_t end,
                      uint32_t timescale, int64_t **out_cuts, uint32_t *out_count);
