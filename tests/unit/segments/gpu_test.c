/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process of a device, with the one that is made up: what it makes, how it fails, what it believes;
 * and the link to it, with a device that lies. */
#include "segments/gpu.h"

#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/gpu_link.h"
#include "segments/wire.h"

enum { WIDTH = 64, HEIGHT = 48, FRAMES = 30, PATIENCE_S = 20, SHORT_MS = 300 };

static const struct encode_video settings = {.width = WIDTH,
                                             .height = HEIGHT,
                                             .fps_num = 25,
                                             .fps_den = 1,
                                             .color_primaries = 1,
                                             .color_transfer = 1,
                                             .color_matrix = 1,
                                             .maxrate = 800000,
                                             .bufsize = 800000};

struct stage {
    char node[64];
    pid_t pid;
    int socket;
    struct gpu_link *link;
};

static void command(const struct stage *stage, const char *text)
{
    FILE *file = fopen(stage->node, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct stage *stage = mem_new(struct stage);
    snprintf(stage->node, sizeof stage->node, "/tmp/matinee-device-XXXXXX");
    int fd = mkstemp(stage->node);
    assert_true(fd >= 0);
    close(fd);
    stage->socket = -1;
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    gpu_link_unref(&stage->link);
    fd_close(&stage->socket);
    if (stage->pid > 0) {
        kill(stage->pid, SIGKILL);
        waitpid(stage->pid, NULL, 0);
    }
    unlink(stage->node);
    mem_free(stage);
    return 0;
}

static void set_patience(int socket, int64_t ms)
{
    struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

/* Starts the process; our end is stage->socket. */
static void start(struct stage *stage, const char *kind)
{
    int pair[2];
    char name[128];
    snprintf(name, sizeof name, "%s:%s", kind, stage->node);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    stage->pid = fork();
    if (stage->pid == 0) {
        close(pair[0]);
        _exit(gpu_run(pair[1], name));
    }
    close(pair[1]);
    stage->socket = pair[0];
    set_patience(stage->socket, PATIENCE_S * 1000);
}

static int status_of(struct stage *stage)
{
    int status = 0;
    assert_int_equal(waitpid(stage->pid, &status, 0), stage->pid);
    stage->pid = 0;
    return status;
}

static void say(const struct stage *stage, const struct wire_message *message)
{
    assert_int_equal(wire_send(stage->socket, message), OK);
}

static enum wire_kind hear(const struct stage *stage, struct wire_message *out)
{
    struct why why = {0};
    if (wire_receive(stage->socket, WIRE_FROM_GPU, out, &why) != OK)
        fail_msg("it says nothing, or nonsense: %s", why.text);
    return out->kind;
}

static void try_it(const struct stage *stage, struct wire_message *answer)
{
    say(stage, &(struct wire_message){.kind = WIRE_TRY, .try = {.frames = 5}});
    hear(stage, answer);
}

/* --- trying --- */

static void a_device_that_works_says_what_it_is(void **state)
{
    struct stage *stage = *state;
    struct wire_message answer;
    start(stage, "fake");
    try_it(stage, &answer);
    assert_int_equal(answer.kind, WIRE_TRIED);
    assert_non_null(strstr(answer.tried.name, "libx264 on /tmp/matinee-device-"));
    assert_true(answer.tried.speed > 0);
    assert_int_equal(answer.tried.flags, 0);
    const uint32_t always = WIRE_LAYER_NNP | WIRE_LAYER_RLIMIT | WIRE_LAYER_SECCOMP;
    assert_int_equal(answer.tried.layers & always, always);
    /* It ends with its socket. */
    fd_close(&stage->socket);
    assert_int_equal(status_of(stage), 0);
}

static void hevc_is_made_where_it_is_wanted(void **state)
{
    struct stage *stage = *state;
    struct wire_message answer, again;
    start(stage, "fake+hevc");
    try_it(stage, &answer);
    assert_int_equal(answer.kind, WIRE_TRIED);
    assert_non_null(strstr(answer.tried.name, "libx265 and libx264 on /tmp/matinee-device-"));
    assert_true(plan_is_hevc_codecs(answer.tried.hevc));
    assert_true(strncmp(answer.tried.hevc, "hvc1.1.", 7) == 0);
    try_it(stage, &again); /* the headers are the same each time */
    assert_int_equal(again.tried.headers, answer.tried.headers);
}

static void assert_untried(struct stage *stage, const char *words)
{
    struct wire_message answer;
    try_it(stage, &answer);
    assert_int_equal(answer.kind, WIRE_UNENCODED);
    assert_non_null(strstr(answer.unencoded.reason, words));
}

static void what_does_not_work_says_why(void **state)
{
    struct stage *stage = *state;
    command(stage, "open");
    start(stage, "fake");
    assert_untried(stage, "it was told to fail");
    assert_untried(stage, "it was told to fail"); /* and goes on saying it */
    const struct wire_message encode = {.kind = WIRE_ENCODE, .encode = {.session = 1}};
    struct wire_message answer;
    say(stage, &encode);
    assert_int_equal(hear(stage, &answer), WIRE_UNENCODED);
    assert_int_equal(answer.unencoded.session, 1);
}

static void what_is_no_device_says_so(void **state)
{
    struct stage *stage = *state;
    start(stage, "toaster");
    assert_untried(stage, "there is no such kind of device");
}

/* libva opens anything; that it is no display says the kernel. */
static void a_file_is_no_graphics_card(void **state)
{
    struct stage *stage = *state;
    start(stage, "vaapi");
    assert_untried(stage, "cannot be opened");
}

static void a_node_that_is_not_there_says_so(void **state)
{
    struct stage *stage = *state;
    unlink(stage->node);
    start(stage, "qsv");
    assert_untried(stage, "is not there");
}

/* --- encoding --- */

static AVFrame *draw(int index)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = WIDTH;
    frame->height = HEIGHT;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < HEIGHT >> (plane > 0); y++)
            memset(frame->data[plane] + y * frame->linesize[plane], 40 + 5 * index + 20 * plane,
                   WIDTH >> (plane > 0));
    frame->pts = index;
    return frame;
}

static void connect_link(struct stage *stage)
{
    start(stage, "fake+hevc");
    stage->link = gpu_link_new(&stage->socket);
}

struct made {
    AVPacket *packets[FRAMES];
    int count;
};

static void fetch(struct gpu_session *session, struct made *made)
{
    AVPacket *packet = av_packet_alloc();
    while (gpu_session_receive(session, packet) == OK) {
        assert_true(made->count < FRAMES);
        made->packets[made->count++] = av_packet_clone(packet);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
}

static void made_fini(struct made *made)
{
    for (int i = 0; i < made->count; i++)
        av_packet_free(&made->packets[i]);
}

/* The mean of a plane: each picture is of one colour. */
static int mean(const AVFrame *frame, int plane)
{
    int64_t sum = 0;
    int width = WIDTH >> (plane > 0), height = HEIGHT >> (plane > 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sum += frame->data[plane][y * frame->linesize[plane] + x];
    return (int) (sum / (width * height));
}

static void check_pictures(const struct made *made, enum AVCodecID codec, const uint8_t *config,
                           size_t size)
{
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(codec));
    AVFrame *frame = av_frame_alloc();
    int shown = 0;
    decoder->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(decoder->extradata, config, size);
    decoder->extradata_size = (int) size;
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    for (int i = 0; i <= made->count; i++) {
        assert_int_equal(avcodec_send_packet(decoder, i < made->count ? made->packets[i] : NULL),
                         0);
        for (; avcodec_receive_frame(decoder, frame) == 0; shown++)
            for (int plane = 0; plane < 3; plane++)
                assert_in_range(mean(frame, plane), 38 + 5 * shown + 20 * plane,
                                42 + 5 * shown + 20 * plane);
    }
    assert_int_equal(shown, FRAMES);
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
}

static enum err encode(struct gpu_session *session, int count, struct made *made, struct why *why)
{
    enum err err = OK;
    for (int i = 0; i < count && err == OK; i++) {
        AVFrame *frame = draw(i);
        err = gpu_session_send(session, frame, why);
        av_frame_free(&frame);
        fetch(session, made);
    }
    if (err == OK)
        err = gpu_session_send(session, NULL, why);
    fetch(session, made);
    return err;
}

static void pictures_go_there_and_come_back(void **state)
{
    struct stage *stage = *state;
    connect_link(stage);
    for (int round = 0; round < 4; round++) {
        struct gpu_session *session = NULL;
        struct encode_video wanted = settings;
        wanted.codec = round % 2 == 0 ? CODEC_H264 : CODEC_HEVC;
        struct made made = {.count = 0};
        struct why why = {0};
        size_t size;
        assert_int_equal(gpu_session_open(stage->link, &wanted, &session, &why), OK);
        const uint8_t *config = gpu_session_config(session, &size);
        assert_true(size > 8);
        assert_int_equal(encode(session, FRAMES, &made, &why), OK);
        assert_int_equal(made.count, FRAMES);
        for (int i = 0; i < made.count; i++) {
            assert_int_equal(made.packets[i]->pts, i);
            assert_int_equal((made.packets[i]->flags & AV_PKT_FLAG_KEY) != 0, i == 0);
        }
        check_pictures(&made, round % 2 == 0 ? AV_CODEC_ID_H264 : AV_CODEC_ID_HEVC, config, size);
        made_fini(&made);
        gpu_session_close(&session);
    }
}

static void sessions_do_not_mix(void **state)
{
    struct stage *stage = *state;
    struct gpu_session *one = NULL, *two = NULL;
    struct made first = {.count = 0}, second = {.count = 0};
    struct why why = {0};
    size_t size;
    connect_link(stage);
    assert_int_equal(gpu_session_open(stage->link, &settings, &one, &why), OK);
    assert_int_equal(gpu_session_open(stage->link, &settings, &two, &why), OK);
    for (int i = 0; i < FRAMES; i++) {
        AVFrame *frame = draw(i);
        assert_int_equal(gpu_session_send(one, frame, &why), OK);
        assert_int_equal(gpu_session_send(two, frame, &why), OK);
        av_frame_free(&frame);
    }
    assert_int_equal(gpu_session_send(one, NULL, &why), OK);
    assert_int_equal(gpu_session_send(two, NULL, &why), OK);
    fetch(one, &first);
    fetch(two, &second);
    const uint8_t *config = gpu_session_config(one, &size);
    check_pictures(&first, AV_CODEC_ID_H264, config, size);
    check_pictures(&second, AV_CODEC_ID_H264, config, size);
    made_fini(&first);
    made_fini(&second);
    gpu_session_close(&one);
    gpu_session_close(&two);
}

static void assert_fails(struct stage *stage, const char *deed, const char *words)
{
    struct gpu_session *session = NULL;
    struct made made = {.count = 0};
    struct why why = {0};
    assert_int_equal(gpu_session_open(stage->link, &settings, &session, &why), OK);
    command(stage, deed);
    assert_int_equal(encode(session, FRAMES, &made, &why), ERR_REFUSED);
    if (strstr(why.text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, why.text);
    made_fini(&made);
    gpu_session_close(&session);
}

static void a_session_that_fails_is_over_and_others_are_not(void **state)
{
    struct stage *stage = *state;
    struct gpu_session *session = NULL;
    struct made made = {.count = 0};
    struct why why = {0};
    connect_link(stage);
    assert_fails(stage, "frame 10", "told to fail");
    command(stage, "open");
    assert_int_equal(gpu_session_open(stage->link, &settings, &session, &why), ERR_REFUSED);
    command(stage, "");
    assert_int_equal(gpu_session_open(stage->link, &settings, &session, &why), OK);
    assert_int_equal(encode(session, FRAMES, &made, &why), OK);
    made_fini(&made);
    gpu_session_close(&session);
}

static void a_death_is_noticed(void **state)
{
    struct stage *stage = *state;
    struct gpu_session *session = NULL;
    struct why why = {0};
    connect_link(stage);
    assert_fails(stage, "die 10", "has ended");
    assert_int_equal(gpu_session_open(stage->link, &settings, &session, &why), ERR_REFUSED);
}

static void a_hang_is_noticed(void **state)
{
    struct stage *stage = *state;
    start(stage, "fake");
    struct wire_message answer;
    try_it(stage, &answer); /* it is up */
    set_patience(stage->socket, SHORT_MS);
    stage->link = gpu_link_new(&stage->socket);
    assert_fails(stage, "hang 10", "does not answer");
}

static void once_is_once(void **state)
{
    struct stage *stage = *state;
    struct gpu_session *session = NULL;
    struct made made = {.count = 0};
    struct why why = {0};
    connect_link(stage);
    assert_fails(stage, "frame 10 once", "told to fail");
    assert_int_equal(gpu_session_open(stage->link, &settings, &session, &why), OK);
    assert_int_equal(encode(session, FRAMES, &made, &why), OK);
    made_fini(&made);
    gpu_session_close(&session);
}

static void without_a_device_there_is_none(void **state UNUSED)
{
    struct gpu_session *session = NULL;
    struct why why = {0};
    assert_int_equal(gpu_session_open(NULL, &settings, &session, &why), ERR_REFUSED);
}

/* --- who lies to the device's process --- */

static void open_session(struct stage *stage, struct wire_message *ready)
{
    start(stage, "fake");
    const struct wire_message message = {.kind = WIRE_ENCODE,
                                         .encode = {.session = 1,
                                                    .width = WIDTH,
                                                    .height = HEIGHT,
                                                    .fps_num = 25,
                                                    .fps_den = 1,
                                                    .maxrate = 800000,
                                                    .bufsize = 800000}};
    say(stage, &message);
    assert_int_equal(hear(stage, ready), WIRE_READY);
}

static void assert_it_leaves(struct stage *stage, const struct wire_message *message)
{
    struct wire_message ready;
    open_session(stage, &ready);
    wire_close_fds(&ready);
    say(stage, message);
    int status = status_of(stage);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    fd_close(&stage->socket);
}

static void nonsense_ends_it(void **state)
{
    struct stage *stage = *state;
    static const struct wire_message lies[] = {
        {.kind = WIRE_FRAME, .frame = {.session = 1, .slot = GPU_SLOTS}},
        {.kind = WIRE_FRAME, .frame = {.session = 1, .slot = UINT32_MAX}},
        {.kind = WIRE_FRAME, .frame = {.session = 2}},
        {.kind = WIRE_DRAIN, .drain = {.session = 0}},
        {.kind = WIRE_ENCODE, .encode = {.session = 1}},
        {.kind = WIRE_TRY, .try = {.frames = UINT32_MAX}},
        {.kind = WIRE_CANCEL},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_it_leaves(stage, &lies[i]);
}

static void impossible_pictures_are_refused(void **state)
{
    struct stage *stage = *state;
    static const struct wire_encode wishes[] = {
        {1, false, 1u << 31, 2, 25, 1, 1, 1, 1, 800000, 800000},
        {2, false, 0, 0, 25, 1, 1, 1, 1, 800000, 800000},
        {3, false, 63, 48, 25, 1, 1, 1, 1, 800000, 800000},
        {4, false, 64, 48, 0, 1, 1, 1, 1, 800000, 800000},
        {5, false, 64, 48, 25, 0, 1, 1, 1, 800000, 800000},
        {6, false, 64, 48, 25, 1, 1, 1, 1, 0, 800000},
        {7, false, 64, 48, 25, 1, 1, 1, 1, UINT32_MAX, 1},
    };
    start(stage, "fake");
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        struct wire_message answer;
        say(stage, &(struct wire_message){.kind = WIRE_ENCODE, .encode = wishes[i]});
        assert_int_equal(hear(stage, &answer), WIRE_UNENCODED);
        assert_int_equal(answer.unencoded.session, i + 1);
    }
}

static void there_are_so_many_sessions(void **state)
{
    struct stage *stage = *state;
    struct wire_message answer;
    enum wire_kind kind = WIRE_READY;
    uint32_t session = 1;
    open_session(stage, &answer);
    while (kind == WIRE_READY && session < 100) {
        wire_close_fds(&answer);
        const struct wire_message more = {
            .kind = WIRE_ENCODE,
            .encode = {++session, false, WIDTH, HEIGHT, 25, 1, 1, 1, 1, 800000, 800000}};
        say(stage, &more);
        kind = hear(stage, &answer);
    }
    assert_int_equal(kind, WIRE_UNENCODED);
    assert_int_equal(session, 17);
}

/* --- a device's process that lies --- */

struct liar {
    struct wire_message ready, taken;
    size_t memory;
    bool keeps_open; /* its memory: it could still cut it off */
};

/* Plays the device: answers a session and its first picture as told. */
static void lie(int socket, const struct liar *liar)
{
    struct wire_message message, ready = liar->ready, taken = liar->taken;
    int fd = -1;
    if (wire_receive(socket, WIRE_TO_GPU, &message, NULL) != OK || fd_memory("liar", &fd) != OK ||
        ftruncate(fd, (off_t) liar->memory) != 0 ||
        (!liar->keeps_open && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0))
        return;
    ready.fd_count = ready.kind == WIRE_READY;
    ready.fds[0] = fd;
    if (wire_send(socket, &ready) != OK)
        return;
    while (wire_receive(socket, WIRE_TO_GPU, &message, NULL) == OK)
        if (wire_send(socket, &taken) != OK)
            return;
}

static pid_t start_liar(const struct liar *liar, struct gpu_link **link)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        lie(pair[1], liar);
        _exit(0);
    }
    close(pair[1]);
    set_patience(pair[0], PATIENCE_S * 1000);
    *link = gpu_link_new(&pair[0]);
    return pid;
}

static void assert_disbelieved(const struct liar *liar)
{
    struct gpu_link *link = NULL;
    pid_t pid = start_liar(liar, &link);
    struct gpu_session *session = NULL;
    struct made made = {.count = 0};
    struct why why = {0};
    enum err err = gpu_session_open(link, &settings, &session, &why);
    if (err == OK)
        err = encode(session, FRAMES, &made, &why);
    assert_int_equal(err, ERR_REFUSED);
    assert_true(why.text[0] != '\0');
    made_fini(&made);
    gpu_session_close(&session);
    gpu_link_unref(&link);
    waitpid(pid, NULL, 0);
}

static void its_lies_are_not_believed(void **state UNUSED)
{
    enum { SLOT = WIDTH * HEIGHT * 3 / 2 };
    const struct wire_message ready = {.kind = WIRE_READY, .ready = {1, SLOT, 0}};
    const struct wire_message nothing = {.kind = WIRE_TAKEN, .taken = {.session = 1}};
    const size_t all = (size_t) GPU_SLOTS * SLOT;
    const struct liar liars[] = {
        {ready, nothing, all - 1, false},                                          /* memory */
        {{.kind = WIRE_READY, .ready = {1, SLOT - 1, 0}}, nothing, all, false},    /* slots */
        {{.kind = WIRE_READY, .ready = {1, UINT32_MAX, 0}}, nothing, all, false},  /* slots */
        {{.kind = WIRE_READY, .ready = {1, SLOT, SLOT + 1}}, nothing, all, false}, /* headers */
        {nothing, nothing, all, false},                                            /* too early */
        {ready,
         {.kind = WIRE_TAKEN, .taken = {.session = 1, .slot = 1}},
         all,
         false}, /* not in turn */
        {ready,
         {.kind = WIRE_TAKEN, .taken = {.session = 1, .bytes = SLOT + 1}},
         all,
         false},                                    /* beyond */
        {ready, ready, all, false},                 /* twice */
        {ready, {.kind = WIRE_TRIED}, all, false},  /* unasked */
        {ready, {.kind = WIRE_OPENED}, all, false}, /* whose? */
    };
    for (size_t i = 0; i < sizeof liars / sizeof *liars; i++)
        assert_disbelieved(&liars[i]);
}

static void memory_that_can_be_cut_off_is_refused(void **state UNUSED)
{
    enum { SLOT = WIDTH * HEIGHT * 3 / 2 };
    const struct liar liar = {.ready = {.kind = WIRE_READY, .ready = {1, SLOT, 0}},
                              .memory = (size_t) GPU_SLOTS * SLOT,
                              .keeps_open = true};
    struct gpu_link *link = NULL;
    pid_t pid = start_liar(&liar, &link);
    struct gpu_session *session = NULL;
    struct why why = {0};
    assert_int_equal(gpu_session_open(link, &settings, &session, &why), ERR_REFUSED);
    gpu_link_unref(&link);
    waitpid(pid, NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(a_device_that_works_says_what_it_is),
        TEST(hevc_is_made_where_it_is_wanted),
        TEST(what_does_not_work_says_why),
        TEST(what_is_no_device_says_so),
        TEST(a_file_is_no_graphics_card),
        TEST(a_node_that_is_not_there_says_so),
        TEST(pictures_go_there_and_come_back),
        TEST(sessions_do_not_mix),
        TEST(a_session_that_fails_is_over_and_others_are_not),
        TEST(a_death_is_noticed),
        TEST(a_hang_is_noticed),
        TEST(once_is_once),
        cmocka_unit_test(without_a_device_there_is_none),
        TEST(nonsense_ends_it),
        TEST(impossible_pictures_are_refused),
        TEST(there_are_so_many_sessions),
        cmocka_unit_test(its_lies_are_not_believed),
        cmocka_unit_test(memory_that_can_be_cut_off_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
