/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Playlists and init segments: at once where the film is on the shelf; else as soon as it is open,
 * which may mean that its plan is made first; held for as long as the client can wait (decision
 * 46). */
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/hub.h"
#include "hls/routes.h"

enum {
    PAGE_HOLD_MS = 1000, /* the page is told by /events and comes again (architecture) */
    MASTER_HOLD_MS = 20000,
    MEDIA_HOLD_MS = 5000,
};

struct wait {
    struct request *request; /* NULL once answered or gone */
    struct hls *hls;
    enum routes_text what;
    struct routes_query query;
    struct slice version; /* `v`, lent by the request; absent: the present one */
    struct ask *ask;
    bool has_timer; /* it really waits */
    uv_timer_t timer;
};

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_gone(void *ctx)
{
    struct wait *wait = ctx;
    wait->request = NULL;
    ask_close(&wait->ask);
    uv_close((uv_handle_t *) &wait->timer, on_timer_closed);
}

/* The request is answered by the next line of the caller. */
static struct request *take_request(struct wait *wait)
{
    struct request *request = wait->request;
    wait->request = NULL;
    if (wait->has_timer)
        uv_timer_stop(&wait->timer);
    return request;
}

static void fail(struct wait *wait, enum err kind, const struct why *why)
{
    if (wait->request != NULL)
        routes_reply_failure(take_request(wait), kind, why);
}

/* Its URL names a rendition of the film. */
static bool names_rendition(enum routes_text what)
{
    return what == ROUTES_MEDIA || what == ROUTES_INIT;
}

/* Without `v` it is what is current now (decision 2). */
static const char *cache_control(const struct wait *wait)
{
    if (names_rendition(wait->what) && wait->version.at == NULL)
        return "no-store";
    return wait->what == ROUTES_INIT ? "private, max-age=86400, immutable" : "private, no-cache";
}

static void reply_playlist(struct wait *wait, const struct str *text)
{
    const struct reply_bytes_options options = {.content_type = "application/vnd.apple.mpegurl",
                                                .cache_control = cache_control(wait),
                                                .compressible = true,
                                                .etag = true};
    reply_bytes(take_request(wait), 200, &options, str_text(text), text->length);
}

static const char *first_refusal(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->track_count; i++)
        if (plan->tracks[i].kind == PLAN_VIDEO && plan->tracks[i].refused[0] != '\0')
            return plan->tracks[i].refused;
    return "nothing of it can be played here";
}

/* What of the transcodes the machine can make for this viewer is promised to him with the playlist. */
static void limit_transcodes(struct wait *wait, const struct film *film, struct why *why)
{
    const struct admission_viewer viewer = {.playback = wait->query.playback,
                                            .film = film->id,
                                            .plan = film->plan,
                                            .is_device_off = !film_has_device(film) ||
                                                             wait->query.client.burn > 0,
                                            .device_speed = film->device.plan.speed,
                                            .position_ms = -1};
    struct admission_offer offer;
    admission_offer(wait->hls->admission, &viewer, clock_mono_ms(), &offer);
    wait->query.client.is_limited = offer.why.text[0] != '\0';
    wait->query.client.most_pixels = offer.most_pixels;
    *why = offer.why;
}

/* Whether the subtitles that are wished for can be drawn into the pictures. */
static enum err judge_burn(const struct plan *plan, uint32_t number, struct why *why)
{
    char name[32];
    bool is_drawn = false;
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        is_drawn |= plan_burnt(&plan->renditions[i]) == number;
    if (number == 0 || is_drawn)
        return OK;
    snprintf(name, sizeof name, "subtitle-%u", number);
    if (plan_find(plan, name) >= 0)
        return why_set(why, ERR_BAD_INPUT, "burn",
                       "%s is text, which players show themselves: only pictures are drawn in",
                       name);
    snprintf(name, sizeof name, "pictures-%u", number);
    if (plan_find(plan, name) >= 0)
        return why_set(why, ERR_NOT_FOUND, "burn",
                       "the film is not converted, and nothing is drawn into the original");
    return why_set(why, ERR_NOT_FOUND, "burn", "the film has no such subtitles to draw in");
}

static void answer_master(struct wait *wait, struct film *film)
{
    struct str text = {0};
    struct why why;
    enum err kind = judge_burn(film->plan, wait->query.client.burn, &why);
    if (kind != OK) {
        fail(wait, kind, &why);
        return;
    }
    limit_transcodes(wait, film, &why);
    if (playlist_master(film, &wait->query.client, &text))
        reply_playlist(wait, &text);
    else if (wait->query.client.is_limited && wait->query.client.most_pixels == 0)
        fail(wait, ERR_BUSY, &why);
    else
        fail(wait, why_set(&why, ERR_BAD_MEDIA, NULL, "%s", first_refusal(film->plan)), &why);
    str_fini(&text);
}

static void answer_media(struct wait *wait, const struct film *film, uint32_t rendition)
{
    struct str text = {0};
    playlist_media(film, rendition, &wait->query.client, &text);
    reply_playlist(wait, &text);
    str_fini(&text);
}

static void answer_init(struct wait *wait, const struct film *film, uint32_t index)
{
    const struct plan_rendition *rendition =
        &film->plan->renditions[plan_unburnt(film->plan, index)];
    struct why why;
    if (rendition->init == NULL) {
        fail(wait, why_set(&why, ERR_NOT_FOUND, NULL, "the rendition has no init segment"), &why);
        return;
    }
    const struct reply_bytes_options options = {
        .content_type = rendition->kind == PLAN_AUDIO ? "audio/mp4" : "video/mp4",
        .cache_control = cache_control(wait),
        .etag = true,
        .ranges = true};
    reply_bytes(take_request(wait), 200, &options, rendition->init, rendition->init_size);
}

static void answer(struct wait *wait, struct film *film, int rendition)
{
    if (wait->what == ROUTES_MASTER)
        answer_master(wait, film);
    else if (wait->what == ROUTES_STORYBOARD)
        routes_serve_storyboard(take_request(wait), wait->hls, film);
    else if (wait->what == ROUTES_MEDIA)
        answer_media(wait, film, (uint32_t) rendition);
    else
        answer_init(wait, film, (uint32_t) rendition);
}

static void on_answer(void *ctx, const struct ask_answer *told)
{
    struct wait *wait = ctx;
    if (wait->request == NULL)
        return;
    if (told->kind != OK)
        fail(wait, told->kind, told->why);
    else
        answer(wait, told->film, told->rendition);
}

static void on_timeout(uv_timer_t *timer)
{
    struct why why;
    fail(timer->data,
         why_set(&why, ERR_BUSY, NULL, "the film is still being looked at: it can be played soon"),
         &why);
}

static int64_t hold_ms(const struct wait *wait)
{
    int64_t most = wait->query.playback[0] != '\0' ? PAGE_HOLD_MS
                   : wait->what == ROUTES_MASTER   ? MASTER_HOLD_MS
                                                   : MEDIA_HOLD_MS;
    int64_t set = wait->hls->options.hold_ms;
    return set < most ? set : most;
}

/* False: not answered. What is wrong with a request is for the room to say. */
static bool answer_from_shelf(struct wait *wait)
{
    struct shelf_name name = {.id = request_param(wait->request, 0), .version = wait->version};
    int rendition = ASK_NO_RENDITION;
    if (names_rendition(wait->what))
        name.rendition = request_param(wait->request, 1);
    CLEANUP(film_unref) struct film *film = shelf_find(wait->hls->shelf, &name, &rendition);
    if (film != NULL)
        answer(wait, film, rendition);
    return film != NULL;
}

static void ask_for_film(const struct wait *now)
{
    struct wait *wait = mem_new(struct wait);
    struct request *request = now->request;
    *wait = *now;
    wait->query.client.playback = wait->query.playback;
    wait->has_timer = true;
    MUST(uv_timer_init(request_loop(request), &wait->timer) == 0);
    wait->timer.data = wait;
    request_on_gone(request, on_gone, wait);
    struct ask_options options = {
        .kind = ASK_FILM, .file = request_param(request, 0), .playback = wait->query.playback};
    if (names_rendition(wait->what)) {
        options.rendition = request_param(request, 1);
        options.version = wait->version;
    }
    wait->ask = ask_open(wait->hls, &options, request_mailbox(request), on_answer, wait);
    uv_timer_start(&wait->timer, on_timeout, (uint64_t) hold_ms(wait), 0);
}

void routes_serve_text(struct request *request, struct hls *hls, enum routes_text what)
{
    struct why why;
    struct wait wait = {.request = request, .hls = hls, .what = what};
    enum err kind = routes_read_query(request, &wait.query, &why);
    if (kind != OK) {
        routes_reply_failure(request, kind, &why);
        return;
    }
    wait.query.client.playback = wait.query.playback;
    if (names_rendition(what))
        wait.version = request_query(request, "v");
    if (!answer_from_shelf(&wait))
        ask_for_film(&wait);
}
