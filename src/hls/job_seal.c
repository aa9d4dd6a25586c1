/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finished segment's memory file is sealed: after that not even the process that wrote it can
 * change it (decision 21). The kernel may wait in it, for processors and for who reads a page
 * (measured: mostly 10 us, now and then 2 to 20 ms; 150 ms while a page is held), so it is done on
 * threads of its own, between two moments on the hub. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "hls/job.h"

/* EBUSY means that the kernel still counts a reference to a page: one that is read just then stands
 * in a processor's queue until that is emptied, which each try begins with. */
enum { SEAL_TRIES = 4 };

struct sealing {
    struct hls *hls;
    uint64_t room;
    uint32_t rendition, n;
    struct segment *segment;
    uint64_t size;
    int failed; /* errno; 0: sealed */
};

static void seal(void *arg)
{
    struct sealing *sealing = arg;
    for (int i = 0; i < SEAL_TRIES; i++) {
        sealing->failed = 0;
        if (fcntl(segment_fd(sealing->segment), F_ADD_SEALS,
                  F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0)
            return;
        sealing->failed = errno;
        if (errno != EBUSY)
            return;
    }
}

static void fail(struct entry *entry, int failed)
{
    struct why why;
    enum err kind = failed == EBUSY ? ERR_BUSY : ERR_IO;
    why_set(&why, kind, NULL, "the segment cannot be sealed: %s", strerrordesc_np(failed));
    job_fail(entry, kind, &why);
    job_schedule(entry->room);
}

/* The room may have ended, or its entry may be of another make by now. */
static struct entry *find(const struct sealing *sealing)
{
    struct room *room = room_by_serial(sealing->hls, sealing->room);
    if (room == NULL)
        return NULL;
    struct entry *entry = job_entry(room, sealing->rendition, sealing->n);
    bool is_same = entry->state == ENTRY_SEALING && entry->segment == sealing->segment;
    return is_same ? entry : NULL;
}

static void sealed(void *arg)
{
    struct sealing *sealing = arg;
    struct entry *entry = find(sealing);
    if (entry != NULL && sealing->failed != 0)
        fail(entry, sealing->failed);
    else if (entry != NULL)
        job_sealed(entry, sealing->size);
    segment_unref(&sealing->segment);
    mem_free(sealing);
}

void job_seal(struct entry *entry, uint64_t size)
{
    struct hls *hls = entry->room->hls;
    struct sealing *sealing = mem_new(struct sealing);
    *sealing = (struct sealing){.hls = hls,
                                .room = entry->room->serial,
                                .rendition = entry->rendition,
                                .n = entry->n,
                                .segment = segment_ref(entry->segment),
                                .size = size};
    job_move(entry, ENTRY_SEALING);
    if (pool_run(hls->seals, seal, sealed, sealing, hls->mailbox) == OK) {
        job_schedule(entry->room); /* its process is free for the next */
        return;
    }
    segment_unref(&sealing->segment);
    mem_free(sealing);
    fail(entry, EBUSY);
}
