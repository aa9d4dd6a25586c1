/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ties hls and the library together, neither of which knows the other: finding files, keeping
 * plans, looking into files for the scan, and telling the page. Threads: those of hls and of the
 * library; all may wait for the disk. */
#include <string.h>

#include "api/events.h"
#include "api/inside.h"
#include "base/mem.h"
#include "segments/plan.h"

/* --- what hls asks of the library --- */

static enum err find(void *ctx, const char *file_id, struct hls_file *out, struct why *why)
{
    struct api *api = ctx;
    struct library_file file = {0};
    struct source *source = NULL;
    enum err err = api_find_file(api, file_id, &file, &source, why);
    if (err == OK) {
        *out = (struct hls_file){.path = file.path,
                                 .source = source,
                                 .identity = file.identity,
                                 .plan = file.plans.bytes,
                                 .plan_size = file.plans.size,
                                 .first = file.plans.first,
                                 .first_size = file.plans.first_size};
        file.path = NULL;
        file.plans = (struct store_plans){0};
    }
    if (err == ERR_BAD_MEDIA) { /* what cannot be played can still be had as it is */
        *out = (struct hls_file){.path = file.path, .identity = file.identity};
        file.path = NULL;
    }
    library_file_fini(&file);
    return err;
}

/* `plan` is what the bytes say; NULL: there are none. */
static struct library_found found_of(const struct source_identity *identity,
                                     const struct plan *plan, const uint8_t *bytes, size_t size)
{
    struct library_found found = {
        .identity = identity, .duration_ms = -1, .bytes = bytes, .size = size};
    if (plan != NULL && plan->timescale > 0)
        found.duration_ms = plan->end * 1000 / plan->timescale;
    found.wants_scan = plan != NULL && plan->wants_scan;
    return found;
}

static void keep_plan(void *ctx, const char *file_id, const struct source_identity *identity,
                      const uint8_t *bytes, size_t size)
{
    struct api *api = ctx;
    CLEANUP(plan_free) struct plan *plan = NULL;
    if (plan_read(bytes, size, &plan, NULL) != OK)
        return;
    const struct library_found found = found_of(identity, plan, bytes, size);
    /* What is not in the library is still on its way to it. */
    if (library_keep_plan(api->library, file_id, &found) != OK)
        arriving_keep_plan(api->arriving, file_id, identity, bytes, size);
    playbacks_refresh(api, file_id);
}

static void tell_progress(void *ctx, const char *file_id, double fraction)
{
    playbacks_progress(ctx, file_id, fraction);
}

static void tell_failed(void *ctx, const char *file_id, const struct why *why)
{
    playbacks_fail(ctx, file_id, why);
}

static bool find_season(void *ctx, const char *file_id, struct hls_season *out)
{
    struct api *api = ctx;
    struct library_episode *episodes = NULL;
    size_t count = 0;
    if (library_season(api->library, file_id, &episodes, &count) != OK)
        return false;
    out->episodes = mem_new_array(struct hls_episode, count + 1);
    for (out->count = 0; out->count < count; out->count++) {
        const struct library_episode *from = &episodes[out->count];
        struct hls_episode *to = &out->episodes[out->count];
        *to = (struct hls_episode){.number = from->number, .size = from->size};
        memcpy(to->id, from->id, sizeof from->id);
        memcpy(to->hash, from->hash, sizeof to->hash);
    }
    mem_free(episodes);
    return true;
}

static void each_season(void *ctx, hls_file_fn *each, void *each_ctx)
{
    struct api *api = ctx;
    if (library_seasons(api->library, each, each_ctx) != OK)
        return; /* another time */
}

static void tell_marked(void *ctx, const char *file_id)
{
    playbacks_marked(ctx, file_id);
}

struct hls_library api_hls_library(struct api *api)
{
    return (struct hls_library){.ctx = api,
                                .find = find,
                                .keep_plan = keep_plan,
                                .progress = tell_progress,
                                .failed = tell_failed,
                                .season = find_season,
                                .seasons = each_season,
                                .marked = tell_marked};
}

/* --- what the library asks of hls --- */

static void probed(void *ctx, enum err kind, const struct why *why,
                   const struct source_identity *identity, const struct plan *plan,
                   const uint8_t *bytes, size_t size)
{
    struct library_probe probe = *(struct library_probe *) ctx;
    const struct library_found found = found_of(identity, plan, bytes, size);
    mem_free(ctx);
    probe.done(probe.ctx, kind, why, &found);
}

static void progressed(void *ctx, double fraction)
{
    const struct library_probe *probe = ctx;
    probe->progress(probe->ctx, fraction);
}

static void start_probe(void *ctx, const struct library_probe *asked)
{
    struct api *api = ctx;
    struct library_probe *probe = mem_dup(asked, sizeof *asked);
    const struct hls_probe_job job = {.path = asked->path,
                                      .scan = asked->scan,
                                      .done = probed,
                                      .progress = asked->progress != NULL ? progressed : NULL,
                                      .ctx = probe,
                                      .mailbox = asked->mailbox};
    hls_probe(atomic_load(&api->hls), &job);
}

static void stop_scans(void *ctx)
{
    struct api *api = ctx;
    hls_stop_scans(atomic_load(&api->hls));
}

struct library_prober api_prober(struct api *api)
{
    return (struct library_prober){.ctx = api, .probe = start_probe, .stop_scans = stop_scans};
}

/* --- news of the library --- */

/* What is somebody's own is not in news that all hear. */
static json_t *shared_json(const struct store_title *title)
{
    json_t *object = title_json(title);
    json_object_del(object, "watched");
    json_object_del(object, "seasons");
    return object;
}

/* Of a show there is nothing for whom none of its episodes is. */
static int age_of(const struct store_title *title)
{
    if (strcmp(title->kind, "show") != 0 || title->age == AGE_UNRATED)
        return title->age;
    return title->youngest == AGE_UNRATED || title->youngest > title->age ? title->youngest
                                                                          : title->age;
}

static void tell_title(struct api *api, const char *id, const struct store_title *title)
{
    json_t *payload =
        json_pack("{s:s, s:s}", "type", title != NULL ? "title" : "title-gone", "id", id);
    if (title != NULL)
        json_object_set_new(payload, "title", shared_json(title));
    events_publish_to(api->events, "library", payload,
                      (struct audience){.age = title != NULL ? age_of(title) : 0});
}

void title_tell_rated(struct api *api, const char *id, int was)
{
    struct store_title title = {0};
    if (store_title_find(api->store, id, NULL, &title) != OK)
        return;
    json_t *payload = json_pack("{s:s, s:s}", "type", "title-gone", "id", id);
    events_publish_to(api->events, "library", payload,
                      (struct audience){.age = title.age, .is_goodbye = true, .was = was});
    tell_title(api, id, &title);
    store_title_fini(&title);
}

static void on_title(void *ctx, const char *id)
{
    struct api *api = ctx;
    struct store_title title = {0};
    if (!events_have_listeners(api->events) && !playbacks_wait(api->playbacks))
        return;
    enum err err = store_title_find(api->store, id, NULL, &title);
    if (err == OK)
        tell_title(api, id, &title);
    if (err == OK && title.show[0] != '\0')
        on_title(api, title.show);
    else if (err == ERR_NOT_FOUND)
        tell_title(api, id, NULL);
    for (size_t i = 0; i < title.file_count; i++)
        playbacks_refresh(api, title.files[i].id);
    store_title_fini(&title);
}

static void on_file(void *ctx, const char *file)
{
    struct api *api = ctx;
    struct hls *hls = atomic_load(&api->hls);
    struct torrents *torrents = atomic_load(&api->torrents);
    /* A download that came into the library: who watches it goes on with what he has. */
    if (torrents != NULL && torrents_hold(torrents, file))
        return;
    if (hls != NULL)
        hls_forget(hls, file);
}

static void on_plan(void *ctx, const char *file)
{
    struct api *api = ctx;
    struct hls *hls = atomic_load(&api->hls);
    if (hls != NULL)
        hls_plan_stored(hls, file);
}

static void on_ready(void *ctx, const char *file)
{
    struct api *api = ctx;
    struct hls *hls = atomic_load(&api->hls);
    if (hls != NULL)
        hls_want_markers(hls, file);
}

static void on_scan(void *ctx)
{
    struct api *api = ctx;
    filing_again(api);
    if (!events_have_listeners(api->events))
        return;
    events_publish_to(
        api->events, "library",
        json_pack("{s:s, s:s, s:o}", "type", "scan", "id", "scan", "scan", scan_json(api->library)),
        (struct audience){.age = AGE_GROWN});
}

struct library_listener api_listener(struct api *api)
{
    return (struct library_listener){.ctx = api,
                                     .title = on_title,
                                     .file = on_file,
                                     .plan = on_plan,
                                     .scan = on_scan,
                                     .ready = on_ready};
}
