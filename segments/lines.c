/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/lines.h"

#include <string.h>

/* More hours than that no film has. */
#define MOST_HOURS 99999

struct lines lines_of(const char *bytes, size_t length)
{
    size_t mark = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    return (struct lines){bytes + mark, length - mark};
}

static size_t line_length(const struct lines *lines)
{
    size_t length = 0;
    while (length < lines->left && lines->at[length] != '\n' && lines->at[length] != '\r')
        length++;
    return length;
}

bool lines_peek(const struct lines *lines, struct slice *out)
{
    if (lines->left == 0)
        return false;
    *out = (struct slice){lines->at, line_length(lines)};
    return true;
}

bool lines_next(struct lines *lines, struct slice *out)
{
    if (!lines_peek(lines, out))
        return false;
    size_t step = out->length;
    if (step < lines->left)
        step += lines->at[step] == '\r' && step + 1 < lines->left && lines->at[step + 1] == '\n'
                    ? 2
                    : 1;
    lines->at += step;
    lines->left -= step;
    return true;
}

static bool is_digit(const struct slice *text)
{
    return text->length > 0 && text->at[0] >= '0' && text->at[0] <= '9';
}

static void step(struct slice *text)
{
    text->at++;
    text->length--;
}

bool slice_take_number(struct slice *text, uint32_t *out)
{
    unsigned digits = 0;
    *out = 0;
    for (; is_digit(text); step(text), digits++)
        if (digits < 9)
            *out = *out * 10 + (uint32_t) (text->at[0] - '0');
    return digits > 0;
}

bool slice_take(struct slice *text, char byte)
{
    if (text->length == 0 || text->at[0] != byte)
        return false;
    step(text);
    return true;
}

void slice_take_blanks(struct slice *text)
{
    while (text->length > 0 && (text->at[0] == ' ' || text->at[0] == '\t' || text->at[0] == '\f'))
        step(text);
}

/* Digits behind the point, as milliseconds. */
static uint32_t take_fraction(struct slice *text)
{
    uint32_t ms = 0, unit = 100;
    for (; is_digit(text); step(text), unit /= 10)
        ms += unit * (uint32_t) (text->at[0] - '0');
    return ms;
}

bool slice_take_time(struct slice *text, int64_t *out_ms)
{
    uint32_t parts[3] = {0}, count = 0;
    struct slice at = *text;
    do {
        if (!slice_take_number(&at, &parts[count]))
            return false;
        count++;
    } while (count < 3 && slice_take(&at, ':'));
    if (count < 2)
        return false;
    uint32_t hours = count == 3 ? parts[0] : 0;
    uint32_t ms = slice_take(&at, '.') || slice_take(&at, ',') ? take_fraction(&at) : 0;
    if (hours > MOST_HOURS)
        return false;
    *out_ms = (((int64_t) hours * 60 + parts[count - 2]) * 60 + parts[count - 1]) * 1000 + ms;
    *text = at;
    return true;
}
