/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/encode.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/mem.h"

/* Under the least it fits a packet anyway; over the most it would hold up a loop for over 10 ms. */
enum { GZIP_LEAST = 860, GZIP_MOST = 1 << 20, GZIP_LEVEL = 4, GZIP_WINDOW = 15 + 16 };

void etag_make(const void *bytes, size_t size, const char *suffix, char out[ETAG_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t length = 0;
    MUST(EVP_Q_digest(NULL, "SHA256", NULL, bytes, size, hash, &length) == 1);
    static const char digits[] = "0123456789abcdef";
    char hex[33] = "";
    for (size_t i = 0; i < 16; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    snprintf(out, ETAG_SIZE, "\"%s%s\"", hex, suffix);
}

bool etag_is(struct slice tag, const char *etag)
{
    return slice_is(tag, etag);
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t';
}

/* Cuts the next member of a comma-separated list, trimmed. */
static struct slice next_member(struct slice *list)
{
    const char *comma = memchr(list->at, ',', list->length);
    struct slice member = {list->at, comma != NULL ? (size_t) (comma - list->at) : list->length};
    size_t used = member.length + (comma != NULL);
    list->at += used;
    list->length -= used;
    while (member.length > 0 && is_space(member.at[0])) {
        member.at++;
        member.length--;
    }
    while (member.length > 0 && is_space(member.at[member.length - 1]))
        member.length--;
    return member;
}

bool etag_list_has(struct slice list, const char *etag)
{
    while (list.length > 0) {
        struct slice member = next_member(&list);
        if (slice_starts(member, "W/")) {
            member.at += 2;
            member.length -= 2;
        }
        if (slice_is(member, "*") || slice_is(member, etag))
            return true;
    }
    return false;
}

/* The parameters after a coding: ";q=0", ";q=0.000" refuse it. */
static bool weight_is_zero(struct slice parameters)
{
    size_t at = 0;
    while (at < parameters.length && (is_space(parameters.at[at]) || parameters.at[at] == ';'))
        at++;
    struct slice weight = {parameters.at + at, parameters.length - at};
    if (weight.length < 3 || strncasecmp(weight.at, "q=0", 3) != 0)
        return false;
    for (size_t i = 3; i < weight.length; i++)
        if (weight.at[i] != '.' && weight.at[i] != '0')
            return false;
    return true;
}

bool encoding_is_accepted(struct slice header, const char *coding)
{
    bool by_star = false;
    while (header.length > 0) {
        struct slice member = next_member(&header);
        size_t length = 0;
        while (length < member.length && member.at[length] != ';' && !is_space(member.at[length]))
            length++;
        struct slice name = {member.at, length};
        bool refused = weight_is_zero((struct slice){member.at + length, member.length - length});
        if (slice_is_nocase(name, coding))
            return !refused;
        if (slice_is(name, "*"))
            by_star = !refused;
    }
    return by_star;
}

bool gzip_append(struct str *out, const void *bytes, size_t size)
{
    if (size < GZIP_LEAST || size > GZIP_MOST)
        return false;
    z_stream zip = {.next_in = (z_const Bytef *) bytes, .avail_in = (uInt) size};
    if (deflateInit2(&zip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = size - size / 10; /* less than a tenth saved is not worth the unpacking */
    unsigned char *packed = mem_zalloc(room);
    zip.next_out = packed;
    zip.avail_out = (uInt) room;
    bool pays = deflate(&zip, Z_FINISH) == Z_STREAM_END;
    if (pays)
        str_append(out, packed, room - zip.avail_out);
    deflateEnd(&zip);
    mem_free(packed);
    return pays;
}
