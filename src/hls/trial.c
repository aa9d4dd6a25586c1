/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trial: soon after the start half a second of a made-up film is converted once, as any film would be,
 * so that admission.h knows the machine before the first viewer comes. The film is uncompressed
 * (YUV4MPEG2, as mjpegtools' yuv4mpeg(5) says): what is measured is scaling and encoding alone.
 * Life: waiting -> making the film (pool) -> planning -> converting -> over. What fails is left at
 * what admission.c takes for granted. Threads: the hub's loop, but for the making. */
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/admission.h"
#include "hls/hub.h"

enum {
    AFTER_MS = 1000, /* what is asked at the start goes first */
    WIDTH = 1280,
    HEIGHT = 720,
    FRAMES = 12, /* half a second */
};

struct trial {
    struct hls *hls;
    uv_timer_t timer;
    bool is_stopped;
    unsigned on_pool; /* tasks that will come back */
    struct source *source;
    struct planner *planner;
    struct plan *plan;
    uint8_t *bytes;
    size_t size;
    struct media *media; /* NULL: none, or dead */
    int out;
    double units;
    int64_t cpu_ms; /* of the process before the job */
};

/* Moving slopes and fixed noise: neither nothing to encode nor only noise. */
static void draw(uint8_t *plane, unsigned width, unsigned height, unsigned frame, unsigned slope)
{
    uint32_t noise = 12345;
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++) {
            noise = noise * 1664525 + 1013904223;
            plane[y * width + x] =
                (uint8_t) (32 + ((x * slope + y * 2 + frame * 5) / 4 & 127) + (noise >> 30));
        }
}

/* On the pool. */
static void make_film(void *arg)
{
    struct trial *trial = arg;
    static const char head[] = "YUV4MPEG2 W1280 H720 F24:1 Ip A1:1 C420jpeg\n";
    enum { LUMA = WIDTH * HEIGHT, FRAME = LUMA * 3 / 2 };
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(str_fini) struct str film = {0};
    CLEANUP(mem_free_at) uint8_t *frame = mem_zalloc(FRAME);
    if (fd_memory("matinee-trial", &fd) != OK)
        return;
    str_puts(&film, head);
    for (unsigned i = 0; i < FRAMES; i++) {
        draw(frame, WIDTH, HEIGHT, i, 3);
        draw(frame + LUMA, WIDTH / 2, HEIGHT / 2, i, 1);
        draw(frame + LUMA + LUMA / 4, WIDTH / 2, HEIGHT / 2, i, 5);
        str_puts(&film, "FRAME\n");
        str_append(&film, (const char *) frame, FRAME);
    }
    if (fd_write_at(fd, film.at, film.length, 0) != OK ||
        source_open_unnamed(&fd, &trial->source) != OK)
        trial->source = NULL;
}

static void close_media(struct trial *trial)
{
    if (trial->media == NULL)
        return;
    media_close(&trial->media);
    atomic_fetch_sub(&trial->hls->counters.processes, 1);
}

static void on_closed(uv_handle_t *handle)
{
    struct trial *trial = handle->data;
    source_unref(&trial->source);
    plan_free(&trial->plan);
    mem_free(trial->bytes);
    fd_close(&trial->out);
    mem_free(trial);
}

/* Posted: nothing of it is on the stack. */
static void destroy(void *arg)
{
    struct trial *trial = arg;
    close_media(trial);
    if (trial->on_pool == 0)
        uv_close((uv_handle_t *) &trial->timer, on_closed);
}

void trial_stop(struct trial **trial)
{
    struct trial *gone = *trial;
    *trial = NULL;
    if (gone == NULL)
        return;
    gone->is_stopped = true;
    planner_stop(&gone->planner);
    mailbox_post(gone->hls->mailbox, destroy, gone);
}

static void over(struct trial *trial, const char *why)
{
    if (why != NULL)
        log_info("trial.none", log_str("why", why));
    trial_stop(&trial->hls->trial);
}

static void on_pieces(void *ctx UNUSED, const struct media_piece *pieces UNUSED,
                      size_t count UNUSED, bool part_end UNUSED)
{
}

static void on_done(void *ctx, uint64_t size UNUSED)
{
    struct trial *trial = ctx;
    int64_t spent_ms = media_cpu_ms(trial->media) - trial->cpu_ms;
    admission_measured(trial->hls->admission, NULL, trial->units, (double) spent_ms / 1000);
    log_info("trial", log_int("cpu_ms", spent_ms));
    over(trial, NULL);
}

static void on_failed(void *ctx, enum err kind UNUSED, const struct why *why)
{
    over(ctx, why->text);
}

static void on_died(void *ctx, const struct why *why)
{
    struct trial *trial = ctx;
    trial->media = NULL;
    atomic_fetch_sub(&trial->hls->counters.processes, 1);
    if (!trial->is_stopped)
        over(trial, why->text);
}

static const struct media_events events = {.died = on_died};
static const struct media_job_events job_events = {
    .pieces = on_pieces, .done = on_done, .failed = on_failed};

/* The largest of its pictures. */
static int choose(const struct plan *plan)
{
    int best = -1;
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if (plan->renditions[i].kind == PLAN_VIDEO && !plan->renditions[i].is_copy &&
            (best < 0 || plan->renditions[i].height > plan->renditions[best].height))
            best = (int) i;
    return best;
}

static void convert(struct trial *trial)
{
    int rendition = choose(trial->plan);
    if (rendition < 0 || fd_memory("matinee-segment", &trial->out) != OK ||
        media_open(trial->hls->host, source_fd(trial->source), -1, source_size(trial->source),
                   trial->bytes, trial->size, "trial", false, &events, trial,
                   &trial->media) != OK) {
        over(trial, "no media process is free");
        return;
    }
    atomic_fetch_add(&trial->hls->counters.processes, 1);
    trial->units = admission_encode_units(trial->plan, (uint32_t) rendition) *
                   (double) trial->plan->end / trial->plan->timescale;
    trial->cpu_ms = media_cpu_ms(trial->media);
    media_segment(trial->media, (uint32_t) rendition, 0, trial->out, &job_events, trial);
}

static void on_planned(void *ctx, enum err kind, const struct why *why, struct plan **plan,
                       uint8_t **bytes, size_t size)
{
    struct trial *trial = ctx;
    if (kind != OK) {
        over(trial, why->text);
        return;
    }
    trial->plan = *plan;
    *plan = NULL;
    trial->bytes = *bytes;
    *bytes = NULL;
    trial->size = size;
    planner_stop(&trial->planner);
    convert(trial);
}

static void on_film(void *arg)
{
    struct trial *trial = arg;
    const struct planner_job job = {.done = on_planned, .ctx = trial};
    trial->on_pool--;
    if (trial->is_stopped)
        uv_close((uv_handle_t *) &trial->timer, on_closed);
    else if (trial->source == NULL)
        over(trial, "there is no room for its film");
    else
        trial->planner = planner_start(trial->hls, trial->source, "trial", &job);
}

static void on_timer(uv_timer_t *timer)
{
    struct trial *trial = timer->data;
    if (pool_run(trial->hls->pool, make_film, on_film, trial, trial->hls->mailbox) == OK)
        trial->on_pool++;
    else
        over(trial, "the pool is full");
}

struct trial *trial_start(struct hls *hls)
{
    struct trial *trial = mem_new(struct trial);
    trial->hls = hls;
    trial->out = -1;
    MUST(uv_timer_init(loop_uv(hls->loop), &trial->timer) == 0);
    trial->timer.data = trial;
    uv_timer_start(&trial->timer, on_timer, AFTER_MS, 0);
    return trial;
}
