/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of files and folders: any bytes but NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "library/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_show(const char *text, const char *folder)
{
    struct show_name show;
    if (names_show(text, folder, folder != NULL ? "Show (2009)" : NULL, 2026, &show)) {
        MUST(show.number >= 0 && show.last >= show.number && show.season >= 0);
        MUST(show.show.title[0] != '\0' && show.show.match != NULL);
        MUST(str_is_utf8(show.title, strlen(show.title)));
    }
    show_name_fini(&show);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *) data, size);
    char *folder = strchr(text, '/');
    if (folder != NULL)
        *folder++ = '\0';
    struct film_name name;
    names_parse(text, folder, 2026, &name);
    MUST(name.title[0] != '\0' && str_is_utf8(name.title, strlen(name.title)));
    MUST(str_is_utf8(name.folded, strlen(name.folded)));
    MUST((name.match != NULL) == (name.year != 0));
    MUST(strlen(name.letter) > 0 && strlen(name.letter) <= 4);
    film_name_fini(&name);
    struct episode_name episode;
    if (names_episode(text, folder, &episode)) {
        MUST(episode.number >= 0 && episode.season >= -1);
        MUST(str_is_utf8(episode.show, strlen(episode.show)));
    }
    episode_name_fini(&episode);
    look_at_show(text, folder);
    MUST(names_season(text) >= -1);
    mem_free(text);
    return 0;
}
