/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/titles/{id}, and a title in the words of the API. */
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

const char *file_state_name(const struct store_file *file)
{
    if (file->is_offline)
        return "offline";
    switch (file->state) {
    case STORE_FILE_WAITING:
        return "waiting";
    case STORE_FILE_READY:
        return "ready";
    case STORE_FILE_UNREADABLE:
        break;
    }
    return "unreadable";
}

const char *file_reason(const struct store_file *file)
{
    if (file->is_offline)
        return "the disk that holds the file is not there";
    return file->state == STORE_FILE_UNREADABLE ? file->reason : NULL;
}

json_t *duration_json(int64_t duration_ms)
{
    return duration_ms < 0 ? json_null() : json_real((double) duration_ms / 1000);
}

static void put_reason(json_t *object, const struct store_file *file)
{
    if (file_reason(file) != NULL)
        json_object_set_new(object, "reason", json_text(file_reason(file)));
}

static json_t *file_of_title(const struct store_file *file)
{
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:s}", "id", file->id, "name", json_text(file->name), "duration",
                  duration_json(file->duration_ms), "state", file_state_name(file));
    put_reason(object, file);
    return object;
}

/* The file that speaks for the title: one that plays, or else one that may soon. */
static const struct store_file *best_file(const struct store_title *title)
{
    const struct store_file *best = &title->files[0];
    static const int RANKS[] = {
        [STORE_FILE_WAITING] = 2, [STORE_FILE_READY] = 3, [STORE_FILE_UNREADABLE] = 0};
    for (size_t i = 1; i < title->file_count; i++) {
        const struct store_file *file = &title->files[i];
        int rank = file->is_offline ? 1 : RANKS[file->state];
        int best_rank = best->is_offline ? 1 : RANKS[best->state];
        if (rank > best_rank)
            best = file;
    }
    return best;
}

json_t *seconds_json(int64_t ms)
{
    return json_real((double) ms / 1000);
}

/* Of an episode: of what show it is, and where it stands there. */
static void put_place(json_t *object, const char *show, const char *show_title, int season,
                      int episode)
{
    if (show[0] == '\0')
        return;
    json_object_set_new(object, "show",
                        json_pack("{s:s, s:o}", "id", show, "title",
                                  json_text(show_title != NULL ? show_title : "")));
    json_object_set_new(object, "season", json_integer(season));
    json_object_set_new(object, "episode", json_integer(episode));
}

json_t *item_json(const struct store_item *item)
{
    json_t *object = json_pack("{s:s, s:s, s:o, s:o, s:n, s:b}", "id", item->id, "kind", item->kind,
                               "title", json_text(item->title), "year",
                               item->year != 0 ? json_integer(item->year) : json_null(), "poster",
                               "here", item->is_here);
    put_place(object, item->show, item->show_title, item->season, item->episode);
    return object;
}

void title_refresh(struct api *api, const char *user, struct store_title *title)
{
    struct store_report fresh;
    if (positions_find(api->positions, user, title->id, &fresh) != OK)
        return;
    title->has_progress = !report_is_whole(&fresh);
    title->is_watched = title->is_watched || report_is_whole(&fresh);
    title->progress = fresh.progress;
}

static void put_progress(json_t *object, const struct store_title *title)
{
    const struct store_progress *progress = &title->progress;
    if (title->has_progress && progress_is_begun(progress->position_ms, progress->duration_ms))
        json_object_set_new(
            object, "progress",
            json_pack("{s:o, s:o, s:s, s:o}", "position", seconds_json(progress->position_ms),
                      "duration",
                      progress->duration_ms > 0 ? seconds_json(progress->duration_ms) : json_null(),
                      "file", progress->file, "at", json_date(progress->at_ms)));
}

static json_t *seasons_json(const struct store_title *show)
{
    json_t *list = json_array();
    for (size_t i = 0; i < show->season_count; i++)
        json_array_append_new(list, json_pack("{s:i, s:i, s:i}", "season", show->seasons[i].number,
                                              "episodes", (int) show->seasons[i].episodes,
                                              "watched", (int) show->seasons[i].watched));
    return list;
}

/* A show has files in its episodes alone. */
static json_t *files_json(const struct store_title *title)
{
    json_t *files = json_array();
    for (size_t i = 0; i < title->file_count && strcmp(title->kind, "show") != 0; i++)
        json_array_append_new(files, file_of_title(&title->files[i]));
    return files;
}

json_t *title_json(const struct store_title *title)
{
    const struct store_file *best = best_file(title);
    json_t *files = files_json(title);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:n, s:o, s:o, s:[], s:s, s:b, s:o}", "id", title->id,
                  "kind", title->kind, "title", json_text(title->title), "year",
                  title->year != 0 ? json_integer(title->year) : json_null(), "poster", "age",
                  title->age != AGE_UNRATED ? json_integer(title->age) : json_null(), "added",
                  json_date(title->added_ms), "genres", "state", file_state_name(best), "watched",
                  title->is_watched, "files", files);
    put_reason(object, best);
    put_progress(object, title);
    put_place(object, title->show, title->show_title, title->season, title->episode);
    if (title->last_episode > title->episode)
        json_object_set_new(object, "last_episode", json_integer(title->last_episode));
    if (title->season_count > 0)
        json_object_set_new(object, "seasons", seasons_json(title));
    return object;
}

static void look(struct answer *answer, const char *id)
{
    struct store_title title = {0};
    const struct store_viewer viewer = answer_viewer(answer);
    enum err err = store_title_find(answer->api->store, id, &viewer, &title);
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such title");
    if (err == OK) {
        title_refresh(answer->api, answer->user.id, &title);
        answer->body = title_json(&title);
    } else {
        answer_fail(answer, err, 0);
    }
    store_title_fini(&title);
}

static void work(struct answer *answer)
{
    look(answer, answer->input);
}

void title_get(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, work);
}

/* --- PATCH --- */

struct change {
    char id[STORE_ID_SIZE];
    int age;
};

static enum err read_change(struct request *request, struct change *out, struct why *why)
{
    json_t *body = NULL;
    int64_t age = 0;
    bool has_age = false;
    copy_slice(request_param(request, 0), out->id, sizeof out->id);
    enum err err = request_json(request, &body, why);
    if (err != OK)
        return err;
    out->age = AGE_UNRATED;
    if (json_is_null(json_object_get(body, "age")))
        return OK;
    err = body_number(body, "age", 0, BOUNDS_AGE_MOST, &has_age, &age, why);
    if (err == OK && !has_age)
        return why_set(why, ERR_BAD_INPUT, "age",
                       "age is missing: from what age on the title may be watched, or null");
    out->age = (int) age;
    return err;
}

static enum err rate(struct api *api, const struct change *change, struct why *why)
{
    struct store_title title = {0};
    enum err err = store_title_find(api->store, change->id, NULL, &title);
    int was = title.age;
    store_title_fini(&title);
    if (err == OK)
        err = store_title_rate(api->store, change->id, change->age);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, NULL, "there is no such title");
    if (err == OK)
        title_tell_rated(api, change->id, was);
    return err;
}

static void patch(struct answer *answer)
{
    const struct change *change = answer->input;
    CLEANUP(str_fini) struct str words = {0};
    enum err err = rate(answer->api, change, &answer->why);
    if (err != OK) {
        answer_fail(answer, err, 0);
        return;
    }
    str_printf(&words, "%s: ", change->id);
    if (change->age == AGE_UNRATED)
        str_puts(&words, "unrated");
    else
        str_printf(&words, "from %d on", change->age);
    answer_note(answer, "title rated", str_text(&words));
    look(answer, change->id);
}

void title_patch(struct request *request, void *ctx)
{
    struct change change;
    struct why why = {0};
    enum err err = read_change(request, &change, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = patch, .input = &change, .size = sizeof change});
}
