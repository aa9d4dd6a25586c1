/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fd.h"

/* For each field a value that tells it from its neighbours, and that is not zero. */
static uint64_t next_number(void)
{
    static uint64_t number = 0x0102030405060708;
    return number += 0x1111;
}

#define WIRE_FILL_u32(name)  message->name = (uint32_t) next_number();
#define WIRE_FILL_u64(name)  message->name = next_number();
#define WIRE_FILL_flag(name) message->name = true;
#define WIRE_FILL_kind(name) message->name = ERR_TIMEOUT;
#define WIRE_FILL_text(name) snprintf(message->name, WIRE_TEXT, "caf\xC3\xA9 " #name);
#define WIRE_FILL_pieces(name)                                                                     \
    message->name##_count = 3;                                                                     \
    for (int i = 0; i < 3; i++)                                                                    \
        message->name[i] = (struct wire_piece){i == 1, next_number(), next_number()};
#define WIRE_F(type, name) WIRE_FILL_##type(name)
#define WIRE_FILL(NAME, name, way, least, most, fields)                                            \
    static void fill_##name(struct wire_##name *message)                                           \
    {                                                                                              \
        fields                                                                                     \
    }
WIRE_MESSAGES(WIRE_FILL)
#undef WIRE_F

#define WIRE_SAME_u32(name)  assert_int_equal(a->name, b->name);
#define WIRE_SAME_u64(name)  assert_int_equal(a->name, b->name);
#define WIRE_SAME_flag(name) assert_int_equal(a->name, b->name);
#define WIRE_SAME_kind(name) assert_int_equal(a->name, b->name);
#define WIRE_SAME_text(name) assert_string_equal(a->name, b->name);
#define WIRE_SAME_pieces(name)                                                                     \
    assert_int_equal(a->name##_count, b->name##_count);                                            \
    for (uint32_t i = 0; i < a->name##_count; i++) {                                               \
        assert_int_equal(a->name[i].is_source, b->name[i].is_source);                              \
        assert_int_equal(a->name[i].offset, b->name[i].offset);                                    \
        assert_int_equal(a->name[i].length, b->name[i].length);                                    \
    }
#define WIRE_F(type, name) WIRE_SAME_##type(name)
#define WIRE_SAME(NAME, name, way, least, most, fields)                                            \
    static void assert_same_##name(const struct wire_##name *a, const struct wire_##name *b)       \
    {                                                                                              \
        fields                                                                                     \
    }
WIRE_MESSAGES(WIRE_SAME)
#undef WIRE_F

/* One of each message: what is said about it, and whether it comes back as it went. */
static struct wire_message filled, back;

struct row {
    enum wire_kind kind;
    enum wire_way way;
    uint32_t least, most;
    void (*fill)(void);
    void (*assert_same)(void);
};

#define WIRE_WRAP(NAME, name, way, least, most, fields)                                            \
    static void fill_message_##name(void)                                                          \
    {                                                                                              \
        filled.kind = WIRE_##NAME;                                                                 \
        fill_##name(&filled.name);                                                                 \
    }                                                                                              \
    static void assert_same_message_##name(void)                                                   \
    {                                                                                              \
        assert_int_equal(back.kind, WIRE_##NAME);                                                  \
        assert_same_##name(&filled.name, &back.name);                                              \
    }
WIRE_MESSAGES(WIRE_WRAP)

static const struct row rows[] = {
#define WIRE_ROW(NAME, name, way, least, most, fields)                                             \
    {WIRE_##NAME, way, least, most, fill_message_##name, assert_same_message_##name},
    WIRE_MESSAGES(WIRE_ROW)};

static size_t encode(const struct row *row, uint8_t bytes[WIRE_MAX_BYTES])
{
    memset(&filled, 0, sizeof filled);
    row->fill();
    return wire_encode(&filled, bytes);
}

static enum err decode(const struct row *row, const uint8_t *bytes, size_t size)
{
    struct why why = {0};
    enum err kind = wire_decode(bytes, size, row->least, row->way, &back, &why);
    assert_true(kind == OK || (kind == ERR_BAD_INPUT && why.text[0] != '\0'));
    return kind;
}

static void every_message_comes_back(void **state UNUSED)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        size_t size = encode(&rows[i], bytes);
        assert_int_equal(decode(&rows[i], bytes, size), OK);
        rows[i].assert_same();
    }
}

static void no_part_of_a_message_is_one(void **state UNUSED)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        size_t size = encode(&rows[i], bytes);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(decode(&rows[i], bytes, cut), ERR_BAD_INPUT);
        bytes[size] = 0;
        assert_int_equal(decode(&rows[i], bytes, size + 1), ERR_BAD_INPUT);
    }
}

static void sides_and_fds_are_checked(void **state UNUSED)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        size_t size = encode(&rows[i], bytes);
        for (enum wire_way way = WIRE_TO_ZYGOTE; way <= WIRE_FROM_FILM; way++)
            for (uint32_t fds = 0; fds <= WIRE_MAX_FDS + 1; fds++) {
                bool is_right = way == rows[i].way && fds >= rows[i].least && fds <= rows[i].most;
                assert_int_equal(wire_decode(bytes, size, fds, way, &back, NULL),
                                 is_right ? OK : ERR_BAD_INPUT);
            }
    }
    bytes[0] = WIRE_KIND_COUNT;
    assert_int_equal(decode(&rows[0], bytes, 1), ERR_BAD_INPUT);
}

/* Each byte of each message changed in turn: refused, or read within its bounds. */
static void changed_bytes_are_borne(void **state UNUSED)
{
    static const uint8_t values[] = {0, 1, 2, 0x7F, 0x80, 0xFF};
    uint8_t bytes[WIRE_MAX_BYTES];
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        size_t size = encode(&rows[i], bytes);
        for (size_t at = 1; at < size; at++) {
            uint8_t old = bytes[at];
            for (size_t v = 0; v < sizeof values; v++) {
                bytes[at] = values[v];
                enum err kind UNUSED = decode(&rows[i], bytes, size);
            }
            bytes[at] = old;
        }
    }
}

static enum err decode_failed(const char *text, size_t length, uint32_t kind)
{
    uint8_t bytes[WIRE_MAX_BYTES] = {WIRE_FAILED, 7};
    size_t size = 9;
    for (int i = 0; i < 4; i++)
        bytes[size++] = (uint8_t) (kind >> (8 * i));
    bytes[size++] = (uint8_t) length;
    bytes[size++] = (uint8_t) (length >> 8);
    memcpy(bytes + size, text, length);
    size += length + 2; /* and an empty field */
    return wire_decode(bytes, size, 0, WIRE_FROM_FILM, &back, NULL);
}

static void values_are_checked(void **state UNUSED)
{
    char longest[WIRE_TEXT];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(decode_failed("why", 3, ERR_IO), OK);
    assert_string_equal(back.failed.text, "why");
    assert_int_equal(back.failed.job, 7);
    assert_int_equal(decode_failed("", 0, ERR_GONE), OK);
    assert_int_equal(decode_failed(longest, WIRE_TEXT - 1, ERR_IO), OK);
    assert_int_equal(decode_failed(longest, WIRE_TEXT, ERR_IO), ERR_BAD_INPUT);
    assert_int_equal(decode_failed("a\0b", 3, ERR_IO), ERR_BAD_INPUT);
    assert_int_equal(decode_failed("\xC3", 1, ERR_IO), ERR_BAD_INPUT);
    assert_int_equal(decode_failed("why", 3, OK), ERR_BAD_INPUT);
    assert_int_equal(decode_failed("why", 3, ERR_COUNT), ERR_BAD_INPUT);
    assert_int_equal(decode_failed("why", 3, UINT32_MAX), ERR_BAD_INPUT);

    uint8_t bytes[WIRE_MAX_BYTES] = {WIRE_FORK};
    bytes[9] = 2; /* a flag is 0 or 1 */
    assert_int_equal(wire_decode(bytes, 10, 1, WIRE_TO_ZYGOTE, &back, NULL), ERR_BAD_INPUT);
}

static void full_pieces_fit(void **state UNUSED)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    memset(&filled, 0, sizeof filled);
    filled.kind = WIRE_PIECES;
    filled.pieces.pieces_count = WIRE_MAX_PIECES;
    size_t size = wire_encode(&filled, bytes);
    assert_int_equal(wire_decode(bytes, size, 0, WIRE_FROM_FILM, &back, NULL), OK);
    assert_int_equal(back.pieces.pieces_count, WIRE_MAX_PIECES);
    const size_t count_at = 1 + 8 + 1;
    bytes[count_at] = (uint8_t) ((WIRE_MAX_PIECES + 1) & 0xFF);
    bytes[count_at + 1] = (WIRE_MAX_PIECES + 1) >> 8;
    assert_int_equal(wire_decode(bytes, size, 0, WIRE_FROM_FILM, &back, NULL), ERR_BAD_INPUT);
}

static void texts_are_cut_and_cleaned(void **state UNUSED)
{
    char into[WIRE_TEXT], text[WIRE_TEXT + 100];
    wire_text(into, "plain");
    assert_string_equal(into, "plain");
    wire_text(into, "bad \xFF byte");
    assert_string_equal(into, "bad \xEF\xBF\xBD byte");
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', lead);
        size_t at = lead;
        while (at + 3 < sizeof text) { /* three bytes each */
            memcpy(text + at, "\xE2\x82\xAC", 3);
            at += 3;
        }
        text[at] = '\0';
        wire_text(into, text);
        size_t length = strlen(into);
        assert_true(length >= WIRE_TEXT - 3 && length < WIRE_TEXT);
        assert_int_equal((length - lead) % 3, 0);
    }
}

static void layers_have_names(void **state UNUSED)
{
    char text[WIRE_LAYERS_TEXT];
    wire_layers(WIRE_LAYERS_ALL, text);
    assert_string_equal(text, "nnp,rlimit,landlock,seccomp");
    wire_layers(WIRE_LAYER_SECCOMP, text);
    assert_string_equal(text, "seccomp");
    wire_layers(0, text);
    assert_string_equal(text, "none");
    assert_string_equal(wire_name(WIRE_HELLO), "HELLO");
    assert_string_equal(wire_name(WIRE_KIND_COUNT), "?");
}

struct ends {
    int ours, theirs;
};

static int set_up(void **state)
{
    static struct ends ends;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return 1;
    ends = (struct ends){pair[0], pair[1]};
    *state = &ends;
    return 0;
}

static int tear_down(void **state)
{
    struct ends *ends = *state;
    fd_close(&ends->ours);
    fd_close(&ends->theirs);
    return 0;
}

static bool is_same_file(int a, int b)
{
    struct stat status[2];
    return fstat(a, &status[0]) == 0 && fstat(b, &status[1]) == 0 &&
           status[0].st_ino == status[1].st_ino && status[0].st_dev == status[1].st_dev;
}

static void fds_go_along(void **state)
{
    struct ends *ends = *state;
    int files[2];
    assert_int_equal(fd_memory("a", &files[0]), OK);
    assert_int_equal(fd_memory("b", &files[1]), OK);
    struct wire_message message = {.kind = WIRE_OPEN, .fd_count = 2};
    message.open.size = 5;
    memcpy(message.fds, files, sizeof files);
    assert_int_equal(wire_send(ends->ours, &message), OK);
    assert_int_equal(wire_receive(ends->theirs, WIRE_TO_FILM, &back, NULL), OK);
    assert_int_equal(back.fd_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(back.fds[i] != files[i] && is_same_file(back.fds[i], files[i]));
        assert_true((fcntl(back.fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        fd_close(&files[i]);
    }
    wire_close_fds(&back);
    assert_int_equal(back.fd_count, 0);
}

static int lowest_free_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void send_raw(int socket, const void *bytes, size_t size, const int *fds, size_t count)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec vector = {.iov_base = (void *) (uintptr_t) bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *first = CMSG_FIRSTHDR(&header);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(first), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &header, 0), (ssize_t) size);
}

/* Whatever comes with a message that is refused, it stays nowhere open. */
static void unasked_fds_are_closed(void **state)
{
    struct ends *ends = *state;
    uint8_t bytes[WIRE_MAX_BYTES];
    const int fds[] = {0, 0, 0, 0, 0, 0, 0, 0};
    struct wire_message tick = {.kind = WIRE_TICK, .tick = {.job = 1}};
    size_t size = wire_encode(&tick, bytes);
    int free_fd = lowest_free_fd();
    for (size_t count = 1; count <= sizeof fds / sizeof *fds; count++) {
        send_raw(ends->ours, bytes, size, fds, count);
        assert_int_equal(wire_receive(ends->theirs, WIRE_FROM_FILM, &back, NULL), ERR_BAD_INPUT);
        assert_int_equal(lowest_free_fd(), free_fd);
    }
}

static void garbage_on_the_socket_is_refused(void **state)
{
    struct ends *ends = *state;
    uint8_t bytes[2 * WIRE_MAX_BYTES];
    struct why why = {0};
    memset(bytes, 0xA5, sizeof bytes);
    send_raw(ends->ours, bytes, 100, NULL, 0);
    assert_int_equal(wire_receive(ends->theirs, WIRE_FROM_FILM, &back, &why), ERR_BAD_INPUT);
    send_raw(ends->ours, bytes, sizeof bytes, NULL, 0);
    assert_int_equal(wire_receive(ends->theirs, WIRE_FROM_FILM, &back, &why), ERR_BAD_INPUT);
    assert_string_equal(why.text, "a message longer than any of ours");
    /* The socket goes on: packets have edges. */
    assert_int_equal(wire_receive(ends->theirs, WIRE_FROM_FILM, &back, NULL), ERR_AGAIN);
}

static void a_full_socket_says_again(void **state)
{
    struct ends *ends = *state;
    struct wire_message tick = {.kind = WIRE_TICK, .tick = {.job = 1}};
    unsigned sent = 0;
    enum err kind;
    while ((kind = wire_send(ends->ours, &tick)) == OK)
        sent++;
    assert_int_equal(kind, ERR_AGAIN);
    unsigned got = 0;
    while ((kind = wire_receive(ends->theirs, WIRE_FROM_FILM, &back, NULL)) == OK)
        got++;
    assert_int_equal(kind, ERR_AGAIN);
    assert_int_equal(got, sent);
}

static void an_end_says_gone(void **state)
{
    struct ends *ends = *state;
    fd_close(&ends->theirs);
    struct wire_message tick = {.kind = WIRE_TICK, .tick = {.job = 1}};
    assert_int_equal(wire_send(ends->ours, &tick), ERR_GONE);
    assert_int_equal(wire_receive(ends->ours, WIRE_FROM_FILM, &back, NULL), ERR_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(no_part_of_a_message_is_one),
        cmocka_unit_test(sides_and_fds_are_checked),
        cmocka_unit_test(changed_bytes_are_borne),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(full_pieces_fit),
        cmocka_unit_test(texts_are_cut_and_cleaned),
        cmocka_unit_test(layers_have_names),
        cmocka_unit_test_setup_teardown(fds_go_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unasked_fds_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_on_the_socket_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_socket_says_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_says_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
