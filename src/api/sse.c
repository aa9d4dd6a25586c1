/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/events: one stream of server-sent events (WHATWG HTML 9.2). First the present states,
 * then what changes: of one object at most two states a second, the latest each; a comment every
 * 15 s, so that proxies keep the connection and we notice who left.
 * Life: events_get -> (pulls, wakes, ticks) -> gone -> timer closed and listener closed -> freed.
 * Threads: the request's loop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "api/events.h"
#include "api/inside.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    TOPICS_MAX = 16,
    COMMENT_MS = 15 * 1000,
    EACH_MS = 500,                /* between two states of one object */
    BATCH = 64,                   /* news taken at once */
    DRAFT_MAX_BYTES = 1024 * 1024 /* a client that takes nothing begins anew */
};

/* An object whose state was sent lately, or is to be sent. */
struct object {
    char key[72];
    struct event *due; /* NULL: nothing new */
    int64_t sent_ms;
};

struct sse {
    struct listener listener; /* first: they are one */
    struct api *api;
    struct http_user user;
    struct stream *stream;
    struct str draft, sending;
    bool can_write, is_over;
    char topics[TOPICS_MAX][48];
    unsigned topic_count;
    uint64_t number; /* of the news taken */
    struct object *objects;
    size_t object_count, object_room;
    int64_t comment_ms; /* when the next one is due */
    uv_timer_t timer;
    unsigned refs; /* timer, listener */
};

static void unref(struct sse *sse)
{
    if (--sse->refs > 0)
        return;
    for (size_t i = 0; i < sse->object_count; i++)
        event_unref(&sse->objects[i].due);
    mem_free(sse->objects);
    str_fini(&sse->draft);
    str_fini(&sse->sending);
    mem_free(sse);
}

/* --- sending --- */

static void flush(struct sse *sse)
{
    if (!sse->can_write || sse->draft.length == 0)
        return;
    struct str empty = sse->sending;
    str_clear(&empty);
    sse->sending = sse->draft;
    sse->draft = empty;
    sse->can_write = false;
    stream_write(sse->stream, sse->sending.at, sse->sending.length, false);
}

/* What a browser sends back as Last-Event-ID: all before it has been sent, though not all after it
 * is unsent. */
static uint64_t safe_number(const struct sse *sse)
{
    uint64_t number = sse->number;
    for (size_t i = 0; i < sse->object_count; i++)
        if (sse->objects[i].due != NULL && sse->objects[i].due->number <= number)
            number = sse->objects[i].due->number - 1;
    return number;
}

static void put_event(struct sse *sse, const char *topic, const char *data)
{
    size_t word = strcspn(topic, ":");
    str_printf(&sse->draft, "event: %.*s\nid: %s-%" PRIu64 "\ndata: %s\n\n", (int) word, topic,
               events_boot(sse->api->events), safe_number(sse), data);
}

static void put_state(struct sse *sse, const char *topic, json_t *payload)
{
    json_object_set_new(payload, "at", json_date(clock_wall_ms()));
    char *text = json_line(payload);
    put_event(sse, topic, text);
    mem_free(text);
}

static void put_download(void *ctx, json_t *payload)
{
    put_state(ctx, "downloads", payload);
}

static void put_states(struct sse *sse)
{
    sse->number = events_now(sse->api->events);
    for (unsigned i = 0; i < sse->topic_count; i++) {
        const char *topic = sse->topics[i];
        if (strcmp(topic, "library") == 0 && sse->user.role == ROLE_CHILD)
            continue;
        if (strcmp(topic, "library") == 0) {
            put_state(sse, topic,
                      json_pack("{s:s, s:s, s:o}", "type", "scan", "id", "scan", "scan",
                                scan_json(sse->api->library)));
            continue;
        }
        if (strcmp(topic, "downloads") == 0) {
            downloads_each(sse->api->downloads, put_download, sse);
            continue;
        }
        const char *id = strchr(topic, ':') + 1;
        json_t *playback = playbacks_find(sse->api, id, &sse->user);
        json_t *payload = json_pack("{s:s, s:s}", "type",
                                    playback != NULL ? "playback" : "playback-gone", "id", id);
        if (playback != NULL)
            json_object_set_new(payload, "playback", playback);
        put_state(sse, topic, payload);
    }
    put_event(sse, "live", "{}");
}

static void begin_anew(struct sse *sse)
{
    for (size_t i = 0; i < sse->object_count; i++)
        event_unref(&sse->objects[i].due);
    sse->object_count = 0;
    str_clear(&sse->draft);
    put_event(sse, "reset", "{}");
    put_states(sse);
}

/* --- news --- */

static bool wants(const struct sse *sse, const char *topic)
{
    for (unsigned i = 0; i < sse->topic_count; i++)
        if (strcmp(sse->topics[i], topic) == 0)
            return true;
    return false;
}

static struct object *object_of(struct sse *sse, const char *key)
{
    for (size_t i = 0; i < sse->object_count; i++)
        if (strcmp(sse->objects[i].key, key) == 0)
            return &sse->objects[i];
    mem_grow(sse->objects, sse->object_count, sse->object_room);
    struct object *object = &sse->objects[sse->object_count++];
    *object = (struct object){.sent_ms = INT64_MIN / 2};
    snprintf(object->key, sizeof object->key, "%s", key);
    return object;
}

static void take_one(struct sse *sse, struct event **event)
{
    const struct ages ages = http_user_ages(&sse->user);
    sse->number = (*event)->number;
    if (wants(sse, (*event)->topic) && event_is_for(*event, &ages)) {
        struct object *object = object_of(sse, (*event)->key);
        event_unref(&object->due);
        object->due = *event;
        *event = NULL;
    }
    event_unref(event);
}

static void take_news(struct sse *sse)
{
    struct event *news[BATCH];
    size_t count = 0;
    do {
        if (events_after(sse->api->events, sse->number, news, BATCH, &count) != OK) {
            begin_anew(sse);
            return;
        }
        for (size_t i = 0; i < count; i++)
            take_one(sse, &news[i]);
    } while (count == BATCH);
}

static void forget_object(struct sse *sse, size_t i)
{
    sse->objects[i] = sse->objects[--sse->object_count];
}

/* Sends what is due; when the next is, or INT64_MAX. */
static int64_t send_due(struct sse *sse, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < sse->object_count;) {
        struct object *object = &sse->objects[i];
        int64_t due_ms = object->sent_ms + EACH_MS;
        if (object->due == NULL && due_ms <= now_ms) {
            forget_object(sse, i);
            continue;
        }
        if (object->due != NULL && due_ms <= now_ms) {
            struct event *event = object->due;
            object->due = NULL;
            object->sent_ms = now_ms;
            put_event(sse, event->topic, event->data);
            event_unref(&event);
        } else if (object->due != NULL && due_ms < next_ms) {
            next_ms = due_ms;
        }
        i++;
    }
    return next_ms;
}

/* --- the loop --- */

static void on_timer(uv_timer_t *timer);

static void work(struct sse *sse)
{
    int64_t now_ms = clock_mono_ms();
    if (sse->is_over)
        return;
    if (sse->draft.length > DRAFT_MAX_BYTES)
        begin_anew(sse);
    int64_t next_ms = send_due(sse, now_ms);
    if (now_ms >= sse->comment_ms) {
        str_puts(&sse->draft, ": here\n\n");
        sse->comment_ms = now_ms + COMMENT_MS;
    }
    next_ms = next_ms < sse->comment_ms ? next_ms : sse->comment_ms;
    uv_update_time(sse->timer.loop);
    uv_timer_start(&sse->timer, on_timer, (uint64_t) (next_ms > now_ms ? next_ms - now_ms : 0), 0);
    flush(sse);
}

static void end(struct sse *sse)
{
    if (sse->can_write) {
        sse->can_write = false;
        stream_write(sse->stream, NULL, 0, true);
    } else {
        stream_break(sse->stream);
    }
}

/* A session that was ended elsewhere hears nothing more. */
static void on_timer(uv_timer_t *timer)
{
    struct sse *sse = timer->data;
    if (auth_session_user(sse->api->auth, &sse->user))
        work(sse);
    else
        end(sse);
}

static void on_wake(struct listener *listener)
{
    struct sse *sse = (struct sse *) listener;
    if (sse->is_over)
        return;
    if (events_are_stopped(sse->api->events)) {
        end(sse);
        return;
    }
    take_news(sse);
    work(sse);
}

static void on_closed(struct listener *listener)
{
    unref((struct sse *) listener);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void on_pull(void *ctx, struct stream *stream)
{
    struct sse *sse = ctx;
    sse->stream = stream;
    sse->can_write = true;
    flush(sse);
}

static void on_gone(void *ctx)
{
    struct sse *sse = ctx;
    sse->is_over = true;
    uv_timer_stop(&sse->timer);
    uv_close((uv_handle_t *) &sse->timer, on_timer_closed);
    events_leave(&sse->listener);
}

/* --- the request --- */

static enum err add_topic(struct sse *sse, struct slice topic, struct why *why)
{
    if (sse->topic_count == TOPICS_MAX)
        return why_set(why, ERR_BAD_INPUT, "topics", "at most %d topics", (int) TOPICS_MAX);
    char *name = sse->topics[sse->topic_count++];
    copy_slice(topic, name, sizeof sse->topics[0]);
    if (strcmp(name, "downloads") == 0 && sse->user.role == ROLE_CHILD)
        return why_set(why, ERR_REFUSED, "topics", "downloads are not for children");
    if (strcmp(name, "library") == 0 || strcmp(name, "downloads") == 0)
        return OK;
    if (strncmp(name, "playback:", 9) != 0)
        return why_set(why, ERR_BAD_INPUT, "topics",
                       "topics are library, downloads and playback:{id}");
    json_t *playback = playbacks_find(sse->api, name + 9, &sse->user);
    if (playback == NULL)
        return why_set(why, ERR_NOT_FOUND, "topics", "there is no such playback, or it is over");
    json_decref(playback);
    return OK;
}

static enum err read_topics(struct request *request, struct sse *sse, struct why *why)
{
    struct slice list = request_query(request, "topics");
    enum err err = list.length > 0
                       ? OK
                       : why_set(why, ERR_BAD_INPUT, "topics",
                                 "topics is missing: library, downloads, playback:{id}");
    while (err == OK && list.length > 0) {
        const char *comma = memchr(list.at, ',', list.length);
        size_t length = comma != NULL ? (size_t) (comma - list.at) : list.length;
        err = add_topic(sse, (struct slice){list.at, length}, why);
        size_t passed = comma != NULL ? length + 1 : length;
        list = (struct slice){list.at + passed, list.length - passed};
    }
    return err;
}

/* True when the stream goes on where the client left it. */
static bool resume(struct request *request, struct sse *sse)
{
    struct slice id = request_header(request, "last-event-id");
    const char *boot = events_boot(sse->api->events);
    size_t length = strlen(boot);
    uint64_t number = 0;
    struct event *news[1];
    size_t count = 0;
    if (id.at == NULL)
        return false;
    bool known = slice_starts(id, boot) && id.length > length + 1 && id.at[length] == '-' &&
                 slice_number((struct slice){id.at + length + 1, id.length - length - 1}, INT64_MAX,
                              &number) == OK;
    if (!known || events_after(sse->api->events, number, news, 1, &count) != OK) {
        put_event(sse, "reset", "{}");
        return false;
    }
    if (count > 0)
        event_unref(&news[0]);
    sse->number = number;
    return true;
}

static void begin(struct request *request, struct sse *sse)
{
    static const struct stream_source SOURCE = {on_pull, on_gone};
    int64_t now_ms = clock_mono_ms();
    MUST(uv_timer_init(request_loop(request), &sse->timer) == 0);
    sse->timer.data = sse;
    sse->comment_ms = now_ms + COMMENT_MS;
    sse->refs = 2;
    if (resume(request, sse)) {
        take_news(sse);
        put_event(sse, "live", "{}");
    } else {
        put_states(sse);
    }
    reply_header(request, "cache-control", "no-store");
    reply_header(request, "x-accel-buffering", "no"); /* nginx would hold news back */
    uv_timer_start(&sse->timer, on_timer, 0, 0);
    sse->stream = stream_start(request, 200, "text/event-stream", -1, &SOURCE, sse);
}

void events_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct why why = {0};
    struct sse *sse = mem_new(struct sse);
    sse->api = api;
    sse->user = *request_user(request);
    sse->listener = (struct listener){
        .wake = on_wake, .closed = on_closed, .mailbox = request_mailbox(request)};
    enum err err = read_topics(request, sse, &why);
    if (err == OK && events_join(api->events, &sse->listener) != OK)
        err = why_set(&why, ERR_BUSY, NULL, "too many listen already");
    if (err == OK) {
        begin(request, sse);
        return;
    }
    mem_free(sse);
    reply_problem(request, 0, err, &why);
}
