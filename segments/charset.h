/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The charset of a text file: told by a byte order mark, by being UTF-8, or guessed by libuchardet.
 * Threads: any, one converts at a time. */
#pragma once

#include "base/str.h"

/* Opens every converter that may be needed: libc keeps them in files of their own, which the process
 * cannot open once it is locked down. Once, one thread. */
void charset_preload(void);
/* Appends the text in UTF-8; bytes that are none of the charset become U+FFFD. Returns the charset's
 * name, constant. Without charset_preload it knows UTF-8 and UTF-16 alone, all else is taken as
 * Windows-1252. */
const char *charset_to_utf8(const uint8_t *bytes, size_t size, struct str *out);
