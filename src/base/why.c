/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes off what vsnprintf left of a character that did not fit whole. */
static void cut_at_character(char *text)
{
    size_t length = strlen(text);
    size_t lead = length;
    while (lead > 0 && ((unsigned char) text[lead - 1] & 0xC0U) == 0x80U)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char) text[lead - 1];
    size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (length - (lead - 1) < need)
        text[lead - 1] = '\0';
}

enum err why_set(struct why *why, enum err kind, const char *field, const char *format, ...)
{
    if (why == NULL)
        return kind;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    if (wanted >= (int) sizeof why->text)
        cut_at_character(why->text);
    snprintf(why->field, sizeof why->field, "%s", field != NULL ? field : "");
    return kind;
}
