/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts and ends the hub, and the calls of the face that only pass something on to it. */
#include "hls/hls.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/hardware.h"
#include "hls/hub.h"
#include "hls/intros_keep.h"
#include "hls/playlist.h"
#include "hls/send.h"
#include "hls/text.h"

enum {
    POOL_THREADS = 4,
    SEAL_THREADS = 2,
    POOL_QUEUE = 1024,
    TICK_MS = 500,
    DEFAULT_AHEAD_S = 30,
    DEFAULT_IDLE_MS = 60000,
    DEFAULT_HOLD_MS = 20000,
    DEFAULT_HEARTBEAT_MS = 2000,
};

static const uint64_t default_cache_bytes = UINT64_C(4) << 30;
static const uint64_t default_send_bytes = UINT64_C(64) << 20;

static void fill_in(struct hls_options *options)
{
    if (options->cache_bytes == 0)
        options->cache_bytes = default_cache_bytes;
    if (options->send_buffer_bytes == 0)
        options->send_buffer_bytes = default_send_bytes;
    if (options->ahead_s == 0)
        options->ahead_s = DEFAULT_AHEAD_S;
    if (options->idle_ms == 0)
        options->idle_ms = DEFAULT_IDLE_MS;
    if (options->hold_ms == 0)
        options->hold_ms = DEFAULT_HOLD_MS;
    if (options->heartbeat_ms == 0)
        options->heartbeat_ms = DEFAULT_HEARTBEAT_MS;
}

static void on_tick(uv_timer_t *timer)
{
    struct hls *hls = timer->data;
    room_tick(hls, clock_mono_ms());
    storyboards_tick(hls, clock_mono_ms());
    intros_tick(hls, clock_mono_ms());
    hardware_tick(hls->hardware);
}

static void start_hub(void *arg)
{
    struct hls *hls = arg;
    MUST(uv_timer_init(loop_uv(hls->loop), &hls->tick) == 0);
    hls->tick.data = hls;
    uv_timer_start(&hls->tick, on_tick, TICK_MS, TICK_MS);
    hls->probes = probe_queue_new(hls);
    hls->storyboards = hls->pictures != NULL ? storyboards_new(hls) : NULL;
    hls->intros = hls->fingerprints != NULL ? intros_new(hls) : NULL;
    hls->texts = texts_new(hls);
    media_host_attach(hls->host, loop_uv(hls->loop));
    hardware_start(hls->hardware);
    if (hls->options.trial)
        hls->trial = trial_start(hls);
}

static enum err open_caches(struct hls *hls, const char *data_folder, struct why *why)
{
    CLEANUP(str_fini) struct str folder = {0};
    str_printf(&folder, "%s/cache", data_folder);
    enum err kind = cache_open(str_text(&folder), hls->options.cache_bytes, &hls->cache, why);
    str_clear(&folder);
    str_printf(&folder, "%s/storyboards", data_folder);
    if (kind == OK && hls->options.storyboard_bytes > 0)
        kind = cache_open(str_text(&folder), hls->options.storyboard_bytes, &hls->pictures, why);
    str_clear(&folder);
    str_printf(&folder, "%s/fingerprints", data_folder);
    if (kind == OK && hls->options.fingerprint_bytes > 0 && hls->library.season != NULL)
        kind =
            cache_open(str_text(&folder), hls->options.fingerprint_bytes, &hls->fingerprints, why);
    return kind;
}

static void drop(struct hls **hls)
{
    struct hls *gone = *hls;
    *hls = NULL;
    cache_close(&gone->cache);
    cache_close(&gone->pictures);
    cache_close(&gone->fingerprints);
    source_pools_free(&gone->sources);
    shelf_free(&gone->shelf);
    admission_free(&gone->admission);
    hardware_free(&gone->hardware);
    send_budget_free(&gone->budget);
    mem_free(gone->bads);
    mem_free(gone);
}

enum err hls_start(const struct hls_options *options, const struct hls_library *library,
                   struct hls **out, struct why *why)
{
    struct hls *hls = mem_new(struct hls);
    hls->options = *options;
    hls->library = *library;
    hls->host = options->host;
    TAILQ_INIT(&hls->rooms);
    TAILQ_INIT(&hls->held);
    fill_in(&hls->options);
    hls->budget = send_budget_new(hls->options.send_buffer_bytes);
    hls->sources = source_pools_new();
    hls->shelf = shelf_new();
    hls->admission = admission_new(hls->options.cores);
    hls->hardware = hardware_new(hls, options->hardware);
    enum err kind = sodium_init() >= 0 ? OK : ERR_IO;
    if (kind == OK)
        kind = open_caches(hls, options->data_folder, why);
    if (kind == OK)
        kind = pool_new("hls-open", POOL_THREADS, POOL_QUEUE, &hls->pool);
    if (kind == OK)
        kind = pool_new("hls-seal", SEAL_THREADS, POOL_QUEUE, &hls->seals);
    if (kind == OK)
        kind = loop_start("hub", &hls->loop);
    if (kind != OK) {
        pool_free(&hls->pool);
        pool_free(&hls->seals);
        drop(&hls);
        return kind;
    }
    hls->options.data_folder = hls->options.hardware = NULL; /* were borrowed */
    hls->mailbox = loop_mailbox(hls->loop);
    loop_call(hls->loop, start_hub, hls);
    *out = hls;
    return OK;
}

static void stop_rooms(void *arg)
{
    struct hls *hls = arg;
    struct why why;
    why_set(&why, ERR_BUSY, NULL, "the server is stopping");
    hls->is_stopping = true;
    while (!TAILQ_EMPTY(&hls->rooms))
        room_end(TAILQ_FIRST(&hls->rooms), ERR_BUSY, &why);
    probe_queue_stop(hls->probes);
    trial_stop(&hls->trial);
    storyboards_stop(hls->storyboards);
    intros_stop(hls->intros);
    texts_stop(hls->texts);
    uv_close((uv_handle_t *) &hls->tick, NULL);
}

static void stop_host(void *arg)
{
    struct hls *hls = arg;
    probe_queue_free(&hls->probes);
    storyboards_free(&hls->storyboards);
    intros_free(&hls->intros);
    texts_free(&hls->texts);
    media_host_stop(&hls->host);
}

void hls_stop(struct hls **hls)
{
    if (*hls == NULL)
        return;
    struct hls *stopped = *hls;
    loop_call(stopped->loop, stop_rooms, stopped);
    pool_free(&stopped->pool);
    pool_free(&stopped->seals);
    /* After what the pool posted, and what that posted: workers and planners that end. */
    loop_call(stopped->loop, stop_host, stopped);
    loop_stop(&stopped->loop);
    drop(hls);
}

/* --- calls that go on to the hub --- */

struct note {
    struct hls *hls;
    char *file; /* or the playback */
    int64_t position_ms;
    bool native;
};

static struct note *new_note(struct hls *hls, const char *file_id)
{
    struct note *note = mem_new(struct note);
    note->hls = hls;
    note->file = mem_strdup(file_id);
    return note;
}

static void free_note(struct note *note)
{
    mem_free(note->file);
    mem_free(note);
}

static void warm(void *arg)
{
    struct note *note = arg;
    room_warm(note->hls, note->file, note->position_ms, note->native);
    free_note(note);
}

void hls_warm(struct hls *hls, const char *file_id, int64_t position_ms, bool native)
{
    struct note *note = new_note(hls, file_id);
    note->position_ms = position_ms;
    note->native = native;
    mailbox_post(hls->mailbox, warm, note);
}

static void forget(void *arg)
{
    struct note *note = arg;
    room_forget(note->hls, note->file);
    free_note(note);
}

void hls_forget(struct hls *hls, const char *file_id)
{
    mailbox_post(hls->mailbox, forget, new_note(hls, file_id));
}

static void tell_stored(void *arg)
{
    struct note *note = arg;
    room_plan_stored(note->hls, note->file);
    free_note(note);
}

void hls_plan_stored(struct hls *hls, const char *file_id)
{
    mailbox_post(hls->mailbox, tell_stored, new_note(hls, file_id));
}

static void want_markers(void *arg)
{
    struct note *note = arg;
    intros_want(note->hls, note->file);
    free_note(note);
}

void hls_want_markers(struct hls *hls, const char *file_id)
{
    mailbox_post(hls->mailbox, want_markers, new_note(hls, file_id));
}

json_t *hls_markers(struct hls *hls, const char *file_id, const struct source_identity *identity)
{
    static const char *const names[] = {[MARKER_INTRO] = "intro", [MARKER_CREDITS] = "credits"};
    const double ms_per_s = 1000;
    struct hls_episode episode = {.size = identity->size};
    struct kept_markers kept = {.count = 0};
    json_t *markers = json_array();
    snprintf(episode.id, sizeof episode.id, "%s", file_id);
    memcpy(episode.hash, identity->hash, sizeof episode.hash);
    if (hls->fingerprints != NULL && !intros_find(hls->fingerprints, &episode, &kept))
        kept.count = 0;
    for (uint32_t i = 0; i < kept.count; i++)
        json_array_append_new(markers,
                              json_pack("{s:s, s:f, s:f}", "kind", names[kept.markers[i].kind],
                                        "start", (double) kept.markers[i].start_ms / ms_per_s,
                                        "end", (double) kept.markers[i].end_ms / ms_per_s));
    return markers;
}

/* --- admission --- */

enum err hls_admit(struct hls *hls, const struct hls_wish *wish, struct why *why)
{
    CLEANUP(plan_free) struct plan *plan = NULL;
    struct admission_offer offer;
    struct film_device device;
    *why = (struct why){0};
    if (plan_read(wish->plan, wish->plan_size, &plan, NULL) != OK)
        return OK; /* it is made anew, and the playlist will say */
    bool has_device = hardware_for(hls->hardware, wish->file, &device);
    if (has_device)
        plan_add_device(plan, &device.plan);
    const struct admission_viewer viewer = {.playback = wish->playback,
                                            .film = wish->file,
                                            .plan = plan,
                                            .is_device_off = !has_device,
                                            .device_speed = has_device ? device.plan.speed : 0,
                                            .position_ms = wish->position_ms};
    admission_offer(hls->admission, &viewer, clock_mono_ms(), &offer);
    struct playlist_client client = {.is_limited = offer.why.text[0] != '\0',
                                     .most_pixels = offer.most_pixels};
    playlist_caps(slice_of(wish->caps), &client);
    *why = offer.why;
    return !client.is_limited || playlist_has_picture(plan, &client) ? OK : ERR_BUSY;
}

static void leave(void *arg)
{
    struct note *note = arg;
    room_leave(note->hls, note->file);
    free_note(note);
}

void hls_leave(struct hls *hls, const char *playback)
{
    admission_leave(hls->admission, playback);
    mailbox_post(hls->mailbox, leave, new_note(hls, playback));
}

void hls_look_beside(struct hls *hls, const char *file_id)
{
    const struct shelf_name name = {.id = slice_of(file_id)};
    int rendition = -1;
    CLEANUP(film_unref) struct film *film = shelf_find(hls->shelf, &name, &rendition);
    if (film == NULL)
        return;
    CLEANUP(beside_unref) struct beside *now = film_beside(film);
    if (beside_film(now)[0] == '\0')
        return;
    struct beside *found = beside_find(beside_film(now));
    film_set_beside(film, &found);
}

/* --- metrics --- */

static void put(struct str *out, const char *name, const char *type, const char *help,
                unsigned long long value)
{
    str_printf(out, "# HELP matinee_%s %s\n# TYPE matinee_%s %s\nmatinee_%s %llu\n", name, help,
               name, type, name, value);
}

void hls_metrics(struct hls *hls, struct str *out)
{
    struct hls_counters *counters = &hls->counters;
    put(out, "films_open", "gauge", "Films that are open.", atomic_load(&counters->rooms));
    put(out, "media_processes", "gauge", "Media processes that run.",
        atomic_load(&counters->processes));
    put(out, "media_deaths_total", "counter", "Media processes that died unasked.",
        atomic_load(&counters->deaths));
    put(out, "probes_total", "counter", "Files looked at for the library.",
        atomic_load(&counters->probes));
    put(out, "segment_requests_total", "counter", "Segments asked for.",
        atomic_load(&counters->asks));
    put(out, "segment_joins_total", "counter", "Requests that joined a segment under way or held.",
        atomic_load(&counters->joined));
    put(out, "segments_made_total", "counter", "Segments made.", atomic_load(&counters->made));
    put(out, "segments_failed_total", "counter", "Segments that could not be made.",
        atomic_load(&counters->failed));
    put(out, "cache_hits_total", "counter", "Segments found in the disk's cache.",
        atomic_load(&counters->cache_hits));
    put(out, "cache_bytes", "gauge", "Bytes of the disk's cache.", cache_bytes(hls->cache));
    put(out, "storyboards_made_total", "counter", "Films of which pictures to scrub by were made.",
        atomic_load(&counters->storyboards));
    put(out, "storyboard_bytes", "gauge", "Bytes of pictures to scrub by.",
        hls->pictures != NULL ? cache_bytes(hls->pictures) : 0);
    put(out, "fingerprints_made_total", "counter", "Episodes listened to for their intros.",
        atomic_load(&counters->fingerprints));
    put(out, "media_sent_bytes_total", "counter", "Bytes of segments and originals sent.",
        atomic_load(&counters->sent_bytes));
    put(out, "bodies_broken_total", "counter", "Bodies broken because they could not be completed.",
        atomic_load(&counters->broken));
    admission_metrics(hls->admission, clock_mono_ms(), out);
}

void hls_hardware(struct hls *hls, struct str *out)
{
    hardware_words(hls->hardware, out);
}

/* --- health --- */

struct question {
    struct media_host *host;
    struct heartbeat *heartbeat;
};

static void on_answer(void *ctx, bool answered)
{
    struct heartbeat *heartbeat = ctx;
    heartbeat_answer(&heartbeat, answered);
}

static void ask_zygote(void *arg)
{
    struct question *question = arg;
    if (media_host_ping(question->host, on_answer, question->heartbeat) != OK)
        heartbeat_answer(&question->heartbeat, false);
    mem_free(question);
}

bool hls_is_alive(struct hls *hls, int64_t timeout_ms)
{
    struct heartbeat *heartbeat = heartbeat_new(1);
    struct question *question = mem_new(struct question);
    *question = (struct question){hls->host, heartbeat};
    mailbox_post(hls->mailbox, ask_zygote, question);
    return heartbeat_wait(&heartbeat, timeout_ms);
}
