/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/torrents.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "torrent/inside.h"

enum {
    WATCHED_BEAT_MS = 100,
    BEAT_MS = 500,
    GATE_MS = 10, /* torrent-engine 4 */
    STOP_MS = 8000,
    OPEN_TRIES = 50,
    HURRY_MS = 15000,
};

/* --- the pump --- */

static void on_event(void *ctx, const struct shim_event *event)
{
    struct torrents *torrents = ctx;
    struct torrent *torrent;
    if (event->ctx != NULL) {
        torrent_event(event->ctx, event);
    } else if (event->kind == SHIM_LISTEN) {
        log_error("torrent.listen", log_str("why", event->words));
    } else if (event->kind == SHIM_MISSED) {
        TAILQ_FOREACH(torrent, &torrents->list, link)
        torrent_event(torrent, event);
    }
}

static void on_alerts(uv_async_t *async)
{
    struct torrents *torrents = async->data;
    if (torrents->shim != NULL)
        shim_take_events(torrents->shim, on_event, torrents);
}

static void wake(void *ctx)
{
    struct torrents *torrents = ctx;
    uv_async_send(&torrents->alerts);
}

static void on_gate(uv_timer_t *timer)
{
    struct torrents *torrents = timer->data;
    bool is_empty = true;
    struct torrent *torrent;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    is_empty &= torrent_gate(torrent);
    if (is_empty)
        uv_timer_stop(timer);
}

void torrents_gate(struct torrents *torrents)
{
    if (!uv_is_active((uv_handle_t *) &torrents->gate))
        uv_timer_start(&torrents->gate, on_gate, 0, GATE_MS);
}

static void set_utp(struct torrents *torrents, bool is_on)
{
    if (torrents->is_utp != is_on && torrents->shim != NULL)
        shim_set_utp(torrents->shim, is_on);
    torrents->is_utp = is_on;
}

void torrents_hurry(struct torrents *torrents)
{
    torrents->hurried_ms = clock_mono_ms();
    set_utp(torrents, false);
}

/* What moves and is of the highest priority there is goes before the rest, but for what somebody watches. */
static void share(struct torrents *torrents)
{
    struct torrent *torrent;
    int highest = TORRENT_LOW;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    if (torrent_is_moving(torrent) && (int) torrent->state.priority > highest)
        highest = torrent->state.priority;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    torrent_limit(torrent, (int) torrent->state.priority < highest && !torrent->is_whole &&
                               !torrent_is_watched(torrent));
}

static void look(struct torrents *torrents, int64_t now)
{
    struct torrent *torrent;
    torrents->looked_ms = now;
    if (now - torrents->hurried_ms > HURRY_MS)
        set_utp(torrents, true);
    if (torrents->shim != NULL)
        shim_ask_status(torrents->shim);
    TAILQ_FOREACH(torrent, &torrents->list, link)
    torrent_look(torrent, now);
    share(torrents);
}

/* Who has a film open is looked after more often: what he waits for may become urgent. */
static void on_beat(uv_timer_t *timer)
{
    struct torrents *torrents = timer->data;
    int64_t now = clock_mono_ms();
    bool is_watched = false;
    struct torrent *torrent;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    {
        is_watched |= torrent_is_watched(torrent);
        torrent_plan(torrent);
    }
    if (now - torrents->looked_ms >= BEAT_MS - WATCHED_BEAT_MS / 2)
        look(torrents, now);
    uv_timer_set_repeat(timer, is_watched ? WATCHED_BEAT_MS : BEAT_MS);
}

enum err torrents_session(struct torrents *torrents, struct why *why)
{
    if (torrents->shim != NULL)
        return OK;
    enum err kind = shim_open(&torrents->settings, wake, torrents, &torrents->shim, why);
    if (kind == OK) {
        uv_timer_start(&torrents->beat, on_beat, BEAT_MS, BEAT_MS);
        log_info("torrent.session", log_str("listen", torrents->settings.listen));
    }
    return kind;
}

struct torrent *torrents_by_id(struct torrents *torrents, const char *id)
{
    struct torrent *torrent;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    if (torrent->phase != PHASE_LEAVING && strcmp(torrent->id, id) == 0)
        return torrent;
    return NULL;
}

static struct torrent *by_hashes(struct torrents *torrents, const struct shim_hashes *hashes)
{
    struct torrent *torrent;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    if (torrent->phase != PHASE_LEAVING && shim_hashes_meet(&torrent->hashes, hashes))
        return torrent;
    return NULL;
}

/* --- those of the last time --- */

enum { MOST_META_BYTES = 10 * 1000 * 1000 };

/* After another boot only what an orderly end left behind is sure to be on the disk. */
static bool is_kept(const struct torrents *torrents, const struct keep_state *state)
{
    return state->is_clean || strcmp(state->boot, torrents->boot) == 0;
}

static void bring_back(struct torrents *torrents, const char *id)
{
    struct keep *keep = NULL;
    struct keep_state state = {0};
    struct why why = {0};
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    struct shim_meta *meta = NULL;
    if (strlen(id) >= STORE_ID_SIZE || keep_open(torrents->root, id, &keep, &why) != OK) {
        log_warning("torrent.restore", log_str("folder", id), log_str("why", why.text));
        return;
    }
    enum err kind = keep_get_state(keep, &state);
    if (kind == ERR_NOT_FOUND) { /* the process ended before it was added */
        disk_remove(torrents, &keep);
        return;
    }
    if (kind != OK) {
        log_error("torrent.restore", log_str("folder", id), log_err(kind));
        keep_close(&keep);
        return;
    }
    /* What the library has is its owner's to change: it is not fetched over that. */
    bool believed =
        keep_is_untouched(keep, state.is_clean && !state.is_filed) && is_kept(torrents, &state);
    if (keep_get(keep, KEEP_META, MOST_META_BYTES, &bytes, &size) == OK &&
        shim_meta_read(bytes, size, &meta, &why) != OK)
        mem_free_at(&bytes);
    struct torrent *torrent = torrent_new(torrents, id, &keep, &state);
    if (meta != NULL)
        torrent_describe(torrent, &meta);
    torrent_begin(torrent, bytes, size, believed);
}

static void bring_all_back(struct torrents *torrents)
{
    DIR *folder = opendir(torrents->root);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            bring_back(torrents, entry->d_name);
    closedir(folder);
}

/* --- life --- */

static void settings_copy(struct shim_settings *to, const struct shim_settings *from)
{
    *to = *from;
    to->listen = mem_strdup(from->listen);
    to->interface = mem_strdup_or_null(from->interface);
    to->proxy = mem_strdup_or_null(from->proxy);
}

static void settings_fini(struct shim_settings *settings)
{
    mem_free((void *) (uintptr_t) settings->listen);
    mem_free((void *) (uintptr_t) settings->interface);
    mem_free((void *) (uintptr_t) settings->proxy);
}

static void begin(void *arg)
{
    struct torrents *torrents = arg;
    uv_loop_t *loop = loop_uv(torrents->loop);
    uv_async_init(loop, &torrents->alerts, on_alerts);
    uv_timer_init(loop, &torrents->beat);
    uv_timer_init(loop, &torrents->gate);
    torrents->alerts.data = torrents->beat.data = torrents->gate.data = torrents;
    bring_all_back(torrents);
}

enum err torrents_start(const struct torrents_options *options, struct torrents **out,
                        struct why *why)
{
    struct torrents *torrents = mem_new(struct torrents);
    struct str root = {0};
    str_printf(&root, "%s/torrents", options->data_folder);
    torrents->root = str_take(&root);
    settings_copy(&torrents->settings, options->settings);
    torrents->spare_bytes = options->spare_bytes;
    torrents->ratio = options->ratio;
    torrents->seed_ms = options->seed_ms;
    torrents->changed = options->changed;
    torrents->ctx = options->ctx;
    clock_boot(torrents->boot);
    TAILQ_INIT(&torrents->list);
    sem_init(&torrents->ended, 0, 0);
    enum err kind = OK;
    if (mkdir(torrents->root, 0700) != 0 && errno != EEXIST)
        kind = why_set(why, err_from_errno(errno), "data", "cannot make %s: %s", torrents->root,
                       strerror(errno));
    else if (disk_start(torrents) != OK || loop_start("torrent", &torrents->loop) != OK)
        kind = why_set(why, ERR_BUSY, NULL, "no thread can be started");
    if (kind != OK) {
        torrents_stop(&torrents);
        return kind;
    }
    loop_call(torrents->loop, begin, torrents);
    *out = torrents;
    return OK;
}

static void close_handles(struct torrents *torrents)
{
    uv_close((uv_handle_t *) &torrents->alerts, NULL);
    uv_close((uv_handle_t *) &torrents->beat, NULL);
    uv_close((uv_handle_t *) &torrents->gate, NULL);
}

static bool is_saving(const struct torrents *torrents)
{
    const struct torrent *torrent;
    TAILQ_FOREACH(torrent, &torrents->list, link)
    if (torrent->is_saving)
        return true;
    return false;
}

/* Runs the loop until all have been saved, and then ends it. */
static void on_stopping(uv_timer_t *timer)
{
    struct torrents *torrents = timer->data;
    bool is_late = clock_mono_ms() - torrents->looked_ms > STOP_MS;
    if (is_saving(torrents) && !is_late)
        return;
    if (is_late)
        log_warning("torrent.stop", log_str("why", "not all could be saved in time"));
    shim_close(&torrents->shim);
    struct torrent *torrent;
    while ((torrent = TAILQ_FIRST(&torrents->list)) != NULL) {
        if (torrent->phase != PHASE_LEAVING)
            torrent_save_state(torrent, !is_late);
        torrent_free(&torrent);
    }
    close_handles(torrents);
    sem_post(&torrents->ended);
}

static void end(void *arg)
{
    struct torrents *torrents = arg;
    struct torrent *torrent;
    torrents->looked_ms = clock_mono_ms();
    TAILQ_FOREACH(torrent, &torrents->list, link)
    {
        if (torrent->shim == NULL || torrent->phase == PHASE_LEAVING)
            continue;
        shim_stop(torrent->shim);
        torrent_ask_resume(torrent);
    }
    uv_timer_start(&torrents->beat, on_stopping, 0, GATE_MS);
}

void torrents_stop(struct torrents **torrents)
{
    struct torrents *gone = *torrents;
    *torrents = NULL;
    if (gone == NULL)
        return;
    if (gone->loop != NULL) {
        loop_call(gone->loop, end, gone);
        while (sem_wait(&gone->ended) != 0)
            ;
    }
    pool_free(&gone->disk); /* what it does last is told to the loop */
    loop_stop(&gone->loop);
    sem_destroy(&gone->ended);
    settings_fini(&gone->settings);
    mem_free(gone->root);
    mem_free(gone);
}

/* --- adding --- */

struct adding {
    struct torrents *torrents;
    const struct torrents_wish *wish;
    char *id;
    bool is_known, is_new;
    struct why *why;
    enum err kind;
    /* made by the caller, taken by the pump */
    struct shim_hashes hashes;
    struct shim_meta *meta;
    struct keep *keep;
    struct keep_state state;
};

static enum err read_wish(struct adding *adding)
{
    const struct torrents_wish *wish = adding->wish;
    struct keep_state *state = &adding->state;
    enum err kind = OK;
    if (wish->torrent == NULL) {
        kind = shim_magnet_read(wish->magnet, &adding->hashes, &state->name, adding->why);
    } else {
        kind = shim_meta_read(wish->torrent, wish->torrent_size, &adding->meta, adding->why);
        if (kind == OK) {
            adding->hashes = adding->meta->hashes;
            state->name = mem_strdup(adding->meta->name);
        }
    }
    if (kind == OK && state->name == NULL)
        state->name = mem_strdup(shim_hash(&adding->hashes)); /* until its description comes */
    return kind;
}

/* Its folder, with all that a start after a crash needs. */
static enum err make_folder(struct adding *adding)
{
    const struct torrents_wish *wish = adding->wish;
    struct keep_state *state = &adding->state;
    state->added_ms = clock_wall_ms();
    state->magnet = mem_strdup_or_null(wish->magnet);
    memcpy(state->boot, adding->torrents->boot, sizeof state->boot);
    store_new_id(adding->id);
    enum err kind = keep_open(adding->torrents->root, adding->id, &adding->keep, adding->why);
    if (kind == OK && wish->torrent != NULL)
        kind = keep_put(adding->keep, KEEP_META, wish->torrent, wish->torrent_size);
    if (kind == OK)
        kind = keep_put_state(adding->keep, state);
    if (kind != OK && adding->why->text[0] == '\0')
        why_set(adding->why, kind, NULL, "it cannot be kept in %s", adding->torrents->root);
    return kind;
}

static void look_for(void *arg)
{
    struct adding *adding = arg;
    const struct torrent *known = by_hashes(adding->torrents, &adding->hashes);
    adding->is_known = known != NULL;
    if (known != NULL)
        memcpy(adding->id, known->id, STORE_ID_SIZE);
}

static void add(void *arg)
{
    struct adding *adding = arg;
    struct torrents *torrents = adding->torrents;
    look_for(adding); /* somebody else may have been faster */
    if (adding->is_known)
        return;
    adding->kind = torrents_session(torrents, adding->why);
    if (adding->kind != OK)
        return;
    struct torrent *torrent = torrent_new(torrents, adding->id, &adding->keep, &adding->state);
    if (adding->meta != NULL)
        torrent_describe(torrent, &adding->meta);
    torrent_begin(torrent, adding->wish->torrent, adding->wish->torrent_size, true);
    adding->is_new = true;
    if (torrent->phase == PHASE_FAILED) {
        *adding->why = torrent->failure;
        adding->kind = ERR_IO;
        disk_remove(torrents, &torrent->keep);
        torrent_free(&torrent);
    }
}

enum err torrents_add(struct torrents *torrents, const struct torrents_wish *wish,
                      char id[STORE_ID_SIZE], bool *is_new, struct why *why)
{
    struct why unheard = {0};
    struct adding adding = {
        .torrents = torrents, .wish = wish, .id = id, .why = why != NULL ? why : &unheard};
    keep_state_init(&adding.state);
    adding.kind = read_wish(&adding);
    if (adding.kind == OK)
        loop_call(torrents->loop, look_for, &adding);
    if (adding.kind == OK && !adding.is_known)
        adding.kind = make_folder(&adding);
    if (adding.kind == OK && !adding.is_known)
        loop_call(torrents->loop, add, &adding);
    keep_remove(&adding.keep); /* what was not taken */
    keep_state_fini(&adding.state);
    shim_meta_free(&adding.meta);
    *is_new = adding.is_new;
    return adding.kind;
}

/* --- changing, removing --- */

struct changing {
    struct torrents *torrents;
    const char *id;
    const struct torrents_change *change;
    struct why *why;
    enum err kind;
};

/* All of them, or none. */
static enum err choose(struct torrent *torrent, const struct torrents_change *what, struct why *why)
{
    if (torrent->meta == NULL)
        return why_set(why, ERR_AGAIN, "files", "which files it has is not known yet");
    CLEANUP(mem_free_at) bool *wanted = torrent_wanted(torrent);
    for (size_t i = 0; i < what->choice_count; i++) {
        int file = files_find(torrent, what->choices[i].file);
        if (file < 0)
            return why_set(why, ERR_BAD_INPUT, "files", "it has no file %s", what->choices[i].file);
        wanted[file] = what->choices[i].is_wanted;
    }
    torrent_want(torrent, wanted);
    return OK;
}

static void change(void *arg)
{
    struct changing *changing = arg;
    const struct torrents_change *what = changing->change;
    struct torrent *torrent = torrents_by_id(changing->torrents, changing->id);
    changing->kind = torrent != NULL ? OK : ERR_NOT_FOUND;
    if (torrent != NULL && what->choice_count > 0)
        changing->kind = choose(torrent, what, changing->why);
    if (changing->kind != OK)
        return;
    torrent_change_limits(torrent, what);
    if (what->sets_paused)
        torrent_pause(torrent, what->is_paused);
}

enum err torrents_change(struct torrents *torrents, const char *id,
                         const struct torrents_change *what, struct why *why)
{
    struct changing changing = {.torrents = torrents, .id = id, .change = what, .why = why};
    loop_call(torrents->loop, change, &changing);
    return changing.kind;
}

static void set_filed(void *arg)
{
    struct changing *changing = arg;
    struct torrent *torrent = torrents_by_id(changing->torrents, changing->id);
    changing->kind = torrent == NULL ? ERR_NOT_FOUND : torrent->is_whole ? OK : ERR_AGAIN;
    if (changing->kind != OK)
        return;
    torrent->state.is_filed = true;
    torrent_save_state(torrent, false);
}

enum err torrents_set_filed(struct torrents *torrents, const char *id)
{
    struct changing changing = {.torrents = torrents, .id = id};
    loop_call(torrents->loop, set_filed, &changing);
    return changing.kind;
}

static void leave(void *arg)
{
    struct changing *changing = arg;
    struct torrent *torrent = torrents_by_id(changing->torrents, changing->id);
    if (torrent == NULL)
        changing->kind = ERR_NOT_FOUND;
    else
        torrent_leave(torrent);
}

enum err torrents_remove(struct torrents *torrents, const char *id)
{
    struct changing changing = {.torrents = torrents, .id = id};
    loop_call(torrents->loop, leave, &changing);
    return changing.kind;
}

/* --- looking --- */

struct looking {
    struct torrents *torrents;
    const char *id; /* NULL: all */
    struct torrent_view *views;
    size_t count;
};

static void view(void *arg)
{
    struct looking *looking = arg;
    size_t room = 0;
    const struct torrent *torrent;
    TAILQ_FOREACH(torrent, &looking->torrents->list, link)
    {
        if (torrent->phase == PHASE_LEAVING ||
            (looking->id != NULL && strcmp(torrent->id, looking->id) != 0))
            continue;
        mem_grow(looking->views, looking->count, room);
        view_of(torrent, &looking->views[looking->count++]);
    }
}

enum err torrents_find(struct torrents *torrents, const char *id, struct torrent_view *out)
{
    struct looking looking = {.torrents = torrents, .id = id};
    loop_call(torrents->loop, view, &looking);
    if (looking.count == 0)
        return ERR_NOT_FOUND;
    *out = looking.views[0];
    mem_free(looking.views);
    return OK;
}

struct torrent_view *torrents_list(struct torrents *torrents, size_t *count)
{
    struct looking looking = {.torrents = torrents};
    loop_call(torrents->loop, view, &looking);
    *count = looking.count;
    return looking.views;
}

void torrent_views_free(struct torrent_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        torrent_view_fini(&views[i]);
    mem_free(views);
}

struct opening {
    struct torrents *torrents;
    const char *file;
    struct source **out;
    char **path;
    struct why *why;
    enum err kind;
};

static void hold(void *arg)
{
    struct opening *opening = arg;
    const struct torrent *torrent;
    opening->kind = ERR_NOT_FOUND;
    TAILQ_FOREACH(torrent, &opening->torrents->list, link)
    if (torrent->phase != PHASE_LEAVING && files_find(torrent, opening->file) >= 0)
        opening->kind = OK;
}

bool torrents_hold(struct torrents *torrents, const char *file)
{
    struct opening opening = {.torrents = torrents, .file = file};
    loop_call(torrents->loop, hold, &opening);
    return opening.kind == OK;
}

static void open_file(void *arg)
{
    struct opening *opening = arg;
    struct torrent *torrent;
    opening->kind = ERR_NOT_FOUND;
    TAILQ_FOREACH(torrent, &opening->torrents->list, link)
    {
        int file = torrent->phase != PHASE_LEAVING ? files_find(torrent, opening->file) : -1;
        if (file < 0)
            continue;
        opening->kind = files_open(torrent, (size_t) file, opening->out, opening->why);
        if (opening->kind == OK)
            *opening->path = mem_strdup(torrent->meta->files[file].path);
    }
}

enum err torrents_open_file(struct torrents *torrents, const char *file, struct source **out,
                            char **path, struct why *why)
{
    struct opening opening = {
        .torrents = torrents, .file = file, .out = out, .path = path, .why = why};
    /* A new one is checked in a moment. */
    for (int i = 0; i < OPEN_TRIES; i++) {
        loop_call(torrents->loop, open_file, &opening);
        if (opening.kind != ERR_BUSY)
            break;
        usleep(GATE_MS * 1000);
    }
    return opening.kind;
}
