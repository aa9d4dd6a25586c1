/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/png.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <string.h>

#include "base/mem.h"

enum { SIDE_MOST = 16384 };

static AVCodecContext *open_encoder(uint32_t width, uint32_t height)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    MUST(encoder != NULL);
    encoder->width = (int) width;
    encoder->height = (int) height;
    encoder->pix_fmt = AV_PIX_FMT_PAL8;
    encoder->time_base = (AVRational){1, 1};
    encoder->flags |= (int) AV_CODEC_FLAG_BITEXACT;
    encoder->thread_count = 1;
    if (codec == NULL || avcodec_open2(encoder, codec, NULL) < 0)
        avcodec_free_context(&encoder);
    return encoder;
}

static AVFrame *make_frame(const uint8_t *pixels, uint32_t width, uint32_t height,
                           const uint32_t palette[256])
{
    AVFrame *frame = av_frame_alloc();
    MUST(frame != NULL);
    frame->format = AV_PIX_FMT_PAL8;
    frame->width = (int) width;
    frame->height = (int) height;
    MUST(av_frame_get_buffer(frame, 0) >= 0);
    av_image_copy_plane(frame->data[0], frame->linesize[0], pixels, (int) width, (int) width,
                        (int) height);
    memcpy(frame->data[1], palette, 256 * sizeof *palette);
    return frame;
}

enum err png_write(const uint8_t *pixels, uint32_t width, uint32_t height,
                   const uint32_t palette[256], struct str *out)
{
    if (width == 0 || height == 0 || width > SIDE_MOST || height > SIDE_MOST)
        return ERR_BAD_MEDIA;
    AVCodecContext *encoder = open_encoder(width, height);
    AVFrame *frame = make_frame(pixels, width, height, palette);
    AVPacket *packet = av_packet_alloc();
    MUST(packet != NULL);
    bool is_made = encoder != NULL && avcodec_send_frame(encoder, frame) >= 0 &&
                   avcodec_send_frame(encoder, NULL) >= 0 &&
                   avcodec_receive_packet(encoder, packet) >= 0;
    if (is_made)
        str_append(out, packet->data, (size_t) packet->size);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return is_made ? OK : ERR_BAD_MEDIA;
}
