/* SPDX-License-Identifier: GPL-3.0-or-later */
/* WebVTT as others wrote it (W3C WebVTT 4, 6): read, checked, and written again in our form. Text
 * keeps its tags but for timestamps; settings are kept where they are right; regions, styles and
 * comments are dropped. Threads: any. */
#pragma once

#include "segments/vtt.h"

/* Appends a cue's text. */
void webvtt_put_text(const char *bytes, size_t length, struct vtt_text *text);
/* Appends those settings of a list that are right, but for regions. */
void webvtt_put_settings(struct slice list, struct str *settings);

/* One cue, with the list of its settings; both may be absent. */
void webvtt_add_cue(struct slice raw, struct slice settings_list, const int64_t times_ms[2],
                    struct vtt_list *list);

/* A whole file in UTF-8. False: it does not begin with WEBVTT. */
bool webvtt_read(const char *bytes, size_t length, struct vtt_list *list);
