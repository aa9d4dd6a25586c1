/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan in the words of the API (schema Media of conf/openapi.yaml) and of `matinee inspect`. */
#include <string.h>

#include "hls/hls.h"
#include "hls/playlist.h"

static json_t *text(const char *words)
{
    json_t *value = json_string(words);
    return value != NULL ? value : json_string(""); /* not UTF-8: cannot come out of plan_read */
}

static void put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static void put_text(json_t *object, const char *key, const char *words)
{
    if (words[0] != '\0')
        put(object, key, text(words));
}

static const char *kind_name(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_VIDEO:
        return "video";
    case PLAN_AUDIO:
        return "audio";
    case PLAN_IFRAMES:
        return "iframes";
    case PLAN_PICTURES:
        return "pictures";
    case PLAN_SUBTITLE:
        break;
    }
    return "subtitle";
}

static const char *container_name(enum plan_container container)
{
    switch (container) {
    case CONTAINER_MKV:
        return "matroska";
    case CONTAINER_MP4:
        return "mp4";
    case CONTAINER_OTHER:
    case CONTAINER_COUNT:
        break;
    }
    return "other";
}

static void put_video(json_t *object, const struct plan_track *track)
{
    put(object, "width", json_integer(track->width));
    put(object, "height", json_integer(track->height));
    put(object, "rotation", json_integer(track->rotation));
    put(object, "bit_depth", json_integer(track->bit_depth));
    put(object, "interlaced", json_boolean(track->is_interlaced));
    put(object, "cover", json_boolean(track->is_cover));
    if (track->fps_den > 0 && track->fps_num > 0)
        put(object, "fps", json_real((double) track->fps_num / track->fps_den));
}

static void put_audio(json_t *object, const struct plan_track *track)
{
    put(object, "rate", json_integer(track->rate));
    put(object, "channels", json_integer(track->channels));
}

/* Offered or not, and why not. */
static json_t *verdict(const struct plan *plan, uint32_t track, bool is_copy, const char *reason)
{
    bool is_offered = false;
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        is_offered |= plan->renditions[i].track == track && plan->renditions[i].is_copy == is_copy;
    json_t *object = json_object();
    put(object, "offered", json_boolean(is_offered));
    if (!is_offered)
        put_text(object, "reason", reason);
    return object;
}

static const char *way_name(enum playlist_way way)
{
    switch (way) {
    case WAY_COPY:
        return "copy";
    case WAY_TRANSCODE:
        return "transcode";
    case WAY_REFUSED:
        break;
    }
    return "refused";
}

static json_t *describe_way(const struct playlist_client *client, const struct plan *plan,
                            uint32_t track)
{
    struct why why;
    json_t *object = json_object();
    enum playlist_way way = playlist_judge(client, plan, track, &why);
    put(object, "way", json_string(way_name(way)));
    if (way != WAY_COPY)
        put_text(object, "reason", why.text);
    return object;
}

/* How clients as they usually are would get the track. */
static json_t *describe_clients(const struct plan *plan, uint32_t track)
{
    json_t *clients = json_object();
    for (size_t i = 0; i < playlist_kind_count; i++) {
        const char *caps = playlist_kinds[i].caps;
        struct playlist_client client = {.is_native = playlist_kinds[i].is_native};
        playlist_caps((struct slice){caps, strlen(caps)}, &client);
        put(clients, playlist_kinds[i].name, describe_way(&client, plan, track));
    }
    return clients;
}

static json_t *describe_track(const struct plan *plan, uint32_t index)
{
    const struct plan_track *track = &plan->tracks[index];
    json_t *object = json_object();
    put(object, "kind", json_string(kind_name(track->kind)));
    put(object, "number", json_integer(track->number));
    put(object, "codec", text(track->codec_name));
    put_text(object, "profile", track->profile);
    put(object, "language", text(track->language));
    put_text(object, "title", track->title);
    put(object, "default", json_boolean(track->is_default));
    put(object, "forced", json_boolean(track->is_forced));
    put(object, "sdh", json_boolean(track->is_sdh));
    put(object, "commentary", json_boolean(track->is_commentary));
    put(object, "descriptive", json_boolean(track->is_descriptive));
    if (track->kind == PLAN_VIDEO)
        put_video(object, track);
    if (track->kind == PLAN_AUDIO)
        put_audio(object, track);
    const char *why_no_copy = track->copy_refused[0] != '\0' ? track->copy_refused : track->refused;
    put(object, "copy", verdict(plan, index, true, why_no_copy));
    put(object, "transcode", verdict(plan, index, false, track->refused));
    if (track->kind != PLAN_SUBTITLE)
        put(object, "clients", describe_clients(plan, index));
    return object;
}

static json_t *describe_rendition(const struct plan *plan, uint32_t index)
{
    const struct plan_rendition *rendition = &plan->renditions[index];
    json_t *object = json_object();
    put(object, "name", text(rendition->name));
    put(object, "kind", json_string(kind_name(rendition->kind)));
    put(object, "track", json_integer(plan->tracks[rendition->track].number));
    put(object, "copy", json_boolean(rendition->is_copy));
    put_text(object, "codecs", rendition->codecs);
    put(object, "bandwidth", json_integer(rendition->bandwidth));
    put(object, "average_bandwidth", json_integer(rendition->average_bandwidth));
    put(object, "segments", json_integer(plan_segment_count(plan, index)));
    if (rendition->kind == PLAN_VIDEO || rendition->kind == PLAN_IFRAMES) {
        put(object, "width", json_integer(rendition->width));
        put(object, "height", json_integer(rendition->height));
        put(object, "independent", json_boolean(rendition->is_independent));
        put_text(object, "video_range", rendition->video_range);
    }
    if (plan_burnt(rendition) > 0)
        put(object, "burnt", json_integer(plan_burnt(rendition)));
    if (rendition->kind == PLAN_AUDIO) {
        put(object, "channels", json_integer(rendition->channels));
        put(object, "night", json_boolean(rendition->is_night));
    }
    return object;
}

static json_t *describe_chapter(const struct plan_chapter *chapter)
{
    json_t *object = json_object();
    put(object, "start", json_real((double) chapter->start_ms / 1000));
    put(object, "end", json_real((double) chapter->end_ms / 1000));
    put(object, "title", text(chapter->title));
    return object;
}

void hls_describe_for(const struct plan *plan, const char *caps, json_t *media)
{
    struct playlist_client client = {0};
    json_t *tracks = json_object_get(media, "tracks");
    playlist_caps((struct slice){caps[0] != '\0' ? caps : NULL, strlen(caps)}, &client);
    for (uint32_t i = 0; i < plan->track_count; i++)
        if (plan->tracks[i].kind != PLAN_SUBTITLE)
            put(json_array_get(tracks, i), "delivery", describe_way(&client, plan, i));
}

json_t *hls_describe(const struct plan *plan)
{
    json_t *media = json_object();
    json_t *tracks = json_array();
    json_t *renditions = json_array();
    json_t *chapters = json_array();
    for (uint32_t i = 0; i < plan->track_count; i++)
        json_array_append_new(tracks, describe_track(plan, i));
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        json_array_append_new(renditions, describe_rendition(plan, i));
    for (uint32_t i = 0; i < plan->chapter_count; i++)
        json_array_append_new(chapters, describe_chapter(&plan->chapters[i]));
    put(media, "container", json_string(container_name(plan->container)));
    put(media, "format", text(plan->format));
    put(media, "size", json_integer((json_int_t) plan->source_size));
    put(media, "duration",
        json_real(plan->timescale > 0 ? (double) plan->end / plan->timescale : 0));
    if (plan->fps_num > 0 && plan->fps_den > 0)
        put(media, "fps", json_real((double) plan->fps_num / plan->fps_den));
    put(media, "tracks", tracks);
    put(media, "renditions", renditions);
    put(media, "chapters", chapters);
    json_t *copy = json_object();
    put(copy, "segments", json_integer(plan->copy_count));
    put(copy, "pending", json_boolean(plan->wants_scan));
    put(media, "copy", copy);
    return media;
}
