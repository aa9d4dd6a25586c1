/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples of MP4: timed text and WebVTT. */
#include "segments/tx3g.h"
#include "text_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vtt_list list = {0};
    const int64_t times_ms[2] = {0, 1000};
    tx3g_add_sample(bytes, size, times_ms, &list);
    check_list(&list);
    wvtt_add_sample(bytes, size, times_ms, &list);
    check_list(&list);
    return 0;
}
