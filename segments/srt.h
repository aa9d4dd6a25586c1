/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SubRip: the text of one event (as Matroska stores it), and whole files. There is no standard:
 * i, b, u are kept, font and its like are dropped, {\an8} places, all other tags are text.
 * Threads: any. */
#pragma once

#include "segments/vtt.h"

/* Appends to `text`; `settings` are set where the text says where it stands. */
void srt_put_text(const char *bytes, size_t length, struct vtt_text *text, struct str *settings);

/* A whole file in UTF-8. Takes what it can: numbers, blank lines, hours and milliseconds may be
 * missing. False: there is not one time line in it. */
bool srt_read(const char *bytes, size_t length, struct vtt_list *list);
