/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/open.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hls/ask_private.h"

/* A plan of an older build, or one that does not read, is made anew. */
static void take_plan(const struct opening *opening, uint8_t **bytes, size_t size,
                      struct stored_plan *out)
{
    CLEANUP(plan_free) struct plan *plan = NULL;
    struct why why;
    if (*bytes == NULL)
        return;
    if (plan_read(*bytes, size, &plan, &why) != OK) {
        log_warning("room.plan", log_str("file", opening->id), log_str("why", why.text));
        return;
    }
    if (plan->version != PLAN_VERSION || plan->source_size != source_size(opening->source))
        return;
    *out = (struct stored_plan){plan, *bytes, size};
    plan = NULL;
    *bytes = NULL;
}

static void take_plans(struct opening *opening, struct hls_file *file)
{
    if (!source_identity_equal(&file->identity, source_identity(opening->source)))
        return;
    take_plan(opening, &file->plan, file->plan_size, &opening->plan);
    if (opening->plan.plan != NULL)
        take_plan(opening, &file->first, file->first_size, &opening->first);
}

static void file_fini(struct hls_file *file)
{
    mem_free(file->path);
    mem_free(file->plan);
    mem_free(file->first);
    source_unref(&file->source);
}

/* What is still on its way has its source already. */
static enum err open_source(struct hls_file *file, struct source **out, struct why *why)
{
    if (file->source == NULL)
        return source_open_local(file->path, out, why);
    *out = file->source;
    file->source = NULL;
    return OK;
}

static void work(void *arg)
{
    struct opening *opening = arg;
    const struct hls_library *library = &opening->hls->library;
    struct hls_file file = {0};
    opening->kind = library->find(library->ctx, opening->id, &file, &opening->why);
    if (opening->kind == OK && file.source == NULL)
        opening->beside = beside_find(file.path);
    if (opening->kind == OK)
        opening->kind = open_source(&file, &opening->source, &opening->why);
    else if (opening->kind == ERR_NOT_FOUND && opening->why.text[0] == '\0')
        why_set(&opening->why, ERR_NOT_FOUND, NULL, "there is no such file");
    if (opening->kind == OK)
        take_plans(opening, &file);
    file_fini(&file);
}

static void drop(struct opening *opening)
{
    source_unref(&opening->source);
    beside_unref(&opening->beside);
    struct stored_plan *plans[] = {&opening->plan, &opening->first};
    for (size_t i = 0; i < 2; i++) {
        plan_free(&plans[i]->plan);
        mem_free(plans[i]->bytes);
    }
    mem_free(opening);
}

static void done(void *arg)
{
    struct opening *opening = arg;
    struct room *room = room_by_serial(opening->hls, opening->room);
    if (room != NULL)
        room_opened(room, opening);
    drop(opening);
}

void open_start(struct room *room)
{
    struct opening *opening = mem_new(struct opening);
    opening->hls = room->hls;
    opening->room = room->serial;
    memcpy(opening->id, room->id, sizeof opening->id);
    if (pool_run(room->hls->pool, work, done, opening, room->hls->mailbox) == OK)
        return;
    opening->kind = why_set(&opening->why, ERR_BUSY, NULL, "too many files are being opened");
    mailbox_post(room->hls->mailbox, done, opening);
}

/* --- without a room --- */

struct lone_opening {
    struct ask *ask;
    enum err kind;
    struct why why;
    struct source *source;
    char *path;
};

static void open_alone(void *arg)
{
    struct lone_opening *opening = arg;
    const struct hls_library *library = &opening->ask->hls->library;
    struct hls_file file = {0};
    opening->kind = library->find(library->ctx, opening->ask->file, &file, &opening->why);
    /* What cannot be played can still be had as it is. */
    if (opening->kind == OK || (opening->kind == ERR_BAD_MEDIA && file.path != NULL))
        opening->kind = open_source(&file, &opening->source, &opening->why);
    opening->path = file.path;
    file.path = NULL;
    file_fini(&file);
}

static void opened_alone(void *arg)
{
    struct lone_opening *opening = arg;
    if (opening->kind == OK) {
        const char *name = strrchr(opening->path, '/');
        ask_reply(opening->ask,
                  &(struct ask_answer){.kind = OK,
                                       .rendition = ASK_NO_RENDITION,
                                       .source = opening->source,
                                       .name = name != NULL ? name + 1 : opening->path});
    } else {
        ask_reply_failure(opening->ask, opening->kind, &opening->why);
    }
    source_unref(&opening->source);
    mem_free(opening->path);
    ask_unref(opening->ask);
    mem_free(opening);
}

void open_for_ask(struct ask *ask)
{
    struct lone_opening *opening = mem_new(struct lone_opening);
    opening->ask = ask_ref(ask);
    if (pool_run(ask->hls->pool, open_alone, opened_alone, opening, ask->hls->mailbox) == OK)
        return;
    opening->kind = why_set(&opening->why, ERR_BUSY, NULL, "too many files are being opened");
    opened_alone(opening);
}

/* --- for what is made of films that nobody watches --- */

struct film *open_film(struct hls *hls, const char *id)
{
    struct opening *opening = mem_new(struct opening);
    struct film *film = NULL;
    opening->hls = hls;
    snprintf(opening->id, sizeof opening->id, "%s", id);
    work(opening);
    if (opening->kind == OK && opening->plan.plan != NULL)
        film = film_new(opening->id, &opening->source, &opening->plan.plan, &opening->plan.bytes,
                        opening->plan.size, media_host_engine(hls->host));
    drop(opening);
    return film;
}

struct keeping {
    struct hls *hls;
    char id[FILM_ID_SIZE];
    struct source_identity identity;
    uint8_t *bytes;
    size_t size;
};

static void keep(void *arg)
{
    struct keeping *keeping = arg;
    const struct hls_library *library = &keeping->hls->library;
    library->keep_plan(library->ctx, keeping->id, &keeping->identity, keeping->bytes,
                       keeping->size);
    mem_free(keeping->bytes);
    mem_free(keeping);
}

void open_keep_plan(struct hls *hls, const char *id, const struct source_identity *identity,
                    const uint8_t *bytes, size_t size)
{
    struct keeping *keeping = mem_new(struct keeping);
    keeping->hls = hls;
    memcpy(keeping->id, id, strlen(id) + 1);
    keeping->identity = *identity;
    keeping->bytes = mem_dup(bytes, size);
    keeping->size = size;
    if (pool_run(hls->pool, keep, NULL, keeping, hls->mailbox) == OK)
        return;
    /* It will be made again at the next opening. */
    log_warning("room.keep_plan", log_str("file", id), log_str("why", "the pool is full"));
    mem_free(keeping->bytes);
    mem_free(keeping);
}
