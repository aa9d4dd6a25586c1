/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "segments/plan.h"

bool plan_is_on_device(const struct plan_rendition *rendition)
{
    size_t length = strlen(rendition->name), suffix = strlen(PLAN_DEVICE_SUFFIX);

    return rendition->kind == PLAN_VIDEO && !rendition->is_copy && length > suffix &&
           strcmp(rendition->name + length - suffix, PLAN_DEVICE_SUFFIX) == 0;
}

int plan_device_twin(const struct plan *plan, uint32_t rendition)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    char name[sizeof r->name + sizeof PLAN_DEVICE_SUFFIX];

    if (r->kind != PLAN_VIDEO || r->is_copy)
        return -1;
    snprintf(name, sizeof name, "%s" PLAN_DEVICE_SUFFIX, r->name);
    return plan_find(plan, name);
}

/* Pictures come to it somewhat unevenly, and others may want some too. */
static bool is_fast_enough(const struct plan *plan, const struct plan_rendition *r,
                           const struct plan_device *device)
{
    uint64_t second = (uint64_t) r->width * r->height * plan->fps_num / plan->fps_den;

    return second / 4 * 5 <= device->speed;
}

/* "avc1.640028": the level is that of the twin, which depends on size and rate alone. */
static void set_flags(char *codecs, size_t size, uint8_t flags)
{
    enum { PROFILE_END = 7, FLAGS_END = 9 };
    char level[3] = "";

    if (strlen(codecs) < FLAGS_END + 2)
        return;
    memcpy(level, codecs + FLAGS_END, 2);
    snprintf(codecs + PROFILE_END, size - PROFILE_END, "%02x%s", flags, level);
}

void plan_add_device(struct plan *plan, const struct plan_device *device)
{
    uint32_t count = plan->rendition_count;

    for (uint32_t i = 0; i < count; i++) {
        struct plan_rendition r = plan->renditions[i];
        size_t length = strlen(r.name);
        if (r.kind != PLAN_VIDEO || r.is_copy || plan_is_on_device(&r) || plan_burnt(&r) > 0 ||
            plan->rendition_count == PLAN_MAX_RENDITIONS ||
            length + sizeof PLAN_DEVICE_SUFFIX > sizeof r.name ||
            strncmp(r.codecs, "avc1.", 5) != 0 || plan_device_twin(plan, i) >= 0 ||
            !is_fast_enough(plan, &r, device))
            continue;
        memcpy(r.name + length, PLAN_DEVICE_SUFFIX, sizeof PLAN_DEVICE_SUFFIX);
        set_flags(r.codecs, sizeof r.codecs, device->flags);
        r.init = NULL;
        r.init_size = 0;
        plan->renditions = mem_realloc_array(plan->renditions, plan->rendition_count + 1, sizeof r);
        plan->renditions[plan->rendition_count++] = r;
    }
}

void plan_drop_device(struct plan *plan)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        if (plan_is_on_device(&plan->renditions[i]))
            mem_free(plan->renditions[i].init);
        else
            plan->renditions[kept++] = plan->renditions[i];
    }
    plan->rendition_count = kept;
}
