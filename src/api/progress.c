/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far somebody is: /api/v1/progress, /watched, /continue and /history, each person's own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/mem.h"
#include "segments/plan.h"

enum { OTHER_CUT_PERCENT = 2, CONTINUE_MOST = 50, POSITION_MAX_S = PLAN_MAX_HOURS * 3600 };

/* --- items --- */

/* What is still on its way to the library is an item of its own. */
static bool is_arriving(const struct answer *answer, const char *id)
{
    struct library_file file = {0};
    enum err err = answer->user.role == ROLE_CHILD
                       ? ERR_NOT_FOUND
                       : api_find_file(answer->api, id, &file, NULL, NULL);
    library_file_fini(&file);
    return err == OK;
}

enum err item_find(const struct answer *answer, const char *id, struct store_place *out,
                   struct why *why)
{
    const struct store_viewer viewer = answer_viewer(answer);
    *out = (struct store_place){0};
    enum err err =
        id[0] != '\0' ? store_item_place(answer->api->store, id, &viewer, out) : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND && id[0] != '\0' && is_arriving(answer, id)) {
        memcpy(out->item, id, sizeof out->item);
        memcpy(out->file, id, sizeof out->file);
        return OK;
    }
    return err == ERR_NOT_FOUND ? why_set(why, err, NULL, "there is no such item or file") : err;
}

enum err progress_of(struct api *api, const char *user, const char *item,
                     struct store_progress *out)
{
    struct store_report fresh;
    if (positions_find(api->positions, user, item, &fresh) != OK)
        return store_progress_find(api->store, user, item, out);
    *out = fresh.progress;
    return report_is_whole(&fresh) ? ERR_NOT_FOUND : OK;
}

bool progress_fits(const struct store_progress *progress, const char *file, int64_t duration_ms,
                   bool *is_other_cut)
{
    int64_t apart_ms = llabs(progress->duration_ms - duration_ms);
    bool is_same = strcmp(progress->file, file) == 0 || progress->file[0] == '\0';
    bool is_known = progress->duration_ms > 0 && duration_ms > 0;
    *is_other_cut =
        !is_same && is_known && apart_ms * 100 >= progress->duration_ms * OTHER_CUT_PERCENT;
    return !*is_other_cut;
}

/* --- progress --- */

/* Of the file that was asked for; 0: of none, or it is not known. */
static int64_t duration_of(struct api *api, const char *file)
{
    struct store_file row = {0};
    int64_t duration_ms = 0;
    if (file[0] != '\0' && store_file_find(api->store, file, &row) == OK && row.duration_ms > 0)
        duration_ms = row.duration_ms;
    store_file_fini(&row);
    return duration_ms;
}

static json_t *progress_json(const struct store_progress *progress)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "item", progress->item, "file",
                     progress->file[0] != '\0' ? json_string(progress->file) : json_null(),
                     "position", seconds_json(progress->position_ms), "duration",
                     progress->duration_ms > 0 ? seconds_json(progress->duration_ms) : json_null(),
                     "at", json_date(progress->at_ms));
}

static void get(struct answer *answer)
{
    struct store_place place;
    struct store_progress progress;
    bool is_other_cut = false;
    enum err err = item_find(answer, answer->input, &place, &answer->why);
    if (err == OK) {
        err = progress_of(answer->api, answer->user.id, place.item, &progress);
        if (err == ERR_NOT_FOUND)
            why_set(&answer->why, err, NULL, "nothing of it was watched, or all of it");
    }
    if (err != OK) {
        answer_fail(answer, err, 0);
        return;
    }
    if (place.file[0] != '\0')
        (void) progress_fits(&progress, place.file, duration_of(answer->api, place.file),
                             &is_other_cut);
    answer->body = progress_json(&progress);
    json_object_set_new(answer->body, "other_cut", json_boolean(is_other_cut));
}

void progress_get(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, get);
}

struct wish {
    char id[STORE_ID_SIZE], file[STORE_ID_SIZE];
    double position, duration;
    int64_t at_ms;
};

static enum err read_seconds(const json_t *body, const char *name, bool is_needed, double *out,
                             struct why *why)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL && !is_needed)
        return OK;
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < 0 || number > POSITION_MAX_S)
        return why_set(why, ERR_BAD_INPUT, name, "%s is a number of seconds, 0 or more", name);
    *out = number;
    return OK;
}

/* When it was so: a device that was off the network tells later. Never of the future. */
static enum err read_at(const json_t *body, int64_t now_ms, int64_t *out, struct why *why)
{
    const json_t *at = json_object_get(body, "at");
    *out = now_ms;
    if (at == NULL)
        return OK;
    if (!json_is_string(at) || clock_parse_iso(json_string_value(at), out) != OK)
        return why_set(why, ERR_BAD_INPUT, "at", "at is a date: 2026-11-21T05:12:00Z");
    *out = *out < now_ms ? *out : now_ms;
    return OK;
}

static enum err read_wish(struct request *request, struct wish *out, struct why *why)
{
    json_t *body = NULL;
    CLEANUP(mem_free_at) char *file = NULL;
    *out = (struct wish){0};
    copy_slice(request_param(request, 0), out->id, sizeof out->id);
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = read_seconds(body, "position", true, &out->position, why);
    if (err == OK)
        err = read_seconds(body, "duration", false, &out->duration, why);
    if (err == OK)
        err = read_at(body, clock_wall_ms(), &out->at_ms, why);
    if (err == OK)
        err = body_text(body, "file", false, &file, why);
    if (err == OK && file != NULL)
        copy_slice(slice_of(file), out->file, sizeof out->file);
    if (err == OK && file != NULL && out->file[0] == '\0')
        return why_set(why, ERR_BAD_INPUT, "file", "file is the id of a file");
    return err;
}

/* The one file of an item that has no other. */
static void take_only_file(struct api *api, struct store_place *place)
{
    struct store_title title = {0};
    if (store_title_find(api->store, place->item, NULL, &title) == OK && title.file_count == 1)
        memcpy(place->file, title.files[0].id, sizeof place->file);
    store_title_fini(&title);
}

/* The file that was watched: the one that is named, which must be one of the item's. */
static enum err find_both(const struct answer *answer, const struct wish *wish,
                          struct store_place *out, struct why *why)
{
    struct store_place named;
    enum err err = item_find(answer, wish->id, out, why);
    if (err == OK && out->is_show)
        return why_set(why, ERR_BAD_INPUT, "item", "it is a show: one watches its episodes");
    if (err == OK && wish->file[0] == '\0' && out->file[0] == '\0')
        take_only_file(answer->api, out);
    if (err != OK || wish->file[0] == '\0')
        return err;
    err = item_find(answer, wish->file, &named, why);
    if (err == OK && (named.file[0] == '\0' || strcmp(named.item, out->item) != 0))
        err = ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        return why_set(why, ERR_BAD_INPUT, "file", "the item has no such file");
    if (err == OK)
        *out = named;
    return err;
}

static void put(struct answer *answer)
{
    const struct wish *wish = answer->input;
    struct store_place place;
    struct store_report report = {.progress = {.at_ms = wish->at_ms}};
    enum err err = find_both(answer, wish, &place, &answer->why);
    answer->status = 204;
    if (err == OK) {
        snprintf(report.user, sizeof report.user, "%s", answer->user.id);
        memcpy(report.progress.item, place.item, sizeof report.progress.item);
        memcpy(report.progress.file, place.file, sizeof report.progress.file);
        report.progress.position_ms = (int64_t) (wish->position * 1000);
        report.progress.duration_ms = wish->duration > 0 ? (int64_t) (wish->duration * 1000)
                                                         : duration_of(answer->api, place.file);
        err = positions_report(answer->api->positions, &report);
    }
    if (err != OK)
        answer_fail(answer, err, 0);
}

void progress_put(struct request *request, void *ctx)
{
    struct wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = put, .input = &wish, .size = sizeof wish});
}

/* --- what is done to one item; what was reported before is written first --- */

typedef enum err item_deed(struct store *store, const char *user, const char *item);

static void do_to_item(struct answer *answer, item_deed *deed, const char *else_words)
{
    struct store_place place;
    enum err err = item_find(answer, answer->input, &place, &answer->why);
    if (err == OK)
        err = positions_write(answer->api->positions);
    if (err == OK) {
        err = deed(answer->api->store, answer->user.id, place.item);
        if (err == ERR_NOT_FOUND)
            why_set(&answer->why, err, NULL, "%s", else_words);
    }
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

static void forget(struct answer *answer)
{
    do_to_item(answer, store_progress_remove, "nothing of it was watched, or all of it");
}

void progress_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, forget);
}

struct marking {
    char id[STORE_ID_SIZE];
    int season; /* of a show: -1, all */
    bool is_on;
};

static enum err mark_now(struct answer *answer, const struct marking *marking, const char *item)
{
    struct store *store = answer->api->store;
    const struct store_viewer viewer = answer_viewer(answer);
    return marking->is_on
               ? store_watched_put(store, &viewer, item, marking->season, clock_wall_ms())
               : store_watched_remove(store, &viewer, item, marking->season);
}

static void mark(struct answer *answer)
{
    const struct marking *marking = answer->input;
    struct store_place place;
    enum err err = item_find(answer, marking->id, &place, &answer->why);
    if (err == OK)
        err = positions_write(answer->api->positions);
    if (err == OK) {
        err = mark_now(answer, marking, place.item);
        if (err == ERR_NOT_FOUND)
            why_set(&answer->why, err, NULL, "it was not marked as watched");
    }
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

static void mark_later(struct api *api, struct request *request, bool is_on)
{
    struct marking marking = {.is_on = is_on};
    struct why why = {0};
    copy_slice(request_param(request, 0), marking.id, sizeof marking.id);
    enum err err = season_read(request, &marking.season, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(
            api, request,
            &(struct answer_plan){.work = mark, .input = &marking, .size = sizeof marking});
}

void watched_put(struct request *request, void *ctx)
{
    mark_later(ctx, request, true);
}

void watched_delete(struct request *request, void *ctx)
{
    mark_later(ctx, request, false);
}

static enum err hide_it(struct store *store, const char *user, const char *item)
{
    return store_progress_hide(store, user, item, true);
}

static enum err show_it(struct store *store, const char *user, const char *item)
{
    return store_progress_hide(store, user, item, false);
}

static void hide(struct answer *answer)
{
    do_to_item(answer, hide_it, "it is not among what was begun");
}

void continue_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, hide);
}

static void show(struct answer *answer)
{
    do_to_item(answer, show_it, "it is not among what was begun");
}

void continue_put(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, show);
}

/* --- what to go on with: what the store holds, and what is newer than that --- */

struct begun {
    struct store_progress progress;
    struct store_item item;
};

struct going_on {
    struct store_report *fresh;
    size_t fresh_count, fresh_room;
    struct begun *list;
    size_t count, room;
};

static void take_fresh(void *ctx, const struct store_report *report)
{
    struct going_on *all = ctx;
    mem_grow(all->fresh, all->fresh_count, all->fresh_room);
    all->fresh[all->fresh_count++] = *report;
}

static void take(struct going_on *all, const struct store_progress *progress,
                 const struct store_item *item)
{
    mem_grow(all->list, all->count, all->room);
    struct begun *begun = &all->list[all->count++];
    *begun = (struct begun){*progress, *item};
    begun->item.title = mem_strdup(item->title);
    begun->item.show_title = mem_strdup_or_null(item->show_title);
}

static void take_kept(void *ctx, const struct store_progress *progress,
                      const struct store_item *item)
{
    struct going_on *all = ctx;
    for (size_t i = 0; i < all->fresh_count; i++)
        if (strcmp(all->fresh[i].progress.item, progress->item) == 0)
            return;
    take(all, progress, item);
}

static void take_found(const struct answer *answer, struct going_on *all)
{
    const struct store_viewer viewer = answer_viewer(answer);
    for (size_t i = 0; i < all->fresh_count; i++) {
        const struct store_progress *progress = &all->fresh[i].progress;
        struct store_item item;
        if (report_is_whole(&all->fresh[i]) ||
            !progress_is_begun(progress->position_ms, progress->duration_ms) ||
            store_item_find(answer->api->store, &viewer, progress->item, &item) != OK)
            continue;
        take(all, progress, &item);
        store_item_fini(&item);
    }
}

static int latest_first(const void *a, const void *b)
{
    const struct begun *left = a, *right = b;
    return (left->progress.at_ms < right->progress.at_ms) -
           (left->progress.at_ms > right->progress.at_ms);
}

static json_t *begun_json(const struct begun *begun)
{
    json_t *object = progress_json(&begun->progress);
    json_object_del(object, "item");
    json_object_set_new(object, "item", item_json(&begun->item));
    return object;
}

static void list_begun(struct answer *answer)
{
    struct going_on all = {0};
    json_t *items = json_array();
    const struct store_viewer viewer = answer_viewer(answer);
    positions_each(answer->api->positions, answer->user.id, take_fresh, &all);
    enum err err = store_progress_each(answer->api->store, &viewer, CONTINUE_MOST + all.fresh_count,
                                       take_kept, &all);
    take_found(answer, &all);
    if (all.count > 0)
        qsort(all.list, all.count, sizeof *all.list, latest_first);
    for (size_t i = 0; i < all.count && i < CONTINUE_MOST; i++)
        json_array_append_new(items, begun_json(&all.list[i]));
    for (size_t i = 0; i < all.count; i++)
        store_item_fini(&all.list[i].item);
    mem_free(all.list);
    mem_free(all.fresh);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void continue_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list_begun});
}

/* --- history --- */

static void list_one(void *ctx, const struct store_sitting *sitting, const struct store_item *item)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long) sitting->n);
    json_t *object = progress_json(&sitting->progress);
    json_object_set_new(object, "item", item_json(item));
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "began", json_date(sitting->began_ms));
    json_object_set_new(object, "completed", json_boolean(sitting->is_whole));
    paging_add(ctx, sitting->n, object);
}

static void list(struct answer *answer)
{
    struct paging *page = answer->input;
    const struct store_viewer viewer = answer_viewer(answer);
    enum err err = positions_write(answer->api->positions);
    if (err == OK)
        err = store_history_each(answer->api->store, &viewer, page->before, paging_room(page),
                                 list_one, page);
    answer->body = paging_json(page);
    if (err != OK)
        answer_fail(answer, err, 0);
}

void history_get(struct request *request, void *ctx)
{
    answer_with_page(ctx, request, list);
}

static void remove_sitting(struct answer *answer)
{
    uint64_t n = 0;
    enum err err = slice_number(slice_of(answer->input), INT64_MAX, &n) == OK
                       ? store_history_remove(answer->api->store, answer->user.id, (int64_t) n)
                       : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such entry");
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

void history_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, remove_sitting);
}
