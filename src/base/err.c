/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ERR_TEXT(kind, text) text,
static const char *const texts[ERR_COUNT] = {ERR_KINDS(ERR_TEXT)};
#undef ERR_TEXT

#define ERR_NAME(kind, text) #kind,
static const char *const names[ERR_COUNT] = {ERR_KINDS(ERR_NAME)};
#undef ERR_NAME

const char *err_text(enum err kind)
{
    return (unsigned) kind < ERR_COUNT ? texts[kind] : "unknown";
}

const char *err_name(enum err kind)
{
    return (unsigned) kind < ERR_COUNT ? names[kind] : "ERR_UNKNOWN";
}

enum err err_from_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_REFUSED;
    case EAGAIN:
    case EINTR:
        return ERR_AGAIN;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERR_BUSY;
    case EFBIG:
    case ENAMETOOLONG:
    case EOVERFLOW:
        return ERR_LIMIT;
    case ESTALE:
        return ERR_GONE;
    default:
        return ERR_IO;
    }
}

void must_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "fatal: %s:%d: this must hold: %s\n", file, line, what);
    abort();
}
