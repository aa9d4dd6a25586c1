/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the server itself signs with, by name. Threads and waiting: as in store.h. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Those whose name begins so, the newest first; lent for the call. */
typedef void store_secret_fn(void *ctx, const char *name, const char *value, int64_t made_ms);
MUST_CHECK enum err store_secrets_each(struct store *store, const char *prefix,
                                       store_secret_fn *each, void *ctx);
/* One that is there already stays as it is. */
MUST_CHECK enum err store_secret_add(struct store *store, const char *name, const char *value,
                                     int64_t made_ms);
/* Those made before. */
MUST_CHECK enum err store_secrets_expire(struct store *store, const char *prefix, int64_t made_ms);
