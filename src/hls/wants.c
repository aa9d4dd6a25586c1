/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/wants.h"

#include <sys/queue.h>

#include "base/mem.h"
#include "segments/input.h"
#include "source/map.h"

_Static_assert(MAP_BLOCK_BYTES == INPUT_BLOCK_BYTES, "both programs read the same map");

/* Life: said -> ready (the process hears HAVE) | failed (so does its job) | dropped. */
struct want {
    struct wants *wants;
    uint64_t job;
    struct source_wait *wait;
    TAILQ_ENTRY(want) link;
};

struct wants {
    /* fixed after new */
    struct source *source;
    struct media *media;
    struct mailbox *mailbox;
    /* hub's loop */
    TAILQ_HEAD(want_list, want) list;
};

static void end(struct want *want)
{
    TAILQ_REMOVE(&want->wants->list, want, link);
    source_unwant(&want->wait);
    mem_free(want);
}

static void on_ready(void *ctx, enum err kind, const struct why *why)
{
    struct want *want = ctx;
    struct wants *wants = want->wants;
    uint64_t job = want->job;
    end(want);
    if (kind == OK)
        media_have(wants->media);
    else
        media_give_up(wants->media, job, why);
}

/* The job sleeps no more. */
static void on_unwant(void *ctx, uint64_t job)
{
    struct wants *wants = ctx;
    struct want *want;
    TAILQ_FOREACH(want, &wants->list, link)
    if (want->job == job)
        break;
    if (want != NULL)
        end(want);
}

/* In place of what the job wanted before. */
static void on_want(void *ctx, uint64_t job, uint64_t offset, uint64_t length)
{
    struct wants *wants = ctx;
    const struct span span = {offset, offset + length};
    on_unwant(wants, job);
    struct want *want = mem_new(struct want);
    want->wants = wants;
    want->job = job;
    TAILQ_INSERT_TAIL(&wants->list, want, link);
    want->wait = source_want(wants->source, &span, SOURCE_NOW, wants->mailbox, on_ready, want);
}

static const struct media_want_events events = {on_want, on_unwant};

struct wants *wants_new(struct source *source, struct media *media, struct mailbox *mailbox)
{
    struct wants *wants = mem_new(struct wants);
    wants->source = source_ref(source);
    wants->media = media;
    wants->mailbox = mailbox;
    TAILQ_INIT(&wants->list);
    media_on_want(media, &events, wants);
    return wants;
}

void wants_free(struct wants **wants)
{
    struct wants *gone = *wants;
    struct want *want;
    *wants = NULL;
    if (gone == NULL)
        return;
    media_on_want(gone->media, NULL, NULL);
    while ((want = TAILQ_FIRST(&gone->list)) != NULL)
        end(want);
    source_unref(&gone->source);
    mem_free(gone);
}

bool wants_any(const struct wants *wants)
{
    return wants != NULL && !TAILQ_EMPTY(&wants->list);
}
