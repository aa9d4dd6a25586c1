/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The MP4 reader. */
#include "container_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ask_everything(bytes, size);
    return 0;
}
