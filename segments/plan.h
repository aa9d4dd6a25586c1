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
#define PLAN_VERSION        5
#define PLAN_OFFSET_S       10
#define PLAN_MAX_CUTS       100000
#define PLAN_MAX_HOURS      48
#define PLAN_MAX_TRACKS     64
#define PLAN_MAX_RENDITIONS 512
#define PLAN_MAX_CHAPTERS   1000
#define PLAN_MAX_INIT       (64 * 1024)
#define PLAN_MAX_EXTRADATA  (64 * 1024)

/* The last two are of renditions alone: pictures of a video track, each standing for itself (RFC 8216
 * 4.3.3.6), and a subtitle track that is pictures, as JSON. */
enum plan_kind { PLAN_VIDEO, PLAN_AUDIO, PLAN_SUBTITLE, PLAN_IFRAMES, PLAN_PICTURES };

/* Subtitles in either form: cut alike, without headers and bits to speak of. */
static inline bool plan_is_subtitle(enum plan_kind kind)
{
    return kind == PLAN_SUBTITLE || kind == PLAN_PICTURES;
}

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
    bool is_default, is_forced, is_sdh, is_commentary;
    bool is_descriptive;    /* a voice tells what is to be seen */
    bool is_cover;          /* a picture, not a film */
    char refused[200];      /* why this track can be neither copied nor transcoded; "" = it can */
    char copy_refused[200]; /* why no copy is offered; "" = it is */

    int64_t first_ns; /* first presentation time in the source, ns; its anchor */
    int64_t end_ns;   /* where its last packet ends, source time; <= first_ns: not known */

    /* video */
    uint32_t width, height; /* coded, as stored */
    uint32_t sar_num, sar_den;
    uint32_t crop_left, crop_right, crop_top, crop_bottom; /* of these, not to be shown */
    int32_t rotation; /* degrees clockwise to turn for display: 0 90 180 270 */
    bool flip;        /* mirrored horizontally before the turn */
    uint8_t bit_depth;
    bool is_interlaced, is_full_range;
    uint8_t color_primaries, color_transfer, color_matrix; /* ISO 23091-2 code points */
    uint8_t dv_profile,
        dv_compatibility;      /* Dolby Vision: its profile, and as what its base layer can be
                                           * shown: 1 and 6 HDR10, 2 SDR, 4 HLG, 0 as nothing; 0: none */
    uint16_t reorder;          /* frames of reorder delay */
    uint32_t fps_num, fps_den; /* the CFR grid of its transcodes (decision 10) */

    /* audio */
    uint32_t rate, channels;
    uint64_t channel_mask; /* libav's; 0 = order unknown */
    uint32_t frame_size;   /* samples a packet, for the copy's grid; 0 = not constant */
    uint8_t joc_objects;   /* E-AC-3 with objects (ETSI TS 103 420): how many; 0: it has none */

    uint8_t *extradata; /* avcC, hvcC, av1C, AudioSpecificConfig...: owned by the plan */
    uint32_t extradata_size;
};

/* One playable form of one track. */
struct plan_rendition {
    char name[24]; /* "video-copy" "video-720p" "audio-1-aac" "audio-2-copy" "subtitle-1";
                    * "audio-1-aac-low": for the road, in few bits; "audio-1-aac-surround": 5.1;
                    * "audio-1-aac-night": stereo, loud and soft brought together;
                     * "iframes-video-copy"; "pictures-2": of subtitle 2; "video-720p-burn-2":
                     * with its pictures drawn into the film's; "video-720p-gpu": by a device,
                     * "video-720p-gpu-hevc": in HEVC (plan_add_device) */
    enum plan_kind kind;
    bool is_copy;
    bool is_night;
    uint32_t track;     /* index into tracks */
    char codecs[48];    /* RFC 6381, read from `init` */
    uint32_t timescale; /* ticks per second of its media: plan's for video, the rate for audio */
    uint32_t delay;     /* D in ticks of `timescale` (decision 8); 0 for audio */
    uint32_t width, height;                /* displayed size; RESOLUTION */
    uint32_t channels;                     /* as delivered */
    uint32_t bandwidth, average_bandwidth; /* bit/s, decision 14 */
    uint32_t bitrate;    /* what its encoder is told, bit/s: of a picture the VBV's; 0: a copy. Of
                          * I-frames: the most bits of one */
    bool is_independent; /* every segment begins with an IDR, or an IRAP without RASL, as sampled */
    char video_range[4]; /* "SDR" "PQ" "HLG"; "" for audio */
    uint8_t *init;       /* ftyp + moov, owned by the plan; NULL for subtitles, where they are drawn
                          * in (plan_unburnt), and of a device's */
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
    /* Keys that are shown while somebody scrubs: about one a second, where the index has so many, and
     * every cut of C; ticks, rising from 0. 0 of them = no copy. `key_pos` as copy_pos. */
    int64_t *keys;
    uint64_t *key_pos;
    uint32_t key_count;
};

struct plan *plan_new(void);
/* Frees what it holds, NULL is accepted, *plan is NULL afterwards. */
void plan_free(struct plan **plan);

/* The index of the rendition called `name`, or -1. */
int plan_find(const struct plan *plan, const char *name);

/* The number of the subtitles that are drawn into the pictures of a rendition; 0: none are. */
uint32_t plan_burnt(const struct plan_rendition *rendition);
/* The same rung without them, whose init segment is theirs too; any other rendition itself. */
uint32_t plan_unburnt(const struct plan *plan, uint32_t rendition);

/* The AAC transcodes' samples a frame. */
#define PLAN_AAC_FRAME 1024

/* How many segments the rendition has; where segment n begins, in ticks of the rendition's own
 * timescale on its own grid, without offset; n == count gives its end. Copies: copy_cuts. Video
 * transcodes: cuts rounded to the CFR grid. Audio (AAC transcode 1024 samples, copies frame_size):
 * cuts rounded up to a codec frame (decisions 6, 7). Subtitles: C where there is one, else cuts
 * at least 4 s apart. I-frames: the keys; without any, as video transcodes. Between neighbours: EXTINF. Never equal neighbours: callers may divide. */
uint32_t plan_segment_count(const struct plan *plan, uint32_t rendition);
int64_t plan_segment_start(const struct plan *plan, uint32_t rendition, uint32_t n);

/* The same of all segments at once, and the end behind them: count + 1 positions (mem_free). For those of
 * subtitles, of which each is found by a walk from the first. */
void plan_segment_starts(const struct plan *plan, uint32_t rendition, int64_t **out,
                         uint32_t *count);

/* The segment of `rendition` that holds media time `ms`; the last one past the end. */
uint32_t plan_segment_at(const struct plan *plan, uint32_t rendition, int64_t ms);

/* CFR frames before media time `ticks`: round(ticks * fps / timescale); and back. */
int64_t plan_ticks_to_frame(const struct plan *plan, int64_t ticks);
int64_t plan_frame_to_ticks(const struct plan *plan, int64_t frame);

/* EXT-X-TARGETDURATION for all video and audio playlists: the largest rounded EXTINF. */
uint32_t plan_target_duration(const struct plan *plan);
/* The same of one rendition alone. */
uint32_t plan_target_duration_of(const struct plan *plan, uint32_t rendition);

/* Source time of media time `ticks`. */
int64_t plan_time_ns(const struct plan *plan, int64_t ticks);
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
/* From the same keys, and C as indexes into them: those to scrub by, as indexes (mem_free). */
void plan_choose_keys(const int64_t *keys, size_t key_count, int64_t end, uint32_t timescale,
                      const uint32_t *cuts, uint32_t cut_count, uint32_t **out_indexes,
                      uint32_t *out_count);

/* --- devices that encode (decision 23) --- */

#define PLAN_DEVICE_SUFFIX "-gpu"
#define PLAN_HEVC_SUFFIX   "-gpu-hevc"

struct plan_device {
    char hevc[48];    /* CODECS of its HEVC, at whatever level; "": it makes none, or shall not */
    uint8_t flags;    /* profile_compatibility of its avcC (ISO 14496-15 5.3.3.1) */
    uint64_t speed;   /* luma samples a second that it was seen to encode */
    uint32_t headers; /* a hash of the headers that it writes: another driver may write others */
};
/* Adds, for each transcode of pictures that the device can make a quarter faster than it plays, the
 * same made by the device, at the end; in HEVC too where it makes that, of two thirds of the bits. Such plans are not stored: devices come and go. They have no
 * `init`: it is their segment plan_segment_count, the device's to make. */
void plan_add_device(struct plan *plan, const struct plan_device *device);
/* Takes them away again. */
void plan_drop_device(struct plan *plan);
bool plan_is_on_device(const struct plan_rendition *rendition);
/* The same pictures, made by the device in H.264; -1: it makes none. */
int plan_device_twin(const struct plan *plan, uint32_t rendition);
/* The same in HEVC. */
int plan_hevc_twin(const struct plan *plan, uint32_t rendition);
/* What a transcode of pictures is coded in: CODEC_H264, or CODEC_HEVC. */
enum plan_codec plan_coded(const struct plan_rendition *rendition);
/* True of strings that may stand in plan_device.hevc. */
bool plan_is_hevc_codecs(const char *codecs);
/* The lowest level that allows such pictures, in the Main tier (ITU-T H.265 A.4.1, A.4.2):
 * general_level_idc. `bitrate` in bit/s. */
uint32_t plan_hevc_level(uint32_t width, uint32_t height, uint32_t fps_num, uint32_t fps_den,
                         uint32_t bitrate);
