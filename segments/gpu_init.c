/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/gpu_init.h"

#include <libavcodec/packet.h>
#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/gpu_link.h"
#include "segments/init.h"

/* One black picture, for a device that writes its headers before the first. */
static enum err encode_black(struct gpu_session *session, const struct encode_video *settings,
                             struct str *config, struct why *why)
{
    enum { BLACK = 16, GREY = 128 };
    AVFrame *picture = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    MUST(picture != NULL && packet != NULL);
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = (int) settings->width;
    picture->height = (int) settings->height;
    MUST(av_frame_get_buffer(picture, 0) == 0);
    memset(picture->buf[0]->data, GREY, picture->buf[0]->size); /* all planes of it */
    for (int y = 0; y < picture->height; y++)
        memset(picture->data[0] + (ptrdiff_t) y * picture->linesize[0], BLACK,
               (size_t) picture->width);
    picture->pts = 0;
    enum err err = gpu_session_send(session, picture, why);
    if (err == OK)
        err = gpu_session_send(session, NULL, why);
    if (err == OK && gpu_session_receive(session, packet) == OK)
        err = annexb_config(settings->codec, packet->data, (size_t) packet->size, config);
    av_packet_free(&packet);
    av_frame_free(&picture);
    return err;
}

static enum err ask_for_headers(const struct encode_video *settings, struct gpu_link *gpu,
                                struct str *config, struct why *why)
{
    struct gpu_session *session = NULL;
    enum err err = gpu_session_open(gpu, settings, &session, why);
    if (err != OK)
        return err;
    size_t size;
    const uint8_t *headers = gpu_session_config(session, &size);
    err = size > 0 ? annexb_config(settings->codec, headers, size, config)
                   : encode_black(session, settings, config, why);
    gpu_session_close(&session);
    return err == ERR_BAD_MEDIA || (err == OK && config->length == 0)
               ? why_set(why, ERR_REFUSED, NULL, "the device's headers cannot be read")
               : err;
}

/* "avc1.64002a": of the profile that is announced, and of no higher level; the constraint flags between
 * them differ with nothing that we tell it. */
static bool is_announced_h264(const char *codecs, const char *announced)
{
    enum { PROFILE_END = 7, LEVEL = 9, LENGTH = 11 };
    return strlen(codecs) == LENGTH && strlen(announced) == LENGTH &&
           strncmp(codecs, announced, PROFILE_END) == 0 &&
           strcmp(codecs + LEVEL, announced + LEVEL) <= 0;
}

/* "hvc1.1.6.L120.90": the same; nor do the constraint flags behind differ. */
static bool is_announced_hevc(const char *codecs, const char *announced)
{
    const char *own = strstr(codecs, ".L"), *other = strstr(announced, ".L");
    char *behind = NULL, *other_behind = NULL;
    if (own == NULL || other == NULL || own - codecs != other - announced ||
        strncmp(codecs, announced, (size_t) (own - codecs)) != 0)
        return false;
    unsigned long level = strtoul(own + 2, &behind, 10);
    unsigned long most = strtoul(other + 2, &other_behind, 10);
    return level <= most && strcmp(behind, other_behind) == 0;
}

static enum err write_init(const struct plan_rendition *rendition,
                           const struct encode_video *settings, const struct str *config,
                           struct str *out, struct why *why)
{
    char codecs[INIT_CODECS_SIZE];
    const struct init_track form = {.kind = PLAN_VIDEO,
                                    .codec = settings->codec,
                                    .config = (const uint8_t *) config->at,
                                    .config_size = config->length,
                                    .timescale = rendition->timescale,
                                    .width = rendition->width,
                                    .height = rendition->height,
                                    .sar_num = 1,
                                    .sar_den = 1,
                                    .color_primaries = settings->color_primaries,
                                    .color_transfer = settings->color_transfer,
                                    .color_matrix = settings->color_matrix};
    if (init_write(&form, out, why) != OK)
        return ERR_REFUSED;
    if (init_codecs((const uint8_t *) out->at, out->length, codecs) != OK ||
        !(settings->codec == CODEC_HEVC ? is_announced_hevc : is_announced_h264)(codecs,
                                                                                 rendition->codecs))
        return why_set(why, ERR_REFUSED, NULL, "the device makes %s, where %s is announced", codecs,
                       rendition->codecs);
    return OK;
}

enum err gpu_init(const struct plan *plan, const struct engine_options *options,
                  struct engine_output *output)
{
    const struct plan_rendition *rendition = &plan->renditions[output->rendition];
    const struct encode_video settings = encode_video_settings(plan, rendition, options);
    CLEANUP(str_fini) struct str config = {0};
    CLEANUP(str_fini) struct str init = {0};
    enum err err = ask_for_headers(&settings, options->gpu, &config, &output->why);
    if (err == OK)
        err = write_init(rendition, &settings, &config, &init, &output->why);
    if (err == OK)
        err = sink_bytes(&output->sink, init.at, init.length);
    return err == OK ? sink_flush(&output->sink) : err;
}
