/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole subtitle file of any charset: guessed, converted, read, written. What comes out is read
 * again, and is the same. */
#include "segments/charset.h"
#include "segments/convert.h"
#include "segments/webvtt.h"
#include "text_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct convert_what plain = {.form = CONVERT_VTT, .scale = CONVERT_SCALE_ONE};
    static bool is_loaded;
    struct str out = {0};
    struct vtt_list list = {0};
    if (!is_loaded)
        charset_preload();
    is_loaded = true;
    if (convert_text(bytes, size, &plain, &out, NULL) == OK) {
        if (!str_is_utf8(out.at, out.length) || !webvtt_read(out.at, out.length, &list))
            abort();
        check_list(&list);
    }
    str_fini(&out);
    return 0;
}
