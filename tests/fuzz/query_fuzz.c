/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths, queries and routes. Input: a request target. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "http/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(struct slice path, char *buffer)
{
    struct path split;
    if (path_split(path, buffer, &split) != OK)
        return;
    MUST(split.count > 0 && split.count <= PATH_SEGMENTS);
    MUST(split.all.length <= path.length && split.all.at[0] == '/');
    size_t sum = 0;
    for (size_t i = 0; i < split.count; i++) {
        struct slice segment = split.segments[i];
        sum += segment.length + 1;
        MUST(segment.length == 0 || memchr(segment.at, '/', segment.length) == NULL);
        MUST(segment.length == 0 || memchr(segment.at, '\0', segment.length) == NULL);
    }
    MUST(sum == split.all.length);
}

static void try_value(struct slice query, const char *name)
{
    struct slice value = query_find(query, name);
    size_t length;
    if (value.at == NULL)
        return;
    char *decoded = mem_zalloc(value.length + 1);
    enum err err = percent_decode(value, decoded, &length);
    MUST(err != OK || length <= value.length);
    MUST(err == OK || !query_is_well_formed(query));
    mem_free(decoded);
}

static void try_without(struct slice query)
{
    struct str rest;
    str_init(&rest);
    query_without(query, "key", &rest);
    struct slice left = {rest.at, rest.length};
    if (left.length > 0)
        left = (struct slice){left.at + 1, left.length - 1};
    MUST(query_find(left, "key").at == NULL);
    str_fini(&rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const NAMES[] = {"", "q", "key", "a b"};
    /* Exact buffers, so that one byte too many is seen. */
    char *target = mem_dup(size > 0 ? (const void *) data : "", size > 0 ? size : 1);
    char *buffer = mem_zalloc(size > 0 ? size : 1);
    const char *mark = memchr(target, '?', size);
    struct slice path = {target, mark != NULL ? (size_t) (mark - target) : size};
    struct slice query = {NULL, 0};
    if (mark != NULL)
        query = (struct slice){mark + 1, size - path.length - 1};
    try_path(path, buffer);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        try_value(query, NAMES[i]);
    try_without(query);
    mem_free(buffer);
    mem_free(target);
    return 0;
}
