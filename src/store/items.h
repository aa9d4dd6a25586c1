/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person watches, by the id that personal things hang on: that of a title. It stays when the
 * title's files are gone, so that they come back to what was said of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/role.h"
#include "store/store.h"

#define STORE_USER_SIZE 40 /* an account's id, or what stands for it where there are none */

/* Who asks. */
struct store_viewer {
    const char *user;
    struct ages ages;
};

struct store_item {
    char id[STORE_ID_SIZE];
    char kind[8];
    char *title;  /* UTF-8 */
    int year;     /* 0 = unknown */
    bool is_here; /* it has a file */
    /* of an episode */
    char show[STORE_ID_SIZE]; /* "": it is none */
    char *show_title;
    int season, episode;
};
void store_item_fini(struct store_item *item);

/* The item that an id of an item or of a file in the library stands for, and, for the latter, the file (""
 * else). NOT_FOUND: none that the viewer may know of. */
struct store_place {
    char item[STORE_ID_SIZE], file[STORE_ID_SIZE];
    bool is_show; /* one watches its episodes */
};
MUST_CHECK enum err store_item_place(struct store *store, const char *id,
                                     const struct store_viewer *viewer, struct store_place *out);
