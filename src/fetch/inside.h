/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of fetch/: the client's loop (client.c) and a transfer's two sides: curl's on that loop
 * (transfer.c), the asker's on its own (deliver.c). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <uv.h>

#include <curl/curl.h>

#include "base/loop.h"
#include "base/str.h"
#include "fetch/fetch.h"
#include "fetch/target.h"

/* Connections are shared among those who may reach the same: what was opened for an admin's URL must not
 * carry somebody else's. */
struct hub {
    struct fetch *fetch;
    CURLM *multi;
    uv_timer_t timer;
};
enum { HUB_OUTSIDE, HUB_UNCHECKED, HUB_COUNT };

struct fetch {
    /* fixed after start */
    char *via, *proxy, *ca_file;
    char **allowed;
    struct curl_slist *resolve;
    struct loop *loop;
    /* fetch's loop */
    struct hub hubs[HUB_COUNT];
    TAILQ_HEAD(transfer_list, fetch_transfer) transfers;
};

struct chunk {
    TAILQ_ENTRY(chunk) link;
    size_t size;
    uint8_t bytes[];
};

/* Life: begun -> (redirected ->) head -> data -> done; ended by its asker at any time. */
struct fetch_transfer {
    atomic_uint references; /* the asker's, the fetch loop's, one for each message */
    /* fixed after begin */
    struct fetch *fetch;
    struct fetch_order order; /* its texts are these: */
    char *url, *origin, *range, *if_range, *form, *authorization, *accept;
    /* fetch's loop */
    CURL *easy; /* NULL: not begun, or over */
    struct hub *hub;
    struct curl_slist *headers;
    struct target target;
    unsigned redirects;
    uint64_t received;
    bool is_over_limit;
    uint64_t header_bytes; /* of all answers on the way, with what comes behind a body */
    uint64_t part_bytes;   /* as Content-Range says */
    bool is_coded;         /* its body is packed in a way that nobody asked for */
    struct why refused;    /* the last address that was not asked */
    char *location;        /* of the present answer; NULL: none */
    TAILQ_ENTRY(fetch_transfer) link;
    /* asker's loop */
    bool is_ended, is_held, is_head_told, is_done_told;
    /* under lock; the head is written before has_head and read after it */
    pthread_mutex_t lock;
    struct fetch_head head;
    char *head_texts[4];
    bool has_head, is_paused, is_done, is_posted;
    enum err kind;
    struct why why;
    TAILQ_HEAD(chunk_list, chunk) chunks;
    size_t queued;
};

void transfer_ref(struct fetch_transfer *transfer);
void transfer_unref(struct fetch_transfer *transfer);

/* transfer.c; on fetch's loop */
void transfer_start(void *transfer); /* takes a reference of the message */
void transfer_stop(void *transfer);
void transfer_resume(void *transfer);
/* The last word of it: its easy handle is gone afterwards. */
void transfer_finish(struct fetch_transfer *transfer, enum err kind, const struct why *why);
/* What curl says of its end: finished, or sent on its way again. */
void transfer_ended(struct fetch_transfer *transfer, CURLcode code);

/* deliver.c; from fetch's loop */
/* False: enough is waiting, the sender is to be held back until transfer_resume. */
bool deliver_data(struct fetch_transfer *transfer, const void *bytes, size_t size);
void deliver_head(struct fetch_transfer *transfer, const struct fetch_head *head);
void deliver_done(struct fetch_transfer *transfer, enum err kind, const struct why *why);
