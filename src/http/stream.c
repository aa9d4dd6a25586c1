/* SPDX-License-Identifier: GPL-3.0-or-later */
/* h2o has a filter for chunks (RFC 9112 7.1), but it sends no headers before the first bytes of a
 * body and takes status 200 alone; so the chunks are framed here. A call of h2o that may free the
 * request at once is made from a timer, never inside a caller's stream_write or stream_break. */
#include "http/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
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
    size_t owed;               /* of a chunk whose size was sent: bytes that were not */
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
    bool is_begun = stream->owed > 0;
    MUST(!is_begun || size <= stream->owed);
    stream->owed -= is_begun ? size : 0;
    if (stream->is_chunked && size > 0 && !is_begun) {
        int length = snprintf(stream->chunk_size, sizeof stream->chunk_size, "%zx\r\n", size);
        pieces[count++] = h2o_iovec_init(stream->chunk_size, (size_t) length);
    }
    if (size > 0)
        pieces[count++] = h2o_iovec_init(bytes, size);
    if (stream->is_chunked && stream->owed == 0) {
        static const char END[] = "\r\n0\r\n\r\n"; /* of a chunk, and of all */
        size_t from = size > 0 ? 0 : 2, to = is_last ? 7 : 2;
        pieces[count++] = h2o_iovec_init(END + from, to - from);
    }
    stream->is_writing = true;
    stream->is_over = is_last;
    /* What was queued before is gone, though as much may be queued next: it is read (connection.c). */
    stream->request->connection->queued = 0;
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

size_t stream_owed(const struct stream *stream)
{
    return stream->owed > 0 ? stream->owed : SIZE_MAX;
}

bool stream_can_push(const struct stream *stream)
{
    return stream->request->h2o->version < 0x200 && stream->request->connection->tls == NULL;
}

/* h2o has nothing of this connection in hand while the source is to write, so the socket is ours. */
static bool take_socket(const struct stream *stream, uv_os_fd_t *fd)
{
    return stream_can_push(stream) && !stream->is_over && !stream->is_broken &&
           !stream->is_writing &&
           uv_fileno((const uv_handle_t *) &stream->request->connection->tcp, fd) == 0;
}

/* The size of the chunk that all the pieces are to be. False: not now. */
static bool open_chunk(struct stream *stream, uv_os_fd_t fd, size_t size)
{
    char text[24];
    if (!stream->is_chunked || stream->owed > 0)
        return true;
    int length = snprintf(text, sizeof text, "%zx\r\n", size);
    ssize_t sent = send(fd, text, (size_t) length, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0)
        return false;
    stream->owed = size;
    if (sent != length) /* never seen: so little is taken whole or not at all */
        stream_break(stream);
    return sent == length;
}

/* How much of the piece went; < size: no more for now. */
static enum err push_piece(uv_os_fd_t fd, const struct stream_piece *piece, size_t size,
                           size_t *out)
{
    *out = 0;
    while (*out < size) {
        off_t offset = (off_t) (piece->offset + *out);
        ssize_t sent = piece->bytes != NULL
                           ? send(fd, (const char *) piece->bytes + *out, size - *out,
                                  MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL)
                           : sendfile(fd, piece->fd, &offset, size - *out);
        if (sent == 0)
            return ERR_GONE;
        if (sent < 0) /* h2o hears of what is worse than a full socket by its own write */
            return OK;
        *out += (size_t) sent;
    }
    return OK;
}

/* Each of many gets its turn: once one round of the loop takes so long, it sends little to each. */
static size_t most_at_once(const struct stream *stream)
{
    enum { LONG_ROUND_MS = 50, LITTLE_BYTES = 128 * 1024 };
    uint64_t began_ms = uv_now(stream->request->connection->tcp.loop);
    return uv_hrtime() / 1000000 > began_ms + LONG_ROUND_MS ? LITTLE_BYTES : SIZE_MAX;
}

static size_t sum_of(const struct stream_piece *pieces, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += pieces[i].size;
    return sum;
}

/* Small pieces go into one segment of TCP with what follows them. */
static void set_cork(uv_os_fd_t fd, int on)
{
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

enum err stream_push(struct stream *stream, const struct stream_piece *pieces, size_t count,
                     size_t *sent)
{
    uv_os_fd_t fd;
    size_t all = sum_of(pieces, count), most = most_at_once(stream);
    enum err kind = OK;
    *sent = 0;
    if (all > most)
        all = most;
    if (stream->owed > 0 && all > stream->owed)
        all = stream->owed;
    if (all < 2 || !take_socket(stream, &fd))
        return OK;
    MUST(stream->left < 0 || all <= (uint64_t) stream->left);
    set_cork(fd, 1);
    bool is_open = open_chunk(stream, fd, all);
    for (size_t i = 0; i < count && is_open && kind == OK; i++) {
        size_t room = all - 1 - *sent;
        size_t size = pieces[i].size < room ? pieces[i].size : room;
        size_t step = 0;
        kind = push_piece(fd, &pieces[i], size, &step);
        *sent += step;
        if (step < pieces[i].size)
            break;
    }
    set_cork(fd, 0);
    stream->request->h2o->bytes_sent += *sent;
    stream->owed -= stream->owed > 0 ? *sent : 0;
    if (stream->left >= 0)
        stream->left -= (int64_t) *sent;
    return kind;
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
