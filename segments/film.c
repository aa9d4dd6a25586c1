/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/film.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
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
/* Threads come and go with encoders: more arenas are more memory, never more speed. */
#define ARENAS 2

struct film {
    int socket;
    struct engine_options options;
    char preset[WIRE_TEXT];
    struct input *input;
    struct plan *plan;     /* NULL: it is still to be made */
    struct engine *engine; /* NULL without a plan */
    struct jobs *jobs;
    uint64_t last_job, turn; /* as the server counts */
};

void film_prepare(void)
{
    mallopt(M_ARENA_MAX, ARENAS);
    lib_log_start(-1); /* encoders that are asked for their version greet */
    engine_preload();
}

/* Sanitizers say what they found on stderr; all others say it by the wire. */
static void silence_stderr(void)
{
#ifndef MATINEE_SANITIZE
    CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
#endif
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

/* The first message, and the last moment at which this process can do anything but its work. */
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
    enum err kind = say_opened(film, sandbox_enter());
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

/* BAD_INPUT: a job that has been, or may come later only. */
static enum err take_job(struct film *film, struct wire_message *message)
{
    bool is_plan = message->kind == WIRE_PLAN;
    uint64_t id = is_plan ? message->plan.job : message->segment.job;
    if (id <= film->last_job)
        return ERR_BAD_INPUT;
    film->last_job = id;
    struct job *job = job_new(id, film->socket, &message->fds[0]);
    job->is_plan = is_plan;
    if (is_plan) {
        job->scan = message->plan.scan;
    } else {
        job->rendition = message->segment.rendition;
        job->n = message->segment.n;
    }
    jobs_add(film->jobs, &job);
    return OK;
}

static enum err take_message(struct film *film, struct wire_message *message)
{
    switch (message->kind) {
    case WIRE_PLAN:
    case WIRE_SEGMENT:
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
    case WIRE_DONE:
    case WIRE_FAILED:
    case WIRE_LOG:
    case WIRE_KIND_COUNT:
        break;
    }
    return ERR_BAD_INPUT;
}

int film_run(int socket)
{
    struct film film = {.socket = socket};
    prctl(PR_SET_NAME, "matinee-film");
    silence_stderr();
    struct wire_message message;
    enum err kind = wire_receive(socket, WIRE_TO_FILM, &message, NULL);
    if (kind == OK)
        kind = open_film(&film, &message);
    while (kind == OK) {
        kind = wire_receive(socket, WIRE_TO_FILM, &message, NULL);
        if (kind != OK)
            break;
        kind = take_message(&film, &message);
        wire_close_fds(&message);
    }
    /* Nothing is taken down: workers may be in the midst of anything, and the end of the process
     * is the surest end of theirs. */
    return kind == ERR_GONE ? 0 : 1;
}
