/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of files beside a film, and of the film: any bytes but NUL. */
#include <string.h>

#include "base/mem.h"
#include "hls/beside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = mem_strndup((const char *) data, size);
    char *stem = strchr(name, '/');
    struct beside_file file;
    if (stem != NULL)
        *stem++ = '\0';
    if (beside_read_name(name, stem != NULL ? stem : "Film", size % 2 == 0, &file))
        MUST(str_is_utf8(file.title, strlen(file.title)) && file.language[0] != '\0' &&
             strlen(file.format) == 3);
    beside_file_fini(&file);
    mem_free(name);
    return 0;
}
