/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/search.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/sql.h"

enum { GRAM = 3 };

static size_t letters_of(const char *word, size_t size)
{
    size_t letters = 0;
    for (size_t i = 0; i < size; i++)
        letters += ((unsigned char) word[i] & 0xC0) != 0x80;
    return letters;
}

static void add_long(struct str *match, const char *word, size_t size)
{
    str_puts(match, match->length > 0 ? " AND \"" : "\"");
    str_append(match, word, size); /* folded: no quote is in it */
    str_putc(match, '"');
}

/* Scripts without spaces have their words anywhere. */
static void add_short(struct search *search, const char *word, size_t size)
{
    CLEANUP(str_fini) struct str needle = {0};
    size_t i = 0;
    while (i < SEARCH_SHORT && search->words[i] != NULL)
        i++;
    if (i == SEARCH_SHORT)
        return;
    if ((unsigned char) word[0] < 0x80)
        str_putc(&needle, ' ');
    str_append(&needle, word, size);
    search->words[i] = mem_strdup(str_text(&needle));
}

struct search search_for(const char *folded)
{
    struct search search = {0};
    CLEANUP(str_fini) struct str match = {0};
    const char *at = folded != NULL ? folded : "";
    for (size_t count = 0; count < SEARCH_WORDS_MOST; count++) {
        at += strspn(at, " ");
        size_t size = strcspn(at, " ");
        if (size == 0)
            break;
        if (letters_of(at, size) >= GRAM)
            add_long(&match, at, size);
        else
            add_short(&search, at, size);
        at += size;
    }
    if (match.length > 0)
        search.match = mem_strdup(str_text(&match));
    return search;
}

void search_fini(struct search *search)
{
    mem_free(search->match);
    for (size_t i = 0; i < SEARCH_SHORT; i++)
        mem_free(search->words[i]);
    *search = (struct search){0};
}

enum err search_index(struct conn *conn, int64_t n, const char *folded)
{
    struct query query = query_on(conn, "INSERT INTO title_search(rowid, folded) VALUES(?, ?)");
    query_int(&query, n);
    query_text(&query, folded);
    return query_run(&query);
}

enum err search_unindex(struct conn *conn, int64_t n, const char *folded)
{
    struct query query = query_on(conn, "INSERT INTO title_search(title_search, rowid, folded) "
                                        "VALUES('delete', ?, ?)");
    query_int(&query, n);
    query_text(&query, folded);
    return query_run(&query);
}
