/* SPDX-License-Identifier: GPL-3.0-or-later */
/* h2o has a filter for chunks (RFC 9112 7.1), but it sends no headers before the first bytes of a
 * body and takes status 200 alone; so the chunks are framed here. A call of h2o that may free the
 * request at once is made from a timer, never inside a caller's stream_write or stream_break. */
#include "http/stream.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/connection.h"
#include "http/reply.h"

struct stream {
    h2o_generator_t generator; /* first: h2o hands its address back */
    struct request *request;
    struct stream_source source;
    void *ctx;
    int64_t left; /* of Content-Length; -1: no length was said */
    bool is_chunked, is_writing, is_over, is_broken;
    h2o_timeout_entry_t later; /* linked: the end is due */
    char chunk_size[24];
};

static void end_now(h2o_timeout_entry_t *entry)
{
    struct stream *stream = H2O_STRUCT_FROM_MEMBER(struct stream, later, entry);
    h2o_req_t *h2o = stream->request->h2o;
    bool is_broken = stream->is_broken;
    if (is_broken && h2o->version < 0x101 && stream->left < 0) {
        /* Where only the end of the connection ends the body, it must not look like one. */
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *) &stream->request->connection->tcp, &fd) == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    h2o_send(h2o, NULL, 0, is_broken ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL);
}

static void end_later(struct stream *stream)
{
    h2o_context_t *context = &stream->request->worker->context;
    stream->is_over = true;
    stream->later.cb = end_now;
    h2o_timeout_link(context->loop, &context->zero_timeout, &stream->later);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *h2o UNUSED)
{
    struct stream *stream = (struct stream *) generator;
    stream->is_writing = false;
    if (stream->is_broken)
        end_later(stream);
    else
        stream->source.pull(stream->ctx, stream);
}

static bool is_chunked(const struct request *request, int64_t length)
{
    return length < 0 && !request->is_head && request->h2o->version == 0x101;
}

struct stream *stream_start(struct request *request, int status, const char *content_type,
                            int64_t length, const struct stream_source *source, void *ctx)
{
    h2o_req_t *h2o = request->h2o;
    struct stream *stream = mem_new(struct stream);
    stream->generator.proceed = on_proceed;
    stream->request = request;
    stream->source = *source;
    stream->ctx = ctx;
    stream->left = length;
    stream->is_chunked = is_chunked(request, length);
    request->stream = stream;
    reply_begin(request, status, content_type);
    if (length >= 0)
        h2o->res.content_length = (size_t) length;
    else if (stream->is_chunked)
        h2o_add_header(&h2o->pool, &h2o->res.headers, H2O_TOKEN_TRANSFER_ENCODING, NULL,
                       H2O_STRLIT("chunked"));
    else if (!request->is_head && h2o->version < 0x101)
        h2o->http1_is_persistent = 0;
    h2o_start_response(h2o, &stream->generator);
    stream->is_writing = true;
    stream->is_over = request->is_head;
    h2o_send(h2o, NULL, 0, request->is_head ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
    return stream;
}

static void send_bytes(struct stream *stream, const void *bytes, size_t size, bool is_last)
{
    h2o_iovec_t pieces[3];
    size_t count = 0;
    if (stream->is_chunked && size > 0) {
        int length = snprintf(stream->chunk_size, sizeof stream->chunk_size, "%zx\r\n", size);
        pieces[count++] = h2o_iovec_init(stream->chunk_size, (size_t) length);
    }
    if (size > 0)
        pieces[count++] = h2o_iovec_init(bytes, size);
    if (stream->is_chunked) {
        static const char END[] = "\r\n0\r\n\r\n"; /* of a chunk, and of all */
        size_t from = size > 0 ? 0 : 2, to = is_last ? 7 : 2;
        pieces[count++] = h2o_iovec_init(END + from, to - from);
    }
    stream->is_writing = true;
    stream->is_over = is_last;
    h2o_send(stream->request->h2o, pieces, count,
             is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

void stream_write(struct stream *stream, const void *bytes, size_t size, bool is_last)
{
    MUST(size > 0 || is_last);
    if (stream->is_over || stream->is_broken)
        return;
    MUST(!stream->is_writing);
    if (stream->left >= 0) {
        MUST(size <= (uint64_t) stream->left);
        stream->left -= (int64_t) size;
        if (is_last && stream->left > 0) {
            stream_break(stream);
            return;
        }
        is_last = stream->left == 0;
    }
    if (size == 0 && !stream->is_chunked)
        end_later(stream);
    else
        send_bytes(stream, bytes, size, is_last);
}

void stream_break(struct stream *stream)
{
    if (stream->is_over || stream->is_broken)
        return;
    stream->is_broken = true;
    if (!stream->is_writing)
        end_later(stream);
    else if (stream->request->h2o->version < 0x200)
        connection_break(stream->request->connection);
}

bool stream_is_waiting(const struct stream *stream)
{
    return !stream->is_writing && !stream->is_over;
}

void stream_detach(struct stream *stream)
{
    if (h2o_timeout_is_linked(&stream->later))
        h2o_timeout_unlink(&stream->later);
    stream->source.gone(stream->ctx);
    mem_free(stream);
}
