/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/files/{id}: the file, and what is in it. */
#include <string.h>

#include "api/inside.h"
#include "segments/plan.h"

json_t *media_json(const uint8_t *bytes, size_t size, const char *caps, int64_t *duration_ms)
{
    struct plan *plan = NULL;
    if (bytes == NULL || plan_read(bytes, size, &plan, NULL) != OK)
        return NULL;
    json_t *media = hls_describe(plan);
    if (caps != NULL)
        hls_describe_for(plan, caps, media);
    if (duration_ms != NULL)
        *duration_ms = plan->timescale > 0 ? plan->end * 1000 / plan->timescale : 0;
    plan_free(&plan);
    return media;
}

/* How far the file is read through for a better plan; NULL: it is not being read. */
static json_t *reading_json(struct library *library, const char *id)
{
    struct library_scan scan;
    library_scan_state(library, &scan);
    json_t *progress = strcmp(scan.reading, id) == 0 ? json_real(scan.read) : NULL;
    library_scan_fini(&scan);
    return progress;
}

static json_t *file_json(const struct library_file *file, struct api *api)
{
    const struct store_file *row = &file->row;
    json_t *media = media_json(file->plans.bytes, file->plans.size, NULL, NULL);
    json_t *object =
        json_pack("{s:s, s:o, s:s, s:[{s:s}], s:I, s:o, s:o, s:s, s:o}", "id", row->id, "name",
                  json_text(row->name), "title", row->title, "items", "id", row->title, "size",
                  (json_int_t) row->size, "added", json_date(row->added_ms), "duration",
                  duration_json(row->duration_ms), "state", file_state_name(row), "media",
                  media != NULL ? media : json_null());
    json_t *found = markers_found(api, file);
    json_object_set_new(object, "markers", markers_json(media, found));
    json_decref(found);
    json_t *reading = reading_json(api->library, row->id);
    if (reading != NULL)
        json_object_set_new(object, "reading", reading);
    if (file_reason(row) != NULL)
        json_object_set_new(object, "reason", json_text(file_reason(row)));
    return object;
}

/* A file that cannot be played is there all the same, and says why. */
static void work(struct answer *answer)
{
    struct library_file file = {0};
    enum err err = api_find_file(answer->api, answer->input, &file, NULL, &answer->why);
    if (err == OK || err == ERR_BAD_MEDIA || (err == ERR_BUSY && file.row.name != NULL))
        answer->body = file_json(&file, answer->api);
    else
        answer_fail(answer, err, 0);
    library_file_fini(&file);
}

void file_get_one(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, work);
}
