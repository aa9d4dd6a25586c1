/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bit rates of transcodes, from what bounds their encoders (decision 14). */
#include "segments/encode.h"
#include "segments/transcode.h"

/* x264 starts each segment with a buffer filled to 0.9 of its size; what the rate control misses
 * by, and Annex B's emulation bytes, stay within 5 %. */
#define FILLED_PERCENT 90
#define SPARE_PERCENT  5

/* moof, mdat and styp headers: bytes of each part and of each sample in it (mux.h). */
#define HEADER_BYTES       200
#define VIDEO_SAMPLE_BYTES 16
#define VIDEO_PART_DIVISOR 8 /* samples a part, at least on average */
#define AUDIO_SAMPLE_BYTES 8
#define AUDIO_PART_DIVISOR 24

/* The film's average of a rung, as a share of what its VBV lets through: what crf 21 gives for
 * films at these sizes. Reported, not gated. */
#define AVERAGE_PERCENT 60

static uint64_t header_bits_per_s(uint64_t samples_per_s, uint64_t sample_bytes,
                                  uint64_t part_divisor)
{
    return 8 * (samples_per_s * sample_bytes + (samples_per_s / part_divisor + 2) * HEADER_BYTES);
}

/* The most segments that begin within a second, over windows of half a target duration and more, in
 * millionths: each begins with a full buffer. */
static uint64_t starts_per_s(const struct plan *plan)
{
    int64_t window = (int64_t) plan_target_duration(plan) * plan->timescale / 2;
    uint64_t most = 0;
    uint32_t end = 0;
    for (uint32_t begin = 0; begin < plan->cut_count && end < plan->cut_count; begin++) {
        int64_t from = plan->cuts[begin];
        while (end < plan->cut_count && (end <= begin || plan->cuts[end] - from < window))
            end++;
        int64_t to = end < plan->cut_count ? plan->cuts[end] : plan->end;
        if (to <= from)
            continue;
        uint64_t rate =
            (uint64_t) (end - begin) * 1000000 * plan->timescale / (uint64_t) (to - from);
        most = rate > most ? rate : most;
    }
    return most;
}

static uint32_t clamp(uint64_t rate)
{
    return rate > UINT32_MAX ? UINT32_MAX : (uint32_t) rate;
}

static struct transcode_rates video_rates(const struct plan *plan,
                                          const struct plan_rendition *rendition)
{
    static const struct engine_options none = {NULL, 0, 0};
    struct encode_video settings = encode_video_settings(plan, rendition, &none);
    uint64_t fps = settings.fps_num / settings.fps_den + 1;
    uint64_t headers = header_bits_per_s(fps, VIDEO_SAMPLE_BYTES, VIDEO_PART_DIVISOR);
    uint64_t burst = settings.bufsize * starts_per_s(plan) / 1000000 * FILLED_PERCENT / 100;
    uint64_t peak = (settings.maxrate + burst) * (100 + SPARE_PERCENT) / 100 + headers;
    uint64_t average = (uint64_t) settings.maxrate * AVERAGE_PERCENT / 100 + headers;
    return (struct transcode_rates){.average = clamp(average), .peak = clamp(peak)};
}

/* The AAC coder keeps its rate over a segment; its frames borrow little. */
static struct transcode_rates audio_rates(const struct plan_rendition *rendition)
{
    uint64_t frames = rendition->timescale / TRANSCODE_AUDIO_FRAME + 1;
    uint64_t headers = header_bits_per_s(frames, AUDIO_SAMPLE_BYTES, AUDIO_PART_DIVISOR);
    return (struct transcode_rates){
        .average = clamp(TRANSCODE_AUDIO_BITRATE + headers),
        .peak = clamp((uint64_t) TRANSCODE_AUDIO_BITRATE * 5 / 4 + headers),
    };
}

struct transcode_rates transcode_rates(const struct plan *plan,
                                       const struct plan_rendition *rendition)
{
    return rendition->kind == PLAN_VIDEO ? video_rates(plan, rendition) : audio_rates(rendition);
}
