/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who did what: sign-ins and what administrators do. The newest 20,000 of each
 * action are kept: a flood of one washes no other away. Threads and waiting: as in store.h. */
#pragma once

#include "store/sessions.h"

struct store_audit {
    int64_t n; /* counts from 1; 0 in what is added */
    int64_t at_ms;
    const char *user; /* an id, or NULL: of nobody */
    const char *name; /* what he was called then */
    const char *action;
    const char *object; /* of what, in words or ids; "" */
    const char *peer;   /* an address; "" = this machine's own doing */
};

MUST_CHECK enum err store_audit_add(struct store *store, const struct store_audit *entry);
/* At most `limit` of those before `before` (0: all), latest first; lent for the call. */
typedef void store_audit_fn(void *ctx, const struct store_audit *entry);
MUST_CHECK enum err store_audit_each(struct store *store, int64_t before, int64_t limit,
                                     store_audit_fn *each, void *ctx);
