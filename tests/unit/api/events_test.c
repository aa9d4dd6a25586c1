/* SPDX-License-Identifier: GPL-3.0-or-later */
/* News and those who listen, between threads. */
#include "api/events.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/inside.h"
#include "base/loop.h"
#include "base/mem.h"

static void publish(struct events *events, const char *id)
{
    events_publish(events, "library", json_pack("{s:s, s:s}", "type", "title", "id", id));
}

static void news_are_kept_in_order(void **state)
{
    (void) state;
    struct events *events = events_new();
    struct event *news[4];
    size_t count = 0;
    publish(events, "a");
    publish(events, "b");
    publish(events, "c");
    assert_int_equal(events_now(events), 3);
    assert_int_equal(events_after(events, 1, news, 4, &count), OK);
    assert_int_equal(count, 2);
    assert_int_equal(news[0]->number, 2);
    assert_string_equal(news[0]->topic, "library");
    assert_string_equal(news[0]->key, "library b");
    assert_non_null(strstr(news[1]->data, "\"id\":\"c\""));
    assert_non_null(strstr(news[1]->data, "\"at\":\"20"));
    event_unref(&news[0]);
    event_unref(&news[1]);
    assert_int_equal(events_after(events, 3, news, 4, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(events_after(events, 4, news, 4, &count), ERR_GONE);
    events_free(&events);
}

static void who_was_away_too_long_is_told(void **state)
{
    (void) state;
    struct events *events = events_new();
    struct event *news[1];
    size_t count = 0;
    for (int i = 0; i < 1000; i++)
        publish(events, "a");
    assert_int_equal(events_after(events, 1, news, 1, &count), ERR_GONE);
    assert_int_equal(events_after(events, 0, news, 1, &count), ERR_GONE);
    assert_int_equal(events_after(events, 800, news, 1, &count), OK);
    assert_int_equal(news[0]->number, 801);
    event_unref(&news[0]);
    events_free(&events);
}

struct ear {
    struct listener listener; /* first */
    struct events *events;
    uint64_t number;
    unsigned heard;
    sem_t ended;
};

static void on_wake(struct listener *listener)
{
    struct ear *ear = (struct ear *) listener;
    struct event *news[16];
    size_t count = 0;
    do {
        assert_int_equal(events_after(ear->events, ear->number, news, 16, &count), OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(news[i]->number, ear->number + 1);
            ear->number = news[i]->number;
            ear->heard++;
            event_unref(&news[i]);
        }
    } while (count > 0);
    if (ear->heard == 200)
        events_leave(listener);
}

static void on_closed(struct listener *listener)
{
    sem_post(&((struct ear *) listener)->ended);
}

static void *publish_many(void *arg)
{
    for (int i = 0; i < 100; i++)
        publish(arg, "x");
    return NULL;
}

/* Two threads speak, two loops listen: each hears everything once, in order. */
static void all_hear_everything(void **state)
{
    (void) state;
    struct events *events = events_new();
    struct loop *loops[2];
    struct ear ears[2] = {0};
    pthread_t speakers[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_start("listener", &loops[i]), OK);
        ears[i].events = events;
        ears[i].listener = (struct listener){
            .wake = on_wake, .closed = on_closed, .mailbox = loop_mailbox(loops[i])};
        sem_init(&ears[i].ended, 0, 0);
        assert_int_equal(events_join(events, &ears[i].listener), OK);
    }
    assert_true(events_have_listeners(events));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&speakers[i], NULL, publish_many, events), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(speakers[i], NULL);
        while (sem_wait(&ears[i].ended) != 0)
            ;
    }
    for (int i = 0; i < 2; i++) {
        loop_stop(&loops[i]);
        assert_int_equal(ears[i].heard, 200);
        sem_destroy(&ears[i].ended);
    }
    assert_false(events_have_listeners(events));
    events_free(&events);
}

static void nothing_is_told_after_the_stop(void **state)
{
    (void) state;
    struct events *events = events_new();
    struct listener listener = {.wake = on_wake, .closed = on_closed};
    publish(events, "a");
    events_stop(events);
    publish(events, "b");
    assert_int_equal(events_now(events), 1);
    assert_int_equal(events_join(events, &listener), ERR_BUSY);
    events_free(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_are_kept_in_order),
        cmocka_unit_test(who_was_away_too_long_is_told),
        cmocka_unit_test(all_hear_everything),
        cmocka_unit_test(nothing_is_told_after_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
