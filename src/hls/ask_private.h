/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of an ask, for ask.c and room.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "hls/hub.h"

struct ask {
    atomic_uint references; /* the asker's, the hub's, one for each message under way */
    /* fixed after open */
    struct hls *hls;
    struct mailbox *mailbox;
    ask_answered_fn *answered;
    enum ask_kind kind;
    char file[FILM_ID_SIZE], rendition[32], version[16], playback[ASK_PLAYBACK_SIZE];
    bool has_rendition, has_version, is_wrong;
    uint32_t n;
    /* asker's loop */
    void *ctx;
    /* under lock: after a close nothing is posted to the asker's mailbox */
    pthread_mutex_t lock;
    bool is_closed;
    /* hub's loop */
    struct room *room;   /* NULL: none any more */
    struct entry *entry; /* counted in its askers, unless this is a peek */
    uint64_t turn;       /* those heard later have greater ones */
    int64_t heard_ms;    /* monotonic */
    bool is_held, is_answered;
};

/* Posts an answer. Hub's loop. */
void ask_reply(struct ask *ask, const struct ask_answer *answer);
void ask_reply_failure(struct ask *ask, enum err kind, const struct why *why);
struct ask *ask_ref(struct ask *ask);
void ask_unref(struct ask *ask);

/* room.c's, on the hub's loop. */
void room_ask(struct ask *ask);
void room_ask_closed(struct ask *ask);
