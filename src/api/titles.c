/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/titles/{id}, and a title in the words of the API. */
#include "api/inside.h"

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

json_t *title_json(const struct store_title *title)
{
    const struct store_file *best = best_file(title);
    json_t *files = json_array();
    for (size_t i = 0; i < title->file_count; i++)
        json_array_append_new(files, file_of_title(&title->files[i]));
    json_t *object = json_pack("{s:s, s:s, s:o, s:o, s:n, s:o, s:[], s:s, s:b, s:o}", "id",
                               title->id, "kind", title->kind, "title", json_text(title->title),
                               "year", title->year != 0 ? json_integer(title->year) : json_null(),
                               "poster", "added", json_date(title->added_ms), "genres", "state",
                               file_state_name(best), "watched", 0, "files", files);
    put_reason(object, best);
    return object;
}

static void work(struct answer *answer)
{
    struct store_title title = {0};
    enum err err = store_title_find(answer->api->store, answer->input, &title);
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such title");
    if (err == OK)
        answer->body = title_json(&title);
    else
        answer_fail(answer, err, 0);
    store_title_fini(&title);
}

void title_get(struct request *request, void *ctx)
{
    char id[STORE_ID_SIZE];
    copy_slice(request_param(request, 0), id, sizeof id);
    answer_later(ctx, request, &(struct answer_plan){.work = work, .input = id, .size = sizeof id});
}
