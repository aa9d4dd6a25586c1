/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void *mem_zalloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    MUST(memory != NULL);
    return memory;
}

void *mem_zalloc_array(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    MUST(memory != NULL);
    return memory;
}

void *mem_realloc_array(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1);
    MUST(memory != NULL);
    return memory;
}

void mem_free(void *memory)
{
    free(memory);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strdup_or_null(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

char *mem_strndup(const char *text, size_t length)
{
    char *copy = mem_zalloc(length + 1);
    memcpy(copy, text, length);
    return copy;
}

void *mem_dup(const void *bytes, size_t size)
{
    void *copy = mem_zalloc(size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

void mem_free_at(void *pointer_to_pointer)
{
    void **at = pointer_to_pointer;
    free(*at);
    *at = NULL;
}
