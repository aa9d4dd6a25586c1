/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ties hls and the library together, neither of which knows the other: finding files, keeping
 * plans, looking into files for the scan, and telling the page. Threads: those of hls and of the
 * library; all may wait for the disk. */
#include "api/inside.h"
#include "base/mem.h"
#include "segments/plan.h"

/* --- what hls asks of the library --- */

static enum err find(void *ctx, const char *file_id, struct hls_file *out, struct why *why)
{
    struct api *api = ctx;
    struct library_file file = {0};
    enum err err = library_find(api->library, file_id, &file, why);
    if (err == OK) {
        *out = (struct hls_file){.path = file.path,
                                 .identity = file.identity,
                                 .plan = file.plan,
                                 .plan_size = file.plan_size};
        file.path = NULL;
        file.plan = NULL;
    }
    library_file_fini(&file);
    return err;
}

static void keep_plan(void *ctx, const char *file_id, const struct source_identity *identity,
                      const uint8_t *bytes, size_t size)
{
    struct api *api = ctx;
    int64_t duration_ms = 0;
    json_t *media = media_json(bytes, size, &duration_ms);
    if (media == NULL)
        return;
    json_decref(media);
    if (library_keep_plan(api->library, file_id, identity, bytes, size, duration_ms) == OK)
        playbacks_refresh(api, file_id);
}

static void tell_progress(void *ctx, const char *file_id, double fraction)
{
    playbacks_progress(ctx, file_id, fraction);
}

struct hls_library api_hls_library(struct api *api)
{
    return (struct hls_library){
        .ctx = api, .find = find, .keep_plan = keep_plan, .progress = tell_progress};
}

/* --- what the library asks of hls --- */

struct probe {
    library_probed_fn *done;
    void *done_ctx;
};

static void probed(void *ctx, enum err kind, const struct why *why,
                   const struct source_identity *identity, const struct plan *plan,
                   const uint8_t *bytes, size_t size)
{
    struct probe probe = *(struct probe *) ctx;
    int64_t duration_ms = -1;
    mem_free(ctx);
    if (plan != NULL && plan->timescale > 0)
        duration_ms = plan->end * 1000 / plan->timescale;
    probe.done(probe.done_ctx, kind, why, identity, duration_ms, bytes, size);
}

static void start_probe(void *ctx, const char *path, library_probed_fn *done, void *done_ctx,
                        struct mailbox *mailbox)
{
    struct api *api = ctx;
    struct probe *probe = mem_new(struct probe);
    *probe = (struct probe){done, done_ctx};
    hls_probe(atomic_load(&api->hls), path, probed, probe, mailbox);
}

struct library_prober api_prober(struct api *api)
{
    return (struct library_prober){.ctx = api, .probe = start_probe};
}

/* --- news of the library --- */

static void tell_title(struct api *api, const char *id, const struct store_title *title)
{
    json_t *payload =
        json_pack("{s:s, s:s}", "type", title != NULL ? "title" : "title-gone", "id", id);
    if (title != NULL)
        json_object_set_new(payload, "title", title_json(title));
    events_publish(api->events, "library", payload);
}

static void on_title(void *ctx, const char *id)
{
    struct api *api = ctx;
    struct store_title title = {0};
    if (!events_have_listeners(api->events) && !playbacks_wait(api->playbacks))
        return;
    enum err err = store_title_find(api->store, id, &title);
    if (err == OK)
        tell_title(api, id, &title);
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
    if (hls != NULL)
        hls_forget(hls, file);
}

static void on_scan(void *ctx)
{
    struct api *api = ctx;
    if (!events_have_listeners(api->events))
        return;
    events_publish(api->events, "library",
                   json_pack("{s:s, s:s, s:o}", "type", "scan", "id", "scan", "scan",
                             scan_json(api->library)));
}

struct library_listener api_listener(struct api *api)
{
    return (struct library_listener){
        .ctx = api, .title = on_title, .file = on_file, .scan = on_scan};
}
