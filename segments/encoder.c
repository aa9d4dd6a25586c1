/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/encoder.h"

#include <libavcodec/avcodec.h>

#include "base/mem.h"
#include "segments/gpu_link.h"

/* One of the two is set. */
struct encoder {
    AVCodecContext *x264;
    struct gpu_session *gpu;
};

enum err encoder_open_x264(const struct encode_video *settings, struct encoder **out,
                           struct why *why)
{
    AVCodecContext *x264 = NULL;
    enum err err = encode_video_open(settings, &x264, why);
    if (err != OK)
        return err;
    *out = mem_new(struct encoder);
    (*out)->x264 = x264;
    return OK;
}

enum err encoder_open_gpu(const struct encode_video *settings, struct gpu_link *gpu,
                          struct encoder **out, struct why *why)
{
    struct gpu_session *session = NULL;
    enum err err = gpu_session_open(gpu, settings, &session, why);
    if (err != OK)
        return err;
    *out = mem_new(struct encoder);
    (*out)->gpu = session;
    return OK;
}

void encoder_close(struct encoder **encoder)
{
    struct encoder *gone = *encoder;
    *encoder = NULL;
    if (gone == NULL)
        return;
    encode_close(&gone->x264);
    gpu_session_close(&gone->gpu);
    mem_free(gone);
}

enum err encoder_send(struct encoder *encoder, const struct AVFrame *picture, struct why *why)
{
    if (encoder->gpu != NULL)
        return gpu_session_send(encoder->gpu, picture, why);
    return avcodec_send_frame(encoder->x264, picture) < 0 ? ERR_BAD_MEDIA : OK;
}

enum err encoder_receive(struct encoder *encoder, struct AVPacket *out)
{
    if (encoder->gpu != NULL)
        return gpu_session_receive(encoder->gpu, out);
    int code = avcodec_receive_packet(encoder->x264, out);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        return ERR_AGAIN;
    return code < 0 ? ERR_BAD_MEDIA : OK;
}

enum err encoder_blame(const struct encoder *encoder, struct why *why)
{
    if (encoder->gpu == NULL)
        return ERR_BAD_MEDIA;
    return why_set(why, ERR_REFUSED, NULL, "the device gave other pictures than it was given");
}
