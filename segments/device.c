/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/device.h"

#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* What an encoder is told on the average, of what it may take at most: rates.c announces as much. */
#define AVERAGE_PERCENT 60

/* libavcodec's encoder of a kind for a codec, and the options that are its own. */
struct form {
    const char *encoder, *options;
    const char *otherwise; /* options of a second try; NULL: there is none */
};

static const struct kind {
    const char *name;
    enum AVHWDeviceType type; /* NONE: the encoder finds its device itself */
    bool takes_surfaces;      /* pictures are copied to the device first */
    struct form h264, hevc;
    const char *beside[DEVICE_MOST_NODES];
} kinds[] = {
    {"vaapi",
     AV_HWDEVICE_TYPE_VAAPI,
     true,
     {"h264_vaapi", "profile=high:async_depth=2", "profile=high:async_depth=2:low_power=1"},
     {"hevc_vaapi", "profile=main:async_depth=2", "profile=main:async_depth=2:low_power=1"},
     {NULL}},
    {"qsv",
     AV_HWDEVICE_TYPE_QSV,
     false,
     {"h264_qsv", "profile=high:async_depth=2:look_ahead=0:forced_idr=1", NULL},
     {"hevc_qsv", "profile=main:async_depth=2:forced_idr=1", NULL},
     {NULL}},
    {"nvenc",
     AV_HWDEVICE_TYPE_CUDA,
     false,
     {"h264_nvenc", "preset=p4:profile=high:rc=vbr:delay=2:forced-idr=1:no-scenecut=1", NULL},
     {"hevc_nvenc", "preset=p4:profile=main:rc=vbr:delay=2:forced-idr=1:no-scenecut=1", NULL},
     {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"}},
    {"v4l2m2m",
     AV_HWDEVICE_TYPE_NONE,
     false,
     {"h264_v4l2m2m", "", NULL},
     {"hevc_v4l2m2m", "", NULL},
     {"/dev"}},
    {"fake",
     AV_HWDEVICE_TYPE_NONE,
     false,
     {"libx264", "preset=superfast:tune=zerolatency:profile=high:a53cc=0", NULL},
     {"libx265",
      "preset=ultrafast:tune=zerolatency:profile=main:forced-idr=1:"
      "x265-params=log-level=none\\:pools=none\\:frame-threads=1\\:scenecut=0",
      NULL},
     {NULL}},
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

struct device {
    const struct kind *kind;
    bool makes_hevc; /* it was asked for */
    const char *node;
    char words[160];
    AVBufferRef *hardware; /* NULL: there is none to hold */
    int commands;          /* of the made-up one; else -1 */
};

#define HEVC_MARK "+hevc"

/* "vaapi:/dev/dri/renderD128", "vaapi+hevc:/dev/dri/renderD128". */
static const struct kind *kind_of(const char *name, const char **node, bool *with_hevc)
{
    const size_t mark = sizeof HEVC_MARK - 1;
    const char *colon = strchr(name, ':');
    if (colon == NULL)
        return NULL;
    size_t length = (size_t) (colon - name);
    *node = colon + 1;
    *with_hevc = length > mark && memcmp(colon - mark, HEVC_MARK, mark) == 0;
    length -= *with_hevc ? mark : 0;
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, name, length) == 0)
            return &kinds[i];
    return NULL;
}

bool device_nodes(const char *name, const char *nodes[DEVICE_MOST_NODES + 1])
{
    size_t count = 0;
    bool with_hevc;
    const struct kind *kind = kind_of(name, &nodes[0], &with_hevc);
    if (kind == NULL)
        return false;
    for (count = 1; count < DEVICE_MOST_NODES && kind->beside[count - 1] != NULL; count++)
        nodes[count] = kind->beside[count - 1];
    nodes[count] = NULL;
    return true;
}

/* --- the made-up one --- */

static bool is_told(const char *command, const char *deed, uint32_t index)
{
    size_t length = strlen(deed);
    return strncmp(command, deed, length) == 0 &&
           (uint32_t) strtoul(command + length, NULL, 10) == index;
}

/* Whether it writes its headers into the first packet alone, as some drivers do. */
static bool is_bare(const struct device *device)
{
    char command[5] = "";
    size_t got;
    return device->commands >= 0 &&
           fd_read_at(device->commands, command, sizeof command - 1, 0, &got) == OK &&
           strcmp(command, "bare") == 0;
}

/* What its commands say at this moment; OK where they say nothing. `index` 0: it is being opened; from
 * 1 on pictures. */
static enum err obey(const struct device *device, uint32_t index, struct why *why)
{
    char command[32] = "";
    size_t got;
    if (device->commands < 0 ||
        fd_read_at(device->commands, command, sizeof command - 1, 0, &got) != OK)
        return OK;
    bool dies = is_told(command, "die", index), hangs = is_told(command, "hang", index);
    bool fails = is_told(command, index == 0 ? "open" : "frame", index);
    if ((dies || hangs || fails) && strstr(command, "once") != NULL) {
        const char spaces[sizeof command] = "";
        enum err kind UNUSED = fd_write_at(device->commands, spaces, sizeof spaces, 0);
    }
    if (dies)
        abort();
    if (hangs)
        for (;;)
            pause();
    return fails ? why_set(why, ERR_REFUSED, NULL, "it was told to fail") : OK;
}

/* --- opening --- */

static enum err open_hardware(struct device *device, struct why *why)
{
    AVDictionary *options = NULL;
    const char *name = device->node;
    int code = 0;
    if (device->kind->type == AV_HWDEVICE_TYPE_QSV) {
        av_dict_set(&options, "child_device", device->node, 0);
        name = NULL;
    } else if (device->kind->type == AV_HWDEVICE_TYPE_CUDA) {
        name += strcspn(name, "0123456789"); /* CUDA counts them */
    }
    if (device->kind->type != AV_HWDEVICE_TYPE_NONE)
        code = av_hwdevice_ctx_create(&device->hardware, device->kind->type, name, options, 0);
    av_dict_free(&options);
    if (code < 0)
        return why_set(why, ERR_REFUSED, NULL, "%s cannot be opened: %s", device->node,
                       av_err2str(code));
    return OK;
}

enum err device_open(const char *name, struct device **out, struct why *why)
{
    const char *node = NULL;
    bool with_hevc = false;
    const struct kind *kind = kind_of(name, &node, &with_hevc);
    if (kind == NULL)
        return why_set(why, ERR_REFUSED, NULL, "there is no such kind of device: %s", name);
    if (access(node, R_OK | W_OK) != 0)
        return why_set(why, ERR_REFUSED, NULL, "%s is not there, or not for this user", node);
    if (avcodec_find_encoder_by_name(kind->h264.encoder) == NULL)
        return why_set(why, ERR_REFUSED, NULL, "this libavcodec has no %s", kind->h264.encoder);
    struct device *device = mem_new(struct device);
    device->kind = kind;
    device->makes_hevc = with_hevc;
    device->node = node;
    device->commands = -1;
    snprintf(device->words, sizeof device->words, "%s on %s", kind->h264.encoder, node);
    if (strcmp(kind->name, "fake") == 0)
        device->commands = open(node, O_RDWR | O_CLOEXEC);
    enum err err = open_hardware(device, why);
    if (err != OK)
        device_close(&device);
    else
        *out = device;
    return err;
}

void device_close(struct device **device)
{
    struct device *gone = *device;
    *device = NULL;
    if (gone == NULL)
        return;
    av_buffer_unref(&gone->hardware);
    fd_close(&gone->commands);
    mem_free(gone);
}

uint64_t device_speed(const struct device *device, uint64_t samples, int64_t us)
{
    const uint64_t made_up = 1000000000;
    return device->commands >= 0 ? made_up : samples * 1000000 / (uint64_t) (us > 0 ? us : 1);
}

const char *device_words(const struct device *device)
{
    return device->words;
}

bool device_makes_hevc(const struct device *device)
{
    return device->makes_hevc;
}

static const struct form *form_of(const struct device *device, enum plan_codec codec)
{
    return codec == CODEC_HEVC ? &device->kind->hevc : &device->kind->h264;
}

const char *device_encoder_name(const struct device *device, enum plan_codec codec)
{
    return form_of(device, codec)->encoder;
}

/* --- encoding --- */

/* Surfaces of the device, which the encoder takes its pictures from. */
static int make_surfaces(const struct device *device, AVCodecContext *encoder)
{
    enum { SURFACES = 8 };
    AVBufferRef *frames = av_hwframe_ctx_alloc(device->hardware);
    if (frames == NULL)
        return AVERROR(ENOMEM);
    AVHWFramesContext *context = (AVHWFramesContext *) (void *) frames->data;
    encoder->pix_fmt = AV_PIX_FMT_VAAPI;
    context->format = encoder->pix_fmt;
    context->sw_format = AV_PIX_FMT_NV12;
    context->width = encoder->width;
    context->height = encoder->height;
    context->initial_pool_size = SURFACES;
    int code = av_hwframe_ctx_init(frames);
    if (code < 0)
        av_buffer_unref(&frames);
    encoder->hw_frames_ctx = frames;
    return code;
}

/* NV12, but x265's, which takes none. */
static enum AVPixelFormat choose_format(const AVCodec *codec)
{
    const enum AVPixelFormat *format = codec->pix_fmts;
    while (format != NULL && *format != AV_PIX_FMT_NONE && *format != AV_PIX_FMT_NV12)
        format++;
    return format != NULL && *format == AV_PIX_FMT_NONE && codec->pix_fmts[0] == AV_PIX_FMT_YUV420P
               ? AV_PIX_FMT_YUV420P
               : AV_PIX_FMT_NV12;
}

static void set_fields(const struct device *device, const struct encode_video *settings,
                       AVCodecContext *encoder)
{
    enum { LONGER_THAN_A_SEGMENT = 1000 }; /* pictures; devices count them in 16 bits */
    encode_video_fields(settings, encoder);
    encoder->pix_fmt = choose_format(encoder->codec);
    encoder->profile = settings->codec == CODEC_HEVC ? FF_PROFILE_HEVC_MAIN : FF_PROFILE_H264_HIGH;
    if (settings->codec == CODEC_HEVC && device->kind->type == AV_HWDEVICE_TYPE_QSV)
        encoder->level /= 3; /* it counts level 3.1 as 31, all others as 93 */
    encoder->gop_size = LONGER_THAN_A_SEGMENT;
    encoder->max_b_frames = 0;
    encoder->bit_rate = encoder->rc_max_rate * AVERAGE_PERCENT / 100;
    encoder->rc_initial_buffer_occupancy = encoder->rc_buffer_size / 100 * ENCODE_FILLED_PERCENT;
}

/* A libavcodec error, or 0. */
static int try_encoder(const struct device *device, const struct encode_video *settings,
                       const char *options, AVCodecContext **out)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(form_of(device, settings->codec)->encoder);
    if (codec == NULL)
        return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVDictionary *private = NULL;
    MUST(encoder != NULL);
    set_fields(device, settings, encoder);
    if (is_bare(device))
        encoder->flags &= ~(int) AV_CODEC_FLAG_GLOBAL_HEADER;
    int code = av_dict_parse_string(&private, options, "=", ":", 0);
    av_dict_set_int(&private, "level", encoder->level, 0); /* some look there alone */
    if (code >= 0 && device->kind->takes_surfaces)
        code = make_surfaces(device, encoder);
    else if (device->hardware != NULL)
        encoder->hw_device_ctx = av_buffer_ref(device->hardware);
    if (code >= 0)
        code = avcodec_open2(encoder, codec, &private);
    av_dict_free(&private);
    if (code < 0)
        avcodec_free_context(&encoder);
    else
        *out = encoder;
    return code < 0 ? code : 0;
}

enum err device_encoder(struct device *device, const struct encode_video *settings,
                        struct AVCodecContext **out, struct why *why)
{
    const struct form *form = form_of(device, settings->codec);
    enum err err = obey(device, 0, why);
    if (err != OK)
        return err;
    int code = try_encoder(device, settings, form->options, out);
    if (code < 0 && form->otherwise != NULL)
        code = try_encoder(device, settings, form->otherwise, out);
    if (code < 0)
        return why_set(why, ERR_REFUSED, NULL, "%s on %s takes no pictures of %ux%u: %s",
                       form->encoder, device->node, settings->width, settings->height,
                       av_err2str(code));
    return OK;
}

/* NV12's colours, which stand by turns, into planes of their own. */
static void part_colours(const AVFrame *picture, AVFrame *own)
{
    for (int y = 0; y < picture->height / 2; y++) {
        const uint8_t *from = picture->data[1] + (ptrdiff_t) y * picture->linesize[1];
        uint8_t *u = own->data[1] + (ptrdiff_t) y * own->linesize[1];
        uint8_t *v = own->data[2] + (ptrdiff_t) y * own->linesize[2];
        for (int x = 0; x < picture->width / 2; x++) {
            u[x] = from[2 * x];
            v[x] = from[2 * x + 1];
        }
    }
}

/* On the device, or in memory of our own: encoders may keep it. */
static int copy_picture(const AVCodecContext *encoder, const AVFrame *picture, AVFrame *own)
{
    int code;
    if (encoder->hw_frames_ctx != NULL) {
        code = av_hwframe_get_buffer(encoder->hw_frames_ctx, own, 0);
        return code < 0 ? code : av_hwframe_transfer_data(own, picture, 0);
    }
    own->format = encoder->pix_fmt;
    own->width = picture->width;
    own->height = picture->height;
    code = av_frame_get_buffer(own, 0);
    if (code < 0 || encoder->pix_fmt == AV_PIX_FMT_NV12)
        return code < 0 ? code : av_frame_copy(own, picture);
    av_image_copy_plane(own->data[0], own->linesize[0], picture->data[0], picture->linesize[0],
                        picture->width, picture->height);
    part_colours(picture, own);
    return 0;
}

enum err device_put(struct device *device, struct AVCodecContext *encoder,
                    const struct AVFrame *picture, uint32_t index, struct why *why)
{
    enum err err = obey(device, index + 1, why);
    if (err != OK)
        return err;
    AVFrame *own = av_frame_alloc();
    MUST(own != NULL);
    int code = copy_picture(encoder, picture, own);
    own->pts = picture->pts;
    own->pict_type = index == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    if (code >= 0)
        code = avcodec_send_frame(encoder, own);
    av_frame_free(&own);
    return code >= 0 ? OK
                     : why_set(why, ERR_REFUSED, NULL, "%s took no picture: %s", device->words,
                               av_err2str(code));
}
