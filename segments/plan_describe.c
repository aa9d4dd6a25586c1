/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What encoders say of themselves. Opening one takes a millisecond or two, most of what the plan of a
 * film with an index takes: two threads share them. */
#include <pthread.h>

#include "segments/planner.h"

struct describing {
    const struct planner *planner;
    uint32_t first, count;
    _Atomic uint32_t taken;
    struct plan_described *out;
};

static void *describe_some(void *ctx)
{
    struct describing *d = ctx;
    const struct plan *plan = d->planner->plan;

    for (uint32_t i; (i = atomic_fetch_add(&d->taken, 1)) < d->count;)
        d->out[i].err = transcode_describe(plan, &plan->renditions[d->first + i],
                                           d->planner->options, &d->out[i].is, &d->out[i].why);
    return NULL;
}

void plan_describe(const struct planner *p, uint32_t first, uint32_t count,
                   struct plan_described *out)
{
    struct describing d = {.planner = p, .first = first, .count = count, .out = out};
    pthread_t helper;
    bool has_helper = count > 1 && pthread_create(&helper, NULL, describe_some, &d) == 0;

    describe_some(&d);
    if (has_helper)
        pthread_join(helper, NULL);
}
