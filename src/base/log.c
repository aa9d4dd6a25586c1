/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};

/* The one setting of the process's log: read by all threads, written before they start. */
static _Atomic int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&lowest, (int) level);
}

enum err log_level_parse(const char *text, enum log_level *out)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level) i;
            return OK;
        }
    }
    return ERR_BAD_INPUT;
}

bool log_wants(enum log_level level)
{
    return (int) level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

static bool needs_quotes(const char *text)
{
    if (text[0] == '\0')
        return true;
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char) *at <= ' ' || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7F)
            return true;
    return !str_is_utf8(text, strlen(text));
}

static void put_quoted(struct str *line, const char *text)
{
    struct str clean = {0};
    str_append_utf8(&clean, text, strlen(text));
    str_putc(line, '"');
    for (const char *at = str_text(&clean); *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            str_printf(line, "\\%c", *at);
        else if (*at == '\n')
            str_puts(line, "\\n");
        else if ((unsigned char) *at < ' ' || *at == 0x7F)
            str_printf(line, "\\x%02x", (unsigned) (unsigned char) *at);
        else
            str_putc(line, *at);
    }
    str_putc(line, '"');
    str_fini(&clean);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_wants(level))
        return;
    char time[CLOCK_ISO_SIZE];
    clock_iso(clock_wall_ms(), time);
    struct str line = {0};
    str_printf(&line, "%s %s %s", time, level_names[level], event);
    for (; fields->key != NULL; fields++) {
        str_printf(&line, " %s=", fields->key);
        if (fields->text == NULL)
            str_printf(&line, "%lld", (long long) fields->number);
        else if (needs_quotes(fields->text))
            put_quoted(&line, fields->text);
        else
            str_puts(&line, fields->text);
    }
    str_putc(&line, '\n');
    /* One write a line, so that threads and processes do not mix theirs. A log that cannot be
     * written has nobody to tell. */
    ssize_t written UNUSED = write(STDERR_FILENO, line.at, line.length);
    str_fini(&line);
}
