/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key frames alone are decoded (stills.h). A picture stands for the time from its key frame on, so that
 * what is shown at a moment is what was last seen before it. */
#include "segments/storyboard.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <string.h>

#include "base/mem.h"
#include "segments/boards.h"
#include "segments/filter.h"
#include "segments/stills.h"

#define NS_PER_MS 1000000

/* Of mjpeg, 2 to 31: good enough at this size, and 6 KB a picture. */
#define QUALITY 5

struct board {
    const struct plan *plan;
    const struct plan_track *track;
    const struct engine_storyboard *job;
    struct why *why;
    struct stills *stills;
    uint32_t width, height; /* of a picture */
    AVFrame *sheet, *small;
    uint32_t on_sheet, made;
    int64_t last_ns; /* of the key shown last */
    int64_t last_ms;
};

/* The first picture that is played at all; -1: none. */
static int find_rendition(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].kind == PLAN_VIDEO)
            return (int) i;
    return -1;
}

static uint32_t even_part(uint64_t side, uint32_t longer)
{
    uint64_t part = (side * STORYBOARD_SIDE / longer + 1) & ~UINT64_C(1);
    return part < 2 ? 2 : (uint32_t) part;
}

static void choose_size(struct board *board, const struct plan_rendition *rendition)
{
    uint32_t longer = rendition->width > rendition->height ? rendition->width : rendition->height;
    board->width = even_part(rendition->width, longer);
    board->height = even_part(rendition->height, longer);
}

/* --- a sheet --- */

/* Black, full range. */
static void clear_sheet(const struct board *board)
{
    const int black[] = {0, 128, 128};
    for (int plane = 0; plane < 3; plane++) {
        size_t rows = (size_t) board->sheet->height / (plane == 0 ? 1 : 2);
        memset(board->sheet->data[plane], black[plane],
               rows * (size_t) board->sheet->linesize[plane]);
    }
}

static void open_sheet(struct board *board)
{
    AVFrame *sheet = board->sheet;
    sheet->format = AV_PIX_FMT_YUVJ420P;
    sheet->color_range = AVCOL_RANGE_JPEG;
    sheet->width = (int) board->width * STORYBOARD_COLUMNS;
    sheet->height = (int) board->height * STORYBOARD_COLUMNS;
    MUST(av_frame_get_buffer(sheet, 0) >= 0);
    clear_sheet(board);
}

static void place(const struct board *board, const AVFrame *picture)
{
    uint32_t column = board->on_sheet % STORYBOARD_COLUMNS;
    uint32_t row = board->on_sheet / STORYBOARD_COLUMNS;
    for (int plane = 0; plane < 3; plane++) {
        uint32_t part = plane == 0 ? 1 : 2;
        uint32_t width = board->width / part, height = board->height / part;
        int stride = board->sheet->linesize[plane];
        uint8_t *to = board->sheet->data[plane] + (size_t) row * height * (size_t) stride +
                      (size_t) column * width;
        av_image_copy_plane(to, stride, picture->data[plane], picture->linesize[plane], (int) width,
                            (int) height);
    }
}

static AVCodecContext *open_jpeg(const AVFrame *sheet)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    MUST(encoder != NULL);
    encoder->width = sheet->width;
    encoder->height = sheet->height;
    encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder->color_range = AVCOL_RANGE_JPEG;
    encoder->time_base = (AVRational){1, 1};
    encoder->flags |= (int) (AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT);
    encoder->global_quality = FF_QP2LAMBDA * QUALITY;
    encoder->thread_count = 1;
    if (codec == NULL || avcodec_open2(encoder, codec, NULL) < 0)
        avcodec_free_context(&encoder);
    return encoder;
}

static enum err encode_sheet(const struct board *board, AVPacket *packet)
{
    AVFrame *sheet = board->sheet;
    uint32_t rows = (board->on_sheet + STORYBOARD_COLUMNS - 1) / STORYBOARD_COLUMNS;
    int whole = sheet->height;
    sheet->height = (int) (rows * board->height);
    sheet->quality = FF_QP2LAMBDA * QUALITY;
    sheet->pts = 0;
    AVCodecContext *encoder = open_jpeg(sheet);
    bool is_made = encoder != NULL && avcodec_send_frame(encoder, sheet) >= 0 &&
                   avcodec_send_frame(encoder, NULL) >= 0 &&
                   avcodec_receive_packet(encoder, packet) >= 0;
    avcodec_free_context(&encoder);
    sheet->height = whole;
    return is_made ? OK : ERR_BAD_MEDIA;
}

static enum err give_sheet(struct board *board)
{
    AVPacket *packet = av_packet_alloc();
    MUST(packet != NULL);
    enum err err = encode_sheet(board, packet);
    if (err == OK && packet->size > STORYBOARD_SHEET_BYTES)
        err = ERR_LIMIT;
    if (err == OK)
        err = board->job->sheet(board->job->ctx, packet->data, (size_t) packet->size);
    av_packet_free(&packet);
    board->on_sheet = 0;
    MUST(av_frame_make_writable(board->sheet) >= 0);
    clear_sheet(board);
    return err;
}

/* --- a picture --- */

static enum err shrink(const struct board *board, const AVFrame *picture)
{
    struct filter *filter = filter_new(board->track, board->width, board->height,
                                       filter_may_be_interlaced(board->track), 1);
    filter_for_jpeg(filter);
    enum err err = filter_push(filter, picture, 0);
    if (err == OK)
        err = filter_end(filter);
    if (err == OK)
        err = filter_pull(filter, board->small);
    filter_free(&filter);
    return err == ERR_AGAIN ? ERR_BAD_MEDIA : err;
}

/* The key found last. What does not decode is left out. */
static enum err take_picture(struct board *board, int64_t at_ms)
{
    const AVFrame *picture = NULL;
    enum err err = stills_show(board->stills, &picture);
    if (err == OK)
        err = shrink(board, picture);
    if (err != OK)
        return err == ERR_BAD_MEDIA ? OK : err;
    place(board, board->small);
    av_frame_unref(board->small);
    board->on_sheet++;
    board->made++;
    board->last_ms = at_ms;
    err = board->job->picture(board->job->ctx, at_ms, board->width, board->height);
    return err == OK && board->on_sheet == STORYBOARD_SHEET ? give_sheet(board) : err;
}

/* The key that is shown at `ms`, unless it was taken already. */
static enum err look_at(struct board *board, int64_t ms)
{
    const struct plan *plan = board->plan;
    int64_t ns = plan->t0_ns + ms * NS_PER_MS;
    int64_t at_ns = 0;
    if (ns < board->track->first_ns)
        ns = board->track->first_ns;
    enum err err = stills_find_at(board->stills, ns, &at_ns, board->why);
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err != OK)
        return err;
    if (at_ns == DEMUX_NO_TIME)
        at_ns = ns;
    if (board->made > 0 && at_ns <= board->last_ns)
        return OK;
    int64_t at_ms = (at_ns - plan->t0_ns) / NS_PER_MS;
    board->last_ns = at_ns;
    if (at_ms < 0 || board->made == 0)
        at_ms = 0;
    return board->made == 0 || at_ms > board->last_ms ? take_picture(board, at_ms) : OK;
}

static enum err run(struct board *board)
{
    int64_t end_ms = av_rescale(board->plan->end, 1000, board->plan->timescale);
    int64_t step_ms = storyboard_step_ms(end_ms);
    enum err err = OK;
    for (int64_t ms = 0; ms < end_ms && err == OK && board->made < STORYBOARD_MOST; ms += step_ms) {
        board->job->tick(board->job->ctx);
        err = atomic_load(board->job->cancelled) ? ERR_CANCELLED : look_at(board, ms);
    }
    if (err == OK && board->on_sheet > 0)
        err = give_sheet(board);
    if (err == OK && board->made == 0)
        err = why_set(board->why, ERR_BAD_MEDIA, NULL, "no key frame of it could be decoded");
    return err;
}

enum err boards_make(struct input *input, const struct plan *plan,
                     const struct engine_storyboard *job, struct why *why)
{
    int index = find_rendition(plan);
    if (index < 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the film has no picture");
    const struct plan_rendition *rendition = &plan->renditions[index];
    const struct asker asker = {job->cancelled, job->tick, job->ctx};
    struct board board = {.plan = plan,
                          .track = &plan->tracks[rendition->track],
                          .job = job,
                          .why = why,
                          .stills = stills_new(input, plan, rendition->track),
                          .sheet = av_frame_alloc(),
                          .small = av_frame_alloc()};
    MUST(board.sheet != NULL && board.small != NULL);
    stills_set_asker(board.stills, &asker);
    choose_size(&board, rendition);
    open_sheet(&board);
    enum err err = run(&board);
    stills_close(&board.stills);
    av_frame_free(&board.sheet);
    av_frame_free(&board.small);
    return err;
}
