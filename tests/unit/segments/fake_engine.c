/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An engine for tests of processes: segment n is a line of text and 1000 bytes of the film. A film
 * that begins with "fake DEED" does the deed while it makes segment FAKE_BAD. */
#include "segments/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <libavutil/log.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake_deeds.h"
#include "fake_plan.h"
#include "segments/convert.h"
#include "segments/fingerprint.h"
#include "segments/gpu.h"
#include "segments/wire.h"

struct engine {
    struct input *input;
    const struct plan *plan;
};

struct making {
    struct engine *engine;
    uint32_t n;
    struct engine_output *outputs;
    size_t count;
    _Atomic bool *cancelled;
    engine_tick_fn *tick;
    void *tick_ctx;
};

void engine_preload(void)
{
}

const char *engine_version(void)
{
    return "fake 1";
}

static void nap(void)
{
    struct timespec time = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&time, NULL);
}

static enum err say(const struct engine_output *output, const char *text)
{
    return sink_bytes(&output->sink, text, strlen(text));
}

/* Deeds. Each answers with the segment's result; most do not come back. */
static enum err do_plain(const struct making *making)
{
    for (size_t i = 0; i < making->count; i++) {
        struct engine_output *output = &making->outputs[i];
        char line[64];
        snprintf(line, sizeof line, "rendition %u segment %u of %zu\n", output->rendition,
                 making->n, making->count);
        output->result = say(output, line);
        if (output->result == OK)
            output->result = sink_flush(&output->sink);
        if (output->result == OK)
            output->result = sink_extent(&output->sink, 1000 * (uint64_t) making->n, 1000);
        if (output->result == OK)
            output->result = say(output, "end\n");
        if (output->result == OK)
            output->result = sink_flush(&output->sink);
    }
    return making->outputs[0].result;
}

static enum err do_crash(const struct making *making)
{
    enum err kind = say(&making->outputs[0], "half");
    if (kind == OK)
        kind = sink_flush(&making->outputs[0].sink);
    raise(SIGSEGV);
    return kind;
}

static enum err do_abort(const struct making *making UNUSED)
{
    abort();
}

static enum err do_hang(const struct making *making)
{
    while (making != NULL)
        nap();
    return OK;
}

static enum err do_memory(const struct making *making)
{
    const size_t step = 16 << 20;
    while (!atomic_load(making->cancelled)) {
        char *block = mem_zalloc(step);
        memset(block, 1, step);
        making->tick(making->tick_ctx);
        nap();
    }
    return ERR_CANCELLED;
}

static enum err do_slow(const struct making *making)
{
    enum err kind = say(&making->outputs[0], "slow\n");
    if (kind == OK)
        kind = sink_flush(&making->outputs[0].sink);
    while (kind == OK && !atomic_load(making->cancelled)) {
        making->tick(making->tick_ctx);
        nap();
    }
    return kind != OK ? kind : ERR_CANCELLED;
}

static enum err do_fail(const struct making *making)
{
    return why_set(&making->outputs[0].why, ERR_BAD_MEDIA, "/tracks/0", "no \xff keys");
}

static enum err do_verdict(const struct making *making)
{
    why_set(&making->outputs[0].verdict, ERR_GONE, NULL, "no key to start from");
    return do_plain(making);
}

static enum err do_open(const struct making *making)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    return say(&making->outputs[0], fd < 0 ? strerror(errno) : "opened");
}

static enum err do_socket(const struct making *making)
{
    return say(&making->outputs[0], socket(AF_INET, SOCK_STREAM, 0) < 0 ? "no" : "socket");
}

static enum err do_exec(const struct making *making)
{
    execl("/bin/true", "true", (char *) NULL);
    return say(&making->outputs[0], "no exec");
}

static enum err do_fork(const struct making *making)
{
    return say(&making->outputs[0], syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 ? "no" : "forked");
}

static enum err do_garbage(const struct making *making)
{
    char garbage[] = "\xff\x01garbage";
    struct iovec vector = {.iov_base = garbage, .iov_len = sizeof garbage};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    sendmsg(WIRE_FD, &header, 0);
    return do_slow(making);
}

static enum err send_lie(const struct making *making, const struct wire_message *message)
{
    enum err kind = wire_send(WIRE_FD, message);
    return kind != OK ? kind : do_slow(making);
}

static enum err do_unknown_job(const struct making *making)
{
    struct wire_message message = {.kind = WIRE_DONE, .done = {.job = 1000000}};
    return send_lie(making, &message);
}

static enum err do_opened_twice(const struct making *making)
{
    struct wire_message message = {.kind = WIRE_OPENED};
    return send_lie(making, &message);
}

static enum err do_lying_want(const struct making *making)
{
    struct wire_message message = {.kind = WIRE_WANT,
                                   .want = {.job = 1, .offset = UINT64_MAX - 5, .length = 100}};
    return send_lie(making, &message);
}

static enum err do_unwritten(const struct making *making)
{
    struct wire_message message = {.kind = WIRE_PIECES,
                                   .pieces = {.job = 1,
                                              .part_end = true,
                                              .pieces_count = 1,
                                              .pieces = {{.offset = 0, .length = 5000}}}};
    return send_lie(making, &message);
}

static enum err do_outside(const struct making *making)
{
    enum err kind =
        sink_extent(&making->outputs[0].sink, input_size(making->engine->input) - 10, 11);
    return kind == OK ? sink_flush(&making->outputs[0].sink) : kind;
}

static enum err do_pass_fd(const struct making *making)
{
    struct wire_message message = {.kind = WIRE_TICK, .tick = {.job = 1}, .fds = {0}};
    message.fd_count = 1;
    return send_lie(making, &message);
}

/* A file of more than the limit. */
static enum err do_big(const struct making *making)
{
    const size_t step = 4 << 20;
    CLEANUP(mem_free_at) char *block = mem_zalloc(step);
    enum err kind = OK;
    while (kind == OK && !atomic_load(making->cancelled))
        kind = sink_bytes(&making->outputs[0].sink, block, step);
    return kind;
}

static enum err do_chatter(const struct making *making)
{
    for (int i = 0; i < 5000; i++)
        av_log(NULL, AV_LOG_ERROR, "line %d \xff\n", i);
    return do_plain(making);
}

static enum err do_read(const struct making *making)
{
    struct reader reader = {.input = making->engine->input, .cancelled = making->cancelled};
    char bytes[100];
    size_t got;
    enum err kind = reader_read(&reader, bytes, sizeof bytes, 5 * INPUT_BLOCK_BYTES, &got);
    return kind == OK ? do_plain(making) : kind;
}

static const struct {
    const char *name;
    enum err (*act)(const struct making *making);
} deeds[] = {
#define FAKE_ROW(name) {#name, do_##name},
    FAKE_DEEDS(FAKE_ROW)
#undef FAKE_ROW
};

static enum err do_as_told(const struct making *making)
{
    char head[64] = "";
    size_t got;
    struct reader reader = {.input = making->engine->input};
    enum err kind = reader_read(&reader, head, sizeof head - 1, 0, &got);
    if (kind != OK)
        return kind;
    for (size_t i = 0; making->n == FAKE_BAD && i < sizeof deeds / sizeof *deeds; i++) {
        size_t length = strlen(deeds[i].name);
        if (strncmp(head, "fake ", 5) == 0 && strncmp(head + 5, deeds[i].name, length) == 0 &&
            head[5 + length] == '\n')
            return deeds[i].act(making);
    }
    return do_plain(making);
}

enum err engine_convert(struct input *input UNUSED, const struct plan *plan UNUSED,
                        const struct convert_what *what, _Atomic bool *cancelled UNUSED,
                        engine_tick_fn *tick, void *tick_ctx, struct str *out, struct why *why)
{
    tick(tick_ctx);
    if (what->track > 1)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no such subtitle");
    str_printf(out, "WEBVTT of %u by %u moved by %d ms\n", what->track, what->scale,
               (int) what->shift_ms);
    return OK;
}

enum err engine_plan(struct input *input, const struct engine_options *options UNUSED,
                     const struct engine_plan_job *job, struct plan **out, struct why *why)
{
    char head[16] = "";
    size_t got;
    struct reader reader = {.input = input};
    enum err kind = reader_read(&reader, head, sizeof head - 1, 0, &got);
    if (kind != OK)
        return kind;
    if (strncmp(head, "fake ", 5) != 0)
        return why_set(why, ERR_BAD_MEDIA, NULL, "this is no film");
    job->progress(job->ctx, 0.5);
    *out = fake_plan(input_size(input));
    (*out)->wants_scan = !job->scan;
    return OK;
}

enum err engine_open(struct input *input, const struct plan *plan,
                     const struct engine_options *options UNUSED, struct engine **out)
{
    *out = mem_new(struct engine);
    **out = (struct engine){input, plan};
    return OK;
}

void engine_close(struct engine **engine)
{
    mem_free(*engine);
    *engine = NULL;
}

/* Two items at its begin, one at its end. */
enum err engine_fingerprint(struct engine *engine UNUSED, const struct engine_listening *job,
                            struct fingerprint *out, struct why *why UNUSED)
{
    job->tick(job->ctx);
    fingerprint_place(1000 * 1000, out);
    out->first.count = 2;
    out->first.items = mem_new_array(uint32_t, 2);
    out->first.items[1] = 0x12345678;
    out->last.count = 1;
    out->last.items = mem_new_array(uint32_t, 1);
    return atomic_load(job->cancelled) ? ERR_CANCELLED : OK;
}

void engine_use_gpu(struct engine *engine UNUSED, int *socket)
{
    fd_close(socket);
}

/* Encodes nothing, and says so; or whatever its name asks for. */
int gpu_run(int socket, const char *device)
{
    struct wire_message message, answer = {.kind = WIRE_UNENCODED};
    while (wire_receive(socket, WIRE_TO_GPU, &message, NULL) == OK) {
        if (strcmp(device, "fake:dies") == 0)
            abort();
        if (strcmp(device, "fake:garbage") == 0)
            answer = (struct wire_message){.kind = WIRE_WANT};
        else if (strcmp(device, "fake:works") == 0)
            answer = (struct wire_message){.kind = WIRE_TRIED,
                                           .tried = {.flags = 12, .speed = 1000, .name = "it"}};
        else
            wire_text(answer.unencoded.reason, "there is no such device");
        if (strcmp(device, "fake:hangs") != 0 && wire_send(socket, &answer) != OK)
            return 1;
    }
    return 0;
}

/* 30 pictures, unless the film says how to lie about them. */
enum err engine_storyboard(struct engine *engine, const struct engine_storyboard *job,
                           struct why *why UNUSED)
{
    char head[32] = "";
    size_t got;
    struct reader reader = {.input = engine->input};
    enum err kind = reader_read(&reader, head, sizeof head - 1, 0, &got);
    bool is_late = strstr(head, "board-late") != NULL,
         is_sized = strstr(head, "board-size") != NULL;
    bool is_bare = strstr(head, "board-bare") != NULL, is_full = strstr(head, "board-full") != NULL;
    for (int i = 0; i < 30 && kind == OK; i++) {
        kind =
            job->picture(job->ctx, is_late ? 100 - i : i * 5000, is_sized && i == 3 ? 17 : 16, 9);
        if (kind == OK && (i % 25 == 24 || i == 29) && !is_full && !(is_bare && i == 29))
            kind = job->sheet(job->ctx, "a sheet", 7);
    }
    if (kind == OK && strstr(head, "board-none") != NULL)
        kind = job->sheet(job->ctx, "nothing", 7);
    return kind;
}

void engine_segment(struct engine *engine, uint32_t n, struct engine_output *outputs, size_t count,
                    _Atomic bool *cancelled, engine_tick_fn *tick, void *tick_ctx)
{
    struct making making = {engine, n, outputs, count, cancelled, tick, tick_ctx};
    outputs[0].result = do_as_told(&making);
}
