/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walks and looks. A walk is due at start, when something changed, when a file that was growing may
 * have settled, and by interval; it runs on the pool. What waits for a look is then shown to the
 * prober, two at a time, and what that finds is saved on the pool. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "library/compare.h"
#include "library/library_inside.h"

enum { QUIET_WALKS = 4, QUIET_MAX_MS = 30 * 1000, MARGIN_MS = 20 };
#define MISSING_KEPT_MS (30LL * 24 * 60 * 60 * 1000)

void scan_tell(struct library *library)
{
    if (library->listener.scan != NULL)
        library->listener.scan(library->listener.ctx);
}

void scan_tell_title(struct library *library, const char *title)
{
    if (library->listener.title != NULL && title[0] != '\0')
        library->listener.title(library->listener.ctx, title);
}

static unsigned count_in_hand(const struct library *library)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LOOKS_AT_ONCE; i++)
        count += library->in_hand[i][0] != '\0';
    return count;
}

/* Under lock. */
static void begin(struct library_scan *state)
{
    if (state->is_running)
        return;
    state->done = state->total = 0;
    state->finished_ms = 0;
    state->started_ms = clock_wall_ms();
    state->is_running = true;
}

void scan_update_state(struct library *library, uint64_t looked)
{
    unsigned in_hand = count_in_hand(library);
    pthread_mutex_lock(&library->lock);
    struct library_scan *state = &library->state;
    if (library->is_walking || in_hand > 0 || library->is_walk_asked) {
        begin(state);
    } else if (state->is_running) {
        state->is_running = false;
        state->finished_ms = clock_wall_ms();
    }
    state->done += looked;
    state->total = state->done + in_hand + looks_count(&library->looks);
    pthread_mutex_unlock(&library->lock);
    scan_tell(library);
}

/* --- walks --- */

struct walk_job {
    struct library *library;
    enum err err;
    struct library_folder *states;
    struct looks looks;
    int64_t due_ms; /* wall clock: when a file may have settled; 0 = none waits for that */
    int64_t now_ms, took_ms;
    bool is_folder_away;
};

void scan_tell_changes(struct library *library, const struct store_change *changes, size_t count)
{
    char told[STORE_ID_SIZE] = ""; /* one show loses many episodes at once */
    for (size_t i = 0; i < count; i++) {
        const struct store_change *change = &changes[i];
        scan_tell_title(library, change->old_title);
        scan_tell_title(library, change->file.title);
        if (strcmp(change->old_show, told) != 0)
            scan_tell_title(library, change->old_show);
        memcpy(told, change->old_show, sizeof told);
        if ((change->kind == STORE_CONTENT || change->kind == STORE_MISSING) &&
            library->listener.file != NULL)
            library->listener.file(library->listener.ctx, change->file.id);
    }
}

static bool is_settled(const struct walk_job *job, const struct store_file *file, int64_t *due_ms)
{
    int64_t settle_ms = job->library->settle_ms;
    int64_t mtime_ms = file->mtime_ns / 1000000;
    int64_t since_ms = mtime_ms < file->changed_ms ? mtime_ms : file->changed_ms;
    *due_ms = since_ms + settle_ms;
    return job->now_ms >= *due_ms;
}

static enum look_rank rank_of(const struct store_file *file, enum store_plan_state plan)
{
    if (file->state == STORE_FILE_WAITING)
        return LOOK_NEW;
    return plan == STORE_PLAN_FIRST ? LOOK_SCAN : LOOK_OLD;
}

static void note_look(void *ctx, const struct store_file *file, enum store_plan_state plan)
{
    struct walk_job *job = ctx;
    int64_t due_ms = 0;
    bool is_done = plan == STORE_PLAN_FINAL && file->state != STORE_FILE_WAITING;
    if (file->is_missing || file->is_offline || !file->has_hash || is_done)
        return;
    if (!is_settled(job, file, &due_ms)) {
        if (job->due_ms == 0 || due_ms < job->due_ms)
            job->due_ms = due_ms;
        return;
    }
    struct look look = {.rank = rank_of(file, plan),
                        .path = compare_resolve(file->path),
                        .identity = {.size = file->size, .mtime_ns = file->mtime_ns}};
    memcpy(look.id, file->id, sizeof look.id);
    memcpy(look.identity.hash, file->hash, sizeof look.identity.hash);
    looks_add(&job->looks, &look);
}

static enum err walk_and_compare(struct walk_job *job, struct walk *walk, struct compare *compare)
{
    struct library *library = job->library;
    enum err err = store_files_purge(library->store, job->now_ms - MISSING_KEPT_MS);
    if (err == OK)
        err = walk_run(walk);
    if (err == OK)
        err = compare_run(compare);
    if (err == OK)
        err = store_files_change(library->store, compare->changes, compare->change_count);
    if (err != OK)
        return err;
    scan_tell_changes(library, compare->changes, compare->change_count);
    job->states = walk->states;
    walk->states = NULL;
    for (size_t i = 0; i < walk->folder_count; i++)
        job->is_folder_away |= job->states[i].state != FOLDER_READY;
    return store_files_each(library->store, library->plan_version, library->engine, note_look, job);
}

/* Runs on the pool. */
static void do_walk(void *arg)
{
    struct walk_job *job = arg;
    struct library *library = job->library;
    struct walk walk = {.folders = (const char *const *) library->folders,
                        .folder_count = library->folder_count,
                        .watch = library->watch,
                        .is_cancelled = &library->is_cancelled};
    struct compare compare = {.store = library->store,
                              .walk = &walk,
                              .now_ms = job->now_ms,
                              .is_cancelled = &library->is_cancelled};
    int64_t began_ms = clock_mono_ms();
    trash_purge(library, job->now_ms);
    job->err = walk_and_compare(job, &walk, &compare);
    job->took_ms = clock_mono_ms() - began_ms;
    if (job->err == OK && compare.change_count > 0)
        log_info("library.walked", log_int("files", (int64_t) walk.file_count),
                 log_int("changes", (int64_t) compare.change_count), log_int("ms", job->took_ms));
    if (job->err != OK && job->err != ERR_CANCELLED)
        log_error("library.walk", log_err(job->err));
    compare_fini(&compare);
    walk_fini(&walk);
}

static bool was_finished(const struct library *library, const char *id)
{
    for (size_t i = 0; i < library->finished_count; i++)
        if (strcmp(library->finished[i], id) == 0)
            return true;
    for (unsigned i = 0; i < LOOKS_AT_ONCE; i++)
        if (strcmp(library->in_hand[i], id) == 0)
            return true;
    return false;
}

/* The walk began before some looks ended: what they found is not asked for again. */
static void take_looks(struct library *library, struct looks *fresh)
{
    struct looks wanted = {0};
    struct look look;
    int64_t due_ms;
    while (looks_take(fresh, LOOK_SCAN, 0, &look, &due_ms)) {
        if (was_finished(library, look.id))
            look_fini(&look);
        else
            looks_add(&wanted, &look);
    }
    looks_fini(fresh);
    looks_replace(&library->looks, &wanted);
}

static void take_states(struct library *library, struct library_folder *states)
{
    pthread_mutex_lock(&library->lock);
    for (size_t i = 0; i < library->folder_count; i++) {
        library->state.folders[i] = states[i];
        library->state.folders[i].path = library->folders[i];
    }
    pthread_mutex_unlock(&library->lock);
    mem_free(states);
}

static void plan_next_walk(struct library *library, const struct walk_job *job)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = now_ms + library->rescan_ms;
    int64_t due_ms = now_ms + (job->due_ms - clock_wall_ms()) + MARGIN_MS;
    if (job->due_ms != 0 && due_ms < next_ms)
        next_ms = due_ms > now_ms + SCAN_QUIET_MS ? due_ms : now_ms + SCAN_QUIET_MS;
    /* Nothing tells that a disk is back, or that it works again. */
    bool may_heal = job->is_folder_away || (job->err != OK && job->err != ERR_CANCELLED);
    if (may_heal && next_ms > now_ms + QUIET_MAX_MS)
        next_ms = now_ms + QUIET_MAX_MS;
    if (next_ms < library->next_walk_ms)
        library->next_walk_ms = next_ms;
}

static void walk_done(void *arg)
{
    struct walk_job *job = arg;
    struct library *library = job->library;
    library->is_walking = false;
    library->walk_took_ms = job->took_ms;
    if (job->states != NULL)
        take_states(library, job->states);
    if (job->err == OK && !library->is_stopping)
        take_looks(library, &job->looks);
    looks_fini(&job->looks);
    library->finished_count = 0;
    if (!library->is_stopping) {
        plan_next_walk(library, job);
        scan_update_state(library, 0);
        scan_wake(library);
    }
    mem_free(job);
}

static void start_walk(struct library *library)
{
    struct walk_job *job = mem_new(struct walk_job);
    pthread_mutex_lock(&library->lock);
    library->is_walk_asked = false;
    pthread_mutex_unlock(&library->lock);
    job->library = library;
    job->now_ms = clock_wall_ms();
    atomic_store(&library->is_cancelled, false);
    library->is_walking = true;
    library->are_scans_stopped = false;
    library->next_walk_ms = INT64_MAX;
    if (pool_run(library->pool, do_walk, walk_done, job, loop_mailbox(library->loop)) != OK) {
        library->is_walking = false;
        library->next_walk_ms = clock_mono_ms() + QUIET_MAX_MS;
        mem_free(job);
    }
    scan_update_state(library, 0);
}

/* --- the loop --- */

static void on_timer(uv_timer_t *timer)
{
    scan_wake(timer->data);
}

/* Does what is due and sleeps until more is. */
void scan_wake(struct library *library)
{
    if (!library->is_walking && clock_mono_ms() >= library->next_walk_ms)
        start_walk(library);
    int64_t due_ms = scan_start_looks(library);
    if (!library->is_walking && (due_ms < 0 || library->next_walk_ms < due_ms))
        due_ms = library->next_walk_ms;
    if (due_ms < 0 || due_ms == INT64_MAX)
        return;
    int64_t wait_ms = due_ms - clock_mono_ms();
    uv_update_time(library->timer.loop);
    uv_timer_start(&library->timer, on_timer, wait_ms > 0 ? (uint64_t) wait_ms : 0, 0);
}

static void on_change(void *ctx)
{
    struct library *library = ctx;
    int64_t quiet_ms = QUIET_WALKS * library->walk_took_ms;
    quiet_ms = quiet_ms < SCAN_QUIET_MS  ? SCAN_QUIET_MS
               : quiet_ms > QUIET_MAX_MS ? QUIET_MAX_MS
                                         : quiet_ms;
    int64_t next_ms = clock_mono_ms() + quiet_ms;
    if (next_ms < library->next_walk_ms)
        library->next_walk_ms = next_ms;
    scan_wake(library);
}

void scan_start(void *arg)
{
    struct library *library = arg;
    struct uv_loop_s *uv = loop_uv(library->loop);
    MUST(!library->is_started);
    library->is_started = true;
    MUST(uv_timer_init(uv, &library->timer) == 0);
    library->timer.data = library;
    if (!library->ignore_events)
        library->watch = watch_open(uv, on_change, library);
    library->next_walk_ms = 0;
    scan_wake(library);
}

void scan_stop(void *arg)
{
    struct library *library = arg;
    if (library->is_stopping)
        return;
    library->is_stopping = true;
    looks_fini(&library->looks);
    if (library->is_started) {
        uv_timer_stop(&library->timer);
        uv_close((uv_handle_t *) &library->timer, NULL);
    }
}

void scan_unwatch(void *arg)
{
    struct library *library = arg;
    watch_close(&library->watch);
}

static void walk_now(void *arg)
{
    struct library *library = arg;
    if (library->is_stopping || !library->is_started)
        return;
    library->next_walk_ms = 0;
    scan_wake(library);
}

void library_scan_start(struct library *library)
{
    pthread_mutex_lock(&library->lock);
    library->is_walk_asked = true;
    begin(&library->state);
    pthread_mutex_unlock(&library->lock);
    mailbox_post(loop_mailbox(library->loop), walk_now, library);
}

static void end_scan(void *arg)
{
    struct library *library = arg;
    if (library->is_stopping)
        return;
    atomic_store(&library->is_cancelled, library->is_walking);
    looks_fini(&library->looks);
    library->are_scans_stopped = true;
    library->prober.stop_scans(library->prober.ctx);
    scan_update_state(library, 0);
}

void library_scan_stop(struct library *library)
{
    mailbox_post(loop_mailbox(library->loop), end_scan, library);
}
