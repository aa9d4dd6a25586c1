/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person must be told of a failure: the words, and the input at fault. Filled by whoever
 * judges the input, read by whoever answers. A plain value; NULL is accepted everywhere. */
#pragma once

#include "base/err.h"

struct why {
    char text[400]; /* a sentence without a full stop; "" where nothing was said */
    char field[64]; /* the JSON pointer, setting or flag at fault; "" where none is */
};

/* Says it and returns `kind`, so that a judge can `return why_set(why, ERR_BAD_INPUT, "n", ...)`.
 * `field` may be NULL. Longer text is cut at a whole UTF-8 character. */
PRINTF_LIKE(4, 5)
enum err why_set(struct why *why, enum err kind, const char *field, const char *format, ...);
