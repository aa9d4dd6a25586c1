/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_plan.h"

#include <stdio.h>

#include "base/mem.h"

static void add_video(struct plan *plan, uint32_t index, uint32_t height)
{
    struct plan_rendition *video = &plan->renditions[index];
    *video = (struct plan_rendition){.kind = PLAN_VIDEO,
                                     .timescale = plan->timescale,
                                     .width = height * 16 / 9,
                                     .height = height,
                                     .bandwidth = 1000000,
                                     .bitrate = 100000,
                                     .average_bandwidth = 800000,
                                     .is_independent = true,
                                     .codecs = "avc1.64001f",
                                     .video_range = "SDR"};
    snprintf(video->name, sizeof video->name, "video-%up", height);
    video->init = mem_dup("init", 4);
    video->init_size = 4;
}

static void add_sound(struct plan *plan, uint32_t index)
{
    struct plan_rendition *sound = &plan->renditions[index];
    *sound = (struct plan_rendition){.kind = PLAN_AUDIO,
                                     .track = 1,
                                     .timescale = 48000,
                                     .channels = 2,
                                     .bandwidth = 128000,
                                     .bitrate = 100000,
                                     .average_bandwidth = 128000,
                                     .is_independent = true,
                                     .codecs = "mp4a.40.2",
                                     .name = "audio-1-aac"};
    sound->init = mem_dup("init", 4);
    sound->init_size = 4;
}

static void add_tracks(struct plan *plan)
{
    plan->track_count = 2;
    plan->tracks = mem_new_array(struct plan_track, 2);
    plan->tracks[0] = (struct plan_track){.kind = PLAN_VIDEO,
                                          .number = 1,
                                          .codec = CODEC_H264,
                                          .codec_name = "h264",
                                          .language = "und",
                                          .width = 1280,
                                          .height = 720,
                                          .sar_num = 1,
                                          .sar_den = 1,
                                          .bit_depth = 8,
                                          .fps_num = 25,
                                          .fps_den = 1};
    plan->tracks[1] = (struct plan_track){.kind = PLAN_AUDIO,
                                          .number = 1,
                                          .codec = CODEC_AAC,
                                          .codec_name = "aac",
                                          .language = "und",
                                          .rate = 48000,
                                          .channels = 2,
                                          .frame_size = 1024};
}

struct plan *fake_plan(uint64_t source_size)
{
    const int64_t segment_s = 4;
    struct plan *plan = plan_new();
    plan->version = PLAN_VERSION;
    plan->container = CONTAINER_OTHER;
    snprintf(plan->format, sizeof plan->format, "fake");
    plan->source_size = source_size;
    plan->timescale = 90000;
    plan->fps_num = 25;
    plan->fps_den = 1;
    plan->end = FAKE_SEGMENTS * segment_s * plan->timescale;
    plan->cut_count = FAKE_SEGMENTS;
    plan->cuts = mem_new_array(int64_t, FAKE_SEGMENTS);
    for (uint32_t i = 0; i < FAKE_SEGMENTS; i++)
        plan->cuts[i] = i * segment_s * plan->timescale;
    add_tracks(plan);
    plan->rendition_count = FAKE_RENDITIONS;
    plan->renditions = mem_new_array(struct plan_rendition, FAKE_RENDITIONS);
    add_video(plan, FAKE_VIDEO_720, 720);
    add_video(plan, FAKE_VIDEO_480, 480);
    add_sound(plan, FAKE_SOUND);
    return plan;
}
