/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The setup code: whoever can read the server's output or its data folder may make the first
 * account. 8 characters; after 10 wrong tries there is a new one; void once there is an account.
 * Threads: any. One lock inside; `show` is called outside of it. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"

struct code;
typedef void code_show_fn(void *ctx, const char *code);

/* Makes the code and writes it to `path` (0600). IO. */
MUST_CHECK enum err code_new(const char *path, code_show_fn *show, void *ctx, struct code **out,
                             struct why *why);
void code_free(struct code **code);
/* Case, spaces and dashes do not count. REFUSED: it is not the one; GONE: void. */
MUST_CHECK enum err code_try(struct code *code, struct slice guess);
/* No code opens any more; its file goes. */
void code_void(struct code *code);
