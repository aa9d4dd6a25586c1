/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a Matroska or MP4 file holds, through our own readers. */
#include <string.h>

#include "base/mem.h"
#include "segments/planner.h"
#include "segments/transcode.h"

static void copy_tracks(struct planner *p)
{
    struct plan *plan = p->plan;
    uint32_t count = 0;
    const struct plan_track *tracks = container_tracks(p->container, &count);

    count = count < PLAN_MAX_TRACKS ? count : PLAN_MAX_TRACKS;
    plan->tracks = mem_new_array(struct plan_track, count);
    plan->track_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct plan_track *t = &plan->tracks[i];
        *t = tracks[i];
        t->extradata = NULL;
        if (t->extradata_size > 0)
            t->extradata = mem_dup(tracks[i].extradata, t->extradata_size);
    }
}

static void copy_chapters(struct planner *p)
{
    struct plan *plan = p->plan;
    uint32_t count = 0;
    const struct plan_chapter *chapters = container_chapters(p->container, &count);

    count = count < PLAN_MAX_CHAPTERS ? count : PLAN_MAX_CHAPTERS;
    if (count == 0)
        return;
    plan->chapters = mem_dup(chapters, count * sizeof *chapters);
    plan->chapter_count = count;
}

/* Where each track that plays begins and ends. A track without packets is none. */
static enum err read_spans(struct planner *p)
{
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        struct plan_track *t = &p->plan->tracks[i];
        enum err err;
        if (t->kind == PLAN_SUBTITLE || t->is_cover || t->refused[0] != '\0')
            continue;
        err = container_span(p->container, &p->reader, i, &t->first_ns, &t->end_ns);
        if (err == ERR_CANCELLED || err == ERR_IO)
            return err;
        /* one packet that does not say how long it lasts: the file may say it */
        if (err == OK && t->end_ns <= t->first_ns)
            t->end_ns = container_duration_ns(p->container);
        if (err != OK || t->end_ns <= t->first_ns) {
            t->first_ns = t->end_ns = 0;
            memcpy(t->refused, "there is nothing in it", sizeof "there is nothing in it");
        }
    }
    return OK;
}

enum err plan_own_read(struct planner *p, struct why *why)
{
    enum err err = container_open(&p->reader, &p->container, why);

    if (err != OK)
        return err;
    p->plan->container = container_kind(p->container);
    memcpy(p->plan->format, p->plan->container == CONTAINER_MKV ? "matroska" : "mov\0\0\0\0\0", 9);
    copy_tracks(p);
    copy_chapters(p);
    err = transcode_identify(&p->reader, p->plan);
    return err == OK ? read_spans(p) : err;
}
