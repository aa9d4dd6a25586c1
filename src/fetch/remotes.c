/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/remotes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "fetch/remotes_inside.h"

enum {
    BEAT_MS = 250,
    TELL_MS = 500,
    IDLE_MS = 5 * 60 * 1000,
    RETRY_MS = 250,
    RATE_MS = 2000,
    QUIET_MS = 10000, /* without a byte that somebody waits for: said */
};

/* --- its identity --- */

/* A weak ETag stands for what looks alike, not for the same bytes (RFC 9110 8.8.1). */
static const char *validator(const struct remote_facts *facts)
{
    bool is_strong = facts->etag[0] == '"';
    return is_strong ? facts->etag : facts->modified;
}

struct source_identity remotes_identity(const struct remote_facts *facts)
{
    CLEANUP(str_fini) struct str text = {0};
    str_printf(&text, "%s\n%s", facts->url, validator(facts));
    return source_identity_of(facts->size, str_text(&text));
}

/* --- life of a file --- */

static void remote_close(struct remote *remote)
{
    remote_end_lines(remote);
    source_unref(&remote->source);
    remote_keep_close(remote);
    if (remote->folder == NULL)
        remote->remotes->held -= remote_bytes_here(remote, (struct span){0, remote->size});
    spans_fini(&remote->here);
    remote->here = (struct spans){0};
    fd_close(&remote->fd);
    mem_free(remote->touched);
    remote->touched = NULL;
}

static void remote_free(struct remote *remote)
{
    remote_close(remote);
    TAILQ_REMOVE(&remote->remotes->list, remote, link);
    mem_free(remote->url);
    mem_free(remote->etag);
    mem_free(remote->modified);
    mem_free(remote->folder);
    mem_free(remote);
}

void remote_fail(struct remote *remote, enum err kind, const struct why *why)
{
    log_warning("remote.failed", log_str("id", remote->id), log_err(kind),
                log_str("why", why->text));
    remote->why = *why;
    if (remote->source != NULL)
        source_fail(remote->source, kind, why);
    remote_close(remote);
    remote->is_changed = true;
}

static struct remote *find(struct remotes *remotes, const char *id)
{
    struct remote *remote;
    TAILQ_FOREACH(remote, &remotes->list, link)
    if (strcmp(remote->id, id) == 0)
        return remote;
    return NULL;
}

static struct remote *remote_new(struct remotes *remotes, const struct remote_facts *facts)
{
    struct remote *remote = mem_new(struct remote);
    remote->remotes = remotes;
    remote->fd = remote->journal = -1;
    remote->folder = mem_strdup_or_null(facts->folder);
    remote->is_paused = facts->is_paused;
    memcpy(remote->id, facts->id, strnlen(facts->id, sizeof remote->id - 1));
    remote->url = mem_strdup(facts->url);
    remote->etag = mem_strdup(facts->etag);
    remote->modified = mem_strdup(facts->modified);
    remote->size = facts->size;
    remote->is_ranged = facts->is_ranged;
    for (size_t i = 0; i < REMOTE_LINES; i++)
        remote->lines[i].remote = remote;
    TAILQ_INSERT_TAIL(&remotes->list, remote, link);
    return remote;
}

/* --- its bytes --- */

/* A file without a name, open twice: to write it, and for others to read it. */
static enum err make_file(const struct remotes *remotes, const char *id, uint64_t size, int *writes,
                          int *reads)
{
    CLEANUP(str_fini) struct str path = {0};
    CLEANUP(fd_close) int written = -1;
    CLEANUP(fd_close) int read = -1;
    str_printf(&path, "%s/%s", remotes->folder, id);
    written = open(str_text(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (written < 0)
        return err_from_errno(errno);
    read = open(str_text(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int number = read < 0 ? errno : 0;
    unlink(str_text(&path));
    if (number == 0 && ftruncate(written, (off_t) size) != 0)
        number = errno;
    if (number != 0)
        return err_from_errno(number);
    *writes = fd_take(&written);
    *reads = fd_take(&read);
    return OK;
}

static void plan_all(void *arg)
{
    struct remotes *remotes = arg;
    struct remote *remote, *next;
    atomic_store(&remotes->is_woken, false);
    for (remote = TAILQ_FIRST(&remotes->list); remote != NULL; remote = next) {
        next = TAILQ_NEXT(remote, link);
        remote_plan(remote);
    }
}

static void wake(void *ctx)
{
    struct remotes *remotes = ctx;
    if (!atomic_exchange(&remotes->is_woken, true))
        mailbox_post(loop_mailbox(remotes->loop), plan_all, remotes);
}

static enum err start_remote(struct remote *remote, const struct source_identity *identity)
{
    struct remotes *remotes = remote->remotes;
    const struct source_filler filler = {.ctx = remotes, .wake = wake};
    CLEANUP(fd_close) int reads = -1;
    enum err kind = remote->folder != NULL
                        ? remote_keep_open(remote, &reads)
                        : make_file(remotes, remote->id, remote->size, &remote->fd, &reads);
    if (kind == OK)
        kind = source_new_sparse(&reads, identity, &filler, &remote->source);
    if (kind != OK) {
        fd_close(&remote->fd);
        fd_close(&remote->journal);
        return kind;
    }
    remote->touched = mem_new_array(uint32_t, remote->size / REMOTE_CHUNK_BYTES + 1);
    remote->most_lines = remote->is_ranged ? REMOTE_LINES : 1;
    remote->failures = 0;
    remote->retry_ms = 0;
    remote->why = (struct why){0};
    remote->opened_ms = remote->moved_ms = remote->counted_ms = clock_mono_ms();
    if (remote->folder != NULL)
        remote_keep_load(remote);
    return OK;
}

/* --- from time to time --- */

static void count_rate(struct remote *remote, int64_t now)
{
    int64_t passed = now - remote->counted_ms;
    if (passed < RATE_MS)
        return;
    remote->rate = (int64_t) remote->counted * 1000 / passed;
    remote->counted = 0;
    remote->counted_ms = now;
}

static void tell(struct remote *remote, int64_t now)
{
    struct remotes *remotes = remote->remotes;
    if (!remote->is_changed || now - remote->told_ms < TELL_MS)
        return;
    remote->is_changed = false;
    remote->told_ms = now;
    if (remotes->changed != NULL)
        remotes->changed(remotes->ctx, remote->id);
}

static void look(struct remote *remote, int64_t now)
{
    if (remote->source != NULL && source_is_shared(remote->source))
        remote->read_ms = now;
    remote_plan(remote);
    count_rate(remote, now);
    if (remote->folder != NULL && remote->source != NULL)
        remote_keep_flush(remote);
    tell(remote, now);
    if (remote->folder == NULL && now - remote->read_ms > remote->remotes->idle_ms)
        remote_free(remote);
}

static void on_beat(uv_timer_t *timer)
{
    struct remotes *remotes = timer->data;
    struct remote *remote, *next;
    int64_t now = clock_mono_ms();
    for (remote = TAILQ_FIRST(&remotes->list); remote != NULL; remote = next) {
        next = TAILQ_NEXT(remote, link);
        look(remote, now);
    }
    if (TAILQ_EMPTY(&remotes->list))
        uv_timer_stop(timer);
}

/* --- what others ask, on the loop --- */

struct opening {
    struct remotes *remotes;
    const struct remote_facts *facts;
    struct source *source;
    enum err kind;
    struct why *why;
};

static struct remote *take_remote(struct opening *opening, const struct source_identity *identity)
{
    struct remotes *remotes = opening->remotes;
    struct remote *remote = find(remotes, opening->facts->id);
    const struct why why = {.text = "its server has another file there now"};
    bool is_other = remote != NULL && remote->source != NULL &&
                    !source_identity_equal(identity, source_identity(remote->source));
    if (is_other)
        remote_fail(remote, ERR_GONE, &why);
    if (remote != NULL && remote->source == NULL) {
        remote_free(remote);
        remote = NULL;
    }
    return remote;
}

static void open_one(void *arg)
{
    struct opening *opening = arg;
    struct remotes *remotes = opening->remotes;
    const struct source_identity identity = remotes_identity(opening->facts);
    if (remotes->is_halted) {
        opening->kind = why_set(opening->why, ERR_CANCELLED, NULL, "the server is stopping");
        return;
    }
    struct remote *remote = take_remote(opening, &identity);
    opening->kind = OK;
    if (remote == NULL) {
        remote = remote_new(remotes, opening->facts);
        opening->kind = start_remote(remote, &identity);
    }
    if (opening->kind != OK) {
        why_set(opening->why, opening->kind, NULL, "what comes cannot be kept: %s",
                err_text(opening->kind));
        remote_free(remote);
        return;
    }
    remote->read_ms = clock_mono_ms();
    remote->is_paused = opening->facts->is_paused;
    opening->source = source_ref(remote->source);
    if (!uv_is_active((uv_handle_t *) &remotes->beat))
        uv_timer_start(&remotes->beat, on_beat, BEAT_MS, BEAT_MS);
    remote_plan(remote);
}

enum err remotes_judge(const struct remotes *remotes, const struct remote_facts *facts,
                       struct why *why)
{
    if (facts->is_ranged || facts->folder != NULL || facts->size <= remotes->budget)
        return OK;
    return why_set(why, ERR_LIMIT, "url",
                   "its server does not send parts of it, and it is larger than the %" PRIu64
                   " MB that may be kept (fetch.keep_bytes)",
                   remotes->budget / 1000000);
}

enum err remotes_open(struct remotes *remotes, const struct remote_facts *facts,
                      struct source **out, struct why *why)
{
    enum err kind = remotes_judge(remotes, facts, why);
    if (kind != OK)
        return kind;
    struct opening opening = {.remotes = remotes, .facts = facts, .why = why};
    loop_call(remotes->loop, open_one, &opening);
    *out = opening.source;
    return opening.kind;
}

struct asking {
    struct remotes *remotes;
    const char *id;
    struct remote_state *state;
    struct source *source;
};

static void find_one(void *arg)
{
    struct asking *asking = arg;
    const struct remote *remote = find(asking->remotes, asking->id);
    if (remote != NULL && remote->source != NULL)
        asking->source = source_ref(remote->source);
}

struct source *remotes_find(struct remotes *remotes, const char *id)
{
    struct asking asking = {.remotes = remotes, .id = id};
    loop_call(remotes->loop, find_one, &asking);
    return asking.source;
}

static void forget_one(void *arg)
{
    const struct asking *asking = arg;
    const struct why why = {.text = "the link was removed"};
    struct remote *remote = find(asking->remotes, asking->id);
    if (remote == NULL)
        return;
    if (remote->source != NULL)
        remote_fail(remote, ERR_GONE, &why);
    remote_free(remote);
}

void remotes_forget(struct remotes *remotes, const char *id)
{
    loop_call(remotes->loop, forget_one, &(struct asking){.remotes = remotes, .id = id});
}

static void release_one(void *arg)
{
    const struct asking *asking = arg;
    struct remote *remote = find(asking->remotes, asking->id);
    if (remote != NULL)
        remote_free(remote);
}

void remotes_release(struct remotes *remotes, const char *id)
{
    loop_call(remotes->loop, release_one, &(struct asking){.remotes = remotes, .id = id});
}

static void say_why(const struct remote *remote, struct remote_state *state)
{
    int64_t quiet = clock_mono_ms() - remote->moved_ms;
    struct why why = remote->why;
    if (why.text[0] == '\0' && remote->is_waited_for && quiet > QUIET_MS)
        why_set(&why, ERR_TIMEOUT, NULL, "its server has sent nothing for %d s",
                (int) (quiet / 1000));
    memcpy(state->reason, why.text,
           sizeof why.text < sizeof state->reason ? sizeof why.text : sizeof state->reason);
    state->reason[sizeof state->reason - 1] = '\0';
}

static void look_at(void *arg)
{
    const struct asking *asking = arg;
    const struct remote *remote = find(asking->remotes, asking->id);
    if (remote == NULL)
        return;
    asking->state->rate = remote->rate;
    asking->state->here = remote_bytes_here(remote, (struct span){0, remote->size});
    asking->state->has_failed = remote->source == NULL;
    say_why(remote, asking->state);
}

void remotes_look(struct remotes *remotes, const char *id, struct remote_state *out)
{
    *out = (struct remote_state){0};
    loop_call(remotes->loop, look_at, &(struct asking){.remotes = remotes, .id = id, .state = out});
}

/* --- start and stop --- */

static enum err empty_folder(const char *path, struct why *why)
{
    const struct dirent *entry;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return why_set(why, err_from_errno(errno), "data", "cannot make %s: %s", path,
                       strerror(errno));
    DIR *folder = opendir(path);
    if (folder == NULL)
        return why_set(why, err_from_errno(errno), "data", "cannot read %s: %s", path,
                       strerror(errno));
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    return OK;
}

static void open_timer(void *arg)
{
    struct remotes *remotes = arg;
    MUST(uv_timer_init(loop_uv(remotes->loop), &remotes->beat) == 0);
    remotes->beat.data = remotes;
}

static void halt(void *arg)
{
    struct remotes *remotes = arg;
    remotes->is_halted = true;
    const struct why why = {.text = "the server is stopping"};
    struct remote *remote;
    while ((remote = TAILQ_FIRST(&remotes->list)) != NULL) {
        if (remote->source != NULL)
            source_fail(remote->source, ERR_CANCELLED, &why);
        remote_free(remote);
    }
}

static void close_timer(void *arg)
{
    struct remotes *remotes = arg;
    uv_close((uv_handle_t *) &remotes->beat, NULL);
}

enum err remotes_start(const struct remotes_options *options, struct remotes **out, struct why *why)
{
    enum err kind = empty_folder(options->folder, why);
    if (kind != OK)
        return kind;
    struct remotes *remotes = mem_new(struct remotes);
    TAILQ_INIT(&remotes->list);
    remotes->fetch = options->fetch;
    remotes->folder = mem_strdup(options->folder);
    remotes->budget = options->budget_bytes;
    /* Of a small budget, what lies before three viewers is less than half. */
    remotes->ahead =
        remotes->budget / 8 < REMOTE_AHEAD_BYTES ? remotes->budget / 8 : REMOTE_AHEAD_BYTES;
    remotes->idle_ms = options->idle_ms > 0 ? options->idle_ms : IDLE_MS;
    remotes->retry_ms = options->retry_ms > 0 ? options->retry_ms : RETRY_MS;
    remotes->changed = options->changed;
    remotes->ctx = options->ctx;
    if (loop_start("remotes", &remotes->loop) != OK) {
        mem_free(remotes->folder);
        mem_free(remotes);
        return why_set(why, ERR_BUSY, NULL, "no thread can be started");
    }
    loop_call(remotes->loop, open_timer, remotes);
    *out = remotes;
    return OK;
}

void remotes_halt(struct remotes *remotes)
{
    if (remotes != NULL)
        loop_call(remotes->loop, halt, remotes);
}

void remotes_stop(struct remotes **remotes)
{
    struct remotes *gone = *remotes;
    *remotes = NULL;
    if (gone == NULL)
        return;
    loop_call(gone->loop, halt, gone);
    loop_call(gone->loop, close_timer, gone);
    loop_stop(&gone->loop);
    mem_free(gone->folder);
    mem_free(gone);
}
