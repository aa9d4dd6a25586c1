/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread that looks, every few seconds, whether the certificate or the page on disk changed, and
 * reads them again. What cannot be read is logged once and the old stays. */
#pragma once

#include <stdint.h>

#include "http/page.h"
#include "http/tls.h"

struct watch;

struct watch_options {
    const char *certificate_file, *key_file; /* NULL: no TLS */
    const char *page_folder;                 /* NULL: no page */
    const char *base_path;
    bool http2;
    int64_t interval_ms;
    /* What changed is theirs (unref). On the watch's thread. */
    void (*changed_tls)(void *ctx, struct tls *tls);
    void (*changed_page)(void *ctx, struct page *page);
    void *ctx;
    uint64_t tls_stamp, page_stamp; /* as first read */
};

/* `options`' strings are borrowed until watch_stop. BUSY: no thread to be had. */
MUST_CHECK enum err watch_start(const struct watch_options *options, struct watch **out);
/* Joins. NULL is accepted. */
void watch_stop(struct watch **watch);
