/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/gpu_link.h"

#include <fcntl.h>
#include <libavcodec/packet.h>
#include <libavutil/frame.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/gpu.h"
#include "segments/wire.h"

struct gpu_link {
    atomic_uint references;
    int socket; /* fixed after new */
    /* under lock */
    pthread_mutex_t lock;
    struct gpu_session *first;
    uint32_t last_session;
    bool is_broken;
    struct why why; /* why it is */
};

/* All of it under the link's lock, but for the slot that a picture is written to. */
struct gpu_session {
    struct gpu_link *link;
    struct gpu_session *next;
    uint32_t id, width, height;
    bool is_ready, is_last, has_failed;
    struct why why; /* why it has */
    uint8_t *memory;
    size_t slot_bytes;
    struct str config;
    uint32_t slot, under_way; /* the next one to be used; those before it that are the device's */
    uint32_t pictures, given; /* sent; packets that came, no more than those */
    AVPacket **packets;       /* oldest first */
    size_t packet_count, packet_room;
};

struct gpu_link *gpu_link_new(int *socket)
{
    struct gpu_link *link = mem_new(struct gpu_link);
    atomic_init(&link->references, 1);
    link->socket = fd_take(socket);
    MUST(pthread_mutex_init(&link->lock, NULL) == 0);
    return link;
}

struct gpu_link *gpu_link_ref(struct gpu_link *link)
{
    atomic_fetch_add_explicit(&link->references, 1, memory_order_relaxed);
    return link;
}

void gpu_link_unref(struct gpu_link **link)
{
    struct gpu_link *gone = *link;
    *link = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    fd_close(&gone->socket); /* its process ends by this */
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* --- what it says; under the lock --- */

static void fail_session(struct gpu_session *session, const char *words)
{
    if (session->has_failed)
        return;
    session->has_failed = true;
    why_set(&session->why, ERR_REFUSED, NULL, "%s", words);
}

static void break_link(struct gpu_link *link, const char *words)
{
    link->is_broken = true;
    why_set(&link->why, ERR_REFUSED, NULL, "%s", words);
    for (struct gpu_session *session = link->first; session != NULL; session = session->next)
        fail_session(session, words);
}

static struct gpu_session *find(const struct gpu_link *link, uint32_t id)
{
    struct gpu_session *session = link->first;
    while (session != NULL && session->id != id)
        session = session->next;
    return session;
}

/* False: it cannot be. */
static bool take_ready(struct gpu_session *session, const struct wire_ready *told, int fd)
{
    size_t picture = (size_t) session->width * session->height / 2 * 3;
    struct stat status;
    size_t size = (size_t) GPU_SLOTS * told->slot_bytes;
    int seals = fcntl(fd, F_GET_SEALS); /* or what is read may be cut off while it is */
    if (session->is_ready || told->slot_bytes < picture || told->config_bytes > told->slot_bytes ||
        seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &status) != 0 ||
        (uint64_t) status.st_size < size)
        return false;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return false;
    session->memory = at;
    session->slot_bytes = told->slot_bytes;
    str_append(&session->config, session->memory, told->config_bytes);
    session->is_ready = true;
    return true;
}

static bool take_taken(struct gpu_session *session, const struct wire_taken *told)
{
    uint32_t oldest = (session->slot + GPU_SLOTS - session->under_way) % GPU_SLOTS;
    if (session->under_way == 0 || told->slot != oldest || told->bytes > session->slot_bytes ||
        told->bytes > INT32_MAX / 2)
        return false;
    session->under_way--;
    session->is_last = told->is_last;
    if (told->bytes == 0)
        return true;
    if (++session->given > session->pictures)
        return false;
    AVPacket *packet = av_packet_alloc();
    MUST(packet != NULL && av_new_packet(packet, (int) told->bytes) == 0);
    memcpy(packet->data, session->memory + told->slot * session->slot_bytes, told->bytes);
    packet->pts = (int64_t) told->pts;
    packet->flags = told->is_key ? AV_PKT_FLAG_KEY : 0;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(session->packets, session->packet_count, session->packet_room);
    session->packets[session->packet_count++] = packet;
    return true;
}

static bool take_message(struct gpu_link *link, const struct wire_message *message)
{
    struct gpu_session *session;
    if (message->kind == WIRE_READY) {
        session = find(link, message->ready.session);
        return session == NULL || take_ready(session, &message->ready, message->fds[0]);
    }
    if (message->kind == WIRE_TAKEN) {
        session = find(link, message->taken.session);
        return session == NULL || take_taken(session, &message->taken);
    }
    if (message->kind != WIRE_UNENCODED)
        return false;
    session = find(link, message->unencoded.session);
    if (session != NULL)
        fail_session(session, message->unencoded.reason);
    return true;
}

static void receive_one(struct gpu_link *link)
{
    struct wire_message message;
    enum err err = wire_receive(link->socket, WIRE_FROM_GPU, &message, NULL);
    if (err == ERR_AGAIN)
        break_link(link, "the device does not answer");
    else if (err == ERR_GONE)
        break_link(link, "the device's process has ended");
    else if (err != OK)
        break_link(link, "the device's process broke the rules of talk");
    if (err != OK)
        return;
    if (!take_message(link, &message))
        break_link(link, "the device's process broke the rules of talk");
    wire_close_fds(&message);
}

static void say(struct gpu_link *link, const struct wire_message *message)
{
    if (!link->is_broken && wire_send(link->socket, message) != OK)
        break_link(link, "the device's process has ended");
}

static enum err result_of(const struct gpu_session *session, struct why *why)
{
    if (!session->has_failed)
        return OK;
    *why = session->why;
    return ERR_REFUSED;
}

/* --- sessions --- */

static void say_encode(struct gpu_session *session, const struct encode_video *settings)
{
    const struct wire_message message = {.kind = WIRE_ENCODE,
                                         .encode = {.session = session->id,
                                                    .is_hevc = settings->codec == CODEC_HEVC,
                                                    .width = settings->width,
                                                    .height = settings->height,
                                                    .fps_num = settings->fps_num,
                                                    .fps_den = settings->fps_den,
                                                    .primaries = settings->color_primaries,
                                                    .transfer = settings->color_transfer,
                                                    .matrix = settings->color_matrix,
                                                    .maxrate = settings->maxrate,
                                                    .bufsize = settings->bufsize}};
    say(session->link, &message);
}

enum err gpu_session_open(struct gpu_link *link, const struct encode_video *settings,
                          struct gpu_session **out, struct why *why)
{
    if (link == NULL)
        return why_set(why, ERR_REFUSED, NULL, "there is no device");
    struct gpu_session *session = mem_new(struct gpu_session);
    session->link = gpu_link_ref(link);
    session->width = settings->width;
    session->height = settings->height;
    pthread_mutex_lock(&link->lock);
    session->id = ++link->last_session;
    session->next = link->first;
    link->first = session;
    if (link->is_broken)
        fail_session(session, link->why.text);
    say_encode(session, settings);
    while (!session->is_ready && !session->has_failed)
        receive_one(link);
    enum err err = result_of(session, why);
    pthread_mutex_unlock(&link->lock);
    if (err != OK)
        gpu_session_close(&session);
    else
        *out = session;
    return err;
}

/* What is still under way for it is answered to nobody, and passed over. */
static void leave(struct gpu_session *session)
{
    struct gpu_link *link = session->link;
    pthread_mutex_lock(&link->lock);
    for (struct gpu_session **at = &link->first; *at != NULL; at = &(*at)->next) {
        if (*at != session)
            continue;
        *at = session->next;
        break;
    }
    const struct wire_message message = {.kind = WIRE_FORGET, .forget = {session->id}};
    if (session->is_ready)
        say(link, &message);
    pthread_mutex_unlock(&link->lock);
}

void gpu_session_close(struct gpu_session **session)
{
    struct gpu_session *gone = *session;
    *session = NULL;
    if (gone == NULL)
        return;
    leave(gone);
    if (gone->memory != NULL)
        munmap(gone->memory, GPU_SLOTS * gone->slot_bytes);
    for (size_t i = 0; i < gone->packet_count; i++)
        av_packet_free(&gone->packets[i]);
    mem_free(gone->packets);
    str_fini(&gone->config);
    gpu_link_unref(&gone->link);
    mem_free(gone);
}

const uint8_t *gpu_session_config(const struct gpu_session *session, size_t *size)
{
    *size = session->config.length;
    return (const uint8_t *) session->config.at;
}

/* Into NV12: the colours' samples by turns. */
static void write_picture(uint8_t *into, const AVFrame *picture)
{
    size_t width = (size_t) picture->width, height = (size_t) picture->height;
    for (size_t y = 0; y < height; y++, into += width)
        memcpy(into, picture->data[0] + (ptrdiff_t) y * picture->linesize[0], width);
    for (size_t y = 0; y < height / 2; y++, into += width) {
        const uint8_t *u = picture->data[1] + (ptrdiff_t) y * picture->linesize[1];
        const uint8_t *v = picture->data[2] + (ptrdiff_t) y * picture->linesize[2];
        for (size_t x = 0; x < width / 2; x++) {
            into[2 * x] = u[x];
            into[2 * x + 1] = v[x];
        }
    }
}

/* Under the lock: hands over the slot, which is free, when the message is sent. */
static void hand_over(struct gpu_session *session, const struct wire_message *message)
{
    say(session->link, message);
    session->slot = (session->slot + 1) % GPU_SLOTS;
    session->under_way++;
}

static void await_slots(struct gpu_session *session, uint32_t most_under_way)
{
    while (!session->has_failed && session->under_way > most_under_way)
        receive_one(session->link);
}

static enum err send_picture(struct gpu_session *session, const AVFrame *picture, struct why *why)
{
    struct gpu_link *link = session->link;
    pthread_mutex_lock(&link->lock);
    await_slots(session, GPU_SLOTS - 1);
    enum err err = result_of(session, why);
    pthread_mutex_unlock(&link->lock);
    if (err != OK)
        return err;
    write_picture(session->memory + session->slot * session->slot_bytes, picture);
    const struct wire_message message = {
        .kind = WIRE_FRAME, .frame = {session->id, session->slot, (uint64_t) picture->pts}};
    pthread_mutex_lock(&link->lock);
    session->pictures++;
    hand_over(session, &message);
    err = result_of(session, why);
    pthread_mutex_unlock(&link->lock);
    return err;
}

enum err gpu_session_send(struct gpu_session *session, const struct AVFrame *picture,
                          struct why *why)
{
    if (picture != NULL && ((uint32_t) picture->width != session->width ||
                            (uint32_t) picture->height != session->height))
        return why_set(why, ERR_REFUSED, NULL, "a picture of another size");
    if (picture != NULL)
        return send_picture(session, picture, why);
    pthread_mutex_lock(&session->link->lock);
    await_slots(session, 0);
    for (uint32_t drains = 0; !session->has_failed && !session->is_last; drains++) {
        if (drains > session->pictures)
            break_link(session->link, "the device finds no end");
        const struct wire_message message = {.kind = WIRE_DRAIN,
                                             .drain = {session->id, session->slot}};
        hand_over(session, &message);
        await_slots(session, 0);
    }
    enum err err = result_of(session, why);
    pthread_mutex_unlock(&session->link->lock);
    return err;
}

enum err gpu_session_receive(struct gpu_session *session, struct AVPacket *out)
{
    pthread_mutex_lock(&session->link->lock);
    AVPacket *packet = session->packet_count > 0 ? session->packets[0] : NULL;
    session->packet_count -= packet != NULL ? 1 : 0;
    for (size_t i = 0; i < session->packet_count; i++)
        session->packets[i] = session->packets[i + 1];
    pthread_mutex_unlock(&session->link->lock);
    if (packet == NULL)
        return ERR_AGAIN;
    av_packet_move_ref(out, packet);
    av_packet_free(&packet);
    return OK;
}
