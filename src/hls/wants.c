/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/wants.h"

#include "base/mem.h"
#include "segments/input.h"
#include "source/map.h"

_Static_assert(MAP_BLOCK_BYTES == INPUT_BLOCK_BYTES, "both programs read the same map");

struct want {
    uint64_t job;
    struct source_wait *wait;
};

struct wants {
    /* fixed after new */
    struct source *source;
    struct media *media;
    struct mailbox *mailbox;
    /* hub's loop */
    struct source_watch *watch;
    struct want *items;
    size_t count, room;
};

static void on_arrived(void *ctx)
{
    struct wants *wants = ctx;
    media_have(wants->media);
}

struct wants *wants_new(struct source *source, struct media *media, struct mailbox *mailbox)
{
    struct wants *wants = mem_new(struct wants);
    wants->source = source_ref(source);
    wants->media = media;
    wants->mailbox = mailbox;
    wants->watch = source_watch(source, mailbox, on_arrived, wants);
    return wants;
}

void wants_free(struct wants **wants)
{
    struct wants *gone = *wants;
    *wants = NULL;
    if (gone == NULL)
        return;
    source_unwatch(&gone->watch);
    for (size_t i = 0; i < gone->count; i++)
        source_unwant(&gone->items[i].wait);
    source_unref(&gone->source);
    mem_free(gone->items);
    mem_free(gone);
}

void wants_add(struct wants *wants, uint64_t job, uint64_t offset, uint64_t length)
{
    const struct span span = {offset, offset + length};
    wants_drop(wants, job);
    mem_grow(wants->items, wants->count, wants->room);
    wants->items[wants->count++] = (struct want){
        job, source_want(wants->source, &span, SOURCE_NOW, wants->mailbox, NULL, NULL)};
}

void wants_drop(struct wants *wants, uint64_t job)
{
    for (size_t i = 0; i < wants->count; i++) {
        if (wants->items[i].job != job)
            continue;
        source_unwant(&wants->items[i].wait);
        wants->items[i] = wants->items[--wants->count];
        return;
    }
}
