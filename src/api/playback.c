/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/playback: who plays what, where. In memory: a player that finds its playback gone makes
 * another one (decision 42). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/caps.h"
#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "segments/plan.h"

enum {
    LIFE_MS = 5 * 60 * 1000, /* a phone may sleep that long between two reports */
    PER_USER = 32,           /* the oldest makes room */
    TELL_EVERY_MS = 500,     /* the page's news of one object: at most two a second */
    POSITION_MAX_S = PLAN_MAX_HOURS * 3600
};

struct playback {
    char id[STORE_ID_SIZE], user[40], file[STORE_ID_SIZE], item[STORE_ID_SIZE];
    char caps[CAPS_SIZE];
    char cast[TOKENS_PATH_SIZE]; /* the part of its address for who brings no cookie */
    int most; /* no larger pictures than of this height, as the user likes it; 0: any */
    double position, rate;
    bool is_paused;
    json_t *media;     /* NULL while it waits */
    json_t *found;     /* markers of it (hls_markers) */
    json_t *available; /* NULL: all of it is there */
    char reason[400];
    char limited[400];  /* why no larger converted pictures; "": all are offered */
    double progress;    /* of what it waits for; 0: not known */
    int64_t told_ms;    /* when the page last heard of that */
    bool has_failed;    /* it will never play: `reason` */
    int64_t expires_ms; /* wall clock */
    struct playback *next;
};

struct playbacks {
    pthread_mutex_t lock;
    struct playback *first; /* under lock; the latest first */
};

struct playbacks *playbacks_new(void)
{
    struct playbacks *playbacks = mem_new(struct playbacks);
    pthread_mutex_init(&playbacks->lock, NULL);
    return playbacks;
}

static void free_playback(struct playback *playback)
{
    json_decref(playback->media);
    json_decref(playback->found);
    json_decref(playback->available);
    mem_free(playback);
}

void playbacks_free(struct playbacks **playbacks)
{
    if (*playbacks == NULL)
        return;
    for (struct playback *at = (*playbacks)->first, *next; at != NULL; at = next) {
        next = at->next;
        free_playback(at);
    }
    pthread_mutex_destroy(&(*playbacks)->lock);
    mem_free(*playbacks);
    *playbacks = NULL;
}

/* --- a playback in the words of the API; under the lock --- */

static json_t *member_copy(const json_t *media, const char *name)
{
    const json_t *value = json_object_get(media, name);
    return value != NULL ? json_deep_copy(value) : json_array();
}

static json_t *url(const struct api *api, const struct playback *playback, const char *client)
{
    CLEANUP(str_fini) struct str text = {0};
    str_printf(&text, "%s/hls/%s/master.m3u8?client=%s&p=%s", api->base_path, playback->file,
               client, playback->id);
    if (playback->caps[0] != '\0')
        str_printf(&text, "&caps=%s", playback->caps);
    if (playback->most > 0)
        str_printf(&text, "&most=%d", playback->most);
    return json_string(text.at);
}

static json_t *cast_url(const struct api *api, const struct playback *playback)
{
    CLEANUP(str_fini) struct str text = {0};
    str_printf(&text, "%s/hls/~%s/%s/master.m3u8?client=native&p=%s", api->base_path,
               playback->cast, playback->file, playback->id);
    if (playback->most > 0)
        str_printf(&text, "&most=%d", playback->most);
    return json_string(text.at);
}

static const json_t *find_subtitle(const json_t *media, json_int_t number)
{
    const json_t *track;
    size_t i;
    json_array_foreach(json_object_get(media, "tracks"), i, track)
    {
        const char *kind = json_string_value(json_object_get(track, "kind"));
        if (kind != NULL && strcmp(kind, "subtitle") == 0 &&
            json_integer_value(json_object_get(track, "number")) == number)
            return track;
    }
    return NULL;
}

/* Subtitles that are pictures, which no playlist for players lists: the page draws them. */
static json_t *pictures_json(const struct api *api, const struct playback *playback)
{
    static const char *const told[] = {"codec", "language", "title", "default", "forced", "sdh"};
    json_t *items = json_array();
    const json_t *rendition;
    size_t i;
    json_array_foreach(json_object_get(playback->media, "renditions"), i, rendition)
    {
        const char *kind = json_string_value(json_object_get(rendition, "kind"));
        const char *name = json_string_value(json_object_get(rendition, "name"));
        json_int_t number = json_integer_value(json_object_get(rendition, "track"));
        const json_t *track = find_subtitle(playback->media, number);
        if (kind == NULL || name == NULL || track == NULL || strcmp(kind, "pictures") != 0)
            continue;
        json_t *item = json_pack("{s:o, s:s, s:o}", "id", json_sprintf("subtitle-%d", (int) number),
                                 "kind", "pictures", "url",
                                 json_sprintf("%s/hls/%s/%s/index.m3u8?client=mse&p=%s",
                                              api->base_path, playback->file, name, playback->id));
        for (size_t t = 0; t < sizeof told / sizeof *told; t++)
            if (json_object_get(track, told[t]) != NULL)
                json_object_set_new(item, told[t], json_copy(json_object_get(track, told[t])));
        json_array_append_new(items, item);
    }
    return items;
}

static json_t *waiting_json(const struct playback *playback)
{
    json_t *waiting = json_pack("{s:s, s:o}", "for", "plan", "reason", json_text(playback->reason));
    if (playback->progress > 0)
        json_object_set_new(waiting, "progress", json_real(playback->progress));
    return waiting;
}

static json_t *to_json(const struct api *api, const struct playback *playback)
{
    const json_t *duration = json_object_get(playback->media, "duration");
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:b, s:f, s:o, s:o, s:o, s:o, s:n, s:i, s:o}",
        "id", playback->id, "user", playback->user, "item", playback->item, "file", playback->file,
        "master", url(api, playback, "mse"), "native", url(api, playback, "native"), "cast",
        cast_url(api, playback), "position", playback->position, "paused", playback->is_paused,
        "rate", playback->rate, "duration",
        duration != NULL ? json_deep_copy(duration) : json_null(), "tracks",
        member_copy(playback->media, "tracks"), "chapters",
        member_copy(playback->media, "chapters"), "markers",
        markers_json(playback->media, playback->found), "next", "presentation_offset",
        PLAN_OFFSET_S, "expires", json_date(playback->expires_ms));
    json_object_set_new(object, "pictures", pictures_json(api, playback));
    if (playback->available != NULL)
        json_object_set_new(object, "available", json_deep_copy(playback->available));
    if (playback->limited[0] != '\0')
        json_object_set_new(object, "limited", json_text(playback->limited));
    if (playback->has_failed)
        json_object_set_new(object, "failed", json_text(playback->reason));
    else if (playback->media == NULL)
        json_object_set_new(object, "waiting", waiting_json(playback));
    return object;
}

static void publish(struct api *api, const struct playback *playback, const char *type)
{
    char topic[STORE_ID_SIZE + 16];
    snprintf(topic, sizeof topic, "playback:%s", playback->id);
    json_t *payload = json_pack("{s:s, s:s}", "type", type, "id", playback->id);
    if (strcmp(type, "playback") == 0)
        json_object_set_new(payload, "playback", to_json(api, playback));
    events_publish(api->events, topic, payload);
}

/* --- the list; under the lock --- */

static bool may_see(const struct playback *playback, const struct http_user *user)
{
    return http_user_is_admin(user) || strcmp(playback->user, user->id) == 0;
}

static struct playback **find(struct playbacks *playbacks, const char *id,
                              const struct http_user *user)
{
    int64_t now_ms = clock_wall_ms();
    for (struct playback **at = &playbacks->first; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->id, id) == 0)
            return may_see(*at, user) && (*at)->expires_ms > now_ms ? at : NULL;
    return NULL;
}

static void drop(struct api *api, struct playback **at)
{
    struct playback *gone = *at;
    *at = gone->next;
    publish(api, gone, "playback-gone");
    struct hls *hls = atomic_load(&api->hls);
    if (hls != NULL)
        hls_leave(hls, gone->id);
    streams_leave(api->streams, gone->user, gone->id);
    free_playback(gone);
}

static void expire(struct api *api)
{
    int64_t now_ms = clock_wall_ms();
    for (struct playback **at = &api->playbacks->first; *at != NULL;) {
        if ((*at)->expires_ms <= now_ms)
            drop(api, at);
        else
            at = &(*at)->next;
    }
}

static void make_room(struct api *api, const char *user)
{
    unsigned count = 0;
    for (struct playback **at = &api->playbacks->first; *at != NULL;) {
        if (strcmp((*at)->user, user) == 0 && ++count >= PER_USER)
            drop(api, at);
        else
            at = &(*at)->next;
    }
}

json_t *playbacks_find(struct api *api, const char *id, const struct http_user *user)
{
    pthread_mutex_lock(&api->playbacks->lock);
    struct playback **at = find(api->playbacks, id, user);
    json_t *object = at != NULL ? to_json(api, *at) : NULL;
    pthread_mutex_unlock(&api->playbacks->lock);
    return object;
}

bool playbacks_touch(struct api *api, const char *id, const char *user)
{
    int64_t now_ms = clock_wall_ms();
    bool is_there = false;
    pthread_mutex_lock(&api->playbacks->lock);
    for (struct playback *at = api->playbacks->first; at != NULL && !is_there; at = at->next) {
        is_there =
            strcmp(at->id, id) == 0 && strcmp(at->user, user) == 0 && at->expires_ms > now_ms;
        if (is_there)
            at->expires_ms = now_ms + LIFE_MS;
    }
    pthread_mutex_unlock(&api->playbacks->lock);
    return is_there;
}

/* --- what waits --- */

static bool is_waited_for(struct api *api, const char *file)
{
    bool waits = false;
    pthread_mutex_lock(&api->playbacks->lock);
    for (const struct playback *at = api->playbacks->first; at != NULL; at = at->next)
        waits = waits || (at->media == NULL && !at->has_failed && strcmp(at->file, file) == 0);
    pthread_mutex_unlock(&api->playbacks->lock);
    return waits;
}

bool playbacks_wait(struct playbacks *playbacks)
{
    bool waits = false;
    pthread_mutex_lock(&playbacks->lock);
    for (const struct playback *at = playbacks->first; at != NULL; at = at->next)
        waits = waits || (at->media == NULL && !at->has_failed);
    pthread_mutex_unlock(&playbacks->lock);
    return waits;
}

/* Of the plan, or of the failure to make one. */
static void tell_waiting(struct api *api, const char *file, const struct store_plans *plans,
                         const char *failure)
{
    pthread_mutex_lock(&api->playbacks->lock);
    for (struct playback *at = api->playbacks->first; at != NULL; at = at->next) {
        if (at->media != NULL || at->has_failed || strcmp(at->file, file) != 0)
            continue;
        at->media = plans != NULL ? media_json(plans->bytes, plans->size, at->caps, NULL) : NULL;
        at->has_failed = failure != NULL;
        if (failure != NULL)
            snprintf(at->reason, sizeof at->reason, "%s", failure);
        publish(api, at, "playback");
    }
    pthread_mutex_unlock(&api->playbacks->lock);
}

void playbacks_fail(struct api *api, const char *file, const struct why *why)
{
    tell_waiting(api, file, NULL, why->text);
}

bool playbacks_play(struct playbacks *playbacks, const char *file)
{
    bool plays = false;
    pthread_mutex_lock(&playbacks->lock);
    for (const struct playback *at = playbacks->first; at != NULL; at = at->next)
        plays = plays || strcmp(at->file, file) == 0;
    pthread_mutex_unlock(&playbacks->lock);
    return plays;
}

void playbacks_available(struct api *api, const char *file, json_t *available)
{
    pthread_mutex_lock(&api->playbacks->lock);
    for (struct playback *at = api->playbacks->first; at != NULL; at = at->next) {
        if (strcmp(at->file, file) != 0 || json_equal(at->available, available))
            continue;
        json_decref(at->available);
        at->available = json_deep_copy(available);
        publish(api, at, "playback");
    }
    pthread_mutex_unlock(&api->playbacks->lock);
    json_decref(available);
}

void playbacks_marked(struct api *api, const char *file_id)
{
    struct library_file file = {0};
    struct why why = {0};
    if (!playbacks_play(api->playbacks, file_id) ||
        library_find(api->library, file_id, &file, &why) != OK)
        return;
    json_t *found = markers_found(api, &file);
    library_file_fini(&file);
    pthread_mutex_lock(&api->playbacks->lock);
    for (struct playback *at = api->playbacks->first; at != NULL; at = at->next) {
        if (strcmp(at->file, file_id) != 0)
            continue;
        json_decref(at->found);
        at->found = json_incref(found);
        publish(api, at, "playback");
    }
    pthread_mutex_unlock(&api->playbacks->lock);
    json_decref(found);
}

void playbacks_progress(struct api *api, const char *file, double fraction)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&api->playbacks->lock);
    for (struct playback *at = api->playbacks->first; at != NULL; at = at->next) {
        if (at->media != NULL || at->has_failed || strcmp(at->file, file) != 0)
            continue;
        at->progress = fraction;
        snprintf(at->reason, sizeof at->reason,
                 "the film does not say how long it is and is read through once: %d %%",
                 (int) (fraction * 100));
        if (now_ms - at->told_ms < TELL_EVERY_MS)
            continue;
        at->told_ms = now_ms;
        publish(api, at, "playback");
    }
    pthread_mutex_unlock(&api->playbacks->lock);
}

void playbacks_refresh(struct api *api, const char *file_id)
{
    struct library_file file = {0};
    struct why why = {0};
    if (!is_waited_for(api, file_id))
        return;
    enum err err = api_find_file(api, file_id, &file, NULL, &why);
    json_t *media = err == OK ? media_json(file.plans.bytes, file.plans.size, NULL, NULL) : NULL;
    if (media != NULL)
        tell_waiting(api, file_id, &file.plans, NULL);
    else if (err == ERR_BAD_MEDIA || err == ERR_NOT_FOUND)
        tell_waiting(api, file_id, NULL, why.text);
    json_decref(media);
    library_file_fini(&file);
}

/* --- POST --- */

struct wish {
    char file[STORE_ID_SIZE], item[STORE_ID_SIZE];
    char caps[CAPS_SIZE];
    double position;
    bool has_position;
};

static enum err read_id(const json_t *body, const char *name, char out[STORE_ID_SIZE],
                        struct why *why)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL)
        return OK;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return why_set(why, ERR_BAD_INPUT, name, "%s is the id of a file or title", name);
    copy_slice((struct slice){json_string_value(value), json_string_length(value)}, out,
               STORE_ID_SIZE);
    if (out[0] == '\0')
        return why_set(why, ERR_NOT_FOUND, name, "there is no such %s", name);
    return OK;
}

static enum err read_real(const json_t *body, const char *name, double max, double *out,
                          struct why *why)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL)
        return OK;
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < 0 || number > max)
        return why_set(why, ERR_BAD_INPUT, name, "%s is a number from 0 to %.0f", name, max);
    *out = number;
    return OK;
}

static enum err read_wish(struct request *request, struct wish *wish, struct why *why)
{
    json_t *body = NULL;
    *wish = (struct wish){0};
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = read_id(body, "file", wish->file, why);
    if (err == OK)
        err = read_id(body, "item", wish->item, why);
    if (err == OK)
        err = read_real(body, "position", POSITION_MAX_S, &wish->position, why);
    wish->has_position = json_object_get(body, "position") != NULL;
    if (err == OK)
        err = caps_read(json_object_get(body, "capabilities"), wish->caps, why);
    if (err == OK && (wish->file[0] == '\0') == (wish->item[0] == '\0'))
        err = why_set(why, ERR_BAD_INPUT, "file", "one of file and item is needed");
    return err;
}

/* What is not in the library is no child's; others may play downloads and links. */
static enum err may_play(const struct answer *answer, const char *file, struct why *why)
{
    struct store_place place;
    if (answer->user.role != ROLE_CHILD)
        return OK;
    enum err err = item_find(answer, file, &place, why);
    return err == OK && place.file[0] == '\0' ? ERR_NOT_FOUND : err;
}

/* Of a show the episode that the viewer has come to, in its place; when all are watched it begins anew. */
static enum err go_on_with(const struct answer *answer, const struct store_viewer *viewer,
                           struct store_title *show)
{
    struct store_title next = {0};
    enum err err = positions_write(answer->api->positions);
    if (err == OK)
        err = store_next_find(answer->api->store, show->id, viewer, &next);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK
                                    : err; /* the file that speaks for it is of the first one */
    store_title_fini(show);
    *show = next;
    return OK;
}

/* Of an item with several files the first that plays. */
static enum err choose_file(const struct answer *answer, struct wish *wish, struct why *why)
{
    struct store_title title = {0};
    const struct store_viewer viewer = answer_viewer(answer);
    if (wish->file[0] != '\0')
        return may_play(answer, wish->file, why);
    enum err err = store_title_find(answer->api->store, wish->item, &viewer, &title);
    if (err == OK && strcmp(title.kind, "show") == 0)
        err = go_on_with(answer, &viewer, &title);
    if (err != OK)
        store_title_fini(&title);
    if (err != OK)
        return why_set(why, err, "item", "there is no such item");
    const struct store_file *best = &title.files[0];
    for (size_t i = 1; i < title.file_count; i++)
        if (best->state != STORE_FILE_READY || best->is_offline)
            best = &title.files[i];
    memcpy(wish->file, best->id, sizeof wish->file);
    store_title_fini(&title);
    return OK;
}

/* `source` NULL: all of the file is there. */
static struct playback *make(const struct answer *answer, const struct wish *wish,
                             const struct library_file *file, const struct source *source)
{
    struct playback *playback = mem_new(struct playback);
    store_new_id(playback->id);
    snprintf(playback->user, sizeof playback->user, "%s", answer->user.id);
    memcpy(playback->file, wish->file, sizeof playback->file);
    memcpy(playback->item, file->row.title, sizeof playback->item);
    memcpy(playback->caps, wish->caps, sizeof playback->caps);
    playback->most = preferred_height(answer->api, answer->user.id);
    playback->position = wish->position;
    playback->rate = 1;
    playback->media = media_json(file->plans.bytes, file->plans.size, playback->caps, NULL);
    playback->found = markers_found(answer->api, file);
    playback->available = source != NULL ? availability_json(source) : NULL;
    snprintf(playback->reason, sizeof playback->reason, "the film is opened for the first time");
    playback->expires_ms = clock_wall_ms() + LIFE_MS;
    auth_sign_path(answer->api->auth, &answer->user, playback->id, playback->file, playback->cast);
    return playback;
}

static int64_t duration_ms_of(const struct playback *playback)
{
    return (int64_t) (json_number_value(json_object_get(playback->media, "duration")) * 1000);
}

/* Where the viewer left it, unless he says where to begin. */
static void resume(struct api *api, const struct wish *wish, struct playback *playback)
{
    struct store_progress progress;
    bool is_other_cut = false;
    if (wish->has_position || progress_of(api, playback->user, playback->item, &progress) != OK ||
        !progress_is_begun(progress.position_ms, progress.duration_ms) ||
        !progress_fits(&progress, playback->file, duration_ms_of(playback), &is_other_cut))
        return;
    playback->position = (double) progress.position_ms / 1000;
}

static enum err count_stream(const struct answer *answer, const struct playback *playback,
                             struct why *why)
{
    int most = answer->user.bounds.streams;
    return most == 0 ? OK
                     : streams_enter(answer->api->streams, playback->user, playback->id, most,
                                     clock_mono_ms(), why);
}

static void begin(struct answer *answer, struct playback *playback)
{
    struct api *api = answer->api;
    pthread_mutex_lock(&api->playbacks->lock);
    expire(api);
    make_room(api, playback->user);
    playback->next = api->playbacks->first;
    api->playbacks->first = playback;
    answer->body = to_json(api, playback);
    pthread_mutex_unlock(&api->playbacks->lock);
    answer->status = 201;
}

/* BUSY: the machine is converting for so many that nothing is left for this one. */
static enum err admit(struct hls *hls, const struct library_file *file, struct playback *playback,
                      struct why *why)
{
    const struct hls_wish wish = {.file = playback->file,
                                  .playback = playback->id,
                                  .caps = playback->caps,
                                  .position_ms = (int64_t) (playback->position * 1000),
                                  .plan = file->plans.bytes,
                                  .plan_size = file->plans.size};
    if (hls == NULL || file->plans.bytes == NULL)
        return OK;
    enum err err = hls_admit(hls, &wish, why);
    snprintf(playback->limited, sizeof playback->limited, "%s", why->text);
    return err;
}

static void start(struct answer *answer)
{
    struct wish *wish = answer->input;
    struct library_file file = {0};
    struct source *source = NULL;
    struct playback *playback = NULL;
    bool is_too_many = false;
    struct hls *hls = atomic_load(&answer->api->hls);
    enum err err = choose_file(answer, wish, &answer->why);
    if (err == OK)
        err = api_find_file(answer->api, wish->file, &file, &source, &answer->why);
    if (err == OK) {
        playback = make(answer, wish, &file, source);
        resume(answer->api, wish, playback);
        err = count_stream(answer, playback, &answer->why);
        is_too_many = err == ERR_LIMIT;
        if (err == OK)
            err = admit(hls, &file, playback, &answer->why);
    }
    if (err != OK) {
        if (playback != NULL)
            streams_leave(answer->api->streams, playback->user, playback->id);
        if (playback != NULL)
            free_playback(playback);
        answer_fail(answer, err, is_too_many ? 409 : 0);
        answer->retry_after_s = err == ERR_BUSY ? 5 : 0;
    } else {
        char id[STORE_ID_SIZE];
        int64_t position_ms = (int64_t) (playback->position * 1000);
        memcpy(id, wish->file, sizeof id);
        begin(answer, playback);
        if (hls != NULL)
            hls_warm(hls, id, position_ms, false);
        if (hls != NULL) /* before the playlist is asked for */
            hls_look_beside(hls, id);
        if (file.plans.bytes == NULL)
            playbacks_refresh(answer->api, id); /* it may have come meanwhile */
    }
    source_unref(&source);
    library_file_fini(&file);
}

void playback_post(struct request *request, void *ctx)
{
    struct wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = start, .input = &wish, .size = sizeof wish});
}

/* --- the others --- */

static void none(struct request *request)
{
    struct why why;
    enum err err = why_set(&why, ERR_NOT_FOUND, NULL, "there is no such playback, or it is over");
    reply_problem(request, 0, err, &why);
}

void playback_list(struct request *request, void *ctx)
{
    struct api *api = ctx;
    json_t *items = json_array();
    pthread_mutex_lock(&api->playbacks->lock);
    expire(api);
    for (const struct playback *at = api->playbacks->first; at != NULL; at = at->next)
        if (may_see(at, request_user(request)))
            json_array_append_new(items, to_json(api, at));
    pthread_mutex_unlock(&api->playbacks->lock);
    reply_json(request, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

void playback_get(struct request *request, void *ctx)
{
    char id[STORE_ID_SIZE];
    copy_slice(request_param(request, 0), id, sizeof id);
    json_t *object = playbacks_find(ctx, id, request_user(request));
    if (object == NULL)
        none(request);
    else
        reply_json(request, 200, object);
}

struct report {
    double position, rate;
    bool is_paused;
};

static enum err read_report(struct request *request, struct report *out, struct why *why)
{
    json_t *body = NULL;
    *out = (struct report){.rate = 1};
    enum err err = request_json(request, &body, why);
    if (err != OK)
        return err;
    const json_t *paused = json_object_get(body, "paused");
    if (json_object_get(body, "position") == NULL)
        return why_set(why, ERR_BAD_INPUT, "position", "position is missing");
    if (paused != NULL && !json_is_boolean(paused))
        return why_set(why, ERR_BAD_INPUT, "paused", "paused is true or false");
    out->is_paused = json_is_true(paused);
    err = read_real(body, "position", POSITION_MAX_S, &out->position, why);
    return err == OK ? read_real(body, "rate", 16, &out->rate, why) : err;
}

/* The credits run: what is left is names. */
static bool is_at_credits(const struct playback *playback)
{
    bool is_at = false;
    const json_t *marker;
    size_t i;
    json_t *markers = markers_json(playback->media, playback->found);
    json_array_foreach(markers, i, marker)
    {
        const char *kind = json_string_value(json_object_get(marker, "kind"));
        double start = json_number_value(json_object_get(marker, "start"));
        /* Those at the beginning are no end. */
        is_at =
            is_at || (kind != NULL && strcmp(kind, "credits") == 0 && playback->position >= start &&
                      start * 2000 >= (double) duration_ms_of(playback));
    }
    json_decref(markers);
    return is_at;
}

/* Who stands still says nothing new: of two devices the one that plays counts. Under the lock. */
static void keep_position(struct api *api, struct playback *playback, double before)
{
    struct store_report report = {.progress = {.position_ms = (int64_t) (playback->position * 1000),
                                               .duration_ms = duration_ms_of(playback),
                                               .at_ms = clock_wall_ms()}};
    if (playback->position == before)
        return;
    snprintf(report.user, sizeof report.user, "%s", playback->user);
    memcpy(report.progress.item, playback->item, sizeof report.progress.item);
    memcpy(report.progress.file, playback->file, sizeof report.progress.file);
    report.is_whole = is_at_credits(playback);
    if (positions_report(api->positions, &report) != OK)
        log_warning("playback.position", log_str("id", playback->id));
}

/* A player reports although it may be over for the limit: it counts as watched for no longer. */
static void count_report(struct api *api, const struct http_user *user,
                         const struct playback *playback)
{
    struct why why;
    if (user->bounds.streams > 0 && strcmp(user->id, playback->user) == 0 &&
        streams_enter(api->streams, user->id, playback->id, user->bounds.streams, clock_mono_ms(),
                      &why) != OK)
        log_debug("playback.too_many", log_str("id", playback->id));
}

void playback_put(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct report report;
    struct why why = {0};
    char id[STORE_ID_SIZE];
    copy_slice(request_param(request, 0), id, sizeof id);
    enum err err = read_report(request, &report, &why);
    if (err != OK) {
        reply_problem(request, 0, err, &why);
        return;
    }
    pthread_mutex_lock(&api->playbacks->lock);
    struct playback **at = find(api->playbacks, id, request_user(request));
    if (at != NULL) {
        double before = (*at)->position;
        (*at)->position = report.position;
        keep_position(api, *at, before);
        count_report(api, request_user(request), *at);
        (*at)->rate = report.rate;
        (*at)->is_paused = report.is_paused;
        (*at)->expires_ms = clock_wall_ms() + LIFE_MS;
        publish(api, *at, "playback");
    }
    pthread_mutex_unlock(&api->playbacks->lock);
    if (at == NULL)
        none(request);
    else
        reply_empty(request, 204);
}

void playback_delete(struct request *request, void *ctx)
{
    struct api *api = ctx;
    char id[STORE_ID_SIZE];
    copy_slice(request_param(request, 0), id, sizeof id);
    pthread_mutex_lock(&api->playbacks->lock);
    struct playback **at = find(api->playbacks, id, request_user(request));
    bool found = at != NULL;
    if (found)
        drop(api, at);
    pthread_mutex_unlock(&api->playbacks->lock);
    if (found)
        reply_empty(request, 204);
    else
        none(request);
}
