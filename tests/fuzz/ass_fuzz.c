/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ASS and SSA: a whole script; and as an event under itself as a header. */
#include "segments/ass.h"
#include "text_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vtt_list list = {0};
    struct ass_header header = {0};
    (void) ass_read((const char *) bytes, size, &list);
    check_list(&list);
    ass_header_read((const char *) bytes, size, &header);
    ass_add_event(&header, (const char *) bytes, size, 0, 1000, &list);
    ass_header_fini(&header);
    check_list(&list);
    return 0;
}
