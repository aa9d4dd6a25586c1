/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page: its files, and index.html for the addresses that the page itself understands
 * (/watch/..., /login). Worker's loop. */
#pragma once

#include "http/server.h"

/* A GET that no route took. */
void files_serve(struct request *request, const struct path *path);
