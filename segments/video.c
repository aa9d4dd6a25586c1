/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times. Slot m of the grid is at plan_frame_to_ticks(m). As every slot holds exactly one frame,
 * the i-th smallest presentation time of a segment is that of slot first + i, whatever order the
 * encoder chose: the decode times are known before the packets (segment-engine 3, 8), and a part can
 * leave as soon as its packets are there. */
#include "segments/video.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/burn.h"
#include "segments/encode.h"
#include "segments/encoder.h"
#include "segments/filter.h"
#include "segments/part.h"

struct lane {
    struct engine_output *output;
    struct filter *filter;
    struct burn *burn; /* NULL: nothing is drawn in */
    struct encoder *encoder;
    struct part_writer part;
    AVFrame *filtered; /* what the encoder got last */
    int64_t sent;      /* slot the encoder gets next */
    uint32_t written;  /* packets that came out */
    uint32_t part_frames;
};

struct job {
    const struct plan *plan;
    const struct engine_options *options;
    const struct screens *screens; /* NULL: nothing is drawn in */
    const struct asker *asker;
    int64_t first, end; /* slots */
    bool deinterlace;
    AVPacket *packet;
    AVFrame *scratch, *drawn;
    struct lane *lanes;
    size_t lane_count;
};

static bool is_alive(const struct lane *lane)
{
    return lane->output->result == OK;
}

static void fail(struct lane *lane, enum err err)
{
    if (is_alive(lane))
        lane->output->result = err;
}

static void fail_all(struct job *job, enum err err, const struct why *why)
{
    for (size_t i = 0; i < job->lane_count; i++) {
        if (is_alive(&job->lanes[i]) && why != NULL)
            job->lanes[i].output->why = *why;
        fail(&job->lanes[i], err);
    }
}

static bool is_any_alive(const struct job *job)
{
    for (size_t i = 0; i < job->lane_count; i++)
        if (is_alive(&job->lanes[i]))
            return true;
    return false;
}

static enum err add_packet(const struct job *job, struct lane *lane, const AVPacket *packet)
{
    const struct plan *plan = job->plan;
    const struct plan_rendition *rendition = &plan->renditions[lane->output->rendition];
    struct mux_sample sample = {.is_sync = (packet->flags & AV_PKT_FLAG_KEY) != 0};
    int64_t slot = job->first + lane->written;
    int64_t decode = plan_frame_to_ticks(plan, slot);
    int64_t shown = plan_frame_to_ticks(plan, job->first + packet->pts);
    int64_t offset = (int64_t) PLAN_OFFSET_S * plan->timescale;
    bool is_first = lane->written == 0;
    if (packet->size <= 0 || slot >= job->end || packet->pts < 0 ||
        packet->pts >= job->end - job->first || (is_first && !sample.is_sync))
        return encoder_blame(lane->encoder, &lane->output->why);
    if (annexb_append(plan_coded(rendition), packet->data, (size_t) packet->size,
                      &lane->part.payload, &sample.size) != OK)
        return encoder_blame(lane->encoder, &lane->output->why);
    sample.duration = (uint32_t) (plan_frame_to_ticks(plan, slot + 1) - decode);
    sample.composition = (int32_t) (shown - decode + rendition->delay);
    part_add(&lane->part, &sample, (uint64_t) (decode + offset - rendition->delay));
    lane->written++;
    return OK;
}

static enum err receive_packets(const struct job *job, struct lane *lane)
{
    for (;;) {
        enum err err = encoder_receive(lane->encoder, job->packet);
        if (err == ERR_AGAIN)
            return OK;
        if (err == OK)
            err = add_packet(job, lane, job->packet);
        av_packet_unref(job->packet);
        if (err == OK && lane->part.count >= lane->part_frames) {
            lane->part_frames = VIDEO_PART_FRAMES;
            err = part_flush(&lane->part);
        }
        if (err == OK && asker_is_gone(job->asker))
            err = ERR_CANCELLED;
        if (err != OK)
            return err;
    }
}

/* The filtered frame with the subtitles of the next slot drawn in; itself where there are none. It stays
 * as it is: other slots may show it without. */
static AVFrame *draw(const struct job *job, struct lane *lane)
{
    int64_t ns = plan_time_ns(job->plan, plan_frame_to_ticks(job->plan, lane->sent));
    if (lane->burn == NULL || !burn_look(lane->burn, ns))
        return lane->filtered;
    av_frame_unref(job->drawn);
    MUST(av_frame_ref(job->drawn, lane->filtered) >= 0 && av_frame_make_writable(job->drawn) >= 0);
    burn_draw(lane->burn, job->drawn);
    return job->drawn;
}

/* The next slot's frame: what lane->filtered holds. */
static enum err encode_slot(const struct job *job, struct lane *lane)
{
    AVFrame *frame = draw(job, lane);
    frame->pts = lane->sent - job->first;
    /* The source's own choice of frame types is none of ours (segment-engine 5). */
    frame->pict_type = frame->pts == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    lane->sent++;
    enum err err = encoder_send(lane->encoder, frame, &lane->output->why);
    return err == OK ? receive_packets(job, lane) : err;
}

/* Takes a filtered frame for its slot; slots that a filter left out show the one before. */
static enum err take_frame(const struct job *job, struct lane *lane, AVFrame *frame)
{
    int64_t slot = frame->pts;
    bool has_one = lane->filtered->buf[0] != NULL;
    enum err err = OK;
    while (has_one && err == OK && lane->sent < slot && lane->sent < job->end)
        err = encode_slot(job, lane);
    if (err != OK || slot < lane->sent || slot >= job->end)
        return err;
    av_frame_unref(lane->filtered);
    av_frame_move_ref(lane->filtered, frame);
    while (err == OK && lane->sent <= slot)
        err = encode_slot(job, lane);
    return err;
}

static enum err pull_frames(const struct job *job, struct lane *lane)
{
    for (;;) {
        enum err err = filter_pull(lane->filter, job->scratch);
        if (err == ERR_AGAIN)
            return OK;
        if (err == OK)
            err = take_frame(job, lane, job->scratch);
        av_frame_unref(job->scratch);
        if (err != OK)
            return err;
    }
}

static enum err push_slot(const struct job *job, struct lane *lane, const AVFrame *frame,
                          int64_t slot, bool is_new)
{
    /* Without neighbours in play the same frame comes out of the filter the same. */
    if (!is_new && !job->deinterlace && lane->sent == slot && slot > job->first)
        return encode_slot(job, lane);
    enum err err = filter_push(lane->filter, frame, slot);
    return err == OK ? pull_frames(job, lane) : err;
}

static enum err finish_lane(const struct job *job, struct lane *lane)
{
    enum err err = filter_end(lane->filter);
    if (err == OK)
        err = pull_frames(job, lane);
    while (err == OK && lane->sent < job->end && lane->filtered->buf[0] != NULL)
        err = encode_slot(job, lane);
    if (err == OK)
        err = encoder_send(lane->encoder, NULL, &lane->output->why);
    if (err == OK)
        err = receive_packets(job, lane);
    if (err == OK && lane->written != (uint64_t) (job->end - job->first))
        err = encoder_blame(lane->encoder, &lane->output->why);
    return err == OK ? part_flush(&lane->part) : err;
}

static void start_lane(const struct job *job, struct lane *lane, uint32_t n)
{
    const struct plan_rendition *rendition = &job->plan->renditions[lane->output->rendition];
    struct encode_video settings = encode_video_settings(job->plan, rendition, job->options);
    settings.frames = (uint32_t) (job->end - job->first);
    part_init(&lane->part, &lane->output->sink, n + 1, true);
    lane->part_frames = VIDEO_FIRST_PART_FRAMES;
    lane->sent = job->first;
    lane->filtered = av_frame_alloc();
    MUST(lane->filtered != NULL);
    lane->filter = filter_new(&job->plan->tracks[rendition->track], rendition->width,
                              rendition->height, job->deinterlace, settings.threads);
    if (job->screens != NULL)
        lane->burn = burn_new(job->screens, &job->plan->tracks[rendition->track], rendition->width,
                              rendition->height, settings.color_matrix);
    lane->output->result =
        plan_is_on_device(rendition)
            ? encoder_open_gpu(&settings, job->options->gpu, &lane->encoder, &lane->output->why)
            : encoder_open_x264(&settings, &lane->encoder, &lane->output->why);
}

static void stop_lane(struct lane *lane)
{
    encoder_close(&lane->encoder);
    filter_free(&lane->filter);
    burn_free(&lane->burn);
    av_frame_free(&lane->filtered);
    part_fini(&lane->part);
}

/* What a failure without words means. */
static void explain(struct lane *lane)
{
    struct engine_output *output = lane->output;
    if (output->result == ERR_BAD_MEDIA && output->why.text[0] == '\0')
        why_set(&output->why, ERR_BAD_MEDIA, NULL, "the picture could not be converted");
}

static enum err show_slots(struct job *job, struct pictures *pictures, int64_t from, int64_t to)
{
    for (int64_t slot = from; slot < to && is_any_alive(job); slot++) {
        const AVFrame *frame = NULL;
        bool is_new = true;
        enum err err = pictures_show(pictures, &frame, &is_new);
        if (err != OK)
            return err;
        for (size_t i = 0; i < job->lane_count; i++)
            if (is_alive(&job->lanes[i]))
                fail(&job->lanes[i], push_slot(job, &job->lanes[i], frame, slot, is_new));
        if (job->asker->tick != NULL)
            job->asker->tick(job->asker->tick_ctx);
        if (asker_is_gone(job->asker))
            fail_all(job, ERR_CANCELLED, NULL);
    }
    return OK;
}

static void show_neighbour(struct job *job, const AVFrame *frame)
{
    for (size_t i = 0; i < job->lane_count && frame->buf[0] != NULL; i++)
        if (is_alive(&job->lanes[i]))
            fail(&job->lanes[i], push_slot(job, &job->lanes[i], frame, job->end, true));
}

/* The deinterlacer looks at the field before and the one after: one frame more on either side, the
 * same whatever came before. */
static enum err run(struct job *job, struct pictures *pictures)
{
    struct why why = {{0}, {0}};
    int64_t from = job->deinterlace && job->first > 0 ? job->first - 1 : job->first;
    enum err err = pictures_start(pictures, from, &why);
    if (err == OK)
        err = show_slots(job, pictures, from, job->end);
    if (err == OK && job->deinterlace)
        show_neighbour(job, pictures_peek(pictures));
    if (err != OK)
        fail_all(job, err, &why);
    return err == ERR_BAD_MEDIA ? OK : err;
}

static void finish(struct job *job)
{
    for (size_t i = 0; i < job->lane_count; i++) {
        if (is_alive(&job->lanes[i]))
            fail(&job->lanes[i], finish_lane(job, &job->lanes[i]));
        explain(&job->lanes[i]);
        stop_lane(&job->lanes[i]);
    }
}

static void start(struct job *job, struct engine_output *outputs, uint32_t n)
{
    const struct plan *plan = job->plan;
    uint32_t rendition = outputs[0].rendition;
    const struct plan_track *track = &plan->tracks[plan->renditions[rendition].track];
    job->first = plan_ticks_to_frame(plan, plan_segment_start(plan, rendition, n));
    job->end = plan_ticks_to_frame(plan, plan_segment_start(plan, rendition, n + 1));
    job->deinterlace = filter_may_be_interlaced(track);
    job->packet = av_packet_alloc();
    job->scratch = av_frame_alloc();
    job->drawn = av_frame_alloc();
    job->lanes = mem_new_array(struct lane, job->lane_count);
    MUST(job->packet != NULL && job->scratch != NULL && job->drawn != NULL);
    for (size_t i = 0; i < job->lane_count; i++) {
        job->lanes[i].output = &outputs[i];
        start_lane(job, &job->lanes[i], n);
    }
}

enum err video_make(struct pictures *pictures, const struct plan *plan,
                    const struct engine_options *options, uint32_t n, struct engine_output *outputs,
                    size_t output_count, const struct screens *screens, const struct asker *asker)
{
    struct job job = {.plan = plan,
                      .options = options,
                      .screens = screens,
                      .asker = asker,
                      .lane_count = output_count};
    start(&job, outputs, n);
    enum err err = run(&job, pictures);
    finish(&job);
    av_packet_free(&job.packet);
    av_frame_free(&job.scratch);
    av_frame_free(&job.drawn);
    mem_free(job.lanes);
    return err;
}
