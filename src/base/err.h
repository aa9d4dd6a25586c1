/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one result type. Each kind says what the caller can do about it. */
#pragma once

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED                 __attribute__((unused))

/* kind, what it means to the caller */
#define ERR_KINDS(K)                                                                               \
    K(OK, "ok")                                                                                    \
    K(ERR_AGAIN, "not yet: ask again later")                                                       \
    K(ERR_NOT_FOUND, "there is no such thing")                                                     \
    K(ERR_BAD_INPUT, "the request is wrong: say so to whoever made it")                            \
    K(ERR_BAD_MEDIA, "the media cannot be read or played: say so, do not retry")                   \
    K(ERR_REFUSED, "not allowed")                                                                  \
    K(ERR_BUSY, "no room now: ask again later")                                                    \
    K(ERR_LIMIT, "larger than we take")                                                            \
    K(ERR_TIMEOUT, "took too long")                                                                \
    K(ERR_CANCELLED, "the asker went away")                                                        \
    K(ERR_IO, "the disk, the network or the system failed")                                        \
    K(ERR_GONE, "was here, is no more")

#define ERR_ENUM(kind, text) kind,
enum err { ERR_KINDS(ERR_ENUM) ERR_COUNT };
#undef ERR_ENUM

/* The words of `kind`: constant, never NULL. */
const char *err_text(enum err kind);

/* The name of `kind` as it is written in the source ("ERR_BUSY"): for logs and the wire's tests. */
const char *err_name(enum err kind);

/* The kind for an errno of a system call on files: ENOENT is NOT_FOUND, EACCES REFUSED, ... else IO. */
enum err err_from_errno(int number);

/* Ends the process with file and line when `x` is false. For bugs only, never for input. */
#define MUST(x) ((x) ? (void) 0 : must_failed(#x, __FILE__, __LINE__))
__attribute__((noreturn)) void must_failed(const char *what, const char *file, int line);
