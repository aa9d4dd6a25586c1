/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hand-made plans and films for the tests of hls/. Include after cmocka. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "hls/film.h"
#include "segments/plan.h"

enum { FIXTURE_TIMESCALE = 90000, FIXTURE_SECONDS = 20 };

static inline uint32_t fixture_track(struct plan *plan, enum plan_kind kind, enum plan_codec codec,
                                     const char *name, uint32_t number)
{
    plan->tracks = mem_realloc_array(plan->tracks, plan->track_count + 1, sizeof *plan->tracks);
    struct plan_track *track = &plan->tracks[plan->track_count];
    *track = (struct plan_track){.kind = kind, .codec = codec, .number = number};
    snprintf(track->codec_name, sizeof track->codec_name, "%s", name);
    snprintf(track->language, sizeof track->language, "und");
    track->sar_num = track->sar_den = 1;
    track->bit_depth = 8;
    if (kind == PLAN_VIDEO) {
        track->width = 1280;
        track->height = 720;
        track->fps_num = 25;
        track->fps_den = 1;
    } else if (kind == PLAN_AUDIO) {
        track->rate = 48000;
        track->channels = 2;
        track->frame_size = 1024;
    }
    return plan->track_count++;
}

static inline struct plan_rendition *fixture_rendition(struct plan *plan, const char *name,
                                                       uint32_t track, bool is_copy,
                                                       const char *codecs, uint32_t bandwidth)
{
    static const uint8_t init[] = "\0\0\0\x10"
                                  "ftypiso6....moov";
    plan->renditions =
        mem_realloc_array(plan->renditions, plan->rendition_count + 1, sizeof *plan->renditions);
    struct plan_rendition *rendition = &plan->renditions[plan->rendition_count++];
    *rendition = (struct plan_rendition){.kind = plan->tracks[track].kind,
                                         .is_copy = is_copy,
                                         .track = track,
                                         .bandwidth = bandwidth,
                                         .average_bandwidth = bandwidth / 2,
                                         .bitrate = is_copy ? 0 : bandwidth / 2,
                                         .is_independent = true};
    snprintf(rendition->name, sizeof rendition->name, "%s", name);
    snprintf(rendition->codecs, sizeof rendition->codecs, "%s", codecs);
    if (rendition->kind == PLAN_VIDEO) {
        rendition->timescale = FIXTURE_TIMESCALE;
        rendition->delay = 7200;
        rendition->width = 1280;
        rendition->height = 720;
        memcpy(rendition->video_range, "SDR", 4);
    } else {
        rendition->timescale = rendition->kind == PLAN_AUDIO ? 48000 : FIXTURE_TIMESCALE;
        rendition->channels = rendition->kind == PLAN_AUDIO ? 2 : 0;
    }
    if (rendition->kind != PLAN_SUBTITLE) {
        rendition->init = mem_dup(init, sizeof init - 1);
        rendition->init_size = sizeof init - 1;
    } else {
        rendition->bitrate = 0;
    }
    return rendition;
}

/* 20 s with a key each 5 s: C = 0 5 10 15, T = 0 1 2 5 10 15 ... as decision 6 has it. */
static inline struct plan *fixture_plan(void)
{
    struct plan *plan = plan_new();
    plan->version = PLAN_VERSION;
    plan->container = CONTAINER_MKV;
    snprintf(plan->format, sizeof plan->format, "matroska");
    plan->source_size = 100000;
    plan->timescale = FIXTURE_TIMESCALE;
    plan->end = (int64_t) FIXTURE_SECONDS * FIXTURE_TIMESCALE;
    plan->fps_num = 25;
    plan->fps_den = 1;
    plan->copy_count = 4;
    plan->copy_cuts = mem_new_array(int64_t, plan->copy_count);
    plan->copy_pos = mem_new_array(uint64_t, plan->copy_count);
    for (uint32_t i = 0; i < plan->copy_count; i++) {
        plan->copy_cuts[i] = (int64_t) i * 5 * FIXTURE_TIMESCALE;
        plan->copy_pos[i] = 100 + i * 1000;
    }
    plan_choose_cuts(plan->copy_cuts, plan->copy_count, plan->end, plan->timescale, &plan->cuts,
                     &plan->cut_count);
    return plan;
}

/* H.264 with a copy and a 720p transcode, AAC stereo with copy and transcode. */
static inline struct plan *fixture_usual_plan(void)
{
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    uint32_t audio = fixture_track(plan, PLAN_AUDIO, CODEC_AAC, "aac", 1);
    fixture_rendition(plan, "video-copy", video, true, "avc1.64001f", 6000000);
    fixture_rendition(plan, "video-720p", video, false, "avc1.640020", 4000000);
    fixture_rendition(plan, "audio-1-copy", audio, true, "mp4a.40.2", 130000);
    fixture_rendition(plan, "audio-1-aac", audio, false, "mp4a.40.2", 160000);
    return plan;
}

/* The same with a second transcode. */
static inline struct plan *fixture_ladder_plan(void)
{
    struct plan *plan = fixture_usual_plan();
    struct plan_rendition *rendition =
        fixture_rendition(plan, "video-360p", 0, false, "avc1.64001e", 1000000);
    rendition->width = 640;
    rendition->height = 360;
    return plan;
}

/* The same film before it was read through for its index: no copy of the picture. */
static inline struct plan *fixture_first_plan(void)
{
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    uint32_t audio = fixture_track(plan, PLAN_AUDIO, CODEC_AAC, "aac", 1);
    plan->wants_scan = true;
    snprintf(plan->tracks[video].copy_refused, sizeof plan->tracks[video].copy_refused,
             "it has no index");
    plan->copy_count = 0;
    mem_free(plan->cuts);
    plan_choose_cuts(NULL, 0, plan->end, plan->timescale, &plan->cuts, &plan->cut_count);
    fixture_rendition(plan, "video-720p", video, false, "avc1.640020", 4000000);
    fixture_rendition(plan, "audio-1-copy", audio, true, "mp4a.40.2", 130000);
    fixture_rendition(plan, "audio-1-aac", audio, false, "mp4a.40.2", 160000);
    return plan;
}

/* A file of `size` bytes, byte i = i * 7; the caller unlinks and frees the name. */
static inline char *fixture_file(size_t size)
{
    char *path = mem_strdup("/tmp/matinee-film-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t) (i * 7);
    assert_int_equal(fd_write_at(fd, bytes, size, 0), OK);
    close(fd);
    return path;
}

/* Takes the plan. */
static inline struct film *fixture_film(struct plan **plan, const char *engine)
{
    char *path = fixture_file(100000);
    struct source *source = NULL;
    struct why why = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(source_open_local(path, &source, &why), OK);
    unlink(path);
    mem_free(path);
    plan_write(*plan, &bytes, &size);
    struct plan *checked = NULL;
    enum err kind = plan_read(bytes, size, &checked, &why);
    if (kind != OK)
        fail_msg("the fixture's plan is wrong: %s", why.text);
    plan_free(&checked);
    return film_new("film", &source, plan, &bytes, size, engine);
}
