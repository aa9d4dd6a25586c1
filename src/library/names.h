/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a file's name says of the film in it: title and year, or show, season and episode. Names come
 * from outside: any bytes.
 * Threads: any. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "library/fold.h"

struct film_name {
    char *title;  /* UTF-8, as shown; never empty */
    int year;     /* 0 = it does not say */
    char *folded; /* for searches */
    char *sort;   /* folded, without article */
    char *match;  /* the same for files of one film; NULL without a year */
    char letter[FOLD_LETTER_SIZE];
};

/* True for names that end like video or sound files. */
bool names_is_media(const char *file_name);

/* From the name of the file, and, where that tells no year, of the folder it lies in (NULL = none).
 * Years up to `this_year` + 1 are years. Ended by film_name_fini. */
void names_parse(const char *file_name, const char *folder_name, int this_year,
                 struct film_name *out);
void film_name_fini(struct film_name *name);

/* "Show.S01E02.mkv", "Show - 1x02.mkv", "E02.mkv" in "Season 1". */
struct episode_name {
    char *show;         /* folded; "" where the file does not say */
    int season, number; /* season -1: neither the file nor the folder says */
};
/* False: it is no episode's name. Ended by episode_name_fini. */
bool names_episode(const char *file_name, const char *folder_name, struct episode_name *out);
void episode_name_fini(struct episode_name *name);
/* An episode as the names around it tell, one of a file "Show - S01E02 - Title.mkv" in a folder "Season 1" in another
 * one "Show (2009)". */
struct show_name {
    struct film_name show; /* its `match` is never that of a film */
    int season;            /* 0: specials; 1 where nothing says */
    int number, last;      /* of "S01E01E02" the first and the last */
    char *title;           /* of the episode; "" where the name does not say */
    char *match;           /* the same for files of one episode */
};
/* `folder` and `above` may be NULL. False: it is no episode's name, or nothing says of what show. Ended by
 * show_name_fini. */
bool names_show(const char *file_name, const char *folder, const char *above, int this_year,
                struct show_name *out);
void show_name_fini(struct show_name *name);
/* A folder of one season: "Season 1", "S01". Which one; -1: it is none. */
int names_season(const char *folder_name);
