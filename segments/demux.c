/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The read callback says why it failed in `failure`: libavformat turns every error of a read into
 * its own, and an end of file into an end of packets. */
#include "segments/demux.h"

#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/avutil.h>
#include <libavutil/error.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>

#include "base/log.h"
#include "base/mem.h"

/* One read of a demuxer walking on: small enough for headers, large enough for few calls. */
#define IO_BUFFER_BYTES (32 * 1024)

/* Bounds of a probe: enough for the first packets of every stream of real films (segment-engine
 * 2), little enough for a download. */
#define PROBE_BYTES       (2 * 1024 * 1024)
#define PROBE_DURATION_US (3 * AV_TIME_BASE)
#define MAX_STREAMS       256

/* A demuxer that says "again" this often in a row has lost its way. */
#define MAX_READ_TRIES 1000

/* Containers of films and of sound. Nothing here refers to other files: no playlists, no concat,
 * no images, no scripts, no devices, no raw formats that take any bytes for a film. */
static const char format_whitelist[] =
    "matroska,mov,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,vc1,avi,flv,live_flv,asf,asf_o,"
    "ogg,nut,rm,mxf,gxf,dv,wtv,nsv,nuv,ivr,lxf,mp3,aac,ac3,eac3,dts,dtshd,mlp,truehd,flac,wav,w64,"
    "aiff,au,caf,ape,mpc,mpc8,tak,tta,wv,shn,amr,voc,loas,dsf,iff,oma,yuv4mpegpipe,h263,h261,dirac,"
    "roq,smk,bink,4xm,film_cpk,ea,idcin,thp,vivo,xa";

struct demux {
    struct reader reader;
    AVIOContext *io;
    AVFormatContext *context;
    uint64_t at; /* of the next read */
    enum err failure;
    int selected; /* -1: all */
};

static int translate_failure(struct demux *demux, enum err err)
{
    demux->failure = err;
    return err == ERR_CANCELLED ? AVERROR_EXIT : AVERROR(EIO);
}

static int read_bytes(void *opaque, uint8_t *into, int size)
{
    struct demux *demux = opaque;
    size_t got = 0;
    if (size <= 0)
        return AVERROR(EINVAL);
    if (demux->failure != OK)
        return AVERROR_EXIT;
    enum err err = reader_read(&demux->reader, into, (size_t) size, demux->at, &got);
    if (err != OK)
        return translate_failure(demux, err);
    if (got == 0)
        return AVERROR_EOF;
    demux->at += got;
    return (int) got;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct demux *demux = opaque;
    int64_t size = (int64_t) input_size(demux->reader.input);
    int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return size;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t) demux->at;
        break;
    case SEEK_END:
        base = size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0)
        return AVERROR(EINVAL);
    demux->at = (uint64_t) to;
    return to;
}

static int is_interrupted(void *opaque)
{
    const struct demux *demux = opaque;
    return demux->failure != OK ||
           (demux->reader.cancelled != NULL && atomic_load(demux->reader.cancelled));
}

/* What a demuxer asks to open besides our input: nothing is. */
static int refuse_to_open(UNUSED AVFormatContext *context, UNUSED AVIOContext **out,
                          UNUSED const char *url, UNUSED int flags, UNUSED AVDictionary **options)
{
    return AVERROR(EACCES);
}

/* Our kind for libavformat's answer `code`, which is below 0. */
static enum err kind_of(const struct demux *demux, int code)
{
    if (demux->failure != OK)
        return demux->failure;
    if (code == AVERROR_EXIT)
        return ERR_CANCELLED;
    return code == AVERROR_EOF ? ERR_NOT_FOUND : ERR_BAD_MEDIA;
}

static enum err start_context(struct demux *demux)
{
    uint8_t *buffer = av_malloc(IO_BUFFER_BYTES);
    MUST(buffer != NULL);
    demux->io = avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, demux, read_bytes, NULL, seek_bytes);
    demux->context = avformat_alloc_context();
    MUST(demux->io != NULL && demux->context != NULL);
    AVFormatContext *context = demux->context;
    context->pb = demux->io;
    context->io_open = refuse_to_open;
    context->interrupt_callback = (AVIOInterruptCB){is_interrupted, demux};
    context->flags |= AVFMT_FLAG_CUSTOM_IO;
    context->probesize = PROBE_BYTES;
    context->max_analyze_duration = PROBE_DURATION_US;
    context->max_streams = MAX_STREAMS;
    context->format_whitelist = av_strdup(format_whitelist);
    context->protocol_whitelist = av_strdup("none");
    MUST(context->format_whitelist != NULL && context->protocol_whitelist != NULL);
    return OK;
}

/* True where the header alone tells every stream and its decoder. */
static bool tells_all(const AVFormatContext *context)
{
    const char *name = context->iformat->name;
    return av_match_name("matroska", name) || av_match_name("mov", name);
}

static enum err refuse(const struct demux *demux, int code, struct why *why)
{
    enum err err = kind_of(demux, code);
    if (err != ERR_BAD_MEDIA && err != ERR_NOT_FOUND)
        return err;
    return why_set(why, ERR_BAD_MEDIA, NULL, "the file is not in any container read here");
}

static enum err open_context(struct demux *demux, bool probe, struct why *why)
{
    int code = avformat_open_input(&demux->context, NULL, NULL, NULL);
    if (code < 0) /* and has freed the context */
        return refuse(demux, code, why);
    if (probe || !tells_all(demux->context))
        code = avformat_find_stream_info(demux->context, NULL);
    if (code < 0)
        return refuse(demux, code, why);
    return OK;
}

enum err demux_open(const struct reader *reader, bool probe, struct demux **out, struct why *why)
{
    struct demux *demux = mem_new(struct demux);
    demux->reader = *reader;
    demux->selected = -1;
    enum err err = start_context(demux);
    if (err == OK)
        err = open_context(demux, probe, why);
    if (err != OK) {
        demux_close(&demux);
        return err;
    }
    *out = demux;
    return OK;
}

void demux_close(struct demux **demux)
{
    struct demux *old = *demux;
    *demux = NULL;
    if (old == NULL)
        return;
    avformat_close_input(&old->context);
    if (old->io != NULL)
        av_freep(&old->io->buffer);
    avio_context_free(&old->io);
    mem_free(old);
}

void demux_set_cancelled(struct demux *demux, _Atomic bool *cancelled)
{
    demux->reader.cancelled = cancelled;
}

struct AVFormatContext *demux_context(struct demux *demux)
{
    return demux->context;
}

struct AVStream *demux_stream(struct demux *demux, uint32_t stream_index)
{
    return stream_index < demux->context->nb_streams ? demux->context->streams[stream_index] : NULL;
}

enum err demux_select(struct demux *demux, uint32_t stream_index)
{
    if (demux_stream(demux, stream_index) == NULL)
        return ERR_BAD_MEDIA;
    for (unsigned i = 0; i < demux->context->nb_streams; i++) {
        AVStream *stream = demux->context->streams[i];
        stream->discard = i == stream_index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    demux->selected = (int) stream_index;
    return OK;
}

static int64_t to_stream_time(const AVStream *stream, int64_t ns)
{
    return av_rescale_q_rnd(ns, (AVRational){1, 1000000000}, stream->time_base, AV_ROUND_DOWN);
}

void demux_add_key(struct demux *demux, uint32_t stream_index, uint64_t pos, int64_t ns)
{
    AVStream *stream = demux_stream(demux, stream_index);
    if (stream == NULL || pos > INT64_MAX ||
        !av_match_name("matroska", demux->context->iformat->name))
        return;
    int64_t time = av_rescale_q(ns, (AVRational){1, 1000000000}, stream->time_base);
    if (av_add_index_entry(stream, (int64_t) pos, time, 0, 0, AVINDEX_KEYFRAME) < 0)
        log_debug("segments.demux", log_str("what", "key not taken"));
}

enum err demux_seek(struct demux *demux, uint32_t stream_index, int64_t ns)
{
    const AVStream *stream = demux_stream(demux, stream_index);
    if (stream == NULL)
        return ERR_BAD_MEDIA;
    int code = av_seek_frame(demux->context, (int) stream_index, to_stream_time(stream, ns),
                             AVSEEK_FLAG_BACKWARD);
    if (code >= 0)
        return OK;
    enum err err = kind_of(demux, code);
    return err == ERR_BAD_MEDIA ? ERR_NOT_FOUND : err;
}

/* By opening anew: the one way that every demuxer has, and the same state as at first. */
enum err demux_rewind(struct demux *demux)
{
    enum err err;
    avformat_close_input(&demux->context);
    av_freep(&demux->io->buffer);
    avio_context_free(&demux->io);
    demux->at = 0;
    err = start_context(demux);
    if (err == OK)
        err = open_context(demux, false, NULL);
    if (err == OK && demux->selected >= 0)
        err = demux_select(demux, (uint32_t) demux->selected);
    if (err != OK && demux->failure == OK)
        demux->failure = err;
    return err;
}

enum err demux_read(struct demux *demux, struct AVPacket *packet)
{
    for (int tries = 0; tries < MAX_READ_TRIES; tries++) {
        if (demux->failure != OK)
            return demux->failure;
        if (is_interrupted(demux))
            return ERR_CANCELLED;
        int code = av_read_frame(demux->context, packet);
        if (code == AVERROR(EAGAIN))
            continue;
        if (code < 0)
            return kind_of(demux, code);
        if (demux->selected < 0 || packet->stream_index == demux->selected)
            return OK;
        av_packet_unref(packet);
        tries = 0;
    }
    return ERR_BAD_MEDIA;
}

int64_t demux_ns(const struct AVStream *stream, int64_t pts)
{
    if (pts == AV_NOPTS_VALUE)
        return DEMUX_NO_TIME;
    return av_rescale_q(pts, stream->time_base, (AVRational){1, 1000000000});
}

uint64_t demux_bytes_read(const struct demux *demux)
{
    return demux->reader.bytes_read;
}
