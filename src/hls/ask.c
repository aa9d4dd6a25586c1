/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/ask.h"

#include <string.h>

#include "base/mem.h"
#include "hls/ask_private.h"

/* An answer on its way to the asker's loop. */
struct reply {
    struct ask *ask;
    enum err kind;
    struct why why;
    struct film *film;
    int rendition;
    struct segment *segment;
    struct source *source;
    char *name;
};

void ask_unref(struct ask *ask)
{
    if (atomic_fetch_sub_explicit(&ask->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&ask->lock);
    mem_free(ask);
}

struct ask *ask_ref(struct ask *ask)
{
    atomic_fetch_add_explicit(&ask->references, 1, memory_order_relaxed);
    return ask;
}

static void deliver(void *arg)
{
    struct reply *reply = arg;
    struct ask *ask = reply->ask;
    const struct ask_answer answer = {.kind = reply->kind,
                                      .why = &reply->why,
                                      .film = reply->film,
                                      .rendition = reply->rendition,
                                      .segment = reply->segment,
                                      .source = reply->source,
                                      .name = reply->name};
    if (ask->ctx != NULL)
        ask->answered(ask->ctx, &answer);
    film_unref(&reply->film);
    segment_unref(&reply->segment);
    source_unref(&reply->source);
    mem_free(reply->name);
    ask_unref(ask);
    mem_free(reply);
}

void ask_reply(struct ask *ask, const struct ask_answer *answer)
{
    ask->is_answered = true;
    pthread_mutex_lock(&ask->lock);
    if (!ask->is_closed) {
        struct reply *reply = mem_new(struct reply);
        *reply = (struct reply){
            .ask = ask_ref(ask), .kind = answer->kind, .rendition = answer->rendition};
        if (answer->why != NULL)
            reply->why = *answer->why;
        reply->film = answer->film != NULL ? film_ref(answer->film) : NULL;
        reply->segment = answer->segment != NULL ? segment_ref(answer->segment) : NULL;
        reply->source = answer->source != NULL ? source_ref(answer->source) : NULL;
        reply->name = mem_strdup_or_null(answer->name);
        mailbox_post(ask->mailbox, deliver, reply);
    }
    pthread_mutex_unlock(&ask->lock);
}

void ask_reply_failure(struct ask *ask, enum err kind, const struct why *why)
{
    ask_reply(ask, &(struct ask_answer){.kind = kind, .why = why, .rendition = ASK_NO_RENDITION});
}

/* Too long to name anything: then it names nothing. */
static bool keep(struct slice from, char *to, size_t size)
{
    bool is_empty = from.at == NULL || from.length == 0;
    if (from.length >= size || (!is_empty && memchr(from.at, '\0', from.length) != NULL))
        return false;
    if (!is_empty)
        memcpy(to, from.at, from.length);
    to[from.length] = '\0';
    return true;
}

static void arrive(void *arg)
{
    room_ask(arg);
}

struct ask *ask_open(struct hls *hls, const struct ask_options *options, struct mailbox *mailbox,
                     ask_answered_fn *answered, void *ctx)
{
    struct ask *ask = mem_new(struct ask);
    atomic_init(&ask->references, 2);
    ask->hls = hls;
    ask->mailbox = mailbox;
    ask->answered = answered;
    ask->ctx = ctx;
    ask->kind = options->kind;
    ask->n = options->n;
    ask->has_rendition = options->rendition.at != NULL;
    ask->has_version = options->version.at != NULL;
    bool is_whole = keep(options->file, ask->file, sizeof ask->file) &&
                    keep(options->rendition, ask->rendition, sizeof ask->rendition);
    ask->is_wrong = !is_whole;
    /* A version that is too long is one we never wrote. */
    if (!keep(options->version, ask->version, sizeof ask->version))
        memcpy(ask->version, "?", 2);
    if (!keep(slice_of(options->playback), ask->playback, sizeof ask->playback))
        ask->playback[0] = '\0';
    pthread_mutex_init(&ask->lock, NULL);
    mailbox_post(hls->mailbox, arrive, ask);
    return ask;
}

static void settle(void *arg)
{
    struct ask *ask = arg;
    ask->is_held = false;
    ask_unref(ask);
}

void ask_settle(struct ask *ask)
{
    mailbox_post(ask->hls->mailbox, settle, ask_ref(ask));
}

static void finish(void *arg)
{
    struct ask *ask = arg;
    room_ask_closed(ask);
    ask_unref(ask);
    ask_unref(ask);
}

void ask_close(struct ask **ask)
{
    struct ask *gone = *ask;
    *ask = NULL;
    if (gone == NULL)
        return;
    gone->ctx = NULL;
    pthread_mutex_lock(&gone->lock);
    gone->is_closed = true;
    pthread_mutex_unlock(&gone->lock);
    mailbox_post(gone->hls->mailbox, finish, gone);
}
