/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "room_stage.h"

#include <dirent.h>
#include <pthread.h>

#include "plan_fixture.h"

enum { PATIENCE_MS = 5000 };

static int index_of(const char *id)
{
    return strcmp(id, "a") == 0 ? 0 : strcmp(id, "b") == 0 ? 1 : -1;
}

static enum err library_find(void *ctx, const char *id, struct hls_file *out, struct why *why)
{
    struct stage *stage = ctx;
    int film = index_of(id);
    if (film < 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no such file");
    pthread_mutex_lock(&stage->lock);
    out->path = mem_strdup(stage->films[film]);
    out->identity = stage->identities[film];
    if (film == 0 && stage->sparse != NULL)
        out->source = source_ref(stage->sparse);
    if (stage->plans[film] != NULL) {
        out->plan = mem_dup(stage->plans[film], stage->plan_sizes[film]);
        out->plan_size = stage->plan_sizes[film];
    }
    if (film == 0 && stage->first != NULL) {
        out->first = mem_dup(stage->first, stage->first_size);
        out->first_size = stage->first_size;
    }
    pthread_mutex_unlock(&stage->lock);
    return OK;
}

static void library_keep(void *ctx, const char *id, const struct source_identity *identity,
                         const uint8_t *plan, size_t size)
{
    struct stage *stage = ctx;
    int film = index_of(id);
    pthread_mutex_lock(&stage->lock);
    mem_free(stage->plans[film]);
    stage->plans[film] = mem_dup(plan, size);
    stage->plan_sizes[film] = size;
    stage->identities[film] = *identity;
    stage->kept++;
    pthread_mutex_unlock(&stage->lock);
}

static void library_progress(void *ctx, const char *id, double fraction)
{
    struct stage *stage = ctx;
    assert_int_equal(index_of(id), 0);
    pthread_mutex_lock(&stage->lock);
    stage->progress++;
    stage->fraction = fraction;
    pthread_mutex_unlock(&stage->lock);
}

static void add_episode(const struct stage *stage, const char *id, struct hls_season *out)
{
    const struct source_identity *identity = &stage->identities[index_of(id)];
    struct hls_episode *episode = &out->episodes[out->count++];
    *episode = (struct hls_episode){.number = index_of(id) + 1, .size = identity->size};
    snprintf(episode->id, sizeof episode->id, "%s", id);
    memcpy(episode->hash, identity->hash, sizeof episode->hash);
}

static bool library_season(void *ctx, const char *id, struct hls_season *out)
{
    struct stage *stage = ctx;
    out->episodes = mem_new_array(struct hls_episode, 2);
    pthread_mutex_lock(&stage->lock);
    if (!stage->is_alone || index_of(id) == 0)
        add_episode(stage, "a", out);
    if (!stage->is_alone || index_of(id) == 1)
        add_episode(stage, "b", out);
    pthread_mutex_unlock(&stage->lock);
    return true;
}

static void library_seasons(void *ctx UNUSED, hls_file_fn *each, void *each_ctx)
{
    each(each_ctx, "b");
}

static void library_marked(void *ctx, const char *id)
{
    struct stage *stage = ctx;
    assert_in_range(index_of(id), 0, 1);
    pthread_mutex_lock(&stage->lock);
    stage->marked++;
    pthread_mutex_unlock(&stage->lock);
}

void stage_with_first(struct stage *stage, const struct film *film)
{
    pthread_mutex_lock(&stage->lock);
    mem_free(stage->first);
    stage->first = mem_dup(film->plan_bytes, film->plan_size);
    stage->first_size = film->plan_size;
    pthread_mutex_unlock(&stage->lock);
}

void stage_with_plan(struct stage *stage, int film)
{
    CLEANUP(plan_free) struct plan *plan = fixture_ladder_plan();
    pthread_mutex_lock(&stage->lock);
    mem_free(stage->plans[film]);
    plan_write(plan, &stage->plans[film], &stage->plan_sizes[film]);
    pthread_mutex_unlock(&stage->lock);
}

static void on_wake(void *ctx)
{
    struct stage *stage = ctx;
    pthread_mutex_lock(&stage->lock);
    stage->fetches++;
    pthread_mutex_unlock(&stage->lock);
}

void stage_with_sparse(struct stage *stage)
{
    const struct source_filler filler = {.ctx = stage, .wake = on_wake};
    struct source *source = NULL;
    int fd = open(stage->films[0], O_RDONLY | O_CLOEXEC);
    assert_int_equal(source_new_sparse(&fd, &stage->identities[0], &filler, &source), OK);
    pthread_mutex_lock(&stage->lock);
    stage->sparse = source;
    pthread_mutex_unlock(&stage->lock);
}

void stage_fill(struct stage *stage, uint64_t begin, uint64_t end)
{
    source_fill(stage->sparse, &(struct span){begin, end});
}

static void add_film(struct stage *stage, int film)
{
    struct source *source = NULL;
    stage->films[film] = fixture_file(100000);
    assert_int_equal(source_open_local(stage->films[film], &source, NULL), OK);
    stage->identities[film] = *source_identity(source);
    source_unref(&source);
    stage_with_plan(stage, film);
}

void stage_without_plan(struct stage *stage, int film)
{
    pthread_mutex_lock(&stage->lock);
    mem_free(stage->plans[film]);
    stage->plans[film] = NULL;
    pthread_mutex_unlock(&stage->lock);
}

static int set_up_with(void **state, uint64_t storyboard_bytes, uint64_t fingerprint_bytes,
                       const char *hardware, unsigned tries_refused)
{
    enum { PROCESSES = 2, AHEAD_S = 6 };
    struct stage *stage = mem_new(struct stage);
    struct why why = {0};
    pthread_mutex_init(&stage->lock, NULL);
    add_film(stage, 0);
    add_film(stage, 1);
    snprintf(stage->folder, sizeof stage->folder, "/tmp/matinee-room-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    stage->host = fake_new(PROCESSES);
    stage->host->device_works = true;
    stage->host->tries_refused = tries_refused;
    const struct hls_library library = {.ctx = stage,
                                        .find = library_find,
                                        .keep_plan = library_keep,
                                        .progress = library_progress,
                                        .season = library_season,
                                        .seasons = library_seasons,
                                        .marked = library_marked};
    const struct hls_options options = {.host = stage->host,
                                        .data_folder = stage->folder,
                                        .storyboard_bytes = storyboard_bytes,
                                        .fingerprint_bytes = fingerprint_bytes,
                                        .ahead_s = AHEAD_S,
                                        .hold_ms = STAGE_HOLD_MS,
                                        .hardware = hardware,
                                        .heartbeat_ms = STAGE_HEARTBEAT_MS};
    assert_int_equal(hls_start(&options, &library, &stage->hls, &why), OK);
    assert_int_equal(loop_start("asker", &stage->loop), OK);
    *state = stage;
    return 0;
}

int stage_set_up(void **state)
{
    return set_up_with(state, 0, 0, NULL, 0);
}

int stage_set_up_storyboards(void **state)
{
    return set_up_with(state, STAGE_STORYBOARD_BYTES, 0, NULL, 0);
}

int stage_set_up_intros(void **state)
{
    return set_up_with(state, 0, STAGE_FINGERPRINT_BYTES, NULL, 0);
}

int stage_set_up_device(void **state)
{
    return set_up_with(state, 0, 0, "fake:device", 0);
}

int stage_set_up_device_late(void **state)
{
    return set_up_with(state, 0, 0, "fake:device", 1);
}

static void remove_cache(const struct stage *stage, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", stage->folder, name);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *item; (item = readdir(folder)) != NULL;)
        unlinkat(dirfd(folder), item->d_name, 0);
    closedir(folder);
    rmdir(path);
}

int stage_tear_down(void **state)
{
    struct stage *stage = *state;
    hls_stop(&stage->hls);
    loop_stop(&stage->loop);
    remove_cache(stage, "cache");
    remove_cache(stage, "storyboards");
    remove_cache(stage, "fingerprints");
    rmdir(stage->folder);
    for (int i = 0; i < 2; i++) {
        unlink(stage->films[i]);
        mem_free(stage->films[i]);
        mem_free(stage->plans[i]);
    }
    mem_free(stage->first);
    source_unref(&stage->sparse);
    pthread_mutex_destroy(&stage->lock);
    mem_free(stage);
    return 0;
}

/* --- asking --- */

static void on_answer(void *ctx, const struct ask_answer *answer)
{
    struct asked *asked = ctx;
    pthread_mutex_lock(&asked->stage->lock);
    asked->answers++;
    asked->kind = answer->kind;
    asked->why = *answer->why;
    if (answer->film != NULL && asked->film == NULL)
        asked->film = film_ref(answer->film);
    if (answer->segment != NULL && asked->segment == NULL)
        asked->segment = segment_ref(answer->segment);
    pthread_mutex_unlock(&asked->stage->lock);
}

static void open_ask(void *ctx)
{
    struct asked *asked = ctx;
    asked->ask = ask_open(asked->stage->hls, &asked->options, loop_mailbox(asked->stage->loop),
                          on_answer, asked);
}

void stage_ask(struct stage *stage, struct asked *asked, enum ask_kind kind, const char *file,
               const char *rendition, uint32_t n, const char *playback)
{
    *asked = (struct asked){.stage = stage};
    asked->options = (struct ask_options){.kind = kind,
                                          .file = slice_of(file),
                                          .rendition = slice_of(rendition),
                                          .n = n,
                                          .playback = playback};
    loop_call(stage->loop, open_ask, asked);
}

void stage_ask_version(struct stage *stage, struct asked *asked, const char *version)
{
    *asked = (struct asked){.stage = stage};
    asked->options = (struct ask_options){.kind = ASK_SEGMENT,
                                          .file = SLICE("a"),
                                          .rendition = SLICE("video-copy"),
                                          .version = slice_of(version),
                                          .playback = ""};
    loop_call(stage->loop, open_ask, asked);
}

void stage_ask_held(struct stage *stage, struct asked *asked, const struct film *held,
                    uint32_t rendition, uint32_t n)
{
    *asked = (struct asked){.stage = stage};
    asked->options =
        (struct ask_options){.kind = ASK_SEGMENT,
                             .file = SLICE("a"),
                             .rendition = slice_of(held->plan->renditions[rendition].name),
                             .version = slice_of(held->versions[rendition]),
                             .n = n,
                             .playback = ""};
    loop_call(stage->loop, open_ask, asked);
}

static void close_ask(void *ctx)
{
    ask_close(&((struct asked *) ctx)->ask);
}

void stage_close(struct asked *asked)
{
    loop_call(asked->stage->loop, close_ask, asked);
    film_unref(&asked->film);
    segment_unref(&asked->segment);
}

enum err stage_answer(struct asked *asked, unsigned count)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        pthread_mutex_lock(&asked->stage->lock);
        unsigned answers = asked->answers;
        enum err kind = asked->kind;
        pthread_mutex_unlock(&asked->stage->lock);
        if (answers >= count)
            return kind;
        usleep(1000);
    }
    fail_msg("no answer %u came", count);
    return ERR_TIMEOUT;
}

void stage_until(struct asked *asked, enum segment_state state)
{
    struct segment_view view = {0};
    for (int i = 0; i < PATIENCE_MS; i++) {
        segment_look(asked->segment, &view);
        if (view.state == state)
            return;
        usleep(1000);
    }
    fail_msg("the segment stays in state %d", (int) view.state);
}

/* --- acting --- */

struct action {
    struct stage *stage;
    enum stage_act act;
    bool is_plan, is_done;
    uint32_t rendition, n;
};

static void act_on(struct fake_job *job, struct stage *stage, const struct action *action)
{
    switch (action->act) {
    case ACT_NOTHING:
        break;
    case ACT_PART:
        if (action->is_plan) {
            fake_progress(job, 0);
            fake_progress(job, 0.25);
        } else {
            fake_part(job);
        }
        break;
    case ACT_DONE:
        if (action->is_plan) {
            bool is_first = stage->lacks_index && !job->scan;
            struct plan *plan = is_first ? fixture_first_plan() : fixture_ladder_plan();
            uint8_t *bytes = NULL;
            size_t size = 0;
            plan_write(plan, &bytes, &size);
            fake_plan(job, bytes, size);
            mem_free(bytes);
            plan_free(&plan);
        } else {
            fake_part(job);
            fake_done(job);
        }
        break;
    case ACT_WANT:
        fake_want(job, 70000, 1);
        break;
    case ACT_JUDGE:
        fake_verdict(job, "the key is none to start from");
        fake_part(job);
        fake_done(job);
        break;
    case ACT_GONE:
        fake_fail(job, ERR_GONE, "the parameters changed");
        break;
    case ACT_BAD:
        fake_fail(job, ERR_BAD_MEDIA, "the key is missing");
        break;
    case ACT_REFUSED:
        fake_fail(job, ERR_REFUSED, "the device failed");
        break;
    case ACT_DIE:
        fake_die(job->media, "was killed by signal 11");
        break;
    }
}

static void try_action(void *ctx)
{
    struct action *action = ctx;
    struct media_host *host = action->stage->host;
    struct fake_job *job =
        action->is_plan ? fake_find_plan(host) : fake_find(host, action->rendition, action->n);
    if (job == NULL)
        return;
    action->is_done = true;
    act_on(job, action->stage, action);
}

static void act(struct stage *stage, struct action action)
{
    action.stage = stage;
    for (int i = 0; i < PATIENCE_MS && !action.is_done; i++) {
        loop_call(stage->hls->loop, try_action, &action);
        if (!action.is_done)
            usleep(1000);
    }
    if (!action.is_done)
        fail_msg("no job came for %s %u/%u", action.is_plan ? "plan" : "segment", action.rendition,
                 action.n);
}

void stage_act(struct stage *stage, enum stage_act what, uint32_t rendition, uint32_t n)
{
    act(stage, (struct action){.act = what, .rendition = rendition, .n = n});
}

void stage_plan(struct stage *stage, enum stage_act what)
{
    act(stage, (struct action){.act = what, .is_plan = true});
}

static void nothing(void *ctx)
{
    (void) ctx;
}

void stage_settle(struct stage *stage)
{
    for (int i = 0; i < 8; i++) {
        loop_call(stage->loop, nothing, NULL);
        loop_call(stage->hls->loop, nothing, NULL);
    }
}

bool stage_has_job(struct stage *stage, uint32_t rendition, uint32_t n)
{
    struct action action = {.stage = stage, .rendition = rendition, .n = n};
    stage_settle(stage);
    loop_call(stage->hls->loop, try_action, &action);
    return action.is_done;
}

struct counting {
    struct stage *stage;
    unsigned count;
};

static void count(void *ctx)
{
    struct counting *counting = ctx;
    counting->count = fake_running(counting->stage->host);
}

unsigned stage_running(struct stage *stage)
{
    struct counting counting = {stage, 0};
    stage_settle(stage);
    loop_call(stage->hls->loop, count, &counting);
    return counting.count;
}
