/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The built page in memory: index.html, assets/ and what lies beside them, with their .gz and .br
 * forms. Read at start and when it changes; a path from outside is only ever compared with the
 * names read, so none can lead out of the folder.
 * Shared and immutable, counted. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "http/encode.h"

enum page_coding { CODING_PLAIN, CODING_GZIP, CODING_BROTLI, CODING_COUNT };

struct page_form {
    void *bytes; /* NULL: there is none */
    size_t size;
    char etag[ETAG_SIZE];
};

struct page_file {
    char *path; /* "/assets/app-1a2b.js" */
    const char *type;
    bool is_html, is_hashed; /* under /assets/: its name changes with its content */
    struct page_form forms[CODING_COUNT];
};

struct page;

/* Reads `folder`; links to "/..." in HTML get `base_path` before them. NOT_FOUND: no index.html
 * there; LIMIT: too large. One reference for the caller. */
MUST_CHECK enum err page_read(const char *folder, const char *base_path, struct page **out,
                              struct why *why);
struct page *page_ref(struct page *page);
void page_unref(struct page **page); /* NULL is accepted */
/* Changes when a file of the folder does. */
uint64_t page_stamp(const char *folder);
/* NULL: there is no such file. Lent as long as the page. */
const struct page_file *page_find(const struct page *page, struct slice path);
const struct page_file *page_index(const struct page *page);
