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
    bool is_verdict; /* it is known what the file is; else: another time */
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

/* Runs on the pool. A verdict that a file is unreadable is kept like a plan, of no bytes: it holds
 * until there is another matinee. */
static void save_look(void *arg)
{
    struct look_job *job = arg;
    struct library *library = job->library;
    bool playable = job->kind == OK;
    struct store_look look = {
        .file = job->look.id,
        .identity = {.size = job->identity.size, .mtime_ns = job->identity.mtime_ns},
        .state = playable ? STORE_FILE_READY : STORE_FILE_UNREADABLE,
        .reason = playable ? NULL : job->why.text,
        .duration_ms = playable ? job->duration_ms : -1,
        .bytes = playable ? job->bytes : (const uint8_t *) "",
        .size = playable ? job->size : 0,
        .version = library->plan_version,
        .engine = library->engine,
        .made_ms = clock_wall_ms()};
    memcpy(look.identity.hash, job->identity.hash, sizeof look.identity.hash);
    enum err err = store_file_looked(library->store, &look);
    if (err == OK)
        scan_tell_title(library, look.title);
    else if (err != ERR_NOT_FOUND)
        log_error("library.save", log_str("file", job->look.id), log_err(err));
}

static void look_saved(void *arg)
{
    struct look_job *job = arg;
    struct library *library = job->library;
    leave_hand(library, job->look.id, true);
    free_job(job);
    if (library->is_stopping)
        return;
    scan_update_state(library, 1);
    scan_wake(library);
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
    scan_update_state(library, 0);
    scan_wake(library);
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
    struct look again = job->look;
    if (may_pass(job->kind) && looks_retry(&library->looks, &again, clock_mono_ms())) {
        char id[STORE_ID_SIZE];
        memcpy(id, job->look.id, sizeof id);
        job->look = (struct look){0};
        memcpy(job->look.id, id, sizeof id);
        try_later(library, job);
        return;
    }
    if (job->kind != OK)
        log_info("library.unreadable", log_str("file", job->look.id),
                 log_str("why", job->why.text));
    if (pool_run(library->pool, save_look, look_saved, job, loop_mailbox(library->loop)) != OK)
        try_later(library, job);
}

static void look_done(void *ctx, enum err kind, const struct why *why,
                      const struct source_identity *identity, int64_t duration_ms,
                      const uint8_t *bytes, size_t size)
{
    struct look_job *job = ctx;
    struct library *library = job->library;
    if (library->is_stopping) {
        free_job(job);
        return;
    }
    job->kind = kind == OK && bytes == NULL ? ERR_IO : kind;
    if (why != NULL)
        job->why = *why;
    job->identity = identity != NULL ? *identity : job->look.identity;
    job->duration_ms = duration_ms;
    if (job->kind == OK) {
        job->bytes = mem_dup(bytes, size);
        job->size = size;
    }
    judge(library, job);
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
           looks_take(&library->looks, clock_mono_ms(), &look, &due_ms)) {
        struct look_job *job = mem_new(struct look_job);
        job->library = library;
        job->look = look;
        memcpy(hand, look.id, STORE_ID_SIZE);
        library->prober.probe(library->prober.ctx, look.path, look_done, job,
                              loop_mailbox(library->loop));
        started = true;
    }
    if (started)
        scan_update_state(library, 0);
    return hand == NULL ? -1 : due_ms;
}
