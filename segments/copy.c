/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/copy.h"

#include <pthread.h>

#include "base/mem.h"
#include "segments/copy_parts.h"

struct copier {
    struct input *input;     /* fixed after open */
    const struct plan *plan; /* fixed after open */
    pthread_mutex_t lock;
    struct container *container; /* under lock until set, then fixed */
};

struct copier *copier_open(struct input *input, const struct plan *plan)
{
    struct copier *copier = mem_new(struct copier);

    copier->input = input;
    copier->plan = plan;
    MUST(pthread_mutex_init(&copier->lock, NULL) == 0);
    return copier;
}

void copier_close(struct copier **copier)
{
    struct copier *old = *copier;

    *copier = NULL;
    if (old == NULL)
        return;
    container_close(&old->container);
    pthread_mutex_destroy(&old->lock);
    mem_free(old);
}

/* The tracks are those of which the plan was made. */
static bool fits(const struct plan *plan, const struct container *container)
{
    uint32_t count = 0;
    const struct plan_track *tracks = container_tracks(container, &count);

    if (container_kind(container) != plan->container || count < plan->track_count)
        return false;
    for (uint32_t i = 0; i < plan->track_count; i++) {
        if (tracks[i].kind != plan->tracks[i].kind || tracks[i].codec != plan->tracks[i].codec ||
            tracks[i].container_id != plan->tracks[i].container_id)
            return false;
    }
    return true;
}

/* Whoever comes while another opens it waits for that. */
enum err copier_container(struct copier *copier, struct reader *reader, struct why *why,
                          struct container **out)
{
    enum err err = OK;

    pthread_mutex_lock(&copier->lock);
    if (copier->container == NULL)
        err = container_open(reader, &copier->container, why);
    if (err == ERR_NOT_FOUND)
        err = ERR_GONE;
    if (err == OK && !fits(copier->plan, copier->container)) {
        container_close(&copier->container);
        err = why_set(why, ERR_GONE, NULL, "the file is not the one the plan was made of");
    }
    *out = copier->container;
    pthread_mutex_unlock(&copier->lock);
    return err;
}

enum err copier_segment(struct copier *copier, struct copy_job *job)
{
    const struct plan *plan = copier->plan;
    const struct plan_rendition *r = &plan->renditions[job->rendition];
    struct container *container = NULL;
    enum err err;

    if (!r->is_copy || job->n >= plan_segment_count(plan, job->rendition))
        return why_set(job->why, ERR_NOT_FOUND, NULL, "there is no such segment");
    err = copier_container(copier, &job->reader, job->why, &container);
    if (err != OK)
        return err;
    if (r->kind == PLAN_IFRAMES)
        err = copy_iframe(container, plan, job);
    else if (r->kind == PLAN_VIDEO)
        err = copy_video(container, plan, job);
    else
        err = copy_audio(container, plan, job);
    if (err == ERR_GONE && job->why != NULL && job->why->text[0] == '\0')
        return why_set(job->why, ERR_GONE, NULL, "the file became shorter");
    return err;
}
