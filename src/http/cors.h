/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cross-origin sharing (Fetch standard, 3.2): for the one origin that is set, with credentials; for
 * routes with a token of their own, everybody, without. */
#pragma once

#include "http/server.h"

/* The request says the origin that http.cors_origin names. */
bool cors_is_ours(const struct request *request);
/* Adds what the reply needs. */
void cors_add(struct request *request);
/* Answers a preflight for a path that knows `methods`; false: it was none, or not for this asker. */
bool cors_preflight(struct request *request, unsigned methods);
