/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The films that are open and ready, for those who only want to read from their plan: playlists and
 * init segments need not go through the hub's loop. Rooms put films on it and take them off.
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include "base/str.h"
#include "hls/film.h"

struct shelf;

struct shelf *shelf_new(void);
/* What is still on it is let go. *shelf is NULL afterwards; NULL is accepted. */
void shelf_free(struct shelf **shelf);

/* References `film` until shelf_remove. Of an id there is one film that is not retired. */
void shelf_put(struct shelf *shelf, struct film *film, bool is_retired);
/* Another plan takes its place: from now on it is found by its versions alone (decision 11). */
void shelf_retire(struct shelf *shelf, const struct film *film);
/* Nothing where another film, or none, stands under that id. */
void shelf_remove(struct shelf *shelf, const struct film *film);

/* What a URL names: a film, and where it has a rendition that one, of that version where it has one.
 * The fields that are absent have no `at`. */
struct shelf_name {
    struct slice id, rendition, version;
};
/* The film that has all of it, referenced for the caller, and noted as used now; the rendition's
 * index, or -1 where none is named. NULL: not on the shelf, or its file has changed. */
struct film *shelf_find(struct shelf *shelf, const struct shelf_name *name, int *rendition);
