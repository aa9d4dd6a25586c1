/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/query.h"

#include <string.h>

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* One character of `raw` at *at, which moves on. -1: a bad escape or a NUL. */
static int next_character(struct slice raw, size_t *at)
{
    char character = raw.at[(*at)++];
    if (character != '%')
        return character == '\0' ? -1 : (unsigned char) character;
    if (raw.length - *at < 2)
        return -1;
    int high = hex_value(raw.at[*at]);
    int low = hex_value(raw.at[*at + 1]);
    *at += 2;
    if (high < 0 || low < 0 || high + low == 0)
        return -1;
    return high * 16 + low;
}

enum err percent_decode(struct slice raw, char *out, size_t *length)
{
    size_t count = 0;
    for (size_t at = 0; at < raw.length;) {
        int character = next_character(raw, &at);
        if (character < 0)
            return ERR_BAD_INPUT;
        out[count++] = (char) character;
    }
    *length = count;
    return OK;
}

static bool is_dots(struct slice segment)
{
    return slice_is(segment, ".") || slice_is(segment, "..");
}

static enum err split_segment(struct slice raw, char *buffer, struct path *path)
{
    size_t length;
    if (percent_decode(raw, buffer, &length) != OK)
        return ERR_BAD_INPUT;
    if (length > 0 && memchr(buffer, '/', length) != NULL)
        return ERR_BAD_INPUT;
    struct slice segment = {buffer, length};
    if (path->count == PATH_SEGMENTS || is_dots(segment))
        return ERR_NOT_FOUND;
    path->segments[path->count++] = segment;
    return OK;
}

enum err path_split(struct slice raw, char *buffer, struct path *out)
{
    struct path path = {.all = {buffer, 0}};
    if (raw.length == 0 || raw.at[0] != '/')
        return ERR_BAD_INPUT;
    for (size_t at = 0; at < raw.length;) {
        *buffer++ = '/';
        const char *from = raw.at + at + 1;
        const char *slash = memchr(from, '/', raw.length - at - 1);
        size_t length = slash != NULL ? (size_t) (slash - from) : raw.length - at - 1;
        enum err err = split_segment((struct slice){from, length}, buffer, &path);
        if (err != OK)
            return err;
        buffer += path.segments[path.count - 1].length;
        at += length + 1;
    }
    path.all.length = (size_t) (buffer - path.all.at);
    *out = path;
    return OK;
}

bool query_is_well_formed(struct slice query)
{
    for (size_t at = 0; at < query.length;)
        if (next_character(query, &at) < 0)
            return false;
    return true;
}

/* Cuts the first "name=value" off `rest`. */
static struct slice next_pair(struct slice *rest)
{
    const char *end = memchr(rest->at, '&', rest->length);
    struct slice pair = {rest->at, end != NULL ? (size_t) (end - rest->at) : rest->length};
    size_t used = pair.length + (end != NULL);
    rest->at += used;
    rest->length -= used;
    return pair;
}

static bool name_is(struct slice raw, const char *name)
{
    for (size_t at = 0; at < raw.length; name++) {
        int character = next_character(raw, &at);
        if (character < 0 || character != (unsigned char) *name)
            return false;
    }
    return *name == '\0';
}

static struct slice pair_name(struct slice pair)
{
    const char *equals = pair.length == 0 ? NULL : memchr(pair.at, '=', pair.length);
    if (equals != NULL)
        pair.length = (size_t) (equals - pair.at);
    return pair;
}

struct slice query_find(struct slice query, const char *name)
{
    while (query.length > 0) {
        struct slice pair = next_pair(&query);
        struct slice key = pair_name(pair);
        if (!name_is(key, name))
            continue;
        size_t skip = key.length + (key.length < pair.length);
        return (struct slice){pair.at + skip, pair.length - skip};
    }
    return (struct slice){NULL, 0};
}

void query_without(struct slice query, const char *name, struct str *out)
{
    bool first = true;
    while (query.length > 0) {
        struct slice pair = next_pair(&query);
        if (pair.length == 0 || name_is(pair_name(pair), name))
            continue;
        str_putc(out, first ? '?' : '&');
        str_append(out, pair.at, pair.length);
        first = false;
    }
}
