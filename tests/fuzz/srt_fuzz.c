/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SubRip: a whole file, and the text of one event. */
#include "segments/srt.h"
#include "text_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vtt_list list = {0};
    struct vtt_text text = {0};
    struct str settings = {0}, out;
    (void) srt_read((const char *) bytes, size, &list);
    check_list(&list);
    srt_put_text((const char *) bytes, size, &text, &settings);
    vtt_text_finish(&text, &out);
    vtt_list_add(&list, 0, 1000, &settings, &out);
    check_list(&list);
    str_fini(&settings);
    return 0;
}
