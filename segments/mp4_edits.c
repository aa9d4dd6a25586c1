/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Edit lists (ISO 14496-12 8.6.6). What nearly all films have is a shift: empty edits that start
 * the track late, then one edit of the whole media from its first picture on, or from past an audio
 * encoder's priming. Those are applied here, with the results that libavformat has, so that what is
 * copied and what is decoded share one timeline. All other lists make a copy impossible. */
#include "segments/mp4.h"

/* Audio decoders need a little of what comes before the edit; libavformat gives them a second. */
#define PRIMING_S 1
/* A track that starts more than a year late does not. */
#define LATEST_START_S (INT64_C(366) * 24 * 3600)

int64_t mp4_pts_ns(const struct mp4_track *track, int64_t cts)
{
    return container_scale(cts + track->shift, NS_PER_S, track->timescale);
}

/* The first edit that shows media; NULL: none does. */
static const struct mp4_edit *find_media_edit(const struct mp4_track *track)
{
    for (uint32_t i = 0; i < track->edit_count; i++)
        if (track->edits[i].media_time >= 0)
            return &track->edits[i];
    return NULL;
}

/* How much later than the film the track begins: the empty edits before its media, or 0 when that
 * is beyond belief. */
static int64_t empty_ticks(const struct mp4 *mp4, const struct mp4_track *track)
{
    int64_t latest = LATEST_START_S * track->timescale, sum = 0;
    for (uint32_t i = 0; i < track->edit_count && track->edits[i].media_time < 0; i++) {
        uint64_t duration = track->edits[i].duration;
        if (mp4->movie_scale == 0 || duration > INT64_MAX)
            return 0;
        sum += container_scale((int64_t) duration, track->timescale, mp4->movie_scale);
        if (sum > latest)
            return 0;
    }
    return sum;
}

void mp4_check_edits(struct mp4 *mp4, uint32_t index)
{
    struct mp4_track *track = &mp4->tracks[index];
    uint32_t media_edits = 0;
    for (uint32_t i = 0; i < track->edit_count; i++) {
        const struct mp4_edit *edit = &track->edits[i];
        media_edits += edit->media_time >= 0;
        if (edit->media_time > TIME_LIMIT_NS / 4)
            container_object(&mp4->base, index, "its edit list is damaged");
        if (!edit->is_normal_rate)
            container_object(&mp4->base, index, "an edit list changes its speed");
    }
    if (media_edits > 1 || track->has_more_edits)
        container_object(&mp4->base, index, "an edit list joins several pieces of it");
    track->empty_ticks = empty_ticks(mp4, track);
}

/* Where the media edit ends, in the media's ticks; a duration of 0 means: with the media. */
static int64_t edit_end(const struct mp4 *mp4, const struct mp4_track *track,
                        const struct mp4_edit *edit)
{
    if (edit->duration == 0 || mp4->movie_scale == 0 || edit->duration > INT64_MAX)
        return INT64_MAX;
    int64_t length = container_scale((int64_t) edit->duration, track->timescale, mp4->movie_scale);
    return edit->media_time < INT64_MAX - length ? edit->media_time + length : INT64_MAX;
}

void mp4_cut_begin(const struct mp4 *mp4, const struct mp4_track *track, struct mp4_cut *cut)
{
    const struct mp4_edit *edit = find_media_edit(track);
    *cut = (struct mp4_cut){.start = INT64_MIN, .end = INT64_MAX, .first_past_end = UINT32_MAX};
    if (edit == NULL || edit->media_time > TIME_LIMIT_NS / 4)
        return;
    cut->start = edit->media_time;
    cut->end = edit_end(mp4, track, edit);
}

static const char *resolve_video(struct mp4_track *track, const struct mp4_cut *cut)
{
    if (!cut->has_shown)
        return "an edit list hides all of it";
    track->shift = track->empty_ticks - cut->least_cts;
    track->start_cts = cut->least_cts;
    track->first_sample = cut->first;
    track->end_sample = cut->last + 1;
    if (cut->hidden_before > 0)
        return "an edit list begins between two key frames";
    if (cut->first_past_end < cut->last)
        return "an edit list ends among frames that need one another";
    return NULL;
}

static void resolve_audio(struct mp4_track *track, int64_t start, int64_t end)
{
    int64_t early = start - PRIMING_S * (int64_t) track->timescale;
    track->shift = track->empty_ticks - start;
    track->start_cts = start;
    if (early > 0)
        track->first_sample = mp4_find_dts(track, early);
    if (end < INT64_MAX && end > start)
        track->end_sample = mp4_find_dts(track, end - 1) + 1;
}

const char *mp4_resolve_edits(struct mp4_track *track, const struct mp4_cut *cut, bool is_video)
{
    track->end_sample = track->sample_count;
    track->start_cts = cut->start;
    track->end_cts = cut->end;
    track->shift = track->empty_ticks;
    if (cut->start == INT64_MIN)
        return NULL;
    if (is_video)
        return resolve_video(track, cut);
    resolve_audio(track, cut->start, cut->end);
    return NULL;
}
