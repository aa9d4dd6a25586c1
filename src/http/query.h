/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The target of a request (RFC 9112 3.2, RFC 3986): paths cut into decoded segments, queries
 * looked up by name. Pure; everything here comes from outside. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum { PATH_SEGMENTS = 24 };

/* A decoded path: "/a/b%20c" is "a", "b c"; "/" is one empty segment. Slices lie in the caller's
 * buffer, one after another with a "/" before each. */
struct path {
    struct slice all; /* "/a/b c" */
    struct slice segments[PATH_SEGMENTS];
    size_t count;
};

/* Decodes %XX of `raw` into `out` (at least raw.length bytes). BAD_INPUT: a "%" without two hex
 * digits, or a NUL. */
MUST_CHECK enum err percent_decode(struct slice raw, char *out, size_t *length);
/* `raw` begins with "/" and holds no query. BAD_INPUT: bad escapes, a NUL or an encoded "/".
 * NOT_FOUND: "." or ".." segments or more of them than any route has. */
MUST_CHECK enum err path_split(struct slice raw, char *buffer, struct path *out);
/* True when every escape of the query is right and none is NUL. */
bool query_is_well_formed(struct slice query);
/* The raw value of the first parameter `name`; absent when it is not there. "a" is "a=". */
struct slice query_find(struct slice query, const char *name);
/* Appends `query` without its parameter `name`. */
void query_without(struct slice query, const char *name, struct str *out);
