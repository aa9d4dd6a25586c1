/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to other servers, by libcurl (decision 39). A URL that somebody named leads outside: to
 * addresses that are globally reachable, whatever its name resolves to, through each redirect. One that
 * an admin wrote down leads there and nowhere else.
 * Threads: one loop of its own; transfers are begun from any thread, their callbacks run on the loop of
 * the mailbox they were given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "base/why.h"

struct fetch;
struct fetch_transfer;

struct fetch_options {
    const char *id;    /* of this server: enters Via, so that one that asks itself can tell */
    const char *proxy; /* NULL: none, whatever the environment says */
    /* "host" or "host:port", NULL at the end: they may lead anywhere. May be NULL. */
    const char *const *allowed;
    /* "host:port:address" each, NULL at the end: in place of what DNS says. May be NULL. */
    const char *const *resolve;
    const char *ca_file; /* NULL: the system's */
};
MUST_CHECK enum err fetch_start(const struct fetch_options *options, struct fetch **out,
                                struct why *why);
/* What is under way hears CANCELLED; it may be ended before or after this. */
void fetch_stop(struct fetch **fetch);

#define FETCH_UNKNOWN UINT64_MAX

struct fetch_head { /* texts are "" where nothing was said */
    int status;
    const char *url; /* after redirects */
    const char *type, *etag, *modified;
    uint64_t length; /* of this body; FETCH_UNKNOWN */
    /* RFC 9110 14.4; `first` is FETCH_UNKNOWN where the answer is no range, or none that can be */
    uint64_t first, total;
    bool accepts_ranges;
};

struct fetch_events {
    /* Once, before data; any status. Lent. */
    void (*head)(void *ctx, const struct fetch_head *head);
    /* Lent. False: no more until fetch_more; meanwhile the sender is held back. May be NULL. */
    bool (*data)(void *ctx, const uint8_t *bytes, size_t size);
    /* Once, last. OK: the body is whole. REFUSED: an address or a URL that is not asked; NOT_FOUND: no
     * such name; TIMEOUT; LIMIT; IO: it failed, or ended early; CANCELLED: fetch_stop. */
    void (*done)(void *ctx, enum err kind, const struct why *why);
};

struct fetch_order { /* copied */
    const char *url;
    const char *origin; /* "http://host:port": the URL must be of it; NULL: outside */
    bool is_head;
    const char *range;    /* "0-99", "500-", "-10" (RFC 9110 14.1.2); NULL: all */
    const char *if_range; /* an ETag or a date; NULL: none */
    const char *form; /* a body, as forms are: it is posted, and follows no redirect; NULL: none */
    const char *authorization, *accept; /* headers; NULL: none */
    uint64_t limit_bytes;               /* of the body as decoded; 0: none */
    int64_t total_ms;                   /* 0: none */
    int64_t idle_ms;                    /* without a byte; 0 = 30 s */
    const struct fetch_events *events;
    void *ctx;
    struct mailbox *mailbox;
};
/* Whether the Via header of a request names us: this server asked itself. Any thread. */
bool fetch_is_ours(const struct fetch *fetch, struct slice via);

/* Any thread. No callback runs inside the call. The caller's until fetch_end. */
struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_order *order);
/* The rest on the mailbox's loop. */
void fetch_more(struct fetch_transfer *transfer);
/* No callback after this. May be called inside one. *transfer is NULL afterwards; NULL is accepted. */
void fetch_end(struct fetch_transfer **transfer);
