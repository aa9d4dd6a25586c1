/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: how many titles stand at each letter, as last counted; counting reads all of them.
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/role.h"

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

struct letters;
struct letters *letters_new(void);
void letters_free(struct letters **letters);
/* Titles have come, gone, or are for others than before. */
void letters_are_old(struct letters *letters);
/* What they are of; asked before counting. */
uint64_t letters_state(struct letters *letters);
/* `kind` NULL: of all. False: not known, or old. */
bool letters_find(struct letters *letters, const char *kind, const struct ages *ages,
                  struct letter_list *out);
/* Keeps a copy, unless the state is another by now. */
void letters_keep(struct letters *letters, const char *kind, const struct ages *ages,
                  uint64_t state, const struct letter_list *list);
