/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/channel.h"

#include <fcntl.h>
#include <uv.h>

#include "base/fd.h"
#include "base/mem.h"

enum {
    QUEUE_LIMIT = 1024, /* messages; who leaves so many unread is not there any more */
    READ_BATCH = 64,    /* then the loop's others have their turn */
};

struct outgoing {
    struct outgoing *next;
    uint8_t *bytes;
    size_t size;
    int fds[WIRE_MAX_FDS];
    uint32_t fd_count;
};

struct channel {
    uv_poll_t poll;
    int socket;
    bool has_fds; /* are to come */
    int spare;
    enum wire_way way;
    const struct channel_events *events;
    void *ctx;
    struct outgoing *first, **last;
    size_t queued;
    enum err broken; /* OK, or what ended the sending */
    bool is_ended, is_freed;
};

static void outgoing_free(struct outgoing *outgoing)
{
    for (uint32_t i = 0; i < outgoing->fd_count; i++)
        fd_close(&outgoing->fds[i]);
    mem_free(outgoing->bytes);
    mem_free(outgoing);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct channel *channel)
{
    int events = UV_READABLE;
    if (channel->first != NULL || channel->broken != OK)
        events |= UV_WRITABLE;
    uv_poll_start(&channel->poll, events, on_poll);
}

static void end(struct channel *channel, enum err kind, const struct why *why)
{
    if (channel->is_ended || channel->is_freed)
        return;
    channel->is_ended = true;
    uv_poll_stop(&channel->poll);
    channel->events->ended(channel->ctx, kind, why);
}

/* A message whose fd finds no place in our table is lost, and the channel with it: so one place is
 * kept, and given up for the moment of receiving. */
static void keep_place(struct channel *channel)
{
    if (channel->has_fds && channel->spare < 0 && !channel->is_freed)
        channel->spare = fcntl(channel->socket, F_DUPFD_CLOEXEC, 0);
}

static void read_some(struct channel *channel, unsigned most)
{
    struct wire_message message;
    for (unsigned i = 0; i < most && !channel->is_ended && !channel->is_freed; i++) {
        struct why why = {0};
        fd_close(&channel->spare);
        enum err kind = wire_receive(channel->socket, channel->way, &message, &why);
        if (kind == ERR_AGAIN)
            break;
        if (kind != OK) {
            end(channel, kind, &why);
            return;
        }
        channel->events->message(channel->ctx, &message);
        wire_close_fds(&message);
    }
    keep_place(channel);
}

static void write_some(struct channel *channel)
{
    while (channel->first != NULL && channel->broken == OK) {
        struct outgoing *outgoing = channel->first;
        enum err kind = wire_send_bytes(channel->socket, outgoing->bytes, outgoing->size,
                                        outgoing->fds, outgoing->fd_count);
        if (kind == ERR_AGAIN)
            return;
        if (kind != OK)
            channel->broken = kind;
        channel->first = outgoing->next;
        if (channel->first == NULL)
            channel->last = &channel->first;
        channel->queued--;
        outgoing_free(outgoing);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *channel = poll->data;
    if (status == 0 && (events & UV_WRITABLE) != 0)
        write_some(channel);
    read_some(channel, READ_BATCH);
    if (channel->is_ended || channel->is_freed)
        return;
    if (channel->broken != OK || status != 0) {
        enum err kind = channel->broken != OK ? channel->broken : ERR_IO;
        struct why why = {0};
        why_set(&why, kind, NULL, "it does not take messages any more");
        end(channel, kind, &why);
        return;
    }
    watch(channel);
}

struct channel *channel_new(struct uv_loop_s *loop, int *socket, enum wire_way way,
                            const struct channel_events *events, void *ctx)
{
    struct channel *channel = mem_new(struct channel);
    channel->socket = fd_take(socket);
    channel->way = way;
    channel->events = events;
    channel->ctx = ctx;
    channel->last = &channel->first;
    channel->spare = -1;
    channel->has_fds = way == WIRE_FROM_ZYGOTE;
    keep_place(channel);
    channel->poll.data = channel;
    MUST(uv_poll_init(loop, &channel->poll, channel->socket) == 0); /* makes it non-blocking */
    watch(channel);
    return channel;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void channel_free(struct channel **channel)
{
    struct channel *gone = *channel;
    *channel = NULL;
    if (gone == NULL)
        return;
    gone->is_freed = true;
    while (gone->first != NULL) {
        struct outgoing *outgoing = gone->first;
        gone->first = outgoing->next;
        outgoing_free(outgoing);
    }
    uv_close((uv_handle_t *) &gone->poll, on_closed);
    fd_close(&gone->socket);
    fd_close(&gone->spare);
}

static void enqueue(struct channel *channel, const uint8_t *bytes, size_t size,
                    const struct wire_message *message)
{
    if (channel->queued == QUEUE_LIMIT) {
        channel->broken = ERR_LIMIT;
        return;
    }
    struct outgoing *outgoing = mem_new(struct outgoing);
    outgoing->bytes = mem_dup(bytes, size);
    outgoing->size = size;
    for (uint32_t i = 0; i < message->fd_count; i++) {
        int fd = fcntl(message->fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            outgoing_free(outgoing);
            channel->broken = ERR_BUSY;
            return;
        }
        outgoing->fds[outgoing->fd_count++] = fd;
    }
    *channel->last = outgoing;
    channel->last = &outgoing->next;
    channel->queued++;
}

void channel_send(struct channel *channel, const struct wire_message *message)
{
    if (channel->is_ended || channel->broken != OK)
        return;
    uint8_t bytes[WIRE_MAX_BYTES];
    size_t size = wire_encode(message, bytes);
    enum err kind = ERR_AGAIN;
    if (channel->first == NULL)
        kind = wire_send_bytes(channel->socket, bytes, size, message->fds, message->fd_count);
    if (kind == ERR_AGAIN)
        enqueue(channel, bytes, size, message);
    else if (kind != OK)
        channel->broken = kind;
    if (channel->first != NULL || channel->broken != OK)
        watch(channel);
}

void channel_drain(struct channel *channel)
{
    const unsigned most = 1024; /* more than a socket's buffer holds of honest messages */
    read_some(channel, most);
}
