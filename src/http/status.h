/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Status codes and kinds of errors. Pure. */
#pragma once

#include "base/err.h"

/* "Not Found"; "Status" for those we do not send. */
const char *status_phrase(int status);
/* The status that says `kind` to a client. */
int status_of_err(enum err kind);
