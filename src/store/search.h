/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: what somebody types, as the index of titles is asked for it. Each word is to be found
 * somewhere in the title. The index knows all that is three letters long (FTS5's trigram tokenizer,
 * sqlite.org/fts5.html 4.3.5); shorter words are looked for at the beginning of words, as they are of a word
 * that is still being typed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SEARCH_SHORT = 3, SEARCH_WORDS_MOST = 16 };

struct search {
    char *match;               /* for MATCH; NULL: no word is long enough */
    char *words[SEARCH_SHORT]; /* short ones, with what stands before them; NULL: none */
};
/* `folded` may be NULL. Words past SEARCH_WORDS_MOST, and short ones past SEARCH_SHORT, do not count. */
struct search search_for(const char *folded);
void search_fini(struct search *search);
/* The index, kept in step with titles: `n` and what it was told of it. */
struct conn;
MUST_CHECK enum err search_index(struct conn *conn, int64_t n, const char *folded);
MUST_CHECK enum err search_unindex(struct conn *conn, int64_t n, const char *folded);

/* Of `title t`: the short words are in it. */
#define SEARCH_WORDS(a, b, c)                                                                      \
    "AND (" a " IS NULL OR instr(' ' || t.folded, " a ") > 0) "                                    \
    "AND (" b " IS NULL OR instr(' ' || t.folded, " b ") > 0) "                                    \
    "AND (" c " IS NULL OR instr(' ' || t.folded, " c ") > 0) "
