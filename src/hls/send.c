/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/send.h"

#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/push.h"

enum {
    SMALL_BUFFER = 64 * 1024,
    LARGE_BUFFER = 512 * 1024,
    QUICK_MS = 50, /* a buffer that drains so fast may grow */
    RETRY_MS = 20, /* the budget is spent: others give back soon */
    BATCH = 64,    /* pieces looked at in one go */
    TAIL = 4096,   /* read after what went straight from files: h2o tells when it is gone */
};

/* ISO 14496-12 8.16.2, 8.1.2: what native players are given while they wait. */
static const uint8_t type_box[] = {0,   0,   0,   28,  's', 't', 'y', 'p', 'm', 's',
                                   'd', 'h', 0,   0,   0,   0,   'm', 's', 'd', 'h',
                                   'm', 's', 'i', 'x', 'c', 'm', 'f', 'c'};
static const uint8_t free_box[] = {0, 0, 0, 8, 'f', 'r', 'e', 'e'};

struct send {
    /* fixed after start */
    struct send_options options;
    struct hls *hls;
    struct mailbox *mailbox;
    int64_t heartbeat_ms; /* 0: none */
    /* request's loop */
    struct stream *stream; /* NULL once it is gone */
    struct segment *segment;
    struct source *source;
    struct segment_listener *listener;
    struct source_wait *wait;  /* for the next byte, which is still to come */
    struct source_wait *ahead; /* for what follows it */
    uv_timer_t timer;
    bool is_pulled;  /* the client can take more */
    bool is_reading; /* the pool has the fields below in hand */
    bool is_type_sent, is_broken, is_last, is_gone, is_timer_closed;
    uint8_t *buffer;
    size_t buffer_size, wanted_size;
    int64_t written_ms;
    /* where the next byte comes from; the pool's while is_reading */
    struct push_place place;
    uint8_t *into; /* the buffer, or the tail */
    size_t room, filled;
    enum err read_kind;
    uint8_t tail[TAIL];
};

static void go_on(struct send *send);

static void free_when_over(struct send *send)
{
    if (send->stream != NULL || send->is_reading || !send->is_timer_closed)
        return;
    send_budget_give(send->hls->budget, &send->buffer, send->buffer_size);
    segment_unref(&send->segment);
    source_unref(&send->source);
    mem_free(send);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct send *send = handle->data;
    send->is_timer_closed = true;
    free_when_over(send);
}

static void on_gone(void *ctx)
{
    struct send *send = ctx;
    send->stream = NULL;
    send->is_gone = true;
    if (send->options.gone != NULL)
        send->options.gone(send->options.ctx);
    send->options.gone = NULL;
    if (send->segment != NULL)
        segment_unlisten(send->segment, &send->listener);
    source_unwant(&send->wait);
    source_unwant(&send->ahead);
    uv_close((uv_handle_t *) &send->timer, on_timer_closed);
}

void send_break(struct send *send)
{
    if (send->stream == NULL || send->is_broken)
        return;
    send->is_broken = true;
    atomic_fetch_add(&send->hls->counters.broken, 1);
    stream_break(send->stream);
}

/* --- gathering; on the loop or on a pool's thread --- */

static enum err read_piece(struct send *send, const struct media_piece *piece, uint64_t at,
                           bool may_sleep, size_t *got)
{
    uint8_t *into = send->into + send->filled;
    size_t room = send->room - send->filled;
    uint64_t left = piece->length - at;
    if (left > send->place.remaining)
        left = send->place.remaining;
    size_t size = left < room ? (size_t) left : room;
    uint64_t offset = piece->offset + at;
    if (!piece->is_source)
        return may_sleep ? segment_read(send->segment, into, size, offset, got)
                         : segment_read_now(send->segment, into, size, offset, got);
    if (send->source == NULL || offset + size > source_size(send->source))
        return ERR_GONE;
    return may_sleep ? source_read(send->source, into, size, offset, got)
                     : source_read_now(send->source, into, size, offset, got);
}

/* Reads from one piece on until the room or the batch ends. */
static enum err gather_batch(struct send *send, const struct media_piece *pieces, size_t count,
                             bool may_sleep)
{
    size_t first = send->place.piece;
    while (send->place.piece - first < count) {
        const struct media_piece *piece = &pieces[send->place.piece - first];
        size_t got = 0;
        if (send->filled == send->room || send->place.remaining == 0)
            return OK;
        enum err kind = read_piece(send, piece, send->place.skip, may_sleep, &got);
        if (kind != OK)
            return kind;
        send->filled += got;
        push_move(&send->place, send->segment, got);
    }
    return OK;
}

static enum err gather(struct send *send, bool may_sleep)
{
    struct media_piece pieces[BATCH];
    enum err kind = OK;
    push_move(&send->place, send->segment, 0);
    while (kind == OK && send->filled < send->room && send->place.remaining > 0) {
        size_t count = segment_pieces(send->segment, send->place.piece, pieces, BATCH);
        if (count == 0)
            break;
        kind = gather_batch(send, pieces, count, may_sleep);
    }
    return kind;
}

/* --- writing --- */

static void write_filled(struct send *send, bool is_last)
{
    size_t size = send->filled;
    send->filled = 0;
    send->is_pulled = false;
    send->is_last = is_last;
    send->written_ms = send->into == send->tail ? 0 : clock_mono_ms();
    atomic_fetch_add(&send->hls->counters.sent_bytes, size);
    stream_write(send->stream, send->into, size, is_last);
}

static void give_buffer_back(struct send *send)
{
    send_budget_give(send->hls->budget, &send->buffer, send->buffer_size);
}

static void on_ready(void *ctx, enum err kind, const struct why *why)
{
    struct send *send = ctx;
    source_unwant(&send->wait);
    if (kind == OK) {
        go_on(send);
        return;
    }
    log_warning("send.given_up", log_err(kind), log_str("why", why->text));
    send_break(send);
}

/* The next bytes are still to come: no buffer is held meanwhile (decision 17). */
static void wait_for_source(struct send *send)
{
    enum { AHEAD_BYTES = 4 * 1024 * 1024 };
    struct media_piece piece;
    if (segment_pieces(send->segment, send->place.piece, &piece, 1) == 0 || !piece.is_source) {
        send_break(send); /* of what else could it be missing? */
        return;
    }
    uint64_t end = piece.offset + piece.length;
    struct span next = {piece.offset + send->place.skip, piece.offset + send->place.skip + 1};
    struct span rest = {next.begin, end};
    if (rest.end - rest.begin > AHEAD_BYTES)
        rest.end = rest.begin + AHEAD_BYTES;
    if (send->place.remaining < rest.end - rest.begin)
        rest.end = rest.begin + send->place.remaining;
    source_unwant(&send->ahead);
    send->ahead = source_want(send->source, &rest, SOURCE_AHEAD, send->mailbox, NULL, NULL);
    give_buffer_back(send);
    send->wait = source_want(send->source, &next, SOURCE_NOW, send->mailbox, on_ready, send);
}

static void after_read(struct send *send)
{
    struct segment_view view;
    if (send->read_kind == ERR_NOT_FOUND && send->filled == 0) {
        wait_for_source(send);
        return;
    }
    bool is_short = send->read_kind == ERR_AGAIN || send->read_kind == ERR_NOT_FOUND;
    if (send->read_kind != OK && (!is_short || send->filled == 0)) {
        log_warning("send.read", log_err(send->read_kind));
        send_break(send);
        return;
    }
    /* Looked at before the pieces are counted: none can come after `done`. */
    segment_look(send->segment, &view);
    bool is_end = send->place.remaining == 0 ||
                  (send->place.remaining == UINT64_MAX && view.state == SEGMENT_DONE &&
                   send->place.piece >= view.pieces);
    if (send->filled == 0 && !is_end)
        go_on(send);
    else
        write_filled(send, is_end);
}

static void read_on_pool(void *arg)
{
    struct send *send = arg;
    send->read_kind = gather(send, true);
}

static void on_read(void *arg)
{
    struct send *send = arg;
    send->is_reading = false;
    if (send->stream == NULL)
        free_when_over(send);
    else if (!send->is_broken)
        after_read(send);
}

static void read_elsewhere(struct send *send)
{
    uint64_t device = send->source != NULL ? source_device(send->source) : 0;
    send->is_reading = true;
    if (source_pools_run(send->hls->sources, device, read_on_pool, on_read, send, send->mailbox) ==
        OK)
        return;
    send->is_reading = false;
    log_warning("send.busy", log_str("why", "too many reads wait for this disk"));
    send_break(send);
}

static void on_retry(uv_timer_t *timer)
{
    go_on(timer->data);
}

/* False: the budget is spent, or there is no need. */
static bool have_buffer(struct send *send)
{
    if (send->buffer != NULL && send->buffer_size == send->wanted_size)
        return true;
    give_buffer_back(send);
    send->buffer_size = send->wanted_size;
    send->buffer = send_budget_take(send->hls->budget, &send->buffer_size);
    if (send->buffer != NULL)
        return true;
    uv_timer_start(&send->timer, on_retry, RETRY_MS, 0);
    return false;
}

/* Sends what can go without being read, and says where to read what comes next. False: not now. */
static bool find_room(struct send *send)
{
    enum err kind = OK;
    size_t sent = 0;
    bool is_pushed =
        push_some(send->stream, send->segment, send->source, &send->place, &sent, &kind);
    atomic_fetch_add(&send->hls->counters.sent_bytes, sent);
    if (kind != OK) {
        log_warning("send.read", log_err(kind));
        send_break(send);
        return false;
    }
    if (!is_pushed && !have_buffer(send))
        return false;
    if (is_pushed)
        give_buffer_back(send);
    size_t owed = stream_owed(send->stream);
    send->into = is_pushed ? send->tail : send->buffer;
    send->room = is_pushed ? TAIL : send->buffer_size;
    send->room = owed < send->room ? owed : send->room;
    return true;
}

static void end_body(struct send *send)
{
    send->is_pulled = false;
    send->is_last = true;
    stream_write(send->stream, "", 0, true);
}

static void send_some(struct send *send)
{
    if (send->source != NULL && !source_is_unchanged(send->source)) {
        log_warning("send.changed", log_str("why", "the file changed while it was sent"));
        send_break(send);
        return;
    }
    if (!find_room(send))
        return;
    send->filled = 0;
    send->read_kind = gather(send, false);
    if (send->read_kind == ERR_AGAIN && send->filled == 0)
        read_elsewhere(send);
    else
        after_read(send);
}

static void go_on(struct send *send)
{
    struct segment_view view;
    if (!send->is_pulled || send->is_reading || send->is_broken || send->is_last ||
        send->stream == NULL || send->segment == NULL || send->wait != NULL)
        return;
    segment_look(send->segment, &view);
    if (view.state == SEGMENT_FAILED)
        send_break(send);
    else if (send->place.piece < view.pieces && send->place.remaining > 0)
        send_some(send);
    else if (view.state == SEGMENT_DONE)
        end_body(send);
    else
        give_buffer_back(send); /* none is held while it waits */
}

static void on_changed(void *ctx)
{
    go_on(ctx);
}

/* --- heartbeats --- */

static void on_heartbeat(uv_timer_t *timer)
{
    struct send *send = timer->data;
    uv_timer_start(timer, on_heartbeat, (uint64_t) send->heartbeat_ms, 0);
    if (!send->is_pulled || send->stream == NULL || send->is_broken)
        return;
    send->is_pulled = false;
    stream_write(send->stream, free_box, sizeof free_box, false);
}

static void send_type(struct send *send)
{
    send->is_type_sent = true;
    send->is_pulled = false;
    stream_write(send->stream, type_box, sizeof type_box, false);
    uv_timer_start(&send->timer, on_heartbeat, (uint64_t) send->heartbeat_ms, 0);
}

/* A connection that drains fast gets larger buffers, so that it costs fewer rounds. */
static void adapt(struct send *send)
{
    if (send->written_ms == 0)
        return;
    bool is_quick = clock_mono_ms() - send->written_ms < QUICK_MS;
    if (!is_quick)
        send->wanted_size = SMALL_BUFFER;
    else if (send->wanted_size < LARGE_BUFFER)
        send->wanted_size *= 2;
    send->written_ms = 0;
}

static void on_pull(void *ctx, struct stream *stream)
{
    struct send *send = ctx;
    send->stream = stream;
    send->is_pulled = true;
    adapt(send);
    if (send->heartbeat_ms > 0 && !send->is_type_sent)
        send_type(send);
    else
        go_on(send);
}

static const struct stream_source stream_events = {.pull = on_pull, .gone = on_gone};

struct send *send_start(struct request *request, int status, const char *content_type,
                        int64_t length, int64_t heartbeat_ms, const struct send_options *options)
{
    struct send *send = mem_new(struct send);
    send->options = *options;
    send->hls = options->hls;
    send->mailbox = request_mailbox(request);
    send->heartbeat_ms = heartbeat_ms;
    send->wanted_size = SMALL_BUFFER;
    send->place.remaining = length >= 0 ? (uint64_t) length : UINT64_MAX;
    MUST(uv_timer_init(request_loop(request), &send->timer) == 0);
    send->timer.data = send;
    struct stream *stream =
        stream_start(request, status, content_type, length, &stream_events, send);
    /* A HEAD is over by now; it is freed by its timer's end. */
    if (send->is_gone)
        return NULL;
    send->stream = stream;
    return send;
}

/* The length of the styp that a segment begins with. */
static uint64_t type_length(struct segment *segment)
{
    struct media_piece piece;
    uint8_t head[8];
    size_t got = 0;
    if (segment_pieces(segment, 0, &piece, 1) == 0 || piece.is_source || piece.length < 8 ||
        segment_read_now(segment, head, sizeof head, piece.offset, &got) != OK || got < 8 ||
        memcmp(head + 4, "styp", 4) != 0)
        return 0;
    uint64_t length = (uint64_t) head[0] << 24 | (uint64_t) head[1] << 16 |
                      (uint64_t) head[2] << 8 | (uint64_t) head[3];
    return length >= 8 ? length : 0;
}

void send_give(struct send *send, struct segment *segment, struct source *source, uint64_t first)
{
    send->segment = segment_ref(segment);
    send->source = source != NULL ? source_ref(source) : NULL;
    send->place.skip = first + (send->heartbeat_ms > 0 ? type_length(segment) : 0);
    send->heartbeat_ms = 0;
    uv_timer_stop(&send->timer);
    if (send->stream == NULL)
        return;
    send->listener = segment_listen(segment, send->mailbox, on_changed, send);
    go_on(send);
}

void send_detach(struct send *send)
{
    send->options.gone = NULL;
}
