/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: what whole lists of titles are like, as last counted; counting reads all of them. How many
 * stand at each letter; and every PLACE_STEP-th title, from which one comes to any other in few steps.
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/role.h"
#include "store/store.h"

#define LETTER_SIZE 16

struct letter_list {
    struct letter_count {
        char letter[LETTER_SIZE];
        int64_t count;
    } * items;
    size_t count, room;
};
void letter_list_add(struct letter_list *list, const char *letter, int64_t count);
void letter_list_fini(struct letter_list *list);

enum { PLACE_STEP = 128 };
struct place {
    char id[STORE_ID_SIZE];
    char *sort;
    int64_t added_ms;
};
void place_fini(struct place *place);
/* In the order of the list: items[k] is the title before the offset (k + 1) * PLACE_STEP. */
struct place_list {
    struct place *items;
    size_t count, room;
};
void place_list_add(struct place_list *list, const char *id, const char *sort, int64_t added_ms);
void place_list_fini(struct place_list *list);

/* Which titles: of a kind, NULL is all; what was searched, folded, NULL is nothing; for whom. */
struct overview_of {
    const char *kind, *search;
    struct ages ages;
};
struct overviews;
struct overviews *overviews_new(void);
void overviews_free(struct overviews **overviews);
/* Titles have come, gone, or are for others than before. */
void overviews_are_old(struct overviews *overviews);
/* What they are of; asked before counting. What was counted of another state is not kept. */
uint64_t overviews_state(struct overviews *overviews);

/* False: not known, or old. */
bool overviews_letters(struct overviews *overviews, const struct overview_of *of,
                       struct letter_list *out);
/* Keeps a copy, unless so much was typed that it is found soon, and seldom looked for again. */
void overviews_keep_letters(struct overviews *overviews, const struct overview_of *of,
                            uint64_t state, const struct letter_list *list);

/* The last place up to `offset`: out->id is "" where that is the beginning of the list; *left titles lie between.
 * False: not known, or old. */
bool overviews_place(struct overviews *overviews, const struct overview_of *of, bool by_added,
                     size_t offset, struct place *out, size_t *left);
/* Takes the list. */
void overviews_keep_places(struct overviews *overviews, const struct overview_of *of, bool by_added,
                           uint64_t state, struct place_list *list);
