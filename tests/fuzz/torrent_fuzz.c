/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A .torrent from anyone: what is taken is within our limits and in its words UTF-8, what is refused is refused
 * with words. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "torrent/shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_FILES = 20000, MOST_PIECES = 200000 };

static void judge(const struct shim_meta *meta)
{
    const struct shim_hashes *hashes = &meta->hashes;
    MUST(strlen(hashes->v1) == 40 || strlen(hashes->v2) == 64);
    MUST(meta->size > 0 && meta->pieces > 0 && meta->pieces <= MOST_PIECES);
    MUST(meta->piece_bytes >= 16384 && (meta->piece_bytes & (meta->piece_bytes - 1)) == 0);
    MUST((meta->size + meta->piece_bytes - 1) / meta->piece_bytes == meta->pieces);
    MUST(meta->file_count > 0 && meta->file_count <= MOST_FILES);
    MUST(str_is_utf8(meta->name, strlen(meta->name)));
    for (size_t i = 0; i < meta->file_count; i++) {
        const struct shim_file *file = &meta->files[i];
        MUST(str_is_utf8(file->path, strlen(file->path)));
        MUST(file->offset <= meta->size && file->size <= meta->size - file->offset);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shim_meta *meta = NULL;
    struct why why = {0};
    enum err kind = shim_meta_read(data, size, &meta, &why);
    MUST((kind == OK) == (meta != NULL));
    MUST(kind == OK || why.text[0] != '\0');
    if (meta != NULL)
        judge(meta);
    shim_meta_free(&meta);
    return 0;
}
