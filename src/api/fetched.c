/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downloads of films by their URL, seen as torrents of one file are: so all that is said of downloads is
 * said of them too. Threads: pools. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/remotes.h"
#include "library/names.h"
#include "store/fetched.h"

struct remote_facts api_remote_facts(const struct store_remote *remote)
{
    return (struct remote_facts){.id = remote->file,
                                 .url = remote->url,
                                 .size = remote->size,
                                 .etag = remote->etag,
                                 .modified = remote->modified,
                                 .is_ranged = remote->is_ranged};
}

/* --- its folder --- */

static char *folder_of(const struct api *api, const char *id)
{
    struct str path = {0};
    str_printf(&path, "%s/%s", api->fetched_folder, id);
    return str_take(&path);
}

static void remove_folder(const char *path)
{
    static const char *const names[] = {REMOTE_FILM, REMOTE_JOURNAL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP(str_fini) struct str name = {0};
        str_printf(&name, "%s/%s", path, names[i]);
        unlink(str_text(&name));
    }
    rmdir(path);
}

/* Opens it, so that it fills. `out` may be NULL. */
static enum err open_fetched(struct api *api, const struct store_fetched *fetched,
                             struct source **out, struct why *why)
{
    struct source *source = NULL;
    CLEANUP(mem_free_at) char *folder = folder_of(api, fetched->id);
    struct remote_facts facts = api_remote_facts(&fetched->remote);
    facts.folder = folder;
    facts.is_paused = fetched->is_paused;
    enum err kind = remotes_open(atomic_load(&api->remotes), &facts, &source, why);
    if (out != NULL)
        *out = source;
    else
        source_unref(&source);
    return kind;
}

/* --- as a torrent of one file --- */

/* With the ending that its type has, where it has none that says film. */
static char *name_of(const struct store_remote *remote)
{
    static const struct {
        const char *type, *ending;
    } endings[] = {{"video/mp4", ".mp4"},
                   {"video/x-matroska", ".mkv"},
                   {"video/webm", ".webm"},
                   {"video/mp2t", ".ts"},
                   {"video/x-msvideo", ".avi"}};
    char *name = look_name(remote->url);
    for (size_t i = 0; !names_is_media(name) && i < sizeof endings / sizeof *endings; i++) {
        if (strncasecmp(remote->type, endings[i].type, strlen(endings[i].type)) != 0)
            continue;
        struct str longer = {0};
        str_printf(&longer, "%s%s", name, endings[i].ending);
        mem_free(name);
        return str_take(&longer);
    }
    return name;
}

static enum torrent_state state_of(const struct store_fetched *fetched,
                                   const struct remote_state *state)
{
    if (fetched->is_filed || state->here == fetched->remote.size)
        return TORRENT_COMPLETE;
    if (state->has_failed)
        return TORRENT_FAILED;
    return fetched->is_paused ? TORRENT_PAUSED : TORRENT_DOWNLOADING;
}

static void view_of(struct api *api, const struct store_fetched *fetched, struct torrent_view *out)
{
    struct remote_state state;
    CLEANUP(mem_free_at) char *folder = folder_of(api, fetched->id);
    struct str place = {0};
    remotes_look(atomic_load(&api->remotes), fetched->remote.file, &state);
    str_printf(&place, "%s/%s", folder, REMOTE_FILM);
    *out = (struct torrent_view){.name = name_of(&fetched->remote),
                                 .state = state_of(fetched, &state),
                                 .is_filed = fetched->is_filed,
                                 .size = fetched->remote.size,
                                 .here = fetched->is_filed ? fetched->remote.size : state.here,
                                 .rate = state.rate,
                                 .limits = LIMITS_ALL(LIMIT_USUAL),
                                 .eta_s = -1,
                                 .added_ms = fetched->added_ms,
                                 .files = mem_new(struct torrent_view_file),
                                 .file_count = 1};
    memcpy(out->id, fetched->id, sizeof out->id);
    if (out->state != TORRENT_COMPLETE)
        snprintf(out->reason, sizeof out->reason, "%s", state.reason);
    if (out->state == TORRENT_DOWNLOADING && out->rate > 0)
        out->eta_s = (int64_t) ((out->size - out->here) / (uint64_t) out->rate);
    out->files[0] = (struct torrent_view_file){.path = mem_strdup(out->name),
                                               .place = str_take(&place),
                                               .size = out->size,
                                               .here = out->here,
                                               .is_wanted = true};
    memcpy(out->files[0].id, fetched->remote.file, sizeof out->files[0].id);
}

bool fetched_find(struct api *api, const char *id, struct torrent_view *out)
{
    struct store_fetched fetched;
    bool is_found =
        atomic_load(&api->remotes) != NULL && store_fetched_find(api->store, id, &fetched) == OK;
    if (!is_found)
        return false;
    view_of(api, &fetched, out);
    store_fetched_fini(&fetched);
    return true;
}

struct each {
    struct api *api;
    fetched_each_fn *each;
    void *ctx;
};

static void view_one(void *ctx, const struct store_fetched *fetched)
{
    const struct each *each = ctx;
    struct torrent_view view;
    view_of(each->api, fetched, &view);
    each->each(each->ctx, &view);
    torrent_view_fini(&view);
}

void fetched_each(struct api *api, fetched_each_fn *each, void *ctx)
{
    enum err kind = store_fetched_each(api->store, view_one, &(struct each){api, each, ctx});
    if (kind != OK)
        log_warning("download.list", log_err(kind));
}

/* --- what is done with it --- */

enum err fetched_add(struct api *api, struct store_remote *remote, char id[STORE_ID_SIZE],
                     struct why *why)
{
    struct store_fetched fetched = {.remote = *remote, .added_ms = clock_wall_ms()};
    *remote = (struct store_remote){0};
    enum err kind = store_fetched_add(api->store, &fetched);
    memcpy(id, fetched.id, STORE_ID_SIZE);
    if (kind != OK && kind != ERR_BUSY)
        why_set(why, kind, NULL, "the download cannot be kept: %s", err_text(kind));
    if (kind == OK)
        kind = open_fetched(api, &fetched, NULL, why);
    if (kind != OK && kind != ERR_BUSY)
        (void) !store_fetched_remove(api->store, fetched.id);
    store_fetched_fini(&fetched);
    return kind;
}

enum err fetched_pause(struct api *api, const char *id, bool is_paused, struct why *why)
{
    struct store_fetched fetched;
    enum err kind = store_fetched_find(api->store, id, &fetched);
    if (kind != OK)
        return kind;
    fetched.is_paused = is_paused;
    kind = store_fetched_change(api->store, fetched.id, is_paused, fetched.is_filed);
    if (kind == OK && !fetched.is_filed)
        kind = open_fetched(api, &fetched, NULL, why);
    store_fetched_fini(&fetched);
    return kind;
}

enum err fetched_remove(struct api *api, const char *id)
{
    struct store_fetched fetched;
    enum err kind = store_fetched_find(api->store, id, &fetched);
    if (kind != OK)
        return kind;
    kind = store_fetched_remove(api->store, fetched.id);
    if (kind == OK) {
        CLEANUP(mem_free_at) char *folder = folder_of(api, fetched.id);
        remotes_forget(atomic_load(&api->remotes), fetched.remote.file);
        remove_folder(folder);
    }
    store_fetched_fini(&fetched);
    return kind;
}

enum err fetched_set_filed(struct api *api, const char *id)
{
    struct store_fetched fetched;
    enum err kind = store_fetched_find(api->store, id, &fetched);
    if (kind != OK)
        return kind;
    kind = store_fetched_change(api->store, fetched.id, false, true);
    if (kind == OK) {
        CLEANUP(mem_free_at) char *folder = folder_of(api, fetched.id);
        remotes_release(atomic_load(&api->remotes), fetched.remote.file);
        remove_folder(folder);
    }
    store_fetched_fini(&fetched);
    return kind;
}

enum err fetched_open_file(struct api *api, const char *file, struct source **out, char **name,
                           struct why *why)
{
    struct store_fetched fetched;
    enum err kind = atomic_load(&api->remotes) != NULL
                        ? store_fetched_find(api->store, file, &fetched)
                        : ERR_NOT_FOUND;
    if (kind != OK)
        return kind;
    bool is_it = strcmp(file, fetched.remote.file) == 0 && !fetched.is_filed;
    kind = is_it ? open_fetched(api, &fetched, out, why) : ERR_NOT_FOUND;
    if (kind == OK)
        *name = name_of(&fetched.remote);
    store_fetched_fini(&fetched);
    return kind;
}

/* --- at the start --- */

static void open_one(void *ctx, const struct store_fetched *fetched)
{
    struct api *api = ctx;
    struct why why = {0};
    if (!fetched->is_filed && open_fetched(api, fetched, NULL, &why) != OK)
        log_warning("download.open", log_str("id", fetched->id), log_str("why", why.text));
}

void fetched_open_all(struct api *api)
{
    enum err kind = store_fetched_each(api->store, open_one, api);
    if (kind != OK)
        log_warning("download.list", log_err(kind));
}
