/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text as it is searched and sorted: small letters without accents or punctuation, words parted by
 * single spaces. Apostrophes vanish, so that "schindlers" finds "Schindler's". Threads: any. */
#pragma once

#include "base/str.h"

#define FOLD_LETTER_SIZE 8

/* Appends `text` (UTF-8; other bytes are dropped) folded; `out` begins empty. */
void fold(struct str *out, struct slice text);
/* The folded text without an English article at its beginning. Lent from `folded`. */
const char *fold_sort(const char *folded);
/* Where the sort text stands in the alphabet: "A".."Z", "#" for digits and nothing, else its first
 * character. */
void fold_letter(const char *sort, char out[FOLD_LETTER_SIZE]);
