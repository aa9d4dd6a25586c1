/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Timed text in MP4: samples of 3GPP timed text and QuickTime text (3GPP TS 26.245 5), and of
 * WebVTT (ISO 14496-30 6). Threads: any. */
#pragma once

#include "segments/vtt.h"

/* A sample of tx3g: its text with bold, italic and underlined parts. */
void tx3g_add_sample(const uint8_t *bytes, size_t size, const int64_t times_ms[2],
                     struct vtt_list *list);
/* A sample of wvtt: any number of cues, or none. */
void wvtt_add_sample(const uint8_t *bytes, size_t size, const int64_t times_ms[2],
                     struct vtt_list *list);
