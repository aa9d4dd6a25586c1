/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who runs what: decoders are kept warm between calls in a small pool, least recently used first to
 * go, each lent to one call at a time. */
#include "segments/transcode.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "segments/audio.h"
#include "segments/decode.h"
#include "segments/demux.h"
#include "segments/encode.h"
#include "segments/filter.h"
#include "segments/gpu_init.h"
#include "segments/gpu_link.h"
#include "segments/pictures.h"
#include "segments/stills.h"
#include "segments/video.h"

#define DEFAULT_THREADS 2
#define DEFAULT_RUNS    2
#define MAX_RUNS        64

/* A warm decoder at rest: one of the two is set. */
struct warm {
    struct pictures *pictures;
    struct decoder *sound;
    uint32_t track; /* of the sound */
    uint64_t used;  /* when: a count of calls */
};

struct transcoder {
    /* fixed after open */
    struct input *input;
    const struct plan *plan;
    struct engine_options options;
    char *preset; /* what options.preset points to */
    uint32_t room;
    /* under lock */
    pthread_mutex_t lock;
    struct warm *pool;
    struct stills *stills; /* warm; NULL: none, or lent */
    struct gpu_link *gpu;  /* NULL: there is none */
    uint64_t calls;
};

static void append_version(struct str *out, const char *name, unsigned version)
{
    str_printf(out, " %s-%u.%u.%u", name, version >> 16, version >> 8 & 0xff, version & 0xff);
}

void transcode_version(const struct engine_options *options, struct str *out)
{
    str_printf(out, "x264-%u", encode_x264_build());
    append_version(out, "lavc", avcodec_version());
    append_version(out, "lavf", avformat_version());
    append_version(out, "lavfi", avfilter_version());
    append_version(out, "swr", swresample_version());
    append_version(out, "sws", swscale_version());
    str_printf(out, " settings-%d %s", ENCODE_SETTINGS,
               options->preset != NULL ? options->preset : "veryfast");
}

const char *transcode_refusal(const struct plan_track *track)
{
    if (track->kind == PLAN_SUBTITLE)
        return "subtitles are not transcoded";
    if (!decoder_exists(track->codec_name))
        return "there is no decoder for this codec here";
    if (track->kind == PLAN_VIDEO && filter_is_hdr(track->color_transfer) && !filter_can_tonemap())
        return "HDR is not yet brought to SDR here: this libavfilter has no zscale";
    return "";
}

void transcode_preload(void)
{
    struct why why = {{0}, {0}};
    AVCodecContext *encoder = NULL;
    if (encode_audio_open(48000, TRANSCODE_AUDIO_CHANNELS, TRANSCODE_AUDIO_BITRATE, ENCODE_FAST,
                          &encoder, &why) == OK)
        encode_close(&encoder);
}

static bool is_unknown(const struct plan_track *track)
{
    return track->kind != PLAN_SUBTITLE &&
           avcodec_descriptor_get_by_name(track->codec_name) == NULL;
}

static void identify_track(struct demux *demux, struct plan_track *track)
{
    const AVStream *stream = demux_stream(demux, track->stream_index);
    enum AVMediaType type = track->kind == PLAN_VIDEO ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
    if (stream == NULL || stream->codecpar->codec_type != type ||
        stream->codecpar->codec_id == AV_CODEC_ID_NONE)
        return;
    snprintf(track->codec_name, sizeof track->codec_name, "%s",
             avcodec_get_name(stream->codecpar->codec_id));
}

enum err transcode_identify(const struct reader *reader, struct plan *plan)
{
    struct demux *demux = NULL;
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < plan->track_count; i++)
        unknown += is_unknown(&plan->tracks[i]);
    if (unknown == 0)
        return OK;
    enum err err = demux_open(reader, false, &demux, NULL);
    for (uint32_t i = 0; i < plan->track_count && err == OK; i++)
        if (is_unknown(&plan->tracks[i]))
            identify_track(demux, &plan->tracks[i]);
    demux_close(&demux);
    return err == ERR_BAD_MEDIA ? OK : err;
}

/* With SBR, which the container need not tell of, the sound has twice the rate of the core. */
uint32_t transcode_audio_rate(const struct plan_track *track)
{
    uint32_t rate = track->rate > 0 ? track->rate : 48000;
    return encode_audio_rate(track->codec == CODEC_AAC && rate <= 24000 ? 2 * rate : rate);
}

/* D: whole milliseconds, rounded up (decision 8), then ticks, rounded up. */
static uint32_t delay_of(const struct plan *plan, uint32_t frames)
{
    uint64_t ms = ((uint64_t) frames * plan->fps_den * 1000 + plan->fps_num - 1) / plan->fps_num;
    return (uint32_t) ((ms * plan->timescale + 999) / 1000);
}

static enum err describe_video(const struct plan *plan, const struct plan_rendition *rendition,
                               const struct engine_options *options,
                               struct transcode_description *out, struct why *why)
{
    struct encode_video settings = encode_video_settings(plan, rendition, options);
    AVCodecContext *encoder = NULL;
    settings.threads = 1; /* says nothing in the headers, and takes less memory */
    settings.is_for_headers = true;
    enum err err = encode_video_open(&settings, &encoder, why);
    if (err == OK)
        err = encode_video_config(encoder, &out->extradata, &out->extradata_size);
    if (err == OK) {
        out->delay = delay_of(plan, encode_video_reorder(encoder));
        out->color_primaries = settings.color_primaries;
        out->color_transfer = settings.color_transfer;
        out->color_matrix = settings.color_matrix;
    }
    encode_close(&encoder);
    return err;
}

static enum err describe_audio(const struct plan_rendition *rendition,
                               struct transcode_description *out, struct why *why)
{
    uint8_t config[ENCODE_AUDIO_CONFIG_BYTES];
    enum err err = encode_audio_config(rendition->timescale, rendition->channels, config, why);
    if (err != OK)
        return err;
    out->extradata = mem_dup(config, sizeof config);
    out->extradata_size = sizeof config;
    return OK;
}

enum err transcode_describe(const struct plan *plan, const struct plan_rendition *rendition,
                            const struct engine_options *options, struct transcode_description *out,
                            struct why *why)
{
    struct transcode_description description = {0};
    enum err err = rendition->kind != PLAN_AUDIO
                       ? describe_video(plan, rendition, options, &description, why)
                       : describe_audio(rendition, &description, why);
    if (err == OK)
        *out = description;
    else
        transcode_description_fini(&description);
    return err;
}

void transcode_description_fini(struct transcode_description *description)
{
    mem_free(description->extradata);
    description->extradata = NULL;
    description->extradata_size = 0;
}

enum err transcoder_open(struct input *input, const struct plan *plan,
                         const struct engine_options *options, struct transcoder **out)
{
    struct transcoder *transcoder = mem_new(struct transcoder);
    transcoder->input = input;
    transcoder->plan = plan;
    transcoder->options = *options;
    if (options->preset != NULL)
        transcoder->options.preset = transcoder->preset = mem_strdup(options->preset);
    if (options->threads == 0)
        transcoder->options.threads = DEFAULT_THREADS;
    transcoder->room = options->runs > 0 ? options->runs : DEFAULT_RUNS;
    if (transcoder->room > MAX_RUNS)
        transcoder->room = MAX_RUNS;
    transcoder->pool = mem_new_array(struct warm, transcoder->room);
    MUST(pthread_mutex_init(&transcoder->lock, NULL) == 0);
    *out = transcoder;
    return OK;
}

static void drop(struct warm *warm)
{
    pictures_close(&warm->pictures);
    decoder_close(&warm->sound);
    *warm = (struct warm){0};
}

void transcoder_close(struct transcoder **transcoder)
{
    struct transcoder *old = *transcoder;
    *transcoder = NULL;
    if (old == NULL)
        return;
    for (uint32_t i = 0; i < old->room; i++)
        drop(&old->pool[i]);
    stills_close(&old->stills);
    gpu_link_unref(&old->gpu);
    pthread_mutex_destroy(&old->lock);
    mem_free(old->pool);
    mem_free(old->preset);
    mem_free(old);
}

/* How well a warm decoder serves pictures of `track` from `slot` on: 0 = not, 2 = stands there. */
static int rate_pictures(const struct warm *warm, uint32_t track, int64_t slot)
{
    if (warm->pictures == NULL || pictures_track(warm->pictures) != track)
        return 0;
    return pictures_next_slot(warm->pictures) == slot ? 2 : 1;
}

/* Among those that stand elsewhere the least recently used is taken: others may be followed up. */
static struct pictures *take_pictures(struct transcoder *transcoder, uint32_t track, int64_t slot)
{
    struct pictures *pictures = NULL;
    struct warm *best = NULL;
    pthread_mutex_lock(&transcoder->lock);
    for (uint32_t i = 0; i < transcoder->room; i++) {
        struct warm *warm = &transcoder->pool[i];
        int rate = rate_pictures(warm, track, slot);
        int best_rate = best != NULL ? rate_pictures(best, track, slot) : 0;
        if (rate > best_rate || (rate > 0 && rate == best_rate && warm->used < best->used))
            best = warm;
    }
    if (best != NULL) {
        pictures = best->pictures;
        *best = (struct warm){0};
    }
    pthread_mutex_unlock(&transcoder->lock);
    return pictures;
}

static struct decoder *take_sound(struct transcoder *transcoder, uint32_t track)
{
    struct decoder *sound = NULL;
    pthread_mutex_lock(&transcoder->lock);
    for (uint32_t i = 0; i < transcoder->room && sound == NULL; i++) {
        struct warm *warm = &transcoder->pool[i];
        if (warm->sound == NULL || warm->track != track)
            continue;
        sound = warm->sound;
        *warm = (struct warm){0};
    }
    pthread_mutex_unlock(&transcoder->lock);
    return sound;
}

/* Puts a decoder to rest; the least recently used makes room, closed outside the lock. */
static void put(struct transcoder *transcoder, struct warm warm)
{
    pthread_mutex_lock(&transcoder->lock);
    struct warm *place = &transcoder->pool[0];
    for (uint32_t i = 1; i < transcoder->room; i++)
        if (transcoder->pool[i].used < place->used)
            place = &transcoder->pool[i];
    struct warm old = *place;
    *place = warm;
    place->used = ++transcoder->calls;
    pthread_mutex_unlock(&transcoder->lock);
    drop(&old);
}

static void refuse(struct engine_output *outputs, size_t count, enum err err, const struct why *why)
{
    for (size_t i = 0; i < count; i++) {
        outputs[i].result = err;
        outputs[i].why = *why;
    }
}

void transcoder_use_gpu(struct transcoder *transcoder, struct gpu_link *gpu)
{
    pthread_mutex_lock(&transcoder->lock);
    struct gpu_link *old = transcoder->gpu;
    transcoder->gpu = gpu_link_ref(gpu);
    pthread_mutex_unlock(&transcoder->lock);
    gpu_link_unref(&old);
}

/* For a segment: gpu_link_unref. */
static struct gpu_link *take_gpu(struct transcoder *transcoder)
{
    pthread_mutex_lock(&transcoder->lock);
    struct gpu_link *gpu = transcoder->gpu != NULL ? gpu_link_ref(transcoder->gpu) : NULL;
    pthread_mutex_unlock(&transcoder->lock);
    return gpu;
}

void transcoder_init(struct transcoder *transcoder, struct engine_output *output)
{
    CLEANUP(gpu_link_unref) struct gpu_link *gpu = take_gpu(transcoder);
    struct engine_options options = transcoder->options;
    options.gpu = gpu;
    output->result = gpu_init(transcoder->plan, &options, output);
}

static int64_t first_slot(const struct plan *plan, uint32_t rendition, uint32_t n)
{
    return plan_ticks_to_frame(plan, plan_segment_start(plan, rendition, n));
}

void transcoder_video(struct transcoder *transcoder, uint32_t n, struct engine_output *outputs,
                      size_t output_count, const struct screens *screens, _Atomic bool *cancelled,
                      engine_tick_fn *tick, void *tick_ctx)
{
    static const struct asker nobody = {NULL, NULL, NULL};
    const struct asker asker = {cancelled, tick, tick_ctx};
    const struct plan *plan = transcoder->plan;
    uint32_t track = plan->renditions[outputs[0].rendition].track;
    struct why why = {{0}, {0}};
    enum err err = OK;
    struct pictures *pictures =
        take_pictures(transcoder, track, first_slot(plan, outputs[0].rendition, n));
    if (pictures != NULL)
        pictures_set_asker(pictures, &asker);
    else
        err = pictures_open(transcoder->input, plan, track, transcoder->options.threads, &asker,
                            &pictures, &why);
    refuse(outputs, output_count, err, &why);
    if (err != OK)
        return;
    CLEANUP(gpu_link_unref) struct gpu_link *gpu = take_gpu(transcoder);
    struct engine_options options = transcoder->options;
    options.gpu = gpu;
    err = video_make(pictures, plan, &options, n, outputs, output_count, screens, &asker);
    pictures_set_asker(pictures, &nobody);
    if (err == OK)
        put(transcoder, (struct warm){.pictures = pictures});
    else
        pictures_close(&pictures);
}

void transcoder_audio(struct transcoder *transcoder, uint32_t n, struct engine_output *output,
                      _Atomic bool *cancelled, engine_tick_fn *tick, void *tick_ctx)
{
    static const struct asker nobody = {NULL, NULL, NULL};
    const struct asker asker = {cancelled, tick, tick_ctx};
    uint32_t track = transcoder->plan->renditions[output->rendition].track;
    struct why why = {{0}, {0}};
    enum err err = OK;
    struct decoder *sound = take_sound(transcoder, track);
    if (sound != NULL)
        decoder_set_asker(sound, &asker);
    else
        err = decoder_open(transcoder->input, transcoder->plan, track, 1, &asker, &sound, &why);
    refuse(output, 1, err, &why);
    if (err != OK)
        return;
    err = audio_make(sound, transcoder->plan, n, output, &asker);
    decoder_set_asker(sound, &nobody);
    if (err == OK)
        put(transcoder, (struct warm){.sound = sound, .track = track});
    else
        decoder_close(&sound);
}

/* Apart from the pool: who leafs through a film takes no decoder from those who watch it. */
static struct stills *take_stills(struct transcoder *transcoder, uint32_t track)
{
    struct stills *stills = NULL;
    pthread_mutex_lock(&transcoder->lock);
    if (transcoder->stills != NULL && stills_track(transcoder->stills) == track) {
        stills = transcoder->stills;
        transcoder->stills = NULL;
    }
    pthread_mutex_unlock(&transcoder->lock);
    return stills;
}

static void put_stills(struct transcoder *transcoder, struct stills *stills)
{
    pthread_mutex_lock(&transcoder->lock);
    struct stills *old = transcoder->stills;
    transcoder->stills = stills;
    pthread_mutex_unlock(&transcoder->lock);
    stills_close(&old);
}

void transcoder_still(struct transcoder *transcoder, uint32_t n, struct engine_output *output,
                      _Atomic bool *cancelled, engine_tick_fn *tick, void *tick_ctx)
{
    static const struct asker nobody = {NULL, NULL, NULL};
    const struct asker asker = {cancelled, tick, tick_ctx};
    uint32_t track = transcoder->plan->renditions[output->rendition].track;
    struct stills *stills = take_stills(transcoder, track);
    if (stills == NULL)
        stills = stills_new(transcoder->input, transcoder->plan, track);
    stills_set_asker(stills, &asker);
    enum err err = stills_make(stills, &transcoder->options, n, output);
    stills_set_asker(stills, &nobody);
    if (err == OK)
        put_stills(transcoder, stills);
    else
        stills_close(&stills);
}
