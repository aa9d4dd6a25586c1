/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /healthz: whether the parts work. Open to all, so the disk is asked once a second at most. */
#include "api/inside.h"
#include "base/clock.h"

enum { FRESH_MS = 1000, HEARTBEAT_MS = 2000 };

static enum err touch(struct api *api)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&api->lock);
    bool is_fresh = api->touched_ms != 0 && now_ms - api->touched_ms < FRESH_MS;
    enum err err = api->touched;
    pthread_mutex_unlock(&api->lock);
    if (is_fresh)
        return err;
    err = store_touch(api->store, clock_wall_ms());
    pthread_mutex_lock(&api->lock);
    api->touched_ms = now_ms;
    api->touched = err;
    pthread_mutex_unlock(&api->lock);
    return err;
}

/* A zygote that hangs costs the full wait: for one of those who ask within a second. */
static bool media_is_alive(struct api *api)
{
    struct hls *hls = atomic_load(&api->hls);
    pthread_mutex_lock(&api->lock);
    bool hangs = api->hung_ms != 0 && clock_mono_ms() - api->hung_ms < FRESH_MS;
    pthread_mutex_unlock(&api->lock);
    if (hls == NULL || hangs)
        return false;
    if (hls_is_alive(hls, HEARTBEAT_MS))
        return true;
    pthread_mutex_lock(&api->lock);
    api->hung_ms = clock_mono_ms();
    pthread_mutex_unlock(&api->lock);
    return false;
}

static bool add_check(json_t *checks, const char *name, bool ok, const char *detail)
{
    json_t *check = json_pack("{s:s, s:b}", "name", name, "ok", ok);
    if (!ok)
        json_object_set_new(check, "detail", json_string(detail));
    json_array_append_new(checks, check);
    return ok;
}

static void work(struct answer *answer)
{
    struct api *api = answer->api;
    struct http *http = atomic_load(&api->http);
    json_t *checks = json_array();
    bool ok = add_check(checks, "loops", http == NULL || http_is_alive(http, HEARTBEAT_MS),
                        "an event loop does not answer");
    ok &= add_check(checks, "media", media_is_alive(api), "media processes cannot be started");
    ok &= add_check(checks, "store", touch(api) == OK, "the database cannot be written");
    answer->status = ok ? 200 : 503;
    answer->body = json_pack("{s:b, s:o}", "ok", ok, "checks", checks);
}

void health_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    answer_later(api, request, &(struct answer_plan){.work = work});
}
