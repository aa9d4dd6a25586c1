/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must hold of cues whatever they were made of: valid UTF-8, no arrow and no blank line in
 * their text. Included by the targets of subtitles. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "segments/vtt.h"

static void check_cue(const struct vtt_cue *cue)
{
    size_t length = strlen(cue->text);
    if (length == 0 || !str_is_utf8(cue->text, length) || strstr(cue->text, "-->") != NULL ||
        strstr(cue->text, "\n\n") != NULL || cue->text[0] == '\n' ||
        cue->text[length - 1] == '\n' || strchr(cue->text, '\r') != NULL ||
        strpbrk(cue->settings, "\r\n<>") != NULL)
        abort();
}

/* Finishes the list, writes it, and frees it. */
static void check_list(struct vtt_list *list)
{
    struct str out = {0};
    vtt_list_finish(list);
    for (size_t i = 0; i < list->count; i++)
        check_cue(&list->items[i]);
    vtt_write_head(&out, true);
    vtt_write_cues(list, 0, INT64_MAX, &out);
    str_fini(&out);
    vtt_list_fini(list);
}
