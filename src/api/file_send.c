/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file as a body, piece by piece: each is read on the pool while the one before is sent.
 * Life: file_send -> (pull -> read -> write)... -> gone, and the read that was under way. */
#include "api/inside.h"
#include "base/fd.h"
#include "base/mem.h"

enum { PIECE = 256 * 1024 };

struct sending {
    struct api *api;
    struct mailbox *mailbox;
    struct stream *stream; /* NULL: it is gone */
    int fd;
    uint64_t offset, size;
    uint8_t *piece;
    size_t got;
    enum err err;
    bool is_reading;
};

static void end(struct sending *sending)
{
    fd_close(&sending->fd);
    mem_free(sending->piece);
    mem_free(sending);
}

static void on_read(void *arg)
{
    struct sending *sending = arg;
    sending->is_reading = false;
    if (sending->stream == NULL) {
        end(sending);
        return;
    }
    if (sending->err != OK || sending->got == 0) {
        stream_break(sending->stream); /* it has become shorter, or cannot be read */
        return;
    }
    sending->offset += sending->got;
    stream_write(sending->stream, sending->piece, sending->got, sending->offset == sending->size);
}

static void read_piece(void *arg)
{
    struct sending *sending = arg;
    struct api *api = sending->api;
    uint64_t left = sending->size - sending->offset;
    sending->err = fd_read_at(sending->fd, sending->piece, left < PIECE ? (size_t) left : PIECE,
                              sending->offset, &sending->got);
    mailbox_post(sending->mailbox, on_read, sending);
    api_leave(api);
}

static void on_pull(void *ctx, struct stream *stream)
{
    struct sending *sending = ctx;
    sending->stream = stream;
    if (!api_enter(sending->api)) {
        stream_break(stream);
        return;
    }
    sending->is_reading = true;
    if (pool_run(sending->api->pool, read_piece, NULL, sending, NULL) == OK)
        return;
    sending->is_reading = false;
    api_leave(sending->api);
    stream_break(stream);
}

static void on_gone(void *ctx)
{
    struct sending *sending = ctx;
    sending->stream = NULL;
    if (!sending->is_reading)
        end(sending);
}

void file_send(struct api *api, struct request *request, int fd, uint64_t size, const char *type)
{
    static const struct stream_source SOURCE = {on_pull, on_gone};
    struct sending *sending = mem_new(struct sending);
    sending->api = api;
    sending->mailbox = request_mailbox(request);
    sending->fd = fd;
    sending->size = size;
    sending->piece = mem_zalloc(PIECE);
    struct stream *stream = stream_start(request, 200, type, (int64_t) size, &SOURCE, sending);
    (void) stream; /* it pulls when the headers are sent */
}
