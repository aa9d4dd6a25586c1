/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/text.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"
#include "hls/wants.h"

enum {
    RETRY_MS = 250,      /* looks for a free process */
    JUDGE_MS = 300,      /* a GONE that no death followed */
    PATIENCE_MS = 20000, /* then 503 */
    KEEP_BYTES = 16 << 20,
    TEXT_BYTES = 64 << 20, /* more is no subtitle */
    MOST_TEXTS = 200,      /* under way, and kept */
};

struct text_key {
    uint8_t hash[32];
};

/* An ask, from the asker's loop to the hub and back. */
struct text_ask {
    atomic_uint references; /* the asker's, the hub's, one for an answer under way */
    /* fixed after new */
    struct hls *hls;
    struct mailbox *mailbox;
    text_answered_fn *answered;
    struct text_key key;
    struct film *film;
    char *path; /* of the file beside; NULL: the film's own track */
    uint64_t size;
    int64_t mtime_ns;
    bool is_raw;
    struct convert_what what;
    /* asker's loop */
    void *ctx;
    /* under lock: after a close nothing is posted to the asker's mailbox */
    pthread_mutex_t lock;
    bool is_closed;
};

/* Life: opening (a file beside) -> waiting for a process -> converting -> kept | failed. Hub's loop. */
struct text {
    struct texts *texts;
    struct text_ask *order; /* the first ask: what is to be made */
    struct source *source;
    struct media *media; /* NULL: none, or dead */
    struct wants *wants; /* with media */
    int out;
    unsigned deaths;
    int64_t begun_ms;
    uv_timer_t timer;
    struct text_ask **asks; /* that wait */
    size_t ask_count, ask_room;
    bool is_over, is_kept;
    enum err kind;
    struct why why;
    char *bytes;
    size_t size;
    TAILQ_ENTRY(text) link;
};
TAILQ_HEAD(text_list, text);

struct texts {
    struct hls *hls;
    struct text_list list; /* newest use first */
    size_t count, kept_bytes;
    bool is_stopping;
};

/* --- asks --- */

static void ask_unref(struct text_ask *ask)
{
    if (atomic_fetch_sub_explicit(&ask->references, 1, memory_order_acq_rel) != 1)
        return;
    film_unref(&ask->film);
    pthread_mutex_destroy(&ask->lock);
    mem_free(ask->path);
    mem_free(ask);
}

/* An answer on its way; the bytes are its own. */
struct reply {
    struct text_ask *ask;
    enum err kind;
    struct why why;
    char *bytes;
    size_t size;
};

static void deliver(void *arg)
{
    struct reply *reply = arg;
    const struct text_answer answer = {
        .kind = reply->kind, .why = &reply->why, .bytes = reply->bytes, .size = reply->size};
    if (reply->ask->ctx != NULL)
        reply->ask->answered(reply->ask->ctx, &answer);
    ask_unref(reply->ask);
    mem_free(reply->bytes);
    mem_free(reply);
}

/* Takes the hub's reference. */
static void answer(struct text_ask *ask, enum err kind, const struct why *why, const char *bytes,
                   size_t size)
{
    pthread_mutex_lock(&ask->lock);
    if (!ask->is_closed) {
        struct reply *reply = mem_new(struct reply);
        atomic_fetch_add_explicit(&ask->references, 1, memory_order_relaxed);
        *reply = (struct reply){.ask = ask, .kind = kind, .size = size};
        if (why != NULL)
            reply->why = *why;
        if (kind == OK)
            reply->bytes = mem_dup(bytes, size);
        mailbox_post(ask->mailbox, deliver, reply);
    }
    pthread_mutex_unlock(&ask->lock);
    ask_unref(ask);
}

static void hash_more(crypto_generichash_state *state, const void *bytes, size_t size)
{
    crypto_generichash_update(state, bytes, size);
}

/* What the text is made from: another film, file or wish is another text. */
static void make_key(struct text_ask *ask)
{
    const struct source_identity *identity = source_identity(ask->film->source);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof ask->key.hash);
    hash_more(&state, identity->hash, sizeof identity->hash);
    hash_more(&state, &identity->mtime_ns, sizeof identity->mtime_ns);
    hash_more(&state, &ask->film->plan->t0_ns, sizeof ask->film->plan->t0_ns);
    if (ask->path != NULL) {
        hash_more(&state, ask->path, strlen(ask->path) + 1);
        hash_more(&state, &ask->size, sizeof ask->size);
        hash_more(&state, &ask->mtime_ns, sizeof ask->mtime_ns);
    }
    int64_t wish[] = {ask->is_raw, ask->what.track, ask->what.form, ask->what.scale,
                      ask->what.shift_ms};
    hash_more(&state, wish, sizeof wish);
    crypto_generichash_final(&state, ask->key.hash, sizeof ask->key.hash);
}

static void arrive(void *arg);

struct text_ask *text_ask(struct hls *hls, const struct text_options *options,
                          struct mailbox *mailbox, text_answered_fn *answered, void *ctx)
{
    struct text_ask *ask = mem_new(struct text_ask);
    atomic_init(&ask->references, 2);
    ask->hls = hls;
    ask->mailbox = mailbox;
    ask->answered = answered;
    ask->ctx = ctx;
    ask->film = film_ref(options->film);
    ask->is_raw = options->is_raw;
    ask->what = options->what;
    if (options->file != NULL) {
        ask->path = mem_strdup(options->file->path);
        ask->size = options->file->size;
        ask->mtime_ns = options->file->mtime_ns;
    }
    pthread_mutex_init(&ask->lock, NULL);
    make_key(ask);
    mailbox_post(hls->mailbox, arrive, ask);
    return ask;
}

void text_ask_close(struct text_ask **ask)
{
    struct text_ask *gone = *ask;
    *ask = NULL;
    if (gone == NULL)
        return;
    gone->ctx = NULL;
    pthread_mutex_lock(&gone->lock);
    gone->is_closed = true;
    pthread_mutex_unlock(&gone->lock);
    ask_unref(gone);
}

/* --- texts --- */

static void close_media(struct text *text)
{
    if (text->media == NULL)
        return;
    wants_free(&text->wants);
    media_close(&text->media);
    atomic_fetch_sub(&text->texts->hls->counters.processes, 1);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct text *text = handle->data;
    source_unref(&text->source);
    fd_close(&text->out);
    ask_unref(text->order);
    mem_free(text->asks);
    mem_free(text->bytes);
    mem_free(text);
}

static void remove_text(struct text *text)
{
    struct texts *texts = text->texts;
    TAILQ_REMOVE(&texts->list, text, link);
    texts->count--;
    if (text->is_kept)
        texts->kept_bytes -= text->size;
    close_media(text);
    uv_close((uv_handle_t *) &text->timer, on_timer_closed);
}

/* The longest unused of those that are done. False: there is none. */
static bool drop_one(struct texts *texts, const struct text *but)
{
    struct text *text;
    TAILQ_FOREACH_REVERSE(text, &texts->list, text_list, link)
    {
        if (!text->is_kept || text == but)
            continue;
        remove_text(text);
        return true;
    }
    return false;
}

static void answer_all(struct text *text)
{
    for (size_t i = 0; i < text->ask_count; i++)
        answer(text->asks[i], text->kind, &text->why, text->bytes, text->size);
    text->ask_count = 0;
}

/* Posted: nothing of its process is on the stack. */
static void conclude(void *arg)
{
    struct text *text = arg;
    struct texts *texts = text->texts;
    close_media(text);
    answer_all(text);
    if (text->kind != OK) {
        log_warning("text.failed", log_str("file", text->order->film->id), log_err(text->kind),
                    log_str("why", text->why.text));
        remove_text(text);
        return;
    }
    source_unref(&text->source);
    film_unref(&text->order->film); /* nor is its file held open */
    fd_close(&text->out);
    text->is_kept = true;
    texts->kept_bytes += text->size;
    while (texts->kept_bytes > KEEP_BYTES && drop_one(texts, text))
        continue;
}

static void finish(struct text *text, enum err kind, const struct why *why)
{
    if (text->is_over)
        return;
    text->is_over = true;
    text->kind = kind;
    if (why != NULL)
        text->why = *why;
    uv_timer_stop(&text->timer);
    mailbox_post(text->texts->hls->mailbox, conclude, text);
}

/* --- converting --- */

static void on_retry(uv_timer_t *timer);

static void on_done(void *ctx, uint64_t size)
{
    struct text *text = ctx;
    size_t got = 0;
    if (text->is_over)
        return;
    if (size > TEXT_BYTES) {
        finish(text, ERR_LIMIT, NULL);
        return;
    }
    text->bytes = mem_zalloc((size_t) size);
    enum err kind = fd_read_at(text->out, text->bytes, (size_t) size, 0, &got);
    text->size = got;
    finish(text, kind == OK && got < size ? ERR_IO : kind, NULL);
}

static void on_judge(uv_timer_t *timer)
{
    struct text *text = timer->data;
    struct why why = text->why;
    finish(text, ERR_GONE, &why);
}

static void on_failed(void *ctx, enum err kind, const struct why *why)
{
    struct text *text = ctx;
    if (kind != ERR_GONE) {
        finish(text, kind, why);
        return;
    }
    text->why = *why; /* a death is told next, or the file was cut */
    if (!text->is_over)
        uv_timer_start(&text->timer, on_judge, JUDGE_MS, 0);
}

static void on_died(void *ctx, const struct why *why)
{
    struct text *text = ctx;
    struct hls *hls = text->texts->hls;
    struct why said = {0};
    text->media = NULL;
    wants_free(&text->wants);
    atomic_fetch_sub(&hls->counters.processes, 1);
    atomic_fetch_add(&hls->counters.deaths, 1);
    if (text->is_over)
        return;
    if (++text->deaths >= 2)
        finish(text,
               why_set(&said, ERR_BAD_MEDIA, NULL, "two media processes died of it: %s", why->text),
               &said);
    else
        uv_timer_start(&text->timer, on_retry, 0, 0);
}

static const struct media_events events = {.died = on_died};
static const struct media_job_events job_events = {.done = on_done, .failed = on_failed};

static enum err begin(struct text *text, struct why *why)
{
    struct hls *hls = text->texts->hls;
    const struct film *film = text->order->film;
    bool is_own = text->order->path == NULL;
    fd_close(&text->out);
    enum err kind = fd_memory("matinee-text", &text->out);
    if (kind != OK)
        return why_set(why, kind, NULL, "too many files are open");
    kind = media_open(hls->host, source_fd(text->source), source_map_fd(text->source),
                      source_size(text->source), is_own ? film->plan_bytes : NULL,
                      is_own ? film->plan_size : 0, film->id, text->deaths > 0, &events, text,
                      &text->media);
    if (kind != OK)
        return why_set(why, kind, NULL, "no media process is free");
    atomic_fetch_add(&hls->counters.processes, 1);
    text->wants = wants_new(text->source, text->media, hls->mailbox);
    media_convert(text->media, &text->order->what, text->out, &job_events, text);
    return OK;
}

static void on_retry(uv_timer_t *timer)
{
    struct text *text = timer->data;
    struct why why = {0};
    enum err kind = begin(text, &why);
    if (kind == ERR_BUSY && worker_end_one(text->texts->hls, NULL, true))
        kind = begin(text, &why);
    if (kind == ERR_BUSY && clock_mono_ms() - text->begun_ms < PATIENCE_MS)
        uv_timer_start(timer, on_retry, RETRY_MS, 0);
    else if (kind != OK)
        finish(text, kind, &why);
}

/* --- files beside --- */

/* On the pool: opens the file, and reads it where that is all. */
struct opening {
    struct texts *texts;
    struct text_key key;
    char *path;
    uint64_t size;
    int64_t mtime_ns;
    bool is_raw;
    enum err kind;
    struct why why;
    struct source *source;
    char *bytes;
};

static void open_file(void *arg)
{
    struct opening *opening = arg;
    size_t got = 0;
    opening->kind = source_open_local(opening->path, &opening->source, &opening->why);
    const struct source_identity *identity =
        opening->kind == OK ? source_identity(opening->source) : NULL;
    if (opening->kind == ERR_NOT_FOUND ||
        (identity != NULL &&
         (identity->size != opening->size || identity->mtime_ns != opening->mtime_ns)))
        opening->kind =
            why_set(&opening->why, ERR_GONE, NULL, "the subtitles are no more, or others");
    if (opening->kind != OK || !opening->is_raw)
        return;
    opening->bytes = mem_zalloc((size_t) opening->size + 1);
    opening->kind = source_read(opening->source, opening->bytes, (size_t) opening->size, 0, &got);
    if (opening->kind == OK && got < opening->size)
        opening->kind = ERR_GONE;
}

static struct text *find_text(const struct texts *texts, const struct text_key *key)
{
    struct text *text;
    TAILQ_FOREACH(text, &texts->list, link)
    if (memcmp(&text->order->key, key, sizeof *key) == 0)
        return text;
    return NULL;
}

static void opened(void *arg)
{
    struct opening *opening = arg;
    struct text *text = find_text(opening->texts, &opening->key);
    if (text != NULL && !text->is_over && opening->kind != OK) {
        finish(text, opening->kind, &opening->why);
    } else if (text != NULL && !text->is_over && opening->is_raw) {
        text->bytes = opening->bytes;
        text->size = (size_t) opening->size;
        opening->bytes = NULL;
        finish(text, OK, NULL);
    } else if (text != NULL && !text->is_over) {
        text->source = opening->source;
        opening->source = NULL;
        uv_timer_start(&text->timer, on_retry, 0, 0);
    }
    source_unref(&opening->source);
    mem_free(opening->path);
    mem_free(opening->bytes);
    mem_free(opening);
}

static void open_beside(struct text *text)
{
    struct hls *hls = text->texts->hls;
    const struct text_ask *order = text->order;
    struct opening *opening = mem_new(struct opening);
    *opening = (struct opening){.texts = text->texts,
                                .key = order->key,
                                .path = mem_strdup(order->path),
                                .size = order->size,
                                .mtime_ns = order->mtime_ns,
                                .is_raw = order->is_raw};
    if (pool_run(hls->pool, open_file, opened, opening, hls->mailbox) == OK)
        return;
    opening->kind = why_set(&opening->why, ERR_BUSY, NULL, "too many files are being opened");
    mailbox_post(hls->mailbox, opened, opening);
}

/* --- the hub --- */

static struct text *new_text(struct texts *texts, struct text_ask *ask)
{
    struct text *text = mem_new(struct text);
    text->texts = texts;
    text->order = ask;
    atomic_fetch_add_explicit(&ask->references, 1, memory_order_relaxed);
    text->out = -1;
    text->begun_ms = clock_mono_ms();
    MUST(uv_timer_init(loop_uv(texts->hls->loop), &text->timer) == 0);
    text->timer.data = text;
    TAILQ_INSERT_HEAD(&texts->list, text, link);
    texts->count++;
    if (ask->path != NULL) {
        open_beside(text);
    } else {
        text->source = source_ref(ask->film->source);
        uv_timer_start(&text->timer, on_retry, 0, 0);
    }
    return text;
}

static void answer_kept(struct texts *texts, struct text *text, struct text_ask *ask)
{
    TAILQ_REMOVE(&texts->list, text, link);
    TAILQ_INSERT_HEAD(&texts->list, text, link);
    answer(ask, OK, NULL, text->bytes, text->size);
}

static void join(struct text *text, struct text_ask *ask)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(text->asks, text->ask_count, text->ask_room);
    text->asks[text->ask_count++] = ask;
}

static void arrive(void *arg)
{
    struct text_ask *ask = arg;
    struct texts *texts = ask->hls->texts;
    struct text *text = find_text(texts, &ask->key);
    struct why why;
    bool is_full = text == NULL && texts->count >= MOST_TEXTS && !drop_one(texts, NULL);
    if (texts->is_stopping || is_full) {
        why_set(&why, ERR_BUSY, NULL, "too many subtitles are being read");
        answer(ask, ERR_BUSY, &why, NULL, 0);
    } else if (text != NULL && text->is_kept) {
        answer_kept(texts, text, ask);
    } else {
        join(text != NULL ? text : new_text(texts, ask), ask);
    }
}

struct texts *texts_new(struct hls *hls)
{
    struct texts *texts = mem_new(struct texts);
    texts->hls = hls;
    TAILQ_INIT(&texts->list);
    return texts;
}

void texts_stop(struct texts *texts)
{
    struct text *text;
    struct text *next;
    texts->is_stopping = true;
    for (text = TAILQ_FIRST(&texts->list); text != NULL; text = next) {
        next = TAILQ_NEXT(text, link);
        if (text->is_over && !text->is_kept)
            continue;         /* its conclusion is posted, and ends it below */
        text->is_over = true; /* its job hears that it is cancelled */
        text->kind = ERR_BUSY;
        why_set(&text->why, ERR_BUSY, NULL, "the server is stopping");
        answer_all(text);
        remove_text(text);
    }
}

void texts_free(struct texts **texts)
{
    while (*texts != NULL && drop_one(*texts, NULL))
        continue;
    mem_free(*texts);
    *texts = NULL;
}
