/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <stdio.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/copy.h"
#include "segments/segments.h"
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
    MUST(av_find_input_format("matroska") != NULL);
    MUST(engine_version()[0] != '\0');
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

/* True when the batch is of one kind as segments.h says, and each of its segments exists. */
static bool is_batch(const struct engine *engine, uint32_t n, const struct engine_output *outputs,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct plan_rendition *r;
        if (outputs[i].rendition >= engine->plan->rendition_count)
            return false;
        r = &engine->plan->renditions[outputs[i].rendition];
        if (n >= plan_segment_count(engine->plan, outputs[i].rendition))
            return false;
        if (r->kind == PLAN_SUBTITLE || (count > 1 && (r->kind != PLAN_VIDEO || r->is_copy)))
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
    if (r->is_copy)
        make_copy(engine, &call, &outputs[0]);
    else if (r->kind == PLAN_VIDEO)
        transcoder_video(engine->transcoder, n, outputs, output_count, cancelled, tick, tick_ctx);
    else
        transcoder_audio(engine->transcoder, n, &outputs[0], cancelled, tick, tick_ctx);
}
