/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that cannot fail: running out of it ends the process. A size that comes from outside is
 * checked by its reader first and answered with ERR_LIMIT. Threads: any. */
#pragma once

#include <stddef.h>

/* Runs `fn(&variable)` when the variable goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Zeroed. The caller's; mem_free. */
void *mem_zalloc(size_t size);
/* `count` times `size`, zeroed; an overflow ends the process. */
void *mem_zalloc_array(size_t count, size_t size);
void *mem_realloc_array(void *old, size_t count, size_t size);
/* NULL is accepted. */
void mem_free(void *memory);
char *mem_strdup(const char *text);
/* NULL of NULL. */
char *mem_strdup_or_null(const char *text);
char *mem_strndup(const char *text, size_t length);
void *mem_dup(const void *bytes, size_t size);

/* For CLEANUP(mem_free_at) on any pointer variable: frees it and clears it. */
void mem_free_at(void *pointer_to_pointer);

#define mem_new(type)              ((type *) mem_zalloc(sizeof(type)))
#define mem_new_array(type, count) ((type *) mem_zalloc_array((count), sizeof(type)))

/* Makes room for one more element in a growing array: `items` is the pointer, `count` what it
 * holds, `room` what it has room for. */
#define mem_grow(items, count, room)                                                               \
    do {                                                                                           \
        if ((count) == (room)) {                                                                   \
            (room) = (room) < 8 ? 8 : (room) *2;                                                   \
            (items) = mem_realloc_array((items), (room), sizeof *(items));                         \
        }                                                                                          \
    } while (0)
