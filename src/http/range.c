/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/range.h"

#include <string.h>
#include <strings.h>

#include "http/encode.h"

/* 1*DIGIT; what is beyond 64 bits is as good as the largest. False: not a number. */
static bool parse_position(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        unsigned digit = (unsigned) (text.at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            value = UINT64_MAX;
        else
            value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* "-500": the last 500 bytes (RFC 9110 14.1.2). */
static enum err suffix_range(uint64_t suffix, uint64_t size, struct range *out)
{
    if (suffix == 0 || size == 0)
        return ERR_BAD_INPUT;
    if (suffix > size)
        suffix = size;
    *out = (struct range){.first = size - suffix, .length = suffix, .is_partial = true};
    return OK;
}

enum err range_parse(struct slice header, uint64_t size, struct range *out)
{
    struct range whole = {.first = 0, .length = size, .is_partial = false};
    *out = whole;
    if (header.length < 7 || strncasecmp(header.at, "bytes=", 6) != 0)
        return OK;
    struct slice spec = slice_trim((struct slice){header.at + 6, header.length - 6});
    const char *dash = spec.length == 0 ? NULL : memchr(spec.at, '-', spec.length);
    if (dash == NULL || memchr(spec.at, ',', spec.length) != NULL)
        return OK;
    struct slice before = {spec.at, (size_t) (dash - spec.at)};
    struct slice after = {dash + 1, spec.length - before.length - 1};
    uint64_t first, last = UINT64_MAX;
    if (after.length > 0 && !parse_position(after, &last))
        return OK;
    if (before.length == 0)
        return after.length == 0 ? OK : suffix_range(last, size, out);
    if (!parse_position(before, &first) || last < first)
        return OK;
    if (first >= size)
        return ERR_BAD_INPUT;
    if (last > size - 1)
        last = size - 1;
    *out = (struct range){.first = first, .length = last - first + 1, .is_partial = true};
    return OK;
}

enum err request_range(const struct request *request, uint64_t size, const char *etag,
                       struct range *out)
{
    struct slice header = request_header(request, "range");
    struct slice condition = request_header(request, "if-range");
    /* RFC 9110 14.2: ranges are defined for GET alone. 13.1.5: If-Range compares strongly; a date
     * is never right here, as nothing says Last-Modified. */
    bool use = slice_is(request_method(request), "GET");
    if (condition.at != NULL && (etag == NULL || !etag_is(condition, etag)))
        use = false;
    return range_parse(use ? header : (struct slice){NULL, 0}, size, out);
}
