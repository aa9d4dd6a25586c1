/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a file's name says of the film in it: title and year. Names come from outside: any bytes.
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
