/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Graphs are text: libavfilter's own language says best what is done (segment-engine 5). */
#include "segments/filter.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/nal.h"

enum { HD_HEIGHT = 720 };
enum { TRANSFER_PQ = 16, TRANSFER_HLG = 18, MATRIX_RGB = 0, UNSPECIFIED = 2 };

/* Linear light needs a reference white: 100 cd/m2, what SDR was made for (segment-engine 5). */
#define TONEMAP                                                                                    \
    "t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"                      \
    "zscale=t=bt709:m=bt709:r=tv"

/* What a graph was made for. */
struct shape {
    int width, height, format;
    AVRational sar;
    enum AVColorRange range;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorPrimaries primaries;
    enum AVColorSpace matrix;
};

struct filter {
    /* fixed after new */
    const struct plan_track *track;
    uint32_t width, height;
    bool deinterlace;
    bool is_jpeg;
    uint32_t threads;

    struct shape shape;
    AVFilterGraph *graph; /* NULL: none yet */
    AVFilterContext *source, *sink;
    AVRational time_base; /* of the frames that come out */
};

/* H.264 and HEVC say in their parameter sets that they have frames only; without that, and in the
 * codecs of discs and cameras, every frame says it for itself. */
bool filter_may_be_interlaced(const struct plan_track *track)
{
    static const char *const codecs[] = {"mpeg2video", "vc1", "mpeg4", "dvvideo"};
    struct nal_config config;
    if (track->is_interlaced)
        return true;
    if (track->codec == CODEC_H264 || track->codec == CODEC_HEVC)
        return nal_config_read(track->codec, track->extradata, track->extradata_size, &config) !=
                   OK ||
               !config.has_video || !config.video.is_frames_only;
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (strcmp(track->codec_name, codecs[i]) == 0)
            return true;
    return false;
}

bool filter_is_hdr(uint8_t color_transfer)
{
    return color_transfer == TRANSFER_PQ || color_transfer == TRANSFER_HLG;
}

bool filter_can_tonemap(void)
{
    return avfilter_get_by_name("zscale") != NULL && avfilter_get_by_name("tonemap") != NULL;
}

struct filter *filter_new(const struct plan_track *track, uint32_t width, uint32_t height,
                          bool deinterlace, uint32_t threads)
{
    struct filter *filter = mem_new(struct filter);
    filter->track = track;
    filter->width = width;
    filter->height = height;
    filter->deinterlace = deinterlace;
    filter->threads = threads;
    return filter;
}

void filter_free(struct filter **filter)
{
    struct filter *old = *filter;
    *filter = NULL;
    if (old == NULL)
        return;
    avfilter_graph_free(&old->graph);
    mem_free(old);
}

void filter_for_jpeg(struct filter *filter)
{
    filter->is_jpeg = true;
}

static struct shape shape_of(const AVFrame *frame)
{
    return (struct shape){.width = frame->width,
                          .height = frame->height,
                          .format = frame->format,
                          .sar = frame->sample_aspect_ratio,
                          .range = frame->color_range,
                          .transfer = frame->color_trc,
                          .primaries = frame->color_primaries,
                          .matrix = frame->colorspace};
}

static bool shape_is(const struct shape *a, const struct shape *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           av_cmp_q(a->sar, b->sar) == 0 && a->range == b->range && a->transfer == b->transfer &&
           a->primaries == b->primaries && a->matrix == b->matrix;
}

/* The frame's own word, else the container's. */
static uint8_t transfer_of(const struct filter *filter)
{
    enum AVColorTransferCharacteristic own = filter->shape.transfer;
    return own != AVCOL_TRC_UNSPECIFIED ? (uint8_t) own : filter->track->color_transfer;
}

/* Whether a frame of another size than the track's also has another shape: then bars are put
 * around it, as the rendition's picture is that of the track. */
static bool needs_bars(const struct filter *filter, bool is_turned)
{
    const struct shape *shape = &filter->shape;
    const struct plan_track *track = filter->track;
    if ((uint32_t) shape->width == track->width && (uint32_t) shape->height == track->height)
        return false;
    double sar = shape->sar.num > 0 && shape->sar.den > 0 ? av_q2d(shape->sar) : 1.0;
    double aspect = shape->width * sar / shape->height;
    double wanted = is_turned ? (double) filter->height / filter->width
                              : (double) filter->width / filter->height;
    return aspect / wanted > 1.03 || aspect / wanted < 0.97;
}

/* Whether frames go out as they come in. Told to write TV range, the scaler would copy every one. */
static bool is_right(const struct shape *shape, uint32_t width, uint32_t height)
{
    return (uint32_t) shape->width == width && (uint32_t) shape->height == height &&
           shape->format == AV_PIX_FMT_YUV420P && shape->range != AVCOL_RANGE_JPEG;
}

/* Only of frames of the size that the file speaks of. */
static void describe_crop(const struct filter *filter, struct str *text)
{
    const struct plan_track *t = filter->track;
    bool is_cropped = (t->crop_left | t->crop_right | t->crop_top | t->crop_bottom) != 0;
    if (is_cropped && (uint32_t) filter->shape.width == t->width &&
        (uint32_t) filter->shape.height == t->height)
        str_printf(text, "crop=%u:%u:%u:%u:exact=1,", t->width - t->crop_left - t->crop_right,
                   t->height - t->crop_top - t->crop_bottom, t->crop_left, t->crop_top);
}

static void describe_scale(const struct filter *filter, bool is_turned, struct str *text)
{
    uint32_t width = is_turned ? filter->height : filter->width;
    uint32_t height = is_turned ? filter->width : filter->height;
    bool has_bars = needs_bars(filter, is_turned);
    if (!has_bars && is_right(&filter->shape, width, height)) {
        str_puts(text, "null");
        return;
    }
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(filter->shape.format);
    if (has_bars && filter->shape.sar.num > 0)
        str_puts(text, "scale=iw*sar:ih,");
    str_printf(text, "scale=%u:%u:flags=bicubic:out_range=tv", width, height);
    if (format != NULL && (format->flags & AV_PIX_FMT_FLAG_RGB) != 0)
        str_puts(text, ":out_color_matrix=bt709");
    if (has_bars)
        str_printf(text,
                   ":force_original_aspect_ratio=decrease:force_divisible_by=2,"
                   "pad=%u:%u:-1:-1",
                   width, height);
}

static void describe_tonemap(const struct filter *filter, struct str *text)
{
    const struct shape *shape = &filter->shape;
    bool is_hlg = transfer_of(filter) == TRANSFER_HLG;
    str_printf(text, ",zscale=tin=%s:", is_hlg ? "arib-std-b67" : "smpte2084");
    if (shape->primaries == AVCOL_PRI_UNSPECIFIED)
        str_puts(text, "pin=bt2020:p=bt2020:");
    if (shape->matrix == AVCOL_SPC_UNSPECIFIED)
        str_puts(text, "min=bt2020nc:");
    str_puts(text, "rin=tv:" TONEMAP);
}

static void describe_turn(const struct plan_track *track, struct str *text)
{
    if (track->flip)
        str_puts(text, ",hflip");
    if (track->rotation == 90)
        str_puts(text, ",transpose=clock");
    else if (track->rotation == 180)
        str_puts(text, ",hflip,vflip");
    else if (track->rotation == 270)
        str_puts(text, ",transpose=cclock");
}

/* The matrix of what was made so far. Without a word, as players take it: by the size. */
static const char *matrix_of(const struct filter *filter)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(filter->shape.format);
    bool is_rgb = format != NULL && (format->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    bool is_mapped = filter_is_hdr(transfer_of(filter)) && filter_can_tonemap();
    if (is_rgb || is_mapped || filter->shape.matrix == AVCOL_SPC_BT709)
        return "bt709";
    if (filter->shape.matrix == AVCOL_SPC_BT2020_NCL)
        return "bt2020";
    bool is_told =
        filter->shape.matrix == AVCOL_SPC_BT470BG || filter->shape.matrix == AVCOL_SPC_SMPTE170M;
    return !is_told && filter->shape.height >= HD_HEIGHT ? "bt709" : "bt601";
}

/* Scaling goes first after deinterlacing: what follows then works on the smaller picture. */
static void describe(const struct filter *filter, struct str *text)
{
    const struct plan_track *track = filter->track;
    bool is_turned = track->rotation == 90 || track->rotation == 270;
    if (filter->deinterlace)
        str_puts(text, "bwdif=mode=send_frame:deint=interlaced,");
    describe_crop(filter, text);
    describe_scale(filter, is_turned, text);
    if (filter_is_hdr(transfer_of(filter)) && filter_can_tonemap())
        describe_tonemap(filter, text);
    describe_turn(track, text);
    str_puts(text, ",setsar=1,format=yuv420p");
    if (filter->is_jpeg)
        str_printf(text,
                   ",scale=in_range=tv:out_range=pc:in_color_matrix=%s:out_color_matrix=bt601,"
                   "format=yuvj420p",
                   matrix_of(filter));
}

static bool make_source(struct filter *filter)
{
    const struct shape *shape = &filter->shape;
    filter->source =
        avfilter_graph_alloc_filter(filter->graph, avfilter_get_by_name("buffer"), "source");
    AVBufferSrcParameters *parameters = av_buffersrc_parameters_alloc();
    MUST(filter->source != NULL && parameters != NULL);
    parameters->format = shape->format;
    parameters->width = shape->width;
    parameters->height = shape->height;
    parameters->time_base = (AVRational){1, 1};
    parameters->sample_aspect_ratio = shape->sar;
    int code = av_buffersrc_parameters_set(filter->source, parameters);
    av_free(parameters);
    return code >= 0 && avfilter_init_str(filter->source, NULL) >= 0;
}

static bool link_graph(struct filter *filter, const char *text)
{
    AVFilterInOut *inputs = avfilter_inout_alloc();
    AVFilterInOut *outputs = avfilter_inout_alloc();
    MUST(inputs != NULL && outputs != NULL);
    *outputs = (AVFilterInOut){.name = av_strdup("in"), .filter_ctx = filter->source};
    *inputs = (AVFilterInOut){.name = av_strdup("out"), .filter_ctx = filter->sink};
    int code = avfilter_graph_parse_ptr(filter->graph, text, &inputs, &outputs, NULL);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    return code >= 0 && avfilter_graph_config(filter->graph, NULL) >= 0;
}

static enum err make_graph(struct filter *filter, const AVFrame *frame)
{
    CLEANUP(str_fini) struct str text = {0};
    avfilter_graph_free(&filter->graph);
    filter->shape = shape_of(frame);
    filter->graph = avfilter_graph_alloc();
    MUST(filter->graph != NULL);
    filter->graph->nb_threads = (int) filter->threads;
    if (!make_source(filter))
        return ERR_BAD_MEDIA;
    const AVFilter *sink = avfilter_get_by_name("buffersink");
    if (avfilter_graph_create_filter(&filter->sink, sink, "sink", NULL, NULL, filter->graph) < 0)
        return ERR_BAD_MEDIA;
    describe(filter, &text);
    if (!link_graph(filter, str_text(&text)))
        return ERR_BAD_MEDIA;
    filter->time_base = av_buffersink_get_time_base(filter->sink);
    return OK;
}

enum err filter_push(struct filter *filter, const struct AVFrame *frame, int64_t slot)
{
    struct shape shape = shape_of(frame);
    if (filter->graph == NULL || !shape_is(&shape, &filter->shape)) {
        enum err err = make_graph(filter, frame);
        if (err != OK) {
            avfilter_graph_free(&filter->graph);
            return err;
        }
    }
    AVFrame *copy = av_frame_clone(frame);
    MUST(copy != NULL);
    copy->pts = slot;
    int code = av_buffersrc_add_frame(filter->source, copy);
    av_frame_free(&copy);
    return code >= 0 ? OK : ERR_BAD_MEDIA;
}

enum err filter_end(struct filter *filter)
{
    if (filter->graph == NULL)
        return OK;
    return av_buffersrc_add_frame(filter->source, NULL) >= 0 ? OK : ERR_BAD_MEDIA;
}

enum err filter_pull(struct filter *filter, struct AVFrame *frame)
{
    if (filter->graph == NULL)
        return ERR_AGAIN;
    int code = av_buffersink_get_frame(filter->sink, frame);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        return ERR_AGAIN;
    if (code < 0)
        return ERR_BAD_MEDIA;
    /* Deinterlacers halve the time base. */
    frame->pts = av_rescale_q(frame->pts, filter->time_base, (AVRational){1, 1});
    return OK;
}
