/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a film's intro and its credits are (schema Marker): as its makers named them among the chapters,
 * or else as hls found them. */
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"
#include "library/fold.h"

/* Chapters of other lengths bear such names for other reasons: a film's last scene is an "Ending". */
#define LEAST_S     5.0
#define SONG_MOST_S 150.0
#define CREDITS_PART                                                                               \
    0.5 /* of the film, where credits begin at the earliest, and intros at the latest */
#define NUMBER_DIGITS "0123456789 "

enum kind { INTRO, CREDITS, KIND_COUNT };

static const char *const KINDS[] = {[INTRO] = "intro", [CREDITS] = "credits"};

/* Folded; those of songs. */
static const char *const SONGS[][11] = {
    [INTRO] = {"intro", "opening", "op", "opening credits", "opening titles", "opening theme",
               "main title", "main titles", "title sequence", "theme song"},
    [CREDITS] = {"ending", "ed", "ending theme", "outro"},
};
/* As long as they like. */
static const char *const CREDITS_NAMES[] = {
    "credits", "end credits", "closing credits", "ending credits", "end titles", "abspann", NULL};

/* "Opening 2" is "opening". */
static bool is_named(const char *title, const char *const *names)
{
    CLEANUP(str_fini) struct str folded = {0};
    fold(&folded, slice_of(title));
    while (folded.length > 0 && strchr(NUMBER_DIGITS, folded.at[folded.length - 1]) != NULL)
        folded.at[--folded.length] = '\0';
    for (; *names != NULL; names++)
        if (strcmp(str_text(&folded), *names) == 0)
            return true;
    return false;
}

static bool is_kind(enum kind kind, const char *title, double length)
{
    if (length < LEAST_S)
        return false;
    return (length <= SONG_MOST_S && is_named(title, SONGS[kind])) ||
           (kind == CREDITS && is_named(title, CREDITS_NAMES));
}

/* Borrows; NULL: no chapter is of the kind. */
static const json_t *find_chapter(const json_t *media, enum kind kind)
{
    double half = json_number_value(json_object_get(media, "duration")) * CREDITS_PART;
    size_t index;
    const json_t *chapter;
    json_array_foreach(json_object_get(media, "chapters"), index, chapter)
    {
        const char *title = json_string_value(json_object_get(chapter, "title"));
        double start = json_number_value(json_object_get(chapter, "start"));
        double end = json_number_value(json_object_get(chapter, "end"));
        if (title != NULL && (start >= half) == (kind == CREDITS) &&
            is_kind(kind, title, end - start))
            return chapter;
    }
    return NULL;
}

static const json_t *find_found(const json_t *found, const char *kind)
{
    size_t index;
    const json_t *marker;
    json_array_foreach(found, index, marker)
    {
        const char *text = json_string_value(json_object_get(marker, "kind"));
        if (text != NULL && strcmp(text, kind) == 0)
            return marker;
    }
    return NULL;
}

json_t *markers_json(const json_t *media, const json_t *found)
{
    json_t *markers = json_array();
    for (enum kind kind = INTRO; kind < KIND_COUNT; kind++) {
        const json_t *from = find_chapter(media, kind);
        if (from == NULL)
            from = find_found(found, KINDS[kind]);
        if (from != NULL)
            json_array_append_new(markers, json_pack("{s:s, s:O, s:O}", "kind", KINDS[kind],
                                                     "start", json_object_get(from, "start"), "end",
                                                     json_object_get(from, "end")));
    }
    return markers;
}

json_t *markers_found(struct api *api, const struct library_file *file)
{
    struct hls *hls = atomic_load(&api->hls);
    return hls != NULL ? hls_markers(hls, file->row.id, &file->identity) : json_array();
}
