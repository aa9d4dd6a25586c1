/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/library.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "library/compare.h"
#include "library/library_inside.h"

#define RESCAN_MS (5LL * 60 * 1000)
#define SETTLE_MS (30LL * 1000)
enum { POOL_THREADS = 2, POOL_QUEUE = 64 };

static void copy_folders(struct library *library, const char *const *folders)
{
    while (folders[library->folder_count] != NULL)
        library->folder_count++;
    library->folders = mem_new_array(char *, library->folder_count + 1);
    library->state.folders = mem_new_array(struct library_folder, library->folder_count + 1);
    library->state.folder_count = library->folder_count;
    for (size_t i = 0; i < library->folder_count; i++) {
        size_t length = strlen(folders[i]);
        while (length > 1 && folders[i][length - 1] == '/')
            length--;
        library->folders[i] = mem_strndup(folders[i], length);
        library->state.folders[i].path = library->folders[i];
    }
}

enum err library_new(const struct library_options *options, struct store *store,
                     struct library **out, struct why *why)
{
    struct library *library = mem_new(struct library);
    copy_folders(library, options->folders);
    library->rescan_ms = options->rescan_ms > 0 ? options->rescan_ms : RESCAN_MS;
    library->settle_ms = options->settle_ms >= 0 ? options->settle_ms : SETTLE_MS;
    library->ignore_events = options->ignore_events;
    library->plan_version = options->plan_version;
    library->engine = mem_strdup(options->engine);
    library->store = store;
    pthread_mutex_init(&library->lock, NULL);
    enum err err = pool_new("library", POOL_THREADS, POOL_QUEUE, &library->pool);
    if (err == OK)
        err = loop_start("library", &library->loop);
    if (err != OK) {
        library_free(&library);
        return why_set(why, err, NULL, "no thread can be started");
    }
    *out = library;
    return OK;
}

void library_start(struct library *library, const struct library_prober *prober,
                   const struct library_listener *listener)
{
    library->prober = *prober;
    library->listener = *listener;
    loop_call(library->loop, scan_start, library);
}

void library_stop(struct library *library)
{
    if (library == NULL)
        return;
    atomic_store(&library->is_over, true);
    atomic_store(&library->is_cancelled, true);
    loop_call(library->loop, scan_stop, library);
    pool_free(&library->pool);
    loop_call(library->loop, scan_unwatch, library);
}

void library_free(struct library **library)
{
    if (*library == NULL)
        return;
    struct library *gone = *library;
    if (gone->loop != NULL)
        library_stop(gone);
    loop_stop(&gone->loop);
    pool_free(&gone->pool);
    looks_fini(&gone->looks);
    mem_free(gone->finished);
    for (size_t i = 0; i < gone->folder_count; i++)
        mem_free(gone->folders[i]);
    mem_free(gone->folders);
    mem_free(gone->state.folders);
    mem_free(gone->engine);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
    *library = NULL;
}

void library_scan_state(struct library *library, struct library_scan *out)
{
    struct library_folder *folders =
        mem_new_array(struct library_folder, library->folder_count + 1);
    pthread_mutex_lock(&library->lock);
    *out = library->state;
    out->folders = folders;
    for (size_t i = 0; i < out->folder_count; i++) {
        folders[i] = library->state.folders[i];
        folders[i].path = mem_strdup(library->folders[i]);
    }
    pthread_mutex_unlock(&library->lock);
}

void library_scan_fini(struct library_scan *scan)
{
    for (size_t i = 0; i < scan->folder_count; i++)
        mem_free(scan->folders[i].path);
    mem_free(scan->folders);
    *scan = (struct library_scan){0};
}

void library_file_fini(struct library_file *file)
{
    store_file_fini(&file->row);
    mem_free(file->path);
    store_plans_fini(&file->plans);
    *file = (struct library_file){0};
}

struct store_identity library_store_identity(const struct source_identity *identity)
{
    struct store_identity stored = {.size = identity->size, .mtime_ns = identity->mtime_ns};
    memcpy(stored.hash, identity->hash, sizeof stored.hash);
    return stored;
}

static enum err judge(const struct store_file *row, struct why *why)
{
    if (row->is_offline)
        return why_set(why, ERR_BUSY, NULL, "the disk that holds the file is not there");
    if (row->state == STORE_FILE_UNREADABLE)
        return why_set(why, ERR_BAD_MEDIA, NULL, "%s",
                       row->reason != NULL ? row->reason : "the file cannot be read");
    return OK;
}

/* The file may have been replaced since the last walk: then the plan that is stored is not its. */
static enum err open_up(struct library *library, struct library_file *file, struct why *why)
{
    struct source_identity identity = {.size = file->row.size, .mtime_ns = file->row.mtime_ns};
    memcpy(identity.hash, file->row.hash, sizeof identity.hash);
    enum err err = compare_identify(file->row.path, &file->identity, &file->path, why);
    if (err != OK || !source_identity_equal(&identity, &file->identity))
        return err;
    err = store_plans_find(library->store, file->row.id, library->plan_version, library->engine,
                           &file->plans);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err library_find(struct library *library, const char *id, struct library_file *out,
                      struct why *why)
{
    struct library_file file = {0};
    enum err err = store_file_find(library->store, id, &file.row);
    if (err != OK)
        return why_set(why, err, NULL, "there is no such file");
    err = judge(&file.row, why);
    if (err == OK)
        err = open_up(library, &file, why);
    else if (err == ERR_BAD_MEDIA) /* it may still be had as it is */
        (void) !compare_identify(file.row.path, &file.identity, &file.path, NULL);
    if (err != OK && err != ERR_BAD_MEDIA && err != ERR_BUSY)
        library_file_fini(&file);
    else
        *out = file;
    return err;
}

enum err library_keep_plan(struct library *library, const char *id,
                           const struct library_found *found)
{
    struct store_look look = {.file = id,
                              .identity = library_store_identity(found->identity),
                              .state = STORE_FILE_READY,
                              .duration_ms = found->duration_ms,
                              .bytes = found->bytes,
                              .size = found->size,
                              .wants_scan = found->wants_scan,
                              .version = library->plan_version,
                              .engine = library->engine,
                              .made_ms = clock_wall_ms()};
    enum err err = store_file_looked(library->store, &look);
    if (err == OK && library->listener.title != NULL)
        library->listener.title(library->listener.ctx, look.title);
    return err;
}
