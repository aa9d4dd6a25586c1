/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside api/ only: the news of the last minutes, and who is told when there are more.
 * Threads: any. One lock inside; `wake` is posted, never called. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/role.h"

struct events;

/* Whom news are for. */
struct audience {
    int age; /* what they are of is for this age; AGE_UNRATED */
    bool
        is_goodbye; /* for those alone who could know of it when it was for `was`, and no longer can */
    int was;
};
enum { AGE_GROWN = 1000 }; /* not for children */

/* One piece of news, as sent. Counted: shared by all who send it. */
struct event {
    uint64_t number;
    char topic[48], key[72]; /* of one object, so that newer states replace older ones */
    char *data;              /* JSON on one line */
    struct audience audience;
    int _refs;
};
void event_unref(struct event **event);
/* Whether it is for somebody of these ages. */
bool event_is_for(const struct event *event, const struct ages *ages);

/* Somebody who listens. On the loop of its mailbox, but for the wakes. */
struct listener {
    void (*wake)(struct listener *listener);   /* on the mailbox's loop: there is news */
    void (*closed)(struct listener *listener); /* the last call: nothing is posted any more */
    struct mailbox *mailbox;
    /* inside, under the lock of events */
    struct events *_events;
    struct listener *_next;
    bool _is_posted, _is_left;
};
/* BUSY: too many listen. */
MUST_CHECK enum err events_join(struct events *events, struct listener *listener);
/* `closed` is called, now or after the wake that is under way. */
void events_leave(struct listener *listener);

/* Whoever listens is to end. */
bool events_are_stopped(struct events *events);

/* The id of the next event is after this number. */
uint64_t events_now(struct events *events);
/* What tells this run of the server from all others: ids are "<boot>-<number>". Lent. */
const char *events_boot(const struct events *events);
/* The news after `number`, oldest first, at most `room`, references for the caller; the number of
 * them. GONE: some of them are no longer known. */
MUST_CHECK enum err events_after(struct events *events, uint64_t number, struct event **out,
                                 size_t room, size_t *count);
