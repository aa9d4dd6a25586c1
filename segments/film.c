/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/film.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/jobs.h"
#include "segments/lib_log.h"
#include "segments/sandbox.h"
#include "segments/segments.h"
#include "segments/wire.h"

/* The server writes plans; larger ones it would not take back from us. */
#define PLAN_BYTES_MAX (64u << 20)
/* Threads come and go with encoders: more arenas are more memory, never more speed. Pictures are mapped
 * alone, so that they are the machine's again when an encoder closes: encoders are of many sizes, and in one
 * heap they leave holes that no other fills (1080p, bench/memory.py: 370 to 400 MB instead of 288 at the
 * highest, and never less; no difference in CPU seconds, most pages being huge ones). */
#define ARENAS     1
#define KEPT_BYTES (512 << 20)
#define STEP_BYTES (1 << 20) /* by which the heap grows: a plan takes a few */
#define LONE_BYTES (1 << 20)

struct film {
    int socket;
    bool is_locked; /* before its first message; then by these layers */
    uint32_t layers;
    struct engine_options options;
    char preset[WIRE_TEXT];
    struct input *input;
    struct plan *plan;     /* NULL: it is still to be made */
    struct engine *engine; /* NULL without a plan */
    struct jobs *jobs;
    uint64_t last_job, turn, gpu_turn; /* as the server counts */
};

void film_prepare(void)
{
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_TOP_PAD, STEP_BYTES);
    mallopt(M_MMAP_THRESHOLD, LONE_BYTES);
    lib_log_start(-1); /* encoders that are asked for their version greet */
    engine_preload();
}

/* fds stand in the order film, map, plan, where there. */
static enum err take_fds(struct wire_message *message, int *film, int *map, int *plan)
{
    uint32_t count = 1U + message->open.has_map + message->open.has_plan;
    if (message->fd_count != count)
        return ERR_BAD_INPUT;
    uint32_t next = 0;
    *film = fd_take(&message->fds[next++]);
    if (message->open.has_map)
        *map = fd_take(&message->fds[next++]);
    if (message->open.has_plan)
        *plan = fd_take(&message->fds[next++]);
    message->fd_count = 0;
    return OK;
}

static enum err read_plan(struct film *film, int fd, uint64_t size, struct why *why)
{
    if (size > PLAN_BYTES_MAX)
        return why_set(why, ERR_LIMIT, NULL, "the plan is larger than any of ours");
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) size);
    size_t got;
    enum err kind = fd_read_at(fd, bytes, (size_t) size, 0, &got);
    if (kind != OK || got != size)
        return why_set(why, ERR_IO, NULL, "the plan could not be read");
    kind = plan_read(bytes, got, &film->plan, why);
    if (kind != OK)
        return kind;
    return engine_open(film->input, film->plan, &film->options, &film->engine);
}

static enum err say_opened(const struct film *film, uint32_t layers)
{
    struct wire_message message = {.kind = WIRE_OPENED, .opened = {.layers = layers}};
    return wire_send(film->socket, &message);
}

/* What nobody waits for takes the processors and the disk when nobody else does (ioprio_set(2), whose
 * numbers no header has). */
static void be_idle(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };
    const int least = 19;
    int refused UNUSED = setpriority(PRIO_PROCESS, 0, least); /* it is no harm */
    long refused_io UNUSED =
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

/* The first message, and the last moment at which this process can do anything but its work; one that
 * waited for it is past that. */
static enum err open_film(struct film *film, struct wire_message *message)
{
    CLEANUP(fd_close) int film_fd = -1, map_fd = -1, plan_fd = -1;
    const struct wire_open *open = &message->open;
    if (message->kind != WIRE_OPEN || take_fds(message, &film_fd, &map_fd, &plan_fd) != OK)
        return ERR_BAD_INPUT;
    wire_text(film->preset, open->preset);
    film->options = (struct engine_options){
        .preset = film->preset[0] != '\0' ? film->preset : NULL,
        .threads = open->threads,
        .runs = open->runs,
    };
    lib_log_start(film->socket);
    if (open->is_idle)
        be_idle();
    /* x264 asks for huge pages, which are cleared when they are touched: who plans only opens encoders, and
     * uses little of what they ask for. (Measured: half of the time of a plan.) */
    if (!open->has_plan)
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    enum err kind = say_opened(film, film->is_locked ? film->layers : sandbox_enter());
    if (kind != OK)
        return kind;
    film->jobs = jobs_new(film->socket);
    kind = input_open(&film_fd, &map_fd, open->size, &jobs_input_ops, film->jobs, &film->input);
    struct why why = {0};
    if (kind == OK && open->has_plan)
        kind = read_plan(film, plan_fd, open->plan_size, &why);
    if (kind == OK)
        jobs_give(film->jobs, film->input, film->plan, film->engine, &film->options);
    else
        jobs_refuse(film->jobs, kind, &why);
    return OK;
}

static uint64_t job_id(const struct wire_message *message)
{
    if (message->kind == WIRE_PLAN)
        return message->plan.job;
    if (message->kind == WIRE_STORYBOARD)
        return message->storyboard.job;
    if (message->kind == WIRE_FINGERPRINT)
        return message->fingerprint.job;
    return message->kind == WIRE_CONVERT ? message->convert.job : message->segment.job;
}

static bool read_what(const struct wire_convert *told, struct convert_what *what)
{
    *what = (struct convert_what){.track = told->track,
                                  .form = (enum convert_form) told->form,
                                  .scale = told->scale,
                                  .shift_ms = (int64_t) told->shift - CONVERT_SHIFT_MOST_MS};
    return told->form < CONVERT_FORM_COUNT && told->scale <= CONVERT_SCALE_MOST &&
           told->shift <= (uint64_t) (2 * CONVERT_SHIFT_MOST_MS);
}

/* BAD_INPUT: a job that has been, or may come later only. */
static enum err take_job(struct film *film, struct wire_message *message)
{
    uint64_t id = job_id(message);
    struct convert_what what = {0};
    if (id <= film->last_job ||
        (message->kind == WIRE_CONVERT && !read_what(&message->convert, &what)))
        return ERR_BAD_INPUT;
    film->last_job = id;
    struct job *job = job_new(id, film->socket, &message->fds[0]);
    job->is_plan = message->kind == WIRE_PLAN;
    job->is_convert = message->kind == WIRE_CONVERT;
    job->is_storyboard = message->kind == WIRE_STORYBOARD;
    job->is_fingerprint = message->kind == WIRE_FINGERPRINT;
    job->what = what;
    if (job->is_plan) {
        job->scan = message->plan.scan;
    } else if (message->kind == WIRE_SEGMENT) {
        job->rendition = message->segment.rendition;
        job->n = message->segment.n;
    }
    jobs_add(film->jobs, &job);
    return OK;
}

static enum err take_gpu(struct film *film, struct wire_message *message)
{
    if (message->gpu.turn <= film->gpu_turn)
        return ERR_BAD_INPUT;
    film->gpu_turn = message->gpu.turn;
    if (film->engine != NULL)
        engine_use_gpu(film->engine, &message->fds[0]);
    return OK;
}

static enum err take_message(struct film *film, struct wire_message *message)
{
    switch (message->kind) {
    case WIRE_PLAN:
    case WIRE_SEGMENT:
    case WIRE_STORYBOARD:
    case WIRE_FINGERPRINT:
    case WIRE_CONVERT:
        return take_job(film, message);
    case WIRE_CANCEL:
        jobs_cancel(film->jobs, message->cancel.job);
        return OK;
    case WIRE_HAVE:
        if (message->have.turn <= film->turn)
            return ERR_BAD_INPUT;
        film->turn = message->have.turn;
        input_wake(film->input);
        return OK;
    case WIRE_GPU:
        return take_gpu(film, message);
    case WIRE_OPEN:
    case WIRE_HELLO:
    case WIRE_FORK:
    case WIRE_FORKED:
    case WIRE_UNFORKED:
    case WIRE_DIED:
    case WIRE_PING:
    case WIRE_PONG:
    case WIRE_OPENED:
    case WIRE_WANT:
    case WIRE_TICK:
    case WIRE_PROGRESS:
    case WIRE_PIECES:
    case WIRE_VERDICT:
    case WIRE_PICTURE:
    case WIRE_SHEET:
    case WIRE_DONE:
    case WIRE_FAILED:
    case WIRE_LOG:
    case WIRE_TRY:
    case WIRE_TRIED:
    case WIRE_ENCODE:
    case WIRE_READY:
    case WIRE_FRAME:
    case WIRE_DRAIN:
    case WIRE_TAKEN:
    case WIRE_UNENCODED:
    case WIRE_FORGET:
    case WIRE_KIND_COUNT:
        break;
    }
    return ERR_BAD_INPUT;
}

static int run(struct film *film)
{
    struct wire_message message;
    enum err kind = wire_receive(film->socket, WIRE_TO_FILM, &message, NULL);
    if (kind == OK)
        kind = open_film(film, &message);
    while (kind == OK) {
        kind = wire_receive(film->socket, WIRE_TO_FILM, &message, NULL);
        if (kind != OK)
            break;
        kind = take_message(film, &message);
        wire_close_fds(&message);
    }
    /* Nothing is taken down: workers may be in the midst of anything, and the end of the process
     * is the surest end of theirs. */
    return kind == ERR_GONE ? 0 : 1;
}

int film_run(int socket)
{
    struct film film = {.socket = socket};
    prctl(PR_SET_NAME, "matinee-film");
    lib_log_silence_stderr();
    return run(&film);
}

int film_wait(int socket)
{
    struct film film = {.is_locked = true};
    struct wire_message message;
    prctl(PR_SET_NAME, "matinee-spare");
    lib_log_silence_stderr();
    film.layers = sandbox_enter();
    enum err kind = wire_receive(socket, WIRE_TO_ZYGOTE, &message, NULL);
    if (kind != OK || message.kind != WIRE_FORK)
        return kind == ERR_GONE ? 0 : 1;
    fd_close(&socket);
    film.socket = message.fds[0];
    MUST(film.socket == WIRE_FD);
    prctl(PR_SET_NAME, "matinee-film");
    return run(&film);
}
