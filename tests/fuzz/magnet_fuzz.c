/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A magnet from anyone: it names a torrent, or is refused with words. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "torrent/shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *uri = mem_strndup((const char *) data, size);
    char *name = NULL;
    struct shim_hashes hashes = {0};
    struct why why = {0};
    enum err kind = shim_magnet_read(uri, &hashes, &name, &why);
    MUST(kind == OK || (why.text[0] != '\0' && name == NULL));
    MUST((kind == OK) == (strlen(shim_hash(&hashes)) >= 40));
    MUST(name == NULL || str_is_utf8(name, strlen(name)));
    mem_free(name);
    mem_free(uri);
    return 0;
}
