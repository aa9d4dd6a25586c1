/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The messages between the server and its media processes: one message a SOCK_SEQPACKET packet, fds
 * beside it by SCM_RIGHTS. Each is declared once, in WIRE_MESSAGES; structs, encoders, decoders and
 * names are made from that table. A decoder believes nothing: kind, way, lengths, counts, number of
 * fds and the text's encoding are checked here; ids and their order by the receiver, who knows them.
 * Larger things (plans, segments) go through memory files whose fds are passed.
 * Threads: calls stand alone; a send is whole, so threads may share a socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

/* Goes up with every change of the table: both programs must be of one build. */
#define WIRE_VERSION 8

enum {
    WIRE_FD = 3, /* where a media process finds its socket */
    WIRE_MAX_BYTES = 16 * 1024,
    WIRE_MAX_FDS = 3,
    WIRE_MAX_PIECES = 512, /* of one message; a part of a copy has about a hundred */
    WIRE_TEXT = 512,       /* with its end */
};

/* Who says it to whom. */
enum wire_way {
    WIRE_TO_ZYGOTE,
    WIRE_FROM_ZYGOTE,
    WIRE_TO_FILM,
    WIRE_FROM_FILM,
    WIRE_TO_GPU, /* from the server, which tries it, or from a film's process, which uses it */
    WIRE_FROM_GPU
};

/* A piece of a segment: bytes of the job's out file, or an extent of the source. */
struct wire_piece {
    bool is_source;
    uint64_t offset, length;
};

/* NAME, name, way, fewest fds, most fds, fields. Types of fields: u32 u64 flag kind text pieces. */
#define WIRE_MESSAGES(M)                                                                               \
    /* The zygote is ready; `engine` is engine_version(), `layers` what its films will have on. */     \
    M(HELLO, hello, WIRE_FROM_ZYGOTE, 0, 0,                                                            \
      WIRE_F(u32, version) WIRE_F(u32, layers) WIRE_F(text, engine))                                   \
    /* A process for a film; its socket comes along. `fresh`: exec'ed (decision 19). */                \
    /* `is_idle`: as OPEN's. `device`: not "" where it is that of a device (gpu.h), always exec'ed. */ \
    M(FORK, fork, WIRE_TO_ZYGOTE, 1, 1,                                                                \
      WIRE_F(u64, id) WIRE_F(flag, fresh) WIRE_F(flag, is_idle) WIRE_F(text, device))                  \
    /* It lives; its pidfd comes along. */                                                             \
    M(FORKED, forked, WIRE_FROM_ZYGOTE, 1, 1, WIRE_F(u64, id) WIRE_F(u32, pid))                        \
    M(UNFORKED, unforked, WIRE_FROM_ZYGOTE, 0, 0, WIRE_F(u64, id) WIRE_F(text, reason))                \
    /* It is dead and reaped; `status` as of waitpid. */                                               \
    M(DIED, died, WIRE_FROM_ZYGOTE, 0, 0, WIRE_F(u64, id) WIRE_F(u32, status))                         \
    /* The first to a film's process. fds: film, then map, then plan, where there. */                  \
    /* `is_idle`: nobody waits for what it makes. */                                                   \
    M(OPEN, open, WIRE_TO_FILM, 1, 3,                                                                  \
      WIRE_F(u64, size) WIRE_F(u64, plan_size) WIRE_F(flag, has_map) WIRE_F(flag, has_plan)            \
          WIRE_F(flag, is_idle) WIRE_F(u32, threads) WIRE_F(u32, runs) WIRE_F(text, preset)            \
              WIRE_F(text, label))                                                                     \
    /* Locked down, by these layers (sandbox.h); not a byte of film was read before. */                \
    M(OPENED, opened, WIRE_FROM_FILM, 0, 0, WIRE_F(u32, layers))                                       \
    /* Jobs: numbers rise and are never used again; `out` comes along. `scan`: a film without an   \
     * index is read through for one. */   \
    M(PLAN, plan, WIRE_TO_FILM, 1, 1, WIRE_F(u64, job) WIRE_F(flag, scan))                             \
    M(SEGMENT, segment, WIRE_TO_FILM, 1, 1,                                                            \
      WIRE_F(u64, job) WIRE_F(u32, rendition) WIRE_F(u32, n))                                          \
    /* A whole subtitle as a file: struct convert_what, its shift moved by CONVERT_SHIFT_MOST_MS. */   \
    M(CONVERT, convert, WIRE_TO_FILM, 1, 1,                                                            \
      WIRE_F(u64, job) WIRE_F(u32, track) WIRE_F(u32, form) WIRE_F(u32, scale) WIRE_F(u64, shift))     \
    /* The job still ends with DONE or FAILED. */                                                      \
    M(CANCEL, cancel, WIRE_TO_FILM, 0, 0, WIRE_F(u64, job))                                            \
    /* The map has more blocks; `turn` counts from 1. */                                               \
    M(HAVE, have, WIRE_TO_FILM, 0, 0, WIRE_F(u64, turn))                                               \
    /* Sleeps until these bytes are there; `job` 0: on nobody's behalf. */                             \
    M(WANT, want, WIRE_FROM_FILM, 0, 0, WIRE_F(u64, job) WIRE_F(u64, offset) WIRE_F(u64, length))      \
    /* The job was begun, or goes on. */                                                               \
    M(TICK, tick, WIRE_FROM_FILM, 0, 0, WIRE_F(u64, job))                                              \
    M(PROGRESS, progress, WIRE_FROM_FILM, 0, 0, WIRE_F(u64, job) WIRE_F(u32, permille))                \
    M(PIECES, pieces, WIRE_FROM_FILM, 0, 0,                                                            \
      WIRE_F(u64, job) WIRE_F(flag, part_end) WIRE_F(pieces, pieces))                                  \
    /* `size`: bytes in the out file. */                                                               \
    M(DONE, done, WIRE_FROM_FILM, 0, 0, WIRE_F(u64, job) WIRE_F(u64, size))                            \
    M(FAILED, failed, WIRE_FROM_FILM, 0, 0,                                                            \
      WIRE_F(u64, job) WIRE_F(kind, kind) WIRE_F(text, text) WIRE_F(text, field))                      \
    /* What the libraries said; `level` as enum log_level. */                                          \
    M(LOG, log, WIRE_FROM_FILM, 0, 0, WIRE_F(u32, level) WIRE_F(text, text))                           \
    /* Does the zygote still answer? It says the same number. */                                       \
    M(PING, ping, WIRE_TO_ZYGOTE, 0, 0, WIRE_F(u64, turn))                                             \
    M(PONG, pong, WIRE_FROM_ZYGOTE, 0, 0, WIRE_F(u64, turn))                                           \
    /* The job's segment is as announced, but the next plan should offer no such copy: why. */         \
    M(VERDICT, verdict, WIRE_FROM_FILM, 0, 0, WIRE_F(u64, job) WIRE_F(text, text))                     \
    /* A storyboard (storyboard.h), of PICTUREs and, after those of a sheet, SHEET. */                 \
    M(STORYBOARD, storyboard, WIRE_TO_FILM, 1, 1, WIRE_F(u64, job))                                    \
    M(PICTURE, picture, WIRE_FROM_FILM, 0, 0,                                                          \
      WIRE_F(u64, job) WIRE_F(u64, at_ms) WIRE_F(u32, width) WIRE_F(u32, height))                      \
    /* Bytes of the out file. */                                                                       \
    M(SHEET, sheet, WIRE_FROM_FILM, 0, 0,                                                              \
      WIRE_F(u64, job) WIRE_F(u64, offset) WIRE_F(u64, length))                                        \
    /* What the film's ends sound like: the bytes of fingerprint.h. */                                 \
    M(FINGERPRINT, fingerprint, WIRE_TO_FILM, 1, 1, WIRE_F(u64, job))                                  \
    /* The socket of a device's process, in place of the one before; `turn` rises. */                  \
    M(GPU, gpu, WIRE_TO_FILM, 1, 1, WIRE_F(u64, turn))                                                 \
    /* A real test encode; TRIED, or UNENCODED of session 0. */                                        \
    M(TRY, try, WIRE_TO_GPU, 0, 0, WIRE_F(u32, frames))                                                \
    /* `flags`: the constraint flags in its headers; `headers`: a hash of them; `speed`: luma */       \
    /* samples a second; `name`: what encodes, and where; `hevc`: CODECS of its HEVC, or "". */        \
    M(TRIED, tried, WIRE_FROM_GPU, 0, 0,                                                               \
      WIRE_F(u32, layers) WIRE_F(u32, flags) WIRE_F(u32, headers) WIRE_F(u64, speed)                   \
          WIRE_F(text, name) WIRE_F(text, hevc))                                                       \
    /* An encoder, for a segment; READY or UNENCODED. Sessions count from 1 and rise. */               \
    M(ENCODE, encode, WIRE_TO_GPU, 0, 0,                                                               \
      WIRE_F(u32, session) WIRE_F(flag, is_hevc) WIRE_F(u32, width) WIRE_F(u32, height)                \
          WIRE_F(u32, fps_num) WIRE_F(u32, fps_den) WIRE_F(u32, primaries) WIRE_F(u32, transfer)       \
              WIRE_F(u32, matrix) WIRE_F(u32, maxrate) WIRE_F(u32, bufsize))                           \
    /* Its memory comes along, GPU_SLOTS of `slot_bytes`; the first holds the headers. */              \
    M(READY, ready, WIRE_FROM_GPU, 1, 1,                                                               \
      WIRE_F(u32, session) WIRE_F(u32, slot_bytes) WIRE_F(u32, config_bytes))                          \
    /* A picture in a slot; DRAIN: there are no more, and the slot is there for a packet. */           \
    M(FRAME, frame, WIRE_TO_GPU, 0, 0, WIRE_F(u32, session) WIRE_F(u32, slot) WIRE_F(u64, pts))        \
    M(DRAIN, drain, WIRE_TO_GPU, 0, 0, WIRE_F(u32, session) WIRE_F(u32, slot))                         \
    /* To each of them, in turn: the slot is the sender's again, with a packet of `bytes` (or 0). */   \
    M(TAKEN, taken, WIRE_FROM_GPU, 0, 0,                                                               \
      WIRE_F(u32, session) WIRE_F(u32, slot) WIRE_F(u32, bytes) WIRE_F(u64, pts)                       \
          WIRE_F(flag, is_key) WIRE_F(flag, is_last))                                                  \
    /* The session is over: why. */                                                                    \
    M(UNENCODED, unencoded, WIRE_FROM_GPU, 0, 0, WIRE_F(u32, session) WIRE_F(text, reason))            \
    M(FORGET, forget, WIRE_TO_GPU, 0, 0, WIRE_F(u32, session))

#define WIRE_ENUM(NAME, name, way, least, most, fields) WIRE_##NAME,
enum wire_kind { WIRE_MESSAGES(WIRE_ENUM) WIRE_KIND_COUNT };
#undef WIRE_ENUM

/* One struct a message: struct wire_hello { uint32_t version; char engine[WIRE_TEXT]; }; ... */
#define WIRE_MEMBER_u32(name)  uint32_t name;
#define WIRE_MEMBER_u64(name)  uint64_t name;
#define WIRE_MEMBER_flag(name) bool name;
#define WIRE_MEMBER_kind(name) enum err name; /* never OK */
#define WIRE_MEMBER_text(name) char name[WIRE_TEXT];
#define WIRE_MEMBER_pieces(name)                                                                   \
    uint32_t name##_count;                                                                         \
    struct wire_piece name[WIRE_MAX_PIECES];
#define WIRE_F(type, name) WIRE_MEMBER_##type(name)
#define WIRE_STRUCT(NAME, name, way, least, most, body)                                            \
    struct wire_##name {                                                                           \
        body                                                                                       \
    };
WIRE_MESSAGES(WIRE_STRUCT)
#undef WIRE_STRUCT
#undef WIRE_F

struct wire_message {
    enum wire_kind kind;
    uint32_t fd_count;
    int fds[WIRE_MAX_FDS]; /* borrowed when sent, the caller's when received */
#define WIRE_UNION(NAME, name, way, least, most, fields) struct wire_##name name;
    union {
        WIRE_MESSAGES(WIRE_UNION)
    };
#undef WIRE_UNION
};

/* What a film's process may have put between itself and the system: bits of OPENED.layers. */
#define WIRE_LAYERS(L)                                                                             \
    L(NNP, "nnp")                                                                                  \
    L(RLIMIT, "rlimit")                                                                            \
    L(LANDLOCK, "landlock")                                                                        \
    L(SECCOMP, "seccomp")
#define WIRE_LAYER_INDEX(NAME, text) WIRE_LAYER_INDEX_##NAME,
enum { WIRE_LAYERS(WIRE_LAYER_INDEX) WIRE_LAYER_COUNT };
#undef WIRE_LAYER_INDEX
#define WIRE_LAYER_BIT(NAME, text) WIRE_LAYER_##NAME = 1 << WIRE_LAYER_INDEX_##NAME,
enum wire_layer { WIRE_LAYERS(WIRE_LAYER_BIT) };
#undef WIRE_LAYER_BIT
enum { WIRE_LAYERS_ALL = (1 << WIRE_LAYER_COUNT) - 1, WIRE_LAYERS_TEXT = 64 };

/* "nnp,rlimit,landlock,seccomp", or "none". */
void wire_layers(uint32_t layers, char out[WIRE_LAYERS_TEXT]);

/* "HELLO"; constant. */
const char *wire_name(enum wire_kind kind);

/* Puts `text` into a text field: cut at a whole character, what is not UTF-8 replaced. */
void wire_text(char into[WIRE_TEXT], const char *text);

/* The bytes of a message, without its fds. Returns their number. */
size_t wire_encode(const struct wire_message *message, uint8_t out[WIRE_MAX_BYTES]);
/* Trusts nothing; `fd_count` is how many fds came with it. BAD_INPUT with the reason; then *out is
 * not to be used. Leaves out->fds alone. */
MUST_CHECK enum err wire_decode(const uint8_t *bytes, size_t size, uint32_t fd_count,
                                enum wire_way way, struct wire_message *out, struct why *why);

/* AGAIN: the socket's buffer is full (non-blocking ones only). GONE: nobody listens. IO. */
MUST_CHECK enum err wire_send(int socket, const struct wire_message *message);
/* The same with the bytes of wire_encode. */
MUST_CHECK enum err wire_send_bytes(int socket, const uint8_t *bytes, size_t size, const int *fds,
                                    uint32_t fd_count);
/* The next message; its fds are the caller's. AGAIN (non-blocking ones only), GONE: the other end is
 * closed, BAD_INPUT: garbage (its fds are closed), IO. */
MUST_CHECK enum err wire_receive(int socket, enum wire_way way, struct wire_message *out,
                                 struct why *why);
/* Closes what is left of a received message's fds. */
void wire_close_fds(struct wire_message *message);
