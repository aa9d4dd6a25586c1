/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "api/events.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    KEPT = 512,          /* news; a client that was away for longer begins anew */
    LISTENERS_MAX = 1024 /* a household has tens */
};

struct events {
    char boot[12]; /* fixed after new */
    /* under lock */
    pthread_mutex_t lock;
    struct event *kept[KEPT]; /* event n stands at n % KEPT */
    uint64_t last;            /* the newest; the first is 1 */
    struct listener *first;
    unsigned listener_count;
    bool is_stopped;
};

struct events *events_new(void)
{
    struct events *events = mem_new(struct events);
    uint32_t random = 0;
    MUST(getrandom(&random, sizeof random, 0) == (ssize_t) sizeof random);
    snprintf(events->boot, sizeof events->boot, "%08x", random);
    pthread_mutex_init(&events->lock, NULL);
    return events;
}

void events_free(struct events **events)
{
    if (*events == NULL)
        return;
    MUST((*events)->first == NULL);
    for (size_t i = 0; i < KEPT; i++)
        event_unref(&(*events)->kept[i]);
    pthread_mutex_destroy(&(*events)->lock);
    mem_free(*events);
    *events = NULL;
}

void event_unref(struct event **event)
{
    if (*event != NULL && __atomic_sub_fetch(&(*event)->_refs, 1, __ATOMIC_ACQ_REL) == 0) {
        mem_free((*event)->data);
        mem_free(*event);
    }
    *event = NULL;
}

static struct event *event_ref(struct event *event)
{
    __atomic_add_fetch(&event->_refs, 1, __ATOMIC_RELAXED);
    return event;
}

/* --- listeners --- */

static void on_wake(void *arg)
{
    struct listener *listener = arg;
    struct events *events = listener->_events;
    pthread_mutex_lock(&events->lock);
    listener->_is_posted = false;
    bool is_left = listener->_is_left;
    pthread_mutex_unlock(&events->lock);
    if (is_left)
        listener->closed(listener);
    else
        listener->wake(listener);
}

enum err events_join(struct events *events, struct listener *listener)
{
    enum err err = OK;
    pthread_mutex_lock(&events->lock);
    if (events->listener_count >= LISTENERS_MAX || events->is_stopped) {
        err = ERR_BUSY;
    } else {
        listener->_events = events;
        listener->_next = events->first;
        events->first = listener;
        events->listener_count++;
    }
    pthread_mutex_unlock(&events->lock);
    return err;
}

void events_leave(struct listener *listener)
{
    struct events *events = listener->_events;
    pthread_mutex_lock(&events->lock);
    struct listener **at = &events->first;
    while (*at != listener)
        at = &(*at)->_next;
    *at = listener->_next;
    events->listener_count--;
    listener->_is_left = true;
    bool is_posted = listener->_is_posted;
    pthread_mutex_unlock(&events->lock);
    if (!is_posted)
        listener->closed(listener);
}

bool events_have_listeners(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    bool have = events->listener_count > 0;
    pthread_mutex_unlock(&events->lock);
    return have;
}

/* Under the lock. */
static void wake_all(struct events *events)
{
    for (struct listener *at = events->first; at != NULL; at = at->_next) {
        if (at->_is_posted)
            continue;
        at->_is_posted = true;
        mailbox_post(at->mailbox, on_wake, at);
    }
}

void events_stop(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    if (!events->is_stopped) {
        events->is_stopped = true;
        wake_all(events);
    }
    pthread_mutex_unlock(&events->lock);
}

bool events_are_stopped(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    bool stopped = events->is_stopped;
    pthread_mutex_unlock(&events->lock);
    return stopped;
}

/* --- news --- */

bool event_is_for(const struct event *event, const struct ages *ages)
{
    const struct audience *audience = &event->audience;
    if (audience->is_goodbye)
        return ages_allow(ages, audience->was) && !ages_allow(ages, audience->age);
    return ages_allow(ages, audience->age);
}

static struct event *make_event(const char *topic, json_t *payload)
{
    struct event *event = mem_new(struct event);
    snprintf(event->topic, sizeof event->topic, "%s", topic);
    snprintf(event->key, sizeof event->key, "%.20s %.48s", topic,
             json_string_value(json_object_get(payload, "id")));
    json_object_set_new(payload, "at", json_date(clock_wall_ms()));
    event->data = json_line(payload);
    event->_refs = 1;
    return event;
}

void events_publish(struct events *events, const char *topic, json_t *payload)
{
    events_publish_to(events, topic, payload, (struct audience){.age = 0});
}

void events_publish_to(struct events *events, const char *topic, json_t *payload,
                       struct audience audience)
{
    struct event *event = make_event(topic, payload);
    event->audience = audience;
    pthread_mutex_lock(&events->lock);
    if (events->is_stopped) {
        pthread_mutex_unlock(&events->lock);
        event_unref(&event);
        return;
    }
    event->number = ++events->last;
    event_unref(&events->kept[event->number % KEPT]);
    events->kept[event->number % KEPT] = event;
    wake_all(events);
    pthread_mutex_unlock(&events->lock);
}

uint64_t events_now(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    uint64_t last = events->last;
    pthread_mutex_unlock(&events->lock);
    return last;
}

const char *events_boot(const struct events *events)
{
    return events->boot;
}

enum err events_after(struct events *events, uint64_t number, struct event **out, size_t room,
                      size_t *count)
{
    enum err err = OK;
    *count = 0;
    pthread_mutex_lock(&events->lock);
    if (number > events->last || events->last - number >= KEPT)
        err = number == events->last ? OK : ERR_GONE;
    for (uint64_t i = number + 1; err == OK && i <= events->last && *count < room; i++)
        out[(*count)++] = event_ref(events->kept[i % KEPT]);
    pthread_mutex_unlock(&events->lock);
    return err;
}
