/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a walk found, held against what the store knows: what came, moved, changed, went. A file is
 * told by its identity (decision 1), so that it keeps its id wherever it is moved to. Blocks on the
 * disk, as it reads the two ends of each file that is new. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "library/names.h"
#include "library/walk.h"
#include "store/films.h"

struct known_file; /* a row, as it was */
struct fresh_file;
struct name_box; /* text that changes borrow */

struct compare {
    /* given */
    struct store *store;
    struct walk *walk; /* its files are sorted here */
    int64_t now_ms;
    const atomic_bool *is_cancelled;
    /* made */
    struct store_change *changes;
    size_t change_count;
    /* inside */
    size_t _change_room;
    struct known_file *_known;
    size_t _known_count, _known_room;
    struct known_file **_by_path; /* rows that are there, sorted */
    size_t _by_path_count;
    struct known_file **_lost; /* rows whose file is gone, sorted by hash */
    size_t _lost_count;
    struct fresh_file *_fresh; /* files whose bytes stood elsewhere, or nowhere */
    size_t _fresh_count;
    struct renumbered { /* file systems that came back under another number */
        uint64_t from, to;
    } _renumbered[16];
    size_t _renumbered_count;
    struct name_box **_boxes;
    size_t _box_count, _box_room;
};

/* CANCELLED; IO: the store. */
MUST_CHECK enum err compare_run(struct compare *compare);
void compare_fini(struct compare *compare);

/* What to open for a path: itself, or where it leads when it is a symbolic link. mem_free. */
char *compare_resolve(const char *path);
/* What a file's name and the folders around it (or NULL) say, as the store has it. Ended by parsed_name_fini. */
struct parsed_name {
    struct store_name name; /* borrows from the rest; is not to be copied or moved */
    struct store_name show;
    struct film_name film;
    struct show_name episode;
    char *sort; /* NULL: it is no episode */
};
void parsed_name_read(const char *file_name, const char *folder, const char *above, int64_t now_ms,
                      struct parsed_name *out);
/* The film, or the show: what a folder is called by. */
const struct film_name *parsed_name_whole(const struct parsed_name *parsed);
void parsed_name_fini(struct parsed_name *parsed);
/* The identity of a file, through a symbolic link at its end too. As source_open_local; and what
 * was opened (mem_free), where `resolved` is not NULL. */
MUST_CHECK enum err compare_identify(const char *path, struct source_identity *out, char **resolved,
                                     struct why *why);
