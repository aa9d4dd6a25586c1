/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Structured logs: one line an event, `time level event key=value...` on stderr (logfmt).
 *     log_info("library.scan", log_str("folder", path), log_int("files", count));
 * Secrets never come here; URLs only without their query. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVEL_COUNT };

struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: `number` counts */
    int64_t number;
};

static inline struct log_field log_str(const char *key, const char *text)
{
    return (struct log_field){key, text != NULL ? text : "", 0};
}

static inline struct log_field log_int(const char *key, int64_t number)
{
    return (struct log_field){key, NULL, number};
}

static inline struct log_field log_err(enum err kind)
{
    return (struct log_field){"err", err_text(kind), 0};
}

/* At least one field is needed. */
#define log_at(level, event, ...)                                                                  \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__, {NULL, NULL, 0}})
#define log_debug(event, ...)   log_at(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)    log_at(LOG_INFO, event, __VA_ARGS__)
#define log_warning(event, ...) log_at(LOG_WARNING, event, __VA_ARGS__)
#define log_error(event, ...)   log_at(LOG_ERROR, event, __VA_ARGS__)

/* Lines below `level` are dropped. Set once at start, before threads. */
void log_set_level(enum log_level level);
/* "debug", "info", "warning" or "error". BAD_INPUT. */
MUST_CHECK enum err log_level_parse(const char *text, enum log_level *out);
bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields);
