/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/gpu.h"

#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/device.h"
#include "segments/init.h"
#include "segments/lib_log.h"
#include "segments/sandbox.h"
#include "segments/wire.h"

enum {
    MOST_SESSIONS = 16, /* of one film: two segments at once, of some rungs each */
    MOST_PACKETS = 64,  /* that came before anybody had a slot for them */
    MOST_SIDE = 8192,   /* of a picture */
    TRY_WIDTH = 1280,   /* of the test encode */
    TRY_HEIGHT = 720,
    TRY_FPS = 24,
    TRY_RATE = 3000000,
    MOST_TRIED = 240,
    SLOT_ALIGN = 4096,
};

struct session {
    uint32_t id; /* 0: free */
    AVCodecContext *encoder;
    uint8_t *memory; /* GPU_SLOTS * slot_bytes, shared */
    uint32_t slot_bytes, pictures;
    bool is_draining, is_last;
    AVPacket *packets[MOST_PACKETS]; /* oldest first */
    size_t packet_count;
};

struct gpu {
    int socket;
    struct device *device; /* NULL: `why` */
    struct why why;
    struct why hevc_why; /* "": HEVC of it is not wanted, or works */
    uint32_t layers, last_session;
    struct session sessions[MOST_SESSIONS];
};

static enum err say_unencoded(const struct gpu *gpu, uint32_t session, const struct why *why)
{
    struct wire_message message = {.kind = WIRE_UNENCODED, .unencoded = {.session = session}};
    wire_text(message.unencoded.reason, why->text);
    return wire_send(gpu->socket, &message);
}

/* --- sessions --- */

static void close_session(struct session *session)
{
    for (size_t i = 0; i < session->packet_count; i++)
        av_packet_free(&session->packets[i]);
    avcodec_free_context(&session->encoder);
    if (session->memory != NULL)
        munmap(session->memory, (size_t) GPU_SLOTS * session->slot_bytes);
    *session = (struct session){0};
}

static struct session *find(struct gpu *gpu, uint32_t id)
{
    for (size_t i = 0; i < MOST_SESSIONS; i++)
        if (gpu->sessions[i].id == id)
            return &gpu->sessions[i];
    return NULL;
}

static struct encode_video settings_of(const struct wire_encode *told)
{
    return (struct encode_video){.codec = told->is_hevc ? CODEC_HEVC : CODEC_H264,
                                 .width = told->width,
                                 .height = told->height,
                                 .fps_num = told->fps_num,
                                 .fps_den = told->fps_den,
                                 .color_primaries = (uint8_t) told->primaries,
                                 .color_transfer = (uint8_t) told->transfer,
                                 .color_matrix = (uint8_t) told->matrix,
                                 .maxrate = told->maxrate,
                                 .bufsize = told->bufsize,
                                 .preset = "",
                                 .threads = 1};
}

static bool is_sane(const struct wire_encode *told)
{
    return told->width >= 2 && told->height >= 2 && told->width <= MOST_SIDE &&
           told->height <= MOST_SIDE && told->width % 2 == 0 && told->height % 2 == 0 &&
           told->fps_num > 0 && told->fps_den > 0 && told->fps_num <= INT32_MAX &&
           told->fps_den <= INT32_MAX && told->maxrate > 0 && told->maxrate <= INT32_MAX &&
           told->bufsize > 0 && told->bufsize <= INT32_MAX;
}

/* Memory for the pictures, of a size that neither side can change. Its fd is the caller's. */
static enum err make_memory(struct session *session, uint32_t width, uint32_t height, int *out)
{
    uint32_t bytes = width * height / 2 * 3;
    CLEANUP(fd_close) int fd = -1;
    session->slot_bytes = (bytes + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    size_t size = (size_t) GPU_SLOTS * session->slot_bytes;
    if (fd_memory("matinee-pictures", &fd) != OK || ftruncate(fd, (off_t) size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return ERR_IO;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return ERR_IO;
    session->memory = at;
    *out = fd_take(&fd);
    return OK;
}

static enum err open_session(struct gpu *gpu, struct session *session,
                             const struct wire_encode *told, int *memory, struct why *why)
{
    struct encode_video settings = settings_of(told);
    if (!is_sane(told))
        return why_set(why, ERR_REFUSED, NULL, "no device encodes such pictures");
    enum err err = device_encoder(gpu->device, &settings, &session->encoder, why);
    if (err == OK && make_memory(session, told->width, told->height, memory) != OK)
        err = why_set(why, ERR_REFUSED, NULL, "there is no memory for pictures to be had");
    if (err == OK && (uint32_t) session->encoder->extradata_size > session->slot_bytes)
        err = why_set(why, ERR_REFUSED, NULL, "its headers are larger than a picture");
    return err;
}

static enum err take_encode(struct gpu *gpu, const struct wire_encode *told)
{
    struct session *session = find(gpu, 0);
    struct why why = gpu->why;
    CLEANUP(fd_close) int memory = -1;
    if (told->session <= gpu->last_session)
        return ERR_BAD_INPUT;
    gpu->last_session = told->session;
    if (session == NULL)
        why_set(&why, ERR_REFUSED, NULL, "it is asked for too much at once");
    if (gpu->device == NULL || session == NULL)
        return say_unencoded(gpu, told->session, &why);
    if (open_session(gpu, session, told, &memory, &why) != OK) {
        close_session(session);
        return say_unencoded(gpu, told->session, &why);
    }
    session->id = told->session;
    uint32_t size = (uint32_t) session->encoder->extradata_size;
    if (size > 0)
        memcpy(session->memory, session->encoder->extradata, size);
    struct wire_message message = {.kind = WIRE_READY,
                                   .ready = {.session = told->session,
                                             .slot_bytes = session->slot_bytes,
                                             .config_bytes = size},
                                   .fd_count = 1,
                                   .fds = {memory}};
    return wire_send(gpu->socket, &message);
}

/* --- pictures and packets --- */

/* All that the encoder has finished. */
static enum err fetch_packets(struct session *session, struct why *why)
{
    for (;;) {
        AVPacket *packet = av_packet_alloc();
        MUST(packet != NULL);
        int code = avcodec_receive_packet(session->encoder, packet);
        if (code >= 0 && session->packet_count < MOST_PACKETS) {
            session->packets[session->packet_count++] = packet;
            continue;
        }
        av_packet_free(&packet);
        session->is_last = code == AVERROR_EOF;
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return OK;
        return code >= 0
                   ? why_set(why, ERR_REFUSED, NULL, "it gives more than it was given")
                   : why_set(why, ERR_REFUSED, NULL, "it gave no packet: %s", av_err2str(code));
    }
}

static AVPacket *next_packet(struct session *session)
{
    AVPacket *packet = session->packets[0];
    session->packet_count--;
    for (size_t i = 0; i < session->packet_count; i++)
        session->packets[i] = session->packets[i + 1];
    return packet;
}

/* The slot goes back, with the oldest packet where there is one. */
static enum err answer(struct gpu *gpu, struct session *session, uint32_t slot)
{
    struct wire_message message = {.kind = WIRE_TAKEN,
                                   .taken = {.session = session->id, .slot = slot}};
    struct wire_taken *taken = &message.taken;
    if (session->packet_count > 0) {
        AVPacket *packet = next_packet(session);
        taken->bytes = packet->size > 0 ? (uint32_t) packet->size : 0;
        taken->pts = (uint64_t) packet->pts;
        taken->is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        if (taken->bytes <= session->slot_bytes)
            memcpy(session->memory + (size_t) slot * session->slot_bytes, packet->data,
                   taken->bytes);
        av_packet_free(&packet);
    }
    taken->is_last = session->is_draining && session->is_last && session->packet_count == 0;
    if (taken->bytes > session->slot_bytes) {
        struct why why = {0};
        why_set(&why, ERR_REFUSED, NULL, "a picture became larger than it was");
        uint32_t id = session->id;
        close_session(session);
        return say_unencoded(gpu, id, &why);
    }
    return wire_send(gpu->socket, &message);
}

static enum err put_picture(struct gpu *gpu, struct session *session, const struct wire_frame *told,
                            struct why *why)
{
    const AVCodecContext *encoder = session->encoder;
    AVFrame *picture = av_frame_alloc();
    MUST(picture != NULL);
    picture->format = AV_PIX_FMT_NV12;
    picture->width = encoder->width;
    picture->height = encoder->height;
    picture->pts = (int64_t) told->pts;
    int code = av_image_fill_arrays(picture->data, picture->linesize,
                                    session->memory + (size_t) told->slot * session->slot_bytes,
                                    AV_PIX_FMT_NV12, picture->width, picture->height, 1);
    MUST(code >= 0 && (uint32_t) code <= session->slot_bytes);
    enum err err = device_put(gpu->device, session->encoder, picture, session->pictures++, why);
    av_frame_free(&picture);
    return err;
}

static enum err start_draining(struct session *session, struct why *why)
{
    if (session->is_draining)
        return OK;
    session->is_draining = true;
    int code = avcodec_send_frame(session->encoder, NULL);
    return code >= 0 ? OK
                     : why_set(why, ERR_REFUSED, NULL, "it does not end: %s", av_err2str(code));
}

/* `frame` NULL: there are no more. A session that failed before is passed over: its owner was told, or
 * is about to read it. */
static enum err take_picture(struct gpu *gpu, uint32_t id, uint32_t slot,
                             const struct wire_frame *frame)
{
    struct session *session = id > 0 ? find(gpu, id) : NULL;
    struct why why = {0};
    if (slot >= GPU_SLOTS || id == 0 || id > gpu->last_session)
        return ERR_BAD_INPUT;
    if (session == NULL)
        return OK;
    if (frame != NULL && session->is_draining)
        return ERR_BAD_INPUT;
    enum err err =
        frame != NULL ? put_picture(gpu, session, frame, &why) : start_draining(session, &why);
    if (err == OK && session->packet_count == 0)
        err = fetch_packets(session, &why);
    if (err == OK)
        return answer(gpu, session, slot);
    close_session(session);
    return say_unencoded(gpu, id, &why);
}

/* --- the test encode --- */

/* Slopes that move. */
static void draw(AVFrame *picture, uint32_t index)
{
    for (int plane = 0; plane < 2; plane++)
        for (int y = 0; y < picture->height >> plane; y++)
            for (int x = 0; x < picture->width; x++)
                picture->data[plane][y * picture->linesize[plane] + x] =
                    (uint8_t) (32 + ((uint32_t) (x + 2 * y) + index * 5) / 4 % 128);
}

struct test {
    struct session session;
    enum plan_codec codec;
    uint32_t count, put, got;
    struct str config;             /* avcC or hvcC, once there is a packet */
    char codecs[INIT_CODECS_SIZE]; /* of that */
};

/* What a test encode has shown. */
struct seen {
    uint64_t speed;
    uint32_t headers;
    uint8_t flags; /* of avcC */
    char codecs[INIT_CODECS_SIZE];
};

static enum err step_test(struct gpu *gpu, struct test *test, struct why *why)
{
    struct session *session = &test->session;
    const struct wire_frame frame = {.session = session->id, .pts = test->put};
    AVFrame picture = {.width = TRY_WIDTH,
                       .height = TRY_HEIGHT,
                       .data = {session->memory, session->memory + TRY_WIDTH * TRY_HEIGHT},
                       .linesize = {TRY_WIDTH, TRY_WIDTH}};
    if (test->put < test->count)
        draw(&picture, test->put);
    enum err err = test->put < test->count ? put_picture(gpu, session, &frame, why)
                                           : start_draining(session, why);
    test->put++;
    return err == OK ? fetch_packets(session, why) : err;
}

/* CODECS of what has such a configuration. */
static enum err read_codecs(struct test *test, struct why *why)
{
    CLEANUP(str_fini) struct str init = {0};
    const struct init_track track = {.kind = PLAN_VIDEO,
                                     .codec = test->codec,
                                     .config = (const uint8_t *) test->config.at,
                                     .config_size = test->config.length,
                                     .timescale = TRY_FPS,
                                     .width = TRY_WIDTH,
                                     .height = TRY_HEIGHT,
                                     .sar_num = 1,
                                     .sar_den = 1};
    enum err err = init_write(&track, &init, why);
    return err == OK ? init_codecs((const uint8_t *) init.at, init.length, test->codecs) : err;
}

/* Of the profile that is announced (ITU-T H.264 A.2.4, H.265 A.3.2), which the device may have no mind to
 * make. */
static enum err judge_headers(struct test *test, const AVPacket *first, struct why *why)
{
    const AVCodecContext *encoder = test->session.encoder;
    bool is_told = encoder->extradata_size > 0, is_hevc = test->codec == CODEC_HEVC;
    const uint8_t *bytes = is_told ? encoder->extradata : first->data;
    int size = is_told ? encoder->extradata_size : first->size;
    const char *announced = is_hevc ? "hvc1.1." : "avc1.64";
    if (size <= 0 || annexb_config(test->codec, bytes, (size_t) size, &test->config) != OK ||
        read_codecs(test, why) != OK)
        return why_set(why, ERR_REFUSED, NULL, "its headers cannot be read");
    if (strncmp(test->codecs, announced, strlen(announced)) != 0)
        return why_set(why, ERR_REFUSED, NULL, "it makes no %s",
                       is_hevc ? "HEVC of the Main profile" : "H.264 of the High profile");
    return OK;
}

static enum err count_packets(struct test *test, struct why *why)
{
    struct session *session = &test->session;
    enum err err = OK;
    for (; session->packet_count > 0 && err == OK; test->got++) {
        AVPacket *packet = next_packet(session);
        if (test->got == 0)
            err = judge_headers(test, packet, why);
        av_packet_free(&packet);
    }
    return err;
}

/* FNV-1a. */
static uint32_t hash(const struct str *bytes)
{
    const uint32_t prime = 16777619;
    uint32_t value = 2166136261;
    for (size_t i = 0; i < bytes->length; i++)
        value = (value ^ (uint8_t) bytes->at[i]) * prime;
    return value;
}

/* Fills `out` with what it saw in that many pictures. */
static enum err encode_test(struct gpu *gpu, enum plan_codec codec, uint32_t count,
                            struct seen *out, struct why *why)
{
    struct test test = {.session = {.id = 1}, .codec = codec, .count = count};
    const struct wire_encode told = {.session = 1,
                                     .is_hevc = codec == CODEC_HEVC,
                                     .width = TRY_WIDTH,
                                     .height = TRY_HEIGHT,
                                     .fps_num = TRY_FPS,
                                     .fps_den = 1,
                                     .primaries = 1,
                                     .transfer = 1,
                                     .matrix = 1,
                                     .maxrate = TRY_RATE,
                                     .bufsize = TRY_RATE};
    CLEANUP(fd_close) int memory = -1;
    enum err err = open_session(gpu, &test.session, &told, &memory, why);
    int64_t begun_us = clock_mono_us();
    while (err == OK && !test.session.is_last) {
        err = step_test(gpu, &test, why);
        if (err == OK)
            err = count_packets(&test, why);
    }
    close_session(&test.session);
    if (err == OK && test.got != count)
        err = why_set(why, ERR_REFUSED, NULL, "of %u pictures it gave %u", count, test.got);
    *out =
        (struct seen){.speed = device_speed(gpu->device, (uint64_t) TRY_WIDTH * TRY_HEIGHT * count,
                                            clock_mono_us() - begun_us),
                      .flags = test.config.length > 2 ? (uint8_t) test.config.at[2] : 0,
                      .headers = hash(&test.config)};
    memcpy(out->codecs, test.codecs, sizeof out->codecs);
    str_fini(&test.config);
    return err;
}

/* What works of it, in words, and the CODECS of its HEVC. */
static void try_hevc(struct gpu *gpu, uint32_t count, struct wire_tried *tried)
{
    struct seen seen;
    const char *words = device_words(gpu->device);
    const char *encoder = device_encoder_name(gpu->device, CODEC_HEVC);
    bool works = gpu->hevc_why.text[0] == '\0' &&
                 encode_test(gpu, CODEC_HEVC, count, &seen, &gpu->hevc_why) == OK;
    struct why text;
    if (!works) {
        why_set(&text, OK, NULL, "%.120s, no %s: %.200s", words, encoder, gpu->hevc_why.text);
        wire_text(tried->name, text.text);
        return;
    }
    why_set(&text, OK, NULL, "%s and %.120s", encoder, words);
    wire_text(tried->name, text.text);
    wire_text(tried->hevc, seen.codecs);
    tried->headers ^= seen.headers;
    tried->speed = seen.speed < tried->speed ? seen.speed : tried->speed;
}

static enum err take_try(struct gpu *gpu, uint32_t count)
{
    struct wire_message message = {.kind = WIRE_TRIED, .tried = {.layers = gpu->layers}};
    struct wire_tried *tried = &message.tried;
    struct seen seen;
    struct why why = gpu->why;
    if (count == 0 || count > MOST_TRIED)
        return ERR_BAD_INPUT;
    if (gpu->device == NULL || encode_test(gpu, CODEC_H264, count, &seen, &why) != OK)
        return say_unencoded(gpu, 0, &why);
    tried->flags = seen.flags;
    tried->headers = seen.headers;
    tried->speed = seen.speed;
    wire_text(tried->name, device_words(gpu->device));
    if (device_makes_hevc(gpu->device))
        try_hevc(gpu, count, tried);
    return wire_send(gpu->socket, &message);
}

/* --- the process --- */

/* Once unlocked, since drivers load what they need when they first encode. */
static void open_device(struct gpu *gpu, const char *name)
{
    const char *nodes[DEVICE_MOST_NODES + 1] = {NULL};
    struct seen seen;
    bool is_known = device_nodes(name, nodes);
    sandbox_begin_device(nodes);
    if (!is_known)
        why_set(&gpu->why, ERR_REFUSED, NULL, "there is no such kind of device: %.200s", name);
    else if (device_open(name, &gpu->device, &gpu->why) == OK &&
             encode_test(gpu, CODEC_H264, 2, &seen, &gpu->why) != OK)
        device_close(&gpu->device);
    if (gpu->device != NULL && device_makes_hevc(gpu->device) &&
        encode_test(gpu, CODEC_HEVC, 2, &seen, &gpu->hevc_why) != OK)
        MUST(gpu->hevc_why.text[0] != '\0');
    gpu->layers = sandbox_enter_device(nodes);
}

static enum err take_message(struct gpu *gpu, const struct wire_message *message)
{
    struct session *session;
    if (message->kind == WIRE_TRY)
        return take_try(gpu, message->try.frames);
    if (message->kind == WIRE_ENCODE)
        return take_encode(gpu, &message->encode);
    if (message->kind == WIRE_FRAME)
        return take_picture(gpu, message->frame.session, message->frame.slot, &message->frame);
    if (message->kind == WIRE_DRAIN)
        return take_picture(gpu, message->drain.session, message->drain.slot, NULL);
    session = message->forget.session > 0 ? find(gpu, message->forget.session) : NULL;
    if (session != NULL) /* else it has failed */
        close_session(session);
    return OK;
}

int gpu_run(int socket, const char *device)
{
    struct gpu gpu = {.socket = socket};
    enum err err = OK;
    prctl(PR_SET_NAME, "matinee-gpu");
    lib_log_start(-1);
    lib_log_silence_stderr();
    open_device(&gpu, device);
    while (err == OK) {
        struct wire_message message;
        err = wire_receive(socket, WIRE_TO_GPU, &message, NULL);
        if (err == OK) {
            err = take_message(&gpu, &message);
            wire_close_fds(&message);
        }
    }
    return err == ERR_GONE ? 0 : 1;
}
