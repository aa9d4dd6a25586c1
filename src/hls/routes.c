/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/routes.h"

#include <string.h>

static bool is_id(struct slice text)
{
    if (text.length == 0 || text.length >= ASK_PLAYBACK_SIZE)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
        if (!is_good)
            return false;
    }
    return true;
}

/* Decision 4: what a script fetches is hls.js's; a media element's own request says "video". */
static enum err read_client(struct request *request, bool *is_native, struct why *why)
{
    struct slice client = request_query(request, "client");
    if (client.at == NULL)
        *is_native = !slice_is(request_header(request, "sec-fetch-dest"), "empty");
    else if (slice_is(client, "native") || slice_is(client, "mse"))
        *is_native = slice_is(client, "native");
    else
        return why_set(why, ERR_BAD_INPUT, "client", "client is mse or native");
    return OK;
}

/* "subtitle-2": its number. */
static enum err read_burn(struct request *request, uint32_t *number, struct why *why)
{
    static const char prefix[] = "subtitle-";
    const size_t length = sizeof prefix - 1;
    struct slice burn = request_query(request, "burn");
    uint64_t value = 0;
    if (burn.at == NULL)
        return OK;
    if (!slice_starts(burn, prefix) ||
        slice_number((struct slice){burn.at + length, burn.length - length}, PLAN_MAX_TRACKS,
                     &value) != OK ||
        value == 0)
        return why_set(
            why, ERR_BAD_INPUT, "burn",
            "burn names subtitles in the film, as subtitle-1: none beside it is drawn in");
    *number = (uint32_t) value;
    return OK;
}

/* "720": pictures of no more lines. */
static enum err read_most(struct request *request, uint32_t *height, struct why *why)
{
    struct slice most = request_query(request, "most");
    uint64_t value = 0;
    if (most.at != NULL && (slice_number(most, 16384, &value) != OK || value == 0))
        return why_set(why, ERR_BAD_INPUT, "most", "most is a height in lines");
    *height = (uint32_t) value;
    return OK;
}

enum err routes_read_query(struct request *request, struct routes_query *out, struct why *why)
{
    *out = (struct routes_query){0};
    out->client.playback = out->playback;
    struct slice playback = request_query(request, "p");
    if (playback.at != NULL) {
        if (!is_id(playback))
            return why_set(why, ERR_BAD_INPUT, "p", "p is no id of a playback");
        memcpy(out->playback, playback.at, playback.length);
    }
    enum err kind = read_client(request, &out->client.is_native, why);
    if (kind == OK)
        kind = read_burn(request, &out->client.burn, why);
    if (kind == OK)
        kind = read_most(request, &out->client.most_height, why);
    if (kind == OK)
        playlist_caps(request_query(request, "caps"), &out->client);
    return kind;
}

void routes_reply_failure(struct request *request, enum err kind, const struct why *why)
{
    switch (kind) {
    case ERR_BAD_INPUT:
        reply_problem(request, 400, kind, why);
        return;
    case ERR_NOT_FOUND:
        reply_problem(request, 404, kind, why);
        return;
    case ERR_REFUSED:
        reply_problem(request, 403, kind, why);
        return;
    case ERR_GONE:
        reply_problem(request, 410, kind, why);
        return;
    case ERR_BAD_MEDIA:
    case ERR_LIMIT:
        reply_problem(request, 502, kind, why);
        return;
    case OK:
    case ERR_AGAIN:
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
    case ERR_IO:
    case ERR_COUNT:
        break;
    }
    reply_problem(request, 0, ERR_BUSY, why);
}

void hls_serve_master(struct request *request, void *hls)
{
    routes_serve_text(request, hls, ROUTES_MASTER);
}

void hls_serve_storyboard(struct request *request, void *hls)
{
    routes_serve_text(request, hls, ROUTES_STORYBOARD);
}

/* "17.m4s": digits without a sign, a space or a leading zero. */
static bool read_number(struct slice name, const char *suffix, uint32_t *out)
{
    size_t length = strlen(suffix);
    uint64_t number = 0;
    if (name.length <= length || memcmp(name.at + name.length - length, suffix, length) != 0)
        return false;
    struct slice digits = {name.at, name.length - length};
    if (slice_number(digits, UINT32_MAX, &number) != OK ||
        (digits.length > 1 && digits.at[0] == '0'))
        return false;
    *out = (uint32_t) number;
    return true;
}

static bool ends_with(struct slice text, struct slice suffix)
{
    return text.length > suffix.length &&
           memcmp(text.at + text.length - suffix.length, suffix.at, suffix.length) == 0;
}

/* Its init segment is made as its segments are (plan_add_device). */
static bool is_on_device(struct slice rendition)
{
    return ends_with(rendition, SLICE(PLAN_DEVICE_SUFFIX)) ||
           ends_with(rendition, SLICE(PLAN_HEVC_SUFFIX));
}

void hls_serve_media(struct request *request, void *hls)
{
    struct slice name = request_param(request, 2);
    struct why why;
    uint32_t n = 0;
    if (slice_is(request_param(request, 1), "storyboard"))
        routes_serve_sheet(request, hls, name);
    else if (routes_is_beside(request) && (slice_is(name, "index.m3u8") || slice_is(name, "0.vtt")))
        routes_serve_beside(request, hls, slice_is(name, "index.m3u8"));
    else if (slice_is(name, "index.m3u8"))
        routes_serve_text(request, hls, ROUTES_MEDIA);
    else if (slice_is(name, "init.mp4") && is_on_device(request_param(request, 1)))
        routes_serve_segment(request, hls, ASK_INIT, PLAN_VIDEO);
    else if (slice_is(name, "init.mp4"))
        routes_serve_text(request, hls, ROUTES_INIT);
    else if (read_number(name, ".m4s", &n))
        routes_serve_segment(request, hls, n, PLAN_VIDEO);
    else if (read_number(name, ".vtt", &n))
        routes_serve_segment(request, hls, n, PLAN_SUBTITLE);
    else if (read_number(name, ".json", &n))
        routes_serve_segment(request, hls, n, PLAN_PICTURES);
    else
        routes_reply_failure(
            request, why_set(&why, ERR_NOT_FOUND, NULL, "a rendition holds no such thing"), &why);
}
