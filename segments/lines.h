/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text files line by line, and the numbers in them. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* What is left of a text. */
struct lines {
    const char *at;
    size_t left;
};

/* Past a byte order mark. */
struct lines lines_of(const char *bytes, size_t length);
/* The next line without its end (LF, CR LF or CR), false at the end. */
bool lines_next(struct lines *lines, struct slice *out);
/* How long the next line is, and false without one; it stays the next. */
bool lines_peek(const struct lines *lines, struct slice *out);

/* Reads at the begin of `text` and steps over what was read. */
/* Digits, at most nine of them count. */
bool slice_take_number(struct slice *text, uint32_t *out);
bool slice_take(struct slice *text, char byte);
/* What WebVTT (W3C 6.4, after HTML's "ASCII whitespace") and others let stand around times, in one line. */
void slice_take_blanks(struct slice *text);
/* "[h:]mm:ss[.,]fff", in milliseconds: any number of digits of a fraction, or none. */
bool slice_take_time(struct slice *text, int64_t *out_ms);
