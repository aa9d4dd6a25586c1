/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles that are no segments of a plan: those beside the film as renditions of one segment, the
 * list of all that a film has, each of them whole, as a file, and the fonts that come with it.
 * Life of a request: asked -> the film -> (its text) -> answered | gone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "hls/routes.h"
#include "hls/text.h"

enum {
    TEXT_HOLD_MS = 2000, /* decision 26 */
    FILE_HOLD_MS = 20000,
    NAME_MOST = 64,
};

static const char vtt_type[] = "text/vtt; charset=utf-8";

enum purpose { BESIDE_PLAYLIST, BESIDE_SEGMENT, LIST, FILE_WHOLE, FONT };

/* How a whole subtitle is asked for. */
enum ending { ENDING_VTT, ENDING_ASS, ENDING_ORIG };

struct serving {
    struct request *request; /* NULL once answered or gone */
    struct hls *hls;
    enum purpose purpose;
    struct routes_query query;
    /* FILE_WHOLE */
    char name[NAME_MOST]; /* without its ending */
    enum ending ending;
    struct convert_what what;
    struct ask *ask;
    struct text_ask *text;
    uv_timer_t timer;
};

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_gone(void *ctx)
{
    struct serving *serving = ctx;
    serving->request = NULL;
    ask_close(&serving->ask);
    text_ask_close(&serving->text);
    uv_close((uv_handle_t *) &serving->timer, on_timer_closed);
}

static struct request *take_request(struct serving *serving)
{
    struct request *request = serving->request;
    serving->request = NULL;
    uv_timer_stop(&serving->timer);
    return request;
}

static void fail(struct serving *serving, enum err kind, const struct why *why)
{
    if (serving->request != NULL)
        routes_reply_failure(take_request(serving), kind, why);
}

/* --- beside the film, in playlists --- */

/* Decision 2. NULL: it was answered. */
static const struct beside_file *find_beside(struct serving *serving, const struct film *film,
                                             const struct beside *beside)
{
    char version[FILM_VERSION_SIZE];
    struct why why;
    struct slice asked = request_query(serving->request, "v");
    const struct beside_file *file = beside_get(beside, request_param(serving->request, 1));
    if (file == NULL && asked.at == NULL) {
        fail(serving, why_set(&why, ERR_NOT_FOUND, NULL, "there are no such subtitles"), &why);
        return NULL;
    }
    if (file != NULL)
        film_beside_version(film, file, version);
    if (file == NULL || (asked.at != NULL && !slice_is(asked, version))) {
        fail(serving, why_set(&why, ERR_GONE, "v", "the subtitles are no more, or others"), &why);
        return NULL;
    }
    return file;
}

static void reply_playlist(struct serving *serving, const struct film *film,
                           const struct beside_file *file)
{
    struct str text = {0};
    bool has_version = request_query(serving->request, "v").at != NULL;
    const struct reply_bytes_options options = {.content_type = "application/vnd.apple.mpegurl",
                                                .cache_control =
                                                    has_version ? "private, no-cache" : "no-store",
                                                .compressible = true,
                                                .etag = true};
    playlist_beside(film, file, &serving->query.client, &text);
    reply_bytes(take_request(serving), 200, &options, str_text(&text), text.length);
    str_fini(&text);
}

/* --- whole texts --- */

static void put_safety(struct request *request)
{
    reply_header(request, "content-security-policy", "sandbox; default-src 'none'");
    reply_header(request, "cross-origin-resource-policy", "same-origin");
}

static void reply_text(struct serving *serving, const struct text_answer *answer)
{
    bool is_segment = serving->purpose == BESIDE_SEGMENT;
    bool has_version = is_segment && request_query(serving->request, "v").at != NULL;
    struct reply_bytes_options options = {.content_type = vtt_type,
                                          .cache_control = has_version
                                                               ? "private, max-age=86400, immutable"
                                                           : is_segment ? "no-store"
                                                                        : "private, no-cache",
                                          .compressible = true,
                                          .etag = true,
                                          .ranges = true};
    struct request *request = take_request(serving);
    if (!is_segment && serving->ending == ENDING_ASS)
        options.content_type = "text/plain; charset=utf-8";
    if (!is_segment && serving->ending == ENDING_ORIG) {
        options.content_type = "application/octet-stream";
        reply_header(request, "content-disposition", "attachment");
    }
    put_safety(request);
    reply_bytes(request, 200, &options, answer->bytes, answer->size);
}

/* The media process let nothing else through. */
static const char *font_type(const struct text_answer *answer)
{
    if (answer->size >= 4 && memcmp(answer->bytes, "OTTO", 4) == 0)
        return "font/otf";
    if (answer->size >= 4 && memcmp(answer->bytes, "ttcf", 4) == 0)
        return "font/collection";
    return "font/ttf";
}

static void reply_font(struct serving *serving, const struct text_answer *answer)
{
    const struct reply_bytes_options options = {.content_type = font_type(answer),
                                                .cache_control = "private, no-cache",
                                                .etag = true,
                                                .ranges = true};
    struct request *request = take_request(serving);
    put_safety(request);
    reply_bytes(request, 200, &options, answer->bytes, answer->size);
}

static void on_text(void *ctx, const struct text_answer *answer)
{
    struct serving *serving = ctx;
    if (serving->request == NULL)
        return;
    if (answer->kind == OK && serving->purpose == FONT)
        reply_font(serving, answer);
    else if (answer->kind == OK)
        reply_text(serving, answer);
    else
        fail(serving, answer->kind, answer->why);
}

static void ask_text(struct serving *serving, struct film *film, const struct beside_file *file,
                     const struct convert_what *what)
{
    const struct text_options options = {.film = film,
                                         .file = file,
                                         .is_raw = serving->purpose == FILE_WHOLE &&
                                                   serving->ending == ENDING_ORIG,
                                         .what = *what};
    serving->text =
        text_ask(serving->hls, &options, request_mailbox(serving->request), on_text, serving);
}

/* Subtitles have one name in the API, whatever form they have. */
static bool is_called(const struct plan *plan, uint32_t rendition, const char *name)
{
    char own[32];
    snprintf(own, sizeof own, "subtitle-%u",
             plan->tracks[plan->renditions[rendition].track].number);
    return strcmp(own, name) == 0;
}

/* "subtitle-3" of the film: the number of its track. 0: none that is text. */
static uint32_t track_of(const struct film *film, const char *name, struct why *why)
{
    const struct plan *plan = film->plan;
    int rendition = plan_find(plan, name);
    if (rendition >= 0 && plan->renditions[rendition].kind == PLAN_SUBTITLE)
        return plan->tracks[plan->renditions[rendition].track].number;
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].kind == PLAN_PICTURES && is_called(plan, i, name)) {
            why_set(why, ERR_NOT_FOUND, NULL,
                    "these subtitles are pictures, which no file of text can hold");
            return 0;
        }
    why_set(why, ERR_NOT_FOUND, NULL, "the film has no such subtitles");
    return 0;
}

static void serve_whole(struct serving *serving, struct film *film, const struct beside *beside)
{
    struct why why;
    const struct beside_file *file = beside_get(beside, slice_of(serving->name));
    if (file == NULL) {
        serving->what.track = track_of(film, serving->name, &why);
        if (serving->what.track == 0) {
            fail(serving, ERR_NOT_FOUND, &why);
            return;
        }
        if (serving->ending == ENDING_ORIG) {
            fail(serving,
                 why_set(&why, ERR_NOT_FOUND, NULL,
                         "what is inside a film is had as WebVTT or ASS, or with the film"),
                 &why);
            return;
        }
    }
    ask_text(serving, film, file, &serving->what);
}

/* --- the list --- */

static json_t *track_json(const struct plan *plan, uint32_t index)
{
    const struct plan_track *track = &plan->tracks[index];
    char name[32], pictures[32];
    snprintf(name, sizeof name, "subtitle-%u", track->number);
    snprintf(pictures, sizeof pictures, "pictures-%u", track->number);
    bool are_pictures = plan_find(plan, pictures) >= 0;
    bool is_offered = are_pictures || plan_find(plan, name) >= 0;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "id", name, "place", "film", "codec",
                  track->codec_name, "language", track->language, "title", track->title, "forced",
                  (int) track->is_forced, "sdh", (int) track->is_sdh, "offered", (int) is_offered);
    if (are_pictures)
        json_object_set_new(object, "kind", json_string("pictures"));
    else if (is_offered)
        json_object_set_new(object, "kind", json_string("text"));
    if (!is_offered && track->refused[0] != '\0')
        json_object_set_new(object, "reason", json_string(track->refused));
    return object;
}

static json_t *beside_json(const struct beside_file *file)
{
    struct str name = {0};
    str_append_utf8(&name, file->name, strlen(file->name));
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:s}", "id", file->id, "place",
                  "beside", "kind", "text", "codec", file->format, "language", file->language,
                  "title", file->title, "forced", (int) file->is_forced, "sdh", (int) file->is_sdh,
                  "offered", 1, "name", str_text(&name));
    str_fini(&name);
    return object;
}

static void reply_list(struct serving *serving, const struct film *film,
                       const struct beside *beside)
{
    size_t count;
    const struct beside_file *files = beside_files(beside, &count);
    json_t *items = json_array();
    for (uint32_t i = 0; i < film->plan->track_count; i++)
        if (film->plan->tracks[i].kind == PLAN_SUBTITLE)
            json_array_append_new(items, track_json(film->plan, i));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, beside_json(&files[i]));
    reply_json(take_request(serving), 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

/* --- the film --- */

static void serve(struct serving *serving, struct film *film)
{
    static const struct convert_what segment = {.form = CONVERT_HLS, .scale = CONVERT_SCALE_ONE};
    CLEANUP(beside_unref) struct beside *beside = film_beside(film);
    const struct beside_file *file = NULL;
    switch (serving->purpose) {
    case LIST:
        reply_list(serving, film, beside);
        return;
    case FILE_WHOLE:
        serve_whole(serving, film, beside);
        return;
    case FONT:
        ask_text(serving, film, NULL, &serving->what);
        return;
    case BESIDE_PLAYLIST:
    case BESIDE_SEGMENT:
        break;
    }
    file = find_beside(serving, film, beside);
    if (file != NULL && serving->purpose == BESIDE_PLAYLIST)
        reply_playlist(serving, film, file);
    else if (file != NULL)
        ask_text(serving, film, file, &segment);
}

static void on_answer(void *ctx, const struct ask_answer *told)
{
    struct serving *serving = ctx;
    if (serving->request == NULL || serving->text != NULL)
        return;
    if (told->kind == OK)
        serve(serving, told->film);
    else
        fail(serving, told->kind, told->why);
}

static void on_timeout(uv_timer_t *timer)
{
    struct why why;
    fail(timer->data, why_set(&why, ERR_BUSY, NULL, "the subtitles are not ready yet"), &why);
}

static void begin(struct serving *serving, struct request *request)
{
    const struct shelf_name name = {.id = request_param(request, 0)};
    int rendition = ASK_NO_RENDITION;
    int64_t hold_ms = serving->purpose == BESIDE_SEGMENT ? TEXT_HOLD_MS : FILE_HOLD_MS;
    serving->request = request;
    serving->query.client.playback = serving->query.playback;
    MUST(uv_timer_init(request_loop(request), &serving->timer) == 0);
    serving->timer.data = serving;
    request_on_gone(request, on_gone, serving);
    uv_timer_start(&serving->timer, on_timeout, (uint64_t) hold_ms, 0);
    CLEANUP(film_unref) struct film *film = shelf_find(serving->hls->shelf, &name, &rendition);
    if (film != NULL) {
        serve(serving, film);
        return;
    }
    const struct ask_options options = {
        .kind = ASK_FILM, .file = name.id, .playback = serving->query.playback};
    serving->ask = ask_open(serving->hls, &options, request_mailbox(request), on_answer, serving);
}

bool routes_is_beside(const struct request *request)
{
    return slice_starts(request_param(request, 1), BESIDE_PREFIX);
}

void routes_serve_beside(struct request *request, struct hls *hls, bool is_playlist)
{
    struct why why;
    struct routes_query query;
    enum err kind = routes_read_query(request, &query, &why);
    if (kind != OK) {
        routes_reply_failure(request, kind, &why);
        return;
    }
    struct serving *serving = mem_new(struct serving);
    serving->hls = hls;
    serving->purpose = is_playlist ? BESIDE_PLAYLIST : BESIDE_SEGMENT;
    serving->query = query;
    begin(serving, request);
}

void hls_serve_subtitles(struct request *request, void *hls)
{
    struct serving *serving = mem_new(struct serving);
    serving->hls = hls;
    serving->purpose = LIST;
    begin(serving, request);
}

/* --- what is asked of a whole text --- */

static bool read_ending(struct slice asked, struct serving *serving)
{
    static const char *const endings[] = {".vtt", ".ass", ".orig"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i]);
        if (asked.length <= length || asked.length - length >= sizeof serving->name ||
            memcmp(asked.at + asked.length - length, endings[i], length) != 0)
            continue;
        serving->ending = (enum ending) i;
        memcpy(serving->name, asked.at, asked.length - length);
        return true;
    }
    return false;
}

/* A number that may have a fraction; absent: `fallback`. */
static bool read_real(struct slice text, double fallback, double least, double most, double *out)
{
    char copy[32], *end = NULL;
    *out = fallback;
    if (text.at == NULL)
        return true;
    if (text.length == 0 || text.length >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out) && *out >= least && *out <= most;
}

static enum err read_wish(struct request *request, struct serving *serving, struct why *why)
{
    enum { MS = 1000 };
    const double least = 0.1, most = 10, day_s = (double) CONVERT_SHIFT_MOST_MS / MS;
    double shift, scale;
    if (!read_ending(request_param(request, 1), serving))
        return why_set(why, ERR_NOT_FOUND, NULL, "subtitles end with .vtt, .ass or .orig");
    if (!read_real(request_query(request, "shift"), 0, -day_s, day_s, &shift))
        return why_set(why, ERR_BAD_INPUT, "shift", "shift is a number of seconds");
    if (!read_real(request_query(request, "scale"), 1, least, most, &scale))
        return why_set(why, ERR_BAD_INPUT, "scale", "scale is a factor from 0.1 to 10");
    if (serving->ending != ENDING_VTT && (shift != 0 || scale != 1))
        return why_set(why, ERR_BAD_INPUT, shift != 0 ? "shift" : "scale",
                       "only WebVTT is shifted and scaled");
    serving->what =
        (struct convert_what){.form = serving->ending == ENDING_ASS ? CONVERT_ASS : CONVERT_VTT,
                              .scale = (uint32_t) (scale * CONVERT_SCALE_ONE + 0.5),
                              .shift_ms = (int64_t) (shift * MS + (shift < 0 ? -0.5 : 0.5))};
    return OK;
}

void hls_serve_subtitle(struct request *request, void *hls)
{
    struct why why;
    struct serving *serving = mem_new(struct serving);
    serving->hls = hls;
    serving->purpose = FILE_WHOLE;
    enum err kind = read_wish(request, serving, &why);
    if (kind != OK) {
        mem_free(serving);
        routes_reply_failure(request, kind, &why);
        return;
    }
    begin(serving, request);
}

void hls_serve_font(struct request *request, void *hls)
{
    struct why why;
    uint64_t number = 0;
    const uint64_t most = 1000;
    if (slice_number(request_param(request, 1), most, &number) != OK || number == 0) {
        routes_reply_failure(request,
                             why_set(&why, ERR_NOT_FOUND, NULL, "fonts are counted from 1"), &why);
        return;
    }
    struct serving *serving = mem_new(struct serving);
    serving->hls = hls;
    serving->purpose = FONT;
    serving->what = (struct convert_what){
        .track = (uint32_t) number, .form = CONVERT_FONT, .scale = CONVERT_SCALE_ONE};
    begin(serving, request);
}
