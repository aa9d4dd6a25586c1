/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that can be watched and are not in the library: those of downloads and of links. Their plans are kept in
 * memory, the newest of them; one that is not is made again. Threads: pools. */
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"
#include "torrent/torrents.h"

enum { PLANS = 64 };

struct kept {
    char file[STORE_ID_SIZE];
    struct source_identity identity;
    uint8_t *bytes;
    size_t size;
};

struct arriving {
    pthread_mutex_t lock;
    struct kept plans[PLANS]; /* under lock; the newest first */
};

struct arriving *arriving_new(void)
{
    struct arriving *arriving = mem_new(struct arriving);
    pthread_mutex_init(&arriving->lock, NULL);
    return arriving;
}

void arriving_free(struct arriving **arriving)
{
    struct arriving *gone = *arriving;
    *arriving = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < PLANS; i++)
        mem_free(gone->plans[i].bytes);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

static struct kept *find_kept(struct arriving *arriving, const char *file)
{
    for (size_t i = 0; i < PLANS; i++)
        if (arriving->plans[i].bytes != NULL && strcmp(arriving->plans[i].file, file) == 0)
            return &arriving->plans[i];
    return NULL;
}

void arriving_keep_plan(struct arriving *arriving, const char *file,
                        const struct source_identity *identity, const uint8_t *bytes, size_t size)
{
    pthread_mutex_lock(&arriving->lock);
    struct kept *old = find_kept(arriving, file);
    if (old == NULL)
        old = &arriving->plans[PLANS - 1];
    mem_free(old->bytes);
    memmove(&arriving->plans[1], &arriving->plans[0],
            (size_t) (old - arriving->plans) * sizeof *old);
    struct kept *kept = &arriving->plans[0];
    *kept = (struct kept){.identity = *identity, .bytes = mem_dup(bytes, size), .size = size};
    memcpy(kept->file, file, strlen(file) + 1);
    pthread_mutex_unlock(&arriving->lock);
}

static void take_plan(struct arriving *arriving, const struct source *source,
                      struct library_file *out)
{
    pthread_mutex_lock(&arriving->lock);
    const struct kept *kept = find_kept(arriving, out->row.id);
    if (kept != NULL && source_identity_equal(&kept->identity, source_identity(source))) {
        out->plans.bytes = mem_dup(kept->bytes, kept->size);
        out->plans.size = kept->size;
    }
    pthread_mutex_unlock(&arriving->lock);
}

static enum err find_arriving(struct api *api, const char *id, struct library_file *out,
                              struct source **source, struct why *why)
{
    struct torrents *torrents = atomic_load(&api->torrents);
    enum err kind = ERR_NOT_FOUND;
    if (torrents != NULL)
        kind = torrents_open_file(torrents, id, source, &out->path, why);
    if (kind == ERR_NOT_FOUND)
        kind = links_open_file(api, id, source, &out->path, why);
    if (kind == ERR_NOT_FOUND)
        kind = fetched_open_file(api, id, source, &out->path, why);
    if (kind != OK)
        return kind;
    const char *slash = strrchr(out->path, '/');
    memcpy(out->row.id, id, strlen(id) + 1);
    memcpy(out->row.title, out->row.id, sizeof out->row.title);
    out->row.name = mem_strdup(slash != NULL ? slash + 1 : out->path);
    out->row.size = source_size(*source);
    out->row.state = STORE_FILE_READY;
    out->row.duration_ms = -1;
    out->identity = *source_identity(*source);
    take_plan(api->arriving, *source, out);
    return OK;
}

enum err api_find_file(struct api *api, const char *id, struct library_file *out,
                       struct source **source, struct why *why)
{
    struct source *unused = NULL;
    enum err kind = library_find(api->library, id, out, why);
    if (kind != ERR_NOT_FOUND)
        return kind;
    library_file_fini(out);
    *out = (struct library_file){0};
    struct why said = {0};
    enum err other = find_arriving(api, id, out, source != NULL ? source : &unused, &said);
    source_unref(&unused);
    if (other == ERR_NOT_FOUND)
        return kind;
    if (why != NULL)
        *why = said;
    return other;
}

/* --- what is there --- */

bool api_spread(struct api *api, const char *id, struct pool *pool, task_fn *tell)
{
    if (!api_enter(api))
        return false;
    struct news *news = mem_new(struct news);
    news->api = api;
    memcpy(news->id, id, strlen(id) + 1);
    if (pool_run(pool, tell, NULL, news, NULL) == OK)
        return true;
    api_leave(api);
    mem_free(news);
    return false;
}

json_t *availability_json(const struct source *source)
{
    enum { RANGES = 2000 };
    CLEANUP(mem_free_at) struct span *spans = mem_new_array(struct span, RANGES);
    size_t count = source_here(source, spans, RANGES);
    uint64_t size = source_size(source);
    json_t *ranges = json_array();
    for (size_t i = 0; i < count && i < RANGES; i++)
        json_array_append_new(
            ranges, json_pack("[I, I]", (json_int_t) spans[i].begin, (json_int_t) spans[i].end));
    return json_pack("{s:I, s:b, s:o}", "size", (json_int_t) size, "complete",
                     source_has(source, 0, size), "ranges", ranges);
}

static json_t *whole_json(uint64_t size)
{
    return json_pack("{s:I, s:b, s:[[I, I]]}", "size", (json_int_t) size, "complete", true,
                     "ranges", (json_int_t) 0, (json_int_t) size);
}

static void tell_availability(struct answer *answer)
{
    struct library_file file = {0};
    struct source *source = NULL;
    enum err kind = api_find_file(answer->api, answer->input, &file, &source, &answer->why);
    if (kind == OK && source != NULL)
        answer->body = availability_json(source);
    else if (kind == OK || (kind == ERR_BAD_MEDIA && file.row.name != NULL))
        answer->body = whole_json(file.row.size);
    else
        answer_fail(answer, kind, 0);
    source_unref(&source);
    library_file_fini(&file);
}

void availability_get(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, tell_availability);
}
