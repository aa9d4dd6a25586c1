/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content coding and entity tags (RFC 9110 8.4, 8.8.3, 12.5.3). Pure. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define ETAG_SIZE 48

/* A strong tag of 128 bits of SHA-256 over `bytes`: "\"32 hex{suffix}\"". */
void etag_make(const void *bytes, size_t size, const char *suffix, char out[ETAG_SIZE]);
/* Strong comparison with a single tag. */
bool etag_is(struct slice tag, const char *etag);
/* If-None-Match: a list of tags or "*", weak comparison. */
bool etag_list_has(struct slice list, const char *etag);
/* Accept-Encoding allows `coding` ("gzip", "br") by name or by "*", with a q above 0. */
bool encoding_is_accepted(struct slice header, const char *coding);
/* Appends `bytes` as gzip. False, and nothing appended: it does not pay. */
bool gzip_append(struct str *out, const void *bytes, size_t size);
