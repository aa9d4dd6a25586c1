/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the MP4/QuickTime reader (ISO 14496-12): what its files share. mp4.c opens, mp4_trak.c
 * reads what is below a trak, mp4_entry.c sample entries, mp4_tables.c walks sample tables,
 * mp4_edits.c resolves edit lists, mp4_fragments.c makes tables of fragments, mp4_cursor.c answers,
 * mp4_events.c reads subtitles.
 * Tables stay as the file has them, big-endian, and are walked; every 64th step is kept, so that any
 * sample is found by a binary search and at most 63 steps. */
#pragma once

#include <pthread.h>

#include "segments/container_build.h"
#include "segments/mp4_box.h"
#include "segments/window.h"

/* 48 h at 60 frames per second are 10.4 million. Tracks with more (PCM) are not walked. */
#define MP4_MAX_SAMPLES (UINT32_C(16) << 20)
#define MP4_STOP_EVERY  64
#define MP4_MAX_EDITS   16

/* A table of entries in the film. */
struct mp4_table {
    uint64_t at;
    uint32_t count;
    uint8_t *bytes; /* loaded under lock, then fixed */
};

struct mp4_edit {
    uint64_t duration; /* in ticks of the movie */
    int64_t media_time;
    bool is_normal_rate;
};

/* A place in the tables: what comes next. A plain value. */
struct mp4_walk {
    uint32_t sample;
    uint32_t stts_at, stts_left;
    uint32_t ctts_at, ctts_left;
    uint32_t stss_at;
    uint32_t stsc_at, chunk, chunk_left;
    bool has_place; /* whether `offset` is told */
    int64_t dts;
    uint64_t offset;
    uint64_t bytes; /* of all samples before */
};

struct mp4_sample {
    uint64_t offset;  /* of a walk that has its place */
    int64_t dts, cts; /* in ticks of the track, edits not applied */
    uint32_t size, duration;
    bool is_key;
};

/* A key as the one walk at load time saw it. */
struct mp4_key {
    int64_t cts;
    uint64_t offset;
    uint32_t sample, size;
};

/* What of a track is not in struct plan_track; the same index. */
struct mp4_track {
    /* fixed after open */
    uint32_t id, timescale;
    uint64_t duration;
    int64_t first_dts; /* of fragmented films; else 0 */
    struct mp4_table stts, ctts, stss, stsc, stsz, stco;
    uint8_t size_bits, chunk_bytes; /* an entry of stsz/stz2, of stco/co64 */
    bool has_stss, is_readable;
    bool has_many_entries; /* in stsd: the description may change on the way */
    uint32_t fixed_size, sample_count;
    struct mp4_edit edits[MP4_MAX_EDITS];
    uint32_t edit_count;
    bool has_more_edits;
    uint32_t chapters_in; /* track_ID of the text track with our chapters; 0 = none */
    int64_t empty_ticks;  /* E0: how much the presentation starts late */
    /* loaded under lock, then fixed */
    bool is_loaded;
    enum err load_result;
    struct mp4_walk *stops;
    uint32_t stop_count;
    struct mp4_key *keys; /* of tracks with stss; all samples are keys of those without */
    uint32_t key_count;
    uint32_t first_sample, end_sample; /* what edits leave */
    int64_t shift;                     /* what presentation times have more than cts */
    int64_t start_cts, end_cts;        /* presented is from start up to end */
};

/* A trak while it is read; may be of no kind that we list. */
struct mp4_trak {
    struct mp4_track own;
    uint32_t handler, stream_index, tkhd_width, tkhd_height;
    int32_t matrix[4];
    bool is_enabled, is_descriptive, is_commentary;
    char language[24], name[160];
    struct mp4_box stsd, dref;
    bool has_stsd, has_dref;
    bool is_listed; /* `own` is the film's now, its tables with it */
};

struct mp4 {
    struct container base;
    struct mp4_track tracks[CONTAINER_MAX_TRACKS];
    /* text tracks that hold chapters are not listed, but read */
    struct mp4_track chapter_track;
    uint32_t movie_scale;
    bool is_quicktime;
    pthread_mutex_t lock; /* of the tables that are loaded at first use */
};

static inline struct mp4 *mp4_of(struct container *container)
{
    return (struct mp4 *) container;
}

/* Reads the boxes below a trak. Boxes that are missing or short are passed over. */
MUST_CHECK enum err mp4_read_trak(struct window *window, const struct mp4_box *box,
                                  struct mp4_trak *trak);
/* Reads stsd into the new track `index` (ISO 14496-12 8.5.2). */
MUST_CHECK enum err mp4_read_entry(struct mp4 *mp4, struct window *window,
                                   const struct mp4_trak *trak, uint32_t index);

/* Makes the sample tables of a fragmented film, whose moov is this, out of its fragments. NOT_FOUND:
 * they are not of a kind that tables can say. Reads headers of the whole film. */
MUST_CHECK enum err mp4_read_fragments(struct window *window, const struct mp4_box *moov,
                                       struct mp4_trak *traks, uint32_t count);

/* Loads the tables at first use, resolves edits; of other tracks than pictures all but the places of
 * chunks, which are the most of them. BAD_MEDIA: they do not fit the file. */
MUST_CHECK enum err mp4_load(struct mp4 *mp4, struct reader *reader, struct mp4_track *track,
                             bool is_video);
/* The places too; then a walk can be placed. */
MUST_CHECK enum err mp4_load_places(struct mp4 *mp4, struct reader *reader, struct mp4_track *track,
                                    bool is_video);
void mp4_free_tables(struct mp4_track *track);
void mp4_walk_start(const struct mp4_track *track, struct mp4_walk *walk);
/* The next sample, false at the end. */
bool mp4_walk_next(const struct mp4_track *track, struct mp4_walk *walk, struct mp4_sample *out);
/* From here on the samples of this walk have offsets. */
void mp4_walk_place(const struct mp4_track *track, struct mp4_walk *walk);
/* Passes over some samples, if any, that are all due before `dts`; of a track that is loaded and has samples. */
void mp4_walk_near(const struct mp4_track *track, int64_t dts, struct mp4_walk *walk);
/* So that the next sample is `sample`. The track is loaded. */
void mp4_walk_to(const struct mp4_track *track, uint32_t sample, struct mp4_walk *walk);
/* The last sample whose dts is at or before `dts`; 0 when none is. */
uint32_t mp4_find_dts(const struct mp4_track *track, int64_t dts);

/* Objections that edits alone give, and E0; before tables are loaded. */
void mp4_check_edits(struct mp4 *mp4, uint32_t index);
/* What the walk at load time finds out about a video track and its media edit, [start, end). */
struct mp4_cut {
    int64_t start, end;
    int64_t least_cts;       /* of what is shown */
    uint32_t first, last;    /* the key to decode from, the last one shown */
    uint32_t hidden_before;  /* from `first` on, but shown before the edit begins */
    uint32_t first_past_end; /* in decode order */
    bool has_shown;
};
void mp4_cut_begin(const struct mp4 *mp4, const struct mp4_track *track, struct mp4_cut *cut);

static inline void mp4_cut_note(struct mp4_cut *cut, const struct mp4_sample *sample,
                                uint32_t number)
{
    if (sample->is_key && sample->cts <= cut->start) {
        cut->first = number;
        cut->hidden_before = 0;
    }
    if (sample->cts < cut->start) {
        cut->hidden_before++;
    } else if (sample->cts >= cut->end) {
        if (cut->first_past_end == UINT32_MAX)
            cut->first_past_end = number;
    } else {
        if (!cut->has_shown || sample->cts < cut->least_cts)
            cut->least_cts = sample->cts;
        cut->last = number;
        cut->has_shown = true;
    }
}

/* shift, first_sample, end_sample from the edits; tables are loaded and walked. Returns an objection
 * or NULL. */
const char *mp4_resolve_edits(struct mp4_track *track, const struct mp4_cut *cut, bool is_video);
int64_t mp4_pts_ns(const struct mp4_track *track, int64_t cts);

/* Chapters from a text track; from `chpl` where there is none. */
MUST_CHECK enum err mp4_read_chapter_track(struct mp4 *mp4, struct reader *reader);

enum err mp4_keys(struct container *container, struct reader *reader, uint32_t track,
                  struct key **out, size_t *count, struct why *why);
enum err mp4_scan(struct container *container, struct reader *reader, uint32_t track,
                  container_progress_fn *progress, void *ctx, struct key **out, size_t *count);
enum err mp4_span(struct container *container, struct reader *reader, uint32_t track,
                  int64_t *first_ns, int64_t *end_ns);
enum err mp4_seek(struct container *container, struct reader *reader, uint32_t track,
                  int64_t time_ns, uint64_t *pos);
enum err mp4_cursor(struct container *container, struct reader *reader, uint64_t tracks,
                    uint64_t pos, struct cursor **out);
enum err mp4_events(struct container *container, struct reader *reader, uint32_t track,
                    int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                    void *ctx);
enum err mp4_sums(struct container *container, struct reader *reader, uint32_t track,
                  const int64_t *times_ns, const uint64_t *places, size_t count,
                  struct packet_sum *out);
