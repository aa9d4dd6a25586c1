/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `matinee user add NAME`: an account without the page. Threads: main's; blocks. */
#pragma once

#include "base/err.h"
#include "base/why.h"
#include "config.h"

/* The password is the first line of auth.admin_password_file, or of the input. The first account
 * is an admin. BAD_INPUT, BUSY (the name is taken), IO. */
MUST_CHECK enum err user_add(const struct config *config, const char *name, struct why *why);
