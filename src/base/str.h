/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text: a slice borrows, a buffer grows. Threads: each object belongs to whoever holds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrowed bytes, not terminated. {NULL, 0} is "absent". */
struct slice {
    const char *at;
    size_t length;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
struct slice slice_of(const char *text);
bool slice_is(struct slice slice, const char *text);
bool slice_is_nocase(struct slice slice, const char *text);
bool slice_starts(struct slice slice, const char *prefix);
/* Without the spaces and tabs around it. */
struct slice slice_trim(struct slice slice);

/* ASCII letters alone, whatever the locale. */
char char_lower(char character);
char char_upper(char character);

/* The whole of `slice` as an unsigned decimal number, digits only, no more than `max`. BAD_INPUT. */
MUST_CHECK enum err slice_number(struct slice slice, uint64_t max, uint64_t *out);

/* Whether `item` is one of "a|b|c", where the separator is '|'. */
bool str_list_has(const char *list, char separator, const char *item);

/* A growing text, always terminated. Start with {0} or str_init; end with str_fini. */
struct str {
    char *at; /* NULL while empty: str_text says "" then */
    size_t length;
    size_t _room;
};

void str_init(struct str *str);
void str_fini(struct str *str);
const char *str_text(const struct str *str);
void str_clear(struct str *str);
void str_append(struct str *str, const void *bytes, size_t length);
void str_puts(struct str *str, const char *text);
void str_putc(struct str *str, char character);
/* Four bytes, the least first; and read back. */
void str_put_u32(struct str *str, uint32_t value);
static inline uint32_t str_get_u32(const uint8_t *at)
{
    return (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
           (uint32_t) at[3] << 24;
}
PRINTF_LIKE(2, 3) void str_printf(struct str *str, const char *format, ...);
/* Gives the text to the caller (mem_free) and empties `str`. Never NULL. */
char *str_take(struct str *str);

/* True when `bytes` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(const char *bytes, size_t length);
/* Appends `bytes`, with U+FFFD for every byte that is not UTF-8: for names of files in JSON. */
void str_append_utf8(struct str *str, const char *bytes, size_t length);
