/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments: held until there is something to send (player.md 4, decisions 4, 25, 26, 41).
 *
 * Life of a request: asked -> waiting for its first part -> sent (whole, or as it grows) -> gone.
 * mse: nothing before the first part; 503 after hold_ms. native: headers and styp after a second,
 * then free boxes; what fails after that breaks the connection. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hls/routes.h"
#include "hls/send.h"

enum {
    NATIVE_QUIET_MS = 800, /* headers within a second (player.md 5) */
    TEXT_HOLD_MS = 2000,   /* decision 26 */
    MOST_ASKS = 4,         /* after deaths of media processes */
};

static const char immutable_control[] = "private, max-age=86400, immutable";

struct hold {
    struct hls *hls;
    struct request *request; /* NULL once headers were sent, or it is gone */
    bool is_native, is_head, is_text, has_version;
    enum plan_kind wanted; /* is_text: PLAN_SUBTITLE or PLAN_PICTURES; else any other */
    uint32_t n;
    int64_t began_ms;
    unsigned asks;
    struct ask_options options; /* its slices live as long as the request */
    char playback[ASK_PLAYBACK_SIZE];
    struct mailbox *mailbox;
    struct ask *ask;
    struct film *film;
    int rendition;
    struct segment *segment;
    struct segment_listener *listener;
    struct source_wait *wait; /* for the first part's bytes of a source that fills */
    struct send *send;        /* NULL: not begun, or over */
    bool is_given;            /* the segment's own bytes are being sent */
    bool is_gone;
    uv_timer_t timer;
};

static void ask_again(struct hold *hold);

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void forget_segment(struct hold *hold)
{
    if (hold->segment != NULL)
        segment_unlisten(hold->segment, &hold->listener);
    source_unwant(&hold->wait);
    segment_unref(&hold->segment);
}

/* The request is gone, and with it the send: whichever is told last. */
static void on_gone(void *ctx)
{
    struct hold *hold = ctx;
    hold->request = NULL;
    hold->is_gone = true;
    if (hold->send != NULL)
        send_detach(hold->send);
    hold->send = NULL;
    ask_close(&hold->ask);
    forget_segment(hold);
    film_unref(&hold->film);
    uv_close((uv_handle_t *) &hold->timer, on_timer_closed);
}

/* The body is over; the request's end comes next and frees. */
static void on_send_gone(void *ctx)
{
    struct hold *hold = ctx;
    hold->send = NULL;
    ask_close(&hold->ask);
    forget_segment(hold);
}

static struct request *take_request(struct hold *hold)
{
    struct request *request = hold->request;
    hold->request = NULL;
    uv_timer_stop(&hold->timer);
    return request;
}

static void fail(struct hold *hold, enum err kind, const struct why *why)
{
    forget_segment(hold);
    if (hold->request != NULL)
        routes_reply_failure(take_request(hold), kind, why);
    else if (hold->send != NULL)
        send_break(hold->send);
    ask_close(&hold->ask);
}

/* --- replies --- */

static const char *content_type(const struct hold *hold)
{
    switch (hold->film->plan->renditions[hold->rendition].kind) {
    case PLAN_VIDEO:
    case PLAN_IFRAMES:
        return "video/mp4";
    case PLAN_AUDIO:
        return "audio/mp4";
    case PLAN_PICTURES:
        return "application/json";
    case PLAN_SUBTITLE:
        break;
    }
    return "text/vtt; charset=utf-8";
}

static void put_hold_header(const struct hold *hold, struct request *request)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, clock_mono_ms() - hold->began_ms);
    reply_header(request, "x-hold-ms", text);
}

static void begin(struct hold *hold, int status, int64_t length, int64_t heartbeat_ms)
{
    const struct send_options options = {.hls = hold->hls, .gone = on_send_gone, .ctx = hold};
    struct request *request = take_request(hold);
    struct send *send =
        send_start(request, status, content_type(hold), length, heartbeat_ms, &options);
    if (!hold->is_gone)
        hold->send = send;
}

static void give(struct hold *hold, uint64_t first)
{
    if (hold->is_gone || hold->segment == NULL)
        return;
    hold->is_given = true;
    segment_unlisten(hold->segment, &hold->listener);
    if (hold->ask != NULL)
        ask_settle(hold->ask);
    if (hold->send != NULL)
        send_give(hold->send, hold->segment, hold->film->source, first);
}

static bool is_known_to_client(const struct hold *hold, const char *tag)
{
    struct slice match = request_header(hold->request, "if-none-match");
    return match.at != NULL && slice_is(match, tag);
}

static void put_range_headers(struct request *request, const struct range *range, uint64_t size)
{
    char text[80];
    if (!range->is_partial)
        return;
    snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
             range->first + range->length - 1, size);
    reply_header(request, "content-range", text);
}

static void refuse_range(struct hold *hold, uint64_t size)
{
    char text[40];
    struct why why;
    struct request *request = take_request(hold);
    snprintf(text, sizeof text, "bytes */%" PRIu64, size);
    reply_header(request, "content-range", text);
    why_set(&why, ERR_BAD_INPUT, NULL, "the range lies outside of the segment");
    reply_problem(request, 416, ERR_BAD_INPUT, &why);
    ask_close(&hold->ask);
}

static void send_whole(struct hold *hold, const struct segment_view *view)
{
    struct range range;
    struct request *request = hold->request;
    if (request_range(request, view->bytes, view->tag, &range) != OK) {
        refuse_range(hold, view->bytes);
        return;
    }
    if (view->part_ms > hold->began_ms)
        put_hold_header(hold, request);
    reply_header(request, "etag", view->tag);
    reply_header(request, "cache-control", hold->has_version ? immutable_control : "no-store");
    if (is_known_to_client(hold, view->tag)) {
        reply_empty(take_request(hold), 304);
        ask_close(&hold->ask);
        return;
    }
    reply_header(request, "accept-ranges", "bytes");
    put_range_headers(request, &range, view->bytes);
    begin(hold, range.is_partial ? 206 : 200, (int64_t) range.length, 0);
    if (!hold->is_head)
        give(hold, range.first);
}

static void send_growing(struct hold *hold)
{
    put_hold_header(hold, hold->request);
    reply_header(hold->request, "cache-control", "no-store");
    begin(hold, 200, -1, 0);
    give(hold, 0);
}

/* Decision 4: a segment that is not there has no length yet, and HEAD makes none. */
static void reply_unknown(struct hold *hold)
{
    reply_header(hold->request, "cache-control", "no-store");
    begin(hold, 200, -1, 0);
    ask_close(&hold->ask);
}

static void send_early(struct hold *hold)
{
    reply_header(hold->request, "cache-control", "no-store");
    reply_header(hold->request, "x-accel-buffering", "no");
    begin(hold, 200, -1, hold->hls->options.heartbeat_ms);
}

/* --- waiting --- */

static bool is_quiet_time(const struct hold *hold)
{
    return clock_mono_ms() - hold->began_ms < NATIVE_QUIET_MS;
}

static void hear_failure(struct hold *hold, enum err kind)
{
    struct why why;
    segment_why(hold->segment, &why);
    if (kind != ERR_AGAIN || hold->asks >= MOST_ASKS) {
        fail(hold, kind == ERR_AGAIN ? ERR_BUSY : kind, &why);
        return;
    }
    forget_segment(hold);
    ask_again(hold);
}

static void look(void *ctx);

static void on_ready(void *ctx, enum err kind, const struct why *why)
{
    struct hold *hold = ctx;
    source_unwant(&hold->wait);
    if (kind == OK)
        look(hold);
    else
        fail(hold, kind, why);
}

/* What of the source the first part is made of: from its first extent to the end of its last. False:
 * nothing. */
static bool part_span(struct segment *segment, size_t count, struct span *out)
{
    bool has_any = false;
    struct media_piece piece;
    for (size_t i = 0; i < count && segment_pieces(segment, i, &piece, 1) == 1; i++) {
        if (!piece.is_source)
            continue;
        uint64_t end = piece.offset + piece.length;
        out->begin = !has_any || piece.offset < out->begin ? piece.offset : out->begin;
        out->end = !has_any || end > out->end ? end : out->end;
        has_any = true;
    }
    return has_any;
}

/* A copy is sent when the bytes of its first part are there, as a transcode is when that is made
 * (decision 15): until then it is held. */
static bool is_part_here(struct hold *hold, const struct segment_view *view)
{
    struct span span;
    struct source *source = hold->film->source;
    if (hold->wait != NULL)
        return false;
    if (source_has(source, 0, source_size(source)))
        return true;
    if (!view->has_part || !part_span(hold->segment, view->part_pieces, &span) ||
        source_has(source, span.begin, span.end - span.begin))
        return true;
    hold->wait = source_want(source, &span, SOURCE_NOW, hold->mailbox, on_ready, hold);
    return false;
}

static void look(void *ctx)
{
    struct hold *hold = ctx;
    struct segment_view view;
    struct why why;
    if (hold->is_given || hold->segment == NULL || hold->is_gone)
        return;
    segment_look(hold->segment, &view);
    bool is_begun = hold->request == NULL;
    bool is_done = view.state == SEGMENT_DONE;
    if (view.state == SEGMENT_FAILED) {
        hear_failure(hold, view.kind);
        return;
    }
    if (!view.has_part && !is_done)
        return;
    if (source_is_unchanged(hold->film->source) && !hold->is_head && !is_part_here(hold, &view))
        return;
    if (!source_is_unchanged(hold->film->source))
        fail(hold, why_set(&why, ERR_GONE, NULL, "the file changed while it was open"), &why);
    else if (is_begun)
        give(hold, 0);
    else if (is_done)
        send_whole(hold, &view);
    else if (!hold->is_native || !is_quiet_time(hold))
        send_growing(hold);
}

static void on_answer(void *ctx, const struct ask_answer *answer)
{
    struct hold *hold = ctx;
    struct why why;
    if (hold->is_given || (hold->request == NULL && hold->send == NULL))
        return;
    if (answer->kind != OK) {
        fail(hold, answer->kind, answer->why);
        return;
    }
    enum plan_kind found = answer->film->plan->renditions[answer->rendition].kind;
    film_unref(&hold->film);
    hold->film = film_ref(answer->film);
    hold->rendition = answer->rendition;
    if (plan_is_subtitle(found) ? found != hold->wanted : hold->is_text) {
        fail(hold, why_set(&why, ERR_NOT_FOUND, NULL, "the rendition has no such segment"), &why);
        return;
    }
    if (answer->segment == NULL) {
        reply_unknown(hold);
        return;
    }
    hold->segment = segment_ref(answer->segment);
    hold->listener = segment_listen(hold->segment, hold->mailbox, look, hold);
    look(hold);
}

static void ask_again(struct hold *hold)
{
    ask_close(&hold->ask);
    hold->asks++;
    hold->ask = ask_open(hold->hls, &hold->options, hold->mailbox, on_answer, hold);
}

static void on_hold_end(uv_timer_t *timer)
{
    struct hold *hold = timer->data;
    struct why why;
    if (hold->request == NULL)
        return;
    if (hold->is_native && !hold->is_text && hold->n != ASK_INIT && hold->film != NULL &&
        hold->segment != NULL) {
        struct segment_view view;
        segment_look(hold->segment, &view);
        if (view.has_part && hold->wait == NULL)
            send_growing(hold);
        else
            send_early(hold);
        return;
    }
    /* A native player cannot be told 503; while the film itself is not open there is no other
     * answer, since it is not known yet whether the segment exists. */
    if (hold->is_native && !hold->is_text &&
        clock_mono_ms() - hold->began_ms < hold->hls->options.hold_ms) {
        uv_timer_start(timer, on_hold_end, 200, 0);
        return;
    }
    fail(hold, why_set(&why, ERR_BUSY, NULL, "the segment is not ready yet"), &why);
}

static int64_t hold_ms(const struct hold *hold)
{
    int64_t set = hold->hls->options.hold_ms;
    if (hold->is_text)
        return set < TEXT_HOLD_MS ? set : TEXT_HOLD_MS;
    if (hold->is_native)
        return set < NATIVE_QUIET_MS ? set : NATIVE_QUIET_MS;
    return set;
}

void routes_serve_segment(struct request *request, struct hls *hls, uint32_t n,
                          enum plan_kind wanted)
{
    struct why why;
    struct routes_query query;
    enum err kind = routes_read_query(request, &query, &why);
    if (kind != OK) {
        routes_reply_failure(request, kind, &why);
        return;
    }
    struct hold *hold = mem_new(struct hold);
    hold->hls = hls;
    hold->request = request;
    hold->is_native = query.client.is_native;
    hold->is_head = request_is_head(request);
    hold->is_text = plan_is_subtitle(wanted);
    hold->wanted = wanted;
    hold->n = n;
    hold->began_ms = clock_mono_ms();
    hold->mailbox = request_mailbox(request);
    memcpy(hold->playback, query.playback, sizeof hold->playback);
    hold->options = (struct ask_options){.kind = hold->is_head ? ASK_PEEK : ASK_SEGMENT,
                                         .file = request_param(request, 0),
                                         .rendition = request_param(request, 1),
                                         .version = request_query(request, "v"),
                                         .n = n,
                                         .playback = hold->playback};
    hold->has_version = hold->options.version.at != NULL;
    MUST(uv_timer_init(request_loop(request), &hold->timer) == 0);
    hold->timer.data = hold;
    request_on_gone(request, on_gone, hold);
    ask_again(hold);
    uv_timer_start(&hold->timer, on_hold_end, (uint64_t) hold_ms(hold), 0);
}
