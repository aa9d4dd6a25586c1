/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/job.h"

#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

/* Muxers write in small steps; the out file gets them in large ones. */
enum { BUFFER_BYTES = 64 * 1024 };

struct job *job_new(uint64_t id, int socket, int *out)
{
    struct job *job = mem_new(struct job);
    job->id = id;
    job->socket = socket;
    job->out = fd_take(out);
    return job;
}

void job_free(struct job **job)
{
    if (*job == NULL)
        return;
    fd_close(&(*job)->out);
    mem_free((*job)->buffer);
    mem_free((*job)->pieces);
    mem_free(*job);
    *job = NULL;
}

/* A server that does not listen any more has closed the socket, and the main thread ends us: what
 * cannot be said then need not be. */
static void say(const struct job *job, const struct wire_message *message)
{
    enum err kind UNUSED = wire_send(job->socket, message);
}

void job_tick(struct job *job)
{
    struct wire_message message = {.kind = WIRE_TICK, .tick = {.job = job->id}};
    say(job, &message);
}

void job_progress(struct job *job, double fraction)
{
    const double most = 1000;
    double permille = fraction > 0 ? fraction * most : 0;
    struct wire_message message = {
        .kind = WIRE_PROGRESS,
        .progress = {.job = job->id, .permille = (uint32_t) (permille < most ? permille : most)}};
    say(job, &message);
}

void job_want(struct job *job, uint64_t offset, uint64_t length)
{
    struct wire_message message = {.kind = WIRE_WANT,
                                   .want = {.job = job->id, .offset = offset, .length = length}};
    say(job, &message);
}

static enum err write_buffer(struct job *job)
{
    enum err kind = fd_write_at(job->out, job->buffer, job->buffered, job->written);
    if (kind != OK)
        return kind;
    job->written += job->buffered;
    job->buffered = 0;
    return OK;
}

/* Only what is written is told. */
static enum err say_pieces(struct job *job, bool part_end)
{
    enum err kind = write_buffer(job);
    if (kind != OK)
        return kind;
    job->pieces->pieces.part_end = part_end;
    say(job, job->pieces);
    job->pieces->pieces.pieces_count = 0;
    return OK;
}

/* Neighbours become one piece. */
static enum err note_piece(struct job *job, bool is_source, uint64_t offset, uint64_t length)
{
    struct wire_pieces *noted = &job->pieces->pieces;
    if (noted->pieces_count > 0) {
        struct wire_piece *last = &noted->pieces[noted->pieces_count - 1];
        if (last->is_source == is_source && last->offset + last->length == offset) {
            last->length += length;
            return OK;
        }
    }
    if (noted->pieces_count == WIRE_MAX_PIECES) {
        enum err kind = say_pieces(job, false);
        if (kind != OK)
            return kind;
    }
    noted->pieces[noted->pieces_count++] = (struct wire_piece){is_source, offset, length};
    return OK;
}

static enum err on_bytes(void *ctx, const void *bytes, size_t size)
{
    struct job *job = ctx;
    if (atomic_load(&job->is_cancelled))
        return ERR_CANCELLED;
    if (size == 0)
        return OK;
    enum err kind = note_piece(job, false, job->written + job->buffered, size);
    if (kind == OK && size > BUFFER_BYTES - job->buffered)
        kind = write_buffer(job);
    if (kind != OK)
        return kind;
    if (size <= BUFFER_BYTES - job->buffered) {
        memcpy(job->buffer + job->buffered, bytes, size);
        job->buffered += size;
        return OK;
    }
    kind = fd_write_at(job->out, bytes, size, job->written);
    if (kind == OK)
        job->written += size;
    return kind;
}

static enum err on_extent(void *ctx, uint64_t offset, uint64_t length)
{
    struct job *job = ctx;
    if (atomic_load(&job->is_cancelled))
        return ERR_CANCELLED;
    return length > 0 ? note_piece(job, true, offset, length) : OK;
}

static enum err on_flush(void *ctx)
{
    struct job *job = ctx;
    if (atomic_load(&job->is_cancelled))
        return ERR_CANCELLED;
    return job->pieces->pieces.pieces_count > 0 ? say_pieces(job, true) : OK;
}

struct sink job_sink(struct job *job)
{
    static const struct sink_ops ops = {on_bytes, on_extent, on_flush};
    if (job->pieces == NULL) {
        job->buffer = mem_zalloc(BUFFER_BYTES);
        job->pieces = mem_new(struct wire_message);
        job->pieces->kind = WIRE_PIECES;
        job->pieces->pieces.job = job->id;
    }
    return (struct sink){.ops = &ops, .ctx = job};
}

enum err job_write(struct job *job, const uint8_t *bytes, size_t size)
{
    enum err kind = fd_write_at(job->out, bytes, size, 0);
    if (kind == OK)
        job->written = size;
    return kind;
}

enum err job_picture(struct job *job, int64_t at_ms, uint32_t width, uint32_t height)
{
    struct wire_message message = {
        .kind = WIRE_PICTURE,
        .picture = {.job = job->id, .at_ms = (uint64_t) at_ms, .width = width, .height = height}};
    say(job, &message);
    return atomic_load(&job->is_cancelled) ? ERR_CANCELLED : OK;
}

enum err job_sheet(struct job *job, const void *bytes, size_t size)
{
    struct wire_message message = {
        .kind = WIRE_SHEET, .sheet = {.job = job->id, .offset = job->written, .length = size}};
    enum err kind = fd_write_at(job->out, bytes, size, job->written);
    if (kind != OK)
        return kind;
    job->written += size;
    say(job, &message);
    return OK;
}

void job_verdict(struct job *job, const struct why *verdict)
{
    struct wire_message message = {.kind = WIRE_VERDICT, .verdict = {.job = job->id}};
    wire_text(message.verdict.text, verdict->text);
    say(job, &message);
}

static void say_failed(struct job *job, enum err kind, const struct why *why)
{
    struct wire_message message = {.kind = WIRE_FAILED, .failed = {.job = job->id, .kind = kind}};
    bool has_words = why != NULL && why->text[0] != '\0';
    wire_text(message.failed.text, has_words ? why->text : err_text(kind));
    wire_text(message.failed.field, why != NULL ? why->field : "");
    say(job, &message);
}

void job_end(struct job *job, enum err kind, const struct why *why)
{
    if (kind == OK && job->pieces != NULL)
        kind = on_flush(job);
    if (kind != OK) {
        say_failed(job, kind, why);
        return;
    }
    struct wire_message message = {.kind = WIRE_DONE,
                                   .done = {.job = job->id, .size = job->written}};
    say(job, &message);
}
