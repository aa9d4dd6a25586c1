/* SPDX-License-Identifier: GPL-3.0-or-later */
/* WebVTT: a whole file; a cue with settings. */
#include "segments/webvtt.h"
#include "text_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vtt_list list = {0};
    const int64_t times_ms[2] = {0, 1000};
    struct slice whole = {(const char *) bytes, size};
    (void) webvtt_read(whole.at, size, &list);
    check_list(&list);
    webvtt_add_cue(whole, whole, times_ms, &list);
    check_list(&list);
    return 0;
}
