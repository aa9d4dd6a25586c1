/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct slice slice_of(const char *text)
{
    return (struct slice){text, text != NULL ? strlen(text) : 0};
}

bool slice_is(struct slice slice, const char *text)
{
    return slice.at != NULL && strlen(text) == slice.length &&
           memcmp(slice.at, text, slice.length) == 0;
}

bool slice_is_nocase(struct slice slice, const char *text)
{
    return slice.at != NULL && strlen(text) == slice.length &&
           strncasecmp(slice.at, text, slice.length) == 0;
}

bool slice_starts(struct slice slice, const char *prefix)
{
    size_t length = strlen(prefix);
    return slice.length >= length && memcmp(slice.at, prefix, length) == 0;
}

char char_lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char) (character + ('a' - 'A')) : character;
}

char char_upper(char character)
{
    return character >= 'a' && character <= 'z' ? (char) (character - ('a' - 'A')) : character;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

struct slice slice_trim(struct slice slice)
{
    while (slice.length > 0 && is_blank(slice.at[0])) {
        slice.at++;
        slice.length--;
    }
    while (slice.length > 0 && is_blank(slice.at[slice.length - 1]))
        slice.length--;
    return slice;
}

enum err slice_number(struct slice slice, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    if (slice.length == 0)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < slice.length; i++) {
        unsigned digit = (unsigned) (unsigned char) slice.at[i] - '0';
        if (digit > 9 || number > (max - digit) / 10 || digit > max)
            return ERR_BAD_INPUT;
        number = number * 10 + digit;
    }
    *out = number;
    return OK;
}

bool str_list_has(const char *list, char separator, const char *item)
{
    const char ends[] = {separator, '\0'};
    size_t length = strlen(item);
    for (const char *at = list; *at != '\0';) {
        size_t step = strcspn(at, ends);
        if (step == length && memcmp(at, item, length) == 0)
            return true;
        at += step + (at[step] == separator);
    }
    return false;
}

void str_init(struct str *str)
{
    *str = (struct str){0};
}

void str_fini(struct str *str)
{
    mem_free(str->at);
    *str = (struct str){0};
}

const char *str_text(const struct str *str)
{
    return str->at != NULL ? str->at : "";
}

void str_clear(struct str *str)
{
    str->length = 0;
    if (str->at != NULL)
        str->at[0] = '\0';
}

static void make_room(struct str *str, size_t more)
{
    size_t need = str->length + more + 1;
    if (need <= str->_room)
        return;
    size_t room = str->_room < 64 ? 64 : str->_room;
    while (room < need)
        room *= 2;
    str->at = mem_realloc_array(str->at, room, 1);
    str->_room = room;
}

void str_append(struct str *str, const void *bytes, size_t length)
{
    make_room(str, length);
    if (length > 0)
        memcpy(str->at + str->length, bytes, length);
    str->length += length;
    str->at[str->length] = '\0';
}

void str_puts(struct str *str, const char *text)
{
    str_append(str, text, strlen(text));
}

void str_putc(struct str *str, char character)
{
    str_append(str, &character, 1);
}

void str_put_u32(struct str *str, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        str_putc(str, (char) (uint8_t) (value >> (8 * i)));
}

void str_printf(struct str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    MUST(wanted >= 0);
    make_room(str, (size_t) wanted);
    vsnprintf(str->at + str->length, (size_t) wanted + 1, format, again);
    va_end(again);
    str->length += (size_t) wanted;
}

char *str_take(struct str *str)
{
    char *text = str->at != NULL ? str->at : mem_strdup("");
    *str = (struct str){0};
    return text;
}

/* The length of the UTF-8 character that `bytes` begins with, 0 where it is none. RFC 3629 4. */
static size_t character_length(const unsigned char *bytes, size_t length)
{
    unsigned char first = bytes[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size_t need = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (need > length)
        return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((bytes[i] & 0xC0U) != 0x80U)
            return 0;
    return need;
}

bool str_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *) bytes;
    while (length > 0) {
        size_t step = character_length(at, length);
        if (step == 0)
            return false;
        at += step;
        length -= step;
    }
    return true;
}

void str_append_utf8(struct str *str, const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *) bytes;
    while (length > 0) {
        size_t step = character_length(at, length);
        if (step == 0) {
            str_append(str, "\xEF\xBF\xBD", 3);
            step = 1;
        } else {
            str_append(str, at, step);
        }
        at += step;
        length -= step;
    }
}
