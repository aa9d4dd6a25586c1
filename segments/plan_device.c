/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "segments/plan.h"

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);

    return length > end && strcmp(name + length - end, suffix) == 0;
}

bool plan_is_on_device(const struct plan_rendition *rendition)
{
    return rendition->kind == PLAN_VIDEO && !rendition->is_copy &&
           (ends_with(rendition->name, PLAN_DEVICE_SUFFIX) ||
            ends_with(rendition->name, PLAN_HEVC_SUFFIX));
}

enum plan_codec plan_coded(const struct plan_rendition *rendition)
{
    return plan_is_on_device(rendition) && ends_with(rendition->name, PLAN_HEVC_SUFFIX)
               ? CODEC_HEVC
               : CODEC_H264;
}

/* "video-720p", whoever makes it, as the device makes it. */
static int find_twin(const struct plan *plan, uint32_t rendition, const char *suffix)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    char name[sizeof r->name + sizeof PLAN_HEVC_SUFFIX];
    int length = (int) strlen(r->name);
    int found;

    if (r->kind != PLAN_VIDEO || r->is_copy)
        return -1;
    if (ends_with(r->name, PLAN_DEVICE_SUFFIX))
        length -= (int) strlen(PLAN_DEVICE_SUFFIX);
    snprintf(name, sizeof name, "%.*s%s", length, r->name, suffix);
    found = plan_find(plan, name);
    return found == (int) rendition ? -1 : found;
}

int plan_device_twin(const struct plan *plan, uint32_t rendition)
{
    return find_twin(plan, rendition, PLAN_DEVICE_SUFFIX);
}

int plan_hevc_twin(const struct plan *plan, uint32_t rendition)
{
    return find_twin(plan, rendition, PLAN_HEVC_SUFFIX);
}

uint32_t plan_hevc_level(uint32_t width, uint32_t height, uint32_t fps_num, uint32_t fps_den,
                         uint32_t bitrate)
{
    static const struct {
        uint32_t level, samples, samples_per_s, kbit_per_s;
    } levels[] = {{63, 245760, 7372800, 3000},        {90, 552960, 16588800, 6000},
                  {93, 983040, 33177600, 10000},      {120, 2228224, 66846720, 12000},
                  {123, 2228224, 133693440, 20000},   {150, 8912896, 267386880, 25000},
                  {153, 8912896, 534773760, 40000},   {156, 8912896, 1069547520, 60000},
                  {180, 35651584, 1069547520, 60000}, {183, 35651584, 2139095040, 120000}};
    enum { COUNT = sizeof levels / sizeof *levels, LAST_LEVEL = 186 };
    uint64_t w = (width + 15) / 16 * 16, h = (height + 15) / 16 * 16;
    uint64_t longer = w > h ? w : h;

    for (int i = 0; i < COUNT; i++) {
        if (w * h <= levels[i].samples && longer * longer <= UINT64_C(8) * levels[i].samples &&
            w * h * fps_num <= (uint64_t) levels[i].samples_per_s * fps_den &&
            bitrate <= levels[i].kbit_per_s * UINT64_C(1000))
            return levels[i].level;
    }
    return LAST_LEVEL;
}

/* --- adding --- */

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

/* "hvc1.1.6.L120.90": up to the level, which is put in; and what stands behind it. */
static size_t find_level(const char *codecs, const char **behind)
{
    const char *at = strstr(codecs, ".L");

    if (at == NULL)
        return 0;
    at += 2;
    *behind = at + strspn(at, "0123456789");
    return *behind > at ? (size_t) (at - codecs) : 0;
}

bool plan_is_hevc_codecs(const char *codecs)
{
    const char *behind;

    for (const char *at = codecs; *at != '\0'; at++)
        if (!isalnum((unsigned char) *at) && *at != '.')
            return false;
    return strncmp(codecs, "hvc1.", 5) == 0 && find_level(codecs, &behind) > 0;
}

static void append(struct plan *plan, const struct plan_rendition *r, const char *suffix)
{
    struct plan_rendition *added;

    plan->renditions = mem_realloc_array(plan->renditions, plan->rendition_count + 1, sizeof *r);
    added = &plan->renditions[plan->rendition_count++];
    *added = *r;
    added->init = NULL;
    added->init_size = 0;
    snprintf(added->name, sizeof added->name, "%.*s%s",
             (int) (sizeof added->name - strlen(suffix) - 1), r->name, suffix);
}

static void add_h264(struct plan *plan, struct plan_rendition r, const struct plan_device *device)
{
    set_flags(r.codecs, sizeof r.codecs, device->flags);
    append(plan, &r, PLAN_DEVICE_SUFFIX);
}

static void add_hevc(struct plan *plan, struct plan_rendition r, const struct plan_device *device)
{
    const char *behind = "";
    size_t before = find_level(device->hevc, &behind);

    r.bitrate = r.bitrate / 3 * 2;
    r.bandwidth = r.bandwidth / 3 * 2;
    r.average_bandwidth = r.average_bandwidth / 3 * 2;
    snprintf(r.codecs, sizeof r.codecs, "%.*s%u%s", (int) before, device->hevc,
             plan_hevc_level(r.width, r.height, plan->fps_num, plan->fps_den, r.bitrate), behind);
    append(plan, &r, PLAN_HEVC_SUFFIX);
}

void plan_add_device(struct plan *plan, const struct plan_device *device)
{
    uint32_t count = plan->rendition_count;
    uint32_t each = plan_is_hevc_codecs(device->hevc) ? 2 : 1;

    for (uint32_t i = 0; i < count; i++) {
        const struct plan_rendition r = plan->renditions[i];
        if (r.kind != PLAN_VIDEO || r.is_copy || plan_is_on_device(&r) || plan_burnt(&r) > 0 ||
            plan->rendition_count + each > PLAN_MAX_RENDITIONS ||
            strlen(r.name) + sizeof PLAN_HEVC_SUFFIX > sizeof r.name ||
            strncmp(r.codecs, "avc1.", 5) != 0 || plan_device_twin(plan, i) >= 0 ||
            !is_fast_enough(plan, &r, device))
            continue;
        add_h264(plan, r, device);
        if (each > 1)
            add_hevc(plan, r, device);
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
