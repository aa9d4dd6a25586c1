/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <stdio.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/boards.h"
#include "segments/charset.h"
#include "segments/convert.h"
#include "segments/copy.h"
#include "segments/gpu_link.h"
#include "segments/listen.h"
#include "segments/screens.h"
#include "segments/segments.h"
#include "segments/subtitle.h"
#include "segments/transcode.h"

struct engine {
    struct input *input;     /* fixed after open */
    const struct plan *plan; /* fixed after open */
    struct copier *copier;
    struct transcoder *transcoder;
};

void engine_preload(void)
{
    /* libavcodec and libavformat fill their tables at first use */
    MUST(avcodec_find_encoder_by_name("libx264") != NULL);
    MUST(avcodec_find_encoder(AV_CODEC_ID_AAC) != NULL);
    MUST(avcodec_find_encoder(AV_CODEC_ID_MJPEG) != NULL);
    MUST(avcodec_find_encoder(AV_CODEC_ID_PNG) != NULL);
    MUST(av_find_input_format("matroska") != NULL);
    MUST(engine_version()[0] != '\0');
    charset_preload();
    transcode_preload();
}

static struct {
    pthread_once_t once;
    char text[160];
} version = {.once = PTHREAD_ONCE_INIT}; /* constant once made: it asks the encoders */

static void make_version(void)
{
    static const struct engine_options defaults = {0};
    CLEANUP(str_fini) struct str text = {0};

    transcode_version(&defaults, &text);
    snprintf(version.text, sizeof version.text, "plan-%d %s", PLAN_VERSION, str_text(&text));
}

const char *engine_version(void)
{
    pthread_once(&version.once, make_version);
    return version.text;
}

enum err engine_open(struct input *input, const struct plan *plan,
                     const struct engine_options *options, struct engine **out)
{
    struct engine *engine = mem_new(struct engine);
    enum err err = transcoder_open(input, plan, options, &engine->transcoder);

    if (err != OK) {
        mem_free(engine);
        return err;
    }
    engine->input = input;
    engine->plan = plan;
    engine->copier = copier_open(input, plan);
    *out = engine;
    return OK;
}

void engine_close(struct engine **engine)
{
    struct engine *old = *engine;

    *engine = NULL;
    if (old == NULL)
        return;
    copier_close(&old->copier);
    transcoder_close(&old->transcoder);
    mem_free(old);
}

void engine_use_gpu(struct engine *engine, int *socket)
{
    struct gpu_link *link = gpu_link_new(socket);

    transcoder_use_gpu(engine->transcoder, link);
    gpu_link_unref(&link);
}

enum err engine_storyboard(struct engine *engine, const struct engine_storyboard *job,
                           struct why *why)
{
    return boards_make(engine->input, engine->plan, job, why);
}

enum err engine_fingerprint(struct engine *engine, const struct engine_listening *job,
                            struct fingerprint *out, struct why *why)
{
    return listen_make(engine->input, engine->plan, job, out, why);
}

struct call {
    uint32_t n;
    _Atomic bool *cancelled;
    engine_tick_fn *tick;
    void *tick_ctx;
};

static void make_copy(struct engine *engine, const struct call *call, struct engine_output *output)
{
    struct copy_job job = {
        .reader = {.input = engine->input, .cancelled = call->cancelled},
        .rendition = output->rendition,
        .n = call->n,
        .sink = &output->sink,
        .tick = call->tick,
        .tick_ctx = call->tick_ctx,
        .why = &output->why,
        .verdict = &output->verdict,
    };

    output->result = copier_segment(engine->copier, &job);
}

struct hearing {
    engine_tick_fn *tick;
    void *ctx;
};

static void hear_read(void *ctx, size_t bytes UNUSED)
{
    const struct hearing *hearing = ctx;
    if (hearing->tick != NULL)
        hearing->tick(hearing->ctx);
}

/* `hearing` is borrowed as long as it reads. */
static struct reader heard_reader(struct input *input, _Atomic bool *cancelled,
                                  struct hearing *hearing)
{
    return (struct reader){
        .input = input, .cancelled = cancelled, .heard = hear_read, .heard_ctx = hearing};
}

enum err engine_convert(struct input *input, const struct plan *plan,
                        const struct convert_what *what, _Atomic bool *cancelled,
                        engine_tick_fn *tick, void *tick_ctx, struct str *out, struct why *why)
{
    struct hearing hearing = {tick, tick_ctx};
    struct reader reader = heard_reader(input, cancelled, &hearing);
    return convert_subtitle(&reader, plan, what, out, why);
}

static void make_subtitles(struct engine *engine, const struct call *call,
                           struct engine_output *output)
{
    struct hearing hearing = {call->tick, call->tick_ctx};
    struct reader reader = heard_reader(engine->input, call->cancelled, &hearing);
    struct container *container = NULL;
    output->result = copier_container(engine->copier, &reader, &output->why, &container);
    bool is_text = engine->plan->renditions[output->rendition].kind == PLAN_SUBTITLE;
    if (output->result == OK)
        output->result = (is_text ? subtitle_segment : screens_segment)(
            container, &reader, engine->plan, output->rendition, call->n, &output->sink);
    if (output->result == ERR_NOT_FOUND)
        output->result =
            why_set(&output->why, ERR_BAD_MEDIA, NULL,
                    is_text ? "its text cannot be read" : "its pictures cannot be read");
}

/* What is to be seen of the subtitles that are drawn into segment n, and a frame to either side. */
static enum err collect_burnt(struct engine *engine, const struct call *call, uint32_t rendition,
                              struct screens *out, struct why *why)
{
    const struct plan *plan = engine->plan;
    struct hearing hearing = {call->tick, call->tick_ctx};
    struct reader reader = heard_reader(engine->input, call->cancelled, &hearing);
    struct container *container = NULL;
    char name[24];
    snprintf(name, sizeof name, "pictures-%u", plan_burnt(&plan->renditions[rendition]));
    int pictures = plan_find(plan, name);
    int64_t frame_ns = INT64_C(1000000000) * plan->fps_den / plan->fps_num + 1;
    int64_t from_ns = plan_time_ns(plan, plan_segment_start(plan, rendition, call->n)) - frame_ns;
    int64_t to_ns = plan_time_ns(plan, plan_segment_start(plan, rendition, call->n + 1)) + frame_ns;
    if (pictures < 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the plan has no such subtitles");
    enum err err = copier_container(engine->copier, &reader, why, &container);
    if (err == OK)
        err = screens_collect(container, &reader, plan->renditions[pictures].track, from_ns, to_ns,
                              out);
    return err == ERR_NOT_FOUND ? why_set(why, ERR_BAD_MEDIA, NULL, "its subtitles cannot be read")
                                : err;
}

static void make_videos(struct engine *engine, const struct call *call,
                        struct engine_output *outputs, size_t count)
{
    struct screens screens = {0};
    struct why why = {0};
    bool is_burnt = plan_burnt(&engine->plan->renditions[outputs[0].rendition]) > 0;
    enum err err =
        is_burnt ? collect_burnt(engine, call, outputs[0].rendition, &screens, &why) : OK;
    if (err == OK) {
        transcoder_video(engine->transcoder, call->n, outputs, count, is_burnt ? &screens : NULL,
                         call->cancelled, call->tick, call->tick_ctx);
    } else {
        for (size_t i = 0; i < count; i++) {
            outputs[i].result = err;
            outputs[i].why = why;
        }
    }
    screens_fini(&screens);
}

/* True when the batch is of one kind as segments.h says, and each of its segments exists. */
static bool is_batch(const struct engine *engine, uint32_t n, const struct engine_output *outputs,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct plan_rendition *r;
        if (outputs[i].rendition >= engine->plan->rendition_count)
            return false;
        r = &engine->plan->renditions[outputs[i].rendition];
        if (n >= plan_segment_count(engine->plan, outputs[i].rendition) + plan_is_on_device(r))
            return false;
        if (count > 1 &&
            (r->kind != PLAN_VIDEO || r->is_copy ||
             plan_burnt(r) != plan_burnt(&engine->plan->renditions[outputs->rendition])))
            return false;
    }
    return true;
}

void engine_segment(struct engine *engine, uint32_t n, struct engine_output *outputs,
                    size_t output_count, _Atomic bool *cancelled, engine_tick_fn *tick,
                    void *tick_ctx)
{
    struct call call = {n, cancelled, tick, tick_ctx};
    const struct plan_rendition *r;

    if (output_count == 0)
        return;
    if (!is_batch(engine, n, outputs, output_count)) {
        for (size_t i = 0; i < output_count; i++)
            outputs[i].result =
                why_set(&outputs[i].why, ERR_BAD_MEDIA, NULL, "the plan has no such segment");
        return;
    }
    r = &engine->plan->renditions[outputs[0].rendition];
    if (plan_is_on_device(r) && n == plan_segment_count(engine->plan, outputs[0].rendition))
        for (size_t i = 0; i < output_count; i++)
            transcoder_init(engine->transcoder, &outputs[i]);
    else if (r->is_copy)
        make_copy(engine, &call, &outputs[0]);
    else if (r->kind == PLAN_IFRAMES)
        transcoder_still(engine->transcoder, n, &outputs[0], cancelled, tick, tick_ctx);
    else if (plan_is_subtitle(r->kind))
        make_subtitles(engine, &call, &outputs[0]);
    else if (r->kind == PLAN_VIDEO)
        make_videos(engine, &call, outputs, output_count);
    else
        transcoder_audio(engine->transcoder, n, &outputs[0], cancelled, tick, tick_ctx);
}
