/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transcodes: H.264 pictures on the constant frame rate grid, AAC-LC sound on the grid of its
 * frames, each segment an encode of its own (decision 24). What the planner must know of them
 * beforehand (what stands in the init segment, the delay, the bit rates) is told here too, from
 * the same parameters, so that init segments made with the plan fit every later run.
 * Threads: a transcoder may be used by several at once; each run inside belongs to one at a time. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "segments/input.h"
#include "segments/plan.h"
#include "segments/segments.h"

/* AAC-LC frames (ISO 14496-3 4.5.2.1.1): the grid of transcoded sound. */
#define TRANSCODE_AUDIO_FRAME    1024
#define TRANSCODE_AUDIO_CHANNELS 2
#define TRANSCODE_AUDIO_BITRATE  192000
/* 5.1, of sources with more than two channels. */
#define TRANSCODE_AUDIO_SURROUND_CHANNELS 6
#define TRANSCODE_AUDIO_SURROUND_BITRATE  384000
/* With headers and what the coder borrows, a variant of it alone stays below the 192 kbit/s that
 * hls-engines 4, rule 36 wants for the road. */
#define TRANSCODE_AUDIO_LOW_BITRATE   112000
#define TRANSCODE_AUDIO_LOW_PEAK      192000
#define TRANSCODE_AUDIO_LEAST_BITRATE 24000

/* Appends what encodes and with which settings: "x264-164 lavc-59.37.100 ...". */
void transcode_version(const struct engine_options *options, struct str *out);

/* Has the encoders make the tables that they keep for the life of the process. */
void transcode_preload(void);

/* Why this track cannot be transcoded here, in words for a person; "" when it can. Constant. */
const char *transcode_refusal(const struct plan_track *track);

/* Asks libavformat for the codecs of those tracks of a Matroska or MP4 film whose names are not
 * libavcodec's ("pcm", or a codec of another system in a wrapper): before transcode_refusal. Opens
 * the film only where there are such. CANCELLED, IO, GONE; what cannot be told stays as it is. */
MUST_CHECK enum err transcode_identify(const struct reader *reader, struct plan *plan);

/* The sample rate of the track's AAC: rendition.timescale. */
uint32_t transcode_audio_rate(const struct plan_track *track);

/* The most bits of one I-frame of a rendition whose width and height are set. */
uint32_t transcode_still_bits(const struct plan_rendition *rendition);

/* What the encoder of a transcoded picture is told (rendition.bitrate), whose width and height are
 * set: what pictures of that size need, and no more than such a source can use: `source_peak` bit/s
 * are its own most over some seconds; 0: not known. */
uint32_t transcode_video_bitrate(const struct plan *plan, const struct plan_rendition *rendition,
                                 uint64_t source_peak);
/* The same of sound at rendition.timescale and of its channels; at most `wanted`. */
uint32_t transcode_audio_bitrate(const struct plan_rendition *rendition, uint32_t wanted);
/* What sound for the road is told: TRANSCODE_AUDIO_LOW_BITRATE, and less for a film so short that
 * the coder's buffer would lift its peak above TRANSCODE_AUDIO_LOW_PEAK. Needs the plan's cuts and E. */
uint32_t transcode_audio_low_bitrate(const struct plan *plan,
                                     const struct plan_rendition *rendition);

/* What an encoder will put into the init segment. */
struct transcode_description {
    uint8_t *extradata; /* avcC (ISO 14496-15 5.3.3.1) or AudioSpecificConfig */
    size_t extradata_size;
    uint32_t delay; /* least D of this video, in ticks of plan->timescale; 0 for audio */
    /* of the video as delivered, ISO 23091-2 code points, for `colr` */
    uint8_t color_primaries, color_transfer, color_matrix;
};

/* Describes the media of a transcoded rendition whose kind, track, width, height, channels, bitrate
 * and timescale are set; needs the plan's tracks, fps and timescale, not its cuts. The same parameters
 * give the same bytes. BAD_MEDIA: no encoder takes these parameters. */
MUST_CHECK enum err transcode_describe(const struct plan *plan,
                                       const struct plan_rendition *rendition,
                                       const struct engine_options *options,
                                       struct transcode_description *out, struct why *why);
void transcode_description_fini(struct transcode_description *description);

/* Bit rates of a transcoded rendition (decision 14). `peak` bounds every run of segments of the
 * plan's cuts that is half a target duration or longer, headers included; needs the plan's cuts,
 * E and fps. */
struct transcode_rates {
    uint32_t average; /* AVERAGE-BANDWIDTH */
    uint32_t peak;    /* BANDWIDTH */
};
struct transcode_rates transcode_rates(const struct plan *plan,
                                       const struct plan_rendition *rendition);

struct transcoder;
struct screens;

/* Borrows `input` and `plan` until transcoder_close; copies the options. Reads nothing yet. */
MUST_CHECK enum err transcoder_open(struct input *input, const struct plan *plan,
                                    const struct engine_options *options, struct transcoder **out);
/* No call may be under way. NULL is accepted. */
void transcoder_close(struct transcoder **transcoder);

/* Segment `n` of several video transcodes of one track, decoded once, with `screens` drawn into all of
 * them (NULL: nothing is); of one audio transcode. n is
 * below the renditions' segment count. Results as engine_segment says. */
void transcoder_video(struct transcoder *transcoder, uint32_t n, struct engine_output *outputs,
                      size_t output_count, const struct screens *screens, _Atomic bool *cancelled,
                      engine_tick_fn *tick, void *tick_ctx);
void transcoder_audio(struct transcoder *transcoder, uint32_t n, struct engine_output *output,
                      _Atomic bool *cancelled, engine_tick_fn *tick, void *tick_ctx);
/* Takes a reference of what makes renditions of devices from now on. */
void transcoder_use_gpu(struct transcoder *transcoder, struct gpu_link *gpu);
/* The init segment of one of those. */
void transcoder_init(struct transcoder *transcoder, struct engine_output *output);
/* I-frame `n` of a rendition of them (stills.h). */
void transcoder_still(struct transcoder *transcoder, uint32_t n, struct engine_output *output,
                      _Atomic bool *cancelled, engine_tick_fn *tick, void *tick_ctx);
