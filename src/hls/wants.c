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
    struct span span;
    enum source_urgency urgency;
    struct source_wait *wait;
    TAILQ_ENTRY(want) link;
};

struct wants {
    /* fixed after new */
    struct source *source;
    struct media *media;
    struct mailbox *mailbox;
    wants_awaited_fn *is_awaited; /* NULL: all are */
    void *ctx;
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

static struct want *find(const struct wants *wants, uint64_t job)
{
    struct want *want;
    TAILQ_FOREACH(want, &wants->list, link)
    if (want->job == job)
        return want;
    return NULL;
}

/* The job sleeps no more. */
static void on_unwant(void *ctx, uint64_t job)
{
    struct want *want = find(ctx, job);
    if (want != NULL)
        end(want);
}

static enum source_urgency urgency_of(const struct wants *wants, uint64_t job)
{
    bool is_awaited = wants->is_awaited == NULL || wants->is_awaited(wants->ctx, job);
    return is_awaited ? SOURCE_NOW : SOURCE_AHEAD;
}

/* The new wait stands before the old one goes: who fills the source would see that nobody waits, and
 * drop what was asked for. */
static void begin(struct want *want)
{
    const struct wants *wants = want->wants;
    struct source_wait *before = want->wait;
    want->urgency = urgency_of(wants, want->job);
    want->wait =
        source_want(wants->source, &want->span, want->urgency, wants->mailbox, on_ready, want);
    source_unwant(&before);
}

/* In place of what the job wanted before; it may say the same again. */
static void on_want(void *ctx, uint64_t job, uint64_t offset, uint64_t length)
{
    struct wants *wants = ctx;
    struct want *want = find(wants, job);
    const struct span span = {offset, offset + length};
    if (want != NULL && want->span.begin == span.begin && want->span.end == span.end)
        return;
    if (want == NULL) {
        want = mem_new(struct want);
        want->wants = wants;
        want->job = job;
        TAILQ_INSERT_TAIL(&wants->list, want, link);
    }
    want->span = span;
    begin(want);
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

void wants_ask(struct wants *wants, wants_awaited_fn *is_awaited, void *ctx)
{
    wants->is_awaited = is_awaited;
    wants->ctx = ctx;
}

void wants_asked_again(struct wants *wants, uint64_t job)
{
    struct want *want = wants != NULL ? find(wants, job) : NULL;
    if (want != NULL && want->urgency != urgency_of(wants, job))
        begin(want);
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

bool wants_sleeps(const struct wants *wants, uint64_t job)
{
    return wants != NULL && find(wants, job) != NULL;
}

static void give_up(void *ctx, uint64_t job, uint64_t offset UNUSED, uint64_t length UNUSED)
{
    struct why why;
    why_set(&why, ERR_IO, NULL, "the film is not all here any more");
    media_give_up(ctx, job, &why);
}

static void let_be(void *ctx UNUSED, uint64_t job UNUSED)
{
}

const struct media_want_events wants_none = {.want = give_up, .unwant = let_be};
