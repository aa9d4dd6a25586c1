/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bit rates of transcodes: what their encoders are told, and what follows from it for a playlist
 * (decision 14). */
#include <math.h>

#include "segments/encode.h"
#include "segments/transcode.h"

/* What the rate control misses by, and Annex B's emulation bytes, stay within 5 %. */
#define SPARE_PERCENT 5

/* Pictures of half the size take more than half the bits: area to this power. */
#define SIZE_POWER 0.75
/* Of what a size needs, this much is never gone below: each segment begins with a whole picture,
 * however little moves in the source. */
#define LEAST_SHARE 4

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
    static const struct engine_options none = {0};
    struct encode_video settings = encode_video_settings(plan, rendition, &none);
    uint64_t fps = settings.fps_num / settings.fps_den + 1;
    uint64_t headers = header_bits_per_s(fps, VIDEO_SAMPLE_BYTES, VIDEO_PART_DIVISOR);
    uint64_t burst = settings.bufsize * starts_per_s(plan) / 1000000 * ENCODE_FILLED_PERCENT / 100;
    uint64_t peak = (settings.maxrate + burst) * (100 + SPARE_PERCENT) / 100 + headers;
    uint64_t average = (uint64_t) settings.maxrate * AVERAGE_PERCENT / 100 + headers;
    return (struct transcode_rates){.average = clamp(average), .peak = clamp(peak)};
}

/* How many bits of H.264, at our speed and with our many key frames, say what one of the source
 * says, in percent. */
static unsigned price_of(enum plan_codec codec)
{
    switch (codec) {
    case CODEC_H264:
        return 150;
    case CODEC_HEVC:
        return 250;
    case CODEC_VP9:
        return 220;
    case CODEC_AV1:
        return 300;
    case CODEC_OTHER: /* MPEG-2, MPEG-4, VC-1: none is as good */
    case CODEC_AAC:
    case CODEC_AC3:
    case CODEC_EAC3:
    case CODEC_FLAC:
    case CODEC_OPUS:
    case CODEC_MP3:
    case CODEC_COUNT:
        break;
    }
    return 100;
}

uint32_t transcode_video_bitrate(const struct plan *plan, const struct plan_rendition *rendition,
                                 uint64_t source_peak)
{
    const struct plan_track *track = &plan->tracks[rendition->track];
    uint32_t usual =
        encode_video_rate(rendition->width, rendition->height, plan->fps_num, plan->fps_den);
    double area = (double) rendition->width * rendition->height;
    double source_area = (double) track->width * track->height;
    double share = source_area > area ? pow(area / source_area, SIZE_POWER) : 1;
    double useful = (double) source_peak * (double) price_of(track->codec) / 100.0 * share;
    if (source_peak == 0 || useful >= usual)
        return usual;
    uint32_t least = usual / LEAST_SHARE;
    return useful > least ? (uint32_t) useful : least;
}

uint32_t transcode_audio_bitrate(const struct plan_rendition *rendition, uint32_t wanted)
{
    uint32_t most = encode_audio_most(rendition->timescale, rendition->channels);
    return wanted < most ? wanted : most;
}

/* The AAC coder keeps its rate over a segment, and has at most a decoder's buffer beyond it (ISO
 * 14496-3 4.5.3.3): little in a second, much in a film of a third of one. */
#define AUDIO_BUFFER_BITS ((uint64_t) 6144) /* a channel */

static struct transcode_rates audio_rates(const struct plan *plan,
                                          const struct plan_rendition *rendition)
{
    int64_t window = (int64_t) plan_target_duration(plan) * plan->timescale / 2;
    uint64_t length = (uint64_t) (window < plan->end ? window : plan->end);
    uint64_t buffer = AUDIO_BUFFER_BITS * rendition->channels;
    uint64_t burst = buffer * plan->timescale / (length > 0 ? length : 1);
    uint64_t frames = rendition->timescale / TRANSCODE_AUDIO_FRAME + 1;
    uint64_t headers = header_bits_per_s(frames, AUDIO_SAMPLE_BYTES, AUDIO_PART_DIVISOR);
    return (struct transcode_rates){
        .average = clamp(rendition->bitrate + headers),
        .peak = clamp((uint64_t) rendition->bitrate * 5 / 4 + headers + burst),
    };
}

uint32_t transcode_audio_low_bitrate(const struct plan *plan,
                                     const struct plan_rendition *rendition)
{
    struct plan_rendition silent = *rendition;
    silent.bitrate = 0; /* what is left then is there at any rate */
    uint64_t fixed = audio_rates(plan, &silent).peak;
    uint64_t left = fixed < TRANSCODE_AUDIO_LOW_PEAK ? TRANSCODE_AUDIO_LOW_PEAK - fixed : 0;
    uint64_t bitrate = left * 4 / 5;
    if (bitrate > TRANSCODE_AUDIO_LOW_BITRATE)
        return TRANSCODE_AUDIO_LOW_BITRATE;
    return bitrate > TRANSCODE_AUDIO_LEAST_BITRATE ? (uint32_t) bitrate
                                                   : TRANSCODE_AUDIO_LEAST_BITRATE;
}

struct transcode_rates transcode_rates(const struct plan *plan,
                                       const struct plan_rendition *rendition)
{
    return rendition->kind == PLAN_VIDEO ? video_rates(plan, rendition)
                                         : audio_rates(plan, rendition);
}

/* A good picture of 640x360 takes 15 to 30 KB; noise is told to take no more than this. */
#define STILL_BITS_LEAST 98304u

uint32_t transcode_still_bits(const struct plan_rendition *rendition)
{
    uint64_t bits = (uint64_t) rendition->width * rendition->height * 6 / 5;
    return clamp(bits > STILL_BITS_LEAST ? bits : STILL_BITS_LEAST);
}
