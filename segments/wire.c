/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

static const struct {
    const char *name;
    enum wire_way way;
    uint32_t least_fds, most_fds;
} table[WIRE_KIND_COUNT] = {
#define WIRE_ROW(NAME, name, way, least, most, fields) {#NAME, way, least, most},
    WIRE_MESSAGES(WIRE_ROW)
#undef WIRE_ROW
};

const char *wire_name(enum wire_kind kind)
{
    return (unsigned) kind < WIRE_KIND_COUNT ? table[kind].name : "?";
}

void wire_layers(uint32_t layers, char out[WIRE_LAYERS_TEXT])
{
#define WIRE_LAYER_NAME(NAME, text) text,
    static const char *const names[] = {WIRE_LAYERS(WIRE_LAYER_NAME)};
#undef WIRE_LAYER_NAME
    struct str text = {0};
    for (uint32_t i = 0; i < WIRE_LAYER_COUNT; i++)
        if ((layers & (1U << i)) != 0)
            str_printf(&text, "%s%s", text.length > 0 ? "," : "", names[i]);
    snprintf(out, WIRE_LAYERS_TEXT, "%s", text.length > 0 ? str_text(&text) : "none");
    str_fini(&text);
}

/* How much of `text` fits into `room` bytes without cutting a character in two. */
static size_t whole_length(const char *text, size_t length, size_t room)
{
    if (length <= room)
        return length;
    while (room > 0 && ((unsigned char) text[room] & 0xC0U) == 0x80U)
        room--;
    return room;
}

void wire_text(char into[WIRE_TEXT], const char *text)
{
    struct str clean = {0};
    /* Cleaning makes text longer at most: what lies beyond would be cut in any case. */
    str_append_utf8(&clean, text, strnlen(text, WIRE_TEXT));
    size_t length = whole_length(str_text(&clean), clean.length, WIRE_TEXT - 1);
    memcpy(into, str_text(&clean), length);
    into[length] = '\0';
    str_fini(&clean);
}

/* Writing: little endian, no gaps. A message of ours always fits. */
struct writer {
    uint8_t *at;
    size_t size;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
    MUST(size <= WIRE_MAX_BYTES - writer->size);
    memcpy(writer->at + writer->size, bytes, size);
    writer->size += size;
}

static void put_number(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t) (value >> (8 * i));
    put(writer, bytes, size);
}

static void put_u32(struct writer *writer, uint32_t value)
{
    put_number(writer, value, 4);
}

static void put_u64(struct writer *writer, uint64_t value)
{
    put_number(writer, value, 8);
}

static void put_flag(struct writer *writer, bool value)
{
    put_number(writer, value, 1);
}

static void put_kind(struct writer *writer, enum err value)
{
    put_number(writer, (uint64_t) value, 4);
}

static void put_text(struct writer *writer, const char *text)
{
    size_t length = strnlen(text, WIRE_TEXT - 1);
    put_number(writer, length, 2);
    put(writer, text, length);
}

static void put_pieces(struct writer *writer, const struct wire_piece *pieces, uint32_t count)
{
    MUST(count <= WIRE_MAX_PIECES);
    put_u32(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_flag(writer, pieces[i].is_source);
        put_u64(writer, pieces[i].offset);
        put_u64(writer, pieces[i].length);
    }
}

/* Reading: `bad` once set stays, so that a decoder reads to its end and asks once. */
struct reading {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static uint64_t get_number(struct reading *reading, size_t size)
{
    if (reading->bad || reading->left < size) {
        reading->bad = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t) reading->at[i] << (8 * i);
    reading->at += size;
    reading->left -= size;
    return value;
}

static void get_u32(struct reading *reading, uint32_t *out)
{
    *out = (uint32_t) get_number(reading, 4);
}

static void get_u64(struct reading *reading, uint64_t *out)
{
    *out = get_number(reading, 8);
}

static void get_flag(struct reading *reading, bool *out)
{
    uint64_t value = get_number(reading, 1);
    reading->bad = reading->bad || value > 1;
    *out = value == 1;
}

static void get_kind(struct reading *reading, enum err *out)
{
    uint64_t value = get_number(reading, 4);
    reading->bad = reading->bad || value == OK || value >= ERR_COUNT;
    *out = reading->bad ? ERR_IO : (enum err) value;
}

static void get_text(struct reading *reading, char *out)
{
    size_t length = (size_t) get_number(reading, 2);
    const char *text = (const char *) reading->at;
    if (reading->bad || length >= WIRE_TEXT || length > reading->left ||
        memchr(text, '\0', length) != NULL || !str_is_utf8(text, length)) {
        reading->bad = true;
        out[0] = '\0';
        return;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    reading->at += length;
    reading->left -= length;
}

static void get_pieces(struct reading *reading, struct wire_piece *out, uint32_t *out_count)
{
    uint64_t count = get_number(reading, 4);
    if (count > WIRE_MAX_PIECES)
        reading->bad = true;
    *out_count = reading->bad ? 0 : (uint32_t) count;
    for (uint32_t i = 0; i < *out_count && !reading->bad; i++) {
        get_flag(reading, &out[i].is_source);
        get_u64(reading, &out[i].offset);
        get_u64(reading, &out[i].length);
    }
}

/* put_hello_message, get_hello_message and so on, one of each for each message. */
#define WIRE_PUT_u32(name)    put_u32(writer, from->name);
#define WIRE_PUT_u64(name)    put_u64(writer, from->name);
#define WIRE_PUT_flag(name)   put_flag(writer, from->name);
#define WIRE_PUT_kind(name)   put_kind(writer, from->name);
#define WIRE_PUT_text(name)   put_text(writer, from->name);
#define WIRE_PUT_pieces(name) put_pieces(writer, from->name, from->name##_count);
#define WIRE_F(type, name)    WIRE_PUT_##type(name)
#define WIRE_PUT(NAME, name, way, least, most, fields)                                             \
    static void put_##name##_message(struct writer *writer, const struct wire_##name *from)        \
    {                                                                                              \
        fields                                                                                     \
    }
WIRE_MESSAGES(WIRE_PUT)
#undef WIRE_F

#define WIRE_GET_u32(name)    get_u32(reading, &into->name);
#define WIRE_GET_u64(name)    get_u64(reading, &into->name);
#define WIRE_GET_flag(name)   get_flag(reading, &into->name);
#define WIRE_GET_kind(name)   get_kind(reading, &into->name);
#define WIRE_GET_text(name)   get_text(reading, into->name);
#define WIRE_GET_pieces(name) get_pieces(reading, into->name, &into->name##_count);
#define WIRE_F(type, name)    WIRE_GET_##type(name)
#define WIRE_GET(NAME, name, way, least, most, fields)                                             \
    static void get_##name##_message(struct reading *reading, struct wire_##name *into)            \
    {                                                                                              \
        fields                                                                                     \
    }
WIRE_MESSAGES(WIRE_GET)
#undef WIRE_F

size_t wire_encode(const struct wire_message *message, uint8_t out[WIRE_MAX_BYTES])
{
    struct writer writer = {.at = out};
    put_number(&writer, (uint64_t) message->kind, 1);
    switch (message->kind) {
#define WIRE_CASE(NAME, name, way, least, most, fields)                                            \
    case WIRE_##NAME:                                                                              \
        put_##name##_message(&writer, &message->name);                                             \
        break;
        WIRE_MESSAGES(WIRE_CASE)
#undef WIRE_CASE
    case WIRE_KIND_COUNT:
        MUST(false);
    }
    return writer.size;
}

static void get_message(struct reading *reading, struct wire_message *out)
{
    switch (out->kind) {
#define WIRE_CASE(NAME, name, way, least, most, fields)                                            \
    case WIRE_##NAME:                                                                              \
        get_##name##_message(reading, &out->name);                                                 \
        break;
        WIRE_MESSAGES(WIRE_CASE)
#undef WIRE_CASE
    case WIRE_KIND_COUNT:
        reading->bad = true;
    }
}

enum err wire_decode(const uint8_t *bytes, size_t size, uint32_t fd_count, enum wire_way way,
                     struct wire_message *out, struct why *why)
{
    struct reading reading = {.at = bytes, .left = size};
    uint64_t kind = get_number(&reading, 1);
    if (reading.bad || size > WIRE_MAX_BYTES || kind >= WIRE_KIND_COUNT)
        return why_set(why, ERR_BAD_INPUT, NULL, "a message of %zu bytes of no known kind", size);
    out->kind = (enum wire_kind) kind;
    if (table[kind].way != way)
        return why_set(why, ERR_BAD_INPUT, NULL, "%s from the wrong side", table[kind].name);
    if (fd_count < table[kind].least_fds || fd_count > table[kind].most_fds)
        return why_set(why, ERR_BAD_INPUT, NULL, "%s with %u fds", table[kind].name, fd_count);
    out->fd_count = fd_count;
    get_message(&reading, out);
    if (reading.bad || reading.left != 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "%s of %zu bytes is malformed", table[kind].name,
                       size);
    return OK;
}

/* Room for the control message of the most fds, aligned as cmsg(3) asks. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(WIRE_MAX_FDS * sizeof(int))];
};

enum err wire_send_bytes(int socket, const uint8_t *bytes, size_t size, const int *fds,
                         uint32_t fd_count)
{
    MUST(fd_count <= WIRE_MAX_FDS && size > 0);
    union control control = {0};
    struct iovec vector = {.iov_base = (void *) bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *first = CMSG_FIRSTHDR(&header);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(first), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return ERR_AGAIN;
    return errno == EPIPE || errno == ECONNRESET ? ERR_GONE : ERR_IO;
}

enum err wire_send(int socket, const struct wire_message *message)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    size_t size = wire_encode(message, bytes);
    return wire_send_bytes(socket, bytes, size, message->fds, message->fd_count);
}

void wire_close_fds(struct wire_message *message)
{
    for (uint32_t i = 0; i < message->fd_count; i++)
        fd_close(&message->fds[i]);
    message->fd_count = 0;
}

/* The kernel has already put the fds into our table: each must be kept or closed. */
static void take_fds(struct msghdr *header, struct wire_message *out)
{
    out->fd_count = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR(header, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
            if (out->fd_count < WIRE_MAX_FDS)
                out->fds[out->fd_count++] = fd;
            else
                fd_close(&fd);
        }
    }
}

enum err wire_receive(int socket, enum wire_way way, struct wire_message *out, struct why *why)
{
    uint8_t bytes[WIRE_MAX_BYTES];
    union control control = {0};
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do
        got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return ERR_AGAIN;
    if (got < 0)
        return errno == ECONNRESET ? ERR_GONE : ERR_IO;
    take_fds(&header, out);
    enum err kind;
    if (got == 0)
        kind = ERR_GONE;
    else if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        kind = why_set(why, ERR_BAD_INPUT, NULL, "a message longer than any of ours");
    else
        kind = wire_decode(bytes, (size_t) got, out->fd_count, way, out, why);
    if (kind != OK)
        wire_close_fds(out);
    return kind;
}
