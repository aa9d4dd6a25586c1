/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of base/loop.c, base/mailbox.c, base/pool.c and base/heartbeat.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>

#include "base/heartbeat.h"
#include "base/loop.h"
#include "base/pool.h"

enum { POSTS = 2000 };

struct tally {
    int last[2]; /* loop's thread */
    int wrong;   /* loop's thread */
    int count;   /* loop's thread */
};

struct post {
    struct tally *tally;
    int from, number;
};

static void count_post(void *arg)
{
    struct post *post = arg;
    if (post->number != post->tally->last[post->from] + 1)
        post->tally->wrong++;
    post->tally->last[post->from] = post->number;
    post->tally->count++;
}

struct poster {
    struct mailbox *mailbox;
    struct post posts[POSTS];
};

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (int i = 0; i < POSTS; i++)
        mailbox_post(poster->mailbox, count_post, &poster->posts[i]);
    return NULL;
}

static void tasks_of_a_thread_run_in_the_order_posted(void **state)
{
    (void) state;
    static struct poster posters[2];
    struct tally tally = {0};
    struct loop *loop = NULL;
    assert_int_equal(loop_start("test", &loop), OK);
    pthread_t threads[2];
    for (int t = 0; t < 2; t++) {
        posters[t].mailbox = loop_mailbox(loop);
        for (int i = 0; i < POSTS; i++)
            posters[t].posts[i] = (struct post){&tally, t, i + 1};
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, &posters[t]), 0);
    }
    for (int t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    loop_stop(&loop);
    assert_null(loop);
    assert_int_equal(tally.count, 2 * POSTS);
    assert_int_equal(tally.wrong, 0);
}

static void add_one(void *arg)
{
    atomic_fetch_add((_Atomic int *) arg, 1);
}

static void a_call_waits_for_its_end(void **state)
{
    (void) state;
    struct loop *loop = NULL;
    _Atomic int count = 0;
    assert_int_equal(loop_start("test", &loop), OK);
    loop_call(loop, add_one, &count);
    assert_int_equal(atomic_load(&count), 1);
    loop_stop(&loop);
}

struct gate {
    sem_t open;
    _Atomic int done;
};

static void wait_at_gate(void *arg)
{
    struct gate *gate = arg;
    while (sem_wait(&gate->open) != 0)
        ;
}

static void passed_gate(void *arg)
{
    atomic_fetch_add(&((struct gate *) arg)->done, 1);
}

struct order {
    struct gate gate;
    int ran[8];
    _Atomic int count;
};
struct numbered {
    struct order *order;
    int number;
};

static void note_number(void *arg)
{
    const struct numbered *numbered = arg;
    struct order *order = numbered->order;
    order->ran[atomic_fetch_add(&order->count, 1)] = numbered->number;
}

static void some_go_first_where_others_are_too_many(void **state)
{
    (void) state;
    struct pool *pool = NULL;
    struct order order = {.count = 0};
    struct numbered all[4];
    sem_init(&order.gate.open, 0, 0);
    assert_int_equal(pool_new("work", 1, 3, &pool), OK);
    assert_int_equal(pool_run(pool, wait_at_gate, NULL, &order.gate, NULL), OK);
    for (int i = 0; i < 4; i++)
        all[i] = (struct numbered){&order, i};
    /* the gate may still be in the queue: then there is room for one less */
    assert_int_equal(pool_run(pool, note_number, NULL, &all[0], NULL), OK);
    assert_int_equal(pool_run(pool, note_number, NULL, &all[1], NULL), OK);
    while (pool_run(pool, note_number, NULL, &all[2], NULL) != OK)
        ;
    assert_int_equal(pool_run(pool, note_number, NULL, &all[3], NULL), ERR_BUSY);
    assert_int_equal(pool_run_first(pool, note_number, NULL, &all[3], NULL), OK);
    sem_post(&order.gate.open);
    pool_free(&pool);
    assert_int_equal(atomic_load(&order.count), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order.ran[i], (i + 3) % 4);
    sem_destroy(&order.gate.open);
}

static void a_full_pool_says_busy_and_finishes_what_it_took(void **state)
{
    (void) state;
    struct loop *loop = NULL;
    struct pool *pool = NULL;
    struct gate gate = {.done = 0};
    sem_init(&gate.open, 0, 0);
    assert_int_equal(loop_start("test", &loop), OK);
    assert_int_equal(pool_new("work", 1, 2, &pool), OK);
    int taken = 0;
    while (taken < 10 && pool_run(pool, wait_at_gate, passed_gate, &gate, loop_mailbox(loop)) == OK)
        taken++;
    assert_in_range(taken, 2, 3); /* two queued, perhaps one in the thread's hands */
    for (int i = 0; i < taken; i++)
        sem_post(&gate.open);
    pool_free(&pool);
    loop_stop(&loop);
    assert_int_equal(atomic_load(&gate.done), taken);
    sem_destroy(&gate.open);
}

static void answer_well(void *arg)
{
    struct heartbeat *heartbeat = arg;
    heartbeat_answer(&heartbeat, true);
}

static void answer_ill(void *arg)
{
    struct heartbeat *heartbeat = arg;
    heartbeat_answer(&heartbeat, false);
}

static void a_heartbeat_wants_every_answer(void **state)
{
    enum { LONG_MS = 60000, SHORT_MS = 20 };
    (void) state;
    struct loop *loop = NULL;
    assert_int_equal(loop_start("test", &loop), OK);
    struct heartbeat *heartbeat = heartbeat_new(2);
    mailbox_post(loop_mailbox(loop), answer_well, heartbeat);
    mailbox_post(loop_mailbox(loop), answer_well, heartbeat);
    assert_true(heartbeat_wait(&heartbeat, LONG_MS));
    assert_null(heartbeat);
    heartbeat = heartbeat_new(2);
    mailbox_post(loop_mailbox(loop), answer_ill, heartbeat);
    mailbox_post(loop_mailbox(loop), answer_well, heartbeat);
    assert_false(heartbeat_wait(&heartbeat, LONG_MS));
    /* One that answers too late finds something to answer to. */
    heartbeat = heartbeat_new(2);
    struct heartbeat *late = heartbeat;
    mailbox_post(loop_mailbox(loop), answer_well, heartbeat);
    assert_false(heartbeat_wait(&heartbeat, SHORT_MS));
    heartbeat_answer(&late, true);
    loop_stop(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_a_thread_run_in_the_order_posted),
        cmocka_unit_test(a_call_waits_for_its_end),
        cmocka_unit_test(a_full_pool_says_busy_and_finishes_what_it_took),
        cmocka_unit_test(some_go_first_where_others_are_too_many),
        cmocka_unit_test(a_heartbeat_wants_every_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
