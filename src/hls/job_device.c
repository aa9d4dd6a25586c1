/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments that a device makes. What fails there once is made with another process of the device; what
 * fails again turns it off for the film: its renditions are gone (410), a page loads the playlist anew and
 * finds those of x264, which native players were told of before. Threads: the hub's loop. */
#include "base/log.h"
#include "hls/hardware.h"
#include "hls/job.h"

enum { MOST_FAILURES = 2 }; /* decision 23: one new session */

bool job_is_on_device(const struct entry *entry)
{
    return plan_is_on_device(job_rendition(entry));
}

bool job_is_init(const struct entry *entry)
{
    return job_is_on_device(entry) &&
           entry->n == plan_segment_count(entry->room->film->plan, entry->rendition);
}

void job_give_device(struct entry *entry, struct worker *worker)
{
    struct hls *hls = entry->room->hls;
    const char *name = entry->room->film->device.name;
    if (!media_has_device(worker->media)) {
        worker->device = ++hls->devices;
        if (media_give_device(worker->media, name) != OK)
            log_warning("hardware.busy", log_str("file", entry->room->id));
    }
    entry->device = worker->device;
}

void job_device_off(struct room *room, const struct why *reason)
{
    struct why why;
    struct entry *entry;
    struct entry *next;
    log_warning("hardware.failed", log_str("file", room->id),
                log_str("device", room->film->device.words), log_str("why", reason->text));
    atomic_store(&room->film->is_device_off, true);
    hardware_give_up(room->hls->hardware, room->id);
    why_set(&why, ERR_GONE, "v", "the device that made it failed: %.150s", reason->text);
    for (entry = TAILQ_FIRST(&room->active); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (!job_is_on_device(entry))
            continue;
        job_stop(entry, ERR_GONE, &why);
        room_answer_entry(room, entry, ERR_GONE, &why);
    }
    for (size_t i = 0; i < room->viewer_count;) {
        if (plan_is_on_device(&room->film->plan->renditions[room->viewers[i].rendition]))
            room->viewers[i] = room->viewers[--room->viewer_count];
        else
            i++;
    }
}

void job_device_failed(struct entry *entry, const struct worker *worker, const struct why *why)
{
    struct room *room = entry->room;
    /* Of several segments that one failed it is one failure. */
    if (entry->device > room->failed_device) {
        log_warning("hardware.failure", log_str("file", room->id), log_int("n", entry->n),
                    log_str("why", why->text));
        room->failed_device = entry->device;
        room->device_failures++;
    }
    if (worker->media != NULL && worker->device == entry->device)
        media_end_device(worker->media);
    if (room->device_failures >= MOST_FAILURES)
        job_device_off(room, why);
    else
        job_make_again(entry, why);
    job_schedule(room);
}
