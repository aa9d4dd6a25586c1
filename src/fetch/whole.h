/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small answer of another server, whole: for threads of pools, which wait for it. */
#pragma once

#include "fetch/fetch.h"

struct fetch_answer {
    int status;
    char *body; /* mem_free; NUL behind it */
    size_t size;
};
void fetch_answer_fini(struct fetch_answer *answer);
/* `order` without events and mailbox; it needs limit_bytes and total_ms. As fetch_events.done says. Blocks. */
MUST_CHECK enum err fetch_whole(struct fetch *fetch, const struct fetch_order *order,
                                struct fetch_answer *out, struct why *why);
