/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scan's other half: files that wait for a look are shown to the prober, and what that finds is
 * saved on the pool. Threads: the library's loop, but for save_look. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "library/library_inside.h"

struct look_job {
    struct library *library;
    struct look look;
    enum err kind;
    struct why why;
    struct source_identity identity;
    int64_t duration_ms;
    uint8_t *bytes;
    size_t size;
    bool wants_scan;
    bool is_kept;    /* it is what the store holds now */
    int64_t told_ms; /* the prober's thread: when the progress was */
};

static void free_job(struct look_job *job)
{
    look_fini(&job->look);
    mem_free(job->bytes);
    mem_free(job);
}

static void leave_hand(struct library *library, const char *id, bool is_finished)
{
    for (unsigned i = 0; i < LOOKS_AT_ONCE; i++)
        if (strcmp(library->in_hand[i], id) == 0)
            library->in_hand[i][0] = '\0';
    if (!library->is_walking || !is_finished)
        return;
    mem_grow(library->finished, library->finished_count, library->finished_room);
    memcpy(library->finished[library->finished_count++], id, STORE_ID_SIZE);
}

/* A verdict that a file is unreadable is kept like a plan, of no bytes: it holds until there is
 * another matinee. */
static enum err keep_look(struct look_job *job)
{
    struct library *library = job->library;
    bool playable = job->kind == OK;
    struct store_look look = {.file = job->look.id,
                              .identity = library_store_identity(&job->identity),
                              .state = playable ? STORE_FILE_READY : STORE_FILE_UNREADABLE,
                              .reason = playable ? NULL : job->why.text,
                              .duration_ms = playable ? job->duration_ms : -1,
                              .bytes = playable ? job->bytes : (const uint8_t *) "",
                              .size = playable ? job->size : 0,
                              .wants_scan = playable && job->wants_scan,
                              .version = library->plan_version,
                              .engine = library->engine,
                              .made_ms = clock_wall_ms()};
    enum err err = store_file_looked(library->store, &look);
    if (err == OK)
        scan_tell_title(library, look.title);
    return err;
}

/* Runs on the pool. */
static void save_look(void *arg)
{
    struct look_job *job = arg;
    struct library *library = job->library;
    enum err err = keep_look(job);
    job->is_kept = err == OK;
    if (err == OK && job->kind == OK && library->listener.ready != NULL)
        library->listener.ready(library->listener.ctx, job->look.id);
    if (err == OK && job->look.rank == LOOK_SCAN && library->listener.plan != NULL)
        library->listener.plan(library->listener.ctx, job->look.id);
    else if (err != OK && err != ERR_NOT_FOUND)
        log_error("library.save", log_str("file", job->look.id), log_err(err));
}

/* The film can be played now; that it is read through comes after all that is new. */
static void add_scan(struct library *library, struct look_job *job)
{
    struct look scan = {.rank = LOOK_SCAN, .path = job->look.path, .identity = job->identity};
    memcpy(scan.id, job->look.id, sizeof scan.id);
    job->look.path = NULL;
    looks_add(&library->looks, &scan);
}

static void look_saved(void *arg)
{
    struct look_job *job = arg;
    struct library *library = job->library;
    bool is_scan_due = job->is_kept && job->wants_scan && !library->are_scans_stopped;
    /* A walk that began before has it in its list, and is to put it there again. */
    leave_hand(library, job->look.id, !is_scan_due);
    if (is_scan_due && !library->is_stopping)
        add_scan(library, job);
    free_job(job);
    if (library->is_stopping)
        return;
    scan_wake(library);
    scan_update_state(library, 1);
}

/* What failed for want of something, or by chance, is tried again. */
static bool may_pass(enum err kind)
{
    switch (kind) {
    case ERR_AGAIN:
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
    case ERR_IO:
        return true;
    case OK:
    case ERR_NOT_FOUND:
    case ERR_BAD_INPUT:
    case ERR_BAD_MEDIA:
    case ERR_REFUSED:
    case ERR_LIMIT:
    case ERR_GONE:
    case ERR_COUNT:
        return false;
    }
    return false;
}

static void try_later(struct library *library, struct look_job *job)
{
    leave_hand(library, job->look.id, false);
    free_job(job);
    scan_wake(library);
    scan_update_state(library, 0);
}

static void judge(struct library *library, struct look_job *job)
{
    if (job->why.text[0] == '\0')
        snprintf(job->why.text, sizeof job->why.text, "%s", err_text(job->kind));
    if (job->kind == ERR_NOT_FOUND || job->kind == ERR_GONE) {
        library->next_walk_ms = clock_mono_ms() + SCAN_QUIET_MS; /* the walk finds out */
        try_later(library, job);
        return;
    }
    bool is_put_off = job->look.rank == LOOK_SCAN && may_pass(job->kind);
    if (is_put_off && library->are_scans_stopped) {
        try_later(library, job);
        return;
    }
    struct look again = job->look;
    if (may_pass(job->kind) && looks_retry(&library->looks, &again, clock_mono_ms())) {
        char id[STORE_ID_SIZE];
        memcpy(id, job->look.id, sizeof id);
        job->look = (struct look){0};
        memcpy(job->look.id, id, sizeof id);
        try_later(library, job);
        return;
    }
    if (is_put_off) { /* it plays as it is; the next walk asks again */
        try_later(library, job);
        return;
    }
    if (job->kind != OK)
        log_info("library.unreadable", log_str("file", job->look.id),
                 log_str("why", job->why.text));
    if (pool_run(library->pool, save_look, look_saved, job, loop_mailbox(library->loop)) != OK)
        try_later(library, job);
}

static void end_reading(struct library *library, const struct look_job *job)
{
    if (job->look.rank != LOOK_SCAN)
        return;
    pthread_mutex_lock(&library->lock);
    library->state.reading[0] = '\0';
    library->state.read = 0;
    pthread_mutex_unlock(&library->lock);
}

static void look_done(void *ctx, enum err kind, const struct why *why,
                      const struct library_found *found)
{
    struct look_job *job = ctx;
    struct library *library = job->library;
    end_reading(library, job);
    if (library->is_stopping) {
        free_job(job);
        return;
    }
    job->kind = kind == OK && found->bytes == NULL ? ERR_IO : kind;
    if (why != NULL)
        job->why = *why;
    job->identity = found->identity != NULL ? *found->identity : job->look.identity;
    job->duration_ms = found->duration_ms;
    job->wants_scan = found->wants_scan && job->look.rank != LOOK_SCAN;
    if (job->kind == OK) {
        job->bytes = mem_dup(found->bytes, found->size);
        job->size = found->size;
    }
    judge(library, job);
}

/* On the prober's thread; it has ended before look_done. Tells at most twice a second. */
static void look_progress(void *ctx, double fraction)
{
    enum { TELL_EVERY_MS = 500 };
    struct look_job *job = ctx;
    struct library *library = job->library;
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&library->lock);
    library->state.read = fraction;
    pthread_mutex_unlock(&library->lock);
    if (now_ms - job->told_ms < TELL_EVERY_MS)
        return;
    job->told_ms = now_ms;
    scan_tell(library);
}

/* On the loop. */
static void begin_reading(struct library *library, const struct look_job *job)
{
    pthread_mutex_lock(&library->lock);
    memcpy(library->state.reading, job->look.id, STORE_ID_SIZE);
    library->state.read = 0;
    pthread_mutex_unlock(&library->lock);
}

/* One film at a time is read through: what is new need not wait for that. */
static enum look_rank last_rank(const struct library *library)
{
    return library->state.reading[0] != '\0' ? LOOK_OLD : LOOK_SCAN;
}

static void start_look(struct library *library, char *hand, const struct look *look)
{
    struct look_job *job = mem_new(struct look_job);
    bool is_scan = look->rank == LOOK_SCAN;
    job->library = library;
    job->look = *look;
    memcpy(hand, look->id, STORE_ID_SIZE);
    if (is_scan)
        begin_reading(library, job);
    const struct library_probe probe = {.path = look->path,
                                        .scan = is_scan,
                                        .done = look_done,
                                        .progress = is_scan ? look_progress : NULL,
                                        .ctx = job,
                                        .mailbox = loop_mailbox(library->loop)};
    library->prober.probe(library->prober.ctx, &probe);
}

static char *free_hand(struct library *library)
{
    for (unsigned i = 0; i < LOOKS_AT_ONCE; i++)
        if (library->in_hand[i][0] == '\0')
            return library->in_hand[i];
    return NULL;
}

int64_t scan_start_looks(struct library *library)
{
    int64_t due_ms = -1;
    bool started = false;
    char *hand;
    struct look look;
    while ((hand = free_hand(library)) != NULL &&
           looks_take(&library->looks, last_rank(library), clock_mono_ms(), &look, &due_ms)) {
        start_look(library, hand, &look);
        started = true;
    }
    if (started)
        scan_update_state(library, 0);
    return hand == NULL ? -1 : due_ms;
}
